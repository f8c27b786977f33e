"""`clearscene score` and `clearscene compare` on a run folder, edited as QGIS edits it."""

import json
import sqlite3
from datetime import UTC, datetime

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from clearscene.errors import OptionError, OutputError, ResultError, VectorError
from clearscene.grid import Grid
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.charging import Extent, Rest
from clearscene.inspection.compare import compare
from clearscene.inspection.layers import defect_layer, scene_layer
from clearscene.inspection.matching import MatchRule
from clearscene.inspection.report import write_json
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Finding, Pixels, Report, SceneInfo, Timing, UnitScore
from clearscene.inspection.run_folder import remember_shapes
from clearscene.inspection.scoring import score_findings, type_penalties
from clearscene.inspection.standard import load_standard, standard_text
from clearscene.inspection.summary import summarize
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.inspection.units import parse_units
from clearscene.vector.geopackage import edit, encode, write_geopackage
from clearscene.vector.layer import Layer, write_layer
from clearscene.vector.outline import to_map
from tests.command import clearscene

GRID = Grid(300, 410, Affine(0.5, 0.1, 500_120.0, 0.1, -0.5, 3_400_390.0), CRS.from_epsg(4549))
PLAIN = Grid(300, 410)
INSPECTED = 120_000
NO_MODEL = Bilingual(en="no model", zh="没有模型")
SHAPES = {
    1: ("cloud", shapely.box(50, 60, 110, 100)),  # 2,400 px, 2 %
    2: ("cloud", shapely.box(200, 200, 220, 230)),  # 600 px
    3: ("blur", shapely.box(300, 20, 340, 50)),  # 1,200 px, 1 %
    4: ("stripe", shapely.box(10, 250, 400, 253)),
    5: ("stitching_trace", shapely.box(0, 120, 410, 136)),
}


def finding(number: int, name: str, shape: shapely.Polygon, grid: Grid) -> Finding:
    """As detected: three pixels fewer than drawn, so that a remeasured area shows."""
    defect = BY_NAME[name]
    has_crs, is_boundary = grid.is_georeferenced, defect.group == "boundary"
    area = round(shape.area) - 3
    return Finding(
        id=number,
        type_id=defect.id,
        type=name,
        group=defect.group.value,
        area_px=area,
        area_m2=0.26 * area if has_crs else None,
        area_fraction=0 if is_boundary else area / INSPECTED,
        length_px=410 if is_boundary else None,
        length_m=209 if is_boundary and has_crs else None,
        confidence=0.7,
        detector=f"rule:{name}",
        bounds_px=tuple(round(v) for v in shape.bounds),
    )


def make_run(folder, *, grid=GRID, rest=None, units=(), standard="gbt24356"):
    folder.mkdir(parents=True)
    found = [finding(n, name, shape, grid) for n, (name, shape) in SHAPES.items()]
    rest = rest or {}
    m2 = 0.26 * INSPECTED if grid.is_georeferenced else None
    sizes = {"inspected_px": INSPECTED, "inspected_m2": m2, "rest": rest}
    found, score = score_findings(found, load_standard(standard), **sizes)
    penalties = type_penalties(found, load_standard(standard), **sizes)
    report = Report(
        clearscene_version="0",
        created=datetime(2026, 1, 2, tzinfo=UTC),
        scene=SceneInfo(
            name="scene", path="scene.tif", driver="GTiff", height=grid.height, width=grid.width, dtype="uint8",
            bands={"red": 1}, n_bands=3, crs=grid.crs.to_string() if grid.crs else None, resolution=grid.resolution,
            bounds=grid.bounds, transform=tuple(grid.transform)[:6],
        ),
        pixels=Pixels(total=123_000, valid=INSPECTED, nodata=3_000, collar=0, inspected=INSPECTED, inspected_m2=m2),
        score=score,
        units=list(units),
        types=summarize(
            found, penalties=penalties, rest=rest, not_inspected={"distortion": NO_MODEL},
            inspected=Extent(INSPECTED, m2),
        ),
        findings=found,
        detectors=[],
        timing=Timing(seconds=1, seconds_per_mpx=1, peak_memory_mb=1, workers=1),
    )  # fmt: skip
    shapes = np.array([shape for _, shape in SHAPES.values()], object)
    layers = [defect_layer(found, to_map(shapes, grid.transform), grid), scene_layer(report, grid)]
    write_geopackage(folder / "defects.gpkg", layers)
    remember_shapes(folder / "defects.gpkg")
    write_json(report, folder)
    return folder


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "测区 东" / "scene")


