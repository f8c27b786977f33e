"""`clearscene review export | agree | signature` and `clearscene datasets from-polygons`."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from clearscene.inspection.run_folder import open_run
from clearscene.inspection.signature import sign
from clearscene.review.gestures import Gesture
from clearscene.review.store import ReviewStore
from clearscene.synth.chip_set import ChipSet, read_about
from clearscene.vector.formats import write_shapefile
from clearscene.vector.layer import Layer
from clearscene.vector.outline import to_map
from tests.command import clearscene
from tests.review_runs import make_run, square
from tests.scenes import TRANSFORM, UTM, defective, write_scene
from tests.training_chips import write_config


@pytest.fixture
def reviewed(tmp_path):
    """Two stripes rejected, the white block accepted, a cloud drawn; the rest undecided."""
    run = make_run(tmp_path / "run")
    store = ReviewStore(run, reviewer="Li")
    store.do(Gesture("status", (1, 2), status="rejected"))
    store.do(Gesture("status", (3,), status="accepted"))
    store.do(Gesture("add", type="cloud", geometry=square(350, 20, 70)))
    store.settle()
    return run


def test_decisions_become_chips_that_training_reads(reviewed, tmp_path):
    out = tmp_path / "chips"
    done = clearscene("review", "export", reviewed, "--chips", out, "--size", 128, check=0)
    chips = ChipSet.open(out)
    assert f"{len(chips)} chips in {out}" in done.stdout
    assert len({record.split for record in chips.records()}) == 1  # by scene
    assert read_about(out)["from"] == "review"
    scene = defective().data
    shapes = {
        f.id: row.polygon for f, row in zip(open_run(reviewed).report.findings, open_run(reviewed).rows(), strict=True)
    }
    findings = {f.id: f for f in open_run(reviewed).report.findings}
    seen = set()
    for record in chips.records():
        left, top, width, height = record.parameters["window"]
        assert (chips.image(record) == scene[:, top : top + height, left : left + width]).all()
        mask = chips.mask(record)
        rows, cols = np.mgrid[top : top + height, left : left + width]
        centers = shapely.points(cols + 0.5, rows + 0.5)
        for drawing in record.parameters["drawings"]:
            inside = shapely.contains(shapes[drawing["id"]], centers)
            wanted = {"truth": findings[drawing["id"]].type_id, "negative": 0, "unknown": 255}[drawing["role"]]
            assert set(np.unique(mask[inside])) <= {wanted, 1, 10, 255}
            assert (mask[inside] == wanted).any()
            seen.add((drawing["id"], drawing["role"]))
        assert ("cloud" in record.labels) == (mask == 1).any()
        unknown = {drawing["type"] for drawing in record.parameters["drawings"] if drawing["role"] == "unknown"}
        assert set(record.undecided) == unknown - set(record.labels)
        assert record.text_zh
    assert {(1, "negative"), (2, "negative"), (3, "truth"), (10, "truth")} <= seen


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm comes with the extra `train`")
def test_training_runs_on_what_was_exported(reviewed, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(reviewed, other)
    record = other / "report.json"
    record.write_text(record.read_text("utf-8").replace('"name": "scene"', '"name": "scene3"', 1), "utf-8")
    alone = clearscene("review", "export", reviewed, "--chips", tmp_path / "alone", check=0)
    assert "hint: `clearscene train` needs chips for train and val" in alone.stderr
    done = clearscene("review", "export", reviewed, other, "--chips", tmp_path / "chips", "--size", 64, check=0)
    assert done.stderr == ""
    config = write_config(tmp_path / "tiny.toml", tmp_path / "chips")
    clearscene("train", config, "--out", tmp_path / "trained", "--set", "run.epochs=1", "--quiet", check=0)
    assert (tmp_path / "trained" / "best.pt").is_file()


def test_an_export_replaces_its_own_set_and_no_other(reviewed, tmp_path):
    out = tmp_path / "chips"
    clearscene("review", "export", reviewed, "--chips", out, check=0)
    clearscene("review", "export", reviewed, "--chips", out, check=0)
    about = json.loads((out / "dataset.json").read_text("utf-8"))
    (out / "dataset.json").write_text(json.dumps(about | {"from": "somewhere"}), "utf-8")
    assert "no review made" in clearscene("review", "export", reviewed, "--chips", out, check=2).stderr


def test_nothing_decided_and_odd_sizes_are_errors(tmp_path):
    run = make_run(tmp_path / "run")
    assert "Nothing was decided" in clearscene("review", "export", run, "--chips", tmp_path / "c", check=2).stderr
    assert "of no use" in clearscene("review", "export", run, "--chips", tmp_path / "c", "--size", 100, check=2).stderr
    assert not (tmp_path / "c").exists()


def test_agreement_of_two_copies(reviewed, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(reviewed, other)
    store = ReviewStore(other, reviewer="Wang")
    store.do(Gesture("status", (2,), status="accepted"))
    store.do(Gesture("delete", (10,)))
    record = json.loads(clearscene("review", "agree", reviewed, other, "--json", check=0).stdout)
    assert (record["n"], record["n_agreed"]) == (3, 2)
    assert record["kappa"] == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9), abs=0.15)
    assert [(d["id"], d["second"]) for d in record["disagreements"]] == [(2, "accepted:stripe"), (None, "-")]
    said = clearscene("review", "agree", reviewed, other, check=0).stdout
    assert "Cohen's kappa" in said
    said = clearscene("review", "agree", other, "--reviewers", "Li,Wang", check=0).stdout
    assert "accepted:stripe" in said
    assert "between two reviews" in clearscene("review", "agree", reviewed, check=2).stderr
    stranger = make_run(tmp_path / "stranger")
    path = stranger / "report.json"
    path.write_text(path.read_text("utf-8").replace('"created": "20', '"created": "19'), "utf-8")
    assert "not reviews of one run" in clearscene("review", "agree", reviewed, stranger, check=2).stderr


def test_a_signature_can_be_checked(reviewed):
    assert "Nobody has signed" in clearscene("review", "signature", reviewed, check=1).stdout
    sign(open_run(reviewed), name="Li", decision="accepted")
    assert "are those that were signed" in clearscene("review", "signature", reviewed, check=0).stdout
    ReviewStore(reviewed, reviewer="Wang").do(Gesture("remark", (3,), remark="x"))
    assert "no longer covers" in clearscene("review", "signature", reviewed, check=1).stderr
    assert "after Li signed" in clearscene("score", reviewed, check=0).stderr


def test_without_its_packages_the_page_says_what_to_install(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rio_tiler" else real(name))
    done = clearscene("review", tmp_path, check=2)
    assert "needs rio-tiler, which is not installed" in done.stderr
    assert "clearscene[review]" in done.stderr


@pytest.fixture
def drawn(tmp_path):
    """A scene with nodata at its left, and an inspector's Shapefile with types and penalties."""
    data = defective().data
    data[:, :, :40] = 0
    scene = write_scene(tmp_path / "影像.tif", data, options={"nodata": 0})
    shapes = np.array(
        [shapely.box(20, 60, 120, 100), shapely.box(200, 200, 220, 230), shapely.box(0, 300, 517, 310)], object
    )
    fields = {"type": ["云", "模糊", "拼接痕迹"], "penalty": [3.0, 1.5, 2.0]}
    layer = Layer("错误", "Polygon", to_map(shapes, TRANSFORM), fields, UTM)
    write_shapefile(tmp_path / "错误.shp", layer, encoding="GBK")
    return scene, tmp_path / "错误.shp", shapes


