"""Spectral overflow: which bands run over, where, and how visibly."""

import numpy as np
import pytest

from clearscene.synth import overflow
from tests.town import town

DATA = town(110, 130, bands=4)
VALID = np.ones((110, 130), bool)
GENERATORS = [overflow.color_stain, overflow.saturated_patch, overflow.wrapped]


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
@pytest.mark.parametrize("bands", [1, 2])
def test_windows_without_color_stay(generator, bands):
    data = DATA[:bands]
    result = generator(data, VALID, np.random.default_rng(1), 1.0)
    assert not result.mask.any()
    assert np.array_equal(result.data, data)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
def test_the_difference_is_told_and_infrared_stays(generator):
    for seed in range(6):
        result = generator(DATA, VALID, np.random.default_rng(seed), 0.6)
        assert result.parameters["tone_step_delta_e"] >= 5
        assert np.array_equal(result.data[3], DATA[3])


def test_saturated_bands_reach_the_limit_in_bright_ground():
    brighter = []
    for seed in range(8):
        result = overflow.saturated_patch(DATA, VALID, np.random.default_rng(seed), 1.0)
        high = overflow.COLORS[result.parameters["color"]].index(1.0)
        low = overflow.COLORS[result.parameters["color"]].index(0.0)
        assert result.data[high, result.mask].max() == pytest.approx(1, abs=0.02)
        assert result.data[:3].max() <= 1
        assert (result.data[low] <= DATA[low] + 1e-6).all()
        brighter.append(DATA[:3, result.mask].mean() - DATA[:3].mean())
    assert np.mean(brighter) > 0.02


def test_wrapped_values_are_dark_where_they_were_bright():
    for seed in range(8):
        result = overflow.wrapped(DATA, VALID, np.random.default_rng(seed), 0.5)
        bands = [int(band) - 1 for band in result.parameters["bands"].split(",")]
        changed = (result.data != DATA).any(axis=(1, 2))
        assert set(np.flatnonzero(changed)) <= set(bands)
        moved = result.data[bands] != DATA[bands]
        assert DATA[bands][moved].min() > 0.05
        assert result.data[bands][moved].mean() < DATA[bands][moved].mean()


def test_the_ground_shows_under_a_stain():
    result = overflow.color_stain(DATA, VALID, np.random.default_rng(2), 0.7)
    before, after = (d[:3, result.mask].mean(axis=0) for d in (DATA, result.data))
    assert np.corrcoef(before, after)[0, 1] > 0.4