def sql(run, *statements):
    with edit(run / "defects.gpkg") as database:
        for statement in statements:
            database.execute(*statement) if isinstance(statement, tuple) else database.execute(statement)


def blob(shape, grid=GRID):
    [placed] = to_map(np.array([shapely.MultiPolygon([shape])], object), grid.transform)
    return encode(placed, 4549)


def layer(run):
    with edit(run / "defects.gpkg") as database:
        return {row["id"]: dict(row) for row in database.execute("SELECT * FROM defects")}


def whats(report):
    return [change.what.en for change in report.changes]


def test_nothing_edited_changes_nothing(run):
    before = (run / "report.json").read_text("utf-8")
    after = rescore(run)
    assert after == Report.model_validate_json(before)
    assert after.changes == []


def test_rejected(run):
    before = Report.model_validate_json((run / "report.json").read_text("utf-8"))
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id IN (1, 2, 4)")
    report = rescore(run, who="王丽")
    assert report.score.score == before.score.score + 12 + 4  # cloud B, stripe C
    assert whats(report)[0] == "findings 1-2, 4: status proposed -> rejected"
    assert report.changes[0].who == "王丽"
    assert [t.count for t in report.types if t.type in ("cloud", "stripe", "blur")] == [0, 1, 0]
    assert (layer(run)[1]["penalty"], layer(run)[1]["error_class"], layer(run)[3]["error_class"]) == (0, "", "C")
    assert Report.model_validate_json((run / "report.json").read_text("utf-8")) == report
    assert rescore(run).changes == report.changes  # nothing new the second time


@pytest.mark.parametrize(
    ("column", "value"), [("type", "shadow"), ("type_id", 2), ("type_en", "Shadow"), ("type_zh", "阴影")]
)
def test_type_corrected_in_any_column(run, column, value):
    sql(run, (f"UPDATE defects SET {column} = ? WHERE id = 1", (value,)))
    report = rescore(run)
    row = layer(run)[1]
    assert (row["type"], row["type_id"], row["type_en"], row["type_zh"]) == ("shadow", 2, "Shadow", "阴影")
    assert report.findings[0].area_px == 2397  # the detected size stays
    assert whats(report)[0] == "finding 1: type cloud -> shadow"


def test_type_of_another_group(run):
    sql(run, "UPDATE defects SET type = 'misalignment' WHERE id = 4")
    finding = rescore(run).findings[3]
    assert (finding.group, finding.area_px, finding.area_fraction) == ("boundary", 1167, 0)
    assert finding.length_px == pytest.approx(390)
    assert finding.length_m == pytest.approx(390 * np.hypot(0.5, 0.1), rel=1e-3)


def test_polygon_added_as_qgis_leaves_it(run):
    shape = shapely.box(100, 150, 150, 180)
    sql(run, ("INSERT INTO defects (geom, type_zh, remark) VALUES (?, '模糊', '补画')", (blob(shape),)))
    report = rescore(run)
    new = report.findings[-1]
    assert (new.id, new.type, new.status, new.detector, new.remark) == (6, "blur", "added", "person", "补画")
    assert (new.area_px, new.bounds_px) == (1500, (100, 150, 150, 180))
    assert new.area_m2 == pytest.approx(1500 * 0.26, rel=1e-3)
    assert new.area_fraction == pytest.approx(1500 / INSPECTED)
    assert new.penalty > 0
    assert layer(run)[6]["area_px"] == 1500
    assert whats(report)[0] == "finding 6: blur added, 1500 px"
    assert rescore(run).changes == report.changes
    sql(run, "DELETE FROM defects WHERE id = 6")
    assert whats(rescore(run))[-2:][0] == "finding 6: blur deleted"


