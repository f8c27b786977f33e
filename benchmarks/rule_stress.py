"""What the rules call a defect in clean images after what is usually done to images: brightened, resampled, compressed.

    python benchmarks/rule_stress.py ../shared/data [--images 36] [--json FILE]

Images are taken evenly from the color images of `ship` and the cloudy ones of `dev/clouds_rgb`, in which no seam,
stripe or lost pixel is known. Each is changed, written as it would be stored and inspected for stripes, missing pixels,
stitching traces and misalignments. Printed is the false share of all pixels by type, in percent, and the worst image.
An image in which every second row is repeated, and one enlarged by nearest neighbor, do have stripes in a sense: they
are here to know what an inspector would be told. Nothing is drawn by chance.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector, prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.taxonomy import BY_NAME
from table_text import Cell, Table, report

TYPES = tuple(BY_NAME[name] for name in ("missing", "stripe", "stitching_trace", "misalignment"))
FOLDERS = ("ship/usgs_urban_rgb", "ship/neon_forest_rgb", "ship/oam_buildings/images", "dev/clouds_rgb")

Image = np.ndarray
"""(row, col, band), float32, 0 to 255."""


def resized(factor: float, how: int) -> Callable[[Image], Image]:
    """The image enlarged by a factor."""
    return lambda image: cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)


def turned(image: Image) -> Image:
    """Turned by seven degrees and enlarged by 1.3, by nearest neighbor."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 7, 1.3)
    return cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)


def compressed(image: Image) -> Image:
    """After JPEG at quality 60."""
    stored = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return cv2.imdecode(stored, cv2.IMREAD_COLOR)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "overexposed, x 1.9": lambda image: image * 1.9,
    "underexposed, x 1.3 - 70": lambda image: image * 1.3 - 70,
    "a quarter of the light": lambda image: image * 0.25,
    "gamma 0.5": lambda image: 255 * (image / 255) ** 0.5,
    "16 levels": lambda image: image // 16 * 16,
    "sharpened": lambda image: 2.5 * image - 1.5 * cv2.GaussianBlur(image, (0, 0), 1.2),
    "JPEG 60": compressed,
    "enlarged x 2, cubic": resized(2, cv2.INTER_CUBIC),
    "enlarged x 1.3, nearest": resized(1.3, cv2.INTER_NEAREST),
    "turned by 7 degrees, nearest": turned,
    "enlarged x 3, nearest": resized(3, cv2.INTER_NEAREST),
    "every second row repeated": lambda image: np.repeat(image[::2], 2, axis=0),
}


def chosen(data: Path, n: int) -> list[Path]:
    """As many color images of each folder, evenly."""
    result = []
    for folder in FOLDERS:
        paths = [p for p in sorted((data / folder).rglob("*")) if p.suffix in {".tif", ".jpg", ".png"} and is_color(p)]
        result += paths[:: max(1, len(paths) // max(1, n // len(FOLDERS)))][: n // len(FOLDERS)]
    return result


def is_color(path: Path) -> bool:
    """True for three bands of 8 bits; masks have one."""
    with rasterio.open(path) as image:
        return image.count >= 3 and image.dtypes[0] == "uint8"


def false_areas(image: Image, inspector: Inspector) -> dict[str, int]:
    """Pixels called a defect, by type."""
    stored = np.clip(image, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        size = {"height": stored.shape[1], "width": stored.shape[2], "count": 3, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", **size) as file:
            file.write(stored)
        result = inspect_scene(path, Path(folder) / "run", inspector)
    areas = dict.fromkeys((kind.name for kind in TYPES), 0)
    for finding in result.findings:
        areas[finding.type] += finding.area_px
    return areas


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=36)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    paths, inspector = chosen(args.data, args.images), prepare(InspectOptions(types=TYPES))
    rows: list[tuple[Cell, ...]] = []
    for name, change in CHANGES.items():
        total, sums, shares = 0, dict.fromkeys((kind.name for kind in TYPES), 0), {}
        for path in paths:
            with rasterio.open(path) as file:
                image = change(file.read((1, 2, 3)).transpose(1, 2, 0).astype(np.float32))
            areas = false_areas(image, inspector)
            total += image.shape[0] * image.shape[1]
            sums = {key: value + areas[key] for key, value in sums.items()}
            shares[path.name] = sum(areas.values()) / (image.shape[0] * image.shape[1])
        worst = max(shares, key=shares.__getitem__)
        cells = (100 * value / total for value in sums.values())
        rows.append((name, total / 1e6, *cells, f"{worst} {100 * shares[worst]:.1f}" if shares[worst] else "-"))
    heads = ("change", "Mpx", *(f"{kind.name} %" for kind in TYPES), "worst image, %")
    report([Table("called a defect", heads, tuple(rows))], about={"images": len(paths)}, path=args.json)


if __name__ == "__main__":
    main()
