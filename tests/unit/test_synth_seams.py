"""Seams of a mosaic: where they run, the tone that steps there, the ground that breaks, and what only looks like it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.synth.degraded import degrade_stored
from clearscene.synth.misalignment import local_misalignment, misalignment, sheet_misalignment
from clearscene.synth.seam import MIDDLE, Seam, edge_taper, half_width, lengthwise_seam, random_seam
from clearscene.synth.seam_lookalikes import field_border, illumination_drift
from clearscene.synth.stitching_trace import (
    ToneStep,
    local_stitching_trace,
    sheet_trace,
    step_tone,
    stitching_trace,
)
from clearscene.synth.tone import DARKEST, Tone, delta_e, fit_tone, mixed, random_tone

FORMS = ("straight", "bent", "corner", "winding")
GENERATORS = (
    stitching_trace,
    local_stitching_trace,
    sheet_trace,
    misalignment,
    local_misalignment,
    sheet_misalignment,
)


def ground(height: int, width: int, n_bands: int = 3, *, seed: int = 3) -> np.ndarray:
    """Blocks of many tones with noise: edges everywhere, every band and pixel differs."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.15, 0.75, (n_bands, height // 9 + 2, width // 9 + 2)).astype(np.float32)
    blocks = np.repeat(np.repeat(coarse, 9, axis=1), 9, axis=2)[:, :height, :width]
    return (blocks + rng.normal(0, 0.01, blocks.shape)).astype(np.float32)


def smooth(height: int, width: int, n_bands: int = 3) -> np.ndarray:
    row, col = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([0.35 + 0.05 * band + 0.0002 * (row + 2 * col) for band in range(n_bands)]).astype(np.float32)


@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 10_000), st.sampled_from(FORMS))
@settings(max_examples=60, deadline=None)
def test_a_seam_has_two_sides_and_its_band_is_its_distance(height: int, width: int, seed: int, form: str) -> None:
    seam = random_seam(height, width, rng=np.random.default_rng(seed), form=form)
    assert seam.form == form
    assert -90 < seam.angle_deg <= 90
    assert (seam.distance > 0).any()
    assert (seam.distance < 0).any()
    assert (seam.distance != 0).all()
    assert np.array_equal(seam.band(3.0), np.abs(seam.distance) <= 3)
    steps = np.abs(np.diff(seam.distance, axis=1))
    assert steps.max() <= 1.5  # a distance changes by a pixel a pixel


