"""Shapes whose outline a person can write down."""

import numpy as np
import pytest
import shapely
from affine import Affine

from clearscene.runs import Runs
from clearscene.vector.outline import outlines, simplify, to_map


def mask_of(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


def outline_of(*rows, reach=1, row=0, col=0):
    runs = Runs.from_mask(mask_of(*rows), row=row, col=col)
    return outlines(runs, runs.label(reach=reach))


def test_rectangle_lies_at_its_place_in_the_scene():
    (polygon,) = outline_of("###", "###", row=100_000, col=70_000)
    assert polygon.equals(shapely.box(70_000, 100_000, 70_003, 100_002))
    assert len(polygon.exterior.coords) == 5


def test_ring_has_a_hole():
    (polygon,) = outline_of("####", "#..#", "####")
    assert polygon.equals(shapely.box(0, 0, 4, 3) - shapely.box(1, 1, 3, 2))
    assert len(polygon.interiors) == 1


def test_diagonal_touch_is_two_parts():
    (polygon,) = outline_of("#.", ".#")
    assert polygon.geom_type == "MultiPolygon"
    assert polygon.area == 2


def test_pocket_closed_by_a_corner_is_a_hole_that_touches_the_shell():
    (polygon,) = outline_of("##.", "#.#", "###")
    assert polygon.is_valid
    assert polygon.geom_type == "Polygon"
    assert len(polygon.interiors) == 1


def test_two_pockets_that_touch_are_two_holes():
    (polygon,) = outline_of("####", "#.##", "##.#", "####")
    assert polygon.is_valid
    assert len(polygon.interiors) == 2


def test_island_in_a_hole_is_its_own_label():
    ring, island = outline_of("#####", "#...#", "#.#.#", "#...#", "#####")
    assert (ring.area, island.area) == (16, 1)
    assert not ring.overlaps(island)


def test_nothing_has_no_outline():
    assert len(outlines(Runs.empty(), np.empty(0, np.int64))) == 0


@pytest.mark.parametrize("angle", [0, 30, 200])
def test_to_map_follows_rotation_and_keeps_shells_counterclockwise(angle):
    transform = Affine.translation(500_000, 3_300_000) * Affine.rotation(angle) * Affine.scale(0.5, -0.4)
    geometries = outline_of("##.", "#.#", "###")
    (moved,) = to_map(geometries, transform)
    expected = shapely.Polygon([transform * point for point in geometries[0].exterior.coords])
    assert shapely.Polygon(moved.exterior).equals_exact(expected.reverse(), 1e-6, normalize=True)
    assert moved.exterior.is_ccw
    assert moved.area == pytest.approx(7 * 0.2, rel=1e-6)


def test_simplify_by_nothing_changes_nothing():
    geometries = outline_of("##.", "#.#")
    assert simplify(geometries, 0) is geometries


def test_simplify_takes_steps_away():
    stairs = outline_of(*("#" * n + "." * (20 - n) for n in range(1, 21)))
    (simple,) = simplify(stairs, 2.0)
    assert len(simple.exterior.coords) < len(stairs[0].exterior.coords) / 2
    assert simple.area == pytest.approx(stairs[0].area, rel=0.1)
