"""Landsat products of real layout, read as reflectance."""

import math

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.errors import BandError, SceneError
from clearscene.raster.sensors import open_reflectance
from tests.satellites import Landsat, plane, tarred, write_band

SUN = 1 / math.sin(math.radians(60))
LEVEL_2 = "LC09_L2SP_193028_20230716_20230718_02_T1"


@pytest.fixture(scope="module")
def level_1(tmp_path_factory):
    return Landsat(collar=4).write(tmp_path_factory.mktemp("l1"))


def expected(number, scene, mult=2.0e-5, add=-0.1, sun=SUN):
    dn = np.floor(plane(number, scene.grid.transform, scene.grid.height, scene.grid.width, start=8000))
    return (dn * mult * (1 + number / 100) + add) * sun


def test_level_1_is_corrected_for_the_sun(level_1):
    with open_reflectance(level_1) as scene:
        assert (scene.sensor, scene.kind, scene.qa, scene.notes) == ("landsat-8-l1", "toa", "QA_PIXEL", [])
        assert scene.name == level_1.name
        assert scene.datetime == "2023-07-16T10:04:11Z"
        assert (scene.grid.height, scene.grid.width) == (101, 67)  # not the 15 m of the panchromatic band
        assert scene.bands == ("coastal", "blue", "green", "red", "nir", "swir16", "swir22", "pan", "cirrus")
        pixels = scene.read(scene.grid.window, bands=("blue", "nir", "cirrus"))
        assert not pixels.valid[:4].any()
        assert pixels.valid[4:].all()
        for data, number in zip(pixels.data, (2, 5, 9), strict=True):
            np.testing.assert_array_equal(data[:4], 0)
            np.testing.assert_allclose(data[4:], expected(number, scene)[4:], rtol=1e-5)


def test_the_panchromatic_band_is_averaged(level_1):
    with open_reflectance(level_1) as scene:
        data = scene.read(Window(0, 10, 67, 80), bands=("pan",)).data[0]
        np.testing.assert_allclose(data, expected(8, scene)[10:90], atol=6e-5)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_reads_as_the_folder(level_1, suffix):
    archive = tarred(level_1, suffix=suffix)
    with open_reflectance(level_1, resolution=60) as folder, open_reflectance(archive, resolution=60) as inside:
        np.testing.assert_array_equal(
            inside.read(inside.grid.window, bands=("red",)).data, folder.read(folder.grid.window, bands=("red",)).data
        )
        assert (inside.name, inside.grid) == (folder.name, folder.grid)
        assert bool(inside.notes) == suffix.endswith("gz")
    archive.unlink()


def test_level_2_takes_the_factors_of_its_own_group(tmp_path):
    path = Landsat(name=LEVEL_2, spacecraft="LANDSAT_9", level="L2SP").write(tmp_path)
    with open_reflectance(path / f"{LEVEL_2}_MTL.txt") as scene:
        assert (scene.sensor, scene.kind, scene.notes) == ("landsat-9-l2", "surface", [])
        assert scene.bands == ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
        data = scene.read(scene.grid.window, bands=("green",)).data[0]
        np.testing.assert_allclose(data, expected(3, scene, 2.75e-5, -0.2, 1.0), atol=1e-6)


def test_the_quality_band_as_mask_codes(level_1):
    with open_reflectance(level_1) as scene:
        codes = scene.read_qa(Window(0, 2, 36, 9))
    assert (codes[:2] == 255).all()
    np.testing.assert_array_equal(codes[5, ::6], [0, 1, 255, 3, 2, 0])


def test_without_the_sun_there_is_a_warning(tmp_path):
    path = Landsat(sun_elevation=None).write(tmp_path)
    with open_reflectance(path) as scene:
        assert "no SUN_ELEVATION: reflectance is not corrected" in scene.notes[0]
        data = scene.read(scene.grid.window, bands=("red",)).data[0]
        np.testing.assert_allclose(data, expected(4, scene, sun=1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sun_elevation": "-12.5"}, "stands at -12.5 degrees"),
        ({"spacecraft": "LANDSAT_3"}, "taken by LANDSAT_3, whose bands are not known"),
        ({"level": "L0R"}, "processing level L0R"),
        ({"left_out": (4,)}, "lacks the band red: there is no LC08_.*_B4.TIF"),
    ],
)
def test_products_that_give_no_reflectance(tmp_path, change, message):
    with pytest.raises(SceneError, match=message):
        open_reflectance(Landsat(**change).write(tmp_path))


