"""Blend overlapping tiles with a taper, in memory of about one row of tiles.

Tiles of a band are added in any order; rows that no further tile touches are read and dropped::

    rows of the grid     buffer
    0  ..............
    |  read, dropped
    top ------------     first row held
    |  finished          read(...) gives these
    |  ------------      where the next band of tiles begins
    |  still growing
    top + capacity
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.tiling import Tile, TileGrid

__all__ = ["BandBlender", "join_intervals", "ramp", "taper"]


def ramp(length: int, overlap: int) -> NDArray[np.float32]:
    """Weights along one axis of a tile: rising over `overlap` pixels, 1, falling, float32 (length,).

    Laws: symmetric; at least `1 / (overlap + 1)`, so no weight vanishes; the ramps of two tiles
    that share `overlap` pixels add up to 1 there.
    """
    position = np.arange(1, length + 1)
    steps = np.minimum(np.minimum(position, position[::-1]), overlap + 1)
    return np.asarray(steps / (overlap + 1), np.float32)


def taper(height: int, width: int, overlap: int) -> NDArray[np.float32]:
    """Weights of a tile (row, col): the product of the ramps of both axes.

    Weights are relative: what is blended is divided by their sum. So the ramp needs no exception at
    the border of the scene, where one tile alone keeps its value whatever its weight.
    """
    return np.outer(ramp(height, overlap), ramp(width, overlap))


class BandBlender:
    """Weighted mean of overlapping tiles over the grid columns `start` to before `stop`.

    Laws: with a model that returns its input, the blended grid is that input (up to 1e-5, relative);
    a pixel covered by one tile keeps that tile's value; the order of the tiles in a band is
    irrelevant (up to rounding in the last place).

    Tiles that were never added (screened clear) do not count: a pixel that both a segmented and a
    skipped tile cover gets the value of the segmented one, undiminished, and only a pixel that no
    added tile covers gets `fill`. Counting a skipped tile as certain background instead would fade a
    cloud out over the overlap and cut it half-way, on the word of a screen that saw less of it.

    Memory: `capacity * (stop - start) * 4 * (n_classes + 1)` bytes, `capacity` being the height of a
    tile plus `extra_rows`, the rows that the reader may leave undropped while the next band is added.
    """

    def __init__(
        self,
        grid: TileGrid,
        fill: Sequence[float],
        *,
        start: int = 0,
        stop: int | None = None,
        extra_rows: int = 0,
    ) -> None:
        """`fill` has one value a class; the other arguments as above."""
        self.grid = grid
        self.start, self.stop = start, grid.width if stop is None else stop
        self.top = 0
        self._fill = np.asarray(fill, np.float32)
        self._taper = taper(grid.tile_height, grid.tile_width, grid.spec.grid_overlap)
        shape = (min(grid.tile_height + extra_rows, grid.height), self.stop - self.start)
        self._sums = np.zeros((len(self._fill), *shape), np.float32)
        self._weights = np.zeros(shape, np.float32)
        self._touched: list[tuple[int, int, int, int]] = []

    @property
    def capacity(self) -> int:
        """Rows that the buffer holds."""
        return self._weights.shape[0]

    def add(self, tile: Tile, values: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> None:
        """Add the values (class, row, col) of a tile; pixels that are not `valid` (row, col) do not count."""
        rows = slice(tile.row - self.top, tile.row - self.top + tile.height)
        assert rows.start >= 0, "the rows of this tile were dropped already"
        assert rows.stop <= self.capacity, "finished rows were not dropped"
        left, right = max(tile.col, self.start), min(tile.col + tile.width, self.stop)
        inside = slice(left - tile.col, right - tile.col)
        cols = slice(left - self.start, right - self.start)
        weight, counts = self._taper[:, inside], None
        if valid is not None and not valid[:, inside].all():
            counts = valid[:, inside]
            weight = weight * counts
        for total, value in zip(self._sums[:, rows, cols], values[:, :, inside], strict=True):
            part = value if counts is None else np.where(counts, value, 0)  # values there may be NaN
            total += np.asarray(part, np.float32) * weight  # plane by plane, which fits into the cache of a core
        self._weights[rows, cols] += weight
        self._touched.append((tile.row, tile.row + tile.height, left, right))

    def touched(self, row: int, stop: int) -> list[tuple[int, int]]:
        """Column intervals, joined and ascending, outside of which no tile touches rows `row` to `stop`."""
        spans = sorted((left, right) for top, bottom, left, right in self._touched if top < stop and bottom > row)
        return join_intervals(spans)

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Blended values (class, row, col) and the pixels that any tile covered (row, col).

        `rows` and `cols` are (start, stop) in grid pixels; the rows must be finished and not dropped.
        """
        r = slice(rows[0] - self.top, rows[1] - self.top)
        c = slice(cols[0] - self.start, cols[1] - self.start)
        weights = self._weights[r, c]
        covered = weights > 0
        values = np.divide(self._sums[:, r, c], np.where(covered, weights, 1), dtype=np.float32)
        if not covered.all():
            values[:, ~covered] = self._fill[:, None]
        return values, covered

    def drop(self, row: int) -> None:
        """Forget the rows above `row`, making room for the next band."""
        gone = row - self.top
        if gone <= 0:
            return
        kept = max(self.capacity - gone, 0)
        for plane in (*self._sums, self._weights):  # plane by plane: the copy that numpy makes stays small
            plane[:kept] = plane[self.capacity - kept :]
            plane[kept:] = 0
        self.top = row
        self._touched = [span for span in self._touched if span[1] > row]


def join_intervals(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join overlapping or touching (start, stop) intervals, given in ascending order."""
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
