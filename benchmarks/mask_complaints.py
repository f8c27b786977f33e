"""What users of cloud masks complain about, one case each: how ours does on it.

    python benchmarks/mask_complaints.py ../shared/data [--model FOLDER] [--fine] [--figure out/complaints.png]

Real images without a cloud (beach, surf, snow, bright roofs, water) give the share of clear ground that is called
cloud; real labeled clouds, changed as sensors and users change them (saturated, at low sun, at 20 m, cut into tiny
scenes, with an edge or nodata beside them), give the share of cloud that is found before and after. What the images at
hand do not show is printed as "not measured".
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

import clearscene
from clearscene import MaskOptions
from clearscene.masking.classes import CLEAR, NODATA, SHADOW, THICK, THIN
from labeled_clouds import CLOUD, Labeled, read_case
from real_clouds import cases
from table_text import Cell, Table, report

ABSENT = ("bright lagoon", "salt flat", "desert", "mountain in low sun")
TINY, EDGE, LONGEST = 64, 32, 1500
CLOUDS = (THICK, THIN, CLOUD)
ORDER = ("red", "green", "blue", "nir")

Mask = Callable[[Labeled], np.ndarray]
"""An image to ids (row, col)."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One row of the table and one picture of the figure."""

    name: str
    found: np.ndarray
    picture: np.ndarray


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="cloud-rgbn")
    parser.add_argument(
        "--fine", action="store_true", help="Look at twice the resolution where there is near infrared."
    )
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()

    def masked(image: Labeled) -> np.ndarray:
        names = [name for name in ORDER if name in image.planes]
        stack = np.stack([image.planes[name] for name in names])
        stack = np.where(image.valid, np.maximum(stack, 1e-6), np.nan).astype(np.float32)
        kind = image.kind
        options = MaskOptions(models=(args.model,), workers=2, fine=args.fine and "nir" in names)
        return clearscene.mask(stack, bands=names, scale=1.0, offset=0.0, kind=kind, options=options).mask

    pictures: list[Shown] = []
    tables = [clean_table(args.data, masked, pictures), cloud_table(args.data, masked, pictures)]
    report(tables, about={"model": f"{args.model}{' --fine' if args.fine else ''}"}, path=args.json)
    if args.figure:
        args.figure.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(args.figure), panel(pictures)[..., ::-1])


def clean_table(data: Path, masked: Mask, pictures: list[Shown]) -> Table:
    """What is called cloud where there is none."""
    rows: list[tuple[Cell, ...]] = []
    for name, image in clear_ground(data):
        found, clear = masked(image), image.truth == CLEAR
        share = [100 * float(np.isin(found, ids)[clear].mean()) for ids in ((THICK, THIN), (SHADOW,))]
        rows.append((name, float(clear.sum() / 1e6), *share))
        pictures.append(Shown(name, found, display(image)))
    rows += [(name, None, None, None) for name in ABSENT]
    return Table("clear ground that is called cloud or shadow", ("case", "Mpx", "cloud %", "shadow %"), tuple(rows))


def cloud_table(data: Path, masked: Mask, pictures: list[Shown]) -> Table:
    """How much of the same cloud is found before and after a change."""
    images = list(cloudy(data))
    plain = [np.isin(masked(image), CLOUDS) for image in images]
    rows: list[tuple[Cell, ...]] = []
    for name, change in CHANGES.items():
        before, after = [], []
        for image, as_it_is in zip(images, plain, strict=True):
            changed = change(image)
            found = in_tiles(changed, masked) if name.startswith("tiny") else masked(changed)
            if (found[~changed.valid] != NODATA).any():
                raise SystemExit(f"{name}: nodata is not kept apart")
            here = np.isin(changed.truth, CLOUDS) & changed.valid
            step = image.truth.shape[0] // changed.truth.shape[0]
            rows_, cols_ = (n * step for n in changed.truth.shape)
            before.append(as_it_is[:rows_:step, :cols_:step][here])
            after.append(np.isin(found, CLOUDS)[here])
        pictures.append(Shown(name, found, display(changed)))
        rows.append((name, *(100 * float(np.concatenate(part).mean()) for part in (before, after))))
    return Table("labeled cloud that is found", ("case", "as it is %", "changed %"), tuple(rows))


def clear_ground(data: Path) -> Iterator[tuple[str, Labeled]]:
    """Images without a cloud, as everything clear."""
    for name, path in (
        ("beach and surf", "scenes/clean/coast_cropped2_12.tif"),
        ("surf", "scenes/clean/coast_cropped2_25.tif"),
        ("drone shore", "scenes/clean/drone_shore_4000x2250.tif"),
        ("bright roofs", "scenes/clean/zurich_0p5m.tif"),
        ("meadow and wood", "scenes/clean/forest_meadow_2299x2472.tif"),
    ):
        yield name, display_image(data / path)
    for case in cases(data / "dev"):
        if "manual_hq" in case.label.name:
            yield "snow (Russian Far East)", read_case(case)
        if case.source == "toa_30m":
            image = read_case(case)
            with rasterio.open(case.label) as source:
                label = source.read(1)
            yield "water, 30 m", replace(image, truth=np.where(label == 1, 0, NODATA).astype(np.uint8))


