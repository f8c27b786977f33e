"""`clearscene.mask`: one call, arrays in, arrays out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.crs import CRS

import clearscene
from clearscene.errors import BandError, ModelError, OptionError
from clearscene.grid import Grid
from clearscene.masking.arrays import array_facts
from clearscene.raster.sensors import open_reflectance
from tests.e2e.test_mask import TRANSFORM, stored
from tests.mask_models import RGBN, cloudy, level_folder
from tests.scenes import write_scene


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    model = level_folder(tmp_path_factory.mktemp("models") / "level")
    return clearscene.MaskOptions(classes=4, models=(str(model),), device="cpu", workers=1)


class DataArray:
    """As much of xarray's class as is asked for."""

    def __init__(self, values, dims, names=None):
        self.values, self.dims = values, dims
        self.coords = {} if names is None else {"band": SimpleNamespace(values=np.array(names))}

    def transpose(self, *dims):
        return DataArray(self.values.transpose([self.dims.index(name) for name in dims]), dims)


def test_an_array_of_reflectance(options):
    data, truth = cloudy()
    result = clearscene.mask(data, bands=RGBN, options=options)
    assert isinstance(result, clearscene.MaskResult)
    assert np.array_equal(result.mask, truth)
    assert result.confidence.shape == (4, *truth.shape)
    np.testing.assert_allclose(result.confidence.sum(axis=0), 1, atol=1e-5)
    assert result.classes == {0: "clear", 1: "thick_cloud", 2: "thin_cloud", 3: "cloud_shadow"}
    assert result.percent["clear"] == result.clear_percent == pytest.approx(100 * (truth == 0).mean())
    assert result.cloud_percent == pytest.approx(100 * np.isin(truth, (1, 2)).mean())


def test_digital_numbers_with_scale_nodata_and_bands_in_another_order(options):
    data, truth = cloudy()
    empty = np.zeros(truth.shape, bool)
    empty[:5] = True
    numbers = stored(data, empty)[::-1]
    result = clearscene.mask(numbers, bands=RGBN[::-1], scale=1e-4, nodata=0, options=options)
    assert np.array_equal(result.mask, np.where(empty, 255, truth))
    assert (result.confidence[:, empty] == 0).all()


def test_what_is_not_finite_is_nodata(options):
    data, _ = cloudy()
    data[1, 3, 4] = np.nan
    data[2, 9, 9] = np.inf
    result = clearscene.mask(data, bands=RGBN, options=options)
    assert [*zip(*np.nonzero(result.mask == 255), strict=True)] == [(3, 4), (9, 9)]


def test_a_data_array_in_any_order_of_axes(options):
    data, truth = cloudy()
    array = DataArray(data.transpose(1, 2, 0), ("y", "x", "band"), RGBN)
    assert np.array_equal(clearscene.mask(array, options=options).mask, truth)


def test_a_real_data_array(options):
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    data, truth = cloudy()
    array = xarray.DataArray(data, dims=("band", "y", "x"), coords={"band": list(RGBN)})
    assert np.array_equal(clearscene.mask(array, options=options).mask, truth)


