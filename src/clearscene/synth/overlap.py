"""Refuse images for training that show what a test will be made on."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rasterio.warp import transform_bounds

from clearscene.errors import DatasetError
from clearscene.raster.gdal import GDAL_ERRORS, open_dataset

__all__ = ["check_apart", "footprint"]

SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2"}
Box = tuple[float, float, float, float]


def check_apart(paths: Sequence[Path], folders: Sequence[Path]) -> None:
    """Nothing if no image of `paths` shows a place of the images below `folders`, or is one of them.

    A place is told by the footprint, whatever the date: another date of the same ground is the same ground. An image
    without a footprint is told by the bytes of its file.

    Raises:
        DatasetError: A folder is missing, or an image is not apart; both are named.
    """
    tests = [path for folder in folders for path in _images(folder)]
    if not tests:
        return
    boxes = [(path, box) for path in tests if (box := footprint(path)) is not None]
    sizes = {path.stat().st_size for path in tests}
    digests = {_digest(path): path for path in tests}
    for path in paths:
        if path.stat().st_size in sizes and (same := digests.get(_digest(path))) is not None:
            raise _not_apart(path, same, "is the same file as")
        box = footprint(path) if boxes else None
        found = next((test for test, other in boxes if box is not None and _meet(box, other)), None)
        if found is not None:
            raise _not_apart(path, found, "shows ground of")


def footprint(path: Path | str) -> Box | None:
    """West, south, east, north in degrees; None without a CRS or a transform."""
    try:
        with open_dataset(path) as dataset:
            if dataset.crs is None or dataset.transform.is_identity:
                return None
            west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    except GDAL_ERRORS:
        return None
    return west, south, east, north


def _images(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise DatasetError(f"apart_from names {folder}, which is not a folder.", hint="Name the folder of the tests.")
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _not_apart(path: Path, test: Path, how: str) -> DatasetError:
    return DatasetError(f"{path} {how} the test image {test}.", hint="Leave it out with `exclude` in the recipe.")
