"""Sentinel-2 products of real layout, read as reflectance."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.errors import BandError, GridError, OptionError, SceneError
from clearscene.grid import windows
from clearscene.raster.sensors import open_reflectance
from tests.satellites import NUMBERS, Safe, plane, write_jp2, zipped

LABELS = {"blue": "B02", "nir": "B08", "swir16": "B11", "cirrus": "B10"}
ROUNDING = 1.1e-4
"""A DN: stored values are whole, and so are those of reduced levels."""


@pytest.fixture(scope="module")
def l1c(tmp_path_factory):
    return Safe().write(tmp_path_factory.mktemp("l1c"))


@pytest.fixture(scope="module")
def l2a(tmp_path_factory):
    return Safe(level="L2A", collar=40).write(tmp_path_factory.mktemp("l2a"))


def expected(scene, name):
    """Reflectance on the plane under a scene's pixels."""
    number = NUMBERS.index(LABELS[name])
    return (plane(number, scene.grid.transform, scene.grid.height, scene.grid.width) - 1000 - number) / 10_000


def test_what_a_product_is(l1c):
    with open_reflectance(l1c) as scene:
        assert scene.name == "S2B_MSIL1C_20230716T101609_N0509_R065_T32TQM_20230716T141023"
        assert (scene.sensor, scene.kind, scene.qa, scene.notes) == ("sentinel-2-l1c", "toa", None, [])
        assert scene.datetime == "2023-07-16T10:16:09.024Z"
        assert len(scene.bands) == 13
        assert (scene.grid.height, scene.grid.width) == (300, 420)
        assert scene.grid.crs.to_epsg() == 32632
        assert scene.path == str(l1c)


@pytest.mark.parametrize("resolution", [None, 20, 30, 40, 60])
def test_every_band_lies_where_it_should_at_every_resolution(l1c, resolution):
    with open_reflectance(l1c, resolution=resolution) as scene:
        pixels = scene.read(scene.grid.window, bands=tuple(LABELS))
        step = resolution or 10
        assert tuple(scene.grid.transform)[:6] == (step, 0, 600_000, 0, -step, 5_000_040)
        assert pixels.data.dtype == np.float32
        assert pixels.valid.all()
        margin = 6  # of 60 m pixels on a 10 m grid, centers end half a pixel before the edge
        inner = slice(margin, -margin)
        for data, name in zip(pixels.data, LABELS, strict=True):
            want = expected(scene, name)
            # A pixel that is split between two counts as even: up to 1.7 m off. Half a 10 m pixel were 6e-4.
            limit = 3e-4 if step == 30 or (step == 60 and name != "cirrus") else 1.5 * ROUNDING
            assert np.abs(data - want)[inner, inner].max() < limit, name


def test_a_coarser_scene_is_the_scene_at_that_resolution(l1c, l2a):
    for product, factor, start in ((l1c, 4, None), (l1c, 3, 20), (l2a, 4, None)):
        size = factor * (start or 10)
        with (
            open_reflectance(product, resolution=start) as scene,
            open_reflectance(product, resolution=size) as expected,
            scene.coarser(factor) as coarse,
        ):
            assert coarse.grid == expected.grid
            names = ("blue", "nir")
            found, wanted = (one.read(one.grid.window, bands=names) for one in (coarse, expected))
            assert np.array_equal(found.data, wanted.data)
            assert np.array_equal(found.valid, wanted.valid)


def test_windows_read_alike_from_many_threads(l1c):
    with open_reflectance(l1c, resolution=20) as scene:
        whole = scene.read(scene.grid.window, bands=("red", "cirrus"))
        parts = list(windows(scene.grid.height, scene.grid.width, 37))
        with ThreadPoolExecutor(4) as pool:
            pieces = pool.map(lambda part: scene.read(part, bands=("red", "cirrus")), parts)
        for part, piece in zip(parts, pieces, strict=True):
            rows, cols = part.toslices()
            np.testing.assert_array_equal(piece.data, whole.data[:, rows, cols])
            np.testing.assert_array_equal(piece.valid, whole.valid[rows, cols])