def display_image(path: Path) -> Labeled:
    """Red, green and blue of a picture, 1,500 px at most along a side, at its own resolution."""
    with rasterio.open(path) as source:
        window = ((0, min(source.height, LONGEST)), (0, min(source.width, LONGEST)))
        stored, valid = source.read([1, 2, 3], window=window), source.dataset_mask(window=window) > 0
    planes = dict(zip(ORDER[:3], stored.astype(np.float32) / 255, strict=True))
    return Labeled(planes, valid, "display", np.where(valid, 0, NODATA).astype(np.uint8))


def cloudy(data: Path) -> Iterator[Labeled]:
    """Labeled clouds with near infrared."""
    for case in cases(data / "dev"):
        if case.source in ("oncloudn", "toa_30m"):
            yield read_case(case)


def planes_of(image: Labeled, change: Callable[[np.ndarray], np.ndarray]) -> Labeled:
    return replace(image, planes={name: change(plane) for name, plane in image.planes.items()})


def saturated(image: Labeled) -> Labeled:
    """All above 60 % of the brightest is one value, in every band."""
    highest = min(float(np.percentile(plane[image.valid], 99.5)) for plane in image.planes.values())
    return planes_of(image, lambda plane: np.minimum(plane, np.float32(0.6 * highest)))


def low_sun(image: Labeled) -> Labeled:
    """A third of the light."""
    return planes_of(image, lambda plane: plane * np.float32(0.35))


def halved(image: Labeled) -> Labeled:
    """Pixels of twice the size."""
    rows, cols = (n // 2 * 2 for n in image.truth.shape)

    def mean(plane: np.ndarray) -> np.ndarray:
        return plane[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2).mean(axis=(1, 3))

    return replace(planes_of(image, mean), truth=image.truth[:rows:2, :cols:2], valid=image.valid[:rows:2, :cols:2])


def interiors(image: Labeled) -> Labeled:
    """Cloud 12 px from any edge of it, at twice the pixel size."""
    small = halved(image)
    cloud = np.isin(small.truth, CLOUDS).astype(np.uint8)
    deep = cv2.erode(cloud, np.ones((25, 25), np.uint8)) > 0
    return replace(small, truth=np.where(deep, CLOUD, NODATA).astype(np.uint8))


def at_edges(image: Labeled) -> Labeled:
    """Only cloud within 32 px of the edge of the scene."""
    truth = image.truth.copy()
    truth[EDGE:-EDGE, EDGE:-EDGE] = NODATA
    return replace(image, truth=truth)


def beside_nodata(image: Labeled) -> Labeled:
    """Nothing is known beyond a slanted line."""
    rows, cols = np.indices(image.truth.shape)
    valid = image.valid & (rows + 2 * cols > 0.8 * max(image.truth.shape))
    return replace(image, valid=valid, truth=np.where(valid, image.truth, NODATA).astype(np.uint8))


def in_tiles(image: Labeled, masked: Mask) -> np.ndarray:
    """Each piece of 64 px as a scene by itself."""
    result = np.full(image.truth.shape, NODATA, np.uint8)
    for row in range(0, result.shape[0] - TINY + 1, TINY * 2):
        for col in range(0, result.shape[1] - TINY + 1, TINY * 2):
            part = np.s_[row : row + TINY, col : col + TINY]
            planes = {name: plane[part] for name, plane in image.planes.items()}
            result[part] = masked(Labeled(planes, image.valid[part], image.kind, image.truth[part]))
    return result


def in_every_second(image: Labeled) -> Labeled:
    """Truth of the pieces that `in_tiles` masks."""
    truth = np.full_like(image.truth, NODATA)
    for row in range(0, truth.shape[0] - TINY + 1, TINY * 2):
        for col in range(0, truth.shape[1] - TINY + 1, TINY * 2):
            part = np.s_[row : row + TINY, col : col + TINY]
            truth[part] = image.truth[part]
    return replace(image, truth=truth)


CHANGES: dict[str, Callable[[Labeled], Labeled]] = {
    "saturated cores": saturated,
    "low sun": low_sun,
    "at twice the pixel size": halved,
    "cloud interiors at twice the pixel size": interiors,
    "within 32 px of the edge": at_edges,
    "beside nodata": beside_nodata,
    "tiny scenes of 64 px": in_every_second,
}


def display(image: Labeled) -> np.ndarray:
    """(row, col, 3) uint8 of red, green, blue."""
    rgb = np.stack([image.planes[name] for name in ORDER[:3]], axis=-1)
    if image.kind != "display":
        rgb = rgb / max(float(np.percentile(rgb[image.valid], 98)), 1e-6)
    return (np.clip(np.where(image.valid[..., None], rgb, 0), 0, 1) * 255).astype(np.uint8)


def panel(rows: list[Shown], side: int = 256) -> np.ndarray:
    """Pictures of all cases: the image, and beside it the mask over it (orange cloud, violet shadow)."""
    cells = []
    for row in rows:
        over = row.picture.copy()
        for ids, color in (((THICK, THIN), (255, 140, 0)), ((SHADOW,), (160, 0, 200))):
            here = np.isin(row.found, ids)
            over[here] = over[here] // 2 + np.array(color, np.uint8) // 2
        pair = [cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA) for part in (row.picture, over)]
        cell = np.hstack(pair)
        cell[:30] = cell[:30] // 3
        cv2.putText(cell, row.name, (8, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
        cells.append(cell)
    while len(cells) % 3:
        cells.append(np.full_like(cells[0], 255))
    return np.vstack([np.hstack(cells[i : i + 3]) for i in range(0, len(cells), 3)])


if __name__ == "__main__":
    main()
