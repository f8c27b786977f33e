"""Harmless things that look like blur or spectral overflow."""

import cv2
import numpy as np
import pytest

from clearscene.synth import lookalikes
from tests.town import town

VALID = np.ones((120, 170), bool)


def detail(data: np.ndarray, mask: np.ndarray) -> float:
    return float(np.abs(np.diff(data, axis=2))[:, mask[:, 1:]].mean())


def test_soft_ground_has_little_detail_but_the_noise_of_the_window():
    data = town(120, 170)
    for seed in range(6):
        result = lookalikes.soft_ground(data, VALID, np.random.default_rng(seed), 0.5)
        assert result.context is not None
        inside = cv2.erode(result.context.astype(np.uint8), np.ones((7, 7))) > 0  # its border is sharp
        assert 0 < detail(result.data, inside) < 0.6 * detail(data, inside)


def test_roofs_are_colorful_in_color_and_gray_in_gray():
    spread = []
    for bands in (1, 3):
        data = np.repeat(town(120, 170, bands=1), bands, axis=0)
        result = lookalikes.colorful_roofs(data, VALID, np.random.default_rng(4), 1.0)
        assert result.context is not None
        shown = result.data[:, result.context]
        spread.append(float((shown.max(axis=0) - shown.min(axis=0)).mean()))
    assert spread[0] == 0
    assert spread[1] > 0.15


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_compression_keeps_tones_and_headroom(bands):
    data = town(120, 170, bands=bands)
    data[:, 40:80, 50:110] += 1.0
    result = lookalikes.jpeg_softening(data, VALID, np.random.default_rng(0), 1.0)
    assert result.parameters["quality"] == 60
    assert np.abs(result.data - data).mean() < 0.04
    assert result.data[:, 60, 80] == pytest.approx(data[:, 60, 80], abs=0.15)
    assert result.data.max() > 1.3
