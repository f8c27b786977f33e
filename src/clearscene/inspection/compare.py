"""A run against an inspector's own polygons: what was found, missed and false, by type.

The rule. A reference polygon is *found* if at least half of its area is covered by findings of its
type, or if its IoU with all findings of its type that it meets is at least 0.3. A finding is
*right* by the same rule the other way round, *false* if not. Boundary types are marked by tile
squares, so there a finding is right as soon as it covers half of a reference polygon. Area figures
are of the pooled areas of a type: overlaps count once, however the areas are cut into polygons.
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
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError, VectorError
from clearscene.inspection.measure_shape import measure_shape
from clearscene.inspection.polygon_file import PolygonFile, defect_of, read_polygon_file
from clearscene.inspection.result import Status
from clearscene.inspection.run_folder import RunFolder, open_run
from clearscene.inspection.scoring import Extent, Item, score_items
from clearscene.inspection.standard import Standard
from clearscene.inspection.taxonomy import BY_NAME, TYPES, Group

__all__ = ["Comparison", "MatchRule", "TypeComparison", "compare"]

_TYPE_FIELDS = (
    "type",
    "type_id",
    "type_en",
    "type_zh",
    "category_id",
    "category_i",
    "class",
    "defect",
    "label",
    "labels",
    "类型",
    "错误类型",
)
_LINE_WIDTH_PX = 1.0
"""Lines and points of a reference are given this width, so that they have an area to be covered."""


@dataclass(frozen=True)
class MatchRule:
    """When two sets of polygons agree."""

    min_cover: float = 0.5
    """Part of a polygon's area that the other side must cover."""
    min_iou: float = 0.3
    """Or the intersection over union with all polygons of the other side that it meets."""

    def __post_init__(self) -> None:
        for name in ("min_cover", "min_iou"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be above 0 and at most 1.")


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
    types: list[TypeComparison] = Field(description="Types that either side has, in the order of their ids.")
    total: TypeComparison
    missed: list[int] = Field(description="Positions of the missed polygons among the reference's features, from 1.")
    false: list[int] = Field(description="Ids of the false findings.")


@dataclass(frozen=True, eq=False)
class _Side:
    """Valid polygons of one side, by type name; parts of one type may overlap."""

    polygons: dict[str, NDArray[np.object_]]
    numbers: dict[str, list[int]]

    def of(self, name: str) -> NDArray[np.object_]:
        return self.polygons.get(name, np.empty(0, object))


def compare(
    run: str | Path,
    reference: str | Path,
    *,
    type_field: str | None = None,
    penalty_field: str | None = None,
    rule: MatchRule | None = None,
) -> Comparison:
    """Set a run against reference polygons; this module's docstring states the rule.

    Rejected findings are left out. Without a `penalty_field` the reference is scored by the run's
    standard. Laws: a run against itself finds everything, with nothing false and IoU 1; found +
    missed is the number of reference polygons; their order is irrelevant.

    Args:
        run: A run folder, or the GeoPackage in it.
        reference: Any vector file; without a CRS it is taken to be in that of the scene.
        type_field: Field with the type as id, English or Chinese name; guessed if None.
        penalty_field: Field with the inspector's penalty of each polygon.
        rule: When polygons agree.

    Raises:
        ResultError: The run is incomplete.
        VectorError: The reference, or one of its fields, cannot be read.
    """
    rule = rule or MatchRule()
    held = open_run(run)
    file = read_polygon_file(reference, held.grid)
    names = _types_of(file, type_field)
    standard = held.standard()
    ours, run_penalties = _run_side(held)
    theirs = _side(names, _with_area(file.polygons), range(1, len(names) + 1))
    penalties = _field_penalties(file, names, penalty_field) if penalty_field else _penalties(theirs, held, standard)
    used = [t.name for t in TYPES if len(ours.of(t.name)) or len(theirs.of(t.name))]
    missed = _unmatched(ours, theirs, used, rule)
    false = _unmatched(theirs, ours, used, rule, by_covering=True)
    areas = {name: _areas(ours.of(name), theirs.of(name)) for name in used}
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
        types=types,
        total=_total(types, areas.values()),
        missed=sorted(number for numbers in missed.values() for number in numbers),
        false=sorted(number for numbers in false.values() for number in numbers),
    )


