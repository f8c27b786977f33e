"""A benchmark from its suite to its folder, with models that need no training, and the commands around it."""

import csv
import json
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from clearscene.benchmark.card import find_card
from clearscene.benchmark.classes import positive_of
from clearscene.benchmark.drawing import draw_all
from clearscene.benchmark.evaluate import Target, count
from clearscene.benchmark.overlays import BOTH, DIM, FOUND, TRUE, WASH
from clearscene.benchmark.results import Results, read_results, schema_text
from clearscene.benchmark.rows import load_row
from clearscene.benchmark.run import run_suite
from clearscene.benchmark.suite import ModelEntry, parse_suite
from clearscene.benchmark.tally import joined
from clearscene.datasets.prepared import PreparedAbout, PreparedRecord, PreparedSet, PreparedWriter
from clearscene.errors import DatasetError, OptionError, ResultError
from clearscene.sky.api import sky
from clearscene.sky.options import SkyOptions
from tests.benchmark_sets import BIOMES, SHAPE, BrightRow, FakeMakers, Follower, make_set, scene_of
from tests.command import clearscene
from tests.mask_models import level_folder
from tests.sky_photos import blue_model, indoors, scene

CARDS = ["pooled", "benchcloudvision-code", "38cloud-official"]
MODELS = [
    {"name": "U-Net", "network": "unet"},
    {"name": "RS-Net", "network": "rs-net", "training": {"lr": 0.01}},
    {"name": "peer | *one*", "peer": "ukis-4b"},
]

INSTANCES = {"network": "yolov8-seg", "form": "instances"}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    make_set(folder / "a", name="Made A", n_scenes=6)
    make_set(folder / "b", name="Made B", bands=("blue", "green", "red", "nir"), n_scenes=6)
    return folder


def suite_of(sets, **values):
    entries = [{"name": "A", "folder": "a"}, {"name": "B", "folder": "b", "train": False, "split": "all"}]
    values = {"name": "small", "protocols": CARDS, "sets": entries, "models": MODELS, "pictures": 2} | values
    return parse_suite(values, place="small.toml", folder=sets)


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    """Folder and results of a run in which one model fails."""
    out = tmp_path_factory.mktemp("out") / "run"
    makers = FakeMakers(broken=["RS-Net"])
    results = run_suite(suite_of(sets), out, Follower(), makers=makers.makers())
    draw_all(results, out)
    return out, results


def test_cells_are_models_by_sets_by_protocols_and_a_failure_costs_its_own_only(finished):
    out, results = finished
    assert len(results.cells) == 3 * 2 * 3
    by_model = {
        name: {c.status for c in results.cells if c.model == name} for name in ("U-Net", "RS-Net", "peer | *one*")
    }
    assert by_model == {"U-Net": {"done"}, "RS-Net": {"failed"}, "peer | *one*": {"done"}}
    assert {c.error for c in results.cells if c.status == "failed"} == {"it answers nonsense"}
    assert {c.train_set for c in results.cells if c.model == "U-Net"} == {"A"}
    assert {c.train_set for c in results.cells if c.model == "peer | *one*"} == {None}
    assert read_results(out) == results
    assert Results.model_validate(json.loads((out / "results.json").read_text())) == results


def test_each_pixel_of_a_scene_counts_once_when_stitched(finished):
    _, results = finished
    cell = results.cell("U-Net", "A", "B", "pooled")
    assert cell.n_scenes == 6
    assert cell.n_pixels == 6 * SHAPE[0] * SHAPE[1]
    truth = [scene_of(int(scene.scene[1:]), 4)[1] for scene in cell.scenes]
    assert [scene.tp + scene.fn for scene in cell.scenes] == [int(mask.sum()) for mask in truth]
    by_chip = results.cell("U-Net", "A", "B", "benchcloudvision-code")
    assert by_chip.n_pixels > cell.n_pixels


