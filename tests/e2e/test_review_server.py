"""The review server over HTTP, on a real inspection of a generated scene."""

import io
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

pytest.importorskip("fastapi", reason="needs the extra `review`")

from clearscene.errors import OutputError
from clearscene.inspection.rescore import rescore
from clearscene.inspection.run_folder import open_run
from clearscene.review.agreement import verdicts_of
from clearscene.review.app import _code_of
from clearscene.review.gpkg_file import ReviewFile
from clearscene.review.store import ReviewStore
from clearscene.vector.geopackage import edit as edit_geopackage
from tests.review_client import Client, serving
from tests.review_runs import area_of, is_close, is_indexed, make_run, rows_of, square


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "区域 一")


@pytest.fixture
def page(run):
    with serving(run) as client:
        yield client


def by_key(answer):
    return {finding["key"]: finding for finding in answer["findings"]}


def test_a_page_gets_all_it_needs(page, run):
    state = page.get("/api/state").json
    assert state["run"] == {
        "name": "scene", "folder": str(run), "reviewer": "Li", "writable": True, "lang": "en",
    }  # fmt: skip
    assert (state["scene"]["width"], state["scene"]["height"], state["scene"]["crs"]) == (517, 389, "EPSG:32648")
    assert state["tiles"]["resolutions"] == [4, 2, 1]
    assert [layer["name"] for layer in state["tiles"]["layers"]] == ["scene", "classmap", "confidence"]
    assert len(state["types"]) == 10
    report = open_run(run).report
    assert state["score"]["score"] == report.score.score
    found = page.get("/api/findings").json["findings"]
    assert [(f["id"], f["type"], f["penalty"]) for f in found] == [(f.id, f.type, f.penalty) for f in report.findings]
    assert state["counts"] == {"total": len(found), "proposed": len(found), "accepted": 0, "rejected": 0, "added": 0}
    shapes = page.get("/api/geometries").json["geometries"]
    assert set(shapes) == {str(f["key"]) for f in found}
    assert area_of(shapes["3"]) == pytest.approx(report.findings[2].area_px)  # drawn as detected, in pixels


def test_every_gesture_is_in_the_file_at_once_and_the_score_follows(page, run):
    before = page.get("/api/state").json["score"]["score"]
    answer = page.edit("status", 1, 2, status="rejected", revisions={"1": 0, "2": 0}).json
    assert answer["version"] == 1
    assert {f["status"] for f in answer["findings"]} == {"rejected"}
    assert by_key(answer)[1]["reviewer"] == "Li"
    assert answer["score"]["score"] > before
    assert answer["counts"]["rejected"] == 2
    assert [rows_of(run)[key]["status"] for key in (1, 2, 3)] == ["rejected", "rejected", "proposed"]
    page.edit("type", 3, type="shadow")
    assert [rows_of(run)[3][name] for name in ("type", "type_id", "type_zh", "group")] == [
        "shadow",
        2,
        "阴影",
        "region",
    ]
    answer = page.edit("add", type="cloud", geometry=square(300, 100, 60), remark="薄云").json
    [new] = answer["findings"]
    assert (new["status"], new["detector"], new["area_px"], new["remark"]) == ("added", "person", 3600, "薄云")
    assert area_of(answer["geometries"][str(new["key"])]) == 3600
    answer = page.edit("geometry", new["key"], geometry=square(300, 100, 30), revisions={str(new["key"]): 3}).json
    assert answer["findings"][0]["area_px"] == 900
    assert is_indexed(run)
    live = answer["score"]["score"]
    assert rescore(run).score.score == live  # `clearscene score` on the same file


def test_a_split_and_a_merge_keep_the_area(page, run):
    key = page.edit("add", type="blur", geometry=square(100, 250, 40)).json["findings"][0]["key"]
    answer = page.edit("split", key, line=[[90, 260], [150, 260]]).json
    assert sorted(f["area_px"] for f in answer["findings"]) == [400, 1200]
    keys = [f["key"] for f in answer["findings"]]
    merged = page.edit("merge", *keys).json
    assert [f["area_px"] for f in merged["findings"]] == [1600]
    assert merged["removed"] == [k for k in keys if k != merged["findings"][0]["key"]]
    assert page.edit("merge", keys[0], 1).code == "bad_request"  # of two types
    assert is_indexed(run)


