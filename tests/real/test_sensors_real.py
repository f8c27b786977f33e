"""Real products: a Landsat crop with its own metadata, and real Sentinel-2 chips."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from clearscene.raster.sensors import open_reflectance

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the real imagery is not beside this checkout"),
]
SCENE = "LC80200392015216LGN00"
NUMBERS = {"blue": 2, "green": 3, "red": 4, "nir": 5, "swir16": 6, "swir22": 7}


@pytest.fixture
def landsat(tmp_path):
    """The crop laid out as the agency delivers it, with the real MTL file."""
    source = DATA / "ship" / "landsat8_dn"
    root = tmp_path / SCENE
    root.mkdir()
    shutil.copy(source / "cloudy_MTL.txt", root / f"{SCENE}_MTL.txt")
    shutil.copy(source / "cloudy_BQA.tif", root / f"{SCENE}_BQA.TIF")
    with rasterio.open(source / "cloudy_6band.tif") as dataset:
        profile = {**dataset.profile, "count": 1, "photometric": None}
        profile.pop("interleave", None)
        for place, number in enumerate(NUMBERS.values()):
            with rasterio.open(root / f"{SCENE}_B{number}.TIF", "w", **profile) as band:
                band.write(dataset.read(place + 1), 1)
    return root


def test_a_real_landsat_product(landsat):
    with rasterio.open(DATA / "ship" / "landsat8_dn" / "cloudy_6band.tif") as dataset:
        dn, transform = dataset.read(), dataset.transform
    with open_reflectance(landsat) as scene:
        assert (scene.name, scene.sensor, scene.kind, scene.qa) == (SCENE, "landsat-8-l1", "toa", "BQA")
        assert scene.datetime == "2015-08-04T16:19:21Z"
        assert scene.grid.transform == transform
        pixels = scene.read(scene.grid.window, bands=tuple(NUMBERS))
        codes = scene.read_qa(scene.grid.window)
    want = (dn * 2.0e-5 - 0.1) / math.sin(math.radians(64.74360932))
    np.testing.assert_allclose(pixels.data[:, pixels.valid], want[:, pixels.valid], rtol=1e-4)
    assert set(np.unique(codes)) <= {0, 1, 2, 255}
    cloud, clear = pixels.data[0][codes == 1], pixels.data[0][codes == 0]
    assert cloud.size > 1000
    assert np.median(cloud) > 1.5 * np.median(clear)


def test_a_real_landsat_product_at_60_m(landsat):
    with open_reflectance(landsat) as fine, open_reflectance(landsat, resolution=60) as coarse:
        a = fine.read(fine.grid.window, bands=("red",)).data[0, :602, :626]
        b = coarse.read(coarse.grid.window, bands=("red",)).data[0, :301, :313]
    np.testing.assert_allclose(b, a.reshape(301, 2, 313, 2).mean(axis=(1, 3)), atol=1e-5)


def test_real_sentinel_chips():
    path = sorted((DATA / "ship" / "s2_l1c_4band").glob("*.tif"))[0]
    bands = {"blue": 1, "green": 2, "red": 3, "nir": 4}
    with open_reflectance(path, bands=bands) as scene:
        assert any("--scale 0.0001" in note for note in scene.notes)
    with open_reflectance(path, bands=bands, scale=0.0001) as scene:
        assert not any("digital numbers" in note for note in scene.notes)
        pixels = scene.read(scene.grid.window, bands=("red", "nir"))
        assert 0.001 < pixels.data[:, pixels.valid].min() < pixels.data.max() < 2


def test_real_float_reflectance():
    bands = {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir16": 5, "swir22": 6}
    with open_reflectance(DATA / "dev" / "toa_cloud_shadow" / "sentinel2_6band.tif", bands=bands) as scene:
        assert scene.kind == "toa"
        assert not any("digital numbers" in note for note in scene.notes)
        pixels = scene.read(scene.grid.window, bands=("nir",))
        assert 0 < np.median(pixels.data[0][pixels.valid]) < 1


def test_real_display_crops():
    path = sorted((DATA / "dev" / "clouds_rgb" / "images").glob("l1c_*.png"))[0]
    with open_reflectance(path) as scene:
        assert scene.kind == "display"
        assert 0 < scene.read(scene.grid.window, bands=("red",)).data.max() <= 1