def test_the_stitched_numbers_are_those_of_the_whole_scene(finished):
    _, results = finished
    cell = results.cell("U-Net", "A", "B", "pooled")
    row = BrightRow("x")
    both, either = 0, 0
    for number in range(6):
        image, cloud = scene_of(number, 4)
        stored = np.rint(image * 10_000).astype(np.uint16).astype(np.float32) / np.float32(10_000)
        called = row.probability(stored[[2, 1]], ("red", "green")) >= 0.5
        both += int((called & (cloud == 1)).sum())
        either += int((called | (cloud == 1)).sum())
    assert cell.metrics["iou"].value == pytest.approx(both / either, abs=1e-3)
    assert cell.metrics["iou"].low < cell.metrics["iou"].value < cell.metrics["iou"].high


def test_each_card_has_its_threshold_and_pooling(finished):
    _, results = finished
    official = results.cell("U-Net", "A", "B", "38cloud-official")
    assert official.threshold == 12 / 255
    values = [scene.metrics["iou"] for scene in official.scenes]
    assert official.metrics["iou"].value == pytest.approx(np.mean(values))
    code = results.cell("U-Net", "A", "B", "benchcloudvision-code")
    assert code.threshold in find_card("benchcloudvision-code").threshold.candidates
    assert code.metrics["auc_thresholded"].value <= code.metrics["auc"].value


def test_a_model_for_whole_photos_sees_them_whole(sets):
    """Its answer depends on the mean of what it sees, so that chips alone would give another one."""

    class AboveMean(BrightRow):
        def probability(self, image, bands):
            shapes.append(image.shape)
            return (image.mean(axis=0) > image.mean()).astype(np.float32)

    target = Target("B", PreparedSet.open(sets / "b"), ("cloud",), ())
    found = {}
    for is_whole in (True, False):
        shapes = []
        counted = count(AboveMean("x", is_whole=is_whole), target, [find_card("pooled")], split="test")["pooled"]
        found[is_whole] = joined([counted.tallies["s2"], counted.tallies["s5"]], 0.5).confusion
        assert set(shapes) == {(2, *SHAPE)} if is_whole else (2, *SHAPE) not in shapes
        assert counted.n_chips == len(target.prepared.records("test"))
    for place, number in enumerate((2, 5)):
        image, cloud = scene_of(number, 4)
        stored = np.rint(image * 10_000).astype(np.uint16).astype(np.float32) / np.float32(10_000)
        called = stored[[2, 1]].mean(axis=0) > stored[[2, 1]].mean()
        assert found[True][place, 0] == (called & (cloud == 1)).sum()
        assert found[True][place, 1] == (called & (cloud == 0)).sum()
    assert (found[True] != found[False]).any()


def test_a_sky_model_is_judged_as_the_command_masks(tmp_path):
    """At one half, over chips that overlap, its mask is that of `clearscene sky` on the photo."""
    blue_model(tmp_path / "blue")
    photos = [scene(seed=1), (indoors(120, 180), np.zeros((120, 180), bool))]
    about = PreparedAbout(
        "Photos", ("red", "green", "blue"), ("other", "sky"), "display", "CC0-1.0", size=96, overlap=8
    )
    with PreparedWriter(tmp_path / "set", about) as writer:
        for number, (photo, is_sky) in enumerate(photos):
            for row, col in ((0, 0), (0, 84), (24, 0), (24, 84)):
                part = np.s_[row : row + 96, col : col + 96]
                image = photo[part].transpose(2, 0, 1).astype(np.float32) / 255
                name = f"p{number}"
                record = PreparedRecord(f"{name}_{row}_{col}", "test", name, "", "", row, col, is_sky.shape)
                writer.add(record, image, is_sky[part].astype(np.uint8))
    row = load_row(
        ModelEntry(name="x", model=str(tmp_path / "blue")),
        run=None, positive=("sky",), kind="display", device="cpu", threads=1,
    )  # fmt: skip
    target = Target("Photos", PreparedSet.open(tmp_path / "set"), ("sky",), ())
    tallies = count(row, target, [find_card("pooled")], split="test")["pooled"].tallies
    for number, (photo, is_sky) in enumerate(photos):
        hidden = sky(photo, options=SkyOptions(model=str(tmp_path / "blue"))).mask == 0
        tp, fp, fn, tn = joined([tallies[f"p{number}"]], 0.5).confusion[0]
        assert (tp, fp) == ((hidden & is_sky).sum(), (hidden & ~is_sky).sum())
        assert tp + fp + fn + tn == is_sky.size
    assert tp + fp == 0