def test_undo_and_redo_survive_a_restart(run):
    first = rows_of(run)
    with serving(run) as page:
        page.edit("status", 1, status="accepted")
        page.edit("delete", 2)
    with serving(run) as page:
        state = page.get("/api/state").json
        assert state["undo"]["action"] == "delete"
        assert page.post("/api/undo").json["did"]["keys"] == [2]
        assert page.post("/api/undo").json["did"]["action"] == "accept"
        assert page.post("/api/undo").code == "nothing_to_undo"
        columns = ("id", "type", "status", "remark", "geom", "confidence")
        assert [[row[c] for c in columns] for row in rows_of(run).values()] == [
            [row[c] for c in columns] for row in first.values()
        ]
        assert page.post("/api/redo").json["counts"]["accepted"] == 1
    with serving(run) as page:
        assert page.get("/api/state").json["redo"]["action"] == "delete"


def test_the_history_says_who_did_what_and_what_was_before(page):
    page.edit("status", 1, status="rejected")
    page.edit("remark", 1, remark="树影")
    page.post("/api/undo")
    history = page.get("/api/findings/1").json["history"]
    assert [(h["action"], h["undone"], h["who"]) for h in history] == [
        ("undo", False, "Li"), ("remark", True, "Li"), ("reject", False, "Li"),
    ]  # fmt: skip
    assert history[2]["changes"][0] | {"id": 0} == {
        "key": 1, "id": 0, "before": {"status": "proposed"}, "after": {"status": "rejected"},
    }  # fmt: skip
    assert page.get("/api/history?limit=1").json["history"][0]["seq"] == 3


def test_the_history_of_a_finding_tells_of_it_alone_and_that_of_the_run_stays_short(page, monkeypatch):
    monkeypatch.setattr("clearscene.review.answers.MOST_CHANGES", 5)
    page.edit("status", *range(1, 10), status="rejected")
    (of_one,) = page.get("/api/findings/7").json["history"]
    assert [change["key"] for change in of_one["changes"]] == [7]
    assert of_one["n_changes"] == 1
    (of_run,) = page.get("/api/history").json["history"]
    assert of_run["n_changes"] == 9
    assert len(of_run["changes"]) == 5


def test_two_pages_on_one_file(page, run):
    with serving(run, reviewer="Wang") as other:
        page.edit("status", 1, status="accepted", client="one")
        told = other.get("/api/changes?since=0&wait=10").json
        assert [(c["who"], c["client"], c["action"]) for c in told["changes"]] == [("Li", "one", "accept")]
        assert by_key(told)[1]["status"] == "accepted"
        late = other.edit("status", 1, status="rejected", revisions={"1": 0})
        assert (late.status, late.code) == (409, "conflict")
        assert by_key(late.json)[1]["reviewer"] == "Li"
        assert other.edit("status", 1, status="rejected", revisions={"1": 1}).status == 200
        assert page.post("/api/undo").code == "conflict"  # it is no longer as Li left it
        assert rows_of(run)[1]["status"] == "rejected"
        assert other.post("/api/undo").status == 200
        assert page.post("/api/undo").status == 200


def test_an_undo_does_not_take_back_what_a_second_reviewer_has_confirmed(page, run):
    with serving(run, reviewer="Wang") as other:
        page.edit("status", 1, 2, status="accepted")
        assert other.edit("status", 1, status="accepted").status == 200
        refused = page.post("/api/undo")
        assert (refused.status, refused.code) == (409, "conflict")
        assert [rows_of(run)[key]["status"] for key in (1, 2)] == ["accepted", "accepted"]
        assert page.get("/api/state").json["version"] == 2
        assert other.post("/api/undo").status == 200  # Wang takes back their own word
        assert page.post("/api/undo").status == 200
        assert [rows_of(run)[key]["status"] for key in (1, 2)] == ["proposed", "proposed"]


def test_a_word_that_was_taken_back_does_not_count_and_can_be_given_again(page, run):
    with serving(run, reviewer="Wang") as other:
        page.edit("status", 1, status="accepted")
        other.edit("status", 1, status="accepted")
        assert verdicts_of(run, who="Wang").by_id == {1: "accepted:" + rows_of(run)[1]["type"]}
        assert other.post("/api/undo").status == 200
        assert verdicts_of(run, who="Wang").by_id == {}
        version = other.get("/api/state").json["version"]
        assert other.edit("status", 1, status="accepted").status == 200
        assert other.get("/api/state").json["version"] == version + 1
        assert list(verdicts_of(run, who="Wang").by_id) == [1]


