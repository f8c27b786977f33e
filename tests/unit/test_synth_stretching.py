"""Streaks: drawn out along the direction that is told, from a ridge on."""

import numpy as np
import pytest

from clearscene.synth import height_streaks, stretching
from tests.town import town

DATA = town(140, 160)
VALID = np.ones((140, 160), bool)


def slopes(plane: np.ndarray, mask: np.ndarray, angle: float) -> tuple[float, float]:
    """Mean change of brightness along and across a direction, within the mask."""
    down, right = np.gradient(plane)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    along, across = right * cos + down * sin, -right * sin + down * cos
    return float(np.abs(along[mask]).mean()), float(np.abs(across[mask]).mean())


@pytest.mark.parametrize("generator", [stretching.slope_streaks, stretching.edge_streaks, stretching.stretching])
def test_detail_is_lost_along_the_streaks(generator):
    ratios = []
    for seed in range(12):
        result = generator(DATA, VALID, np.random.default_rng(seed), 0.9)
        if result.mask.any() and result.parameters["n_ridges"] == 1:
            angle = result.parameters["angle_deg"]
            along, across = slopes(result.data.mean(axis=0), result.mask, angle)
            was_along, was_across = slopes(DATA.mean(axis=0), result.mask, angle)
            ratios.append((along / across) / (was_along / was_across))
    assert len(ratios) >= 4
    assert np.median(ratios) < 0.65


def test_parameters_keep_to_their_ranges():
    for severity in (0.0, 1.0):
        for seed in range(8):
            told = stretching.slope_streaks(DATA, VALID, np.random.default_rng(seed), severity).parameters
            if told:
                assert 15 <= told["length_px"] <= 150
                assert told["stretch_factor"] == pytest.approx(20 if severity else 4, rel=0.11)
                assert 0 <= told["angle_deg"] < 360


def test_streaks_go_on_from_the_ground_before_the_ridge():
    jumps, usual = [], np.abs(np.diff(DATA.mean(axis=0), axis=1)).mean()
    for seed in range(10):
        result = stretching.slope_streaks(DATA, VALID, np.random.default_rng(seed), 0.8)
        if not result.mask.any():
            continue
        angle = np.deg2rad(result.parameters["angle_deg"])
        if abs(np.cos(angle)) < 0.8:
            continue
        step = -1 if np.cos(angle) > 0 else 1
        before = np.roll(result.mask, step, axis=1) & ~result.mask  # the last pixel before the ridge
        before[:, [0, -1]] = False
        plane = result.data.mean(axis=0)
        jumps.append(np.abs(np.roll(plane, step, axis=1) - plane)[before].mean())
    assert len(jumps) >= 2
    assert np.mean(jumps) < 1.6 * usual


def test_streaks_that_follow_heights_run_along_their_direction_and_end_with_their_mask():
    ratios = []
    for seed in range(16):
        result = height_streaks.height_streaks(DATA, VALID, np.random.default_rng(seed), 0.9)
        if result.mask.mean() < 0.1:
            continue
        angle = result.parameters["angle_deg"]
        along, across = slopes(result.data.mean(axis=0), result.mask, angle)
        was_along, was_across = slopes(DATA.mean(axis=0), result.mask, angle)
        ratios.append((along / across) / (was_along / was_across))
        assert result.mask.mean() == pytest.approx(result.parameters["cover_fraction"], abs=0.001)
    assert len(ratios) >= 6
    assert np.median(ratios) < 0.9


def test_moves_grow_with_severity_and_keep_to_about_a_sixth_of_the_window():
    weak, strong = (
        [height_streaks.height_streaks(DATA, VALID, np.random.default_rng(seed), s).parameters for seed in range(12)]
        for s in (0.0, 1.0)
    )
    weakest, strongest = ([told["move_px"] for told in part if told] for part in (weak, strong))
    assert len(weakest) >= 4
    assert len(strongest) >= 6
    assert max(weakest) < 9
    assert np.median(strongest) > 12
    assert max(strongest) < 1.4 * 140 / 6
