"""From images to a model for cloud masks: the typed commands, one after the other."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.masking.masker import ModelMasker  # noqa: E402  # after the check for torch
from clearscene.models.model import Model  # noqa: E402
from clearscene.synth.chip_set import ChipSet  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402
from tests.command import clearscene  # noqa: E402
from tests.reflectance_images import RECIPE, ground, make_mask_chips, write_mask_config, write_sources  # noqa: E402
from tests.training_chips import make_chips  # noqa: E402

mend_torchvision()
pytest.importorskip("timm", reason="timm comes with the extra `train`")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training on chips that the test drew."""
    place = tmp_path_factory.mktemp("masks")
    config = write_mask_config(place / "config.toml", make_mask_chips(place / "chips"))
    clearscene("train", config, "--out", place / "run", "--quiet", check=0)
    return place / "run"


def test_chips_are_made_by_the_typed_command(tmp_path):
    place = write_sources(tmp_path)
    (place / "recipe.toml").write_text(RECIPE.format(n=6, more=""))
    clearscene("synth", "chips", "--recipe", place / "recipe.toml", "--out", tmp_path / "set", "--quiet", check=0)
    chips = ChipSet.open(tmp_path / "set")
    assert len(chips) == 6
    assert chips.product == "mask"
    done = clearscene(
        "synth", "chips", "--recipe", place / "recipe.toml", "--source", tmp_path, "--out", tmp_path / "b"
    )
    assert done.returncode == 2
    assert "for masks" in done.stderr


def test_a_training_measures_cloud_and_shadow(run):
    rows = (run / "val.csv").read_text().splitlines()
    assert {"miou", "iou_cloud", "iou_shadow", "iou_thin_cloud"} <= set(rows[0].split(","))
    assert json.loads((run / "run.json").read_text())["outcome"]["reason"] == "done"


def test_chips_for_inspection_are_refused(tmp_path):
    config = write_mask_config(tmp_path / "config.toml", make_chips(tmp_path / "chips", 4))
    done = clearscene("train", config, "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 2
    assert "holds chips for inspection" in done.stderr


def test_the_export_masks_with_and_without_near_infrared(run, tmp_path):
    card = tmp_path / "card.toml"
    card.write_text('[model]\nname = "tiny-mask"\n[tiles]\ntile_size = 64\nreductions = [1]\n[scales]\n')
    clearscene("export", run, "--out", tmp_path / "model", "--card", card, "--no-speed", "--quiet", check=0)
    model = Model.load(tmp_path / "model", device="cpu")
    manifest = model.manifest
    assert manifest.task == "cloud_mask"
    assert [(c.id, c.name) for c in manifest.classes] == [
        *((0, "clear"), (1, "thick_cloud")),
        *((2, "thin_cloud"), (3, "cloud_shadow")),
    ]
    assert manifest.input.normalization == "bright_level"
    image = ground(3, 50, 60)
    planes = dict(zip(("red", "green", "blue", "nir"), image, strict=True))
    masker = ModelMasker(model)
    chances = masker.probabilities(planes, np.ones((50, 60), bool), kind="toa")
    np.testing.assert_allclose(chances.sum(axis=0), 1, atol=1e-5)
    del planes["nir"]
    assert masker.probabilities(planes, np.ones((50, 60), bool), kind="toa").shape == (4, 50, 60)
