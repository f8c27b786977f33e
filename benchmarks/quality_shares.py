"""What share of each kind of pixel the quality model calls bad (quality below 0), with and without near infrared.

    python benchmarks/quality_shares.py out/quality-chips [--model FOLDER] [--n 120] [--scene FOLDER]

CHIPS is a set made by `clearscene synth chips --recipe recipes/quality-chips.toml`; its validation chips are thinned
out evenly, and each is seen as it is and with one defect put over it. The last columns say why a kind is missed: how
many of the pixels are of it, and how often one of them is below a clear one of the same chip (0.5: not told apart at
all, which no threshold mends). SCENE is a folder with a real scene and its labels, as that of ukis-csmask's tests:
`sentinel2_6band.tif`, `sentinel2_label.tif`.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio

from clearscene.fusion.quality import find_quality_model
from clearscene.masking.normalize import normalize
from clearscene.models.model import Model
from clearscene.synth.chip_set import ChipSet
from clearscene.training.chips import Chip
from clearscene.training.mask_augment import plain
from clearscene.training.mask_chips import read_mask_chip
from clearscene.training.quality_chips import put_defect
from table_text import Table, report

KINDS = {
    "clear, called bad": (0,), "thick cloud": (1,), "thin cloud": (2,), "shadow": (3,),
    "lost parts": (5,), "blur, stripes, overflow": (6,),
}  # fmt: skip


ENOUGH = 100
BANDS = ("red", "green", "blue", "nir")
SCENE_CLEAR, SCENE_KINDS = (1, 3), {"cloud": 4, "shadow": 0}
"""Ids of the labels: water and land; and what is not clear."""
RIM = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chips", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = find_quality_model(args.model)
    if folder is None:
        raise SystemExit("no quality model")
    model, chips = Model.load(folder, device="cpu", threads=1), ChipSet.open(args.chips)
    every = chips.records("val")
    chosen = [every[i] for i in np.linspace(0, len(every) - 1, min(args.n, len(every))).astype(int)]
    bad = {name: np.zeros((2, 2)) for name in KINDS}
    below: dict[str, list[float]] = {name: [] for name in KINDS}
    for number, record in enumerate(chosen):
        given = read_mask_chip(Chip(chips, record))
        for seen in (given, put_defect(given, np.random.default_rng(number))):
            for way in (0, 1):
                chip = plain(seen, without_nir=way == 1)
                quality = judged(model, chip.image())
                for name, ids in KINDS.items():
                    here = quality[np.isin(chip.mask, ids)]
                    bad[name][way] += [(here < 0).sum(), here.size]
                    if way == 0 and ids != (0,):
                        below[name] += told_apart(quality[chip.mask == 0], here)
    total = sum(pair[0, 1] for pair in bad.values())
    rows = [
        (
            name,
            *(100 * float(a / b) if b else None for a, b in pair),
            100 * float(pair[0, 1] / total),
            float(np.mean(below[name])) if below[name] else None,
        )
        for name, pair in bad.items()
    ]
    heads = ("pixels", "as they are", "red, green, blue", "of all pixels, %", "below a clear one")
    table = Table("pixels of quality below 0, %", heads, tuple(rows))
    tables = [table, *([scene_table(model, args.scene)] if args.scene else [])]
    report(tables, about={"model": folder.name, "chips": len(chosen)}, path=args.json)


def scene_table(model: Model, folder: Path) -> Table:
    """The same of a real scene, its border of 16 pixels left out: cloud and shadow against land and water."""
    with rasterio.open(folder / "sentinel2_6band.tif") as dataset:
        places = [dataset.descriptions.index(band) + 1 for band in BANDS]
        reflectance = dataset.read(places).astype(np.float32)
    with rasterio.open(folder / "sentinel2_label.tif") as dataset:
        label = dataset.read(1)[RIM:-RIM, RIM:-RIM]
    rows = []
    for seen, n_bands in (("red, green, blue, nir", 4), ("red, green, blue", 3)):
        valid = np.ones(reflectance.shape[1:], np.bool_)
        quality = by_tiles(model, normalize(reflectance[:n_bands], valid, kind="toa"))[RIM:-RIM, RIM:-RIM]
        clear = quality[np.isin(label, SCENE_CLEAR)]
        rows.append((seen, "clear, called bad", 100 * float((clear < 0).mean()), None))
        for name, number in SCENE_KINDS.items():
            here = quality[label == number]
            rows.append((seen, name, 100 * float((here < 0).mean()), *told_apart(clear, here)))
    heads = ("bands", "pixels", "quality below 0, %", "below a clear one")
    return Table(f"real scene {folder.name}", heads, tuple(rows))


def by_tiles(model: Model, image: np.ndarray) -> np.ndarray:
    """Quality (row, col) of an image (band, row, col) larger than a tile; the border of 16 pixels of each
    tile is left out, and is 0 where no other tile lies."""
    size = model.manifest.tiles.tile_size
    height, width = image.shape[1:]
    result = np.zeros((height, width), np.float32)
    for row in range(0, height - RIM, size - 2 * RIM):
        for col in range(0, width - RIM, size - 2 * RIM):
            top, left = min(row, height - size), min(col, width - size)
            found = model.segment(image[np.newaxis, :, top : top + size, left : left + size])[0]
            result[top + RIM : top + size - RIM, left + RIM : left + size - RIM] = found[RIM:-RIM, RIM:-RIM]
    return result


def told_apart(clear: np.ndarray, other: np.ndarray) -> list[float]:
    """How often a pixel of `other` is of lower quality than one of `clear` (Mann and Whitney), if both are many."""
    if min(clear.size, other.size) < ENOUGH:
        return []
    ordered = np.sort(clear)
    lower, upper = (np.searchsorted(ordered, other, side) for side in ("left", "right"))
    return [1 - float((lower + upper).mean()) / (2 * clear.size)]


def judged(model: Model, image: np.ndarray) -> np.ndarray:
    """Quality (row, col) of a chip (band, row, col), reflected to the size of the network as `fuse` does it."""
    height, width = image.shape[1:]
    size = model.manifest.tiles.tile_size
    full = np.pad(image, [(0, 0), (0, size - height), (0, size - width)], mode="reflect")
    return model.segment(full[np.newaxis])[0, :height, :width]


if __name__ == "__main__":
    main()
