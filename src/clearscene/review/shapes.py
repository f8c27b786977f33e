"""Shapes that a page sends and gets: GeoJSON in scene pixels, (col, row), y down."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry
from shapely.ops import split as split_by_line

from clearscene.errors import VectorError
from clearscene.grid import Grid

__all__ = ["areal", "read_shape", "split_shape", "to_geojson"]

MAX_VERTICES = 200_000
_DECIMALS = 3
REDRAW = "Draw the polygon again."


def read_shape(geojson: Mapping[str, Any], grid: Grid) -> BaseGeometry:
    """The polygons of a GeoJSON geometry as a valid MultiPolygon inside the scene.

    Rings that cross themselves are mended; what lies outside the scene is cut off.

    Raises:
        VectorError: It is no polygon, has no area, or lies outside the scene.
    """
    if geojson.get("type") not in ("Polygon", "MultiPolygon"):
        raise VectorError(f"A geometry of type {geojson.get('type')!r} is no polygon.", hint=REDRAW)
    try:
        with np.errstate(invalid="ignore"):  # what is no number is refused below
            shape = shapely.geometry.shape(dict(geojson))
        points = shapely.get_coordinates(shape)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise VectorError(f"The coordinates of a polygon cannot be read: {error}", hint=REDRAW) from error
    if len(points) > MAX_VERTICES or not np.isfinite(points).all():
        raise VectorError(f"A polygon has {len(points)} vertices, or one that is no number.", hint=REDRAW)
    inside = areal(shapely.intersection(shapely.make_valid(shape), shapely.box(0, 0, grid.width, grid.height)))
    if inside.area == 0:
        raise VectorError("A polygon has no area inside the scene.", hint=REDRAW)
    return inside


def areal(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a shape as one MultiPolygon; lines and points are left out."""
    pieces = shapely.get_parts(shapely.get_parts(shape))  # a collection may hold MultiPolygons
    return shapely.multipolygons([piece for piece in pieces if piece.geom_type == "Polygon"])


def split_shape(shape: BaseGeometry, line: Sequence[Sequence[float]]) -> list[BaseGeometry]:
    """The parts of a MultiPolygon on both sides of a line, the largest first.

    Law: the areas of the parts add up to that of the shape.

    Raises:
        VectorError: The line does not cut the polygon in two.
    """
    try:
        cut = shapely.LineString([(float(x), float(y)) for x, y in line])
    except (ShapelyError, ValueError, TypeError) as error:
        raise VectorError(f"The line of a split cannot be read: {error}", hint="Draw it across the polygon.") from error
    polygons = [polygon for polygon in shapely.get_parts(shape) if polygon.geom_type == "Polygon"]
    cut_up = {i: list(split_by_line(polygon, cut).geoms) for i, polygon in enumerate(polygons)}
    crossed = [i for i, parts in cut_up.items() if len(parts) > 1]
    if not crossed:
        raise VectorError("The line does not cut the polygon in two.", hint="Start and end it outside of the polygon.")
    parts = sorted((part for i in crossed for part in cut_up[i]), key=lambda part: -part.area)
    rest = [polygons[i] for i in cut_up if i not in crossed]
    return [shapely.multipolygons([parts[0], *rest]), *(shapely.multipolygons([part]) for part in parts[1:])]


def to_geojson(shape: BaseGeometry, *, tolerance: float = 0.0) -> dict[str, Any]:
    """A polygon as a GeoJSON MultiPolygon, to a thousandth of a pixel."""
    simple = shapely.simplify(shape, tolerance) if tolerance > 0 else shape
    polygons = [polygon for polygon in shapely.get_parts(simple) if polygon.geom_type == "Polygon"]
    coordinates = [[_ring(ring) for ring in (polygon.exterior, *polygon.interiors)] for polygon in polygons]
    return {"type": "MultiPolygon", "coordinates": coordinates}


def _ring(ring: BaseGeometry) -> list[list[float]]:
    points: list[list[float]] = np.round(shapely.get_coordinates(ring), _DECIMALS).tolist()
    return points
