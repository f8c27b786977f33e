"""Any raster as reflectance or as display color."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.errors import BandError, OptionError, SceneError
from clearscene.raster.sensors import open_reflectance
from tests.scenes import ground, write_scene

NAMES = {"blue": 1, "green": 2, "red": 3, "nir": 4}


@pytest.fixture(scope="module")
def dn():
    rng = np.random.default_rng(4)
    return rng.integers(300, 4000, (4, 150, 211)).astype(np.uint16)


@pytest.fixture
def path(tmp_path, dn):
    return write_scene(tmp_path / "four bands.tif", dn, options={"nodata": 0})


def test_bands_by_name_and_scale(path, dn):
    with open_reflectance(path, bands=NAMES, scale=0.0001, offset=-0.1) as scene:
        assert (scene.sensor, scene.kind, scene.name, scene.qa) == ("raster", "toa", "four bands", None)
        assert scene.bands == ("blue", "green", "red", "nir")
        assert scene.notes == []
        pixels = scene.read(Window(20, 30, 50, 40), bands=("nir", "blue"))
        np.testing.assert_allclose(pixels.data, dn[[3, 0], 30:70, 20:70] * 1e-4 - 0.1, atol=1e-6)


def test_nodata_before_scaling(tmp_path, dn):
    data = dn.copy()
    data[:, :7, :9] = 0
    data[0, 50, 50] = 0  # one band at nodata is a value
    path = write_scene(tmp_path / "a.tif", data, options={"nodata": 0})
    with open_reflectance(path, bands=NAMES, scale=0.0001, offset=0.5) as scene:
        pixels = scene.read(scene.grid.window, bands=("blue", "red"))
    np.testing.assert_array_equal(pixels.valid, ~(data == 0).all(axis=0))
    assert (pixels.data[:, :7, :9] == 0).all()
    assert pixels.data[0, 50, 50] == pytest.approx(0.5)


def test_digital_numbers_are_warned_of(path):
    with open_reflectance(path, bands=NAMES) as scene:
        assert len(scene.notes) == 1
        assert "look like digital numbers" in scene.notes[0]
        assert "--scale 0.0001" in scene.notes[0]


def test_landsat_gets_its_own_hint(tmp_path, dn):
    with open_reflectance(write_scene(tmp_path / "landsat.tif", dn + np.uint16(5500)), bands=NAMES) as scene:
        assert "--scale 0.00002 --offset -0.1" in scene.notes[0]


def test_a_value_without_data_that_the_user_names(tmp_path, dn):
    data = dn.copy()
    data[:, :, :40] = 0
    data[0, 50, 50] = 0  # one band at nodata is a value
    path = write_scene(tmp_path / "rim.tif", data, transform=Affine(10, 0, 5e5, 0, -10, 2e6))
    with open_reflectance(path, bands=NAMES, scale=0.0001) as scene:
        (note,) = scene.notes
        assert "--nodata 0" in note
        assert scene.read(scene.grid.window, bands=("blue", "red")).valid.all()
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)  # which mix the rim with the ground
    with open_reflectance(path, bands=NAMES, scale=0.0001, nodata=0) as scene, scene.coarser(4) as coarse:
        assert scene.notes == []
        pixels = scene.read(scene.grid.window, bands=("blue", "red"))
        np.testing.assert_array_equal(pixels.valid, np.arange(211) >= np.full((150, 1), 40))
        small = coarse.read(coarse.grid.window, bands=("blue",))
        assert not small.valid[:, :10].any()
        assert small.data[0, :, 10].min() > 0.12


def test_a_rim_of_nodata_that_the_file_names_is_no_note(path, dn):
    with open_reflectance(path, bands=NAMES, scale=0.0001) as scene:
        assert scene.notes == []


def test_what_nobody_can_read_as_display_or_without_data_is_refused(tmp_path, dn):
    path = write_scene(tmp_path / "eleven bits.tif", dn[:3])
    with pytest.raises(OptionError, match="holds uint16") as caught:
        open_reflectance(path, kind="display")
    assert "1/2047" in caught.value.hint
    with open_reflectance(path, kind="display", scale=1 / 2047) as scene:
        assert scene.kind == "display"
    index = np.arange(600).reshape(1, 20, 30).astype(np.uint8) % 4
    palette = write_scene(tmp_path / "palette.tif", index, options={"photometric": "palette"})
    with rasterio.open(palette, "r+") as dataset:
        dataset.write_colormap(1, {n: (40 * n, 20, 30, 255) for n in range(4)})
    with pytest.raises(OptionError, match="is a palette"):
        open_reflectance(palette, nodata=0)


def test_a_value_without_data_that_the_type_cannot_hold_means_nothing(tmp_path, dn):
    data = (dn / 10_000).astype(np.float32)
    with open_reflectance(write_scene(tmp_path / "f.tif", data), bands=NAMES, nodata=-1.7976931348623157e308) as scene:
        assert scene.read(scene.grid.window, bands=("blue", "red")).valid.all()


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_display_is_color_whatever_holds_it(tmp_path, dtype):
    data = ground(90, 130)
    stored = data if dtype == "uint8" else (data / 255).astype(dtype)
    with open_reflectance(write_scene(tmp_path / "photo.tif", stored), kind="display") as scene:
        pixels = scene.read(scene.grid.window, bands=("red", "green", "blue"))
        np.testing.assert_allclose(pixels.data, data / 255, atol=1e-6)
    with open_reflectance(write_scene(tmp_path / "photo.tif", data), kind="surface") as scene:
        assert scene.kind == "surface"
        assert "taken as reflectance" in scene.notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scale": 1e-8}, "too dark for reflectance"), ({"scale": 0.0001, "offset": -0.4}, "negative")],
)
def test_other_values_that_are_no_reflectance(path, options, message):
    with open_reflectance(path, bands=NAMES, **options) as scene:
        assert message in scene.notes[0]


def test_the_scale_of_the_file_counts(path, dn):
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.0001,) * 4, (-0.02,) * 4
    with open_reflectance(path, bands=NAMES) as scene:
        assert scene.notes == ["Reflectance is value * 0.0001 + -0.02, by the file's metadata."]
        data = scene.read(Window(0, 0, 9, 9), bands=("red",)).data[0]
        np.testing.assert_allclose(data, dn[2, :9, :9] * 1e-4 - 0.02, atol=1e-6)
    with open_reflectance(path, bands=NAMES, scale=0.0002) as scene:
        data = scene.read(Window(0, 0, 9, 9), bands=("red",)).data[0]
        np.testing.assert_allclose(data, dn[2, :9, :9] * 2e-4, atol=1e-6)


def test_float_reflectance_needs_nothing(tmp_path, dn):
    data = (dn / 10_000).astype(np.float32)
    data[1, 3, 4] = np.nan
    with open_reflectance(write_scene(tmp_path / "f.tif", data[:3])) as scene:
        pixels = scene.read(scene.grid.window, bands=("green",))
        assert not pixels.valid[3, 4]
        assert pixels.valid.sum() == data[0].size - 1
        np.testing.assert_array_equal(pixels.data[0][pixels.valid], data[1][pixels.valid])
        assert all("digital numbers" not in note for note in scene.notes)


def test_eight_bits_are_display(tmp_path):
    data = ground(90, 130)
    path = write_scene(tmp_path / "photo.tif", data)
    with open_reflectance(path) as scene:
        assert scene.kind == "display"
        assert any("display color" in note for note in scene.notes)
        pixels = scene.read(scene.grid.window, bands=("red", "green", "blue"))
        np.testing.assert_allclose(pixels.data, data / 255, atol=1e-6)
    with open_reflectance(path, scale=0.004) as scene:
        assert scene.kind == "toa"


def test_a_resolution_of_any_raster(tmp_path):
    transform = Affine(10, 0, 500_000, 0, -5, 2_960_000)
    data = np.random.default_rng(0).integers(1, 5000, (3, 120, 90)).astype(np.uint16)
    path = write_scene(tmp_path / "r.tif", data, transform=transform)
    with open_reflectance(path, scale=0.0001, resolution=20) as scene:
        assert tuple(scene.grid.transform)[:6] == (20, 0, 500_000, 0, -20, 2_960_000)
        got = scene.read(scene.grid.window, bands=("green",)).data[0]
        np.testing.assert_allclose(got, data[1].reshape(30, 4, 45, 2).mean(axis=(1, 3)) * 1e-4, atol=1e-6)


@pytest.mark.parametrize("names", [("blue", "green", "red", "nir"), ("nir", "red", "green", "blue")])
def test_an_overview_has_the_bands_of_the_file(tmp_path, names):
    """GDAL drops descriptions there, and what color is left is the file's own."""
    data = np.stack([np.full((256, 320), 1000 * (n + 1), np.uint16) for n in range(4)])
    path = write_scene(tmp_path / "a.tif", data)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
        dataset.build_overviews([2, 4], Resampling.average)
    with open_reflectance(path, scale=1e-4) as scene, scene.coarser(4) as coarse:
        for one in (scene, coarse):
            means = one.read(one.grid.window, bands=names).data.mean(axis=(1, 2))
            np.testing.assert_allclose(means, [0.1, 0.2, 0.3, 0.4], rtol=1e-5)


