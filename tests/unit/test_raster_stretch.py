import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.raster.stretch import Stretch, _sample_windows


def test_8_bits_are_returned_untouched():
    data = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    assert Stretch("none", 0, 255, "uint8").apply(data, np.zeros((2, 4), bool)) is data


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "uint32", "float32", "float64", "int8"])
def test_ends_and_middle(dtype):
    stretch = Stretch("percentiles", 20.0, 120.0, dtype)
    data = np.array([[[-5 if dtype[0] != "u" else 0, 20, 60, 120, 126]]]).astype(dtype)
    assert stretch.apply(data).tolist() == [[[0, 0, 102, 255, 255]]]


def test_invalid_pixels_and_wild_floats_become_0():
    stretch = Stretch("percentiles", 0.0, 1e-3, "float32")
    data = np.array([[[np.nan, np.inf, -np.inf, -3.4e38, 3.4e38, 1.0]]], np.float32)
    valid = np.array([[True, True, True, True, True, False]])
    assert stretch.apply(data, valid).tolist() == [[[0, 255, 0, 0, 255, 0]]]


@given(
    low=st.integers(-32768, 32766),
    span=st.integers(1, 65535),
    dtype=st.sampled_from(["uint16", "int16"]),
    seed=st.integers(0, 99),
)
def test_never_falls_and_table_equals_line(low, span, dtype, seed):
    info = np.iinfo(dtype)
    stretch = Stretch("percentiles", float(low), float(low + span), dtype)
    data = np.sort(np.random.default_rng(seed).integers(info.min, info.max + 1, 500)).astype(dtype)[None, None]
    shown = stretch.apply(data)
    assert (np.diff(shown.astype(int)) >= 0).all()
    line = np.clip((data.astype(float) - low) / span * 255, 0, 255)
    np.testing.assert_allclose(shown, line, atol=0.501)


@given(height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_sample_windows_are_inside_bounded_and_whole_where_small(height, width):
    windows = list(_sample_windows(height, width))
    assert all(w.row_off + w.height <= height and w.col_off + w.width <= width for w in windows)
    area = sum(w.height * w.width for w in windows)
    assert area <= 2048**2
    if max(height, width) <= 2048:
        assert area == height * width
