"""Hard negatives: bright or dark, textured, and never marked."""

import numpy as np
import pytest

from clearscene.synth.negative_shapes import boxes, detail, drawn
from clearscene.synth.negatives import NEGATIVES
from tests.unit.test_synth_cloud import HEIGHT, WIDTH, everywhere, ground

BRIGHT = sorted(set(NEGATIVES) - {"building_shadow", "open_water", "terrain_shadow", "water_glint", "surf"})


@pytest.mark.parametrize("name", NEGATIVES)
def test_something_changes_and_nothing_is_marked(name):
    data = ground()
    changed = 0
    for seed in range(5):
        result = NEGATIVES[name](data, everywhere(), np.random.default_rng(seed), 0.7)
        assert not result.mask.any()
        assert not result.also
        assert result.context is not None
        changed += np.abs(result.data - data).max() > 0.02
    assert changed >= 4


@pytest.mark.parametrize("name", BRIGHT)
def test_bright_things_are_brighter_than_the_ground(name):
    data = ground(level=0.2)
    gains = [
        (NEGATIVES[name](data, everywhere(), np.random.default_rng(seed), 1.0).data - data).mean() for seed in range(6)
    ]
    assert np.mean(gains) > 0.02


@pytest.mark.parametrize("name", ["building_shadow", "terrain_shadow"])
def test_shadows_of_the_scene_darken_it(name):
    data = ground(level=0.5)
    changes = [
        (NEGATIVES[name](data, everywhere(), np.random.default_rng(seed), 0.8).data - data).mean() for seed in range(6)
    ]
    assert np.mean(changes) < -0.005


def test_a_house_is_not_in_its_own_shadow():
    """Where ground stays, it stays to the bit: roofs and sunlit streets."""
    data = ground()
    result = NEGATIVES["building_shadow"](data, everywhere(), np.random.default_rng(0), 1.0)
    same = np.all(result.data == data, axis=0)
    assert 0.2 < same.mean() < 1


def test_snow_keeps_the_texture_of_the_ground():
    data = ground(seed=4)
    data[:, :, 40:44] *= 0.5  # a dark fence
    result = NEGATIVES["snow"](data, everywhere(), np.random.default_rng(2), 0.8).data[1]
    assert result[:, 41:43].mean() < 0.9 * result[:, 30:36].mean()


def test_texture_is_about_one_and_bounded():
    plane = detail(ground())
    assert plane.shape == (HEIGHT, WIDTH)
    assert 0.5 <= plane.min() < plane.max() <= 1.6
    assert plane.mean() == pytest.approx(1, abs=0.02)


def test_drawn_boxes_cover_their_area():
    corners = np.array([[20.0, 30.0], [60.0, 30.0], [60.0, 50.0], [20.0, 50.0]])
    cover = drawn(HEIGHT, WIDTH, [corners])
    assert cover.sum() == pytest.approx(41 * 21, rel=0.06)
    assert cover[40, 40] == pytest.approx(1, abs=1e-5)
    assert cover[5, 5] == 0
    assert len(boxes(HEIGHT, WIDTH, np.random.default_rng(0), n=7, sizes_px=(8, 30))) == 7


@pytest.mark.parametrize("seed", range(4))
def test_open_water_is_dark_and_darkest_in_near_infrared(seed):
    data = np.full((4, 128, 128), 0.3, np.float32)
    result = NEGATIVES["open_water"](data, np.ones((128, 128), bool), np.random.default_rng(seed), 0.3)
    wet = np.abs(result.data - data).max(axis=0) > 0.1
    red, green, blue, nir = result.data[:, wet].mean(axis=1)
    assert wet.mean() > 0.02
    assert nir < red < green
    assert max(red, green, blue) < 0.15
    assert nir < 0.05
    assert not result.mask.any()
