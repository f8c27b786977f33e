"""When the polygons of a run and of an inspector agree.

The rule. A reference polygon is *found* if at least half of its area is covered by findings of its
type, or if its IoU with all findings of its type that it meets is at least 0.3. A finding is
*right* by the same rule the other way round, *false* if not. Boundary types are marked by tile
squares, so there a finding is right as soon as it covers half of a reference polygon.

An inspector outlines a line of 2 px by a box that is mostly ground. So for pixel and boundary types
a reference polygon is found also if the findings of its type that meet it have at least half of
their area inside it, grown by 5 px; a finding that lies so inside a polygon it meets is right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import BY_NAME, Group

__all__ = ["MatchRule", "Side", "areal", "sort_by_type", "unmatched"]

_MIN_INSIDE = 0.5
"""Part of the area of thin findings that must lie inside a grown reference polygon."""


@dataclass(frozen=True)
class MatchRule:
    """When two sets of polygons agree."""

    min_cover: float = 0.5
    """Part of a polygon's area that the other side must cover."""
    min_iou: float = 0.3
    """Or the intersection over union with all polygons of the other side that it meets."""
    tolerance_px: float = 5.0
    """By how much a reference polygon of a pixel or boundary type is grown to hold the findings that meet it."""

    def __post_init__(self) -> None:
        for name in ("min_cover", "min_iou"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be above 0 and at most 1.")
        if not 0 <= self.tolerance_px <= 1000:
            raise OptionError(f"tolerance is {self.tolerance_px} px; it must be from 0 to 1000.")


@dataclass(frozen=True, eq=False)
class Side:
    """Valid polygons of one side, by type name; parts of one type may overlap."""

    polygons: dict[str, NDArray[np.object_]]
    numbers: dict[str, list[int]]

    def of(self, name: str) -> NDArray[np.object_]:
        """The polygons of a type, (n,)."""
        return self.polygons.get(name, np.empty(0, object))

    def numbered(self, name: str) -> list[tuple[int, BaseGeometry]]:
        """The polygons of a type with their numbers."""
        return list(zip(self.numbers.get(name, []), self.of(name), strict=True))

    def only(self, numbers: dict[str, list[int]]) -> "Side":
        """The polygons of these numbers, by type."""
        kept = {name: [pair for pair in self.numbered(name) if pair[0] in set(held)] for name, held in numbers.items()}
        return _side_of(kept)


def sort_by_type(names: Sequence[str], polygons: NDArray[np.object_], numbers: Iterable[int]) -> Side:
    """Sort polygons (n,) by type; shapes that cross themselves are mended, those without area left out."""
    by_type: dict[str, list[tuple[int, BaseGeometry]]] = {}
    for name, polygon, number in zip(names, shapely.make_valid(polygons), numbers, strict=True):
        if polygon.area > 0:
            by_type.setdefault(name, []).append((number, polygon))
    return _side_of(by_type)


def unmatched(
    side: Side, other: Side, names: Sequence[str], rule: MatchRule, *, is_reference: bool
) -> dict[str, list[int]]:
    """Numbers of the polygons of `side` with no match on the other side, by type.

    `is_reference` says which side is whose: True gives what was missed, False what is false.
    """
    result = {}
    for name in names:
        group, polygons, others = BY_NAME[name].group, side.of(name), other.of(name)
        matched = _matched(polygons, others, rule, by_covering=not is_reference and group is Group.BOUNDARY)
        if group is not Group.REGION:
            inside = _held if is_reference else _inside
            matched |= inside(polygons, others, rule.tolerance_px)
        result[name] = [n for n, is_matched in zip(side.numbers.get(name, []), matched, strict=True) if not is_matched]
    return result


def areal(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a shape; mending one that crosses itself can leave lines beside them."""
    parts = shapely.get_parts(shape)
    polygons: BaseGeometry = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return polygons


def _side_of(by_type: dict[str, list[tuple[int, BaseGeometry]]]) -> Side:
    return Side(
        {name: np.array([None, *(polygon for _, polygon in held)], object)[1:] for name, held in by_type.items()},
        {name: [number for number, _ in held] for name, held in by_type.items()},
    )


def _matched(
    polygons: NDArray[np.object_], others: NDArray[np.object_], rule: MatchRule, *, by_covering: bool
) -> NDArray[np.bool_]:
    """Whether each polygon has a match among the others by cover or IoU, (n,)."""
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


def _held(references: NDArray[np.object_], findings: NDArray[np.object_], tolerance_px: float) -> NDArray[np.bool_]:
    """Whether the findings that meet each reference polygon lie mostly inside it, grown, (n,)."""
    first, second = shapely.STRtree(findings).query(references, predicate="intersects")
    grown = shapely.buffer(references, tolerance_px, join_style="mitre")
    inside = np.bincount(first, shapely.area(shapely.intersection(grown[first], findings[second])), len(references))
    whole = np.bincount(first, shapely.area(findings[second]), len(references))
    return np.asarray((whole > 0) & (inside >= _MIN_INSIDE * whole))


def _inside(findings: NDArray[np.object_], references: NDArray[np.object_], tolerance_px: float) -> NDArray[np.bool_]:
    """Whether each finding lies mostly inside one reference polygon that it meets, grown, (n,)."""
    first, second = shapely.STRtree(references).query(findings, predicate="intersects")
    grown = shapely.buffer(references, tolerance_px, join_style="mitre")
    inside = shapely.area(shapely.intersection(findings[first], grown[second]))
    right = np.zeros(len(findings), np.bool_)
    right[first[inside >= _MIN_INSIDE * shapely.area(findings[first])]] = True
    return right
