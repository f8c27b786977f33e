"""The benchmarks of curves, scales and severity: how they count, on numbers that can be checked by hand."""

import json

import cv2
import numpy as np
import pytest

import figure
import precision_recall as pr
import scale_table
import severity_recall
from clearscene.inspection.taxonomy import BY_NAME, NODATA, TYPES
from clearscene.models.manifest import load_manifest
from clearscene.models.zoo import available_models
from clearscene.synth.chip_set import ChipRecord
from clearscene.synth.recipe import checked_recipe
from clearscene.synth.sources import find_sources


class Answering:
    """As much of a model as `best_types` asks for."""

    manifest = load_manifest(next(m.folder for m in available_models() if m.manifest.task == "inspection"))


def record(number, *, labels=(), severity=None, source="scene"):
    return ChipRecord(f"{number:03d}", "test", "i.png", "m.png", labels, severity or {}, source)


def counts(right, called, true):
    """One way's histograms for all ways; two chips."""
    right, called, true = (np.array(part, np.float64) for part in (right, called, true))
    kept = np.zeros_like(true)
    ways = dict.fromkeys(pr.WAYS, right), dict.fromkeys(pr.WAYS, called)
    return pr.Counts(*ways, true, kept, np.zeros_like(true), np.ones(len(true)))


def test_curve_falls_back_on_a_hand_count():
    true = np.zeros((2, len(pr.REGIONS)))
    true[:, 0] = [6, 4]
    right, called = np.zeros((2, pr.BINS)), np.zeros((2, pr.BINS))
    right[0, [50, 90]], called[0, [50, 90]] = [1, 3], [4, 3]
    right[1, 70], called[1, 70] = 2, 4
    recalls, precisions = pr.curve(counts(right, called, true), pr.WAYS[0], np.ones((1, 2)))
    assert recalls[0, -1] == pytest.approx(0.6)
    assert precisions[0, -1] == pytest.approx(6 / 11)
    assert recalls[0, pr.BINS - 1 - 90] == pytest.approx(0.3)
    assert precisions[0, pr.BINS - 1 - 90] == 1.0
    assert (np.diff(recalls[0]) >= 0).all()
    assert pr.precision_at(recalls, precisions, 0.5)[0] == pytest.approx(5 / 7)
    assert np.isnan(pr.precision_at(recalls, precisions, 0.61)[0])


def test_histograms_count_called_pixels_alone():
    types, truth = np.array([0, 1, 2, 2]), np.array([1, 1, 1, 2])
    right, called = pr.histograms(types, np.array([9.0, -20.0, 0.0, 50.0]), truth)
    assert called.sum() == 3
    assert right.sum() == 2
    assert called[0] == right[0] == 1
    assert called[-1] == right[-1] == 1


def test_boundary_types_are_background():
    ids = [c.id for c in Answering.manifest.classes]
    logits = np.full((len(ids), 1, 3), -5.0, np.float32)
    logits[ids.index(4), 0, 0] = logits[ids.index(7), 0, 1] = logits[ids.index(0), 0, 2] = 5.0
    types, score = pr.best_types(logits, Answering())
    assert types.tolist() == [[4, 0, 0]]
    assert score.shape == (1, 3)
    assert np.isfinite(score).all()


@pytest.mark.parametrize("share", pr.SHARES)
def test_weights_make_the_share_of_clean_chips(share):
    is_clean = np.array([True, False, False, True, False])
    weights = pr.share_weights(np.ones((1, 5)), is_clean, share)[0]
    assert weights[is_clean].sum() / weights.sum() == pytest.approx(share)
    assert (weights[~is_clean] == 1).all()


def test_loss_is_area_in_chips_that_are_cleared():
    true = np.zeros((2, len(pr.REGIONS)))
    true[:, 0] = [30, 10]
    given = pr.Counts({}, {}, true, true / 2, np.array([[0.9] * 6, [0.1] * 6]), np.full(2, 100.0))
    labels = (true > 0).astype(float)
    table = pr.loss_table(given, np.full(6, 0.5), np.ones((2, 2)), labels)
    cloud = dict(zip(table.heads, table.rows[0], strict=True))
    assert cloud["area in cleared chips"].startswith("0.250")
    assert cloud["chips flagged"] == 0.5
    rows = dict(pr.saving_table(given, np.full(6, 0.5), np.array([False, True])).rows)
    assert rows["chips without a defect"] == 0.0
    assert rows["30% clean"] == pytest.approx(0.7)