def test_overviews_are_read(tmp_path):
    data = np.random.default_rng(0).integers(1, 5000, (3, 256, 384)).astype(np.uint16)
    path = write_scene(tmp_path / "o.tif", data, transform=Affine(10, 0, 5e5, 0, -10, 2e6))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, OVERVIEW_LEVEL=1) as dataset:
        overview = dataset.read(2)
    with open_reflectance(path, scale=1.0, resolution=40) as scene:
        got = scene.read(Window(3, 5, 60, 50), bands=("green",)).data[0]
    np.testing.assert_array_equal(got, overview[5:55, 3:63])


def test_degrees(tmp_path, dn):
    transform = Affine(0.0001, 0, 7, 0, -0.0001, 45)
    path = write_scene(tmp_path / "deg.tif", dn, crs=CRS.from_epsg(4326), transform=transform)
    with open_reflectance(path, bands=NAMES, scale=0.0001, resolution=22) as scene:
        assert scene.grid.resolution[0] == pytest.approx(22 / 7.88e4, rel=1e-3)
        assert scene.read(scene.grid.window, bands=("red",)).valid.all()


def test_what_cannot_be(tmp_path, path, dn):
    with pytest.raises(BandError, match="band 9"):
        open_reflectance(path, bands={"red": 9})
    bare = write_scene(tmp_path / "bare.tif", dn[:3], crs=None)
    with pytest.raises(OptionError, match="no CRS"):
        open_reflectance(bare, resolution=20)
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    with pytest.raises(SceneError, match="not a raster"):
        open_reflectance(text)


def test_palettes_read_as_colors(tmp_path):
    index = (np.arange(40 * 60).reshape(1, 40, 60) % 5).astype(np.uint8)
    path = write_scene(tmp_path / "p.tif", index, options={"photometric": "palette"})
    colors = {i: (10 * i, 20 * i, 30 * i, 255) for i in range(5)}
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, colors)
    with open_reflectance(path) as scene:
        assert scene.bands == ("red", "green", "blue")
        data = scene.read(Window(0, 0, 5, 1), bands=("blue", "red")).data
        np.testing.assert_allclose(data[:, 0] * 255, [[0, 30, 60, 90, 120], [0, 10, 20, 30, 40]], atol=1e-4)
