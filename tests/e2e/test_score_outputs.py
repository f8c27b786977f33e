"""Every file of a run follows when `clearscene score` finds the polygons edited: layers, copies, report."""

import base64
import json
import re
import shutil
import sqlite3

import cv2
import numpy as np
import pyogrio
import pytest
import shapely

from clearscene.errors import OutputError
from clearscene.inspection import pdf
from clearscene.inspection.batch import write_index
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Report
from clearscene.inspection.run import inspect_batch
from clearscene.vector.geopackage import edit
from clearscene.vector.layer import Layer, write_layer
from clearscene.vector.outline import to_map
from tests.command import clearscene
from tests.html_reader import Reader
from tests.scenes import TRANSFORM, UTM, defective, ground, write_scene

SHEETS = {
    "H50-1": shapely.Polygon([(0, 0), (260, -5), (240, 240), (0, 190)]),
    "H50-2": shapely.Polygon([(260, -5), (520, 0), (520, 400), (255, 395), (240, 240)]),
    "H50-3": shapely.Polygon([(0, 190), (240, 240), (255, 395), (0, 400)]),
}
"""Map sheets that no box describes, in pixels; they tile the scene."""


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    """A scene with known defects, inspected once with everything that scoring must keep up."""
    folder = tmp_path_factory.mktemp("scored")
    scene = write_scene(folder / "影像.tif", defective().data)
    placed = to_map(np.array(list(SHEETS.values()), object), TRANSFORM)
    sheets = Layer("sheets", "Polygon", placed, {"图号": list(SHEETS)}, UTM)
    write_layer(folder / "图幅.gpkg", sheets, "GPKG", options={})
    words = ("--units", folder / "图幅.gpkg", "--format", "gpkg,shp,geojson", "--encoding", "GBK")
    clearscene("inspect", scene, "--out", folder / "out", *words, check=0)
    return folder / "out" / "影像"


@pytest.fixture
def run(inspected, tmp_path):
    """A copy of the run, to be edited."""
    return shutil.copytree(inspected, tmp_path / "run")


def sql(run, *statements):
    with edit(run / "defects.gpkg") as database:
        for statement in statements:
            database.execute(statement)


def report_of(run):
    return Report.model_validate_json((run / "report.json").read_text("utf-8"))


def rows(path, layer=None):
    """Attributes of a layer, a dict a feature."""
    meta, _, _, columns = pyogrio.raw.read(path, layer=layer)
    return [dict(zip(meta["fields"], values, strict=True)) for values in zip(*columns, strict=True)]


def text_of(run):
    return Reader((run / "report.html").read_text("utf-8")).text


def test_units_are_a_layer_with_the_shape_of_the_sheets(run):
    meta, _, wkb, _ = pyogrio.raw.read(run / "defects.gpkg", layer="units")
    assert meta["crs"] == "EPSG:32648"
    inside = shapely.box(0, 0, 517, 389)
    for shape, row, sheet in zip(
        shapely.from_wkb(wkb), rows(run / "defects.gpkg", "units"), SHEETS.items(), strict=True
    ):
        name, pixels = sheet
        assert row["name"] == name
        expected = to_map(np.array([shapely.intersection(pixels, inside)], object), TRANSFORM)[0]
        assert shapely.area(shapely.symmetric_difference(shape, expected)) < 1e-6
        assert row["inspected_px"] == pytest.approx(shapely.intersection(pixels, inside).area, rel=0.01)
    assert sum(row["inspected_px"] for row in rows(run / "defects.gpkg", "units")) == 389 * 517


def test_scoring_again_without_an_edit_changes_no_number(run):
    before, units = report_of(run), rows(run / "defects.gpkg", "units")
    assert rescore(run) == before
    assert rows(run / "defects.gpkg", "units") == units


def test_without_units_there_is_no_such_layer(tmp_path):
    scene = write_scene(tmp_path / "s.tif", ground(90, 110))
    clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    assert pyogrio.list_layers(tmp_path / "out/s/defects.gpkg")[:, 0].tolist()[:2] == ["defects", "scene"]
    assert "units" not in pyogrio.list_layers(tmp_path / "out/s/defects.gpkg")


def test_layers_of_the_scene_and_of_units_follow(run):
    [before] = rows(run / "defects.gpkg", "scene")
    assert (before["scored"], before["score"]) == (before["created"], 84)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'stripe'")
    clearscene("score", run, "--standard", "strict", check=0)
    report = report_of(run)
    [scene] = rows(run / "defects.gpkg", "scene")
    assert scene["score"] == report.score.score != before["score"]
    assert (scene["standard"], scene["grade"], scene["passed"]) == ("strict", report.score.grade, False)
    assert scene["n_findings"] == sum(t.count for t in report.types) == 7
    assert scene["created"] == before["created"]
    assert scene["scored"] == report.changes[-1].when.isoformat(timespec="seconds")
    units = rows(run / "defects.gpkg", "units")
    assert [(u["name"], u["score"], u["passed"], u["n_findings"]) for u in units] == [
        (u.unit, u.score, u.passed, u.n_findings) for u in report.units
    ]
    # The dropped line is in the first two sheets; the bounds of the third, but not the sheet, hold a part of it.
    assert [u["n_findings"] for u in units] == [2, 4, 2]