def test_old_shapefiles_become_a_data_set(drawn, tmp_path):
    scene, polygons, shapes = drawn
    out = tmp_path / "set"
    done = clearscene(
        "datasets", "from-polygons", scene, polygons, "--out", out, "--size", 128, "--clean", 0.5, check=0
    )
    chips = ChipSet.open(out)
    assert "from 3 polygons" in done.stdout
    truth = rasterize([(shapes[0], 1), (shapes[1], 4)], (389, 517))
    line = rasterize([shapes[2]], (389, 517))
    truth[(line == 1) & (truth == 0)] = 7
    with rasterio.open(scene) as dataset:
        truth[dataset.read_masks(1) == 0] = 255
    for record in chips.records():
        left, top, width, height = record.parameters["window"]
        assert (width, height) == (128, 128)
        assert (chips.mask(record) == truth[top : top + 128, left : left + 128]).all()
    cloudy = next(r for r in chips.records() if "cloud" in r.labels)
    assert "云" in cloudy.text_zh
    assert cloudy.parameters["drawings"][0] == {"type": "cloud", "role": "truth", "id": 0, "penalty": 3.0}
    clean = [r for r in chips.records() if not r.labels]
    assert 0 < len(clean) < len(chips)
    assert len({r.split for r in chips.records()}) == 1
    again = chips.digest()
    clearscene("datasets", "from-polygons", scene, polygons, "--out", out, "--size", 128, "--clean", 0.5, check=0)
    assert ChipSet.open(out).digest() == again  # the same command adds nothing twice


def test_scenes_add_up_and_other_kinds_do_not(drawn, tmp_path):
    scene, polygons, _ = drawn
    out = tmp_path / "set"
    clearscene("datasets", "from-polygons", scene, polygons, "--out", out, "--size", 128, "--split", "val", check=0)
    n = len(ChipSet.open(out))
    second = shutil.copy(scene, tmp_path / "second.tif")
    clearscene("datasets", "from-polygons", second, polygons, "--out", out, "--size", 128, "--split", "train", check=0)
    chips = ChipSet.open(out)
    assert len(chips.records("val")) == n
    assert read_about(out)["scenes"] == {"train": ["second"], "val": ["影像"], "test": []}
    words = ("datasets", "from-polygons", scene, polygons, "--out", out)
    assert "another kind or size" in clearscene(*words, "--size", 256, check=2).stderr
    assert "no field" in clearscene(*words, "--size", 128, "--type-field", "sort", check=2).stderr
    assert "no split" in clearscene(*words, "--size", 128, "--split", "some", check=2).stderr
