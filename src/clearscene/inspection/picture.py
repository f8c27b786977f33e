"""A reduced picture of a whole scene, gathered from windows while rules look at them: one read serves both."""

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.rules.break_lines import pooled, sharp_steps
from clearscene.runs import Runs

__all__ = ["ReducedPicture", "SharpPicture"]


class ReducedPicture:
    """What a scene looks like at a fraction of its size.

    Windows may come in any order and from any thread, as long as they do not overlap. Law: if each
    window begins at multiples of the factor, the picture does not depend on how the scene was cut.
    """

    def __init__(self, height: int, width: int, *, n_bands: int, factor: int) -> None:
        self.factor = factor
        self._scene = (height, width)
        shape = (-(-height // factor), -(-width // factor))
        self.display = np.zeros((n_bands, *shape), np.uint8)
        """(band, row, col): means of `factor` x `factor` px of the scene."""
        self.valid = np.zeros(shape, np.bool_)
        """(row, col): True where all pixels below are valid. What the last ones lack at the border is repeated."""

    def add(self, window: Window, display: NDArray[np.uint8], valid: NDArray[np.bool_]) -> None:
        """Take a window: display values (band, row, col) and valid (row, col) of its pixels."""
        factor, (height, width) = self.factor, valid.shape
        rest = (-height % factor, -width % factor)
        whole = np.pad(valid.astype(np.float32), ((0, rest[0]), (0, rest[1])), mode="edge")
        size = (whole.shape[1] // factor, whole.shape[0] // factor)
        top, left = round(window.row_off) // factor, round(window.col_off) // factor
        place = (slice(top, top + size[1]), slice(left, left + size[0]))
        self.valid[place] = cv2.resize(whole, size, interpolation=cv2.INTER_AREA) > 1 - 0.5 / factor**2
        for target, band in zip(self.display, display, strict=True):
            padded = np.pad(band, ((0, rest[0]), (0, rest[1])), mode="edge")
            target[place] = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)

    def on_scene(self, mask: NDArray[np.bool_], confidence: NDArray[np.float32]) -> Runs:
        """The pixels of the scene below those of a mask (row, col) of the picture, with their confidence."""
        return enlarged(mask, confidence, factor=self.factor, size=self._scene)


class SharpPicture:
    """How sharp the steps between pixels of a scene are, at a fraction of its size.

    Windows as for `ReducedPicture`, but each with a margin: what lies around it has a say.
    """

    def __init__(self, height: int, width: int, *, factor: int) -> None:
        self.factor = factor
        self._scene = (height, width)
        shape = (-(-height // factor), -(-width // factor))
        self.sharp = (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        """(row, col) each, `pooled`: of steps between rows, and of those between columns."""
        self.valid = np.zeros(shape, np.bool_)
        """(row, col): True where all pixels below are valid."""

    def add(
        self, window: Window, gray: NDArray[np.uint8], valid: NDArray[np.bool_], *, core: tuple[slice, slice]
    ) -> None:
        """Take a window: levels and valid (row, col) of its pixels and a margin, of which it is the `core`."""
        factor, inside = self.factor, valid[core]
        top, left = round(window.row_off) // factor, round(window.col_off) // factor
        rest = ((0, -inside.shape[0] % factor), (0, -inside.shape[1] % factor))
        padded = np.pad(inside, rest, mode="edge")
        height, width = padded.shape[0] // factor, padded.shape[1] // factor
        place = (slice(top, top + height), slice(left, left + width))
        self.valid[place] = padded.reshape(height, factor, width, factor).all(axis=(1, 3))
        for axis in (0, 1):
            sharp = np.pad(sharp_steps(gray, valid, axis=axis)[core], rest)
            self.sharp[axis][place] = pooled(sharp, factor, axis=axis)

    def on_scene(self, mask: NDArray[np.bool_], confidence: NDArray[np.float32]) -> Runs:
        """The pixels of the scene below those of a mask (row, col) of the picture, with their confidence."""
        return enlarged(mask, confidence, factor=self.factor, size=self._scene)


def enlarged(mask: NDArray[np.bool_], confidence: NDArray[np.float32], *, factor: int, size: tuple[int, int]) -> Runs:
    """The pixels of a scene of `size` below those of a mask (row, col) of a picture, with their confidence."""
    height, width = size
    small = Runs.from_mask(mask, confidence)
    rows = (small.rows[:, None] * factor + np.arange(factor, dtype=np.int32)).ravel()
    starts, stops = np.repeat(small.starts, factor), np.repeat(small.stops, factor)
    mean = np.repeat(small.weights / np.maximum(small.lengths, 1), factor)
    starts = (starts * factor).astype(np.int32)
    stops = np.minimum(stops * factor, width).astype(np.int32)
    order = np.lexsort((starts, rows))
    order = order[rows[order] < height]
    return Runs(rows[order].astype(np.int32), starts[order], stops[order], (mean * (stops - starts))[order])
