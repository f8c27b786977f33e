"""Units: cells and sheets cover a scene, and findings that cross them are shared out."""

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize
from shapely.affinity import affine_transform

from clearscene.errors import OptionError, VectorError
from clearscene.grid import Grid
from clearscene.inspection.result import Finding, Status, UnitScore
from clearscene.inspection.scoring import NOT_INSPECTED
from clearscene.inspection.standard import load_standard
from clearscene.inspection.units import (
    Unit,
    count_inspected,
    lot_of,
    parse_units,
    polygon_runs,
    score_units,
    units_of_centers,
)
from clearscene.runs import Runs

UTM = CRS.from_epsg(32648)
ROTATED = Grid(37, 61, Affine(10.0, 3.0, 500_120.0, 3.0, -10.0, 3_400_390.0), UTM)
NORTH_UP = Grid(37, 61, Affine(10.0, 0.0, 500_120.0, 0.0, -20.0, 3_400_390.0), UTM)
LONLAT = Grid(37, 61, Affine(1e-4, 0.0, 105.0, 0.0, -1e-4, 30.0), CRS.from_epsg(4326))
FEET = Grid(37, 61, Affine(10.0, 0.0, 5_000.0, 0.0, -10.0, 9_000.0), CRS.from_epsg(2263))


def finding(number: int, area: int, **more) -> Finding:
    return Finding(
        id=number, type_id=1, type="cloud", group="region", area_px=area, area_fraction=0, confidence=0.5,
        detector="x", bounds_px=(0, 0, 1, 1), **more,
    )  # fmt: skip


@pytest.mark.parametrize("grid", [ROTATED, NORTH_UP, LONLAT, FEET])
@pytest.mark.parametrize("text", ["scene", "grid:100m", "grid:0.13km", "grid:16px", "grid:7px"])
def test_cells_cover_every_pixel_once(grid, text):
    units = parse_units(text, grid)
    valid = np.random.default_rng(5).random((37, 61)) < 0.7
    counts = count_inspected(Runs.from_mask(valid), units, grid)
    assert sum(counts.values()) == valid.sum()
    assert sum(unit.polygon.area for unit in units) == pytest.approx(37 * 61)
    assert len({unit.name for unit in units}) == len(units)


def test_cells_lie_at_round_coordinates_from_the_top():
    units = parse_units("grid:500m", NORTH_UP)  # x 500120 to 500730, y 3399650 to 3400390
    assert [unit.name for unit in units] == [
        "E500000_N3400000", "E500500_N3400000", "E500000_N3399500", "E500500_N3399500",
    ]  # fmt: skip
    assert units[1].polygon.bounds == pytest.approx((38, 0, 61, 19.5))


def test_cells_in_degrees_have_the_size_asked_for():
    cell = max(parse_units("grid:100m", LONLAT), key=lambda unit: unit.polygon.area)
    left, top, right, bottom = cell.polygon.bounds
    assert (right - left) * 1e-4 * 111_320 * np.cos(np.radians(30)) == pytest.approx(100, rel=0.01)
    assert (bottom - top) * 1e-4 * 110_850 == pytest.approx(100, rel=0.01)


def test_neighboring_scenes_in_degrees_share_their_cells():
    east = Grid(37, 61, LONLAT.transform * Affine.translation(61, 8), LONLAT.crs)
    names = [{unit.name for unit in parse_units("grid:100m", grid)} for grid in (LONLAT, east)]
    assert names[0] & names[1]


def test_meters_are_feet_where_the_map_is():
    cell = max(parse_units("grid:50m", FEET), key=lambda unit: unit.polygon.area).polygon
    assert cell.bounds[2] - cell.bounds[0] == pytest.approx(50 / 0.3048006096 / 10)


@pytest.mark.parametrize(
    ("text", "grid", "message"),
    [
        ("grid:500", NORTH_UP, "'grid:500' is not a grid"),
        ("grid:0m", NORTH_UP, "a cell needs a size"),
        ("grid:500m", Grid(37, 61), "the scene has no CRS"),
        ("grid:0.1px", NORTH_UP, "makes 225,700 units"),
    ],
)
def test_wrong_grids(text, grid, message):
    with pytest.raises(OptionError, match=message):
        parse_units(text, grid)


def test_missing_sheet_file():
    with pytest.raises(VectorError, match=r"no\.gpkg"):
        parse_units("no.gpkg:name", NORTH_UP)


