"""Every real scene opens, and says of its pixels what GDAL says."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from clearscene.raster import open_scene
from clearscene.raster.gdal import open_quietly
from clearscene.raster.stretch import scene_stretch

DATA = Path(__file__).parents[2].parent / "shared" / "data"
SCENES = sorted(DATA.glob("scenes/*/*.tif")) + sorted(DATA.glob("ship/naip_rgbn/*.tif"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SCENES, reason="the real imagery is not beside this checkout"),
]


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_data_and_valid_are_what_gdal_says(path):
    with open_scene(path) as scene:
        pixels, failed = scene.read_safely(scene.grid.window)
        stretch = scene_stretch(scene)
        shown = stretch.apply(pixels.data, pixels.valid)
        assert len(scene.display_bands) in (1, 3)
        is_nir_as_alpha = "nir" in scene.bands
    with open_quietly(path) as dataset:
        np.testing.assert_array_equal(pixels.data, dataset.read(list(scene.display_bands)))
        mask = dataset.dataset_mask() > 0
        assert (scene.grid.crs is None) == (dataset.crs is None)
    np.testing.assert_array_equal(pixels.valid, np.ones_like(mask) if is_nir_as_alpha else mask)
    assert failed == []
    assert shown[:, pixels.valid].std() > 10


def facts(name):
    with open_scene(DATA / "scenes" / name) as scene:
        return scene


def test_what_is_odd_about_the_odd_scenes():
    assert facts("odd/RGB.byte.tif").nodata == 0
    assert facts("odd/cogeo.tif").is_lossy
    assert facts("odd/dummy_fotomap_small.tif").n_bands == 4
    assert facts("odd/landsat8_224078_rgb16.tif").bands == {"red": 1, "green": 2, "blue": 3}
    assert "taken as red, green and blue" in facts("odd/mosaic_cog1.tif").notes[0]
    assert "210 ground control points" in facts("odd/cog_gcps.tif").notes[0]
    assert not facts("odd/cog_gcps.tif").is_color
    assert "no CRS" in facts("collars_and_seams/de_hamburg_custom_srs_dop20c_32587_5922.tif").notes[0]
    assert "not georeferenced" in facts("clean/drone_shore_4000x2250.tif").notes[0]


def test_reduced_reading_comes_near_the_mean():
    with open_scene(DATA / "scenes/clean/forest_meadow_2299x2472.tif") as scene:
        window = Window(100, 200, 1024, 1536)
        whole, small = scene.read(window), scene.read(window, out_shape=(384, 256))
    mean = whole.data.reshape(3, 384, 4, 256, 4).astype(float).mean(axis=(2, 4))
    np.testing.assert_allclose(small.data, mean, atol=0.51)


def test_naip_water_is_not_transparent():
    path = DATA / "ship/naip_rgbn/va_510.tif"
    with open_scene(path) as scene, rasterio.open(path) as dataset:
        nir = scene.read(scene.grid.window, bands=["nir"])
        np.testing.assert_array_equal(nir.data[0], dataset.read(4))
        assert nir.valid.all()
