"""From a prepared set to a model that masks sky, and to predictions: the typed commands, one after the other."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.datasets.prepared import PreparedSet  # noqa: E402  # after the check for torch
from clearscene.errors import BandError, TrainingError  # noqa: E402
from clearscene.models.model import Model, softmax  # noqa: E402
from clearscene.training.config import load_config  # noqa: E402
from clearscene.training.run import train  # noqa: E402
from clearscene.training.semantic_predict import load_semantic  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402
from tests.command import clearscene  # noqa: E402
from tests.prepared_photos import cloud_set, photo_set, write_semantic_config  # noqa: E402
from tests.sky_photos import scene, write_photo  # noqa: E402
from tests.training_chips import make_chips, write_config  # noqa: E402

mend_torchvision()
pytest.importorskip("timm", reason="timm comes with the extra `train`")

CARD = '[model]\nname = "tiny-sky"\ntask = "sky"\n[tiles]\ntile_size = 64\nreductions = [1]\n[scales]\n'
CLOUDS = (
    ('encoder = "test_efficientnet"', 'name = "unet"\nform = "benchmark"\nbands = ["nir", "red"]'),
    ('classes = ["other", "sky"]', 'classes = ["clear", "thin", "thick"]'),
    ("decoder_width = 16\n", ""),
    ('view = "whole"', 'view = "crop"'),
    ("area = [0.6, 1.0]\n", ""),
    ("sky_swap_chance = 0.5\n", ""),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("semantic")


@pytest.fixture(scope="module")
def run(place):
    """A training on photos that the test drew."""
    config = write_semantic_config(place / "config.toml", photo_set(place / "photos"), ("epochs = 3", "epochs = 12"))
    clearscene("train", config, "--out", place / "run", "--quiet", check=0)
    return place / "run"


def test_a_training_learns_and_says_what_it_measured(run):
    rows = (run / "val.csv").read_text().splitlines()
    assert {"miou", "iou_sky", "dice_sky", "iou_other", "pixel_accuracy"} <= set(rows[0].split(","))
    record = json.loads((run / "run.json").read_text())
    assert record["outcome"]["reason"] == "done"
    assert record["outcome"]["best"] > 0.6
    assert record["data"][0]["splits"] == {"train": 8, "val": 2, "test": 0}
    assert "bce-dice" in (run / "train.csv").read_text().splitlines()[0]
    assert (run / "curves.png").is_file()


class StopsAt:
    """A reporter that asks to stop after a step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, done: float, text: str) -> None:
        self.left -= 1

    def validated(self, step: int, by_set: dict, *, is_best: bool) -> None:
        pass

    @property
    def stop_requested(self) -> bool:
        return self.left <= 0


def test_an_interrupted_training_ends_as_one_that_was_not(place):
    sets = ["schedule.kind=plateau", "schedule.patience=1", "optimizer.name=adam-amsgrad", "run.epochs=4"]
    config = load_config(write_semantic_config(place / "two.toml", photo_set(place / "few", 6)), sets)
    assert train(config, place / "whole", StopsAt(99)).step == 4
    assert train(config, place / "parts", StopsAt(2)).reason == "stopped"
    assert train(config, place / "parts", StopsAt(99), resume=True).step == 4
    a, b = (torch.load(place / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert a["progress"]["n_plateaus"] == b["progress"]["n_plateaus"]
    for key, value in a["network"].items():
        torch.testing.assert_close(b["network"][key], value, rtol=0, atol=0)


def test_predictions_have_the_size_of_the_image(run):
    net = load_semantic(run)
    assert (net.bands, net.classes) == (("red", "green", "blue"), ("other", "sky"))
    photo, is_sky = scene(70, 110, seed=31)
    found = net.predict(photo.transpose(2, 0, 1).astype(np.float32) / 255)
    assert found.shape == (1, 70, 110)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert ((found[0] >= 0.5) == is_sky).mean() > 0.8
    with pytest.raises(BandError, match="bands red, green, blue"):
        net.predict(np.zeros((4, 50, 50), np.float32))


def test_the_export_masks_photos_as_the_network_does(run, tmp_path):
    (tmp_path / "card.toml").write_text(CARD)
    model = tmp_path / "model"
    clearscene("export", run, "--out", model, "--card", tmp_path / "card.toml", "--no-speed", "-q", check=0)
    loaded = Model.load(model, device="cpu")
    assert loaded.manifest.task == "sky"
    assert [entry.name for entry in loaded.manifest.classes] == ["other", "sky"]
    photo, _ = scene(64, 64, seed=32)
    image = loaded.prepare(photo.transpose(2, 0, 1), np.ones((64, 64), bool))
    temperature = loaded.manifest.output.temperature
    ours = softmax(loaded.segment(image) * np.float32(temperature))[1]
    wanted = load_semantic(run).predict(photo.transpose(2, 0, 1).astype(np.float32) / 255)[0]
    np.testing.assert_allclose(ours, wanted, atol=0.02)
    write_photo(tmp_path / "one.png", photo)
    words = ("sky", tmp_path / "one.png", "--model", model, "--device", "cpu", "-q", "-o", tmp_path / "masks")
    clearscene(*words, check=0)
    assert json.loads((tmp_path / "masks" / "sky.json").read_text())["model"] == "tiny-sky 0.1.0"


def test_published_networks_are_trained_on_the_bands_and_classes_of_a_set(place):
    clouds = cloud_set(place / "clouds")
    config = write_semantic_config(place / "clouds.toml", clouds, *CLOUDS, ("epochs = 3", "epochs = 1"))
    clearscene("train", config, "--out", place / "clouds-run", "-q", check=0)
    net = load_semantic(place / "clouds-run")
    prepared = PreparedSet.open(clouds)
    found = net.predict(prepared.image(prepared.records("val")[0], net.bands)[:, :50, :37])
    assert found.shape == (3, 50, 37)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    names = (place / "clouds-run" / "val.csv").read_text().splitlines()[0].split(",")
    assert {"iou_thin", "iou_thick", "miou_with_background"} <= set(names)


def test_sets_of_another_kind_are_refused(tmp_path):
    config = write_semantic_config(tmp_path / "c.toml", make_chips(tmp_path / "chips", 4))
    done = clearscene("train", config, "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 2
    assert "no prepared set" in done.stderr
    config = write_semantic_config(tmp_path / "c.toml", photo_set(tmp_path / "set", 4), ('"sky"]', '"water"]'))
    done = clearscene("train", config, "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 2
    assert "['other', 'sky']" in done.stderr


def test_other_trainings_do_not_predict(tmp_path):
    config = write_config(tmp_path / "config.toml", make_chips(tmp_path / "chips", 8))
    clearscene("train", config, "--out", tmp_path / "run", "-q", "--set", "run.epochs=1", check=0)
    with pytest.raises(TrainingError, match="not semantic"):
        load_semantic(tmp_path / "run")