@given(st.integers(24, 120), st.integers(24, 120), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_lengthwise_seam_keeps_in_the_middle(height: int, width: int, seed: int) -> None:
    seam = lengthwise_seam(height, width, rng=np.random.default_rng(seed))
    across = seam.distance if width >= height else seam.distance.T
    spare = int((1 - MIDDLE) / 2 * min(height, width))
    for side in (across[:spare], across[-spare:]):
        assert (side > 0).all() or (side < 0).all()
    assert (across[0] > 0).all() != (across[-1] > 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_distances_are_those_of_the_nearest_pixel_of_the_other_side(form: str) -> None:
    seam = random_seam(41, 57, rng=np.random.default_rng(5), form=form)
    ahead = np.argwhere(seam.distance > 0)
    behind = np.argwhere(seam.distance < 0)
    for row, col in ahead[::97]:
        nearest = np.hypot(*(behind - (row, col)).T).min()
        assert seam.distance[row, col] == pytest.approx(nearest - 0.5, abs=0.06 * nearest + 0.6)


def test_a_straight_seam_lies_at_its_angle() -> None:
    seam = random_seam(120, 90, rng=np.random.default_rng(8), form="straight")
    rows, cols = np.nonzero(seam.band(1.0))
    direction = np.linalg.svd(np.stack([cols, rows], 1) - [cols.mean(), rows.mean()], full_matrices=False)[2][0]
    angle = np.rad2deg(np.arctan2(direction[1], direction[0]))
    assert abs((angle - seam.angle_deg + 90) % 180 - 90) < 2


def test_the_band_grows_mildly_with_the_window_and_a_taper_ends_at_the_edge() -> None:
    assert half_width(256, 300) == 4
    assert 10 < half_width(2048, 2048) < 12
    taper = edge_taper(40, 60)
    assert taper[0].max() == taper[:, -1].max() == 0
    assert taper[20, 30] == 1


def test_delta_e_is_that_of_the_published_formula() -> None:
    """By hand: sRGB to linear to XYZ (D65) to Lab, CIE 15 and IEC 61966-2-1."""

    def lab(rgb: np.ndarray) -> np.ndarray:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
        t = (matrix @ linear) / np.array([0.9505, 1.0, 1.089])[:, None]
        f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
        return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    rng = np.random.default_rng(2)
    before, after = rng.uniform(0.02, 0.98, (2, 3, 400))
    by_hand = np.sqrt(((lab(before) - lab(after)) ** 2).sum(axis=0)).mean()
    assert delta_e(before.astype(np.float32), after.astype(np.float32)) == pytest.approx(by_hand, rel=0.01)
    gray = rng.uniform(0, 1, (1, 50)).astype(np.float32)
    assert delta_e(gray, gray) == 0
    assert delta_e(gray * 0, gray * 0 + 1) == pytest.approx(100, abs=0.5)


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 4]), st.floats(2, 20))
@settings(max_examples=40, deadline=None)
def test_a_tone_reaches_what_was_asked(seed: int, n_bands: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    sample = np.random.default_rng(1).uniform(0.2, 0.6, (n_bands, 300)).astype(np.float32)
    tone, reached = fit_tone(random_tone(n_bands, rng), sample, target)
    assert 0.9 * target < reached < 1.1 * target or reached < target  # a paler gray goes only so far
    assert delta_e(sample, tone.apply(sample)) == pytest.approx(reached)


def test_a_tone_keeps_its_laws() -> None:
    data = np.array([[0.0, 0.002, DARKEST, 0.3, 0.9, 1.4]] * 3, np.float32)
    none = np.zeros(3, np.float32)
    assert np.array_equal(Tone(none, none).apply(data), data)
    dark = Tone(none - 9, none - 0.5, 0.4, -0.3).apply(data)
    assert (dark[:, 2:] >= np.float32(DARKEST)).all()
    assert (dark[:, 1] >= np.float32(0.002)).all()
    kept = mixed(data, Tone(none + 1, none), np.zeros(6, np.float32), rng=np.random.default_rng(1))
    assert np.array_equal(kept, data)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("n_bands", [1, 3, 5])
@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
def test_the_laws_of_degrade(generator, n_bands: int, severity: float) -> None:
    data = ground(96, 131, n_bands)
    valid = np.ones((96, 131), bool)
    valid[:30, 100:] = False
    before = data.copy()
    data[:, ~valid] = before[:, ~valid] = np.nan
    drawn = (generator(data, valid, np.random.default_rng(seed), severity) for seed in range(11, 31))
    result = next(result for result in drawn if result.mask.any())  # some seams do not stand out on this ground
    assert np.array_equal(data, before, equal_nan=True)
    assert result.data.dtype == np.float32
    assert not (result.mask & ~valid).any()
    assert result.context is not None
    assert not (result.context & ~valid).any()
    kept = ~(result.mask | result.context)
    assert np.array_equal(result.data[:, kept], data[:, kept], equal_nan=True)
    assert np.isfinite(result.data[:, valid]).all()
    again = generator(data, valid, np.random.default_rng(11), severity)
    assert np.array_equal(again.data, result.data, equal_nan=True)
    assert np.array_equal(again.mask, result.mask)


@pytest.mark.parametrize("severity", [0.0, 0.4, 1.0])
def test_the_tone_differs_across_the_seam_by_what_is_told(severity: float) -> None:
    seam = Seam(np.repeat(np.arange(-60, 60, dtype=np.float32)[None] + 0.5, 80, axis=0), 90.0, "straight")
    data, valid = smooth(80, 120), np.ones((80, 120), bool)
    aim = 2 * 10**severity
    after, touched, reached = step_tone(data, valid, seam, step=ToneStep(aim), rng=np.random.default_rng(4))
    assert reached == pytest.approx(aim, rel=0.05)
    assert np.array_equal(touched, seam.distance > 0)
    assert delta_e(after[:, :, 58], after[:, :, 61]) == pytest.approx(aim, abs=0.15 * aim + 0.5)
    assert np.array_equal(after[:, :, :60], data[:, :, :60])


def test_a_feathered_step_has_no_edge_and_two_sides_share_it() -> None:
    seam = Seam(np.repeat(np.arange(-60, 60, dtype=np.float32)[None] + 0.5, 80, axis=0), 90.0, "straight")
    data, valid = np.full((3, 80, 120), 0.4, np.float32), np.ones((80, 120), bool)
    rng = np.random.default_rng(4)
    soft, _, _ = step_tone(data, valid, seam, step=ToneStep(15, feather_px=24), rng=rng)
    hard, _, _ = step_tone(data, valid, seam, step=ToneStep(15), rng=np.random.default_rng(4))
    assert np.abs(np.diff(soft, axis=2)).max() < 0.2 * np.abs(np.diff(hard, axis=2)).max()
    both, touched, reached = step_tone(data, valid, seam, step=ToneStep(15, is_two_sided=True), rng=rng)
    assert touched.all()
    assert reached == pytest.approx(15, rel=0.1)
    sides = (both - data).mean(axis=(1,))
    assert (np.sign(sides[:, 5]) == -np.sign(sides[:, -5])).any()
    fading, _, _ = step_tone(data, valid, seam, step=ToneStep(15, fade_px=10), rng=rng)
    assert np.array_equal(fading[:, :, -5:], data[:, :, -5:])


def test_severity_makes_steps_and_offsets_larger() -> None:
    data, valid = ground(128, 150), np.ones((128, 150), bool)
    for generator, key in ((stitching_trace, "tone_step_delta_e"), (misalignment, "offset_px")):
        told = [generator(data, valid, np.random.default_rng(3), s).parameters[key] for s in (0.1, 0.5, 1.0)]
        assert told[0] < told[1] < told[2]
    assert 0.7 <= misalignment(data, valid, np.random.default_rng(3), 0.1).parameters["offset_px"] <= 4


@pytest.mark.parametrize("seed", range(3))
def test_the_ground_beside_the_seam_is_that_from_the_offset(seed: int) -> None:
    """Both sides are pictures of the same ground: cut out and moved back, they agree with it."""
    data, valid = ground(140, 160, 1, seed=seed), np.ones((140, 160), bool)
    result = misalignment(data, valid, np.random.default_rng(seed), 0.7)
    assert result.mask.any()
    offset = result.parameters["offset_px"]
    away = ~cv2.dilate(result.mask.astype(np.uint8), np.ones((9, 9))).astype(bool)
    pieces = cv2.connectedComponents(away.astype(np.uint8))[1]
    shifts = [best_shift(data[0], result.data[0], pieces == k) for k in range(1, pieces.max() + 1)]
    assert max(np.hypot(*(np.subtract(a, b))) for a in shifts for b in shifts) == pytest.approx(offset, abs=2.5)


def best_shift(before: np.ndarray, after: np.ndarray, where: np.ndarray) -> tuple[int, int]:
    """Whole pixels by which the ground in a part of `after` was moved."""
    where = where.copy()
    where[:18], where[-18:], where[:, :18], where[:, -18:] = False, False, False, False
    if where.sum() < 200:
        return (0, 0)
    rows, cols = (index[::7] for index in np.nonzero(where))
    steps = [(r, c) for r in range(-17, 18) for c in range(-17, 18)]
    wrong = [np.abs(before[rows - r, cols - c] - after[rows, cols]).mean() for r, c in steps]
    return steps[int(np.argmin(wrong))]


def test_ground_without_texture_shows_no_break() -> None:
    data, valid = np.full((3, 100, 120), 0.4, np.float32), np.ones((100, 120), bool)
    result = misalignment(data, valid, np.random.default_rng(1), 1.0)
    assert not result.mask.any()
    assert np.array_equal(result.data, data)
    assert result.context is None


@pytest.mark.parametrize("generator", [local_stitching_trace, local_misalignment, sheet_trace, sheet_misalignment])
def test_a_local_seam_ends_in_its_window(generator) -> None:
    data, valid = ground(150, 190), np.ones((150, 190), bool)
    result = generator(data, valid, np.random.default_rng(6), 0.8)
    touched = result.context | result.mask
    change = np.abs(result.data - data).max(axis=0)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert not result.mask[side].any()
        assert change[side].max() == 0
    assert touched.mean() > 0.15


def test_a_seam_with_a_strong_tone_step_is_both() -> None:
    data, valid = ground(128, 150), np.ones((128, 150), bool)
    results = [misalignment(data, valid, np.random.default_rng(seed), 0.6) for seed in range(24)]
    both = [r for r in results if r.also]
    assert 1 <= len(both) <= 9
    for result in both:
        assert np.array_equal(result.also["stitching_trace"], result.mask)
        assert result.parameters["tone_step_delta_e"] >= 3
    assert any(0 < r.parameters["tone_step_delta_e"] < 3 for r in results)


@pytest.mark.parametrize("lookalike", [field_border, illumination_drift])
def test_lookalikes_mark_nothing(lookalike) -> None:
    data = smooth(90, 110) + np.random.default_rng(1).normal(0, 0.01, (3, 90, 110)).astype(np.float32)
    valid = np.ones((90, 110), bool)
    valid[:20] = False
    result = lookalike(data, valid, np.random.default_rng(3), 0.5)
    assert not result.mask.any()
    assert np.array_equal(result.data[:, ~result.context], data[:, ~result.context])
    assert not (result.context & ~valid).any()
    assert delta_e(data[:, result.context], result.data[:, result.context]) > 1


def test_drift_has_no_step_and_no_field_grows_over_houses() -> None:
    data, valid = np.full((3, 90, 110), 0.4, np.float32), np.ones((90, 110), bool)
    drift = illumination_drift(data, valid, np.random.default_rng(3), 1.0).data
    assert np.abs(np.diff(drift, axis=2)).max() < 0.03
    built = field_border(ground(90, 110), valid, np.random.default_rng(3), 0.5)
    assert built.context is None


def test_stored_values_change_only_in_mask_and_context() -> None:
    stored = np.rint(ground(96, 131) * 255).astype(np.uint8)
    valid = np.ones((96, 131), bool)
    result = degrade_stored(stitching_trace, stored, valid, rng=np.random.default_rng(5), severity=0.8)
    assert result.context is not None
    kept = ~(result.mask | result.context)
    assert np.array_equal(result.data[:, kept], stored[:, kept])
    changed = (result.data != stored).any(axis=0)
    assert changed[result.context].mean() > 0.5
