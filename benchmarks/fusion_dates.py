"""Real dates: a clear date is held out, the dates around it are fused, and the result is set against it.

    python benchmarks/fusion_dates.py ../shared/data/dev/fusion_s2_30dates --out /tmp/dates

For each clear date the nearest other dates are fused by every method. A date is clear if `clearscene mask` says so
and the darkest hundredth of its blue is not brighter than that of other clear dates: a mask does not see a faint haze
all over, and beside a hazy date a hazy result would be the best. L1 is in units of reflectance over all bands that are
fused; SSIM is that of red, green and blue with a span of 0.36; cloud and shadow remaining are what `clearscene mask`
finds in the result. Intervals are 95 % of a bootstrap over the held-out dates.
"""

import argparse
import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import rasterio

from clearscene import FuseOptions, fuse, mask
from fusion_measures import interval, peer_geomedian, sheet, shown, ssim

BANDS = ("red", "green", "blue", "nir")
SCALE, WHITE = 1e-4, 0.36
HAZE = 0.02
"""Reflectance in blue by which a date may be brighter in its darkest parts than clear dates are in the median."""
METHODS = {
    "learned": {"method": "learned"},
    "learned, masks too": {"method": "learned", "masks": ("auto",)},
    "best": {"method": "best"},
    "mean": {"method": "mean"},
    "median": {"method": "median"},
    "medoid": {"method": "medoid"},
    "geomedian": {"method": "geomedian"},
    "mask, then median": {"method": "median", "masks": ("auto",)},
}
PEER = "geomedian by geomad"
"""Left out where it is not installed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="Quality model; default the shipped one.")
    parser.add_argument("--around", type=int, default=8, help="Dates that are fused.")
    parser.add_argument("--most", type=int, default=6, help="Held-out dates.")
    parser.add_argument("--clear", type=float, default=99.0, help="Percent that a held-out date must be clear.")
    parser.add_argument("--with-hazy", action="store_true", help="Hold out dates with a haze all over, too.")
    parser.add_argument("--references", default="", help="Held-out dates by name; default by how clear they are.")
    every = (*METHODS, PEER) if peer_geomedian() else METHODS
    parser.add_argument("--methods", default="; ".join(every))
    options = parser.parse_args()
    options.methods = options.methods.split("; ")
    options.out.mkdir(parents=True, exist_ok=True)
    paths = sorted(options.data.glob("*.tif"))
    chosen = [options.data / f"{name}.tif" for name in options.references.split(",") if name]
    if not chosen:
        clear = [path for path in paths if mask(path, scale=SCALE).clear_percent >= options.clear]
        print(f"{len(clear)} of {len(paths)} dates are at least {options.clear:g} % clear", flush=True)
        clear = clear if options.with_hazy else without_haze(clear)
        chosen = [clear[i] for i in np.unique(np.linspace(0, len(clear) - 1, options.most).round().astype(int))]
    rows, pictures = [], []
    for reference in chosen:
        others = sorted((p for p in paths if p != reference), key=lambda p: apart(p, reference))[: options.around]
        print(f"{reference.stem}: {len(others)} dates from {min(others).stem} to {max(others).stem}", flush=True)
        found, line = held_out(reference, others, options)
        rows += found
        pictures.append(line)
    table(rows)
    (options.out / "dates.json").write_text(json.dumps(rows, indent=1))
    sheet(options.out / "dates.png", pictures, ["held out", "brightest input", *options.methods])


def without_haze(paths: list[Path]) -> list[Path]:
    """Dates whose darkest parts are as dark as those of the others; the rest is named."""
    dark = np.array([np.nanpercentile(read(path)[BANDS.index("blue")], 1) for path in paths])
    is_hazy = dark > np.median(dark) + HAZE
    names = [f"{path.stem} ({value:.3f})" for path, value, hazy in zip(paths, dark, is_hazy, strict=True) if hazy]
    print(f"hazy, of the darkest blue against {np.median(dark):.3f}: {', '.join(names) or 'none'}", flush=True)
    return [path for path, hazy in zip(paths, is_hazy, strict=True) if not hazy]


def apart(one: Path, other: Path) -> int:
    return abs((date.fromisoformat(one.stem) - date.fromisoformat(other.stem)).days)


def held_out(reference: Path, others: list[Path], options: argparse.Namespace) -> tuple[list[dict], list[np.ndarray]]:
    """What each method reaches, and a row of pictures."""
    truth = read(reference)
    brightest = max(others, key=lambda path: float(read(path).mean()))
    rows, line = [], [shown(truth[:3], white=WHITE), shown(read(brightest)[:3], white=WHITE)]
    for name in options.methods:
        path = options.out / f"{reference.stem}-{name.replace(', ', '-').replace(' ', '-')}.tif"
        if name == PEER:
            by_peer(others, path)
        else:
            chosen = METHODS[name]
            model = options.model if chosen["method"] in ("learned", "best") else None
            fuse(others, path, options=FuseOptions(use=BANDS, scale=SCALE, workers=1, model=model, **chosen))
        fused = read(path)
        filled = np.isfinite(fused).all(axis=0)
        complete = np.where(filled, fused, truth)  # nothing is said of what was left out, but its share
        seen = mask(path, scale=SCALE)
        print(f"  {name}: {np.abs(fused - truth)[:, filled].mean():.4f}", flush=True)
        shadow = seen.percent.get("cloud_shadow", 0.0)
        rows.append(
            {
                "reference": reference.stem,
                "method": name,
                "l1": float(np.abs(fused - truth)[:, filled].mean()),
                "ssim": ssim(complete[:3], truth[:3], span=WHITE),
                "cloud": seen.cloud_percent,
                "shadow": shadow,
                "filled": 100 * float(filled.mean()),
            }
        )
        line.append(shown(fused[:3], white=WHITE))
    return rows, line


def by_peer(paths: list[Path], out: Path) -> None:
    """The geometric median of geomad as a file like ours."""
    made = peer_geomedian()(np.stack([read(path) for path in paths]).astype(np.float32))
    with rasterio.open(paths[0]) as dataset:
        profile = {**dataset.profile, "count": len(BANDS), "dtype": "uint16"}
    with rasterio.open(out, "w", **profile) as target:
        target.descriptions = BANDS
        target.write(np.rint(made / SCALE).astype(np.uint16))


def read(path: Path) -> np.ndarray:
    """Reflectance of red, green, blue, nir (band, row, col); NaN where there is no data."""
    with rasterio.open(path) as dataset:
        places = [dataset.descriptions.index(band) + 1 for band in BANDS]
        data = dataset.read(places).astype(np.float64) * SCALE
        data[:, dataset.dataset_mask() == 0] = np.nan
    return data


def table(rows: list[dict]) -> None:
    """Means over the held-out dates with intervals, and how often `learned` is better."""
    by_method: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        by_method[row["method"]].append(row)
    print("\n| method | L1 | SSIM | cloud left, % | shadow left, % | filled, % | L1 of learned is lower on |")
    print("|---|---|---|---|---|---|---|")
    learned = np.array([row["l1"] for row in by_method["learned"]])
    for name, found in by_method.items():
        cells = []
        for key, digits in (("l1", 4), ("ssim", 3), ("cloud", 2), ("shadow", 2), ("filled", 1)):
            values = np.array([row[key] for row in found])
            low, high = interval(values, lambda drawn, values=values: values[drawn].mean())
            ends = f" ({low:.{digits}f} to {high:.{digits}f})" if key in ("l1", "ssim") else ""
            cells.append(f"{values.mean():.{digits}f}{ends}")
        wins = int((learned < np.array([row["l1"] for row in found])).sum())
        print(f"| {name} | {' | '.join(cells)} | {wins} of {len(found)} |")


if __name__ == "__main__":
    main()
