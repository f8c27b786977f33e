"""Read a photo as people see it: 8 bits, red, green, blue, turned as its EXIF orientation says."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import SceneError
from clearscene.raster.gdal import GDAL_ERRORS, open_quietly, reason_of

__all__ = ["Photo", "orientation_of", "read_photo", "stored", "upright"]

LARGEST_PX = 400_000_000
"""Larger pictures are scenes, not photos."""
ORIENTATION = 0x0112
TURNED = frozenset({5, 6, 7, 8})
"""Orientations by which height and width change places."""
TIFF = (b"II*\0", b"MM\0*")
APP1, START_OF_SCAN = 0xE1, 0xDA


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright."""

    pixels: NDArray[np.uint8]
    """(row, col, red-green-blue), upright."""
    orientation: int
    """EXIF 1 to 8: how the file stores it; 1 is upright."""


def read_photo(path: Path) -> Photo:
    """Read a JPEG, PNG, TIFF or whatever else OpenCV or GDAL reads.

    Gray and 16-bit photos and those with transparency become 8 bits, red, green, blue; 16 bits by their 0.5 and
    99.5 percentiles.

    Raises:
        SceneError: The file is missing, empty or no picture, or has over 400 Mpx.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SceneError(f"{path} cannot be read: {error.strerror}.", hint="Name a JPEG, PNG or TIFF.") from error
    is_tiff = content[:4] in TIFF  # OpenCV turns some of them by itself, GDAL none
    pixels = None if is_tiff else _decoded(content)
    if pixels is None:
        pixels = _by_gdal(path)
    orientation = orientation_of(content)
    return Photo(upright(pixels, orientation), orientation)


def _decoded(content: bytes) -> NDArray[np.uint8] | None:
    """What OpenCV makes of the file, not turned; None if it makes nothing of it."""
    try:
        raw = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if raw is None or raw.dtype not in (np.uint8, np.uint16) or not raw.size:
        return None
    if raw.ndim == 2:
        return _three_bands(raw[..., None])
    return _three_bands(raw[..., [2, 1, 0]] if raw.shape[2] >= 3 else raw)


def _by_gdal(path: Path) -> NDArray[np.uint8]:
    try:
        with open_quietly(path) as dataset:
            if dataset.height * dataset.width > LARGEST_PX:
                raise SceneError(f"{path} has {dataset.height} x {dataset.width} pixels; that is no photo.")
            bands = (1, 2, 3) if dataset.count >= 3 else (1,)
            return _three_bands(np.ascontiguousarray(dataset.read(list(bands)).transpose(1, 2, 0)))
    except GDAL_ERRORS as error:
        reason = reason_of(error).removeprefix(f"'{path}' ").split(" (this error can be turned")[0]  # GDAL's advice
        raise SceneError(f"{path} is no picture: {reason}.", hint="Name a JPEG, PNG or TIFF.") from error


def _three_bands(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(row, col, band) of any type as (row, col, 3) of 8 bits."""
    values = values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    if values.dtype == np.uint8:
        plain: NDArray[np.uint8] = np.ascontiguousarray(values)
        return plain
    whole = np.nan_to_num(values.astype(np.float32))
    low, high = np.percentile(whole[::4, ::4], (0.5, 99.5))
    scaled = np.clip((whole - low) * np.float32(255 / max(high - low, 1e-6)), 0, 255)
    return np.asarray(np.rint(scaled), np.uint8)


def upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """An image (row, col) or (row, col, band) as it is to be seen; see `stored` for the way back."""
    if orientation in TURNED:
        image = image.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    cols = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(image[rows, cols])


def stored(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Law: `stored(upright(image, o), o)` is the image."""
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    cols = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    image = image[rows, cols]
    return np.ascontiguousarray(image.swapaxes(0, 1) if orientation in TURNED else image)


def orientation_of(content: bytes) -> int:
    """EXIF orientation, 1 to 8, of a JPEG, PNG or TIFF; 1 where there is none or it is broken."""
    try:
        tiff = _tiff_part(content)
        return _orientation_tag(tiff) if tiff else 1
    except (struct.error, IndexError, ValueError):
        return 1


def _tiff_part(content: bytes) -> bytes:
    """The part that is laid out as a TIFF: the file itself, or its EXIF; empty if there is none."""
    if content[:4] in TIFF:
        return content
    if content[:2] == b"\xff\xd8":
        return _exif_of_jpeg(content)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _exif_of_png(content)
    return b""


def _exif_of_jpeg(content: bytes) -> bytes:
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], struct.unpack(">H", content[place + 2 : place + 4])[0]
        if marker == START_OF_SCAN:
            break
        part = content[place + 4 : place + 2 + length]
        if marker == APP1 and part[:6] == b"Exif\0\0":
            return part[6:]
        place += 2 + length
    return b""


def _exif_of_png(content: bytes) -> bytes:
    reader = io.BytesIO(content)
    reader.seek(8)
    while len(head := reader.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            return reader.read(length)
        reader.seek(length + 4, io.SEEK_CUR)
    return b""


def _orientation_tag(tiff: bytes) -> int:
    """The tag in the first directory."""
    order = "<" if tiff[:2] == b"II" else ">"
    place = struct.unpack(f"{order}I", tiff[4:8])[0]
    (count,) = struct.unpack(f"{order}H", tiff[place : place + 2])
    for number in range(count):
        entry = tiff[place + 2 + 12 * number : place + 14 + 12 * number]
        tag, kind, _, value = struct.unpack(f"{order}HHIH", entry[:10])
        if tag == ORIENTATION and kind == 3:
            return int(value) if 1 <= value <= 8 else 1
    return 1
