"""Laws of resampling onto a grid, for any factor and place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clearscene.raster.sensors.resampling import Axis, average, footprint_taps, line_taps

SIZE = 41
WHOLE = footprint_taps(Axis(1.0, 0.0, 3), 0, 3)


@st.composite
def axes(draw, *, finest=0.2, coarsest=6.0):
    factor = draw(st.floats(finest, coarsest))
    n_pixels = max(2, int(SIZE / factor))
    start = draw(st.floats(-0.5, 0.5)) * min(1.0, factor)
    return Axis(factor, start, SIZE), n_pixels


def kernel(axis):
    return footprint_taps if axis.factor >= 1 else line_taps


@given(axes())
def test_weights_sum_to_one_and_stay_in_the_file(case):
    axis, n_pixels = case
    taps = kernel(axis)(axis, 0, n_pixels)
    np.testing.assert_allclose(taps.weight.sum(axis=1), 1, rtol=1e-6)
    assert 0 <= taps.first < taps.stop <= SIZE
    assert (taps.index >= 0).all()
    assert (taps.index < taps.stop - taps.first).all()


@given(axes(), st.integers(0, 2**32 - 1), st.data())
def test_a_pixel_is_the_same_in_every_window(case, seed, data):
    axis, n_pixels = case
    first = data.draw(st.integers(0, n_pixels - 1))
    stop = data.draw(st.integers(first + 1, n_pixels))
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 60_000, (2, 3, SIZE)).astype(np.uint16)
    valid = rng.random((3, SIZE)) > 0.3
    whole_taps, part_taps = kernel(axis)(axis, 0, n_pixels), kernel(axis)(axis, first, stop)
    whole = average(
        values[..., whole_taps.first : whole_taps.stop], valid[:, whole_taps.first : whole_taps.stop], WHOLE, whole_taps
    )
    part = average(
        values[..., part_taps.first : part_taps.stop], valid[:, part_taps.first : part_taps.stop], WHOLE, part_taps
    )
    np.testing.assert_array_equal(part[1], whole[1][:, first:stop])
    np.testing.assert_allclose(part[0], whole[0][..., first:stop], rtol=1e-6)


@given(axes(), st.integers(0, 60_000))
def test_a_constant_stays(case, value):
    axis, n_pixels = case
    taps = kernel(axis)(axis, 0, n_pixels)
    data = np.full((1, 3, taps.stop - taps.first), value, np.uint16)
    got, kept = average(data, np.ones(data.shape[1:], np.bool_), WHOLE, taps)
    assert kept.all()
    np.testing.assert_allclose(got, value, rtol=1e-6)


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_whole_factors_are_means_of_blocks(factor, seed):
    values = np.random.default_rng(seed).integers(0, 10_000, (1, 3, 4 * factor)).astype(np.uint16)
    taps = footprint_taps(Axis(float(factor), 0.0, 4 * factor), 0, 4)
    got, _ = average(values, np.ones((3, 4 * factor), np.bool_), WHOLE, taps)
    np.testing.assert_allclose(got, values.reshape(1, 3, 4, factor).mean(axis=3), rtol=1e-5, atol=1e-3)
