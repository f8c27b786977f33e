"""A run against an inspector's own polygons: what was found, missed and false, by type.

`clearscene.inspection.matching` states when polygons agree. Area figures are of the pooled areas of
a type: overlaps count once, however the areas are cut into polygons, and no tolerance applies.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from clearscene.errors import VectorError
from clearscene.grid import Grid
from clearscene.inspection.charging import Extent, Item
from clearscene.inspection.layers import DEFECT_STYLE
from clearscene.inspection.matching import MatchRule, Side, areal, sort_by_type, unmatched
from clearscene.inspection.measure_shape import measure_shape
from clearscene.inspection.polygon_file import PolygonFile, read_polygon_file, to_map
from clearscene.inspection.reference_types import types_of
from clearscene.inspection.result import Status
from clearscene.inspection.run_folder import RunFolder, open_run
from clearscene.inspection.scoring import score_items
from clearscene.inspection.standard import Standard
from clearscene.inspection.taxonomy import BY_NAME, TYPES
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Column, Layer

__all__ = ["Comparison", "MatchRule", "TypeComparison", "compare"]

_LINE_WIDTH_PX = 1.0
"""Lines and points of a reference are given this width, so that they have an area to be covered."""


class TypeComparison(BaseModel):
    """One defect type, or all of them together."""

    model_config = ConfigDict(extra="forbid")

    type: str
    n_reference: int
    n_found: int
    n_missed: int
    n_run: int
    n_false: int
    area_iou: float | None = Field(description="Pooled; null if neither side has an area.")
    area_precision: float | None = Field(description="Null if the run has none of this type.")
    area_recall: float | None = Field(description="Null if the reference has none.")
    penalty_run: float
    penalty_reference: float
    penalty_difference: float = Field(description="Penalty of the run minus that of the reference.")


class Comparison(BaseModel):
    """All of `clearscene compare --json`."""

    model_config = ConfigDict(extra="forbid")

    run: str
    reference: str
    standard: str
    penalties_from: str = Field(description="Field of the reference with its penalties, or the standard's name.")
    min_cover: float
    min_iou: float
    tolerance_px: float
    types: list[TypeComparison] = Field(description="Types that either side has, in the order of their ids.")
    total: TypeComparison
    missed: list[int] = Field(
        description="Feature ids of the missed polygons, as QGIS shows them: from 0 in a Shapefile."
    )
    false: list[int] = Field(description="Ids of the false findings.")


def compare(
    run: str | Path,
    reference: str | Path,
    *,
    type_field: str | None = None,
    penalty_field: str | None = None,
    rule: MatchRule | None = None,
    out: str | Path | None = None,
) -> Comparison:
    """Set a run against reference polygons; the docstring of `clearscene.inspection.matching` states the rule.

    Rejected findings are left out. Without a `penalty_field` the reference is scored by the run's
    standard. Laws: a run against itself finds everything, with nothing false and IoU 1; found +
    missed is the number of reference polygons; their order is irrelevant.

    Args:
        run: A run folder, or the GeoPackage in it.
        reference: Any vector file; without a CRS it is taken to be in that of the scene.
        type_field: Field with the type as id, English or Chinese name; guessed if None.
        penalty_field: Field with the inspector's penalty of each polygon.
        rule: When polygons agree.
        out: A GeoPackage for QGIS, with the layers `missed` (reference polygons) and `false` (findings).

    Raises:
        ResultError: The run is incomplete.
        VectorError: The reference, or one of its fields, cannot be read.
        OutputError: `out` cannot be written.
    """
    rule = rule or MatchRule()
    held = open_run(run)
    file = read_polygon_file(reference, held.grid)
    names = types_of(file, type_field)
    standard = held.standard()
    ours, run_penalties = _runsort_by_type(held)
    theirs = sort_by_type(names, _with_area(file.polygons), file.ids)
    penalties = _field_penalties(file, names, penalty_field) if penalty_field else _penalties(theirs, held, standard)
    used = [t.name for t in TYPES if len(ours.of(t.name)) or len(theirs.of(t.name))]
    missed = unmatched(theirs, ours, used, rule, is_reference=True)
    false = unmatched(ours, theirs, used, rule, is_reference=False)
    areas = {name: _areas(ours.of(name), theirs.of(name)) for name in used}
    if out is not None:
        _write_layers(Path(out), held.grid, missed=theirs.only(missed), false=ours.only(false))
    costs = (run_penalties, penalties)
    types = [
        _compared(n, (ours, theirs), unmatched=(false[n], missed[n]), areas=areas[n], penalties=costs) for n in used
    ]
    return Comparison(
        run=str(run),
        reference=str(reference),
        standard=standard.name,
        penalties_from=penalty_field or standard.name,
        min_cover=rule.min_cover,
        min_iou=rule.min_iou,
        tolerance_px=rule.tolerance_px,
        types=types,
        total=_total(types, areas.values()),
        missed=sorted(number for numbers in missed.values() for number in numbers),
        false=sorted(number for numbers in false.values() for number in numbers),
    )


def _runsort_by_type(run: RunFolder) -> tuple[Side, dict[str, float]]:
    """The findings of a run that stand, as last scored, and their penalties by type."""
    live = {f.id: f.type for f in run.report.findings if f.status != Status.REJECTED}
    rows = [row for row in run.rows() if row.values.get("id") in live]
    numbers = [int(row.values["id"]) for row in rows]
    side = sort_by_type([live[n] for n in numbers], np.array([row.polygon for row in rows], object), numbers)
    return side, {summary.type: summary.penalty for summary in run.report.types}


def _write_layers(path: Path, grid: Grid, *, missed: Side, false: Side) -> None:
    """Write what was missed and what is false as layers that QGIS draws in the colors of their types."""
    layers = [_layer("missed", "feature", missed, grid), _layer("false", "id", false, grid)]
    write_geopackage(path, layers, styles={layer.name: DEFECT_STYLE for layer in layers})


def _layer(name: str, number: str, side: Side, grid: Grid) -> Layer:
    """One row a polygon, with its number in a field of that name, and its type."""
    rows = [(n, BY_NAME[kind], polygon) for kind in side.polygons for n, polygon in side.numbered(kind)]
    rows.sort(key=lambda row: row[0])
    fields: dict[str, Column] = {
        number: np.array([n for n, _, _ in rows], np.int64),
        "type": [t.name for _, t, _ in rows],
        "type_en": [t.title for _, t, _ in rows],
        "type_zh": [t.title_zh for _, t, _ in rows],
        "status": ["proposed"] * len(rows),  # which the style looks at
    }
    shapes = np.array([None, *(areal(polygon) for _, _, polygon in rows)], object)[1:]
    return Layer(name, "MultiPolygon", to_map(shapes, grid), fields, grid.crs)


def _with_area(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """The geometries, lines and points widened to a pixel."""
    is_thin = shapely.get_dimensions(geometries) < 2
    result = geometries.copy()
    result[is_thin] = shapely.buffer(geometries[is_thin], _LINE_WIDTH_PX / 2, cap_style="square")
    return result


@dataclass(frozen=True)
class _Areas:
    """Pooled areas of one type, or of several added up, in pixels."""

    run: float
    reference: float
    both: float


def _areas(ours: NDArray[np.object_], theirs: NDArray[np.object_]) -> _Areas:
    run, reference = shapely.union_all(ours), shapely.union_all(theirs)
    return _Areas(run.area, reference.area, shapely.intersection(run, reference).area)


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole > 0 else None


def _penalties(side: Side, run: RunFolder, standard: Standard) -> dict[str, float]:
    """What the reference polygons cost by the standard, by type."""
    items = [
        Item(name, sizes.area_px, sizes.area_m2, sizes.length_px, sizes.length_m)
        for name, polygons in side.polygons.items()
        for polygon in polygons
        if (sizes := measure_shape(polygon, run.grid)) is not None
    ]
    pixels = run.report.pixels
    return score_items(items, standard, inspected=Extent(pixels.inspected, pixels.inspected_m2), rest={}).by_type


def _field_penalties(file: PolygonFile, names: Sequence[str], field: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, value in zip(names, file.column(field), strict=True):
        sums[name] = sums.get(name, 0.0) + _number(value, field, file.path)
    return sums


def _number(value: Any, field: str, path: str) -> float:
    try:
        number = 0.0 if value is None or value == "" else float(value)
    except ValueError as error:
        raise VectorError(f"{path}: {field} {value!r} is no number of points.") from error
    if not math.isfinite(number):
        raise VectorError(f"{path}: {field} {value!r} is no number of points.")
    return number


def _compared(
    name: str,
    sides: tuple[Side, Side],
    *,
    unmatched: tuple[Sequence[int], Sequence[int]],
    areas: _Areas,
    penalties: tuple[Mapping[str, float], Mapping[str, float]],
) -> TypeComparison:
    """The row of one type; the pairs hold the run's side first, the reference's second."""
    n_run, n_reference = (len(side.of(name)) for side in sides)
    n_false, n_missed = map(len, unmatched)
    return _row(
        name,
        (n_reference, n_missed, n_run, n_false),
        areas=areas,
        penalties=(penalties[0].get(name, 0.0), penalties[1].get(name, 0.0)),
    )


def _total(types: Sequence[TypeComparison], areas: Iterable[_Areas]) -> TypeComparison:
    """All types together: counts, areas and penalties added up."""
    held = list(areas)
    summed = _Areas(*(math.fsum(getattr(a, f) for a in held) for f in ("run", "reference", "both")))
    counts = (
        sum(t.n_reference for t in types),
        sum(t.n_missed for t in types),
        sum(t.n_run for t in types),
        sum(t.n_false for t in types),
    )
    penalties = math.fsum(t.penalty_run for t in types), math.fsum(t.penalty_reference for t in types)
    return _row("all", counts, areas=summed, penalties=penalties)


def _row(
    name: str, counts: tuple[int, int, int, int], *, areas: _Areas, penalties: tuple[float, float]
) -> TypeComparison:
    n_reference, n_missed, n_run, n_false = counts
    return TypeComparison(
        type=name,
        n_reference=n_reference,
        n_found=n_reference - n_missed,
        n_missed=n_missed,
        n_run=n_run,
        n_false=n_false,
        area_iou=_ratio(areas.both, areas.run + areas.reference - areas.both),
        area_precision=_ratio(areas.both, areas.run),
        area_recall=_ratio(areas.both, areas.reference),
        penalty_run=round(penalties[0], 6),
        penalty_reference=round(penalties[1], 6),
        penalty_difference=round(penalties[0] - penalties[1], 6),
    )
