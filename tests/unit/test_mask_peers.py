"""Peers as maskers, with stand-ins for their packages: what they are given, and how their answers are read."""

import json
import sys
from threading import Lock

import numpy as np
import pytest

from clearscene.errors import MissingExtraError, ModelError
from clearscene.masking.classes import IDS
from clearscene.masking.masker import Origin, Traits
from clearscene.masking.peers import omnicloudmask, s2cloudless
from clearscene.masking.peers.missing import first_reason
from clearscene.masking.peers.ukis import load_ukis
from tests.mask_models import cloudy, level_folder

VALID = np.ones((20, 31), bool)
NAMES = ["blue", "green", "red", "nir"]


def traits(bands):
    return Traits(origins=(Origin("fake", "1"),), bands=bands, tile_size=64, network_size=64)


@pytest.fixture
def ukis_package(tmp_path, monkeypatch):
    """A folder that looks like ukis-csmask: networks of background, cloud and shadow, and their numbers."""
    folder = tmp_path / "ukis_csmask"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise AssertionError('its code is not run')\n")
    mean, std = [0.1, 0.2, 0.3, 0.4], [0.5, 0.25, 0.2, 0.1]
    for level in ("l1c", "l2a"):
        made = level_folder(tmp_path / level, ids=(0, 1, 3), bands=tuple(NAMES))
        (made / "model.onnx").rename(folder / f"model_4b_{level}.onnx")
        data = {"dataset_statistics": {"img": [mean, std], "band_names": NAMES}, "target_size": [32, 32]}
        (folder / f"model_4b_{level}.json").write_text(json.dumps({"data": data}))
    info = tmp_path / "ukis_csmask-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ukis-csmask\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder, np.array(mean)[:, None, None], np.array(std)[:, None, None]


def test_ukis_is_normalized_by_its_own_numbers_and_has_no_thin_cloud(ukis_package):
    _, mean, std = ukis_package
    masker = load_ukis(4, device="cpu")
    assert masker.traits.bands == tuple(NAMES)
    assert masker.traits.origins[0].version == "9.9"
    data, truth = cloudy(20, 31)
    data, truth = data[:, :20], truth
    stored = data * std + mean
    found = masker.probabilities(dict(zip(NAMES, stored, strict=True)), VALID, kind="surface")
    assert (found[2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    sure = truth != 2
    assert np.array_equal(found.argmax(axis=0)[sure], truth[sure])


def test_a_ukis_that_we_do_not_know_is_named(ukis_package):
    folder, *_ = ukis_package
    (folder / "model_4b_l2a.json").write_text("{}")
    with pytest.raises(ModelError, match="model_4b_l2a"):
        load_ukis(4, device="cpu")


class Trees:
    def predict(self, pixels):
        self.seen = pixels
        return np.where(pixels[:, 1] > 0.5, 0.9, 0.1)


def test_s2cloudless_sees_ten_bands_in_its_order_and_knows_cloud_alone():
    trees = Trees()
    masker = s2cloudless.S2Cloudless(trees, traits(s2cloudless.BANDS), Lock())
    planes = {name: np.full((20, 31), 0.01 * place, np.float32) for place, name in enumerate(s2cloudless.BANDS)}
    planes["blue"][:, :15] = 0.8
    found = masker.probabilities(planes, VALID, kind="toa")
    assert trees.seen.shape == (620, 10)
    assert trees.seen[0] == pytest.approx([0, 0.8, *(0.01 * place for place in range(2, 10))])
    assert (found[2:] == 0).all()
    assert (found[1, :, :9] > 0.5).all()
    assert (found[1, :, 21:] < 0.5).all()


def test_omnicloudmask_is_given_red_green_nir_and_small_tiles_are_made_larger():
    given = {}

    def predict(pixels, **words):
        given.update(words, pixels=pixels)
        answer = np.zeros((4, *pixels.shape[1:]), np.float32)
        answer[3] = 1
        return answer

    masker = omnicloudmask.OmniCloudMask(predict, ["network"], "cpu", traits(omnicloudmask.BANDS), Lock())
    planes = {name: np.full((20, 31), place, np.float32) for place, name in enumerate(omnicloudmask.BANDS)}
    found = masker.probabilities(planes, VALID, kind="surface")
    assert given["pixels"].shape == (3, 32, 32)
    assert given["pixels"][:, 0, 0].tolist() == [0, 1, 2]
    assert given["patch_size"] == 32
    assert found.shape == (len(IDS), 20, 31)
    assert (found.argmax(axis=0) == 3).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)


def test_omnicloudmask_that_does_not_load_is_said_with_the_reason(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    (tmp_path / "omnicloudmask.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    info = tmp_path / "omnicloudmask-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: omnicloudmask\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "omnicloudmask", raising=False)
    with pytest.raises(MissingExtraError, match="cannot be loaded: operator torchvision::nms"):
        omnicloudmask.load_omnicloudmask(device="cpu")


def test_what_failed_first_is_told():
    def failed():
        try:
            raise OSError("Name or service\n not known")
        except OSError as error:
            raise ValueError("Force download failed due to the above error.") from error

    with pytest.raises(ValueError, match="Force") as caught:
        failed()
    assert first_reason(caught.value) == "Name or service not known"
    assert first_reason(KeyError()) == "KeyError"
