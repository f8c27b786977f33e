"""Small pictures of the images, their shares and the result, added up while the windows pass by."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.engine import Piece
from clearscene.fusion.methods.method import Floats
from clearscene.grid import Grid, slices
from clearscene.raster.stretch import Stretch

__all__ = ["Preview"]

LONGEST = 320
"""Pixels of the longer side of a picture."""
GROUND = np.array([236, 239, 242], np.uint8)
"""Color of what has no data."""


class Preview:
    """Means over squares of whole pixels. Law: it does not depend on how the scene was cut into windows.

    Memory: `(5 + 4 * images) * 320 * 320 * 8` bytes at most.
    """

    def __init__(self, grid: Grid, n_images: int, *, display: Sequence[int], stretch: Stretch) -> None:
        """`display` are places of the bands to show, three or one."""
        self._factor = math.ceil(max(grid.height, grid.width) / LONGEST)
        self._display, self._stretch = list(display), stretch
        shape = math.ceil(grid.height / self._factor), math.ceil(grid.width / self._factor)
        self._images = np.zeros((n_images, len(self._display), *shape))
        self._seen = np.zeros((n_images, *shape))
        self._shares = np.zeros((n_images, *shape))
        self._result = np.zeros((len(self._display), *shape))
        self._has_data = np.zeros(shape)

    def add(self, piece: Piece) -> None:
        """Take in a window."""
        has_data = piece.source > 0
        self._add(self._result, np.where(has_data, piece.composite[self._display], 0), piece)
        self._add(self._has_data, has_data, piece)
        self._add(self._shares, piece.share, piece)
        self._add(self._images, piece.shown[:, self._display], piece)
        self._add(self._seen, piece.valid, piece)

    def image(self, place: int) -> NDArray[np.uint8]:
        """An image (row, col, 3), in the tone in which it took part."""
        return self._picture(self._images[place], self._seen[place])

    def result(self) -> NDArray[np.uint8]:
        """The fused image (row, col, 3)."""
        return self._picture(self._result, self._has_data)

    def share(self, place: int) -> NDArray[np.uint8]:
        """The share of an image (row, col, 3), white 0 to dark blue 1."""
        part = self._shares[place] / np.maximum(self._has_data, 1e-9)
        level = np.clip(part, 0, 1)[..., np.newaxis]
        colors = (1 - level) * np.array([247, 251, 255]) + level * np.array([8, 48, 107])
        return np.where(self._has_data[..., np.newaxis] > 0, np.rint(colors), GROUND).astype(np.uint8)

    def _picture(self, sums: Floats, counts: Floats) -> NDArray[np.uint8]:
        means = sums / np.maximum(counts, 1)
        shown = self._stretch.apply(means.astype(np.float32))
        color = np.moveaxis(shown if len(shown) == 3 else np.repeat(shown, 3, axis=0), 0, -1)
        return np.where(counts[..., np.newaxis] > 0, color, GROUND)

    def _add(self, target: NDArray[np.float64], values: NDArray[np.generic], piece: Piece) -> None:
        """Add the sums over squares, which lie where they lie in the scene, not in the window."""
        rows, cols = slices(piece.window)
        row_starts, row_places = _squares(rows, self._factor)
        col_starts, col_places = _squares(cols, self._factor)
        sums = np.add.reduceat(values.astype(np.float64), row_starts, axis=-2)
        sums = np.add.reduceat(sums, col_starts, axis=-1)
        target[..., row_places, col_places] += sums


def _squares(span: slice, factor: int) -> tuple[NDArray[np.intp], slice]:
    """Where squares begin within a span of pixels, and which squares they are."""
    first, last = span.start // factor, (span.stop - 1) // factor
    starts = np.arange(first, last + 1) * factor - span.start
    return np.maximum(starts, 0), slice(first, last + 1)