def test_polygon_moved_is_measured_and_others_keep_their_sizes(run):
    sql(run, ("UPDATE defects SET geom = ? WHERE id = 2", (blob(shapely.box(-30, 200, 20, 230)),)))
    report = rescore(run)
    assert [f.area_px for f in report.findings] == [2397, 600, 1197, 1167, 6557]
    assert report.findings[1].bounds_px == (0, 200, 20, 230)
    assert whats(report)[0] == "finding 2: shape changed, 597 -> 600 px"


def test_split_polygon_keeps_its_id_once(run):
    west, east = blob(shapely.box(50, 60, 80, 100)), blob(shapely.box(80, 60, 110, 100))
    columns = "id, type, type_id, type_en, type_zh, status"
    sql(
        run,
        ("UPDATE defects SET geom = ? WHERE id = 1", (west,)),
        (f"INSERT INTO defects (geom, {columns}) SELECT ?, {columns} FROM defects WHERE id = 1", (east,)),
    )
    report = rescore(run)
    assert [(f.id, f.area_px) for f in report.findings if f.type == "cloud"] == [(1, 1200), (2, 597), (6, 1200)]
    assert report.score.score == 76  # the pooled area is what it was


def test_copy_does_not_take_the_id_of_the_original(run):
    sql(run, "UPDATE defects SET id = 1 WHERE id = 2")
    report = rescore(run)
    assert [(f.id, f.area_px) for f in report.findings if f.type == "cloud"] == [(1, 2397), (6, 600)]
    assert "finding 2: cloud deleted" in whats(report)


def test_without_hashes_the_bounds_tell(run):
    sql(
        run,
        "DROP TABLE clearscene_shapes",
        ("UPDATE defects SET geom = ? WHERE id = 2", (blob(shapely.box(200, 200, 220, 260)),)),
    )
    assert [f.area_px for f in rescore(run).findings] == [2397, 1200, 1197, 1167, 6557]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE defects SET type = 'clouds' WHERE id = 1", r"type 'clouds', which is no type.*feature 1"),
        ("UPDATE defects SET type = 'blur', type_id = 2 WHERE id = 1", r"blur and shadow at once"),
        ("UPDATE defects SET status = 'wrong' WHERE id = 1", r"status 'wrong'.*rejected"),
        ("INSERT INTO defects (geom) SELECT geom FROM defects WHERE id = 1", r"new polygon has no type"),
    ],
)
def test_slip_in_the_layer_is_named_and_nothing_is_written(run, statement, message):
    sql(run, statement)
    before = (run / "report.json").read_bytes()
    with pytest.raises(VectorError, match=message):
        rescore(run)
    assert (run / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("已驳回", "rejected"), (" Rejected ", "rejected"), ("REJECTED", "rejected"), ("已确认", "accepted"),
        ("已接受", "accepted"), ("Accepted", "accepted"), ("待确认", "proposed"), ("人工补充", "added"),
    ],
)  # fmt: skip
def test_status_as_the_reports_show_it(run, word, status):
    sql(run, ("UPDATE defects SET status = ? WHERE id = 1", (word,)))
    assert rescore(run).findings[0].status == status
    assert layer(run)[1]["status"] == status


def test_polygon_outside_the_scene(run):
    sql(run, ("UPDATE defects SET geom = ? WHERE id = 1", (blob(shapely.box(-90, 0, -50, 9)),)))
    with pytest.raises(VectorError, match="outside the scene"):
        rescore(run)


def test_scene_without_crs(tmp_path):
    run = make_run(tmp_path / "plain", grid=PLAIN)
    sql(
        run,
        (
            "INSERT INTO defects (geom, type) VALUES (?, 'stitching_trace')",
            (encode(to_map(np.array([shapely.box(5, 6, 105, 16)], object), PLAIN.transform)[0], -1),),
        ),
    )
    new = rescore(run).findings[-1]
    assert (new.area_px, new.area_m2, new.length_m, new.length_px) == (1000, None, None, pytest.approx(100))


