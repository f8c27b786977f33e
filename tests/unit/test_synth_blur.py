"""Blur: what the parameters say is what was done."""

import cv2
import numpy as np
import pytest

from clearscene.synth import blur
from clearscene.synth.grain import noise_floor
from tests.town import town

DATA = town(110, 130)
VALID = np.ones((110, 130), bool)


def draw(generator, severity: float, **wanted):
    """The first draw whose parameters are as wanted."""
    for seed in range(400):
        result = generator(DATA, VALID, np.random.default_rng(seed), severity)
        if result.mask.any() and all(result.parameters.get(key) == value for key, value in wanted.items()):
            return result
    raise AssertionError(f"no draw with {wanted}")


def detail(plane: np.ndarray, axis: int) -> float:
    return float(np.abs(np.diff(plane, axis=axis)).mean())


@pytest.mark.parametrize("severity", [0.0, 0.5])
def test_defocus_blurs_by_the_sigma_that_it_tells(severity):
    result = draw(blur.defocus, severity, kernel="gauss", region="whole")
    expected = np.stack([cv2.GaussianBlur(band, (0, 0), result.parameters["sigma_px"]) for band in DATA])
    assert (result.data - expected).std() < 2.5 * noise_floor(DATA).mean()


def test_a_disc_has_the_deviation_that_it_tells():
    result = draw(blur.defocus, 0.6, kernel="disc", region="whole")
    gauss = np.stack([cv2.GaussianBlur(band, (0, 0), result.parameters["sigma_px"]) for band in DATA])
    assert np.abs(result.data - gauss).mean() < 0.3 * np.abs(DATA - gauss).mean()


def test_sigma_grows_from_1_to_6_px():
    assert draw(blur.defocus, 0.0, region="blob").parameters["sigma_px"] == pytest.approx(1, rel=0.06)
    assert draw(blur.defocus, 1.0, region="blob").parameters["sigma_px"] == pytest.approx(6, rel=0.06)
    assert draw(blur.defocus, 0.0, region="whole").parameters["sigma_px"] == pytest.approx(blur.ALONE, rel=0.06)


def test_optical_blur_keeps_the_noise_of_the_sensor():
    floors = []
    for seed in range(120):
        result = blur.defocus(DATA, VALID, np.random.default_rng(seed), 0.9)
        if result.parameters.get("region") == "whole":
            floors.append(noise_floor(result.data).mean() / noise_floor(DATA).mean())
    assert len(floors) >= 3
    assert 0.4 < np.median(floors) < 1.3


def test_motion_takes_detail_along_its_direction():
    for seed in range(2000):
        result = blur.motion_blur(DATA, VALID, np.random.default_rng(seed), 0.7)
        if result.parameters.get("region") != "whole":
            continue
        angle = result.parameters["angle_deg"]
        if min(angle, 180 - angle) < 8:  # along the rows of the window
            before, after = DATA.mean(axis=0), result.data.mean(axis=0)
            assert detail(after, 1) / detail(before, 1) < 0.8 * detail(after, 0) / detail(before, 0)
            assert 5 <= result.parameters["length_px"] <= 30
            return
    raise AssertionError("no motion along the rows")


def test_a_coarse_patch_holds_nothing_finer_than_its_pixels():
    result = draw(blur.resampling_blur, 0.8, region="whole")

    def fine(data: np.ndarray) -> float:
        plane = data.mean(axis=0)
        taper = np.outer(np.hanning(plane.shape[0]), np.hanning(plane.shape[1]))
        spectrum = np.abs(np.fft.fft2((plane - plane.mean()) * taper)) ** 2
        frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in plane.shape), indexing="ij"))
        return float(spectrum[frequency > 1.0 / result.parameters["factor"]].sum())

    assert fine(result.data) < 0.1 * fine(DATA)
