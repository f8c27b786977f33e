"""`clearscene.mask`: one call, arrays in, arrays out."""

from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.crs import CRS

import clearscene
from clearscene.errors import BandError, ModelError, OptionError
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
