"""The wide look: a scene seen once more by pixels several times as long, for veils that spread wider than a tile.

::

    scene    |-- tile --|-- tile --|-- tile --|-- tile --|      near: edges, small clouds
    reduced  |---------------- one tile -----------------|      wide: what a veil covers, and what lies beside it

Both run in step, row by row, so that memory stays that of a few rows of tiles. Each sees its own tiles normalized by
themselves: a tile that is all veil looks like clear bright ground, and beside ground it does not.
"""

import math
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.blend import BandBlender
from clearscene.grid import slices
from clearscene.masking.classes import CLEAR, SHADOW, THICK, THIN
from clearscene.masking.combine import Wide
from clearscene.masking.masker import SMALLEST, Planes, select_bands
from clearscene.masking.source import Source, coarser
from clearscene.raster.sensors.product import Kind
from clearscene.stream import Answer, BandStream, StreamPlan
from clearscene.tiling import Tile, TileGrid, TileSpec

__all__ = ["LEAST", "ONLY_CLEAR", "WATER", "WideLook", "joined", "without_water"]

ONLY_CLEAR = (1.0, 0.0, 0.0, 0.0)
"""Probabilities of what nobody looked at."""
LEAST = 0.6
"""Probability of cloud from which on the wide look counts (`benchmarks/mask_wide.py`)."""
WATER = 0.1
"""Normalized difference of green and near infrared above which the wide look sees open water; a cloud has about 0."""

Span = tuple[int, int]


def joined(near: NDArray[np.float32], far: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (class, row, col) of `IDS` of both looks, (class, row, col).

    Where the near look finds no cloud, and the wide one gives cloud, thick and thin together, `LEAST` or more and more
    than the near one does, its probabilities of cloud count, and the others share what is left as they did.
    Laws: the sum stays 1; cloud is never less probable than for the near look; shadow never more; a pixel that the near
    look calls thick or thin cloud stays as it is.
    """
    cloud, veil = near[THICK] + near[THIN], far[THICK] + far[THIN]
    is_clear = np.maximum(near[THICK], near[THIN]) <= np.maximum(near[CLEAR], near[SHADOW])
    wins = is_clear & (veil >= LEAST) & (veil > cloud)
    if not wins.any():
        return near
    result = near.copy()
    left = ((1 - veil[wins]) / np.maximum(1 - cloud[wins], SMALLEST)).clip(0, 1)  # sums may exceed 1 by rounding
    for number in (CLEAR, SHADOW):
        result[number][wins] *= left
    for number in (THICK, THIN):
        result[number][wins] = far[number][wins]
    return result


def without_water(
    probabilities: NDArray[np.float32], planes: Planes, valid: NDArray[np.bool_], *, kind: Kind
) -> NDArray[np.float32]:
    """Probabilities (class, row, col) of `IDS` with no cloud where reflectance tells open water, (class, row, col).

    By pixels of 40 m a sea is as smooth and, normalized by itself, as pale as a veil. Its normalized difference of
    green and near infrared tells it (S. K. McFeeters, 1996): over land a veil is about as bright in both. Over water
    one that hides less than about a third of it is held back too. Without one of the two bands, or where values are
    for display, nothing changes.
    """
    if kind == "display" or not {"green", "nir"} <= planes.keys():
        return probabilities
    green, nir = planes["green"], planes["nir"]
    is_water = valid & (green - nir > np.float32(WATER) * np.maximum(green + nir, 0))
    if not is_water.any():
        return probabilities
    result = probabilities.copy()
    result[CLEAR] += np.where(is_water, result[THICK] + result[THIN], 0)
    for number in (THICK, THIN):
        result[number][is_water] = 0
    return result


class WideLook:
    """Probabilities of the reduced scene at the pixels of the scene. Use it in a `with` block.

    Windows are asked for strip by strip, as `tiles.strips(plan.strip_width)` cuts the scene, and from top to bottom.
    Law: neither the strips nor the windows change a value.
    """

    def __init__(self, source: Source, masker: Wide, tiles: TileGrid, plan: StreamPlan) -> None:
        self._masker, self._factor = masker.far, masker.factor
        self._plan = replace(plan, workers=1, ahead=2)  # a sixteenth as many tiles; `plan_for` reckons with this
        self._strips = iter(tiles.strips(plan.strip_width))
        self._waiting = math.ceil(tiles.tile_height / self._factor) + 3
        self._given, self._source = source, source
        self._stop = 0
        self._stack, self._strip = ExitStack(), ExitStack()

    def __enter__(self) -> Self:
        self._source = self._stack.enter_context(coarser(self._given, self._factor))
        traits, grid = self._masker.traits, self._source.grid
        self._bands = select_bands(traits, self._source.bands, self._source.path)
        self._grid = TileGrid(grid.height, grid.width, TileSpec(traits.tile_size, traits.overlap))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._strip.close()
        self._stack.close()

    def probabilities(self, window: Window) -> NDArray[np.float32]:
        """(class, row, col) of `IDS` in a window of the scene, between centers of the reduced pixels on lines."""
        rows, cols = slices(window)
        if cols.start >= self._stop:
            self._next_strip()
        rows_at, cols_at = (
            _between(span, self._factor, size) for span, size in ((rows, self._grid.height), (cols, self._grid.width))
        )
        self._blender.drop(rows_at[0][0])
        self._stream.advance(rows_at[0][1])
        coarse, _ = self._blender.read(rows_at[0], cols_at[0])
        return _on_lines(_on_lines(coarse, *rows_at[1:], axis=1), *cols_at[1:], axis=2)

    def _next_strip(self) -> None:
        """Begin at the top of the next strip."""
        self._strip.close()
        start, self._stop = next(self._strips)
        first, last = _between(slice(start, self._stop), self._factor, self._grid.width)[0]
        self._blender = BandBlender(self._grid, ONLY_CLEAR, start=first, stop=last, extra_rows=self._waiting)
        self._stream = self._strip.enter_context(BandStream(self._blender, self._infer, self._plan))

    def _infer(self, tile: Tile) -> Answer | None:
        pixels = self._source.read(tile.window, bands=self._bands)
        if not pixels.valid.any():
            return None
        planes = dict(zip(self._bands, np.asarray(pixels.data, np.float32), strict=True))
        kind = self._source.kind
        found = self._masker.probabilities(planes, pixels.valid, kind=kind)
        return Answer(without_water(found, planes, pixels.valid, kind=kind), pixels.valid)


def _between(span: slice, factor: int, size: int) -> tuple[Span, NDArray[np.intp], NDArray[np.float32]]:
    """Reduced pixels (start, stop) around the pixels of a span; of each pixel the first of its two, the other's share.

    Beyond the outer centers the outer pixels go on.
    """
    place = ((np.arange(span.start, span.stop) + 0.5) / factor - 0.5).clip(0, size - 1)
    first = np.floor(place).astype(np.intp).clip(0, max(0, size - 2))
    low, high = int(first[0]), min(size, int(first[-1]) + 2)
    return (low, high), first - low, (place - first).astype(np.float32)


def _on_lines(
    values: NDArray[np.float32], first: NDArray[np.intp], share: NDArray[np.float32], *, axis: int
) -> NDArray[np.float32]:
    """Values (class, row, col) between each first one along an axis and the next."""
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = share.reshape(shape)
    following = np.minimum(first + 1, values.shape[axis] - 1)
    near, far = (np.take(values, index, axis=axis) for index in (first, following))
    return np.asarray(near + (far - near) * weight, np.float32)
