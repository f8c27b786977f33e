"""Read windows and codes of the files of data sets, with errors that name the file."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import DatasetError
from clearscene.raster.gdal import GDAL_ERRORS, open_quietly, reading, reason_of

__all__ = ["date_in", "landsat_place", "mgrs_tile", "open_array", "read_bands", "read_codes", "shape_of"]

AGAIN = "Copy or download it again."
LANDSAT = re.compile(r"L[COTEM]0?8_?(?:\w{4}_)?(?P<path>\d{3})(?P<row>\d{3})_?(?P<date>\d{7,8})")
"""Ids before Collection 1, LC8 ppp rrr yyyy ddd, and after, LC08_L1TP_pppRRR_yyyymmdd."""
TILE = re.compile(r"(?<![0-9A-Z])T(\d\d[C-X][A-Z]{2})(?![0-9A-Z])")
DAY = re.compile(r"(?<!\d)(20\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")


def shape_of(path: str | Path) -> tuple[int, int]:
    """Height and width of a raster, pixels.

    Raises:
        DatasetError: It cannot be opened.
    """
    try:
        with open_quietly(path) as dataset:
            return int(dataset.height), int(dataset.width)
    except GDAL_ERRORS as error:
        raise _broken(path, error) from error


def read_bands(path: str | Path, bands: Sequence[int], window: Window | None = None) -> NDArray[Any]:
    """Stored values (band, row, col) of bands by number, counted from 1.

    Raises:
        DatasetError: The file cannot be read, or has fewer bands.
    """
    try:
        with reading(), open_quietly(path) as dataset:
            if max(bands) > dataset.count:
                raise DatasetError(f"{path} has {dataset.count} bands; band {max(bands)} was looked for.", hint=AGAIN)
            return np.asarray(dataset.read(list(bands), window=window))
    except GDAL_ERRORS as error:
        raise _broken(path, error) from error


def read_codes(path: str | Path) -> NDArray[np.integer]:
    """The one band of a file of labels (row, col); of a palette, its numbers.

    Raises:
        DatasetError: It cannot be read, or holds no whole numbers.
    """
    codes = read_bands(path, [1])[0]
    if codes.dtype.kind not in "ui":
        if not np.array_equal(codes, np.rint(codes)):
            raise DatasetError(f"{path} holds {codes.dtype} values that are no codes.", hint=AGAIN)
        codes = codes.astype(np.int32)
    return np.asarray(codes)


def open_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file in its own shape, mapped and not loaded; nothing in the file is executed.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error


def date_in(text: str) -> str | None:
    """The day that a name tells, ISO 8601: that of a Landsat id, or the first 20YYMMDD in it."""
    landsat = LANDSAT.search(text)
    digits = landsat["date"] if landsat else ""
    if len(digits) == 7:
        return (date(int(digits[:4]), 1, 1) + timedelta(days=int(digits[4:]) - 1)).isoformat()
    found = DAY.search(digits or text)
    return None if found is None else "-".join(found.groups())


def landsat_place(text: str) -> str | None:
    """Path and row of WRS-2 in a Landsat id, as `042008`."""
    found = LANDSAT.search(text)
    return None if found is None else found["path"] + found["row"]


def mgrs_tile(text: str) -> str | None:
    """The tile that a Sentinel-2 name tells, as `31TFJ`."""
    found = TILE.search(text.replace("_", " ").replace("-", " "))
    return None if found is None else found[1]


def _broken(path: str | Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path} cannot be read: {reason_of(error)}.", hint=AGAIN)
