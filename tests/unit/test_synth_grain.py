"""Noise floors, filling, straight lines, and what counts as visible."""

import numpy as np
import pytest

from clearscene.synth.grain import add_grain, filled, is_visible, noise_floor, straight_lines
from tests.town import calm, town


@pytest.mark.parametrize("sigma", [0.005, 0.03])
def test_the_floor_of_pure_noise_is_its_deviation(sigma):
    rng = np.random.default_rng(4)
    data = (0.4 + rng.normal(0, 1, (2, 240, 250)) * np.array([sigma, 2 * sigma])[:, None, None]).astype(np.float32)
    assert noise_floor(data) == pytest.approx([sigma, 2 * sigma], rel=0.15)


def test_texture_of_the_ground_is_not_noise():
    rng = np.random.default_rng(4)
    data = calm(200, 230)
    busy = data.copy()
    busy[:, 50:] += rng.normal(0, 0.2, (150, 230)).astype(np.float32)
    assert noise_floor(busy) == pytest.approx(noise_floor(data), rel=0.3)


def test_grain_has_the_strength_that_is_asked_for():
    flat = np.full((3, 150, 160), 0.5, np.float32)
    sigma = np.array([0.01, 0.02, 0.04], np.float32)
    for seed in range(6):
        noisy = add_grain(flat, np.random.default_rng(seed), sigma)
        assert noisy.std(axis=(1, 2)) == pytest.approx(sigma, rel=0.12)
        assert noisy.dtype == np.float32


def test_filling_takes_the_nearest_valid_value():
    data = town(60, 70, bands=2)
    valid = np.ones((60, 70), bool)
    valid[:, 30:41] = False
    holed = np.where(valid, data, np.nan).astype(np.float32)
    full = filled(holed, valid)
    assert np.array_equal(full[:, valid], data[:, valid])
    assert np.array_equal(full[:, :, 31], data[:, :, 29])
    assert np.array_equal(full[:, :, 39], data[:, :, 41])
    assert filled(data, np.ones_like(valid)) is data


def test_roads_are_straight_and_shrubs_are_not():
    rng = np.random.default_rng(5)
    rows = np.mgrid[0:120, 0:140][0]
    roads = np.repeat((0.3 + 0.4 * (rows % 40 < 12))[None], 3, axis=0).astype(np.float32)
    shrubs = np.clip(0.4 + rng.normal(0, 0.3, (3, 120, 140)), 0, 1).astype(np.float32)
    assert straight_lines(roads).mean() > 0.5
    assert straight_lines(shrubs).mean() < 0.02


def test_a_quarter_turn_turns_the_lines():
    data = town(120, 140)
    turned = np.rot90(data, axes=(1, 2)).copy()
    assert (straight_lines(turned) == np.rot90(straight_lines(data))).mean() > 0.995


def test_visible_is_more_than_the_noise_explains():
    data = calm(100, 110)
    weight = np.ones((100, 110), np.float32)
    other = calm(100, 110, seed=2)
    assert not is_visible(data, np.broadcast_to(data.mean(axis=(1, 2), keepdims=True), data.shape), weight)
    assert is_visible(data, other + 0.05, weight)
    assert not is_visible(data, data + 0.05, np.zeros_like(weight))
