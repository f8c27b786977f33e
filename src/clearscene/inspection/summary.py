"""Sums by defect type, for the table of a report."""

import math
from collections.abc import Mapping, Sequence

from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.charging import Extent, Rest
from clearscene.inspection.result import Finding, Status, TypeSummary
from clearscene.inspection.taxonomy import TYPES, DefectType

__all__ = ["summarize"]


def summarize(
    findings: Sequence[Finding],
    *,
    penalties: Mapping[str, float],
    rest: Mapping[str, Rest],
    not_inspected: Mapping[str, Bilingual],
    inspected: Extent,
) -> list[TypeSummary]:
    """One row for each of the ten types, in the order of their ids.

    Rejected findings are left out. What was counted without being drawn (`rest`, by type) is in the
    count and the areas; its square meters are its pixels times the mean area of an inspected pixel.

    Args:
        findings: The findings that are drawn.
        penalties: What each type costs, by type name, see `type_penalties`.
        rest: Findings without a polygon, by type name.
        not_inspected: Why a type was not looked for, by type name; a type not named was.
        inspected: The inspected area, of which `area_fraction` is a part.
    """
    live = [f for f in findings if f.status != Status.REJECTED]
    rows = []
    for defect in TYPES:
        own, left = [f for f in live if f.type == defect.name], rest.get(defect.name, Rest(0, 0))
        row = _summary(defect, own, left, inspected)
        reason = not_inspected.get(defect.name)
        penalty = round(penalties.get(defect.name, 0.0), 6)
        rows.append(row.model_copy(update={"inspected": reason is None, "reason": reason, "penalty": penalty}))
    return rows


def _summary(defect: DefectType, findings: Sequence[Finding], rest: Rest, inspected: Extent) -> TypeSummary:
    area = sum(f.area_px for f in findings) + rest.area_px
    is_boundary = defect.group == "boundary"
    return TypeSummary(
        type_id=defect.id,
        type=defect.name,
        inspected=True,
        count=len(findings) + rest.n,
        n_not_drawn=rest.n,
        area_px=area,
        area_m2=_square_meters(findings, rest, inspected),
        area_fraction=0.0 if is_boundary or inspected.pixels == 0 else area / inspected.pixels,
        length_m=_total([f.length_m for f in findings]) if is_boundary else None,
    )


def _square_meters(findings: Sequence[Finding], rest: Rest, inspected: Extent) -> float | None:
    if inspected.square_meters is None:
        return None
    drawn = _total([f.area_m2 for f in findings])
    left = rest.area_px * inspected.square_meters / max(1, inspected.pixels)
    return None if drawn is None else drawn + left


def _total(values: Sequence[float | None]) -> float | None:
    """Sum of the values, or None if one is not known; nothing to add is 0."""
    return None if None in values else math.fsum(v for v in values if v is not None)
