"""What the generators draw that is no cloud, and cores that overflow, put to the shipped model at 10 m.

Bounds are far from what version 0.3.0 gives (in brackets behind each): another model may be worse, none may be bad.
"""

import numpy as np
import pytest
from rasterio.windows import Window

import clearscene
from clearscene import MaskOptions
from clearscene.masking.classes import CLEAR, NODATA, SHADOW, THICK
from clearscene.synth.cloud import cumulus
from clearscene.synth.ground import Ground
from clearscene.synth.negatives import NEGATIVES

pytestmark = pytest.mark.usefixtures("shipped_model")
HEIGHT, WIDTH = 300, 340
BANDS = ("red", "green", "blue", "nir")
OPAQUE = 0.9
"""Opacity from which on a cloud must be found."""
WHITE = 0.3
"""Reflectance of the brightest generated ground."""


@pytest.fixture(scope="module")
def ground():
    """Reflectance (band, row, col) of fields, woods and roads; what is green is bright in near infrared."""
    rgb = Ground(1, resolution=1.0).window(Window(0, 0, WIDTH, HEIGHT)).astype(np.float32) / 255 * WHITE
    green = np.clip(8 * (rgb[1] - rgb[0]) / (rgb[1] + rgb[0]), 0, 1)
    return np.concatenate([rgb, (rgb[0] + 0.25 * green)[None]])


def put(degrade, ground, *, seed, severity=0.8):
    """What a generator makes of the ground, all of it valid."""
    return degrade(ground, np.ones(ground.shape[1:], np.bool_), np.random.default_rng(seed), severity)


def masked(pixels, **further):
    options = MaskOptions(workers=1, device="cpu", resolution=10)
    return clearscene.mask(pixels, bands=BANDS, options=options, **further).mask


def share(found, where, *ids):
    assert where.any()
    return np.isin(found, ids)[where].mean()


def test_ground_without_a_cloud_is_clear(ground):
    assert (masked(ground) == CLEAR).mean() > 0.95  # (1.000)


@pytest.mark.parametrize("limit", ["flat", "overflow"])
def test_a_saturated_core_is_cloud_and_not_nodata(ground, limit):
    cloud = put(cumulus, ground, seed=0)
    core = cloud.planes["opacity"] > OPAQUE
    core &= cloud.data.min(axis=0) > np.median(cloud.data[:3].min(axis=0)[core])
    stored = np.rint(cloud.data * 1e4)
    stored[:, core] = np.iinfo(np.uint16).max if limit == "overflow" else stored[:, core].min()
    found = masked(stored.astype(np.uint16), scale=1e-4)
    assert share(found, core, THICK) > 0.8  # (1.00, 1.00)
    assert not (found == NODATA).any()


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_open_dark_water_is_neither_shadow_nor_cloud(ground, seed):
    water = put(NEGATIVES["open_water"], ground, seed=seed, severity=0.0)
    assert share(masked(water.data), np.ones((HEIGHT, WIDTH), np.bool_), THICK, SHADOW) < 0.15  # (0.004 or less)


@pytest.mark.parametrize("name", ["snow", "sand", "surf"])
@pytest.mark.parametrize("seed", [1, 2])
def test_bright_ground_is_mostly_clear(ground, name, seed):
    bright = put(NEGATIVES[name], ground, seed=seed)
    assert (masked(bright.data) == CLEAR).mean() > 0.85  # (0.96 or more)