def test_a_path_and_an_opened_scene_without_files(tmp_path, options):
    data, truth = cloudy()
    path = write_scene(tmp_path / "s.tif", stored(data), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    named = {name: number for number, name in enumerate(RGBN, start=1)}
    assert np.array_equal(clearscene.mask(path, bands=named, scale=1e-4, options=options).mask, truth)
    with open_reflectance(path, bands=named, scale=1e-4) as scene:
        assert np.array_equal(clearscene.mask(scene, options=options).mask, truth)
    assert [p.name for p in tmp_path.iterdir()] == ["s.tif"]


def test_a_buffer_needs_the_size_of_pixels(options):
    data, truth = cloudy()
    wide = clearscene.MaskOptions(classes=4, models=options.models, device="cpu", workers=1, buffer_m=20, resolution=10)
    result = clearscene.mask(data, bands=RGBN, options=wide)
    assert (result.mask != 0).sum() > (truth != 0).sum()
    with pytest.raises(OptionError, match="size of its pixels"):
        clearscene.mask(
            data,
            bands=RGBN,
            options=clearscene.MaskOptions(classes=4, models=options.models, device="cpu", workers=1, buffer_m=20),
        )


def test_uint8_is_display_color(options):
    data, truth = cloudy()
    shown = np.rint(255 * np.minimum(data, 1)).astype(np.uint8)
    assert (clearscene.mask(shown, bands=RGBN, options=options).mask == truth).mean() > 0.99


def test_what_a_masked_array_masks_is_nodata(options):
    data, truth = cloudy()
    empty = np.zeros(data.shape, bool)
    empty[:, :9, 20:] = True
    empty[2, 40, 50] = True  # one band is enough: its value does not count
    result = clearscene.mask(np.ma.masked_array(data, mask=empty), bands=RGBN, options=options)
    assert np.array_equal(result.mask, np.where(empty.any(axis=0), 255, truth))
    whole = clearscene.mask(np.ma.masked_array(data), bands=RGBN, options=options)
    assert np.array_equal(whole.mask, truth)


def test_nodata_in_one_band_alone_is_data_as_it_is_of_files(tmp_path, options):
    data, _ = cloudy()
    numbers = stored(data)
    numbers[0, 3, 4], numbers[:, 8, 9] = 0, 0
    named = {name: number for number, name in enumerate(RGBN, start=1)}
    path = write_scene(tmp_path / "s.tif", numbers, options={"nodata": 0})
    for scene, words in ((path, {}), (numbers, {"nodata": 0})):
        found = clearscene.mask(scene, bands=named, scale=1e-4, options=options, **words).mask
        assert [*zip(*np.nonzero(found == 255), strict=True)] == [(8, 9)]


def test_notes_are_those_of_the_scene_and_of_the_models(tmp_path, options):
    data, _ = cloudy()
    path = write_scene(tmp_path / "s.tif", stored(data), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    named = {name: number for number, name in enumerate(RGBN, start=1)}
    for scene, bands in ((path, named), (stored(data), RGBN)):
        notes = clearscene.mask(scene, bands=bands, options=options).notes
        assert any("--scale 0.0001" in note and "scale=" in note for note in notes)
        assert any("uncertain" in note for note in notes)
    shown = np.rint(255 * np.minimum(data, 1)).astype(np.uint8)
    assert any("display color" in note for note in clearscene.mask(shown, bands=RGBN, options=options).notes)
    assert not any("display" in n for n in clearscene.mask(shown, bands=RGBN, scale=1 / 255, options=options).notes)
    nothing = clearscene.mask(np.full_like(data, np.nan), bands=RGBN, options=options)
    assert "The scene holds no data." in nothing.notes


def test_a_buffer_does_not_count_as_cloud(options):
    data, truth = cloudy()
    grown = replace(options, buffer_m=20, resolution=10)
    result = clearscene.mask(data, bands=RGBN, options=grown)
    assert result.cloud_percent == pytest.approx(100 * np.isin(truth, (1, 2)).mean())
    assert result.percent["thick_cloud"] > 100 * (truth == 1).mean()


def test_scale_and_bands_may_stand_in_the_options(options):
    data, truth = cloudy()
    named = {name: number for number, name in enumerate(RGBN, start=1)}
    told = replace(options, scale=1e-4, bands=named)
    assert np.array_equal(clearscene.mask(stored(data), options=told).mask, truth)
    assert np.array_equal(clearscene.mask(stored(data), bands=RGBN, scale=1e-4, options=options).mask, truth)


class Coordinate(SimpleNamespace):
    """Coordinates of an axis, or of nothing, with attributes."""

    def __init__(self, values, **attributes):
        super().__init__(values=np.asarray(values), attrs=attributes)


def geo_array(values, *, meters=10.0, coords=None, **attributes):
    """A DataArray as rioxarray opens one: numbered bands, centers of pixels, the CRS beside them."""
    array = DataArray(values, ("band", "y", "x"), np.arange(1, len(values) + 1))
    _, height, width = values.shape
    array.coords["x"] = Coordinate(600_000 + meters * (np.arange(width) + 0.5))
    array.coords["y"] = Coordinate(5_000_040 - meters * (np.arange(height) + 0.5))
    array.coords["spatial_ref"] = Coordinate(0, crs_wkt=CRS.from_epsg(32632).to_wkt())
    array.coords.update(coords or {})
    array.attrs = attributes
    return array


def test_a_data_array_says_its_bands_nodata_and_place(options):
    data, truth = cloudy()
    numbers = stored(data)
    numbers[:, 3, 4] = 0
    array = geo_array(numbers, long_name=RGBN, _FillValue=0)
    result = clearscene.mask(array, scale=1e-4, options=replace(options, buffer_m=10))
    assert result.mask[3, 4] == 255
    assert (result.mask == 255).sum() == 1
    assert result.grid == Grid(*truth.shape, TRANSFORM, CRS.from_epsg(32632))
    assert (result.mask[truth == 0] != 0).any()  # the buffer knows the size of pixels
    named = clearscene.mask(array, bands=RGBN, scale=1e-4, nodata=77, options=options)
    assert (named.mask != 255).all()


@pytest.mark.parametrize(
    ("change", "pixel"),
    [
        ({}, (10, 10)),
        ({"spatial_ref": Coordinate(0), "epsg": Coordinate(32632)}, (10, 10)),
        ({"spatial_ref": Coordinate(0)}, None),
        ({"spatial_ref": Coordinate(0, crs_wkt="nonsense")}, None),
        ({"x": Coordinate(np.arange(91.0) ** 2)}, None),
        ({"x": Coordinate([str(n) for n in range(91)])}, None),
        (
            {
                "spatial_ref": Coordinate(0),
                "x": Coordinate(np.arange(91) * 20.0, units="m"),
                "y": Coordinate(np.arange(67) * 5.0, units="metre"),
            },
            (20, 5),
        ),
    ],
)
def test_the_size_of_pixels_comes_from_coordinates_whose_unit_is_known(change, pixel):
    found = array_facts(geo_array(cloudy()[0], coords=change), RGBN).pixel
    assert found == (pytest.approx(pixel) if pixel else None)


def test_an_array_is_looked_at_wide_where_its_pixels_have_a_size(tmp_path, options):
    model = level_folder(tmp_path / "bright", normalization="bright_level")
    ours = replace(options, models=(str(model),))
    data, _ = cloudy()
    blind = clearscene.mask(data, bands=RGBN, options=ours)
    assert any("not looked at once more for veils" in note for note in blind.notes)
    told = clearscene.mask(data, bands=RGBN, options=replace(ours, resolution=10))
    placed = clearscene.mask(geo_array(data), bands=RGBN, options=ours)
    assert not any("veils" in note for note in (*told.notes, *placed.notes))
    assert np.array_equal(told.confidence, placed.confidence)
    assert not np.array_equal(told.confidence, blind.confidence)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"scale": 0}, OptionError, "--scale 0"),
        ({"scale": -1.0}, OptionError, "--scale -1"),
        ({"scale": float("nan")}, OptionError, "--scale nan"),
        ({"offset": float("inf")}, OptionError, "--offset inf"),
        ({"kind": "l2a"}, OptionError, "kind 'l2a'"),
        ({"options": {"classes": 3}}, OptionError, "options is a dict"),
        ({"bands": "red"}, OptionError, "one text"),
        ({"bands": {"red": 1, "green": 2, "blue": 3, "nir": 9}}, BandError, "band 9 as nir"),
        ({"bands": {"red": 0, "green": 2, "blue": 3, "nir": 4}}, BandError, "band 0 as red"),
    ],
)
def test_wrong_words(options, words, error, message):
    with pytest.raises(error, match=message) as caught:
        clearscene.mask(cloudy()[0], **{"bands": RGBN, "options": options, **words})
    assert caught.value.hint