def test_fill_is_left_out_or_clear_as_the_card_says(tmp_path):
    """A scene with unlabeled fill at its left side, of which a chip of nothing but fill is not in the set."""
    prepared = PreparedSet.open(make_set(tmp_path / "filled", fill_cols=40))
    target = Target("Filled", prepared, ("cloud",), ())
    n_scenes, of_scene = 2, SHAPE[0] * SHAPE[1]
    by_fill = {}
    for fill in ("ignore", "clear"):
        card = find_card("38cloud-official").model_copy(update={"name": fill, "fill": fill})
        tallies = count(BrightRow("x"), target, [card], split="test")[fill].tallies
        by_fill[fill] = joined(list(tallies.values()), 12 / 255).confusion.sum(axis=0)
    assert by_fill["ignore"].sum() == n_scenes * (of_scene - 40 * SHAPE[0])
    assert by_fill["clear"].sum() == n_scenes * of_scene
    tp, fp, fn, tn = by_fill["clear"] - by_fill["ignore"]
    assert (tp, fn) == (0, 0)
    assert fp + tn == n_scenes * 40 * SHAPE[0]
    assert find_card("38cloud-official").fill == "clear"
    assert find_card("pooled").fill == "ignore"


def test_ignored_classes_stay_ignored_where_fill_is_clear(sets):
    prepared = PreparedSet.open(sets / "a")
    record = next(iter(prepared.records("test")))
    mask = prepared.mask(record)
    truth = Target("A", prepared, ("cloud",), ("clear",)).truth(record, fill="clear")
    assert (mask == 255).any()
    assert (mask == 0).any()
    np.testing.assert_array_equal(truth, np.select([mask == 255, mask == 0], [0, 255], 1))


def test_the_threshold_of_the_validation_images_is_kept_for_the_test(sets):
    target = Target("A", PreparedSet.open(sets / "a"), ("cloud",), ())
    code = find_card("benchcloudvision-code")
    rule = code.threshold.model_copy(update={"rule": "best-iou-on-val"})
    card = code.model_copy(update={"name": "honest", "threshold": rule})
    counted = count(BrightRow("x", slope=3.0), target, [card], split="val")
    assert set(counted["honest"].tallies) == {"s1", "s4"}


def test_groups_hold_the_scenes_of_their_biome(finished):
    _, results = finished
    cell = results.cell("U-Net", "A", "B", "pooled")
    assert set(cell.by_biome) == set(BIOMES)
    sums = {name: [s for s in cell.scenes if s.biome == name] for name in BIOMES}
    for name, scenes in sums.items():
        tp, wrong = sum(s.tp for s in scenes), sum(s.fp + s.fn for s in scenes)
        assert cell.by_biome[name]["iou"].value == pytest.approx(tp / (tp + wrong))
    assert set(cell.by_cover) == {"clear", "mid", "cloudy"}


def test_what_is_finished_is_kept_and_what_failed_is_tried_again(sets, tmp_path):
    suite = suite_of(sets, protocols=["pooled"])
    first, again = FakeMakers(broken=["RS-Net"]), FakeMakers()
    run_suite(suite, tmp_path, Follower(), makers=first.makers())
    assert first.trained == ["unet", "rs-net"]
    results = run_suite(suite, tmp_path, Follower(), makers=again.makers())
    assert again.trained == []
    assert again.loaded == ["RS-Net", "RS-Net"]
    assert {cell.status for cell in results.cells} == {"done"}
    assert len(results.trainings) == 2