def _run_side(run: RunFolder) -> tuple[_Side, dict[str, float]]:
    """The findings of a run that stand, as last scored, and their penalties by type."""
    live = {f.id: f.type for f in run.report.findings if f.status != Status.REJECTED}
    rows = [row for row in run.rows() if row.values.get("id") in live]
    numbers = [int(row.values["id"]) for row in rows]
    side = _side([live[n] for n in numbers], np.array([row.polygon for row in rows], object), numbers)
    return side, {summary.type: summary.penalty for summary in run.report.types}


def _side(names: Sequence[str], polygons: NDArray[np.object_], numbers: Iterable[int]) -> _Side:
    """Sort polygons by type; shapes that cross themselves are mended."""
    by_type: dict[str, list[tuple[int, BaseGeometry]]] = {}
    for name, polygon, number in zip(names, shapely.make_valid(polygons), numbers, strict=True):
        if polygon.area > 0:
            by_type.setdefault(name, []).append((number, polygon))
    return _Side(
        {name: np.array([polygon for _, polygon in held], object) for name, held in by_type.items()},
        {name: [number for number, _ in held] for name, held in by_type.items()},
    )


def _types_of(file: PolygonFile, field: str | None) -> list[str]:
    """The type of each reference polygon, by the field asked for or the first usual one that holds types."""
    fields = {name.lower(): name for name in file.fields}
    if field is None:
        usual = [fields[name] for name in _TYPE_FIELDS if name in fields]
        field = next((name for name in usual if all(map(defect_of, file.fields[name]))), None)
    if field is None:
        raise VectorError(
            f"No field of {file.path} holds the types of its polygons.",
            hint=f"Name it with --type-field; its fields are {', '.join(file.fields) or 'none'}.",
        )
    names = []
    for i, value in enumerate(file.column(field)):
        defect = defect_of(value)
        if defect is None:
            known = ", ".join(f"{t.id} {t.title} {t.title_zh}" for t in TYPES)
            raise VectorError(
                f"{file.path}, polygon {i + 1}: {field} {value!r} is no type.", hint=f"Types are {known}."
            )
        names.append(defect.name)
    return names


def _with_area(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """The geometries, lines and points widened to a pixel."""
    is_thin = shapely.get_dimensions(geometries) < 2
    result = geometries.copy()
    result[is_thin] = shapely.buffer(geometries[is_thin], _LINE_WIDTH_PX / 2, cap_style="square")
    return result


def _unmatched(
    other: _Side, side: _Side, names: Sequence[str], rule: MatchRule, *, by_covering: bool = False
) -> dict[str, list[int]]:
    """Numbers of the polygons of `side` with no match on the other side, by type."""
    result = {}
    for name in names:
        covering = by_covering and BY_NAME[name].group is Group.BOUNDARY
        matched = _matched(side.of(name), other.of(name), rule, by_covering=covering)
        result[name] = [n for n, is_matched in zip(side.numbers.get(name, []), matched, strict=True) if not is_matched]
    return result


def _matched(
    polygons: NDArray[np.object_], others: NDArray[np.object_], rule: MatchRule, *, by_covering: bool
) -> NDArray[np.bool_]:
    """Whether each polygon has a match among the others, (n,)."""
    matched = np.zeros(len(polygons), np.bool_)
    first, second = shapely.STRtree(others).query(polygons, predicate="intersects")
    for i in np.unique(first):
        met = others[second[first == i]]
        union = shapely.union_all(met)
        shared = shapely.area(shapely.intersection(polygons[i], union))
        own = shapely.area(polygons[i])
        matched[i] = shared >= rule.min_cover * own or shared >= rule.min_iou * (own + union.area - shared)
        if by_covering and not matched[i]:
            covered = shapely.area(shapely.intersection(polygons[i], met))
            matched[i] = bool((covered >= rule.min_cover * shapely.area(met)).any())
    return matched


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


def _penalties(side: _Side, run: RunFolder, standard: Standard) -> dict[str, float]:
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
    sides: tuple[_Side, _Side],
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
