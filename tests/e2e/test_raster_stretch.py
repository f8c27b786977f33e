"""The stretch of whole scenes."""

import numpy as np
import pytest
import rasterio

from clearscene.raster import open_scene
from clearscene.raster.stretch import scene_stretch
from tests.scenes import ground, write_scene

DATA = ground(300, 411, seed=6).astype(np.uint16) * 40


L2A = {"BOA_QUANTIFICATION_VALUE": "10000", "PROCESSING_BASELINE": "05.09"}


def stretch_of(path, **options):
    with open_scene(path) as scene:
        return scene_stretch(scene, **options)


def test_8_bit_is_not_stretched(tmp_path):
    assert stretch_of(write_scene(tmp_path / "a.tif", ground(60, 70))).record() == {"method": "none"}


def test_few_bits_fill_the_range(tmp_path):
    path = write_scene(tmp_path / "a.tif", ground(60, 70)[:1] // 16, options={"NBITS": 4})
    stretch = stretch_of(path)
    assert stretch.record() == {"method": "bits", "low": 0, "high": 15}
    assert stretch.apply(np.array([[[0, 3, 15]]], np.uint8)).tolist() == [[[0, 51, 255]]]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "uint32", "float64"])
def test_percentiles_of_valid_pixels_over_all_bands(tmp_path, dtype):
    data = DATA.astype(dtype)
    data[:, :100] = 0
    data[0, 250, :] = 0  # a lost band is no dark ground
    collar = np.zeros((300, 411), bool)
    collar[:, 350:] = True
    data[:, collar] = 30_000
    path = write_scene(tmp_path / "a.tif", data, options={"nodata": 0})
    stretch = stretch_of(path, collar_mask=lambda window: collar[window.toslices()])
    values = data[:, 100:, :350]
    low, high = np.percentile(values[values > 0], [0.5, 99.5])
    assert stretch.record() == {"method": "percentiles", "low": pytest.approx(low), "high": pytest.approx(high)}
    assert stretch == stretch_of(path, collar_mask=lambda window: collar[window.toslices()])
    assert stretch_of(path).high == 30_000


def test_large_scene_is_sampled(tmp_path):
    data = np.arange(6000 * 2100, dtype=np.uint32).reshape(1, 2100, 6000) % 60_013
    path = write_scene(tmp_path / "a.tif", data.astype(np.uint16))
    stretch = stretch_of(path)
    assert stretch.low == pytest.approx(300, abs=60)
    assert stretch.high == pytest.approx(59_713, abs=60)


@pytest.mark.parametrize(
    ("dtype", "scale", "offset", "tags", "method", "low", "high"),
    [
        ("uint16", 1e-4, 0.0, {}, "reflectance", 0, 3558),
        ("uint16", 2.75e-5, -0.2, {}, "reflectance", 7272.7, 20_210.9),  # Landsat Collection 2 surface reflectance
        ("uint16", 1e-4, -0.1, {}, "reflectance", 1000, 4558),
        ("int16", 1e-4, 0.0, {}, "reflectance", 0, 3558),
        ("uint16", 0.01, 0.0, {}, "percentiles", None, None),  # centimeters
        ("uint16", 1.0, 0.0, {"QUANTIFICATION_VALUE": "10000"}, "reflectance", 0, 3558),
        ("uint16", 1.0, 0.0, L2A, "reflectance", 1000, 4558),
        ("uint16", 1.0, 0.0, {"QUANTIFICATION_VALUE": "?"}, "percentiles", None, None),
        ("float32", 1.0, 0.0, {"units": "reflectance"}, "reflectance", 0, 0.3558),
    ],
)  # fmt: skip
def test_reflectance_where_metadata_give_it(tmp_path, dtype, scale, offset, tags, method, low, high):
    path = write_scene(tmp_path / "a.tif", DATA.astype(dtype))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [scale] * 3, [offset] * 3
        if "units" in tags:
            dataset.units = [tags["units"]] * 3
        else:
            dataset.update_tags(**tags)
    stretch = stretch_of(path)
    assert stretch.method == method
    if low is not None:
        assert (stretch.low, stretch.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))


def test_constant_and_empty_scenes(tmp_path):
    flat = np.full((3, 40, 50), 700, np.uint16)
    assert stretch_of(write_scene(tmp_path / "a.tif", flat)).record() == {
        "method": "percentiles",
        "low": 700,
        "high": 701,
    }
    empty = write_scene(tmp_path / "b.tif", flat, options={"nodata": 700})
    assert stretch_of(empty).record() == {"method": "empty", "low": 0, "high": 65535}
