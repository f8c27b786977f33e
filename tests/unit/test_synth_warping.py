"""Moving the ground under a window."""

import numpy as np

from clearscene.synth.warping import warped
from tests.town import town


def test_without_moves_nothing_changes():
    data = town(40, 50)
    zero = np.zeros((40, 50), np.float32)
    result = warped(data, rows=zero, cols=zero)
    assert np.array_equal(result, data)
    assert result is not data


def test_whole_pixels_are_moved_exactly_and_the_rest_stays():
    data = town(40, 50, bands=5)
    rows, cols = np.zeros((2, 40, 50), np.float32)
    rows[10:20, 15:30], cols[10:20, 15:30] = 3, -4
    result = warped(data, rows=rows, cols=cols)
    assert np.allclose(result[:, 10:20, 15:30], data[:, 13:23, 11:26], atol=1e-5)
    still = rows == 0
    assert result[:, still].tobytes() == data[:, still].tobytes()


def test_half_pixels_of_a_slow_wave_are_interpolated():
    wave = np.sin(np.arange(90) / 6)[None, None, :] + np.zeros((1, 30, 1))
    half = np.full((30, 90), 0.5, np.float32)
    result = warped(wave.astype(np.float32), rows=np.zeros_like(half), cols=half)
    assert np.allclose(result[0, 15, 10:80], np.sin((np.arange(10, 80) + 0.5) / 6), atol=0.01)