def test_another_seed_or_a_new_card_makes_only_what_it_changes(sets, tmp_path):
    run_suite(suite_of(sets, protocols=["pooled"]), tmp_path, Follower(), makers=FakeMakers().makers())
    more = FakeMakers()
    run_suite(suite_of(sets, protocols=["pooled", "38cloud-official"]), tmp_path, Follower(), makers=more.makers())
    assert more.trained == []
    assert len(more.loaded) == 6
    other = FakeMakers()
    suite = suite_of(sets, seed=1, protocols=["pooled"], models=MODELS[:1])
    run_suite(suite, tmp_path, Follower(), makers=other.makers())
    assert other.trained == ["unet"]
    anew = FakeMakers()
    run_suite(suite, tmp_path, Follower(), overwrite=True, makers=anew.makers())
    assert anew.trained == ["unet"]


def test_a_training_that_fails_is_told_and_its_cells_say_why(sets, tmp_path):
    follower = Follower()
    results = run_suite(
        suite_of(sets, protocols=["pooled"]), tmp_path, follower, makers=FakeMakers(untrainable=["unet"]).makers()
    )
    cell = results.cell("U-Net", "A", "B", "pooled")
    assert (cell.status, cell.error, cell.hint) == ("failed", "there are no chips to learn from", "Add some.")
    assert results.trainings[0].status == "failed"
    assert ("train U-Net on A", "there are no chips to learn from") in follower.told
    assert results.cell("RS-Net", "A", "B", "pooled").status == "done"


def test_a_fault_of_ours_does_not_end_the_run(sets, tmp_path, caplog):
    makers = FakeMakers()
    makers.load = lambda entry, **_: (_ for _ in ()).throw(KeyError("oops"))
    results = run_suite(suite_of(sets, protocols=["pooled"]), tmp_path, Follower(), makers=makers.makers())
    assert {cell.status for cell in results.cells} == {"failed"}
    assert "fault in clearscene" in results.cells[0].hint


def test_a_card_for_another_split_fails_alone(sets, tmp_path):
    card = find_card("pooled").model_copy(update={"name": "strict", "split_digest": "0" * 64})
    suite = suite_of(sets, protocols=["pooled"])
    suite = suite.model_copy(update={"cards": (card, *suite.cards)})
    results = run_suite(suite, tmp_path, Follower(), makers=FakeMakers().makers())
    assert {(cell.protocol, cell.status) for cell in results.cells} == {("strict", "failed"), ("pooled", "done")}
    assert "is split as" in results.cell("U-Net", "A", "A", "strict").error
    assert results.cell("U-Net", "A", "A", "pooled").pictures


def test_a_card_that_forbids_a_band_costs_no_other_card(sets, tmp_path):
    strict = find_card("pooled").model_copy(update={"name": "green-only", "bands": ("green",)})
    suite = suite_of(sets, protocols=["pooled"], models=MODELS[2:])
    suite = suite.model_copy(update={"cards": (strict, *suite.cards)})
    results = run_suite(suite, tmp_path, Follower(), makers=FakeMakers().makers())
    assert {(cell.protocol, cell.status) for cell in results.cells} == {("green-only", "failed"), ("pooled", "done")}
    assert results.cell("peer | *one*", None, "A", "pooled").pictures


def test_a_threshold_is_not_looked_for_where_it_is_judged(sets, tmp_path):
    code = find_card("benchcloudvision-code")
    rule = code.threshold.model_copy(update={"rule": "best-iou-on-val"})
    honest = code.model_copy(update={"name": "honest", "threshold": rule})
    suite = suite_of(sets, protocols=["pooled"], models=MODELS[2:])
    suite = suite.model_copy(update={"cards": (honest, *suite.cards)})
    results = run_suite(suite, tmp_path, Follower(), makers=FakeMakers().makers())
    by_cell = {(cell.test_set, cell.protocol): cell for cell in results.cells}
    assert {key: cell.status for key, cell in by_cell.items()} == {
        ("A", "honest"): "done", ("A", "pooled"): "done", ("B", "honest"): "failed", ("B", "pooled"): "done",
    }  # fmt: skip
    assert "B is judged on 'all', which holds it" in by_cell["B", "honest"].error