def test_what_qgis_changes_meanwhile_is_seen_and_kept(page, run):
    page.edit("status", 1, status="accepted")
    with edit_geopackage(run / "defects.gpkg") as database:  # as QGIS: one column of the type, a new polygon without id
        database.execute("UPDATE defects SET type_zh = '模糊' WHERE fid = 2")
        database.execute("DELETE FROM defects WHERE fid = 3")
        database.execute("INSERT INTO defects (geom, type) SELECT geom, 'cloud' FROM defects WHERE fid = 4")
    told = page.get("/api/changes?since=1&wait=10").json
    assert [(c["action"], c["who"]) for c in told["changes"]] == [("outside", "")]
    assert by_key(told)[2]["type"] == "blur"
    assert told["removed"] == [3]
    new = next(f for f in told["findings"] if f["key"] > 9)
    assert (new["type"], new["status"], new["detector"]) == ("cloud", "added", "person")
    assert page.edit("status", 2, status="rejected", revisions={"2": 0}).code == "conflict"
    assert page.edit("status", 2, status="rejected", revisions={"2": 2}).status == 200
    assert page.post("/api/finish").status == 200
    assert rows_of(run)[2]["type"] == "blur"
    assert is_indexed(run)


@pytest.mark.parametrize("path", ["/api/state", "/api/findings", "/api/findings/2"])
def test_a_page_that_is_opened_sees_the_file_as_it_is(page, run, path):
    with edit_geopackage(run / "defects.gpkg") as database:
        database.execute("UPDATE defects SET status = 'rejected' WHERE fid = 2")
    answer = page.get(path).json
    assert answer.get("version", 1) == 1
    assert page.get("/api/state").json["counts"]["rejected"] == 1
    assert answer.get("finding", {"status": "rejected"})["status"] == "rejected"


def test_what_others_write_right_after_a_gesture_is_looked_at(run):
    file = ReviewFile(run / "defects.gpkg")
    file.see()
    with file.begun() as database:
        database.execute("UPDATE defects SET remark = 'own' WHERE fid = 1")
    file.see_own()
    assert file.is_as_seen()
    with file.begun() as database:
        database.execute("UPDATE defects SET remark = 'mine' WHERE fid = 1")
    with edit_geopackage(run / "defects.gpkg") as database:  # before the review has looked at what itself has written
        database.execute("UPDATE defects SET remark = 'theirs' WHERE fid = 2")
    file.see_own()
    assert not file.is_as_seen()


def test_a_row_that_cannot_be_understood_is_named_and_the_rest_goes_on(page, run):
    with edit_geopackage(run / "defects.gpkg") as database:
        database.execute("UPDATE defects SET status = 'perhaps' WHERE fid = 2")
    told = page.get("/api/changes?since=0&wait=10").json
    assert "perhaps" in by_key(told)[2]["problem"]
    assert [p["key"] for p in told["score"]["problems"]] == [2]
    assert page.edit("status", 1, status="accepted").status == 200
    assert page.post("/api/finish").code == "bad_request"
    assert page.edit("status", 2, status="accepted").json["score"]["problems"] == []


def test_a_file_that_another_program_holds_is_said_to_be_locked(page, run, monkeypatch):
    monkeypatch.setattr("clearscene.review.gpkg_file.TIMEOUT_S", 0.1)
    with sqlite3.connect(run / "defects.gpkg", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = page.edit("status", 1, status="accepted")
        other.execute("ROLLBACK")
    other.close()
    assert (answer.status, answer.code) == (423, "locked")
    assert page.edit("status", 1, status="accepted").status == 200


def test_a_file_that_another_program_holds_for_now_counts_as_writable(run):
    with sqlite3.connect(run / "defects.gpkg", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        is_writable = ReviewFile(run / "defects.gpkg").is_writable
        other.execute("ROLLBACK")
    other.close()
    assert is_writable


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"action": "bogus"}, "action"),
        ({"action": "status", "keys": [1], "status": "maybe"}, "maybe"),
        ({"action": "type", "keys": [1], "type": "moss"}, "moss"),
        ({"action": "status", "keys": [], "status": "accepted"}, "no finding"),
        ({"action": "geometry", "keys": [1], "geometry": {"type": "Point", "coordinates": [0, 0]}}, "Point"),
        ({"action": "add", "type": "cloud", "geometry": square(5000, 5000)}, "no area"),
        ({"action": "remark", "keys": [1], "remark": "x" * 5000}, "5000"),
        ({"action": "remark", "keys": [1], "remark": "half a smile \ud83d"}, "remark: it holds half a letter"),
        ({"action": "remark", "keys": [1], "remark": "a\0b"}, "remark"),
        ({"action": "add", "surprise": 1}, "surprise"),
    ],
)
def test_what_makes_no_sense_is_refused_with_words(page, run, body, word):
    before = rows_of(run)
    answer = page.post("/api/edit", **body)
    assert (answer.status, answer.code) == (422, "bad_request")
    assert word in answer.json["error"]["message"]
    assert rows_of(run) == before