def test_own_standard_is_found_again(run):
    own = standard_text("gbt24356").replace('"gbt24356"', '"ours"', 1).replace("deduction = 4", "deduction = 5")
    (run / "standard.toml").write_text(own, "utf-8")
    report = rescore(run)
    assert (report.score.standard, report.score.score) == ("ours", 100 - 12 - 5 * 3)
    assert whats(report) == ["score 76 (good) -> 73 (pass) by ours"]


def test_undrawn_findings_stay_until_all_of_their_type_are_rejected(tmp_path):
    run = make_run(tmp_path / "many", rest={"stripe": Rest(40, 2_000)})
    before = rescore(run)
    stripe = next(t for t in before.types if t.type == "stripe")
    assert (stripe.count, stripe.n_not_drawn, stripe.area_px) == (41, 40, 3_167)
    assert stripe.penalty == 12
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id = 4")
    after = rescore(run)
    assert after.score.score == before.score.score + 12
    sql(run, "UPDATE defects SET status = 'accepted' WHERE id = 4")
    assert rescore(run).score.score == before.score.score


def test_units_are_scored_again(tmp_path):
    left, bottom, right, top = PLAIN.bounds
    halves = [("west", (left, bottom, 205, top)), ("east", (205, bottom, right, top))]
    units = [
        UnitScore(unit=n, bounds=b, inspected_px=60_000, n_findings=0, score=100, grade="x", passed=True)
        for n, b in halves
    ]
    run = make_run(tmp_path / "units", grid=PLAIN, units=units)
    west, east = rescore(run).units
    assert (west.n_findings, east.n_findings) == (4, 4)  # cloud 2 lies on both sides
    assert rescore(run).findings[2].unit == "east"
    sql(run, "UPDATE defects SET status = 'rejected'")
    assert [u.score for u in rescore(run).units] == [100, 100]


def test_qgis_sees_no_layer_more(run):
    rescore(run)
    assert "clearscene_shapes" not in pyogrio.list_layers(run / "defects.gpkg")[:, 0]


def test_missing_run(tmp_path):
    with pytest.raises(ResultError, match=r"no defects.gpkg"):
        rescore(tmp_path)


def test_a_run_that_is_not_there_is_named_by_its_place(tmp_path, monkeypatch):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert f"error: There is no defects.gpkg in {tmp_path}.\n" in clearscene("score", "..", check=2).stderr
    for words in (("score", "../nothere"), ("compare", "../nothere", "x.shp")):
        assert "error: There is no file or folder ../nothere.\n" in clearscene(*words, check=2).stderr


def test_broken_record(run):
    (run / "report.json").write_text("{}", "utf-8")
    with pytest.raises(ResultError, match=r"report.json cannot be read"):
        rescore(run)


def test_layer_that_is_locked(run):
    lock = sqlite3.connect(run / "defects.gpkg", timeout=0)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(
            OutputError, match=r"defects\.gpkg is locked by another program.*Save the edits in QGIS and close"
        ):
            rescore(run)
    finally:
        lock.close()


def test_score_command(run):
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id = 1")
    done = clearscene("score", run, "--who", "Li", check=0)
    assert done.stdout.startswith("87.0")
    assert "draft grade" in done.stdout
    assert "Li: finding 1: status proposed -> rejected" in done.stdout
    assert done.stderr == ""
    done = clearscene("score", run / "defects.gpkg", "--json", "--fail-under", "99", "--standard", "strict", check=1)
    assert json.loads(done.stdout)["score"]["standard"] == "strict"
    assert "under 99" in done.stderr
    assert rescore(run).score.standard == "strict"  # the run keeps what it was last scored by
    done = clearscene("score", run, "--standard", "strickt", check=2)
    assert done.stdout == ""
    assert "strict" in done.stderr


def write_reference(path, shapes, fields, *, driver="ESRI Shapefile", crs=GRID.crs, grid=GRID, **more):
    placed = to_map(np.array(shapes, object), grid.transform)
    write_layer(path, Layer("reference", "Polygon", placed, fields, crs), driver, options={}, **more)
    return path