def test_other_weights_in_the_same_folder_are_judged_again(sets, tmp_path):
    folder = level_folder(tmp_path / "level")
    suite = suite_of(sets, protocols=["pooled"], models=[{"name": "ours", "model": str(folder)}])

    def loaded():
        makers = FakeMakers()
        run_suite(suite, tmp_path / "out", Follower(), makers=makers.makers())
        return makers.loaded

    assert loaded() == ["ours", "ours"]
    assert loaded() == []
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert loaded() == ["ours", "ours"]


def test_a_card_that_forbids_a_band_fails_the_models_that_read_it(sets, tmp_path):
    card = find_card("pooled").model_copy(update={"name": "green-only", "bands": ("green",)})
    suite = suite_of(sets).model_copy(update={"cards": (card,)})
    results = run_suite(suite, tmp_path, Follower(), makers=FakeMakers().makers())
    assert all("red is not offered" in cell.error for cell in results.cells)


def test_values_of_8_bits_are_cut_and_as_prepared_ones_are_not(sets):
    seen = {}

    class Watcher(BrightRow):
        def probability(self, image, bands):
            seen.setdefault("levels", []).append(np.unique(np.round(image * 255, 4) % 1).tolist())
            return super().probability(image, bands)

    target = Target("A", PreparedSet.open(sets / "a"), ("cloud",), ())
    count(Watcher("x"), target, [find_card("benchcloudvision-code")], split="test")
    assert seen.pop("levels")[0] == [0.0]
    count(Watcher("x"), target, [find_card("pooled")], split="test")
    assert len(seen["levels"][0]) > 10


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"network": "unett"}, ("There is no network 'unett'", "Did you mean unet?")),
        ({"network": "unet", "form": "tidy"}, ("Network unet has no form 'tidy'", "It has paper, benchmark")),
        ({"network": "unet", "training": {"loss": "l2"}}, ("[training] of second", "loss.name")),
        ({**INSTANCES, "training": {"optimizer": "adam-amsgrad"}}, ("'adam-amsgrad'", "adam, adamw")),
        ({**INSTANCES, "training": {"lr": 0.01}}, ("lr = 0.01 has no effect", "Set `optimizer`")),
        ({"model": "cloud-rgbx"}, ("There is no model 'cloud-rgbx'", "Models here: ")),
        ({"peer": "ukis"}, ("There is no peer 'ukis'", "There are ukis-4b")),
        ({"run": "runs/none"}, ("config.toml", "clearscene train")),
    ],
)
def test_a_wrong_name_is_found_before_anything_is_trained(sets, tmp_path, model, words):
    models = [{"name": "first", "network": "unet"}, {"name": "second", **model}]
    with pytest.raises(OptionError) as caught:
        run_suite(suite_of(sets, models=models), tmp_path / "out", Follower())
    assert "Model second: " in caught.value.message
    assert "Model first: " not in caught.value.message
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"
    assert not (tmp_path / "out").exists()


def test_a_set_without_colors_is_found_before_instances_are_trained(tmp_path):
    make_set(tmp_path / "a", bands=("red", "nir"))
    values = {"name": "x", "sets": [{"name": "A", "folder": "a"}], "models": [{"name": "second", **INSTANCES}]}
    suite = parse_suite(values, place="x", folder=tmp_path)
    with pytest.raises(OptionError, match=r"Model second: set A has no green, blue") as caught:
        run_suite(suite, tmp_path / "out", Follower())
    assert "form" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_a_set_that_was_not_split_is_found_before_anything_is_trained(tmp_path):
    make_set(tmp_path / "a", n_scenes=1)
    values = {"name": "x", "sets": [{"name": "A", "folder": "a"}], "models": [{"name": "second", "network": "unet"}]}
    with pytest.raises(OptionError, match="Model second: set A has no chips in val"):
        run_suite(parse_suite(values, place="x", folder=tmp_path), tmp_path / "out", Follower())
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_is_found_before_anything_is_trained(sets, tmp_path):
    entries = [{"name": "A", "folder": "a"}, {"name": "C", "folder": "c", "train": False}]
    values = {"name": "x", "sets": entries, "models": MODELS[:1]}
    with pytest.raises(DatasetError) as caught:
        run_suite(parse_suite(values, place="x.toml", folder=sets), tmp_path / "out", Follower())
    assert str(sets / "c") in caught.value.message
    assert not (tmp_path / "out").exists()


