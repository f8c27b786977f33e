"""Random regions: soft rims, shapes, and the noise that shapes them."""

import numpy as np
import pytest

from clearscene.synth.region import SHAPES, draw_region, laid_in, linear_ramp, profile, ramp, smooth_noise

SIZE = (97, 131)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("feather", [0.0, 3.0, 60.0])
def test_weights_are_zero_outside_and_reach_one(shape, feather):
    for seed in range(10):
        region = draw_region(SIZE, np.random.default_rng(seed), shapes=(shape,), feather_px=feather)
        assert region.shape == shape
        assert region.weight.shape == SIZE
        assert region.weight.min() >= 0
        assert region.weight.max() == pytest.approx(1)
        assert (region.weight[~region.mask] == 0).all()
        assert region.mask.any()
        if feather == 0:
            assert set(np.unique(region.weight)) <= {0.0, 1.0}


def test_the_whole_window_has_no_rim():
    region = draw_region(SIZE, np.random.default_rng(1), shapes=("whole",), feather_px=20)
    assert (region.weight == 1).all()


@pytest.mark.parametrize("shape", ["blob", "block"])
def test_larger_coverage_covers_more(shape):
    def covered(share: float) -> float:
        draws = [
            draw_region((200, 220), np.random.default_rng(seed), coverage=(share, share), shapes=(shape,), feather_px=0)
            for seed in range(20)
        ]
        return float(np.mean([d.mask.mean() for d in draws]))

    small, large = covered(0.05), covered(0.4)
    assert 0.02 < small < 0.08 < 0.2 < large < 0.5


def test_the_middle_lies_where_interest_is():
    interest = np.zeros((4, 5), np.float32)
    interest[3, 0] = 1
    for seed in range(8):
        region = draw_region(
            (80, 100), np.random.default_rng(seed), coverage=(0.05, 0.05), shapes=("block",), interest=interest
        )
        rows, cols = np.nonzero(region.mask)
        assert rows.mean() > 45
        assert cols.mean() < 35


def test_a_rim_rises_from_the_outline():
    inside = np.zeros((40, 60), bool)
    inside[10:, 20:] = True
    even, soft = linear_ramp(inside, 9), ramp(inside, 9)
    assert np.allclose(even[10:20, 40], np.arange(1, 11) / 10, atol=0.02)
    assert (np.diff(soft[10:20, 40]) >= 0).all()
    assert soft[25, 45] == 1
    assert (soft[~inside] == 0).all()


@pytest.mark.parametrize("cell", [2.0, 9.0, 30.0])
def test_noise_is_smooth_and_of_unit_strength(cell):
    rng = np.random.default_rng(2)
    draws = np.stack([smooth_noise((140, 170), cell, rng) for _ in range(12)])
    assert draws.std() == pytest.approx(1, abs=0.25)
    assert abs(draws.mean()) < 0.15
    assert np.abs(np.diff(draws, axis=1)).max() < 4.5 / cell
    assert np.std([profile(150, cell, rng) for _ in range(30)]) == pytest.approx(1, abs=0.25)


def test_laying_in_blends_in_valid_pixels_alone():
    data, changed = np.full((2, 3, 4), 0.2, np.float32), np.full((2, 3, 4), 0.6, np.float32)
    weight = np.array([[0, 0.5, 1, 1]] * 3, np.float32)
    valid = np.ones((3, 4), bool)
    valid[0] = False
    result = laid_in(data, changed, valid, weight=weight, parameters={"a_px": 1})
    assert np.allclose(result.data[1], [[0.2] * 4] + [[0.2, 0.4, 0.6, 0.6]] * 2)
    assert np.array_equal(result.mask, (weight > 0) & valid)
    assert result.parameters == {"a_px": 1}