def row_of(comparison, name):
    return next(row for row in comparison.types if row.type == name)


def test_a_run_against_itself(run):
    comparison = compare(run, run / "defects.gpkg")
    assert comparison.total.area_iou == comparison.total.area_precision == comparison.total.area_recall == 1
    assert (comparison.total.n_found, comparison.total.n_false, comparison.missed, comparison.false) == (5, 0, [], [])


def test_found_missed_false_by_hand(run, tmp_path):
    shapes = [
        shapely.box(50, 60, 110, 120),  # cloud 1 covers two thirds
        shapely.box(350, 250, 390, 290),  # cloud nobody found
        shapely.box(300, 20, 340, 50),  # found, but as blur
        shapely.box(0, 126, 400, 127),  # a thin seam in the marked strip
    ]
    fields = {"类型": ["云", "Cloud", "2", "拼接痕迹"], "points": [4.0, 1.0, 2.5, 1.0]}
    path = write_reference(tmp_path / "参考.shp", shapes, fields, encoding="GBK")
    comparison = compare(run, path, penalty_field="points")
    cloud, blur, seam = (row_of(comparison, n) for n in ("cloud", "blur", "stitching_trace"))
    assert (cloud.n_reference, cloud.n_found, cloud.n_missed, cloud.n_run, cloud.n_false) == (2, 1, 1, 2, 1)
    assert cloud.area_iou == pytest.approx(2400 / (3000 + 3600 + 1600 - 2400), abs=1e-5)
    assert cloud.area_precision == pytest.approx(2400 / 3000, abs=1e-5)
    assert cloud.area_recall == pytest.approx(2400 / 5200, abs=1e-5)
    assert (blur.n_reference, blur.n_false, blur.area_recall) == (0, 1, None)
    assert (seam.n_found, seam.n_false) == (1, 0)
    assert (comparison.missed, comparison.false) == ([1, 2], [2, 3, 4])
    assert (cloud.penalty_run, cloud.penalty_reference, cloud.penalty_difference) == (12, 5, 7)
    assert comparison.total.penalty_reference == 8.5


def test_reference_is_scored_by_the_standard_of_the_run(run, tmp_path):
    path = write_reference(tmp_path / "r.shp", [shapely.box(0, 0, 200, 200)], {"category_i": [1]})
    assert row_of(compare(run, path), "cloud").penalty_reference == 42


