"""Files warped onto a grid by GDAL, block by block, through virtual rasters."""

import math
from collections.abc import Callable, Sequence
from threading import Lock, local
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.grid import Grid, slices
from clearscene.raster.gdal import GDAL_ERRORS, no_place_needed, reading, reason_of
from clearscene.raster.pixels import Pixels

__all__ = ["COARSEST", "Warped"]

WARP_ERROR_PX = 0.02
"""By how much GDAL may misplace a pixel for speed; its default of 0.125 would show in a fusion."""
COARSEST = 8
"""Pixels of the file along one of the grid, up to which GDAL warps at once: it holds all that lies under 512 x 128."""
STRIP_PIXELS = 2**21
"""Of the finer grid that are reduced at a time, but a row of the grid at least."""
PLANE = CRS.from_epsg(3857)
"""Stands for the CRS of images that have none and lie in one plane: GDAL warps only between CRS."""


class Warped:
    """A file warped onto a grid; any thread may read, each through a virtual raster of its own.

    Memory: GDAL's block cache. The blocks are those of the virtual raster, whatever window is asked for. Where a pixel
    of the grid covers many of the file, a finer grid is warped strip by strip, and a pixel is the mean of its valid
    parts.
    """

    def __init__(
        self,
        opener: Callable[[], DatasetReader],
        source: Grid,
        grid: Grid,
        *,
        resampling: Resampling,
        nodata: float | None,
        name: str,
    ) -> None:
        self._opener, self._source, self._name = opener, source, name
        self._parts = max(1, math.ceil(_pixels_along(source, grid) / COARSEST))
        """Rows and columns of the finer grid in a pixel; 1: there is none."""
        finer = grid.transform * Affine.scale(1 / self._parts)
        self._grid = Grid(grid.height * self._parts, grid.width * self._parts, finer, grid.crs)
        self._resampling, self._nodata = resampling, nodata
        self._lock, self._local = Lock(), local()
        self._open: list[Any] = []

    def read(self, window: Window, bands: Sequence[int]) -> Pixels:
        """Values (band, row, col) as stored and valid (row, col).

        Raises:
            SceneError: A part of the file cannot be read.
        """
        if self._parts == 1:
            return self._read(window, bands)
        rows, cols = slices(window)
        width = cols.stop - cols.start
        high = max(1, STRIP_PIXELS // (width * self._parts**2))
        strips = [
            self._reduced(Window(cols.start, top, width, min(high, rows.stop - top)), bands)
            for top in range(rows.start, rows.stop, high)
        ]
        return Pixels(
            np.concatenate([strip.data for strip in strips], axis=1),
            np.concatenate([strip.valid for strip in strips], axis=0),
        )

    def _reduced(self, window: Window, bands: Sequence[int]) -> Pixels:
        """A window of the grid from the finer one: means of what is valid; of classes the pixel in the middle."""
        n, (rows, cols) = self._parts, slices(window)
        height, width = rows.stop - rows.start, cols.stop - cols.start
        fine = self._read(Window(cols.start * n, rows.start * n, width * n, height * n), bands)
        if self._resampling == Resampling.nearest:
            middle = slice(n // 2, None, n)
            return Pixels(fine.data[:, middle, middle], fine.valid[middle, middle])
        kept = np.where(fine.valid, fine.data, 0).reshape(len(bands), height, n, width, n)
        share = fine.valid.reshape(height, n, width, n).sum(axis=(1, 3))
        means = kept.sum(axis=(2, 4), dtype=np.float64) / np.maximum(share, 1)
        rounded = means if fine.data.dtype.kind == "f" else np.rint(means)
        return Pixels(rounded.astype(fine.data.dtype), share > 0)

    def _read(self, window: Window, bands: Sequence[int]) -> Pixels:
        """The same of the finer grid."""
        try:
            with reading():
                vrt, alpha, nodata = self._virtual()
                if alpha is not None:
                    stored = vrt.read([*bands, alpha], window=window)
                    data, valid = stored[:-1], stored[-1] > 0
                else:
                    data = vrt.read([*bands], window=window)
                    valid = ~(np.isnan(data) if np.isnan(nodata) else data == nodata).all(axis=0)
        except GDAL_ERRORS as error:
            raise SceneError(
                f"{self._name} cannot be read: {reason_of(error)}.",
                hint="That part of the file is damaged or cut off: copy or download the file again.",
            ) from error
        if data.dtype.kind == "f":
            valid &= np.isfinite(data).all(axis=0)
            data = np.where(valid, data, 0)
        return Pixels(data, valid)

    def _virtual(self) -> tuple[WarpedVRT, int | None, float]:
        """The virtual raster of this thread, its alpha band, and its nodata value where it has no alpha."""
        made: tuple[WarpedVRT, int | None, float] | None = getattr(self._local, "made", None)
        if made is None:
            dataset = self._opener()
            made = self._make(dataset)
            with self._lock:
                self._open += [made[0], dataset]
            self._local.made = made
        return made

    def _make(self, dataset: DatasetReader) -> tuple[WarpedVRT, int | None, float]:
        flags = dataset.mask_flag_enums[0]
        nodata = dataset.nodata if self._nodata is None else self._nodata
        options: dict[str, Any] = {
            "src_crs": self._source.crs or PLANE,
            "src_transform": self._source.transform,
            "crs": self._grid.crs or PLANE,
            "transform": self._grid.transform,
            "height": self._grid.height,
            "width": self._grid.width,
            "resampling": self._resampling,
            "tolerance": WARP_ERROR_PX,
        }
        with no_place_needed():
            if MaskFlags.alpha in flags:
                alpha = dataset.colorinterp.index(ColorInterp.alpha) + 1
                return WarpedVRT(dataset, **options), alpha, 0.0
            if nodata is not None:
                vrt = WarpedVRT(dataset, src_nodata=nodata, nodata=nodata, UNIFIED_SRC_NODATA="YES", **options)
                return vrt, None, float(nodata)
            vrt = WarpedVRT(dataset, add_alpha=True, **options)
            return vrt, vrt.count, 0.0

    def close(self) -> None:
        """Close the virtual rasters and files of all threads."""
        with self._lock:
            for item in self._open:
                item.close()
            self._open = []


def _pixels_along(source: Grid, grid: Grid) -> float:
    """Pixels of a file along a side of one of the grid, about, in the middle of both."""
    areas = []
    for one in (source, grid):
        ground = one.pixel_area
        areas.append(
            abs(one.transform.determinant) if ground is None else float(ground.at(one.height / 2, one.width / 2))
        )
    return math.sqrt(areas[1] / areas[0]) if min(areas) > 0 else 1.0
