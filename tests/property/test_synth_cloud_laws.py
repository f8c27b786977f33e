"""Laws of the generators of clouds, their shadows and what only looks like them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.synth.cloud import CLOUDS
from clearscene.synth.cloud_shadow import cloud_shadow
from clearscene.synth.degraded import degrade_stored
from clearscene.synth.negatives import NEGATIVES

ALL = {**CLOUDS, "cloud_shadow": cloud_shadow, **NEGATIVES}


def window(seed: int, n_bands: int, height: int, width: int) -> np.ndarray:
    """Textured ground (band, row, col) float32 in which every band and pixel differs."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:height, :width]
    base = rng.uniform(0.05, 0.7) + 0.1 * np.sin(row / 6) * np.cos(col / 9)
    return np.stack([base + 0.02 * b + rng.normal(0, 0.01, base.shape) for b in range(n_bands)]).astype(np.float32)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_bands=st.sampled_from([1, 3, 4, 6]),
    height=st.integers(64, 130),
    width=st.integers(64, 130),
    severity=st.floats(0, 1),
    missing=st.booleans(),
)
def test_only_what_is_named_changes(name, seed, n_bands, height, width, severity, missing):
    data = window(seed, n_bands, height, width)
    valid = np.ones((height, width), bool)
    if missing:
        valid[: height // 3, : width // 2] = False
        data[:, ~valid] = np.nan
    before = data.copy()
    result = ALL[name](data, valid, np.random.default_rng(seed), severity)
    assert np.array_equal(data, before, equal_nan=True)
    assert result.data.dtype == np.float32
    assert result.data.shape == data.shape
    assert np.isfinite(result.data[:, valid]).all()
    touched = result.mask.copy()
    for mask in (*result.also.values(), *([] if result.context is None else [result.context])):
        assert mask.dtype == bool
        assert not (mask & ~valid).any()
        touched |= mask
    assert not (result.mask & ~valid).any()
    assert np.array_equal(result.data[:, ~touched], data[:, ~touched], equal_nan=True)
    again = ALL[name](data, valid, np.random.default_rng(seed), severity)
    assert np.array_equal(again.data, result.data, equal_nan=True)
    assert np.array_equal(again.mask, result.mask)


@pytest.mark.parametrize("name", ALL)
def test_a_window_without_data_stays(name):
    data = window(1, 3, 70, 90)
    result = ALL[name](data, np.zeros((70, 90), bool), np.random.default_rng(0), 0.7)
    assert np.array_equal(result.data, data)
    assert not result.mask.any()


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_stored_values_outside_the_masks_stay(name, dtype):
    limit = np.iinfo(dtype).max
    data = (np.clip(window(2, 3, 80, 97), 0, 1) * limit).astype(dtype)
    valid = np.ones((80, 97), bool)
    result = degrade_stored(CLOUDS[name], data, valid, rng=np.random.default_rng(5), severity=0.6)
    assert result.data.dtype == dtype
    touched = result.mask | (result.context if result.context is not None else False)
    for mask in result.also.values():
        touched = touched | mask
    assert np.array_equal(result.data[:, ~touched], data[:, ~touched])