def test_a_finding_that_is_not_there(page):
    assert page.edit("status", 999, status="accepted").code == "conflict"
    assert page.get("/api/findings/999").status == 404
    assert page.get("/crops/999").status == 404


def picture(answer):
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_tiles_show_the_pixels_of_the_scene(page, run):
    with rasterio.open(run.parents[1] / "scene.tif") as dataset:
        data = dataset.read()
    tile = page.get("/tiles/scene/2/0/0")
    assert (tile.status, tile.headers["content-type"]) == (200, "image/jpeg")
    assert picture(tile).shape == (256, 256, 3)
    edge = page.get("/tiles/scene/2/2/1")
    assert edge.headers["content-type"] == "image/png"
    shown = picture(edge)
    assert is_close(shown[:133, :5, 2::-1], data[:, 256:, 512:].transpose(1, 2, 0), 0)
    assert (shown[..., 3] == 255).sum() == 133 * 5
    whole = picture(page.get("/tiles/scene/0/0/0"))
    mean = data[:, :388, :516].reshape(3, 97, 4, 129, 4).mean(axis=(2, 4)).transpose(1, 2, 0)
    assert is_close(whole[:97, :129, 2::-1], mean, 1)
    assert page.get("/tiles/scene/2/9/9").status == 204
    assert page.get("/tiles/scene/9/0/0").status == 204
    timing = page.get("/api/timing").json["tiles"]
    assert timing["n"] == 3
    assert 0 < timing["median_ms"] <= timing["p95_ms"]


def test_layers_of_the_inspection_as_tiles(page, run):
    with rasterio.open(run / "classmap.tif") as dataset:
        classes = dataset.read(1)[:256, :256]
    shown = picture(page.get("/tiles/classmap/2/0/0"))
    assert ((shown[..., 3] > 0) == np.isin(classes, range(1, 11))).all()
    assert shown[classes == 10][0].tolist() == [0, 0, 0xD0, 150]  # blue, green, red, alpha
    with rasterio.open(run / "confidence.tif") as dataset:
        missing = dataset.read(dataset.descriptions.index("missing") + 1)[:256, :256]
    shown = picture(page.get("/tiles/confidence/2/0/0?type=missing"))
    assert ((shown[..., 3] > 0) == (missing > 0)).all()
    assert page.get("/tiles/confidence/2/0/0?type=cloud").code == "bad_request"


def test_crops_show_the_finding_in_its_surroundings(page):
    crop = page.get("/crops/3?size=128")
    assert crop.headers["content-type"] == "image/jpeg"
    assert picture(crop).shape == (128, 128, 3)
    assert page.get("/crops/3?size=9999").code == "bad_request"


@pytest.mark.parametrize("has_crs", [True, False])
def test_a_scene_without_crs_is_reviewed_alike(tmp_path, has_crs):
    run = make_run(tmp_path / "run", has_crs=has_crs)
    with serving(run) as page:
        new = page.edit("add", type="cloud", geometry=square(30, 40, 50)).json
        key = new["findings"][0]["key"]
        assert new["findings"][0]["area_px"] == 2500
        assert new["findings"][0]["bounds"] == [30, 40, 80, 90]
        assert (new["findings"][0]["area_m2"] is None) != has_crs
        assert area_of(page.get(f"/api/geometries?keys={key}").json["geometries"][str(key)]) == 2500
        assert page.get("/tiles/scene/0/0/0").status == 200
    _, _, wkb, _ = pyogrio.raw.read(run / "defects.gpkg", layer="defects")
    assert len(wkb) == 10
    bounds = shapely.from_wkb(wkb[-1]).bounds
    assert bounds == ((500_015, 2_960_000 - 22.5, 500_040, 2_960_000 - 10) if has_crs else (30, -90, 80, -40))