def test_what_says_how_to_read_is_refused_of_an_opened_scene(tmp_path, options):
    path = write_scene(tmp_path / "s.tif", stored(cloudy()[0]), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    named = {name: number for number, name in enumerate(RGBN, start=1)}
    with (
        open_reflectance(path, bands=named, scale=1e-4) as scene,
        pytest.raises(OptionError, match="scale=, nodata=, kind= do not fit an opened scene"),
    ):
        clearscene.mask(scene, scale=1e-4, nodata=0, kind="toa", options=options)


def test_a_file_is_read_as_an_array_with_the_same_words(tmp_path, options):
    values = stored(cloudy()[0])
    values[:, :20, :30] = 7
    path = write_scene(tmp_path / "s.tif", values, crs=CRS.from_epsg(32632), transform=TRANSFORM)
    words = {"scale": 1e-4, "nodata": 7, "kind": "surface", "options": replace(options, resolution=10)}
    of_file = clearscene.mask(path, bands={name: number for number, name in enumerate(RGBN, start=1)}, **words)
    of_array = clearscene.mask(values, bands=RGBN, **words)
    assert (of_file.mask[:20, :30] == 255).all()
    assert (of_file.mask == 255).sum() == 600
    assert np.array_equal(of_file.mask, of_array.mask)


def test_a_dataset_is_told_what_to_do(options):
    dataset = SimpleNamespace(data_vars={}, dims=("y", "x"), coords={})
    with pytest.raises(OptionError, match="has variables") as caught:
        clearscene.mask(dataset, options=options)
    assert "to_dataarray" in caught.value.hint


@pytest.mark.parametrize(
    ("scene", "words", "error"),
    [
        (np.zeros((4, 5)), {"bands": RGBN}, OptionError),
        (np.zeros((4, 0, 5)), {"bands": RGBN}, OptionError),
        (np.zeros((4, 5, 5)), {}, BandError),
        (np.zeros((5, 5, 4)), {"bands": RGBN}, BandError),
        (np.zeros((3, 5, 5)), {"bands": ("red", "green", "green")}, BandError),
        (np.zeros((3, 5, 5)), {"bands": ("red", "green", "blue")}, BandError),  # the model needs nir
        ([1, 2], {"bands": RGBN}, OptionError),
    ],
)
def test_wrong_arrays(options, scene, words, error):
    with pytest.raises(error):
        clearscene.mask(scene, options=options, **words)


def test_no_shipped_model():
    with pytest.raises(ModelError, match="cloud-rgbn"):
        clearscene.mask(np.zeros((3, 5, 5)), bands=RGBN[:3])


def test_progress_ends_at_one(options):
    seen = []
    clearscene.mask(cloudy()[0], bands=RGBN, options=options, progress=lambda stage, share: seen.append((stage, share)))
    assert seen[-1] == ("mask", pytest.approx(1.0))
    assert [share for _, share in seen] == sorted(share for _, share in seen)
