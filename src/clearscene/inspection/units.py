"""Units: the map sheets or grid cells of a scene, each with a score of its own.

A finding that crosses sheets counts in each with its part of the area. Polygons here are in pixel
coordinates: x = column, y = row, counted from the upper left corner of the upper left pixel.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError
from clearscene.grid import Grid
from clearscene.inspection.charging import Extent, Item, Rest
from clearscene.inspection.polygon_file import PolygonFile, read_polygon_file, to_map, to_pixels
from clearscene.inspection.result import Finding, Status, UnitScore
from clearscene.inspection.scoring import NOT_INSPECTED, score_items
from clearscene.inspection.standard import Standard
from clearscene.runs import Runs

__all__ = [
    "Lot",
    "Unit",
    "count_inspected",
    "lot_of",
    "parse_units",
    "polygon_runs",
    "rest_by_unit",
    "score_units",
    "units_of_centers",
]

MAX_UNITS = 10_000
"""More cells than this are a slip of the pen, and nobody reads such a table."""

_NAME_FIELDS = (
    "name",
    "sheet",
    "sheet_name",
    "sheet_no",
    "mapsheet",
    "tile",
    "图幅号",
    "图号",
    "图名",
    "tfh",
    "th",
)
_CELL = re.compile(r"grid:(\d+(?:\.\d+)?)(px|m|km)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Unit:
    """A map sheet or grid cell, as far as it lies in the scene."""

    name: str
    polygon: BaseGeometry
    """In pixel coordinates."""


@dataclass(frozen=True)
class Lot:
    """All units of a scene together."""

    n_units: int
    """Units of which something was inspected."""
    n_passed: int
    mean_score: float
    """Weighted by the inspected pixels."""

    @property
    def passed_fraction(self) -> float:
        """Part of the units that passed, 0 to 1; 0 if there are none."""
        return self.n_passed / self.n_units if self.n_units else 0.0


def parse_units(text: str, grid: Grid) -> list[Unit]:
    """The units that `--units` asks for.

    `grid:500m` or `grid:2km`: cells anchored at multiples of their size in the map. The size is in
    the CRS's own length; in a geographic CRS it is turned into degrees at the whole degree of
    latitude nearest to the scene's middle, so that neighboring scenes share their cells.
    `grid:1024px`: cells counted from the upper left pixel. `FILE` or `FILE:FIELD`: the polygons of
    any vector file, in its own CRS, named by a field. `scene`: the whole scene.

    Laws: the cells of a grid cover every pixel once; names are unique.

    Raises:
        OptionError: The text is neither, the cells are far too many, or no sheet touches the scene.
        VectorError: The file or the field cannot be read.
    """
    if text in ("", "scene"):
        return [Unit("scene", _outline(grid))]
    cell = _CELL.fullmatch(text)
    if cell is not None:
        units = _cells(float(cell[1]), cell[2].lower(), text=text, grid=grid)
    elif text.lower().startswith("grid:"):
        raise OptionError(
            f"--units {text!r} is not a grid.",
            hint="Write grid:500m, grid:2km, grid:1024px, or a polygon file.",
        )
    else:
        units = _sheets(text, grid)
    if not units:
        raise OptionError(f"--units {text!r}: none of its polygons touches the scene.", hint="Compare their CRS.")
    return units


def score_units(
    findings: Sequence[Finding],
    geometries: Sequence[BaseGeometry],
    units: Sequence[Unit],
    *,
    standard: Standard,
    inspected_px: Mapping[str, int],
    grid: Grid,
    rest: Mapping[str, Mapping[str, Rest]] | None = None,
) -> list[UnitScore]:
    """Score each unit by the findings, or the parts of findings, that lie in it.

    `geometries` are the polygons of the findings in pixel coordinates, `inspected_px` the inspected
    pixels by unit name (see `count_inspected`), `rest` what was counted without a polygon, by unit name
    and type. Rejected findings count nothing. A finding's sizes
    are cut in proportion to the area of its polygon inside the unit; `UnitScore.bounds` are of the
    map. Law: over units that tile the scene the parts of a finding add up to the finding.
    """
    live = [i for i, finding in enumerate(findings) if finding.status != Status.REJECTED]
    shapes = np.array([geometries[i] for i in live], object)
    parts: list[list[Item]] = [[] for _ in units]
    for u, i, share in zip(*_shares(shapes, units), strict=True):
        parts[u].append(Item.of(findings[live[i]], float(share)))
    undrawn = rest or {}
    return [
        _score_unit(
            unit,
            items,
            standard=standard,
            inspected=_extent(unit, inspected_px[unit.name], grid),
            bounds=to_map(unit.polygon, grid).bounds,
            rest=undrawn.get(unit.name, {}),
        )
        for unit, items in zip(units, parts, strict=True)
    ]


def lot_of(units: Sequence[UnitScore]) -> Lot:
    """Sum up the units of a scene; units without an inspected pixel are left out."""
    seen = [unit for unit in units if unit.grade != NOT_INSPECTED]
    pixels = sum(unit.inspected_px for unit in seen)
    mean = math.fsum(unit.score * unit.inspected_px for unit in seen) / pixels if pixels else 0.0
    return Lot(len(seen), sum(unit.passed for unit in seen), round(mean, 4))


def rest_by_unit(
    centers: Mapping[str, Sequence[tuple[float, float, int]]], units: Sequence[Unit]
) -> dict[str, dict[str, Rest]]:
    """What is counted without a polygon, by unit name and type; the unit that holds the center has it.

    `centers` are (col, row, pixels) of each such finding, by type.
    """
    result: dict[str, dict[str, Rest]] = {}
    for name, found in centers.items():
        points = list(shapely.points([(col, row) for col, row, _ in found]))
        for unit, (_, _, pixels) in zip(units_of_centers(points, units), found, strict=True):
            held = result.setdefault(unit, {}).get(name, Rest(0, 0))
            result[unit][name] = Rest(held.n + 1, held.area_px + pixels)
    return result


def units_of_centers(geometries: Sequence[BaseGeometry], units: Sequence[Unit]) -> list[str]:
    """Name of the unit that holds the center of each polygon, "" where none does."""
    if not geometries or not units:
        return [""] * len(geometries)
    centers = shapely.centroid(np.array(geometries, object))
    tree = shapely.STRtree([unit.polygon for unit in units])
    which, unit = tree.query(centers, predicate="intersects")
    names = [""] * len(geometries)
    for i, u in zip(which[::-1], unit[::-1], strict=True):  # backwards, so that the first unit wins on a shared edge
        names[i] = units[u].name
    return names


def count_inspected(inspected: Runs, units: Sequence[Unit], grid: Grid) -> dict[str, int]:
    """Inspected pixels of each unit, by name; a pixel belongs to the unit that holds its center.

    Law: over units that tile the scene the counts add up to `inspected.area`.
    """
    counts = {}
    for unit in units:
        inside = polygon_runs(unit.polygon, height=grid.height, width=grid.width)
        counts[unit.name] = inspected.intersection(inside).area
    return counts


def polygon_runs(polygon: BaseGeometry, *, height: int, width: int) -> Runs:
    """The pixels whose centers lie in a polygon, or a collection of them, given in pixel coordinates.

    Law: equals the mask of GDAL's rasterize. Memory follows the outline: for each row whose center
    line an edge crosses, one number. Centers on an edge belong to the polygon right of or below it,
    so neighbors never share a pixel.
    """
    polygon = shapely.union_all([polygon])  # parts that overlap must not cancel each other out
    rings = shapely.get_rings(shapely.get_parts(polygon))
    if len(rings) == 0:
        return Runs.empty()
    crossed = [_crossings(shapely.get_coordinates(ring), height) for ring in rings]
    rows, columns = (np.concatenate(side) for side in zip(*crossed, strict=True))
    first = np.clip(np.ceil(columns - 0.5), 0, width).astype(np.int64)  # first center at or right of it
    place, count = np.unique(rows * (width + 1) + first, return_counts=True)
    rows, ends = np.divmod(place[count % 2 == 1], width + 1)  # two at one place cancel
    starts, stops = ends[::2].astype(np.int32), ends[1::2].astype(np.int32)
    return Runs(rows[::2].astype(np.int32), starts, stops, (stops - starts).astype(np.float64))


def _crossings(ring: NDArray[np.float64], height: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row, and column, of every crossing of a closed ring with the center line of a row."""
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    # The center line of row r is y = r + 0.5; an edge crosses it if y_low <= r + 0.5 < y_high.
    low = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.int64)
    high = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.int64)
    count = high - low
    edge = np.repeat(np.arange(len(low)), count)
    rows = low[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    return rows, x0[edge] + (rows + 0.5 - y0[edge]) * slope


def _shares(
    shapes: NDArray[np.object_], units: Sequence[Unit]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Unit, finding, and the part of the finding's area in the unit, for all pairs that meet."""
    tree = shapely.STRtree(shapes)
    polygons = np.array([unit.polygon for unit in units], object)
    shapely.prepare(polygons)
    unit, shape = tree.query(polygons, predicate="intersects")
    inside = shapely.contains_properly(polygons[unit], shapes[shape])
    area = shapely.area(shapes[shape])
    share = np.ones(len(unit))
    cut = ~inside & (area > 0)
    share[cut] = shapely.area(shapely.intersection(polygons[unit[cut]], shapes[shape[cut]])) / area[cut]
    meets = share > 0  # polygons that only touch share no area
    return unit[meets], shape[meets], np.minimum(share[meets], 1.0)


def _extent(unit: Unit, inspected_px: int, grid: Grid) -> Extent:
    """What was inspected of a unit; it is small enough to take its middle pixel for all."""
    center = unit.polygon.centroid
    pixel = None if grid.pixel_area is None else float(grid.pixel_area.at(center.y, center.x))
    return Extent(inspected_px, None if pixel is None else inspected_px * pixel)


def _score_unit(
    unit: Unit,
    items: Sequence[Item],
    *,
    standard: Standard,
    inspected: Extent,
    bounds: tuple[float, float, float, float],
    rest: Mapping[str, Rest],
) -> UnitScore:
    record = score_items(items, standard, inspected=inspected, rest=rest).record
    return UnitScore(
        unit=unit.name,
        bounds=bounds,
        inspected_px=inspected.pixels,
        n_findings=len(items) + sum(left.n for left in rest.values()),
        undrawn={name: (left.n, left.area_px) for name, left in rest.items()},
        score=record.score,
        grade=record.grade,
        passed=record.passed,
    )


def _outline(grid: Grid) -> BaseGeometry:
    outline: BaseGeometry = shapely.box(0, 0, grid.width, grid.height)
    return outline


def _cells(size: float, unit: str, *, text: str, grid: Grid) -> list[Unit]:
    """The cells of a regular grid that hold some of the scene, row by row from the top."""
    if size <= 0:
        raise OptionError(f"--units {text!r}: a cell needs a size.", hint="Write for example grid:500m.")
    if unit == "px":
        return _pixel_cells(size, text, grid)
    if not grid.is_georeferenced:
        raise OptionError(
            f"--units {text!r} is in meters, and the scene has no CRS.",
            hint="Use pixels, for example grid:1024px.",
        )
    step_x, step_y = _map_steps(size * (1000 if unit == "km" else 1), grid)
    left, bottom, right, top = grid.bounds
    cols = range(math.floor(left / step_x), math.ceil(right / step_x))
    rows = range(math.floor(bottom / step_y), math.ceil(top / step_y))
    _check_number(len(cols) * len(rows), text)
    outline = _outline(grid)
    units = []
    for row in reversed(rows):
        for col in cols:
            cell = shapely.box(col * step_x, row * step_y, (col + 1) * step_x, (row + 1) * step_y)
            name = f"E{_coordinate(col * step_x)}_N{_coordinate(row * step_y)}"
            units.append(Unit(name, shapely.intersection(to_pixels(cell, grid), outline)))
    return [unit for unit in units if unit.polygon.area > 0]


def _pixel_cells(size: float, text: str, grid: Grid) -> list[Unit]:
    n_rows, n_cols = math.ceil(grid.height / size), math.ceil(grid.width / size)
    _check_number(n_rows * n_cols, text)
    outline = _outline(grid)
    cells = [(row, col) for row in range(n_rows) for col in range(n_cols)]
    return [
        Unit(
            f"R{row + 1}_C{col + 1}",
            shapely.intersection(shapely.box(col * size, row * size, (col + 1) * size, (row + 1) * size), outline),
        )
        for row, col in cells
    ]


def _check_number(n: int, text: str) -> None:
    if n > MAX_UNITS:
        raise OptionError(f"--units {text!r} makes {n:,} units, more than {MAX_UNITS:,}.", hint="Use larger cells.")


def _map_steps(meters: float, grid: Grid) -> tuple[float, float]:
    """Width and height of a cell in CRS units."""
    assert grid.crs is not None
    if not grid.crs.is_geographic:
        factor = float(grid.crs.linear_units_factor[1])  # meters in a unit
        return meters / factor, meters / factor
    _, bottom, _, top = grid.bounds
    latitude = min(89, abs(round((bottom + top) / 2)))
    geod = Geod(ellps="WGS84")
    _, _, per_lon = geod.inv(-0.5, latitude, 0.5, latitude)
    _, _, per_lat = geod.inv(0, latitude - 0.5, 0, latitude + 0.5)
    return meters / per_lon, meters / per_lat


def _coordinate(value: float) -> str:
    """A coordinate as people write it: whole for meters, six decimals for degrees."""
    return f"{round(value)}" if abs(value) > 360 or value == round(value) else f"{value:.6f}"


def _sheets(text: str, grid: Grid) -> list[Unit]:
    """The polygons of a file, brought to the scene and cut to it."""
    path, field = _split_field(text)
    file = read_polygon_file(path, grid)
    names = _unique(_sheet_names(file, field))
    outline = _outline(grid)
    cut = [
        Unit(name, shapely.intersection(shapely.make_valid(polygon), outline))
        for name, polygon in zip(names, file.polygons, strict=True)
    ]
    return [unit for unit in cut if unit.polygon.area > 0]


def _split_field(text: str) -> tuple[str, str | None]:
    """Path and field of `FILE:FIELD`; a colon in an existing path, or of a drive, is part of the path."""
    path, colon, field = text.rpartition(":")
    if not colon or Path(text).exists() or len(path) == 1 or "/" in field or "\\" in field:
        return text, None
    return path, field


def _sheet_names(file: PolygonFile, field: str | None) -> list[str]:
    """Names by the field asked for, else by a usual field, else by the first field of unique texts."""
    if field is not None:
        return [str(value) for value in file.column(field)]
    by_lower = {name.lower(): name for name in file.fields}
    for name in _NAME_FIELDS:
        if name in by_lower:
            return [str(value) for value in file.column(by_lower[name])]
    for values in file.fields.values():
        texts = [value for value in values if isinstance(value, str) and value.strip()]
        if len(set(texts)) == len(file.polygons) > 0:
            return [str(value) for value in values]
    return [str(i + 1) for i in range(len(file.polygons))]


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with -2, -3 ... behind those that came before."""
    taken: set[str] = set()
    result = []
    for name in names:
        new, n = name, 1
        while new in taken:
            n += 1
            new = f"{name}-{n}"
        taken.add(new)
        result.append(new)
    return result
