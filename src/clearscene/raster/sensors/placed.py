"""A file whose pixels are read onto the grid of a scene, from the reduced level that fits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import Grid, slices
from clearscene.raster.pixels import Pixels, differs
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.sensors.blocks import BlockCache, read_by_blocks
from clearscene.raster.sensors.placing import TOLERANCE, axes_in
from clearscene.raster.sensors.resampling import Axis, Taps, average, footprint_taps, line_taps

__all__ = ["PlacedFile", "open_placed"]

WAVELET_DRIVERS = {"JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "JPEG2000"}
"""Drivers whose reduced levels are wavelet approximations, not means."""

WAVELET_REACH = 2
"""Pixels of a reduced level that nodata beside them has changed: the low-pass filters have 5 and 9 taps."""

ROWS_AT_ONCE = 512
"""Rows of the file that are resampled at once: below a large pixel lie many."""

LARGEST_BLOCK = 2048 * 2048
"""Pixels of a block that is worth keeping whole; a file without blocks is read by windows."""


@dataclass(frozen=True, eq=False)
class PlacedFile:
    """An open file, or one of its reduced levels, and where the pixels of a grid lie in it."""

    scene: Scene
    rows: Axis
    cols: Axis
    is_wavelet: bool = False
    """True of a reduced level in which pixels beside nodata are mixed with it."""
    cache: BlockCache | None = None
    """Where decoded blocks are kept, of a format that is slow to decode."""

    def read(self, window: Window, bands: Sequence[str | int], nodata: float | None) -> Pixels:
        """Stored values on a window of the grid as float32 (band, row, col); see `average`.

        A pixel of the file is not valid where the file says so or all of `bands` hold `nodata`.
        """
        rows, cols = slices(window)
        if self._is_direct(rows, cols):
            pixels = self._stored(
                self._moved(rows, self.rows), self._moved(cols, self.cols), bands=bands, nodata=nodata
            )
            return Pixels(pixels.data.astype(np.float32), pixels.valid)
        step = max(1, int(ROWS_AT_ONCE / self.rows.factor))
        parts = [
            self._resampled(slice(row, min(row + step, rows.stop)), cols, bands=bands, nodata=nodata)
            for row in range(rows.start, rows.stop, step)
        ]
        if len(parts) == 1:
            return parts[0]
        return Pixels(np.concatenate([p.data for p in parts], axis=1), np.concatenate([p.valid for p in parts]))

    def _resampled(self, rows: slice, cols: slice, *, bands: Sequence[str | int], nodata: float | None) -> Pixels:
        """Some rows of a window that is not made of the file's own pixels."""
        row_taps, col_taps = _taps(self.rows, rows), _taps(self.cols, cols)
        needed = slice(row_taps.first, row_taps.stop), slice(col_taps.first, col_taps.stop)
        pixels = self._stored(*needed, bands=bands, nodata=nodata)
        return Pixels(*average(pixels.data, pixels.valid, row_taps, col_taps))

    def read_codes(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_], Taps, Taps]:
        """The first band (row, col) under a window as stored, its valid pixels, and the grid's footprints in them."""
        rows, cols = slices(window)
        row_taps = footprint_taps(self.rows, rows.start, rows.stop)
        col_taps = footprint_taps(self.cols, cols.start, cols.stop)
        pixels = self.scene.read(
            Window(col_taps.first, row_taps.first, col_taps.stop - col_taps.first, row_taps.stop - row_taps.first)
        )
        return pixels.data[0], pixels.valid, row_taps, col_taps

    def _stored(self, rows: slice, cols: slice, *, bands: Sequence[str | int], nodata: float | None) -> Pixels:
        """Pixels of the file as stored; beside nodata those that a wavelet has mixed are not valid."""
        reach = WAVELET_REACH if self.is_wavelet else 0
        height, width = self.scene.grid.height, self.scene.grid.width
        top, left = max(0, rows.start - reach), max(0, cols.start - reach)
        bottom, right = min(height, rows.stop + reach), min(width, cols.stop + reach)
        pixels = self._read(Window(left, top, right - left, bottom - top), bands)
        valid = pixels.valid
        if nodata is not None:
            valid = valid & differs(pixels.data, nodata).any(axis=0)
        if not reach:
            return Pixels(pixels.data, valid)
        if not valid.all():
            box = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
            valid = cv2.erode(valid.astype(np.uint8), box, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
        inner = slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)
        return Pixels(pixels.data[:, inner[0], inner[1]], valid[inner])

    def _read(self, window: Window, bands: Sequence[str | int]) -> Pixels:
        """Pixels as the file has them, through the cache if there is one."""
        if self.cache is None:
            return self.scene.read(window, bands=bands)
        cache, shape = self.cache, (self.scene.grid.height, self.scene.grid.width)

        def get(block: Window) -> Pixels:
            return cache.get((id(self), *bands, block.row_off, block.col_off), lambda: self._decoded(block, bands))

        return read_by_blocks(window, self.scene.block_shape, shape, get)

    def _decoded(self, block: Window, bands: Sequence[str | int]) -> Pixels:
        """One block to keep; a valid that is True everywhere takes no memory."""
        pixels = self.scene.read(block, bands=bands)
        valid = np.broadcast_to(np.True_, pixels.valid.shape) if pixels.valid.all() else pixels.valid
        return Pixels(pixels.data, valid)

    def _is_direct(self, rows: slice, cols: slice) -> bool:
        """True if the pixels asked for are pixels of the file."""
        return all(
            axis.is_plain and span.start + axis.start >= 0 and span.stop + axis.start <= axis.size
            for axis, span in ((self.rows, rows), (self.cols, cols))
        )

    @staticmethod
    def _moved(span: slice, axis: Axis) -> slice:
        return slice(span.start + int(axis.start), span.stop + int(axis.start))