def test_photos_are_seen_once_and_as_they_are_by_cards_of_8_bits(tmp_path):
    """Their values have 8 bits already: cutting k / 255 once more would take one level from some of them."""
    about = PreparedAbout("Photos", ("red", "green"), ("other", "sky"), "display", "CC0-1.0", size=0, overlap=0)
    levels = np.arange(256, dtype=np.float32).reshape(1, 16, 16).repeat(2, axis=0) / 255
    with PreparedWriter(tmp_path / "set", about) as writer:
        mask = (levels[0] > 0.5).astype(np.uint8)
        writer.add(PreparedRecord("a", "test", "a", "", "", 0, 0, (16, 16)), levels, mask)
    seen = []

    class Watcher(BrightRow):
        def probability(self, image, bands):
            seen.append(image * 255)
            return super().probability(image, bands)

    target = Target("Photos", PreparedSet.open(tmp_path / "set"), ("sky",), ())
    count(Watcher("x"), target, [find_card("benchcloudvision-code"), find_card("pooled")], split="test")
    assert len(seen) == 2  # the first look, and the one that is timed
    np.testing.assert_allclose(seen[1][0].ravel(), np.arange(256), atol=1e-3)


def test_more_than_two_classes_need_a_name(sets):
    with pytest.raises(OptionError, match="no class 'haze'"):
        positive_of(PreparedSet.open(sets / "a").classes, ("haze",), (), place="set A")