def test_a_zip_reads_as_the_folder(l1c, tmp_path):
    archive = zipped(l1c)
    with open_reflectance(l1c) as folder, open_reflectance(archive) as inside:
        window = Window(11, 7, 90, 60)
        np.testing.assert_array_equal(
            inside.read(window, bands=("green",)).data, folder.read(window, bands=("green",)).data
        )
        assert inside.name == folder.name
    archive.unlink()


def test_the_metadata_file_stands_for_the_product(l1c):
    with open_reflectance(l1c / "MTD_MSIL1C.xml") as scene:
        assert scene.sensor == "sentinel-2-l1c"


def test_level_2a_is_surface_reflectance_with_its_own_offset(l2a):
    with open_reflectance(l2a) as scene:
        assert (scene.sensor, scene.kind, scene.qa) == ("sentinel-2-l2a", "surface", "SCL")
        assert "cirrus" not in scene.bands
        pixels = scene.read(scene.grid.window, bands=("blue",))
        assert not pixels.valid[:, :40].any()
        assert pixels.valid[:, 40:].all()
        np.testing.assert_array_equal(pixels.data[0, :, :40], 0)
        np.testing.assert_allclose(pixels.data[0, :, 40:], expected(scene, "blue")[:, 40:], atol=ROUNDING)


def test_at_20_m_level_2a_reads_its_own_20_m_files(l2a):
    own = next(l2a.rglob("R10m/*_B02_10m.jp2"))
    aside = own.with_suffix(".aside")
    own.rename(aside)
    try:
        with open_reflectance(l2a, resolution=20) as scene:
            data = scene.read(Window(30, 0, 100, 60), bands=("blue",)).data[0]
            np.testing.assert_allclose(data, expected(scene, "blue")[:60, 30:130], atol=ROUNDING)
    finally:
        aside.rename(own)


def test_reduced_levels_leave_out_what_is_mixed_with_nodata(l2a):
    with open_reflectance(l2a, resolution=20) as scene:
        pixels = scene.read(scene.grid.window, bands=("nir",))  # 10 m only
        assert not pixels.valid[:, :21].any()
        assert pixels.valid[:, 24:].all()
        error = np.abs(pixels.data[0] - expected(scene, "nir"))[6:-6, :-6]
        assert error[pixels.valid[6:-6, :-6]].max() < ROUNDING


def test_scene_classes_as_mask_codes(l2a):
    with open_reflectance(l2a, resolution=20) as scene:
        codes = scene.read_qa(scene.grid.window)
    stripes = codes[5, ::18][:12]
    np.testing.assert_array_equal(stripes, [255, 255, 0, 3, 0, 0, 0, 255, 1, 1, 2, 0])
    assert (codes[:, 20] == codes[5, 20]).all()
    with open_reflectance(l2a) as scene:
        np.testing.assert_array_equal(scene.read_qa(Window(0, 0, 420, 2))[0], np.repeat(codes[0], 2))
    with open_reflectance(l2a, resolution=60) as scene:
        assert scene.read_qa(scene.grid.window).shape == (50, 70)


def test_before_baseline_4_nothing_is_added(tmp_path):
    path = Safe(baseline="02.14", offsets={}).write(tmp_path)
    with open_reflectance(path) as scene:
        data = scene.read(Window(0, 0, 9, 7), bands=("nir",)).data[0]
        want = (plane(7, scene.grid.transform, 7, 9)) / 10_000
        np.testing.assert_allclose(data, want, atol=ROUNDING)


def edited(tmp_path, edit):
    """A product whose metadata are changed by a function on their text."""
    path = Safe().write(tmp_path)
    file = path / "MTD_MSIL1C.xml"
    file.write_text(edit(file.read_text()))
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[:400], "no valid XML"),
        (lambda text: "<!DOCTYPE x [<!ENTITY a 'b'>]>" + text, "declares entities"),
        (lambda text: text.replace("RADIO_ADD_OFFSET", "OTHER"), "lack RADIO_ADD_OFFSET"),
        (lambda text: text.replace(">10000<", ">many<"), "'many' in the metadata"),
        (lambda text: text.replace(">10000<", ">0<"), "QUANTIFICATION_VALUE is 0"),
    ],
)
def test_metadata_that_do_not_say_what_values_mean(tmp_path, edit, message):
    with pytest.raises(SceneError, match=message):
        open_reflectance(edited(tmp_path, edit))


