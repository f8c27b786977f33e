"""What users of cloud masks complain about, put to the shipped model on drawn ground."""

import cv2
import numpy as np
import pytest

import clearscene

pytestmark = pytest.mark.usefixtures("shipped_model")

BANDS = ("red", "green", "blue", "nir")
SIDE = 256
CLEAR, CLOUD, SHADOW, NODATA = 0, 1, 3, 255


def noise(side=SIDE, *, sigma, seed=0):
    """Smooth noise (row, col) of mean 0 and deviation 1."""
    field = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(side, side)), (0, 0), sigma)
    return (field - field.mean()) / field.std()


def fields(side=SIDE, seed=0):
    """Reflectance (band, row, col) of fields: patches of soil and crops, with texture."""
    patches = cv2.resize(np.random.default_rng(seed).uniform(0, 1, (side // 24, side // 24)), (side, side),
                         interpolation=cv2.INTER_NEAREST)  # fmt: skip
    green = patches[None] * np.array([0.05, 0.07, 0.04, 0.35])[:, None, None]
    soil = (1 - patches)[None] * np.array([0.14, 0.11, 0.08, 0.22])[:, None, None]
    return green + soil + 0.03 + 0.006 * noise(side, sigma=1.5, seed=seed + 1)


def cloudy(ground, *, brightest=0.75):
    """The ground under one thick cloud in the middle, (band, row, col), and its core (row, col)."""
    side = ground.shape[-1]
    rows, cols = np.mgrid[0:side, 0:side]
    inside = 1 - np.hypot(rows - side / 2, cols - side / 2) / (0.3 * side) + 0.15 * noise(side, sigma=side / 16, seed=5)
    alpha = np.clip(3 * inside, 0, 1)
    bright = brightest + 0.04 * noise(side, sigma=6, seed=6)
    return ground * (1 - alpha) + bright * alpha, alpha == 1


def masked(image, **options):
    """The mask (row, col) of reflectance, by pixels of 10 m."""
    chosen = clearscene.MaskOptions(workers=1, device="cpu", resolution=10, **options)
    return clearscene.mask(image.astype(np.float32), bands=BANDS[: len(image)], scale=1.0, options=chosen).mask


def test_a_saturated_core_is_cloud():
    """Values end at the largest that the file can hold: most of the core is flat and equal in all bands."""
    image, core = cloudy(fields(), brightest=1.2)
    found = masked(np.minimum(image, 1.0))
    assert (found[core] == CLOUD).mean() > 0.95


def test_a_cloud_at_the_edge_of_the_scene_is_cloud():
    image, core = cloudy(fields())
    half = SIDE // 2
    found = masked(image[:, half:, half:])
    assert (found[core[half:, half:]] == CLOUD).mean() > 0.9


@pytest.mark.parametrize("side", [24, 64, 90])
def test_tiny_scenes(side):
    image, core = cloudy(fields())
    part = slice(SIDE // 2, SIDE // 2 + side)
    found = masked(image[:, part, part])
    assert found.shape == (side, side)
    assert (found[core[part, part]] == CLOUD).mean() > 0.8


def test_nodata_is_not_clear_and_hides_no_cloud():
    image, core = cloudy(fields())
    hole = np.zeros((SIDE, SIDE), bool)
    hole[100:140, 60:130] = True
    found = masked(np.where(hole, np.nan, image))
    assert np.array_equal(found == NODATA, hole)
    assert (found[core & ~hole] == CLOUD).mean() > 0.9


def test_clear_fields_are_clear():
    found = masked(fields())
    assert (found == CLEAR).mean() > 0.99


def test_open_water_is_neither_cloud_nor_shadow():
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    lake = np.hypot(rows - SIDE / 2, cols - SIDE / 2) + 12 * noise(sigma=20, seed=8) < 80
    water = np.array([0.03, 0.045, 0.055, 0.015])[:, None, None] + 0.002 * noise(sigma=1, seed=9)
    found = masked(np.where(lake, water, fields()))
    assert (found[lake] == CLEAR).mean() > 0.9


def test_snow_on_hills_is_mostly_clear():
    """Bright ground with the shade of slopes, in pictures without near infrared too."""
    relief = noise(sigma=8, seed=3) + 0.5 * noise(sigma=3, seed=4)
    shade = np.clip(0.62 + 0.2 * np.gradient(relief, axis=1) * 6, 0.1, 0.95)
    snow = shade[None] * np.array([0.95, 0.97, 1.0, 0.85])[:, None, None] + 0.004 * noise(sigma=0.8, seed=5)
    for image in (snow, snow[:3]):
        assert (masked(image) == CLOUD).mean() < 0.3