def open_placed(
    path: str, grid: Grid, *, given: Mapping[str, int] | None, cache: BlockCache, reduced: bool = True
) -> PlacedFile:
    """Open a file for reading onto a grid; `reduced` allows overviews and reduced levels.

    `cache` is used if the format is slow to decode.

    Raises:
        SceneError: It cannot be opened, or does not cover the grid.
    """
    source = path if "://" in path or path.startswith("/vsi") else Path(path)
    scene = open_scene(source, given)
    try:
        rows, cols = axes_in(scene.grid, grid, path)
        is_slow = scene.driver in WAVELET_DRIVERS and math.prod(scene.block_shape) <= LARGEST_BLOCK
        kept = cache if is_slow else None
        fitting = [n for n, d in enumerate(scene.overviews) if d <= min(rows.factor, cols.factor) + TOLERANCE]
        if not fitting or not reduced:
            return PlacedFile(scene, rows, cols, cache=kept)
    except BaseException:
        scene.close()
        raise
    level = max(fitting, key=lambda n: scene.overviews[n])
    scene.close()
    # A level has lost the descriptions of its bands: they are what the whole file says they are.
    return _at_level(open_scene(source, scene.bands, level=level), scene, rows=rows, cols=cols, cache=kept)


def _at_level(small: Scene, whole: Scene, *, rows: Axis, cols: Axis, cache: BlockCache | None) -> PlacedFile:
    """Place a reduced level.

    Sample i of a wavelet level that halves k times lies on pixel i * 2^k of the file, not in the
    middle of 2^k pixels, as GDAL has it: its footprint begins half a step earlier, less half a pixel.
    """
    if small.driver not in WAVELET_DRIVERS:
        row_step = whole.grid.height / small.grid.height
        col_step = whole.grid.width / small.grid.width
        return PlacedFile(
            small, _reduced(rows, row_step, 0.0, small.grid.height), _reduced(cols, col_step, 0.0, small.grid.width)
        )
    step = float(2 ** round(np.log2(whole.grid.width / small.grid.width)))
    begin = (1.0 - step) / 2
    return PlacedFile(
        small,
        _reduced(rows, step, begin, small.grid.height),
        _reduced(cols, step, begin, small.grid.width),
        True,
        cache,
    )


def _reduced(axis: Axis, step: float, begin: float, size: int) -> Axis:
    return Axis(axis.factor / step, (axis.start - begin) / step, size)


def _taps(axis: Axis, span: slice) -> Taps:
    return (footprint_taps if axis.factor >= 1 else line_taps)(axis, span.start, span.stop)
