"""Whether an inspection sees real distortion: crowns of trees that orthorectification warped or streaked.

    python benchmarks/warped_forest.py ../shared/data/ship/neon_forest_rgb                  # the installed model
    python benchmarks/warped_forest.py ../shared/data/ship/neon_forest_rgb --model FOLDER

The images of the forest set are sorted by eye into those whose crowns are plainly warped or streaked, and those
that are not; the others (seams, slight streaks) are left out. What counts is the share of an image's area that the
inspection model calls distortion, stretching or blur, and in how many images it says so at all (1 % of the area).
The images without warped crowns may have been trained on as clean ground; the warped ones, since
recipes/inspection-5.toml, not.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector, prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.taxonomy import BY_NAME

WARPED = {
    "HARV_HARV": (1, 2, 4, 5, 6, 10, 12, 13, 14, 21, 22, 23, 34),
    "OSBS_OSBS": (1, 2, 4, 6, 7, 8, 9, 10, 13, 16, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 37, 38, 40, 41, 42, 44),
    "SJER_2017_SJER": (3, 8, 10, 46, 50, 55, 56, 58, 59),
}
"""Numbers of the plots, by site and date."""
PLAIN = {
    "HARV_HARV": (11, 24, 27, 33, 35, 36, 37, 38, 41, 45, 46, 47, 51, 52),
    "SJER_SJER": (2, 4, 5, 6, 7, 9, 12, 15, 16, 22, 45, 49, 53, 54, 56, 58, 60, 62, 63),
}
TYPES = ("distortion", "stretching", "blur")
LEAST = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/warped-forest"))
    options = parser.parse_args()
    inspector = prepare(InspectOptions(types=tuple(BY_NAME[name] for name in TYPES), model=options.model))
    print("| images | | distortion | stretching | blur | any of them | images with 1 % |")
    print("|---|---|---|---|---|---|---|")
    for name, plots in (("warped crowns", WARPED), ("plain", PLAIN)):
        paths = [
            options.data / f"data_{site}_{number:03d}.tif" for site, numbers in plots.items() for number in numbers
        ]
        shares = np.array([shares_of(path, options.out / path.stem, inspector) for path in paths if path.is_file()])
        means = " | ".join(f"{100 * share:.2f} %" for share in shares.mean(axis=0))
        print(f"| {name} | {len(shares)} | {means} | {int((shares[:, -1] >= LEAST).sum())} |", flush=True)


def shares_of(path: Path, out: Path, inspector: Inspector) -> list[float]:
    """Share of the area of each type, and of all of them."""
    inspect_scene(str(path), out, inspector)
    with rasterio.open(out / "classmap.tif") as found:
        ids = found.read(1)
    each = [float((ids == BY_NAME[name].id).mean()) for name in TYPES]
    return [*each, sum(each)]


if __name__ == "__main__":
    main()
