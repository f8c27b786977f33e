"""The pixel grid of a scene: size, transform, CRS, windows and the ground area of a pixel."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.windows import Window

from clearscene.errors import GridError

__all__ = ["IMAGE_TRANSFORM", "Grid", "PixelArea", "expand", "slices", "windows"]

IMAGE_TRANSFORM = Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Transform of a scene without georeference: x = col, y = -row, as QGIS lays such rasters."""

AREA_LATTICE = 33
"""Points a side at which the area of a pixel is computed; between them it is interpolated."""


@dataclass(frozen=True)
class Grid:
    """Height, width, transform and CRS of a raster.

    `transform` maps (col, row), counted from the upper left corner of the upper left pixel,
    to map coordinates; it may hold rotation terms. `crs` is None where the scene has none.
    """

    height: int
    width: int
    transform: Affine = IMAGE_TRANSFORM
    crs: CRS | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise GridError(f"A grid of {self.width} x {self.height} px has no pixels.")
        if self.transform.determinant == 0:
            raise GridError(f"The transform {tuple(self.transform)[:6]} maps the scene onto a line.")

    @property
    def n_pixels(self) -> int:
        """Number of pixels, rows times columns."""
        return self.height * self.width

    @property
    def window(self) -> Window:
        """The window of the whole grid."""
        return Window(0, 0, self.width, self.height)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in CRS units; the box around the corners if the grid is rotated."""
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        xs, ys = zip(*(self.transform * corner for corner in corners), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def resolution(self) -> tuple[float, float]:
        """Length of a pixel along a row and along a column, in CRS units."""
        a, b, _, d, e, _ = tuple(self.transform)[:6]
        return math.hypot(a, d), math.hypot(b, e)

    @property
    def is_georeferenced(self) -> bool:
        """True if map coordinates mean a place on Earth."""
        return self.crs is not None

    @cached_property
    def pixel_area(self) -> "PixelArea | None":
        """Ground area of the pixels, or None without a CRS."""
        return PixelArea.of(self) if self.is_georeferenced else None

    def coarser(self, factor: int) -> "Grid":
        """The grid of pixels `factor` times as long, from the same corner; the last may reach past this grid."""
        height, width = math.ceil(self.height / factor), math.ceil(self.width / factor)
        return Grid(height, width, self.transform * Affine.scale(factor), self.crs)

    def subgrid(self, window: Window) -> "Grid":
        """The grid of a window: pixel (0, 0) of the result is the window's upper left pixel."""
        rows, cols = slices(window)
        shifted = self.transform * Affine.translation(cols.start, rows.start)
        return Grid(rows.stop - rows.start, cols.stop - cols.start, shifted, self.crs)


class PixelArea:
    """Area of a pixel on the WGS 84 ellipsoid, in square meters, anywhere in a grid.

    Law: the sum over all pixels of a grid is the geodesic area of its outline (checked against
    pyproj). It holds in every CRS that pyproj can bring to longitude and latitude, Web Mercator
    and rotated grids included, because the area is measured on the ellipsoid, not in CRS units.
    The area varies slowly, so it is computed on a lattice of points and interpolated between them.
    """

    def __init__(self, row_knots: NDArray[np.float64], col_knots: NDArray[np.float64], areas: NDArray[np.float64]):
        self._row_knots, self._col_knots, self._areas = row_knots, col_knots, areas

    @classmethod
    def of(cls, grid: Grid) -> "PixelArea":
        """Measure the pixels of a grid that has a CRS.

        Raises:
            GridError: The CRS cannot be brought to longitude and latitude.
        """
        row_knots = np.linspace(0.0, grid.height, AREA_LATTICE)
        col_knots = np.linspace(0.0, grid.width, AREA_LATTICE)
        try:
            to_lonlat = Transformer.from_crs(grid.crs, 4326, always_xy=True)
        except Exception as error:
            raise GridError(
                f"The CRS {grid.crs} cannot be brought to longitude and latitude: {error}",
                hint="Assign a CRS that PROJ knows, for example with gdal_edit.py -a_srs.",
            ) from error
        areas = np.empty((AREA_LATTICE, AREA_LATTICE))
        geod = Geod(ellps="WGS84")
        step = max(1.0, min(grid.height, grid.width) / 64)  # cells of some pixels: a lone pixel drowns in rounding
        for i, row in enumerate(row_knots):
            for j, col in enumerate(col_knots):
                areas[i, j] = _cell_area(grid.transform, row, col, step, to_lonlat, geod)
        return cls(row_knots, col_knots, np.where(np.isfinite(areas), areas, 0.0))

    def at(self, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
        """Area in square meters of the pixels at fractional (row, col), any shape."""
        rows, cols = np.broadcast_arrays(np.asarray(rows, float), np.asarray(cols, float))
        i, u = _locate(self._row_knots, rows)
        j, v = _locate(self._col_knots, cols)
        a = self._areas
        top = a[i, j] * (1 - v) + a[i, j + 1] * v
        bottom = a[i + 1, j] * (1 - v) + a[i + 1, j + 1] * v
        return np.asarray(top * (1 - u) + bottom * u)


def _cell_area(transform: Affine, row: float, col: float, size: float, to_lonlat: Transformer, geod: Geod) -> float:
    """Area of one pixel at (row, col), from a cell of `size` pixels around it."""
    half = size / 2
    corners = [
        (col - half, row - half),
        (col + half, row - half),
        (col + half, row + half),
        (col - half, row + half),
    ]
    xs, ys = zip(*(transform * corner for corner in corners), strict=True)
    lons, lats = to_lonlat.transform(xs, ys)
    area, _ = geod.polygon_area_perimeter(lons, lats)
    return float(abs(area)) / size**2


def _locate(knots: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of the knot at or below each value, and the fraction of the way to the next."""
    index = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    return index, (values - knots[index]) / (knots[index + 1] - knots[index])


def slices(window: Window) -> tuple[slice, slice]:
    """Row slice and column slice of a window of whole pixels."""
    row, col = round(window.row_off), round(window.col_off)
    return slice(row, row + round(window.height)), slice(col, col + round(window.width))


def windows(height: int, width: int, size: int) -> Iterator[Window]:
    """Cut a grid into windows of `size` x `size` pixels, row by row; the last ones are smaller.

    Law: every pixel lies in exactly one window.
    """
    for row in range(0, height, size):
        for col in range(0, width, size):
            yield Window(col, row, min(size, width - col), min(size, height - row))


def expand(window: Window, halo: int, *, height: int, width: int) -> Window:
    """The window with `halo` pixels more on every side, as far as the grid goes."""
    rows, cols = slices(window)
    top, left = max(0, rows.start - halo), max(0, cols.start - halo)
    bottom, right = min(height, rows.stop + halo), min(width, cols.stop + halo)
    return Window(left, top, right - left, bottom - top)