def test_shapefile_and_geojson_follow_in_their_encoding(run):
    sql(
        run,
        "UPDATE defects SET status = 'rejected', remark = '屋顶' WHERE id = 1",
        "DELETE FROM defects WHERE id = 2",
    )
    rescore(run)
    layer = rows(run / "defects.gpkg", "defects")
    assert (run / "defects.cpg").read_text() == "GBK"
    assert "屋顶".encode("gbk") in (run / "defects.dbf").read_bytes()
    for name in ("defects.shp", "defects.geojson"):
        copied = rows(run / name)
        for column in ("id", "type", "status", "remark", "penalty", "area_px"):
            assert [row[column] or "" for row in copied] == [row[column] or "" for row in layer], (name, column)
    assert layer[0]["remark"] == "屋顶"
    assert 2 not in [row["id"] for row in layer]


def test_a_remark_that_gbk_cannot_hold_turns_the_shapefile_to_utf8(run, caplog):
    sql(run, "UPDATE defects SET remark = '房顶 🏠' WHERE id = 1")
    rescore(run)
    assert (run / "defects.cpg").read_text() == "UTF-8"
    assert rows(run / "defects.shp")[0]["remark"] == "房顶 🏠"
    assert "written in UTF-8" in caplog.text


def test_report_page_shows_the_new_score_and_the_history(run):
    assert "84.0 of 100" in text_of(run)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'stripe'")
    done = clearscene("score", run, "--who", "Li", check=0)
    text = text_of(run)
    assert "88.0 of 100" in text
    assert "84.0 of 100" not in text
    assert "2 rejected, not counted" in text
    assert "Li findings 1-2: status proposed -> rejected" in text
    assert "score 84 (good) -> 88 (good) by gbt24356" in text
    assert done.stdout.startswith("88.0  passed, draft grade: Good, by gbt24356\n")
    assert "Li: findings 1-2: status proposed -> rejected" in done.stdout
    assert "2 of 3 units passed" in done.stdout
    again = clearscene("score", run, check=0).stdout
    assert "Nothing has changed since the last scoring." in again
    assert "rejected" not in again


def test_a_type_that_was_not_looked_for_and_is_added_by_hand_is_in_the_table(run):
    sql(run, "UPDATE defects SET type = 'cloud' WHERE id = 3")
    clearscene("score", run, check=0)
    assert "Cloud added by hand, not looked for Region 1" in text_of(run)


def _crops(run):
    html = (run / "report.html").read_text("utf-8")
    return {int(n): uri for n, uri in re.findall(r'id="f(\d+)">\s*<div class="crop"><img [^>]*?src="([^"]+)"', html)}


def _forget_scene(run):
    record = json.loads((run / "report.json").read_text("utf-8"))
    place = record["scene"]["path"]
    record["scene"]["path"] = str(run.parent / "gone.tif")
    (run / "report.json").write_text(json.dumps(record), "utf-8")
    return place


def test_nothing_changed_leaves_the_report_untouched(run, monkeypatch, caplog):
    _forget_scene(run)
    _with_pdf(run)
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    before = [(run / name).stat().st_mtime_ns for name in ("report.html", "report.pdf")]
    clearscene("score", run, check=0)
    assert [(run / name).stat().st_mtime_ns for name in ("report.html", "report.pdf")] == before
    assert caplog.text == ""


def test_old_pictures_are_kept_when_the_scene_is_gone(run, caplog):
    place = _forget_scene(run)
    old = _crops(run)
    assert len(old) > 3
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id = 1", "UPDATE defects SET type = 'cloud' WHERE id = 3")
    clearscene("score", run, check=0)
    assert "keeps its old pictures" in caplog.text
    assert "gone.tif" in caplog.text
    assert "--scene" in caplog.text
    kept = _crops(run)
    assert set(kept) == set(old) - {1, 3}  # 3 would have an outline in the color of its old type
    pairs = [(_picture(uri), _picture(old[n])) for n, uri in kept.items()]
    assert all(np.abs(new.astype(int) - then).mean() < 1 for new, then in pairs)
    assert "No overview could be drawn." not in text_of(run)
    clearscene("score", run, "--scene", place, check=0)  # nothing has changed, but now there are pictures for all
    assert set(_crops(run)) == set(old) - {1}


