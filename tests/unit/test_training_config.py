"""The TOML file of a training: what it may hold, and what it says about what it may not."""

import tomllib
from pathlib import Path

import pytest

from clearscene.errors import TrainingError
from clearscene.training.config import TrainConfig, load_config, parse_config
from clearscene.training.export.toml_text import to_toml
from clearscene.training.networks.spec import CLASS_NAMES, CLASSES, TYPE_NAMES, NetworkSpec

RECIPES = Path(__file__).parents[2] / "recipes"
CHIPS = {"data": {"chips": [{"folder": "chips"}]}}


def parse(**sections) -> TrainConfig:
    return parse_config({**CHIPS, **sections}, place="here.toml")


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_the_smallest_config_is_the_default_network():
    config = parse()
    assert (config.network.kind, config.network.encoder) == ("two-head", "tf_efficientnet_lite0")
    assert config.optimizer.lr == 1e-4


def test_all_wrong_keys_are_named_with_their_values():
    with pytest.raises(TrainingError) as caught:
        parse(run={"epohcs": 3, "batch_size": 0}, optimizer={"lr": -1.5})
    for part in ("here.toml", "run.epohcs", "run.batch_size", "(found 0)", "optimizer.lr", "(found -1.5)"):
        assert part in caught.value.message
    assert "run.epohcs: no such key; perhaps run.epochs is meant" in caught.value.message
    assert caught.value.hint == "See the guide to training."


def test_the_sections_are_named_where_one_is_unknown():
    for sections in ({"schedul": {}}, {"data": None}):
        values = {key: value for key, value in {**CHIPS, **sections}.items() if value is not None}
        with pytest.raises(TrainingError) as caught:
            parse_config(values, place="here.toml")
        assert "The sections are data, network, loss, optimizer, schedule" in caught.value.hint
    assert "data: is missing" in caught.value.message


def test_a_key_of_an_entry_of_a_list_is_meant_too():
    with pytest.raises(TrainingError, match=r"data.chips.0.wieght: no such key; perhaps data.chips.0.weight is meant"):
        parse(data={"chips": [{"folder": "a", "wieght": 2}]})


def test_a_kind_alone_asks_for_a_name():
    with pytest.raises(TrainingError, match=r"kind 'segmentation' needs a name beside it; there are segformer-b0"):
        parse(network={"kind": "segmentation"})
    with pytest.raises(TrainingError, match=r"kind 'screening' needs a name .*resnet50, .*timm:NAME"):
        parse(network={"kind": "screening"})
    for kind in ("mask", "quality", "fusion", "semantic"):
        assert parse(network={"kind": kind}).network.kind == kind


def test_a_pattern_that_is_none_is_named_with_its_place():
    with pytest.raises(TrainingError, match=r"here.toml: data.chips.0.exclude: '\(' is no regular expression"):
        parse(data={"chips": [{"folder": "a", "exclude": "("}]})


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"chips": []}}, "at least 1 item"),
        ({"data": {"chips": [{"folder": "a/x"}, {"folder": "b/x"}]}}, "two sets of chips have one name"),
        ({"data": {"chips": [{"folder": "a", "is_judged": False}]}}, "no set of chips is judged"),
        ({"data": {"chips": [{"folder": "a"}], "size": 100}}, "size 100 is no multiple of 32"),
        ({"network": {"name": "resnet50"}}, "no two-head network"),
        ({"network": {"kind": "screening", "name": "slim"}}, "resnet50, swinv2-base"),
        (
            {"network": {"kind": "screening", "name": "resnet50", "frozen": ["conv1"]}},
            "slim networks only",
        ),
        ({"loss": {"positive_weights": {"clouds": 2}}}, "positive_weights names ['clouds']"),
        ({"loss": {"class_weights": {"stripe": 2}}}, "class_weights names ['stripe']"),
        ({"augment": {"gain": [1.2, 0.8]}}, "smallest, largest"),
        ({"augment": {"scale": [0.5, 2]}}, "look blurred"),
    ],
)
def test_what_cannot_be_is_refused(sections, words):
    with pytest.raises(TrainingError) as caught:
        parse(**sections)
    assert words in caught.value.message


