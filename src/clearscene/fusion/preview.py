"""Small pictures of the images, their shares and the result, added up while the windows pass by."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.engine import Piece
from clearscene.fusion.methods.method import Floats
from clearscene.fusion.outputs import chance_of
from clearscene.grid import Grid, slices
from clearscene.raster.stretch import Stretch

__all__ = ["Preview"]

A_SIDE = 3
"""Pixels of a large square that are looked at, a side, at least."""
TAILS = (0.5, 99.5)
HEADROOM = 1.3
"""From black to white beside that between the tails."""
LONGEST = 320
"""Pixels of the longer side of a picture."""
GROUND = np.array([236, 239, 242], np.uint8)
"""Color of what has no data."""


class Preview:
    """Means over squares of pixels, of large squares every few pixels. Law: how the scene was cut changes nothing.

    Memory: `(5 + 6 * images) * 320 * 320 * 8` bytes at most.
    """

    def __init__(
        self, grid: Grid, n_images: int, *, display: Sequence[int], stretch: Stretch, has_quality: bool = False
    ) -> None:
        """`display` are places of the bands to show, three or one."""
        factor = math.ceil(max(grid.height, grid.width) / LONGEST)
        self._step = max(1, factor // A_SIDE)
        self._across = math.ceil(factor / self._step)
        """Pixels of the scene from one that is looked at to the next, and how many of these a square has a side."""
        self._display, self._stretch = list(display), stretch
        side = self._step * self._across
        shape = math.ceil(grid.height / side), math.ceil(grid.width / side)
        self._images = np.zeros((n_images, len(self._display), *shape))
        self._seen = np.zeros((n_images, *shape))
        self._shares = np.zeros((n_images, *shape))
        self._qualities = np.zeros((n_images, *shape)) if has_quality else None
        self._result = np.zeros((len(self._display), *shape))
        self._has_data = np.zeros(shape)

    def add(self, piece: Piece) -> None:
        """Take in a window."""
        has_data = piece.source > 0
        self._add(self._result, np.where(has_data, piece.composite[self._display], 0), piece)
        self._add(self._has_data, has_data, piece)
        self._add(self._shares, piece.share, piece)
        if self._qualities is not None and piece.quality is not None:
            self._add(self._qualities, np.where(piece.valid, chance_of(piece.quality), 0), piece)
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
        return _as_blue(self._shares[place], self._has_data)

    def quality(self, place: int) -> NDArray[np.uint8] | None:
        """How likely an image is good (row, col, 3), in the colors of the share; None without a model that tells."""
        return None if self._qualities is None else _as_blue(self._qualities[place], self._seen[place])

    def _stretched(self, means: Floats) -> NDArray[np.uint8]:
        """For people: reflectance by the tails of the result, so that ground fills the range and clouds are white.

        That of land is 0.03 to 0.2, which is nearly black where 0.36 is white. All else is stretched as it was given.
        """
        seen = self._has_data > 0
        if self._stretch.method != "reflectance" or not seen.any():
            return self._stretch.apply(means.astype(np.float32))
        low, high = map(float, np.percentile(self._result[:, seen] / self._has_data[seen], TAILS))
        white = low + HEADROOM * max(high - low, 1e-6)
        return Stretch("percentiles", low, white, "float32").apply(means.astype(np.float32))

    def _picture(self, sums: Floats, counts: Floats) -> NDArray[np.uint8]:
        shown = self._stretched(sums / np.maximum(counts, 1))
        color = np.moveaxis(shown if len(shown) == 3 else np.repeat(shown, 3, axis=0), 0, -1)
        return np.where(counts[..., np.newaxis] > 0, color, GROUND)

    def _add(self, target: NDArray[np.float64], values: NDArray[np.generic], piece: Piece) -> None:
        """Add the sums over squares, which lie where they lie in the scene, not in the window."""
        rows, cols = (self._looked_at(span) for span in slices(piece.window))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        here = [
            slice(span.start * self._step - whole.start, None, self._step)
            for span, whole in zip((rows, cols), slices(piece.window), strict=True)
        ]
        row_starts, row_places = _squares(rows, self._across)
        col_starts, col_places = _squares(cols, self._across)
        sums = np.add.reduceat(values[..., here[0], here[1]].astype(np.float64), row_starts, axis=-2)
        sums = np.add.reduceat(sums, col_starts, axis=-1)
        target[..., row_places, col_places] += sums

    def _looked_at(self, span: slice) -> slice:
        """The numbers of the pixels of a span that are looked at."""
        return slice(-(-span.start // self._step), -(-span.stop // self._step))


def _as_blue(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Means of parts of 1 as colors (row, col, 3)."""
    level = np.clip(sums / np.maximum(counts, 1e-9), 0, 1)[..., np.newaxis]
    colors = (1 - level) * np.array([247, 251, 255]) + level * np.array([8, 48, 107])
    return np.where(counts[..., np.newaxis] > 0, np.rint(colors), GROUND).astype(np.uint8)


def _squares(span: slice, factor: int) -> tuple[NDArray[np.intp], slice]:
    """Where squares begin within a span of pixels that are looked at, and which squares they are."""
    first, last = span.start // factor, (span.stop - 1) // factor
    starts = np.arange(first, last + 1) * factor - span.start
    return np.maximum(starts, 0), slice(first, last + 1)