def _picture(uri):
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)


def test_a_scene_of_another_size_is_refused_before_anything_is_written(run, tmp_path):
    other = write_scene(tmp_path / "other.tif", ground(90, 110))
    sql(run, "UPDATE defects SET status = 'rejected' WHERE id = 1")
    before = (run / "report.json").read_bytes()
    done = clearscene("score", run, "--scene", other, check=2)
    assert "110 x 90 px, and the scene had 517 x 389" in done.stderr
    assert (run / "report.json").read_bytes() == before


def test_index_of_the_batch_follows(run):
    assert not (run.parent / "index.html").exists()
    write_index([(run, report_of(run))], run.parent)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'stripe'")
    clearscene("score", run, check=0)
    text = Reader((run.parent / "index.html").read_text("utf-8")).text
    assert "88.0" in text
    assert "84.0" not in text
    assert ",88.0," in (run.parent / "summary.csv").read_text("utf-8-sig")


def test_pictures_are_left_out_when_scene_and_old_report_are_gone(run, caplog):
    (run / "report.html").unlink()
    record = json.loads((run / "report.json").read_text("utf-8"))
    record["scene"]["path"] = str(run.parent / "gone.tif")
    (run / "report.json").write_text(json.dumps(record), "utf-8")
    clearscene("score", run, check=0)
    assert "The report has no pictures: the scene" in caplog.text
    assert "No overview could be drawn." in text_of(run)


def _with_pdf(run):
    record = json.loads((run / "report.json").read_text("utf-8"))
    record["files"]["pdf"] = "report.pdf"
    (run / "report.json").write_text(json.dumps(record), "utf-8")
    (run / "report.pdf").write_bytes(b"%PDF-1.4 old")


def test_pdf_is_printed_again(run, tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text(
        "#!/bin/sh\n"
        "for word; do\n"
        '  case "$word" in --print-to-pdf=*) out="${word#--print-to-pdf=}";; file://*) page="$word";; esac\n'
        "done\n"
        'printf "%%PDF-1.4 " > "$out"; grep -o "88.0<small>" "$(echo "$page" | sed s,file://,,)" >> "$out"\n'
    )
    browser.chmod(0o755)
    monkeypatch.setattr(pdf, "find_browser", lambda: str(browser))
    _with_pdf(run)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'stripe'")
    clearscene("score", run, check=0)
    assert (run / "report.pdf").read_bytes() == b"%PDF-1.4 88.0<small>\n"
    assert "report.pdf" in text_of(run)


def test_pdf_that_cannot_be_printed_again_is_removed(run, monkeypatch, caplog):
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    _with_pdf(run)
    sql(run, "UPDATE defects SET status = 'rejected' WHERE type = 'stripe'")
    done = clearscene("score", run, check=0)
    assert not (run / "report.pdf").exists()
    assert "pdf" not in report_of(run).files
    assert "report.pdf" not in text_of(run)
    assert "report.pdf is out of date and was removed" in caplog.text + done.stderr
    assert "clearscene[pdf]" in caplog.text + done.stderr


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_layer_that_qgis_holds_is_said_so(run, lock):
    held = sqlite3.connect(run / "defects.gpkg", isolation_level=None)
    held.execute(lock)
    try:
        done = clearscene("score", run, check=2)
        with (
            pytest.raises(OutputError, match="locked by another program"),
            edit(run / "defects.gpkg", timeout_s=0) as d,
        ):
            d.execute("UPDATE defects SET remark = 'x'")
    finally:
        held.close()
    assert "defects.gpkg is locked by another program." in done.stderr
    assert "Save the edits in QGIS and close the layer" in done.stderr


@pytest.mark.parametrize("nodata", ["nan", "-inf"])
def test_a_nodata_value_that_json_cannot_hold_is_text(tmp_path, nodata):
    data = ground(90, 110).astype(np.float32)
    data[:, 20:60, 30:70] = float(nodata)
    scene = write_scene(tmp_path / "s.tif", data, options={"nodata": float(nodata)})
    clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    run = tmp_path / "out" / "s"

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    record = json.loads((run / "report.json").read_text("utf-8"), parse_constant=refuse)
    assert record["scene"]["nodata"] == nodata
    assert record["pixels"]["nodata"] == 40 * 40
    assert f"Nodata value {nodata}" in text_of(run)
    assert rescore(run) == report_of(run)


def test_a_failure_says_how_long_it_took(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(40))
    [result] = inspect_batch(
        [str(tmp_path / "broken.tif")],
        tmp_path / "out",
        prepare(InspectOptions(workers=1)),
        overwrite=False,
        progress=lambda *_: None,
    )
    assert 0 < result.outcome.seconds < 60