def test_severity_curve_pools_pixels_of_a_step():
    records = [
        record(0, labels=("cloud",), severity={"cloud": 0.1}, source="a"),
        record(1, labels=("cloud",), severity={"cloud": 0.1}, source="b"),
        record(2, labels=("cloud",), severity={"cloud": 0.9}, source="a"),
        record(3, labels=("blur",), severity={"blur": 0.1}, source="a"),
    ]
    found = [(1, 10, False), (9, 10, True), (5, 5, True), (0, 7, False)]
    values = severity_recall.curve(records, found, "cloud", by_chip=False, seed=1)
    assert [float(v[0]) for v in values] == pytest.approx([0.5, np.nan, np.nan, np.nan, 1.0], nan_ok=True)
    assert values[0].min() == pytest.approx(0.1)
    assert severity_recall.curve(records, found, "cloud", by_chip=True, seed=1)[0][0] == 0.5
    tables, panels = severity_recall.tables_of(records, found, silent=("misalignment",), seed=1)
    assert sum(len(table.rows) for table in tables) == len(TYPES)
    assert any(line.name == "misalignment (silent)" for line in panels[-1].lines)


def small_recipe(folder):
    """Eight small images, all of the test split."""
    folder.mkdir()
    rng = np.random.default_rng(6)
    for number in range(8):
        image = cv2.GaussianBlur(rng.integers(0, 256, (90, 110, 3)).astype(np.uint8), (0, 0), 1.2)
        cv2.imwrite(str(folder / f"place{number}.png"), image)
    return checked_recipe({"sources": [{"folder": str(folder), "split": "test"}], "size": 64}, "here")


def test_severity_chips_are_the_same_again_and_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(severity_recall, "TYPES", [BY_NAME["cloud"], BY_NAME["missing"]])
    monkeypatch.setattr(severity_recall, "STEPS", (0.5, 0.9))
    recipe = small_recipe(tmp_path / "images")
    first = severity_recall.make_set(tmp_path / "chips", recipe, 1)
    more = severity_recall.make_set(tmp_path / "chips", recipe, 2)
    whole = severity_recall.make_set(tmp_path / "again", recipe, 2)
    assert len(first) == 4
    assert more.digest() == whole.digest()
    for one in more.records():
        name = one.labels[0]
        assert one.severity[name] in (0.5, 0.9)
        assert (more.mask(one) == BY_NAME[name].id).any()
        assert (more.image(one) == whole.image(one)).all()
    assert json.loads((tmp_path / "chips" / "dataset.json").read_text())["seed"] == severity_recall.SEED


def test_mosaic_has_no_hole_and_mirror_keeps_the_image(tmp_path):
    recipe = small_recipe(tmp_path / "images")
    sources = find_sources(recipe)
    ground = scale_table.mosaic(sources[0], sources, np.random.default_rng(3), size=500)
    assert ground.data.shape == (3, 500, 500)
    assert ground.valid.all()
    assert np.isfinite(ground.data).all()
    plane = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    wide = scale_table.mirrored(plane, 4)
    assert (wide[:, :2, :3] == plane).all()
    assert wide[0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [0, 1, 2, 2]]


def test_scale_table_gives_the_gain_of_the_large_scale():
    results = scale_table.Results()
    rows = {"both scales": (8, 8, 10), "fine alone": (5, 5, 10), "large alone": (0, 0, 10)}
    for scales, row in rows.items():
        results.counts[scales, "cloud", "generated"] = [row]
    results.names["cloud", "generated"] = ["window 0"]
    row = dict(zip((t := scale_table.table_of(results, "cloud", 0)).heads, t.rows[0], strict=True))
    assert row["IoU, both scales"].startswith("0.800")
    assert row["gain of the large scale"].startswith("+0.300")
    assert row["recall, fine alone"] == 0.5


def test_generated_windows_hold_clouds(tmp_path, monkeypatch):
    monkeypatch.setattr(scale_table, "SIZE", 300)
    monkeypatch.setattr(scale_table, "load_recipe", lambda path: path)
    (case,) = scale_table.generated(small_recipe(tmp_path / "images"), 1, seed=5)
    assert case.data.shape == (3, 300, 300)
    assert set(np.unique(case.truth)) <= {0, 1, 2, NODATA}
    assert (case.truth > 0).any()


def test_figure_draws_points_and_names(tmp_path):
    line = figure.Line("one", [0.0, 0.5, 1.0], [0.2, np.nan, 1.0], [0.1, 0.1, 0.9], [0.3, 0.3, 1.0])
    figure.draw(tmp_path / "new" / "f.png", [figure.Panel("t", "x", "y", [line])] * 2)
    picture = cv2.imread(str(tmp_path / "new" / "f.png"))
    assert picture.shape[0] == figure.HEIGHT * figure.SCALE
    blue = (picture == figure._color(0)).all(axis=2)
    assert blue[:, : picture.shape[1] // 2].sum() == blue[:, picture.shape[1] // 2 :].sum() > 100
