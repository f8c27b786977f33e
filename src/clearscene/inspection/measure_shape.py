"""Sizes of polygons that a person has drawn, by the same measures as detected ones."""

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Geod, Transformer
from shapely.geometry.base import BaseGeometry

from clearscene.grid import Grid
from clearscene.inspection.polygon_file import to_map
from clearscene.inspection.units import polygon_runs

__all__ = ["Sizes", "measure_shape"]


@dataclass(frozen=True)
class Sizes:
    """Sizes of a polygon inside the scene."""

    area_px: int
    area_m2: float | None
    """On the ellipsoid; None without a CRS."""
    length_px: float
    length_m: float | None
    bounds_px: tuple[int, int, int, int]
    """Left, top, right, bottom."""
    n_parts: int


def measure_shape(polygon: BaseGeometry, grid: Grid) -> Sizes | None:
    """Measure the part of a polygon (pixel coordinates) that lies in the scene; None if none does.

    The area counts the pixels whose centers lie inside, at least 1. The length is that of the
    rectangle with the same area and perimeter, which holds for bent strips too.
    """
    inside = shapely.intersection(shapely.make_valid(polygon), shapely.box(0, 0, grid.width, grid.height))
    if inside.area == 0:
        return None
    runs = polygon_runs(inside, height=grid.height, width=grid.width)
    left, top, right, bottom = (round(side, 6) for side in inside.bounds)  # map coordinates and back leave crumbs
    area_m2 = None
    if grid.pixel_area is not None:
        middle = (runs.starts + runs.stops) / 2
        area_m2 = float(np.sum(grid.pixel_area.at(runs.rows + 0.5, middle) * runs.lengths))
        if runs.area == 0:
            area_m2 = float(grid.pixel_area.at(top, left))
    return Sizes(
        area_px=max(1, runs.area),
        area_m2=area_m2,
        length_px=_length(inside.area, inside.length),
        length_m=_length_m(inside, grid),
        bounds_px=(int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))),
        n_parts=len(shapely.get_parts(inside)),
    )


def _length(area: float, perimeter: float) -> float:
    """Long side of the rectangle of this area and perimeter; of a square, if it is too round for one."""
    half = perimeter / 2
    return float(half + np.sqrt(max(0.0, half**2 - 4 * area))) / 2


def _length_m(polygon: BaseGeometry, grid: Grid) -> float | None:
    if grid.crs is None:
        return None
    to_lonlat = Transformer.from_crs(grid.crs, 4326, always_xy=True)
    lonlat = shapely.transform(to_map(polygon, grid), lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    parts = [Geod(ellps="WGS84").geometry_area_perimeter(part) for part in shapely.get_parts(lonlat)]
    return _length(sum(abs(area) for area, _ in parts), sum(perimeter for _, perimeter in parts))