@pytest.mark.parametrize("seed", range(6))
def test_polygon_runs_are_the_raster_of_gdal(seed):
    random = np.random.default_rng(seed)
    blobs = [
        shapely.Point(xy).buffer(r, quad_segs=3)
        for xy, r in zip(random.uniform(-5, 65, (9, 2)), random.uniform(1, 15, 9), strict=True)
    ]
    polygon = shapely.union_all(blobs[:6]).difference(shapely.union_all(blobs[6:]))
    polygon = affine_transform(polygon, [1, 0.31, -0.17, 0.9, 3.01, 2.03])
    expected = rasterize([polygon], out_shape=(37, 61)).astype(bool)
    runs = polygon_runs(polygon, height=37, width=61)
    np.testing.assert_array_equal(runs.to_mask(Grid(37, 61).window), expected)
    assert np.all(runs.starts[1:][runs.rows[1:] == runs.rows[:-1]] > runs.stops[:-1][runs.rows[1:] == runs.rows[:-1]])


def test_polygon_beside_the_scene_has_no_runs():
    assert len(polygon_runs(shapely.box(70, 3, 90, 9), height=37, width=61)) == 0
    assert len(polygon_runs(shapely.Polygon(), height=37, width=61)) == 0


def test_a_finding_that_crosses_sheets_counts_in_each_with_its_part():
    units = [Unit("west", shapely.box(0, 0, 20, 37)), Unit("east", shapely.box(20, 0, 61, 37))]
    cloud = shapely.box(10, 5, 25, 15)  # two thirds in the west
    inspected = {"west": 740, "east": 1517}
    west, east = score_units(
        [finding(1, 60)], [cloud], units, standard=load_standard("percent-area"), inspected_px=inspected, grid=NORTH_UP
    )
    assert west.score == pytest.approx(100 - 100 * 40 / 740, abs=1e-4)
    assert east.score == pytest.approx(100 - 100 * 20 / 1517, abs=1e-4)
    assert (west.n_findings, east.n_findings, west.passed, east.passed) == (1, 1, False, True)
    assert east.bounds == (500_320.0, 3_399_650.0, 500_730.0, 3_400_390.0)


def test_touching_rejected_and_empty_units_count_nothing():
    units = [
        Unit("a", shapely.box(0, 0, 20, 37)),
        Unit("b", shapely.box(20, 0, 40, 37)),
        Unit("c", shapely.box(40, 0, 61, 37)),
    ]
    findings = [finding(1, 50), finding(2, 99, status=Status.REJECTED)]
    shapes = [shapely.box(10, 5, 20, 10), shapely.box(20, 0, 40, 37)]
    a, b, c = score_units(
        findings, shapes, units, standard=load_standard(), inspected_px={"a": 740, "b": 740, "c": 0}, grid=NORTH_UP
    )
    assert [u.n_findings for u in (a, b, c)] == [1, 0, 0]
    assert (b.score, c.grade, c.passed) == (100, NOT_INSPECTED, False)
    lot = lot_of([a, b, c])
    assert (lot.n_units, lot.n_passed, lot.passed_fraction) == (2, 2, 1.0)
    assert lot.mean_score == pytest.approx((a.score + 100) / 2)


def test_parts_of_a_finding_add_up():
    units = parse_units("grid:100m", ROTATED)
    shape = shapely.Point(30, 18).buffer(15)
    counts = count_inspected(Runs.from_mask(np.ones((37, 61), bool)), units, ROTATED)
    standard = load_standard("percent-area")
    scores = score_units([finding(1, 500)], [shape], units, standard=standard, inspected_px=counts, grid=ROTATED)
    parts = sum((100 - s.score) / 100 * s.inspected_px for s in scores)
    assert parts == pytest.approx(500, rel=1e-3)


def test_lot_of_nothing():
    assert lot_of([]).passed_fraction == 0


def test_center_names_the_unit():
    units = [Unit("west", shapely.box(0, 0, 20, 37)), Unit("east", shapely.box(20, 0, 50, 37))]
    shapes = [
        shapely.box(10, 5, 25, 15),
        shapely.box(19, 1, 30, 4),
        shapely.box(18, 0, 22, 9),
        shapely.box(55, 5, 58, 9),
    ]
    assert units_of_centers(shapes, units) == ["west", "east", "west", ""]
    assert units_of_centers([], units) == []


def test_unit_score_is_the_published_record():
    assert set(UnitScore.model_fields) >= {"unit", "bounds", "inspected_px", "n_findings", "score", "grade", "passed"}
