"""The outline of a grid on the globe, as GeoJSON wants it: also across the antimeridian and around a pole."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from clearscene.grid import Grid

__all__ = ["Footprint", "footprint"]

EDGE_POINTS = 9
"""Points a side of the outline: a straight side of the grid is a curve in longitude and latitude."""
DIGITS = 7
"""Of a degree: a centimeter."""


@dataclass(frozen=True)
class Footprint:
    """Where a grid lies."""

    geometry: dict[str, Any]
    """GeoJSON in longitude and latitude: a Polygon, or a MultiPolygon cut at 180 degrees."""
    bbox: list[float]
    """West, south, east, north; west is greater than east across the antimeridian."""


def footprint(grid: Grid) -> Footprint | None:
    """The outline of a grid, outer rings counterclockwise; None without a CRS, or where it leaves the globe.

    Laws: where no side crosses 180 degrees it is one ring of all points of the sides; else no ring reaches across.

    Source: RFC 7946 (The GeoJSON Format), sections 3.1.6, 3.1.9 and 5.2.
    """
    if grid.crs is None:
        return None
    lon, lat = _outline(grid)
    if not np.isfinite([lon, lat]).all():
        return None
    turned = np.unwrap(lon, period=360)  # from point to point less than half the globe
    if np.array_equal(turned, lon) and np.abs(lon).max() <= 180:
        ring = np.round(np.column_stack([lon, lat]), DIGITS).tolist()
        return Footprint({"type": "Polygon", "coordinates": [ring]}, _box(lon, lat))
    return _cut(turned, lat)


def _outline(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of the closed ring, counterclockwise as seen on the map."""
    steps = np.linspace(0, 1, EDGE_POINTS)[:-1]
    cols = np.concatenate([0 * steps, steps, 0 * steps + 1, 1 - steps, [0]]) * grid.width
    rows = np.concatenate([steps, 0 * steps + 1, 1 - steps, 0 * steps, [0]]) * grid.height
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    to_lonlat = Transformer.from_crs(grid.crs, 4326, always_xy=True)
    lon, lat = to_lonlat.transform(a * cols + b * rows + c, d * cols + e * rows + f)
    if grid.transform.determinant > 0:  # rows go up: the ring turns the other way
        lon, lat = lon[::-1], lat[::-1]
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def _cut(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Footprint:
    """A ring whose longitudes go on beyond 180 degrees, in parts that do not."""
    points = [*zip(lon, lat, strict=True)]
    if abs(lon[-1] - lon[0]) > 180:  # around a pole: the ring closes along it
        pole = 90.0 if lat.mean() > 0 else -90.0
        points += [(lon[-1], pole), (lon[0], pole)]
    whole = shapely.make_valid(shapely.Polygon(points))
    parts = []
    for turns in (-1, 0, 1):
        inside = shapely.intersection(whole, shapely.box(360 * turns - 180, -90, 360 * turns + 180, 90))
        moved = shapely.transform(inside, lambda xy, shift=360 * turns: np.round(xy - [shift, 0], DIGITS))
        parts += [part for part in shapely.get_parts(moved) if part.geom_type == "Polygon" and not part.is_empty]
    geometry = shapely.geometry.mapping(shapely.orient_polygons(shapely.union_all(parts)))
    return Footprint(_lists(geometry), _box_across(lon, points))


def _box(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> list[float]:
    return [round(float(value), DIGITS) for value in (lon.min(), lat.min(), lon.max(), lat.max())]


def _box_across(lon: NDArray[np.float64], points: list[tuple[float, float]]) -> list[float]:
    """West greater than east; all longitudes around a pole."""
    south, north = min(y for _, y in points), max(y for _, y in points)
    if len(points) > len(lon):
        return [-180.0, round(float(south), DIGITS), 180.0, round(float(north), DIGITS)]
    west, east = ((float(value) + 180) % 360 - 180 for value in (lon.min(), lon.max()))
    return [round(float(value), DIGITS) for value in (west, south, east, north)]


def _lists(geometry: Any) -> dict[str, Any]:
    """A mapping of shapely with lists in place of tuples, as JSON reads back."""

    def listed(item: Any) -> Any:
        return [listed(part) for part in item] if isinstance(item, tuple | list) else item

    return {"type": geometry["type"], "coordinates": listed(geometry["coordinates"])}