def test_reference_in_another_crs_and_without_one(run, tmp_path):
    lonlat = tmp_path / "lonlat.geojson"
    shape = np.array([shapely.box(50, 60, 110, 100)], object)
    to_lonlat = Transformer.from_crs(GRID.crs, 4326, always_xy=True)
    moved = shapely.transform(to_map(shape, GRID.transform), lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    write_layer(lonlat, Layer("r", "Polygon", moved, {"type": ["cloud"]}, CRS.from_epsg(4326)), "GeoJSON", options={})
    bare = write_reference(tmp_path / "bare.shp", shape, {"type": ["cloud"]}, crs=None)
    for path in (lonlat, bare):
        assert row_of(compare(run, path), "cloud").area_recall == pytest.approx(1, abs=1e-3)


def test_lines_have_a_width(run, tmp_path):
    line = to_map(np.array([shapely.LineString([(0, 128), (400, 128)])], object), GRID.transform)
    path = tmp_path / "lines.gpkg"
    write_layer(path, Layer("r", "LineString", line, {"type": ["stitching_trace"]}, GRID.crs), "GPKG", options={})
    seam = row_of(compare(run, path), "stitching_trace")
    assert (seam.n_found, seam.n_false) == (1, 0)


def test_rejected_findings_are_no_part_of_it(run, tmp_path):
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'blur'")
    rescore(run)
    path = write_reference(tmp_path / "r.shp", [SHAPES[3][1]], {"type": ["blur"]})
    assert (row_of(compare(run, path), "blur").n_run, row_of(compare(run, path), "blur").n_missed) == (0, 1)


def test_fields_that_hold_no_types(run, tmp_path):
    path = write_reference(tmp_path / "r.shp", [SHAPES[3][1]], {"who": ["Li"], "points": ["many"]})
    with pytest.raises(VectorError, match=r"No field of .*--type-field.*who, points"):
        compare(run, path)
    with pytest.raises(VectorError, match=r"field who holds 'Li', which is no type.*feature id 0"):
        compare(run, path, type_field="who")
    with pytest.raises(VectorError, match=r"no field 'whos'.*mean 'who'"):
        compare(run, path, type_field="whos")
    path = write_reference(tmp_path / "p.shp", [SHAPES[3][1]], {"type": [3], "points": ["many"]})
    with pytest.raises(VectorError, match=r"points 'many' is no number"):
        compare(run, path, penalty_field="points")


def test_match_rule_is_checked():
    with pytest.raises(ValueError, match="min_cover is 0"):
        MatchRule(min_cover=0)
    with pytest.raises(OptionError, match="tolerance is -1"):
        MatchRule(tolerance_px=-1)


def test_lines_outlined_by_hand_are_found(tmp_path):
    run = make_run(tmp_path / "run", grid=PLAIN)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id = 4")
    lines = [shapely.box(20, 10, 300, 12), shapely.box(33, 40, 34, 41), shapely.box(0, 280, 400, 282)]
    for name, line in zip(("stripe", "missing", "stripe"), lines, strict=True):
        placed = to_map(np.array([line], object), PLAIN.transform)[0]
        sql(run, ("INSERT INTO defects (geom, type) VALUES (?, ?)", (encode(placed, -1), name)))
    rescore(run)
    boxes = [line.buffer(4, join_style="mitre") for line in lines[:2]]
    quarter = shapely.box(0, 276, 100, 286)  # three quarters of the third line lie outside
    shapes, types = [*boxes, quarter], ["stripe", "missing", "stripe"]
    path = write_reference(tmp_path / "r.gpkg", shapes, {"type": types}, driver="GPKG", crs=None, grid=PLAIN)
    comparison = compare(run, path)
    stripe, missing = row_of(comparison, "stripe"), row_of(comparison, "missing")
    assert (missing.n_found, missing.n_false) == (1, 0)
    assert missing.area_iou == pytest.approx(1 / 81, abs=1e-6)  # areas stay strict
    assert (stripe.n_found, stripe.n_missed, stripe.n_false) == (1, 1, 1)
    assert (comparison.missed, comparison.tolerance_px) == ([3], 5)  # a GeoPackage counts from 1
    done = clearscene("compare", run, path, "--tolerance", "2.5", check=0)
    assert "lies mostly inside it, grown by 2.5 px" in done.stdout


@pytest.mark.parametrize(("tolerance_px", "n_found"), [(1.05, 1), (0.95, 0)])
def test_tolerance_is_how_far_a_finding_may_lie_outside(run, tmp_path, tolerance_px, n_found):
    # The stripe is 390 x 3 px; the box holds 0.5 px of its width, so grown by 1 px half of it.
    path = write_reference(tmp_path / "r.shp", [shapely.box(10, 252.5, 400, 270)], {"type": ["stripe"]})
    row = row_of(compare(run, path, rule=MatchRule(tolerance_px=tolerance_px)), "stripe")
    assert (row.n_found, row.n_false) == (n_found, 1 - n_found)


def test_tolerance_is_not_for_regions(run, tmp_path):
    path = write_reference(tmp_path / "r.shp", [shapely.box(0, 0, 200, 200)], {"type": ["cloud"]})
    assert row_of(compare(run, path), "cloud").n_missed == 1


def test_a_slip_among_types_is_named(run, tmp_path):
    shapes, fields = (
        [SHAPES[1][1], SHAPES[2][1], SHAPES[3][1]],
        {"label": ["a", "b", "c"], "类型": ["云", "道路", "模糊"]},
    )
    path = write_reference(tmp_path / "r.shp", shapes, fields, encoding="UTF-8")
    for field in (None, "类型"):
        with pytest.raises(
            VectorError, match=r"field 类型 holds '道路'.*feature id 1 in QGIS.*1 Cloud 云.*--type-field"
        ):
            compare(run, path, type_field=field)
    path = write_reference(tmp_path / "one.shp", shapes[:1], {"类型": ["道路"]}, encoding="UTF-8")
    with pytest.raises(VectorError, match=r"field 类型 holds '道路'"):
        compare(run, path)


def test_shapefile_without_prj_is_said_so(run, tmp_path, caplog):
    compare(run, write_reference(tmp_path / "with.shp", [SHAPES[1][1]], {"type": ["cloud"]}))
    assert caplog.text == ""
    compare(run, write_reference(tmp_path / "bare.shp", [SHAPES[1][1]], {"type": ["cloud"]}, crs=None))
    assert "bare.shp has no .prj: its coordinates are taken to be in the scene's EPSG:4549" in caplog.text


def test_missed_and_false_as_layers(run, tmp_path):
    shapes = [shapely.box(50, 60, 110, 120), shapely.box(350, 250, 390, 290)]
    path = write_reference(tmp_path / "r.shp", shapes, {"类型": ["云", "模糊"]}, encoding="UTF-8")
    out = tmp_path / "差异.gpkg"
    assert str(out) in clearscene("compare", run, path, "--out", out, check=0).stdout
    meta, _, wkb, columns = pyogrio.raw.read(out, layer="missed")
    assert (meta["crs"], dict(zip(meta["fields"], (c.tolist() for c in columns), strict=True))["type_zh"]) == (
        "EPSG:4549", ["模糊"],
    )  # fmt: skip
    placed = to_map(np.array(shapes[1:], object), GRID.transform)
    assert shapely.area(shapely.symmetric_difference(shapely.from_wkb(wkb), placed)).max() < 1e-3
    meta, _, _, columns = pyogrio.raw.read(out, layer="false")
    assert dict(zip(meta["fields"], (c.tolist() for c in columns), strict=True))["id"] == [2, 3, 4, 5]
    compare(run, run / "defects.gpkg", out=out)
    assert [pyogrio.read_info(out, layer=name)["features"] for name in ("missed", "false")] == [0, 0]


def test_compare_command(run, tmp_path):
    path = write_reference(tmp_path / "r.shp", [SHAPES[1][1], shapely.box(1, 1, 9, 9)], {"type": ["cloud", "cloud"]})
    done = clearscene("compare", run, path, check=0)
    assert "Cloud" in done.stdout
    assert "Missed polygons, by their feature id as QGIS shows it: 1\n" in done.stdout
    assert "False findings, by their id: 2, 3, 4, 5\n" in done.stdout
    assert "penalty of the reference, by the standard gbt24356;" in done.stdout
    done = clearscene("compare", run, path, "--json", check=0)
    assert json.loads(done.stdout)["total"]["n_missed"] == 1
    assert clearscene("compare", run, tmp_path / "no.shp", check=2).stdout == ""


def test_units_from_a_file_of_sheets(tmp_path):
    shapes = [shapely.box(-9, -9, 205, 310), shapely.box(205, -9, 500, 310), shapely.box(900, 0, 950, 9)]
    fields = {"图号": ["H48-1", "H48-1", "H48-9"], "owner": ["a", "b", "c"]}
    path = write_reference(tmp_path / "图幅.shp", shapes, fields, encoding="GBK")
    west, east = parse_units(str(path), GRID)
    assert (west.name, east.name) == ("H48-1", "H48-1-2")
    assert (west.polygon.area, east.polygon.area) == (pytest.approx(205 * 300), pytest.approx(205 * 300))
    assert [unit.name for unit in parse_units(f"{path}:owner", GRID)] == ["a", "b"]
    with pytest.raises(VectorError, match=r"no field 'ownr'.*mean 'owner'"):
        parse_units(f"{path}:ownr", GRID)
    with pytest.raises(OptionError, match="none of its polygons touches the scene"):
        parse_units(str(path), Grid(30, 40, GRID.transform * Affine.translation(5_000, 0), GRID.crs))