def test_a_missing_band_is_told_by_its_file(tmp_path):
    path = Safe(left_out=("B10", "B08")).write(tmp_path)
    with open_reflectance(path) as scene:
        assert "Band nir is missing: there is no IMG_DATA/*_B08.jp2." in scene.notes
        assert "nir" not in scene.bands
        with pytest.raises(BandError, match=r"no band 'cirrus' \(IMG_DATA/\*_B10.jp2 is not there\)"):
            scene.read(Window(0, 0, 5, 5), bands=("cirrus",))
    with pytest.raises(SceneError, match=r"lacks the bands blue, green: there is no IMG_DATA/\*_B02.jp2"):
        open_reflectance(Safe(left_out=("B02", "B03")).write(tmp_path / "more"))


def test_a_truncated_image_names_the_file(tmp_path):
    path = Safe().write(tmp_path)
    file = next(path.rglob("*_B04.jp2"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with open_reflectance(path) as scene:
        scene.read(scene.grid.window, bands=("blue",))
        with pytest.raises(SceneError, match=r"_B04.jp2 cannot be"):
            scene.read(scene.grid.window, bands=("red",))


def test_bands_of_other_extent_do_not_mix(tmp_path):
    path = Safe().write(tmp_path)
    other = next(path.rglob("*_B11.jp2"))
    other.write_bytes(next(path.rglob("*_B02.jp2")).read_bytes())
    with open_reflectance(path) as scene:
        scene.read(Window(0, 0, 5, 5), bands=("swir16",))  # the same ground at 10 m: fine
    write_jp2(other, Safe().data("B11", 20)[:, :150], 20)
    with open_reflectance(path) as scene, pytest.raises(SceneError, match=r"_B11.jp2 covers other ground"):
        scene.read(Window(0, 0, 5, 5), bands=("swir16",))


def test_products_of_another_level_or_number(tmp_path):
    path = Safe().write(tmp_path)
    (path / "MTD_MSIL1C.xml").rename(path / "MTD_MSIL1B.xml")
    with pytest.raises(SceneError, match="Level-1B, which holds no reflectance"):
        open_reflectance(path)
    (path / "MTD_MSIL1B.xml").unlink()
    with pytest.raises(SceneError, match=r"no MTD_MSIL1C.xml"):
        open_reflectance(path)
    Safe().write(tmp_path / "two")
    Safe(level="L2A").write(tmp_path / "two")
    with pytest.raises(SceneError, match="holds 2 Sentinel-2 products"):
        open_reflectance(tmp_path / "two")


def test_archives_without_a_product(tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    with pytest.raises(SceneError, match=r"no Sentinel-2 or Landsat product: it has letters/a.txt"):
        open_reflectance(zipped(folder))
    with pytest.raises(SceneError, match=r"no Sentinel-2 or Landsat product: it has a.txt"):
        open_reflectance(folder)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(SceneError, match="cut short"):
        open_reflectance(broken)
    with pytest.raises(SceneError, match="There is no file"):
        open_reflectance(Path("/nowhere/at.SAFE"))


def test_options_of_plain_rasters_are_refused(l1c):
    with pytest.raises(OptionError, match=r"--bands, --scale do not fit"):
        open_reflectance(l1c, bands={"red": 1}, scale=2.0)
    with pytest.raises(OptionError, match="finer than the pixels"):
        open_reflectance(l1c, resolution=5)


def test_windows_outside_and_scenes_closed(l1c):
    scene = open_reflectance(l1c)
    with pytest.raises(GridError, match="reaches out"):
        scene.read(Window(400, 0, 50, 10), bands=("red",))
    with pytest.raises(BandError, match="no quality band"):
        scene.read_qa(Window(0, 0, 5, 5))
    scene.close()
    with pytest.raises(SceneError, match="closed"):
        scene.read(Window(0, 0, 5, 5), bands=("red",))
