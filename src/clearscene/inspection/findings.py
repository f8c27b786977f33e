"""From cleaned regions to findings: one record and one polygon each, numbered over the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from clearscene.grid import Grid
from clearscene.inspection.charging import Rest
from clearscene.inspection.clean import Regions
from clearscene.inspection.result import Finding
from clearscene.inspection.taxonomy import BY_ID, DefectType, Group
from clearscene.runs import Components
from clearscene.vector.area import area_of_runs
from clearscene.vector.outline import outlines

__all__ = ["Drawn", "list_findings", "undrawn_centers"]


@dataclass(frozen=True)
class Drawn:
    """A finding with its outline."""

    finding: Finding
    geometry: BaseGeometry
    """Polygon in pixel coordinates (x = col, y = row)."""


@dataclass(frozen=True)
class _Source:
    """What the findings of one type are made from."""

    defect: DefectType
    regions: Regions
    detector: str
    areas_m2: NDArray[np.float64] | None
    parts: NDArray[np.int64]
    grid: Grid
    inspected: int


def list_findings(
    regions: Mapping[int, Regions],
    detectors: Mapping[int, str],
    *,
    grid: Grid,
    inspected: int,
    max_drawn: int,
) -> tuple[list[Drawn], dict[str, Rest]]:
    """The findings of all types, by type and then by falling area, numbered from 1.

    Of each type the `max_drawn` largest become findings with a polygon; what is left over is
    counted by type in the second result, so that areas, counts and scores stay whole.

    Args:
        regions: Cleaned regions by type id.
        detectors: Rule or model that found each type, by type id.
        grid: The grid of the scene.
        inspected: Inspected pixels, of which `area_fraction` is a part.
        max_drawn: Most findings of one type.
    """
    numbers = count(1)
    drawn: list[Drawn] = []
    rest: dict[str, Rest] = {}
    for type_id in sorted(t for t in regions if regions[t].n):
        defect, parts = BY_ID[type_id], regions[type_id].parts
        order = _by_size(parts)
        source = _source(defect, regions[type_id], detectors[type_id], grid=grid, inspected=inspected)
        geometries = _outlines_of(source.regions, order[:max_drawn])
        for label, geometry in zip(order, geometries, strict=False):
            drawn.append(Drawn(_finding(next(numbers), source, int(label)), geometry))
        if len(order) > max_drawn:
            left = order[max_drawn:]
            rest[defect.name] = Rest(len(left), int(parts.areas[left].sum()))
    return drawn, rest


def undrawn_centers(regions: Mapping[int, Regions], *, max_drawn: int) -> dict[str, list[tuple[float, float, int]]]:
    """Where the findings lie that `list_findings` counts without a polygon: (col, row, pixels) by type."""
    centers = {}
    for type_id in (t for t in regions if regions[t].n > max_drawn):
        parts = regions[type_id].parts
        left = _by_size(parts)[max_drawn:]
        cols, rows = (parts.lefts + parts.rights)[left] / 2, (parts.tops + parts.bottoms)[left] / 2
        centers[BY_ID[type_id].name] = list(zip(cols.tolist(), rows.tolist(), parts.areas[left].tolist(), strict=True))
    return centers


def _by_size(parts: Components) -> NDArray[np.int64]:
    """Labels, the largest first."""
    return np.asarray(np.lexsort((parts.lefts, parts.tops, -parts.areas)), np.int64)


def _source(defect: DefectType, regions: Regions, detector: str, *, grid: Grid, inspected: int) -> _Source:
    area = grid.pixel_area
    return _Source(
        defect=defect,
        regions=regions,
        detector=detector,
        areas_m2=None if area is None else area_of_runs(regions.detected, regions.detected_labels, area),
        parts=_n_parts(regions),
        grid=grid,
        inspected=inspected,
    )


def _n_parts(regions: Regions) -> NDArray[np.int64]:
    """Pieces that are connected by themselves (8 neighbors) in each region."""
    pieces = regions.detected.label()
    _, first = np.unique(pieces, return_index=True)
    return np.bincount(regions.detected_labels[first], minlength=regions.n)


def _outlines_of(regions: Regions, shown: NDArray[np.int64]) -> NDArray[np.object_]:
    position = np.full(regions.n, -1, np.int64)
    position[shown] = np.arange(len(shown))
    labels = position[regions.labels]
    return outlines(regions.shape.take(labels >= 0), labels[labels >= 0])


def _finding(number: int, source: _Source, label: int) -> Finding:
    parts, defect = source.regions.parts, source.defect
    area = int(parts.areas[label])
    is_boundary = defect.group is Group.BOUNDARY
    length = float(parts.lengths[label])
    return Finding(
        id=number,
        type_id=defect.id,
        type=defect.name,
        group=defect.group.value,
        area_px=area,
        area_m2=None if source.areas_m2 is None else float(source.areas_m2[label]),
        area_fraction=0.0 if is_boundary or source.inspected == 0 else area / source.inspected,
        length_px=length if is_boundary else None,
        length_m=_meters(length, source, label) if is_boundary else None,
        confidence=float(np.clip(parts.confidences[label], 0, 1)),
        detector=source.detector,
        bounds_px=(
            int(parts.lefts[label]),
            int(parts.tops[label]),
            int(parts.rights[label]),
            int(parts.bottoms[label]),
        ),
        n_parts=int(source.parts[label]),
    )


def _meters(length_px: float, source: _Source, label: int) -> float | None:
    """A length on the ground, by the side of a square pixel of the same area in the middle of the region."""
    area, parts = source.grid.pixel_area, source.regions.parts
    if area is None:
        return None
    row = (int(parts.tops[label]) + int(parts.bottoms[label])) / 2
    col = (int(parts.lefts[label]) + int(parts.rights[label])) / 2
    return length_px * float(np.sqrt(area.at(row, col)))
