"""Truth of chips for cloud masks, and how clouds go over reflectance."""

import numpy as np
import pytest

from clearscene.errors import OptionError
from clearscene.synth.mask_cover import CLOUDS, HARMLESS, SHADOWS, paste_real, put_cover, put_harmless, weighted
from clearscene.synth.mask_truth import CLOUD, Cover, taught
from clearscene.synth.reflectance import Piece
from tests.reflectance_images import ground


def piece(seed=1, labels=None, bands=4):
    data = ground(seed, 72, 80)[:bands]
    return Piece(data, np.ones(data.shape[1:], bool), labels)


def test_thick_goes_before_shadow_and_shadow_before_thin():
    here = piece()
    cover = Cover(here.data)
    opacity = np.zeros((72, 80), np.float32)
    opacity[:, :20], opacity[:, 30:50], opacity[:, 60:65] = 0.9, 0.3, 0.07
    light_lost = np.zeros((72, 80), np.float32)
    light_lost[:30, 10:40] = 0.4
    cover.add(opacity, light_lost)
    mask = cover.mask(here.data + 0.3, here.valid)
    assert np.all(mask[:, :20] == 1), "thick before shadow"
    assert np.all(mask[:30, 30:40] == 3), "shadow before thin"
    assert np.all(mask[40:, 30:50] == 2)
    assert np.all(mask[:, 60:65] == 255), "too faint to be asked for"
    assert np.all(mask[40:, 70:] == 0)


def test_frayed_edges_of_thick_cloud_are_not_asked_for_and_veils_are():
    here = piece()
    cover = Cover(here.data)
    opacity = np.zeros((72, 80), np.float32)
    opacity[:, :20], opacity[:, 20:22], opacity[:, 22:60] = 0.9, 0.4, 0.2
    cover.add(opacity, None)
    mask = cover.mask(here.data + 0.3, here.valid)
    assert np.all(mask[:, :22] == 1), "a dense rim is a part of the cloud"
    assert np.all(mask[:, 22:27] == 255), "who knows"
    assert np.all(mask[:, 30:60] == 2), "a veil by itself"


def test_what_cannot_be_seen_is_not_asked_for():
    here = piece()
    cover = Cover(here.data)
    cover.add(np.full((72, 80), 0.9, np.float32), None)
    assert np.all(cover.mask(here.data, here.valid) == 255)


def test_without_cover_all_is_clear_but_for_what_is_not_valid():
    here = piece()
    here.valid[5:9] = False
    mask = Cover(here.data).mask(here.data, here.valid)
    assert np.all(mask[5:9] == 255)
    assert np.all(mask[9:] == 0)


def test_a_teacher_is_believed_as_far_as_it_can_know():
    labels = np.zeros((72, 80), np.uint8)
    labels[:30, :40], labels[40:60, :40], labels[70:] = 1, 2, 255
    here = piece(2, labels)
    here.data[:, :10, :40], here.data[:, 10:20, :40] = 0.7, 0.3
    here.data[:, 40:60, :20] *= 0.4
    mask = taught(here)
    assert mask[4, 20] == 1, "bright"
    assert mask[15, 20] == CLOUD, "either kind"
    assert mask[26, 20] == 2, "the ground shows"
    assert mask[50, 10] == 3
    assert mask[50, 30] == 255, "no darker than what is clear"
    assert mask[71, 70] == 255
    assert mask[50, 70] == 0


@pytest.mark.parametrize("entry", CLOUDS, ids=lambda entry: entry.name)
def test_clouds_are_as_bright_in_near_infrared_as_in_red(entry):
    here = piece(3)
    cover = Cover(here.data)
    made = put_cover(here, cover, entry, np.random.default_rng(4))
    opaque = cover.opacity > 0.9
    if opaque.sum() > 50:
        ratio = made.data[3][opaque].mean() / made.data[0][opaque].mean()
        assert 0.8 < ratio < 1.25
    assert np.isfinite(made.data).all()
    assert cover.opacity.max() > 0.1
    np.testing.assert_array_equal(here.data, ground(3, 72, 80))


def test_a_shadow_takes_more_from_near_infrared_than_from_blue():
    here = piece(5)
    cover = Cover(here.data)
    made = put_cover(here, cover, SHADOWS[0], np.random.default_rng(6))
    deep = cover.light_lost > 0.8 * cover.light_lost.max()
    kept = [made.data[band][deep].mean() / here.data[band][deep].mean() for band in (3, 2)]
    assert kept[0] < kept[1] < 1


@pytest.mark.parametrize("bands", [3, 4])
def test_real_clouds_come_with_their_shadow(bands):
    labels = np.zeros((72, 80), np.uint8)
    labels[20:50, 20:50] = 1
    cut = piece(7, labels)
    cut.data[:, 20:50, 20:50] = 0.8
    here, shadows = piece(8, bands=bands), 0
    for seed in range(4):
        cover = Cover(here.data)
        made = paste_real(here, cover, cut, np.random.default_rng(seed))
        shadows += bool(cover.light_lost.max() > 0.1)
        mask = cover.mask(made.data, made.valid)
        assert made.data.shape == here.data.shape
        assert np.mean(mask[25:45, 25:45] == 1) > 0.9
        assert set(np.unique(mask)) <= {0, 1, 2, 3, 255}
    assert shadows


@pytest.mark.parametrize("entry", HARMLESS, ids=lambda entry: entry.name)
def test_harmless_things_stay_reflectance(entry):
    made = put_harmless(piece(9), entry, np.random.default_rng(1))
    assert np.isfinite(made.data).all()
    assert made.data.max() < 2.5


def test_an_unknown_generator_is_named():
    with pytest.raises(OptionError, match=r"cloud\.paper_cloud"):
        weighted(CLOUDS, {"cloud.paper_cloud": 1.0})
    assert [e.name for e in weighted(SHADOWS, {"shadow.cloud_shadow": 0})] == []