def test_metadata_missing_cut_short_or_twice(tmp_path):
    path = Landsat().write(tmp_path)
    file = path / f"{path.name}_MTL.txt"
    text = file.read_text()
    (path / "other_MTL.txt").write_text(text)
    with pytest.raises(SceneError, match="holds 2 Landsat products"):
        open_reflectance(path)
    (path / "other_MTL.txt").unlink()
    file.write_text(text[:700])
    with pytest.raises(SceneError, match="cut short"):
        open_reflectance(path)
    file.write_text(text.replace("REFLECTANCE_ADD_BAND_3", "SOMETHING"))
    with pytest.raises(SceneError, match="REFLECTANCE_ADD_BAND_3 in LEVEL1_RADIOMETRIC_RESCALING"):
        open_reflectance(path)
    file.unlink()
    with pytest.raises(SceneError, match=r"no \*_MTL.txt"):
        open_reflectance(path)


def test_a_tar_that_is_cut_short(level_1):
    archive = tarred(level_1)
    archive.write_bytes(archive.read_bytes()[:700])
    with pytest.raises(SceneError, match=r"cut short|no Sentinel-2 or Landsat"):
        open_reflectance(archive)
    archive.unlink()


def test_missing_near_infrared_is_a_note(tmp_path):
    path = Landsat(left_out=(5,)).write(tmp_path)
    with open_reflectance(path) as scene:
        assert scene.notes == [f"Band nir is missing: there is no {path.name}_B5.TIF."]
        with pytest.raises(BandError, match=r"_B5.TIF is not there"):
            scene.read(Window(0, 0, 5, 5), bands=("nir",))


def old_product(tmp_path, *, with_collection):
    """A product of before Collection 2: other groups, names like LC8..., and BQA."""
    name = "LC81930282014197LGN00"
    root = tmp_path / name
    root.mkdir()
    maker = Landsat()
    for number in range(1, 8):
        write_band(root / f"{name}_B{number}.TIF", maker.data(number), 30)
    words = np.array([2720, 2800, 2976, 6816] if with_collection else [20480, 53248, 28672, 1], np.uint16)
    write_band(root / f"{name}_BQA.TIF", np.tile(words, (101, 17))[:, :67], 30)
    files = "".join(f'    FILE_NAME_BAND_{n} = "{name}_B{n}.TIF"\n' for n in range(1, 8))
    factors = "".join(
        f"    REFLECTANCE_MULT_BAND_{n} = 2.0000E-05\n    REFLECTANCE_ADD_BAND_{n} = -0.100000\n" for n in range(1, 8)
    )
    collection = "    COLLECTION_NUMBER = 01\n" if with_collection else ""
    (root / f"{name}_MTL.txt").write_text(
        "GROUP = L1_METADATA_FILE\n  GROUP = METADATA_FILE_INFO\n"
        f'    LANDSAT_SCENE_ID = "{name}"\n{collection}  END_GROUP = METADATA_FILE_INFO\n'
        '  GROUP = PRODUCT_METADATA\n    DATA_TYPE = "L1T"\n    SPACECRAFT_ID = "LANDSAT_8"\n'
        f'    DATE_ACQUIRED = 2014-07-16\n{files}    FILE_NAME_BAND_QUALITY = "{name}_BQA.TIF"\n'
        "  END_GROUP = PRODUCT_METADATA\n  GROUP = IMAGE_ATTRIBUTES\n    SUN_ELEVATION = 60.0\n"
        f"  END_GROUP = IMAGE_ATTRIBUTES\n  GROUP = RADIOMETRIC_RESCALING\n{factors}"
        "  END_GROUP = RADIOMETRIC_RESCALING\nEND_GROUP = L1_METADATA_FILE\nEND\n"
    )
    return root


@pytest.mark.parametrize(("with_collection", "codes"), [(True, [0, 1, 3, 2]), (False, [0, 1, 2, 255])])
def test_products_of_before_collection_2(tmp_path, with_collection, codes):
    with open_reflectance(old_product(tmp_path, with_collection=with_collection)) as scene:
        assert (scene.name, scene.sensor, scene.qa) == ("LC81930282014197LGN00", "landsat-8-l1", "BQA")
        assert scene.datetime == "2014-07-16"
        data = scene.read(scene.grid.window, bands=("swir16",)).data[0]
        dn = Landsat().data(6)
        np.testing.assert_allclose(data, (dn * 2e-5 - 0.1) * SUN, rtol=1e-5)
        np.testing.assert_array_equal(scene.read_qa(Window(0, 3, 4, 1))[0], codes)
        assert [note for note in scene.notes if "cirrus" in note] == ["Band cirrus is missing: there is no *_B9.TIF."]
