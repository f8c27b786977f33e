"""Warps: how far pixels move, read from ramps in extra bands."""

import numpy as np
import pytest

from clearscene.synth import distortion
from tests.town import town

SHAPE = (150, 170)
VALID = np.ones(SHAPE, bool)
RAMP = 1e-3
GENERATORS = [distortion.melt, distortion.ripple, distortion.shear_break, distortion.swirl]


def with_ramps() -> np.ndarray:
    rows, cols = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32) * RAMP
    return np.concatenate([town(*SHAPE), rows[None], cols[None]])


def moves(result, data) -> np.ndarray:
    """(2, row, col) pixels, rows and columns."""
    return (result.data[3:] - data[3:]) / RAMP


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
def test_pixels_move_as_far_as_is_told_and_nothing_folds(generator):
    data = with_ramps()
    for seed in range(12):
        result = generator(data, VALID, np.random.default_rng(seed), 0.5)
        if not result.mask.any() or result.parameters["region"] == "whole":
            continue
        moved = moves(result, data)
        inner = np.zeros(SHAPE, bool)
        inner[16:-16, 16:-16] = True  # beyond its sides the window is mirrored, and ramps turn around
        far = np.hypot(*moved)
        assert far[inner].max() <= result.parameters["amplitude_px"] + 0.3
        assert far[~result.mask].max() == 0
        down, right = np.gradient(moved, axis=(1, 2))
        area = (1 + down[0]) * (1 + right[1]) - down[1] * right[0]
        assert (area[inner] > 0).mean() > 0.995
        if generator is not distortion.shear_break:  # teeth break lines on purpose
            assert np.abs(np.diff(moved, axis=2))[:, inner[:, 1:]].max() < 3


def test_amplitude_grows_from_3_to_25_px():
    data = with_ramps()
    for severity, low, high in ((0.0, 2.0, 3.5), (1.0, 10.0, 25.0)):
        drawn = [distortion.ripple(data, VALID, np.random.default_rng(seed), severity).parameters for seed in range(6)]
        told = [p["amplitude_px"] for p in drawn if p]
        assert low <= np.median(told) <= high


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
def test_ground_without_straight_lines_stays(generator):
    rng = np.random.default_rng(8)
    shrubs = np.clip(0.4 + rng.normal(0, 0.3, (3, *SHAPE)), 0, 1).astype(np.float32)
    for seed in range(5):
        result = generator(shrubs, VALID, np.random.default_rng(seed), 0.8)
        assert not result.mask.any()
        assert np.array_equal(result.data, shrubs)


def test_a_warp_does_not_soften():
    data = town(*SHAPE)
    ratios = []
    for seed in range(12):
        result = distortion.melt(data, VALID, np.random.default_rng(seed), 0.4)
        if result.mask.any():
            slopes = (np.hypot(*np.gradient(d, axis=(1, 2)))[:, result.mask] for d in (data, result.data))
            fine = [slope.mean() for slope in slopes]
            ratios.append(fine[1] / fine[0])
    assert np.median(ratios) == pytest.approx(1, abs=0.15)