def test_a_run_whose_scene_is_gone_is_reviewed_without_pictures(run):
    (run.parents[1] / "scene.tif").unlink()
    with serving(run) as page:
        state = page.get("/api/state").json
        assert state["scene"]["available"] is False
        assert "scene.tif" in state["scene"]["reason"]
        assert (page.get("/tiles/scene/0/0/0").status, page.get("/crops/1").code) == (410, "no_scene")
        assert page.get("/tiles/classmap/0/0/0").status == 200
        assert page.edit("status", 1, status="rejected").status == 200
        assert page.post("/api/finish").status == 200


def test_a_scene_of_another_size_is_not_shown(run):
    with rasterio.open(run.parents[1] / "scene.tif") as dataset:
        profile, data = dataset.profile, dataset.read()
    with rasterio.open(run.parents[1] / "scene.tif", "w", **profile | {"height": 300}) as dataset:
        dataset.write(data[:, :300])
    with serving(run) as page:
        assert "517 x 300 px" in page.get("/api/state").json["scene"]["reason"]


def test_a_run_that_cannot_be_written_is_shown_and_not_changed(run, monkeypatch):
    monkeypatch.setattr("clearscene.review.gpkg_file._is_writable", lambda path: False)
    before = rows_of(run)
    with serving(run) as page:
        assert page.get("/api/state").json["run"]["writable"] is False
        answer = page.edit("status", 1, status="rejected")
        assert (answer.status, answer.code) == (403, "read_only")
        assert page.post("/api/walk", cells=[[0, 0]]).code == "read_only"
        assert page.post("/api/sign", name="Li", decision="accepted").code == "read_only"
        assert page.post("/api/export").code == "read_only"
        assert page.get("/tiles/scene/0/0/0").status == 200
    assert rows_of(run) == before


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of files are others here")
@pytest.mark.parametrize("modes", [(0o555, 0o444), (0o755, 0o444), (0o555, 0o666)])
def test_a_file_or_folder_without_the_right_to_write_is_told_before_anything_is_done(modes, request):
    folder = Path(tempfile.mkdtemp())  # that of pytest is closed to others
    request.addfinalizer(lambda: shutil.rmtree(folder))
    held = make_run(folder / "unlocked")  # a path that has the word by which sqlite says that somebody else is writing
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert ReviewStore(held, reviewer="Li").is_writable
    held.chmod(modes[0])
    (held / "defects.gpkg").chmod(modes[1])
    before = {path.name: path.read_bytes() for path in held.iterdir()}
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # root may write everywhere
    try:
        assert not ReviewStore(held, reviewer="Li").is_writable
        with pytest.raises(OutputError, match="read-only") as told:
            rescore(held)
        assert _code_of(told.value) == (403, "read_only")
    finally:
        if is_root:
            os.seteuid(0)
        held.chmod(0o755)
    assert {path.name: path.read_bytes() for path in held.iterdir()} == before


def test_only_this_machine_with_the_token_is_answered(page):
    bearer = {"Authorization": f"Bearer {page.token}"}
    assert page.ask("GET", "/api/state", headers={}).status == 401
    assert page.ask("GET", "/tiles/scene/0/0/0", headers={}).status == 401
    assert page.ask("GET", "/api/state", headers=bearer | {"Host": "evil.example"}).code == "foreign_host"
    assert page.ask("GET", "/api/state", headers=bearer | {"Origin": "https://evil.example"}).code == "foreign_origin"
    assert page.ask("POST", "/api/undo", {}, headers=bearer).code == "no_header"
    opened = page.ask("GET", f"/?token={page.token}", headers={})
    assert opened.status == 200
    assert "HttpOnly; SameSite=Strict" in opened.headers["set-cookie"]
    assert "default-src 'self'" in opened.headers["content-security-policy"]
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    assert page.ask("GET", "/api/state", headers=cookie).status == 200
    refused = page.ask("GET", "/?token=wrong", headers={})
    assert refused.status == 401
    assert b"clearscene review" in refused.content


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page//etc/passwd", "/page/%2fetc%2fpasswd",
        "/page/vendor/..%5c..%5capp.py", "/page/%00", "/page/" + "x" * 5000, "/../../etc/passwd", "/report.json",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(page, path):
    answer = page.get(path)
    assert answer.status == 404
    assert b"import" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.parametrize("name", ["../out", "a/b", "/tmp/x", ".", "", "a\\b", "C:"])
def test_chips_go_nowhere_but_below_the_run(page, name):
    page.edit("status", 1, status="accepted")
    assert page.post("/api/export", folder=name).code == "bad_request"


