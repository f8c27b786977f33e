"""False area of the missing rule on real scenes without that defect, by folder, and its speed.

    python benchmarks/missing_false_area.py ../shared/data [--mode paper] [--sample 300] [--pictures DIR]

Prints per folder: scenes, megapixels, false share of valid pixels in percent, the worst scene.
"""

import argparse
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.raster.collar import CollarScan, tolerance_of
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import View
from clearscene.runs import Runs, measure

FOLDERS = ("scenes/clean", "scenes/collars_and_seams", "scenes/odd", "ship/neon_forest_rgb", "ship/oam_buildings",
           "ship/usgs_urban_rgb", "dev/landsat7_slcoff")  # fmt: skip


def load(path: Path) -> View:
    """The scene as one view, collar found."""
    with rasterio.open(path) as scene:
        data = scene.read(list(range(1, min(3, scene.count) + 1)))
        declared = scene.dataset_mask() > 0
        is_lossy = "jpeg" in str(scene.compression).lower() or scene.driver == "JPEG"
    white = float(np.iinfo(data.dtype).max) if data.dtype.kind == "u" else 1.0
    height, width = declared.shape
    tolerance = tolerance_of(white=white, is_lossy=is_lossy, is_8bit=data.dtype == np.uint8)
    scan = CollarScan(height, width, white=white, tolerance=tolerance)
    scan.add(0, data, declared)
    collar = scan.finish().mask(Window(0, 0, width, height))
    display = data if data.dtype == np.uint8 else np.zeros(data.shape, np.uint8)
    return View(data, display, declared & ~collar, collar, white, is_lossy)


def found(rule: MissingRule, view: View) -> np.ndarray:
    """What the rule leaves after its components were judged, (row, col)."""
    evidence = rule.detect(view)
    runs = Runs.from_mask(evidence.mask, evidence.confidence)
    if len(runs) == 0:
        return np.zeros(view.valid.shape, np.bool_)
    labels = runs.label(reach=rule.reach)
    kept = runs.take(rule.accept(measure(runs, labels))[labels])
    return kept.to_mask(Window(0, 0, view.valid.shape[1], view.valid.shape[0]))


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--mode", default="default")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    rule = MissingRule(mode=args.mode)
    print(f"{'folder':28}{'scenes':>7}{'Mpx':>8}{'false %':>10}{'Mpx/s':>8}  worst")
    for folder in FOLDERS:
        paths = sorted(p for p in (args.data / folder).rglob("*") if p.suffix in {".tif", ".jpg", ".png"})
        paths = [p for p in paths if "mask" not in p.parts[-2] and "label" not in p.parts[-2]]
        paths = paths[:: max(1, len(paths) // args.sample)]
        areas, valid, seconds = [], 0, 0.0
        for path in paths:
            view = load(path)
            start = time.perf_counter()
            mask = found(rule, view)
            seconds += time.perf_counter() - start
            areas.append(int(mask.sum()))
            valid += int(view.valid.sum())
            if args.pictures and mask.any():
                picture = view.display[[2, 1, 0]] if len(view.display) == 3 else np.repeat(view.display, 3, axis=0)
                picture = np.ascontiguousarray(picture.transpose(1, 2, 0))
                picture[mask] = (0, 0, 255)
                args.pictures.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(args.pictures / f"{folder.replace('/', '_')}_{path.stem[:40]}.png"), picture)
        order = np.argsort(areas)[::-1][:3]
        worst = ", ".join(f"{paths[i].name[:30]} {areas[i]} px" for i in order if areas[i])
        rate = valid / 1e6 / max(seconds, 1e-9)
        print(
            f"{folder:28}{len(paths):7}{valid / 1e6:8.1f}{100 * sum(areas) / max(valid, 1):10.4f}{rate:8.1f}  {worst}"
        )


if __name__ == "__main__":
    main()
