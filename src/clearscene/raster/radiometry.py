"""What the values of a scene can be: full white, and whether compression has changed them."""

import numpy as np
from rasterio.io import DatasetReader

from clearscene.raster.gdal import GDAL_ERRORS, open_quietly

__all__ = ["is_lossy", "white_of"]

LOSSY_CODECS = {"JPEG", "YCbCr JPEG", "JPEG2000"}
LOSSY_DRIVERS = {"JPEG", "ECW", "JP2ECW", "MrSID", "JP2MrSID"}
"""Drivers that say nothing about loss, and whose files are compressed with it in practice."""


def white_of(dataset: DatasetReader, band: int) -> float:
    """The value of full white: the maximum of the sensor where the file says how many bits count, else of the type.

    Law: 255 for uint8, 4095 for uint16 with NBITS=12, the largest finite number for floats.
    """
    dtype = np.dtype(dataset.dtypes[band - 1])
    if dtype.kind == "f":
        return float(np.finfo(dtype).max)
    bits = dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", "")
    if dtype.kind == "u" and bits.isdecimal() and 0 < int(bits) < 8 * dtype.itemsize:
        return float(2 ** int(bits) - 1)
    return float(np.iinfo(dtype).max)


def is_lossy(dataset: DatasetReader) -> bool:
    """True if GDAL tells that the values were compressed with loss; a VRT is as lossy as its first source."""
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    reversibility = structure.get("COMPRESSION_REVERSIBILITY", "")
    if dataset.driver == "VRT":
        return _is_source_lossy(dataset)
    if reversibility:
        return not reversibility.startswith("LOSSLESS")
    has_error = float(structure.get("MAX_Z_ERROR", 0)) > 0
    return has_error or structure.get("COMPRESSION") in LOSSY_CODECS or dataset.driver in LOSSY_DRIVERS


def _is_source_lossy(dataset: DatasetReader) -> bool:
    for file in dataset.files[1:2]:
        try:
            with open_quietly(file) as source:
                return source.driver != "VRT" and is_lossy(source)
        except GDAL_ERRORS:
            return False
    return False