def test_tables_figures_and_pictures_are_there(finished):
    out, results = finished
    for card in CARDS:
        for ending in ("md", "csv", "tex"):
            assert (out / "tables" / card / f"a.{ending}").is_file()
    text = (out / "tables" / "pooled" / "a.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    value = next(r["IoU"] for r in rows if r["model"] == "U-Net" and r["block"].endswith("tested on B"))
    assert value == f"{results.cell('U-Net', 'A', 'B', 'pooled').metrics['iou'].value:.4f}"
    assert "Barren" in (out / "tables" / "pooled" / "b-by-biome.md").read_text(encoding="utf-8")
    for name in ("curves-a", "overlays-a-on-a", "overlays-a-on-b"):
        picture = cv2.imread(str(out / "figures" / f"{name}.png"))
        assert picture is not None
        assert picture.std() > 5
    assert len(results.cell("U-Net", "A", "B", "pooled").pictures) == 2


def test_overlays_are_blue_green_and_both(sets, finished):
    out, results = finished
    picture = results.cell("U-Net", "A", "B", "pooled").pictures[0]
    drawn, plain = (
        cv2.imread(str(out / Path(picture.path).with_name(name)))[..., ::-1].astype(float)
        for name in (Path(picture.path).name, f"{picture.chip.replace('_', '-')}.png")
    )
    chips = PreparedSet.open(sets / "b")
    record = next(record for record in chips.records() if record.id == picture.chip)
    mask = chips.mask(record)
    found = BrightRow("x").probability(chips.image(record, ("red", "green")), ("red", "green")) >= 0.5
    is_line = (drawn == FOUND).all(axis=-1) | (drawn == TRUE).all(axis=-1)
    assert not is_line[~found & (mask != 1)].any()
    for where, color in ((found & (mask == 0), FOUND), (~found & (mask == 1), TRUE), (found & (mask == 1), BOTH)):
        expected = plain * DIM * (1 - WASH) + np.array(color) * WASH
        assert where.any()
        assert np.abs(drawn - expected)[where & ~is_line].max(initial=0) <= 1
    rest = (~found & (mask == 0)) | (mask == 255)
    assert np.abs(drawn - plain * DIM)[rest & ~is_line].max() <= 1


class _Reader(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self):
        super().__init__()
        self.fetched, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for name, value in attrs if name in ("src", "href") and not value.startswith("data:")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_fetches_nothing_and_says_what_failed(finished):
    out, _ = finished
    reader = _Reader()
    reader.feed((out / "report.html").read_text(encoding="utf-8"))
    text = " ".join(reader.text)
    assert reader.fetched == []
    assert "it answers nonsense" in text
    assert "Trained on A and tested on B" in text
    assert "peer | *one*" in text
    assert "these numbers flatter" in text


def test_tables_are_drawn_again_from_results_alone(finished, tmp_path):
    out, _ = finished
    (tmp_path / "results.json").write_bytes((out / "results.json").read_bytes())
    done = clearscene("benchmark", "tables", tmp_path, check=0)
    assert "Trained on A and tested on B" in done.stdout
    for path in ("tables/pooled/a.tex", "tables/38cloud-official/a.md", "tables/pooled/a.csv"):
        assert (tmp_path / path).read_bytes() == (out / path).read_bytes()
    assert not (tmp_path / "tables" / "mixed.md").exists()
    clearscene("benchmark", "tables", tmp_path, "--mixed", check=0)
    assert "cannot be compared" in (tmp_path / "tables" / "mixed.md").read_text(encoding="utf-8")


def test_a_folder_without_results_is_an_error(tmp_path):
    done = clearscene("benchmark", "tables", tmp_path, check=2)
    assert "results.json cannot be read" in done.stderr
    (tmp_path / "results.json").write_text('{"format": 1}')
    with pytest.raises(ResultError, match="name: is missing"):
        read_results(tmp_path)


def test_the_published_schema_is_that_of_the_code():
    path = Path(__file__).parents[2] / "docs" / "reference" / "benchmark.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()


def test_check_published_names_the_rows_that_cannot_be_right():
    done = clearscene("benchmark", "check-published", check=0)
    assert "39 of 42 rows agree" in done.stdout
    assert "Cloud-Net, trained on SPARCS, tested on Biome: Dice and coverage demand an AUC of 0.8509" in done.stdout
    assert "if coverage were recall" in done.stdout
    checks = json.loads(clearscene("benchmark", "check-published", "--json", check=0).stdout)
    assert sum(bool(check["complaint"]) for check in checks) == 3


def test_cards_are_listed_and_shown():
    assert "38cloud-official" in clearscene("benchmark", "cards", check=0).stdout
    card = tomllib.loads(clearscene("benchmark", "cards", "pooled", check=0).stdout)
    assert card["stitching"] == "scene"
    assert len(json.loads(clearscene("benchmark", "cards", "--json", check=0).stdout)) == 4
    assert "hint: Cards here" in clearscene("benchmark", "cards", "none", check=2).stderr


def test_a_model_folder_and_a_peer_that_is_not_there_are_rows(sets, tmp_path):
    level_folder(tmp_path / "level")
    config = tmp_path / "suite.toml"
    config.write_text(
        'name = "rows"\nprotocols = ["pooled"]\npictures = 1\n'
        f'[[sets]]\nname = "B"\nfolder = "{sets / "b"}"\ntrain = false\n'
        '[[models]]\nname = "ours"\nmodel = "level"\n'
        '[[models]]\nname = "theirs"\npeer = "omnicloudmask"\n',
        encoding="utf-8",
    )
    done = clearscene("benchmark", "run", config, "--out", tmp_path / "out", check=1)
    assert done.stdout.strip() == str(tmp_path / "out" / "report.html")
    results = read_results(tmp_path / "out")
    ours = results.cell("ours", None, "B", "pooled")
    assert ours.bands == ("red", "green", "blue", "nir")
    assert ours.seconds_per_mpx > 0
    assert results.models[0].size_mb > 0
    assert ours.metrics["auc"].value > 0.8
    assert results.cell("theirs", None, "B", "pooled").status == "failed"
    assert "1 of 2 cells" in done.stderr
