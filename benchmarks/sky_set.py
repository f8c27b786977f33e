"""Photos with sky masks as prepared sets: one for the shipped model, one split as the seed's study split its own.

    python benchmarks/sky_set.py PHOTOS --out out/sky --split shipped
    python benchmarks/sky_set.py PHOTOS --out out/sky-seed --split seed

PHOTOS holds images/NAME.jpg and masks/NAME.png, masks of 8 bits, sky from 128 on. `shipped` keeps every eighth
photo with sky and every tenth without for validation; `seed` draws 60, 20 and 20 of 100.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.prepared import PreparedAbout, PreparedRecord, PreparedWriter

CLASSES = ("other", "sky")
THRESHOLD = 128
LICENSE = "ADE20K: images under research terms, annotations BSD-3-Clause"


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Photos and their masks, by name."""
    found = [(image, folder / "masks" / f"{image.stem}.png") for image in sorted((folder / "images").iterdir())]
    return [(image, mask) for image, mask in found if mask.is_file()]


def read_pair(image: Path, mask: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Photo (row, col, red-green-blue) and where its mask shows sky (row, col)."""
    photo = cv2.imread(str(image), cv2.IMREAD_COLOR_RGB)
    soft = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert photo is not None
    assert soft is not None
    return photo, (soft if soft.ndim == 2 else soft[..., 0]) >= THRESHOLD


def splits(has_sky: list[bool], how: str, seed: int) -> list[str]:
    """The split of each photo."""
    n = len(has_sky)
    if how == "seed":
        order = np.random.default_rng(seed).permutation(n)
        rank = np.empty(n, int)
        rank[order] = np.arange(n)
        return ["train" if r < 0.6 * n else "val" if r < 0.8 * n else "test" for r in rank]
    seen = {True: 0, False: 0}
    chosen = []
    for sky in has_sky:
        seen[sky] += 1
        chosen.append("val" if seen[sky] % (8 if sky else 10) == 4 else "train")
    return chosen


def records(
    folder: Path, how: str, seed: int
) -> Iterator[tuple[PreparedRecord, NDArray[np.float32], NDArray[np.uint8]]]:
    """Chips with their pictures: whole photos."""
    files = pairs(folder)
    chosen = splits([bool(read_pair(*pair)[1].any()) for pair in files], how, seed)
    for (image, mask), split in zip(files, chosen, strict=True):
        photo, is_sky = read_pair(image, mask)
        record = PreparedRecord(image.stem, split, image.stem, "", "", 0, 0, is_sky.shape)  # type: ignore[arg-type]
        yield record, photo.transpose(2, 0, 1).astype(np.float32) / np.float32(255), is_sky.astype(np.uint8)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=("shipped", "seed"), default="shipped")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    about = PreparedAbout(
        f"sky ({args.split})", ("red", "green", "blue"), CLASSES, "display", LICENSE, size=0, overlap=0, seed=args.seed
    )
    with PreparedWriter(args.out, about, overwrite=True) as writer:
        for record, image, mask in records(args.photos, args.split, args.seed):
            writer.add(record, image, mask)
    print(args.out)


if __name__ == "__main__":
    main()