def test_paths_are_relative_to_the_file(file):
    path = file('[data]\nchips = [{ folder = "../chips" }, { folder = ".." }]\n[network]\nweights = "a/../start.pth"\n')
    config = load_config(path)
    assert config.data.chips[0].folder == path.parent.resolve().parent / "chips"
    assert config.data.chips[1].title == ".."  # a set goes by the name of its folder, also in older checkpoints
    assert config.network.weights == str(path.parent.resolve() / "start.pth")


def test_overrides_are_read_as_toml(file):
    path = file('[data]\nchips = [{ folder = "c" }]\n')
    config = load_config(path, ["run.epochs=3", "run.device=cpu", "augment.gain=[0.5, 1]", "name=a"])
    assert (config.run.epochs, config.run.device, config.augment.gain, config.name) == (3, "cpu", (0.5, 1.0), "a")
    for wrong in ("run.epochs", "=3", "run.seed.x=1"):
        with pytest.raises(TrainingError, match=r"--set|run\.seed"):
            load_config(path, ["run.seed=1", wrong])


def test_a_file_that_is_none(file, tmp_path):
    with pytest.raises(TrainingError, match=r"config\.toml is not a TOML file"):
        load_config(file("[data\n"))
    with pytest.raises(TrainingError, match="No such file"):
        load_config(tmp_path / "none.toml")


def test_what_is_written_is_read_as_the_same_config():
    config = parse(loss={"positive_weights": {"cloud": 2.0}}, run={"max_minutes": 3.5}, network={"frozen": ["bn1"]})
    text = to_toml(config.model_dump(mode="json"))
    assert parse_config(tomllib.loads(text), place="again") == config


def test_values_are_brought_to_what_the_weights_were_trained_with():
    assert NetworkSpec().mean == (0.5, 0.5, 0.5)
    assert NetworkSpec(encoder="resnet18").mean == (0.485, 0.456, 0.406)
    assert NetworkSpec(kind="screening", name="resnet50").std == (0.229, 0.224, 0.225)
    assert NetworkSpec(kind="segmentation", name="mobilenetv2").std == (0.5, 0.5, 0.5)
    assert NetworkSpec(kind="segmentation", name="unet", encoder="resnet18").mean[0] == 0.485
    assert NetworkSpec(encoder="resnet18", mean=(0.1, 0.2, 0.3)).std == (0.5, 0.5, 0.5)


def test_heads_answer_the_types_of_the_taxonomy():
    assert (len(TYPE_NAMES), TYPE_NAMES[0], TYPE_NAMES[-1]) == (10, "cloud", "missing")
    assert tuple(range(9)) == CLASSES
    assert (CLASS_NAMES[0], CLASS_NAMES[-1]) == ("background", "misalignment")


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(RECIPES.glob("*.toml")) if "\n[network]" in path.read_text(encoding="utf-8")],
    ids=lambda path: path.stem,
)
def test_the_trainings_of_the_project_are_accepted(path):
    config = load_config(path)
    assert config.name
    assert all(entry.folder.is_absolute() for entry in config.data.chips)


def test_the_published_fusion_is_what_its_recipe_says():
    """Adam at 1e-4, halved every five of 20 epochs, the classes weighed 2, 1 and 0.5."""
    config = load_config(RECIPES / "fusion.toml")
    assert (config.optimizer.name, config.optimizer.lr, config.run.epochs) == ("adam", 1e-4, 20)
    assert (config.schedule.parts, config.schedule.warmup_steps) == (4, 0)
    assert sorted(config.fusion.class_weights.values(), reverse=True) == [2.0, 1.0, 0.5]
