"""The grid of a scene at a chosen resolution, and where its pixels lie in a file."""

import math

from affine import Affine
from pyproj import Geod

from clearscene.errors import OptionError, SceneError
from clearscene.grid import Grid
from clearscene.raster.sensors.resampling import Axis

__all__ = ["axes_in", "grid_at", "pixel_area", "pixel_size_m"]

TOLERANCE = 1e-6
"""Relative difference below which two pixel sizes are the same."""


def grid_at(grid: Grid, resolution: float | None, name: str) -> Grid:
    """The grid with square pixels of `resolution` meters over the same ground; `grid` itself without one.

    Law: the upper left corner stays, and every pixel of `grid` is covered; the last row and
    column may reach past it by less than a pixel.

    Raises:
        OptionError: The resolution is finer than the grid, is no positive number, or there is no CRS.
    """
    if resolution is None:
        return grid
    if not (math.isfinite(resolution) and resolution > 0):
        raise OptionError(f"--resolution {resolution:g} is no length in meters.", hint="Give one, as 20.")
    size = pixel_size_m(grid)
    if size is None:
        raise OptionError(
            f"--resolution {resolution:g}: {name} has no CRS, so the size of its pixels is not known.",
            hint="Leave out --resolution, or give the scene a CRS with gdal_edit.py -a_srs.",
        )
    factors = [_tidy(resolution / length) for length in size]
    if min(factors) < 1 - TOLERANCE:
        raise OptionError(
            f"--resolution {resolution:g} is finer than the pixels of {name}, {max(size):.6g} m.",
            hint=f"Use {math.ceil(max(size) - TOLERANCE)} or more, or leave it out.",
        )
    width, height = math.ceil(grid.width / factors[0] - TOLERANCE), math.ceil(grid.height / factors[1] - TOLERANCE)
    return Grid(height, width, grid.transform * Affine.scale(*factors), grid.crs)


def pixel_area(grid: Grid) -> float:
    """Area of a pixel in square meters, so that degrees, feet and meters compare; in map units without a CRS."""
    across, down = pixel_size_m(grid) or grid.resolution
    return across * down


def pixel_size_m(grid: Grid) -> tuple[float, float] | None:
    """Length of a pixel along a row and along a column in meters, as the CRS counts them; None without one.

    Degrees are measured on the ellipsoid in the middle of the grid.
    """
    if grid.crs is None:
        return None
    if not grid.crs.is_geographic:
        unit = float(grid.crs.linear_units_factor[1])
        across, down = grid.resolution
        return across * unit, down * unit
    middle = grid.width / 2, grid.height / 2
    lon, lat = grid.transform * middle
    ends = [grid.transform * (middle[0] + 1, middle[1]), grid.transform * (middle[0], middle[1] + 1)]
    across, down = (Geod(ellps="WGS84").inv(lon, lat, *end)[2] for end in ends)
    return float(across), float(down)


def axes_in(file: Grid, grid: Grid, what: str) -> tuple[Axis, Axis]:
    """Where the rows and columns of `grid` lie among those of a file.

    Raises:
        SceneError: The file has another CRS, is turned, or covers other ground.
    """
    if file.crs != grid.crs:
        raise SceneError(f"{what} has the CRS {file.crs}, the others {grid.crs}.", hint="Warp it onto the others.")
    step = ~file.transform * grid.transform
    if abs(step.b) > TOLERANCE * step.a or abs(step.d) > TOLERANCE * step.e or min(step.a, step.e) <= 0:
        raise SceneError(f"{what} is turned or flipped against the others.", hint="Warp it onto the others.")
    cols = _axis(step.a, step.c, file.width, n_pixels=grid.width, what=what)
    rows = _axis(step.e, step.f, file.height, n_pixels=grid.height, what=what)
    return rows, cols


def _axis(factor: float, start: float, size: int, *, n_pixels: int, what: str) -> Axis:
    """One axis; its ends may differ by a pixel of the coarser of the two."""
    factor, start = _tidy(factor), _tidy(start)
    slack = max(1.0, factor) + TOLERANCE
    if abs(start) > slack or abs(start + factor * n_pixels - size) > slack:
        raise SceneError(
            f"{what} covers other ground than the other bands: its pixels {start:g} to"
            f" {start + factor * n_pixels:g} of {size} would be needed.",
            hint="All bands of a scene must be cut alike: download them again, or clip them to one extent.",
        )
    return Axis(factor, start, size)


def _tidy(number: float) -> float:
    """Without the rounding errors of transforms."""
    rounded = round(number, 6)
    return rounded if abs(rounded - number) < 1e-8 else number
