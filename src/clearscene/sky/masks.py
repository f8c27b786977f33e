"""From a probability to the mask that a tool reads: polarity, masks that are there already, the picture of it."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.atomic import replacing
from clearscene.errors import OutputError, SceneError
from clearscene.sky.photo import upright
from clearscene.sky.squaring import resized

__all__ = ["KEEP", "heatmap", "keep_mask", "merged", "read_mask", "write_image"]

KEEP, HIDE = 255, 0
LONGEST = 1600
"""Pixels along the longer side of a heat map."""
MOST_STRETCH = 0.02
"""By which the proportions of a mask may differ from those of its photo."""


def keep_mask(probability: NDArray[np.float32], threshold: int) -> NDArray[np.uint8]:
    """255 where the photo is kept, 0 where the probability of sky is `threshold` / 256 or more; (row, col)."""
    return np.where(probability * np.float32(256) >= threshold, HIDE, KEEP).astype(np.uint8)


def read_mask(
    path: Path, shape: tuple[int, int], *, orientation: int = 1, is_upright: bool = False
) -> NDArray[np.uint8]:
    """A mask (row, col) of any tool, 255 keep and 0 hide, at the height and width `shape` of the upright photo.

    It may be stored as the photo is stored or upright, reduced or enlarged. Where its proportions leave both open, it
    is taken to be stored as the photo is, or upright with `is_upright`.

    Raises:
        SceneError: It is no picture, or its proportions are not those of the photo.
    """
    found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if found is None:
        raise SceneError(f"{path} is no picture.", hint="Remove it, or leave out --merge.")
    plane = found if found.ndim == 2 else found[..., :3].max(axis=2)
    full = np.iinfo(plane.dtype).max if plane.dtype.kind == "u" else 1
    mask = np.where(plane.astype(np.float32) * 2 >= full, KEEP, HIDE).astype(np.uint8)
    turned = upright(mask, orientation)
    likely, other = (mask, turned) if is_upright else (turned, mask)
    mask = likely if _fits(likely.shape, shape) else other
    if not _fits(mask.shape, shape):
        sizes = f"{found.shape[0]} x {found.shape[1]} pixels, the photo {shape[0]} x {shape[1]}"
        raise SceneError(f"{path} has {sizes}.", hint="It belongs to another photo.")
    return np.asarray(cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)


def _fits(mask: tuple[int, ...], photo: tuple[int, int]) -> bool:
    return abs(mask[1] * photo[0] / (mask[0] * photo[1]) - 1) <= MOST_STRETCH


def merged(mask: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What both masks (row, col) keep. Laws: the order is irrelevant; a mask merged with itself stays."""
    return np.minimum(mask, other)


def heatmap(photo: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo (row, col, 3) with the probability of sky over it in color, at most `LONGEST` pixels long."""
    height, width = photo.shape[:2]
    shrink = min(1.0, LONGEST / max(height, width))
    rows, cols = max(1, round(height * shrink)), max(1, round(width * shrink))
    small, chance = resized(photo, rows, cols), resized(probability, rows, cols)
    levels = np.rint(chance * 255).astype(np.uint8)
    color = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[..., ::-1]
    return np.asarray(cv2.addWeighted(small, 0.5, np.ascontiguousarray(color, np.uint8), 0.5, 0), np.uint8)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (row, col) or (row, col, red-green-blue) in the format of the suffix, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    given = image if image.ndim == 2 else image[..., ::-1]
    try:
        is_made, encoded = cv2.imencode(path.suffix.lower(), given, _options(path.suffix.lower()))
    except cv2.error as error:
        raise OutputError(f"{path} cannot be written: OpenCV knows no {path.suffix}.") from error
    assert is_made
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(encoded.tobytes())


def _options(suffix: str) -> list[int]:
    if suffix in (".jpg", ".jpeg"):
        return [cv2.IMWRITE_JPEG_QUALITY, 100]
    if suffix == ".png":
        return [cv2.IMWRITE_PNG_COMPRESSION, 6]
    return []