def test_a_script_in_a_remark_is_text_everywhere(page, run):
    script = "<script>alert('x')</script>"
    page.edit("remark", 1, remark=script)
    assert by_key(page.get("/api/findings").json)[1]["remark"] == script
    page.post("/api/finish")
    report = page.get("/report.html")
    assert script.encode() not in report.content
    assert b"script-src" not in report.headers["content-security-policy"].encode()
    assert rows_of(run)[1]["remark"] == script


def test_the_walk_is_kept(run):
    with serving(run) as page:
        assert page.get("/api/walk").json["n_cells"] == 6
        answer = page.post("/api/walk", cells=[[0, 0], [1, 2], [0, 0]]).json
        assert (answer["n_seen"], answer["who_seen"]) == (2, 2)
        page.post("/api/walk", cells=[[1, 2]], seen=False)
        assert page.post("/api/walk", cells=[[5, 0]]).code == "bad_request"
        page.edit("status", 1, status="accepted")
    with serving(run, reviewer="Wang") as page:
        answer = page.get("/api/walk").json
        assert [cell[:3] for cell in answer["seen"]] == [[0, 0, "Li"]]
        assert answer["who_seen"] == 0
        assert page.post("/api/walk/cell", cell=128).json | {"n_seen": 0} == {
            "cell": 128, "rows": 4, "cols": 5, "seen": [], "n_seen": 0, "n_cells": 20, "who_seen": 0,
        }  # fmt: skip
        assert page.post("/api/walk/cell", cell=1).code == "bad_request"
        assert page.post("/api/walk/cell", cell=10**20).code == "bad_request"
        assert page.get("/api/walk").json["cell"] == 128


def test_a_signature_holds_until_a_finding_changes(page, run):
    assert page.post("/api/sign", name=" ", decision="accepted").code == "bad_request"
    page.edit("status", 1, status="rejected")
    signed = page.post("/api/sign", name="李 <b>", decision="accepted_with_reservations", remark="云").json["signature"]
    assert signed["matches"] is True
    assert (
        open_run(run).report.signature.digest == signed["digest"] == page.get("/api/signature").json["current_digest"]
    )
    report = page.get("/report.html").content.decode()
    assert "李 &lt;b&gt;" in report
    assert "no longer covers" not in report
    assert page.edit("remark", 2, remark="x").json["signature"]["matches"] is False
    assert page.post("/api/undo").json["signature"]["matches"] is True
    page.edit("remark", 2, remark="x")
    page.post("/api/finish")
    assert "no longer covers" in page.get("/report.html").content.decode()


def test_the_record_follows_when_the_server_stops(run):
    with serving(run) as page:
        page.edit("status", 1, status="rejected")
        live = page.get("/api/state").json["score"]["score"]
    report = json.loads((run / "report.json").read_text("utf-8"))
    assert report["score"]["score"] == live
    assert report["findings"][0]["status"] == "rejected"
    assert report["changes"][-1]["who"] == "Li"
    with pyogrio.open_arrow(run / "defects.shp") as (meta, _):
        assert "status" in meta["fields"]


def test_agreement_of_two_reviewers_in_one_file(page, run):
    for key in (1, 2, 3):
        page.edit("status", key, status="accepted")
    with serving(run, reviewer="Wang") as other:
        for key, status in ((1, "accepted"), (2, "rejected"), (3, "accepted")):
            assert other.edit("status", key, status=status).status == 200
        version = other.get("/api/state").json["version"]
        other.edit("status", 1, status="accepted")  # said already
        assert other.get("/api/state").json["version"] == version
        assert other.get("/api/findings/1").json["finding"]["reviewer"] == "Wang"
        answer = other.get("/api/agreement?reviewers=Li,Wang").json
    assert answer["all"] == ["Li", "Wang"]
    assert (answer["n"], answer["agree"], answer["undecided"]) == (3, 2, 6)
    assert [d["id"] for d in answer["disagreements"]] == [2]
    assert page.get("/api/agreement?reviewers=Li,Nobody").code == "bad_request"


def test_simplified_polygons_stay_polygons(page):
    shapes = page.get("/api/geometries?simplify=4").json["geometries"]
    assert all(area_of(shape) > 0 for shape in shapes.values())


def test_what_a_browser_keeps_and_sees(page: Client):
    script = page.get("/page/api.js")
    if script.status == 200:  # the page comes with the package
        assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["x-content-type-options"] == "nosniff"
    assert io.BytesIO(page.get("/report.html").content).read(9).lower() == b"<!doctype"
