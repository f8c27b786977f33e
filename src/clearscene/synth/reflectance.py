"""Reflectance as ground for chips of cloud masks: windows of images, at any zoom, of one image or of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ClearsceneError, DatasetError
from clearscene.masking.normalize import BANDS
from clearscene.raster.gdal import GDAL_ERRORS, open_dataset, reading, reason_of
from clearscene.synth.mask_recipe import MaskSource
from clearscene.synth.sources import Source, label_path

__all__ = ["Piece", "Scenery", "read_piece", "read_whole"]

KEPT = 512
"""Images kept in memory."""


@dataclass(frozen=True, eq=False)
class Scenery:
    """An image that chips are cut from, and how its values become reflectance."""

    source: Source
    spec: MaskSource

    @property
    def has_nir(self) -> bool:
        """True if it shows near infrared."""
        return "nir" in self.spec.bands


@dataclass(frozen=True, eq=False)
class Piece:
    """A square of reflectance."""

    data: NDArray[np.float32]
    """(3 or 4, row, col): red, green, blue, nir if there is one."""
    valid: NDArray[np.bool_]
    """(row, col)."""
    labels: NDArray[np.uint8] | None
    """(row, col): 0 clear, 1 cloud, 2 shadow, 255 unknown; None without labels."""


def read_piece(scenery: Scenery, near: Sequence[Scenery], *, size: int, zoom: float, rng: np.random.Generator) -> Piece:
    """A square of `size` px that shows `zoom` pixels of the image by pixel, turned at random.

    Where the image is too small for that, pieces of `near` (images of the same kind and split) are laid side by
    side: a mask is a matter of places, and the joints are no cloud.

    Raises:
        DatasetError: An image or its labels cannot be read.
    """
    shortest = min(_shape(scenery))
    n = max(1, int(np.ceil(size * zoom / shortest)))
    part = -(-size // n)
    chosen = [scenery, *(near[int(i)] for i in rng.integers(len(near), size=n * n - 1))]
    pieces = [_turned(_window(one, size=part, zoom=zoom, rng=rng), rng) for one in chosen]
    if n == 1:
        return pieces[0]
    return Piece(
        _joined([p.data for p in pieces], n)[:, :size, :size],
        _joined([p.valid for p in pieces], n)[:size, :size],
        None if scenery.source.labels is None else _joined([p.labels for p in pieces], n)[:size, :size],
    )


def _joined(parts: Sequence[Any], n: int) -> NDArray[Any]:
    rows = [np.concatenate(parts[i * n : (i + 1) * n], axis=-1) for i in range(n)]
    return np.ascontiguousarray(np.concatenate(rows, axis=-2))


def _window(scenery: Scenery, *, size: int, zoom: float, rng: np.random.Generator) -> Piece:
    """A window at a random place, brought to `size` px; a smaller image is enlarged a little more."""
    data, valid, labels = read_whole(scenery)
    height, width = valid.shape
    side = min(round(size * zoom), height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    place = (slice(top, top + side), slice(left, left + side))
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    bands = [_resized(band[place], size, method) for band in data]
    return Piece(
        np.stack(bands),
        _resized(valid[place].astype(np.uint8), size, cv2.INTER_NEAREST).astype(np.bool_),
        None if labels is None else _resized(labels[place], size, cv2.INTER_NEAREST),
    )


def _resized(plane: NDArray[Any], size: int, method: int) -> NDArray[Any]:
    if plane.shape == (size, size):
        return plane.copy()
    return np.asarray(cv2.resize(np.ascontiguousarray(plane), (size, size), interpolation=method))


def _turned(piece: Piece, rng: np.random.Generator) -> Piece:
    k, flip = int(rng.integers(4)), bool(rng.random() < 0.5)

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        turned = np.rot90(array, k, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if flip else turned)

    return Piece(turn(piece.data), turn(piece.valid), None if piece.labels is None else turn(piece.labels))


def _shape(scenery: Scenery) -> tuple[int, int]:
    height, width = read_whole(scenery)[1].shape
    return height, width


def read_whole(
    scenery: Scenery,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8] | None]:
    """Reflectance (band, row, col), valid (row, col) and labels (row, col) or None of all of an image.

    A pixel is valid where the file says so and not all of its bands are 0.

    Raises:
        DatasetError: The image or its labels cannot be read, or it has fewer bands than are named.
    """
    spec = scenery.spec
    order = tuple(spec.bands.index(name) + 1 for name in BANDS if name in spec.bands)
    stored, valid = _stored(scenery.source.path, order)
    data = stored.astype(np.float32) * np.float32(spec.scale) + np.float32(spec.offset)
    folder = scenery.source.labels
    return data, valid, None if folder is None else _labels(label_path(scenery.source.path, folder), valid.shape)


@lru_cache(maxsize=KEPT)
def _labels(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.shape != shape or labels.dtype != np.uint8:
        found = "no picture" if labels is None else f"{labels.dtype} of {labels.shape}"
        raise DatasetError(f"{path} is {found}; labels are one band of 8 bits, {shape}.", hint="Make it again.")
    return np.asarray(labels, np.uint8)


@lru_cache(maxsize=KEPT)
def _stored(path: Path, order: tuple[int, ...]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    try:
        with open_dataset(path) as dataset:
            if dataset.count < max(order):
                raise DatasetError(f"{path} has {dataset.count} bands; the recipe names more.", hint="See bands.")
            with reading():
                stored, mask = dataset.read(order), dataset.dataset_mask()
    except GDAL_ERRORS as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}.", hint="Mend it, or exclude it.") from error
    except DatasetError:
        raise
    except ClearsceneError as error:
        raise DatasetError(error.message, hint=error.hint or "Mend it, or exclude it.") from error
    return stored, (mask > 0) & stored.any(axis=0)
