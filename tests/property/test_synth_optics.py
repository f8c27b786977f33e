"""Laws of every generator of blur, stretching, distortion and spectral overflow, and of their lookalikes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.synth import blur, distortion, height_streaks, lookalikes, overflow, stretching
from clearscene.synth.degraded import degrade_stored
from tests.town import calm, town

DEFECTS = (
    blur.defocus,
    blur.motion_blur,
    blur.resampling_blur,
    stretching.edge_streaks,
    stretching.slope_streaks,
    height_streaks.height_streaks,
    distortion.melt,
    distortion.ripple,
    distortion.shear_break,
    distortion.swirl,
    overflow.color_stain,
    overflow.saturated_patch,
    overflow.wrapped,
)
LOOKALIKES = (lookalikes.soft_ground, lookalikes.colorful_roofs, lookalikes.jpeg_softening)


def name(generator) -> str:
    return generator.__name__


def with_holes(data: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """NaN where not valid, so that nothing can leak from there unseen."""
    valid = np.ones(data.shape[1:], bool)
    valid[: int(rng.integers(0, data.shape[1] // 2)), : int(rng.integers(0, data.shape[2] // 2))] = False
    valid[:, -int(rng.integers(1, 9)) :] = False
    return np.where(valid, data, np.nan).astype(np.float32), valid


@pytest.mark.parametrize("generator", DEFECTS + LOOKALIKES, ids=name)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    severity=st.floats(0, 1),
    height=st.integers(64, 150),
    width=st.integers(64, 170),
    bands=st.sampled_from([1, 3, 4]),
    holes=st.booleans(),
)
def test_only_the_masks_change_and_they_stay_in_valid(generator, seed, severity, height, width, bands, holes):
    data, valid = town(height, width, bands=bands, seed=seed % 7), np.ones((height, width), bool)
    if holes:
        data, valid = with_holes(data, np.random.default_rng(seed))
    before = data.copy()
    result = generator(data, valid, np.random.default_rng(seed), severity)
    assert np.array_equal(data, before, equal_nan=True)
    assert result.data.dtype == np.float32
    assert result.data.shape == data.shape
    touched = result.mask if result.context is None else result.mask | result.context
    assert not (touched & ~valid).any()
    assert result.data[:, ~touched].tobytes() == data[:, ~touched].tobytes()
    assert np.isfinite(result.data[:, valid]).all()
    again = generator(data, valid, np.random.default_rng(seed), severity)
    assert again.data.tobytes() == result.data.tobytes()
    assert np.array_equal(again.mask, result.mask)
    assert dict(again.parameters) == dict(result.parameters)


@pytest.mark.parametrize("generator", DEFECTS, ids=name)
def test_most_pixels_of_a_mask_have_changed(generator):
    data, valid = town(190, 230), np.ones((190, 230), bool)
    results = [generator(data, valid, np.random.default_rng(seed), 0.6) for seed in range(8)]
    shown = [r for r in results if r.mask.any()]
    assert len(shown) >= 6
    for result in shown:
        assert (result.data != data).any(axis=0)[result.mask].mean() > 0.9


@pytest.mark.parametrize("generator", DEFECTS, ids=name)
def test_severity_changes_more(generator):
    data, valid = town(190, 230), np.ones((190, 230), bool)

    def change(severity: float) -> float:
        results = [generator(data, valid, np.random.default_rng(seed), severity) for seed in range(12)]
        return float(np.mean([np.abs(r.data - data).sum() for r in results]))

    weak, strong = change(0.0), change(1.0)
    assert strong > weak


@pytest.mark.parametrize("generator", LOOKALIKES, ids=name)
def test_a_lookalike_changes_the_window_and_marks_nothing(generator):
    data, valid = town(120, 170), np.ones((120, 170), bool)
    result = generator(data, valid, np.random.default_rng(3), 0.5)
    assert not result.mask.any()
    assert result.context is not None
    assert (result.data != data).any(axis=0)[result.context].mean() > 0.8


@pytest.mark.parametrize("generator", [g for g in DEFECTS if g.__module__ != overflow.__name__], ids=name)
def test_on_still_water_nothing_is_to_be_seen(generator):
    data, valid = calm(110, 140), np.ones((110, 140), bool)
    for seed in range(6):
        result = generator(data, valid, np.random.default_rng(seed), 0.7)
        assert not result.mask.any()
        assert np.array_equal(result.data, data)


@pytest.mark.parametrize("generator", DEFECTS + LOOKALIKES, ids=name)
def test_a_window_without_valid_pixels_stays(generator):
    data, valid = np.full((3, 70, 81), np.nan, np.float32), np.zeros((70, 81), bool)
    result = generator(data, valid, np.random.default_rng(0), 1.0)
    assert not result.mask.any()
    assert result.data.tobytes() == data.tobytes()


@pytest.mark.parametrize("generator", DEFECTS, ids=name)
def test_stored_values_keep_their_type(generator):
    data = np.rint(town(120, 130) * 4000).astype(np.uint16)
    result = degrade_stored(generator, data, np.ones((120, 130), bool), rng=np.random.default_rng(5), severity=0.8)
    assert result.data.dtype == np.uint16
    assert np.array_equal(result.data[:, ~result.mask], data[:, ~result.mask])
