"""The benchmarks that train or export: parts of sets, equal length, scores against scikit-learn, decisions."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.metrics import f1_score, jaccard_score

import chip_subsets
import int8_decision
import network_answers as answers_of
import network_tables as tables
from clearscene.synth.chip_set import ChipRecord, ChipSet, ChipWriter
from clearscene.synth.recipe import checked_recipe
from clearscene.training.config import parse_config
from clearscene.training.export.half import halve_weights
from clearscene.training.networks.spec import CLASSES
from tests.training_chips import make_chips

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "tables").glob("*.toml"))


def add(folder, key, split, parameters, labels=()):
    writer = ChipWriter(folder)
    rng = np.random.default_rng(len(key))
    record = ChipRecord(key, split, f"images/{key}.png", f"masks/{key}.png", labels, parameters=parameters)
    writer.add(record, rng.integers(0, 255, (3, 8, 9)).astype(np.uint8), np.zeros((8, 9), np.uint8))


@pytest.fixture
def sets(tmp_path):
    for number in (1, 2):
        folder = tmp_path / f"part{number}"
        add(folder, "a", "train", {"blur.defocus": {"sigma_px": 2.0}, "quality": 0}, ("blur",))
        add(folder, "b", "train", {"blur.motion_blur": {}, "quality": 0}, ("blur",))
        add(folder, "c", "train", {"labels": "real image"}, ("cloud",))
        add(folder, "d", "val", {"reduction": 1})
        add(folder, "e", "test", {"blur.defocus": {}}, ("blur",))
    return [ChipSet.open(tmp_path / f"part{number}") for number in (1, 2)]


def test_subsets_keep_what_they_say_and_find_their_pictures(sets, tmp_path):
    keys = {}
    for name, keep in chip_subsets.SUBSETS.items():
        made = chip_subsets.write_subset(tmp_path / name, sets, keep)
        keys[name] = {record.id for record in made.records()}
        for record in made.records():
            assert made.image(record).shape == (3, 8, 9)
        again = chip_subsets.write_subset(tmp_path / name, sets, keep)
        assert again.digest() == made.digest()
    assert keys["all"] == {f"set{i}-{k}" for i in (1, 2) for k in "abcd"}
    assert keys["real"] == {f"set{i}-{k}" for i in (1, 2) for k in "cd"}
    assert keys["unseen"] == {f"set{i}-{k}" for i in (1, 2) for k in "bcd"}
    assert keys["half"] < keys["all"]
    assert {"set1-d", "set2-d"} <= keys["half"]


def test_asked_chips_come_from_the_generators_they_should(tmp_path):
    recipe = checked_recipe({"sources": [{"folder": str(tmp_path)}], "seed": 21, "types": {"cloud": 2.0}}, "here")
    held, others = (chip_subsets.asked_recipe(recipe, n=5, seed=3, is_held_out=flag) for flag in (True, False))
    assert held.generators["blur.motion_blur"] == 0.0
    assert "blur.defocus" not in held.generators
    assert others.generators["blur.defocus"] == 0.0
    assert "blur.motion_blur" not in others.generators
    for one in (held, others):
        assert one.generators["cloud.real"] == 0.0
        assert one.split_seed == 21
        assert one.types["stripe"] == one.types["shadow"] == 0.0
        assert one.types["blur"] == 1.0


def test_every_recipe_is_a_config_of_a_set_that_is_made():
    assert len(RECIPES) == 7
    for path in RECIPES:
        config = tables.load_config(path)
        assert config.name == path.stem
        assert config.data.chips[0].folder.name in chip_subsets.SUBSETS
        assert config.run.seed == 5
    assert {tables.BASE, tables.UNSEEN} <= {path.stem for path in RECIPES}


def test_each_lever_differs_from_the_default_network_in_one_thing():
    base = tables.load_config(tables.RECIPES / f"{tables.BASE}.toml").model_dump()
    assert {"no-real", "no-lookalikes", "no-color", "no-screen"} == tables.LEVERS
    for name in tables.LEVERS:
        config = tables.load_config(tables.ROOT / "recipes" / "levers" / f"{name}.toml").model_dump()
        assert config["data"]["chips"][0]["folder"].name in chip_subsets.SUBSETS
        assert len({part for part in base if part != "name" and config[part] != base[part]}) == 1


def test_the_lever_table_tells_clouds_defects_and_false_area(tmp_path):
    records = ChipSet.open(make_chips(tmp_path / "chips", 10)).records()
    asked = {group: answers_of.Asked(ChipSet.open(tmp_path / "chips"), records) for group in ("real", "generated")}
    good, bad = np.eye(7) * 10, np.eye(7) * 10
    bad[0, 1] = 10.0  # as much of the ground is called cloud as is not
    pair = [answers_of.Answered(np.stack([one] * len(records)), None) for one in (good, bad)]
    answers = {tables.BASE: dict.fromkeys(asked, pair[0]), "no-lookalikes": dict.fromkeys(asked, pair[1])}
    table = tables.lever_table(answers, asked)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows[tables.BASE] == (1.0, "-", 1.0, "-", 0.0, "-")
    assert rows["no-lookalikes"][0] == pytest.approx(0.5)
    assert rows["no-lookalikes"][1].startswith("-0.500")
    assert rows["no-lookalikes"][2] == pytest.approx((0.5 + 5) / 6)
    assert rows["no-lookalikes"][4] == pytest.approx(100 * 10 / 80)


@pytest.mark.parametrize("n", [20, 45])
def test_trainings_are_equally_long_whatever_their_sets(tmp_path, n):
    folder = make_chips(tmp_path / "chips", n)
    values = {"data": {"size": 64, "chips": [{"folder": str(folder), "weight": 1.5}]}, "run": {"batch_size": 4}}
    config = tables.equal_length(parse_config(values, place="here"), views=120, minutes=9)
    (entry,) = config.data.chips
    per_epoch = entry.weight * len(ChipSet.open(folder).records("train"))
    assert per_epoch * config.run.epochs == pytest.approx(120)
    assert config.run.validate_every * 4 == config.run.epochs
    assert config.run.max_minutes == 9


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(8)
    truth = rng.choice([0, 1, 2, 3, 5, 7, 9, 255], (5, 20, 30)).astype(np.uint8)
    best = rng.choice(np.array(CLASSES), (5, 20, 30))
    draws = np.ones((1, 5))
    found = answers_of.ious(np.array([answers_of.confusion(t, b) for t, b in zip(truth, best, strict=True)]), draws)[0]
    known = ~np.isin(truth, [9, 255])
    folded = [np.where(ids[known] > 6, 0, ids[known]) for ids in (truth, best)]
    wanted = jaccard_score(*folded, labels=range(7), average=None, zero_division=0)
    assert found == pytest.approx(np.where(np.isin(range(7), folded[0]), wanted, np.nan), nan_ok=True)
    labels = (rng.random((40, 10)) < 0.3).astype(float)
    logits = rng.normal(0, 1, (40, 10))
    wanted = f1_score(labels, logits >= 0, average=None, zero_division=0)
    assert answers_of.f1s(logits, labels, np.ones((1, 40)))[0] == pytest.approx(wanted)
    shares = answers_of.mean_of(np.array([[0.5, np.nan, 1.0], [np.nan] * 3]))
    assert shares == pytest.approx([0.75, np.nan], nan_ok=True)


def test_unseen_table_gives_the_change(tmp_path):
    folder = make_chips(tmp_path / "chips", 10)
    records = ChipSet.open(folder).records()
    asked = {group: answers_of.Asked(ChipSet.open(folder), records) for group in tables.SEEDS}
    good = np.array([[1.0 if name in r.labels else -1.0 for name in tables.TYPE_NAMES] for r in records])
    areas = np.stack([np.eye(7) * 10 for _ in records])
    answers = {
        tables.BASE: {group: answers_of.Answered(areas, good) for group in asked},
        tables.UNSEEN: {group: answers_of.Answered(areas + 1, -good) for group in asked},
    }
    table = tables.unseen_table(answers, asked)
    rows = {row[0]: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    cloud = rows["held out: cloud"]
    assert cloud["IoU, trained with"] == 1.0
    assert cloud["without"] == pytest.approx(11 / 23)
    assert cloud["change"].startswith("-0.522")
    assert rows["held out: misalignment"]["IoU, trained with"] != rows["held out: misalignment"]["IoU, trained with"]
    assert len(rows) == 2 * (len(chip_subsets.HELD_TYPES) + 1)


def test_widened_undoes_the_halving():
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (20, 30)).astype(np.float16).astype(np.float32)  # what float16 holds
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 30])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph)
    wide = int8_decision.widened(halve_weights(model))
    assert [node.op_type for node in wide.graph.node] == ["MatMul"]
    (kept,) = wide.graph.initializer
    assert kept.name == "w"
    assert (numpy_helper.to_array(kept) == weight).all()
    assert int8_decision.widened(model).SerializeToString() == model.SerializeToString()


@pytest.mark.parametrize(
    ("gain", "f1", "iou", "use"),
    [(1.3, 0.0, -0.01, "int8"), (1.2, 0.0, 0.0, "float16"), (1.5, -0.02, 0.0, "float16"), (2.0, 0.0, -0.05, "float16")],
)
def test_int8_must_be_faster_and_as_good(gain, f1, iou, use):
    table = int8_decision.decision({"cpu": (f1, iou)}, {"cpu": gain})
    assert table.rows[0][-1] == use


def test_int8_scores_by_hand():
    labels = np.array([[1.0, 0.0], [0.0, 0.0]])
    draws = np.ones((1, 2))
    assert int8_decision.macro_f1(np.array([[2.0, -1.0], [3.0, -1.0]]), labels, draws)[0] == pytest.approx(2 / 3)
    matrix = np.zeros((2, 7, 7))
    matrix[0, 1, 1], matrix[1, 1, 0], matrix[1, 0, 0] = 6, 4, 50
    assert int8_decision.mean_iou(matrix, draws)[0] == pytest.approx(0.6)
