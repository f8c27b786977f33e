"""Scenes of every kind, written by rasterio, opened and read."""

import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.errors import BandError, GridError, SceneError
from clearscene.grid import IMAGE_TRANSFORM
from clearscene.raster import open_scene
from tests.scenes import TRANSFORM, UTM, ground, write_scene

HEIGHT, WIDTH = 67, 93
DATA = ground(HEIGHT, WIDTH, seed=3)
TILED = {"tiled": True, "blockxsize": 32, "blockysize": 16}


def read_all(scene, **options):
    return scene.read(scene.grid.window, **options)


def test_plain_scene(tmp_path):
    with open_scene(write_scene(tmp_path / "正射 影像.tif", DATA, options=TILED)) as scene:
        pixels = read_all(scene)
        assert scene.name == "正射 影像"
        assert (scene.grid.height, scene.grid.width) == (HEIGHT, WIDTH)
        assert (scene.grid.transform, scene.grid.crs) == (TRANSFORM, UTM)
        assert (scene.dtype, scene.white, scene.nodata, scene.is_lossy) == ("uint8", 255, None, False)
        assert scene.bands == {"red": 1, "green": 2, "blue": 3}
        assert scene.block_shape == (16, 32)
        assert scene.notes == []
    np.testing.assert_array_equal(pixels.data, DATA)
    assert pixels.valid.all()


def test_a_window_is_a_part_of_the_whole_in_every_thread(tmp_path):
    data = ground(300, 411, seed=1)
    with open_scene(write_scene(tmp_path / "a.tif", data, options={"nodata": 128, **TILED})) as scene:
        whole = read_all(scene)
        rng = np.random.default_rng(0)
        windows = []
        for _ in range(60):
            r, c = int(rng.integers(0, 290)), int(rng.integers(0, 400))
            windows.append(Window(c, r, int(rng.integers(1, 411 - c + 1)), int(rng.integers(1, 300 - r + 1))))
        with ThreadPoolExecutor(5) as pool:
            parts = list(pool.map(scene.read, windows))
        for w, part in zip(windows, parts, strict=True):
            place = np.s_[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width]
            np.testing.assert_array_equal(part.data, whole.data[:, *place])
            np.testing.assert_array_equal(part.valid, whole.valid[place])
        assert len(scene._handles) > 1
        handles = list(scene._handles)
    assert all(handle.closed for handle in handles)
    with pytest.raises(SceneError, match="is closed"):
        read_all(scene)


@pytest.mark.parametrize("window", [Window(0, 0, 0, 5), Window(-1, 0, 5, 5), Window(90, 0, 4, 5), Window(0, 60, 5, 8)])
def test_a_window_outside_is_an_error(tmp_path, window):
    with open_scene(write_scene(tmp_path / "a.tif", DATA)) as scene, pytest.raises(GridError, match="reaches out"):
        scene.read(window)


def test_nodata_counts_where_all_display_bands_hold_it(tmp_path):
    data = np.concatenate([DATA, DATA[:1] + 1])
    data[0, :10] = 0
    data[:3, :4] = 0
    path = write_scene(tmp_path / "a.tif", data, options={"nodata": 0, "photometric": "RGB"})
    with open_scene(path, {"nir": 4}) as scene:
        pixels = read_all(scene)
        nir = read_all(scene, bands=["nir", "red"])
    assert not pixels.valid[:4].any()
    assert pixels.valid[4:].all()
    np.testing.assert_array_equal(nir.data, data[[3, 0]])
    np.testing.assert_array_equal(nir.valid, pixels.valid)
    with rasterio.open(path) as dataset:  # GDAL's dataset mask of the display bands says the same
        masks = dataset.read_masks([1, 2, 3]).any(axis=0)
    np.testing.assert_array_equal(pixels.valid, masks)


def test_float_scene_with_nan_inf_and_a_rounded_nodata(tmp_path):
    data = (DATA / np.float32(300)).astype(np.float32)
    data[1, 3, 4], data[2, 5, 6], data[:, 7, 8] = np.nan, -np.inf, -3.4028234663852886e38
    data[0, 9, 9] = -3.4028234663852886e38
    with open_scene(write_scene(tmp_path / "a.tif", data, options={"nodata": -3.4028234663852886e38})) as scene:
        pixels = read_all(scene)
        assert scene.white == np.finfo(np.float32).max
    assert sorted(zip(*np.nonzero(~pixels.valid), strict=True)) == [(3, 4), (5, 6), (7, 8)]
    assert np.isfinite(pixels.data).all()
    assert pixels.data[1, 3, 4] == 0


def test_nan_as_nodata(tmp_path):
    data = DATA[:1].astype(np.float64)
    data[0, :5] = np.nan
    with open_scene(write_scene(tmp_path / "a.tif", data, options={"nodata": np.nan})) as scene:
        assert read_all(scene).valid.sum() == (HEIGHT - 5) * WIDTH
        assert scene.bands == {"gray": 1}
        assert not scene.is_color


def test_alpha(tmp_path):
    alpha = np.full((1, HEIGHT, WIDTH), 255, np.uint8)
    alpha[0, :, :20], alpha[0, 30, 30] = 0, 1
    path = write_scene(
        tmp_path / "a.tif", np.concatenate([DATA, alpha]), options={"photometric": "RGB", "alpha": "YES"}
    )
    with open_scene(path) as scene:
        assert scene.bands == {"red": 1, "green": 2, "blue": 3}
        assert scene.n_bands == 4
        np.testing.assert_array_equal(read_all(scene).valid, alpha[0] > 0)


def test_alpha_described_as_spectral_is_spectral_at_every_size(tmp_path):
    nir = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    nir[0, :20] = 90
    path = write_scene(tmp_path / "a.tif", np.concatenate([DATA, nir]), options={"photometric": "RGB", "alpha": "YES"})
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("red", "green", "blue", "nir")
        assert dataset.colorinterp[3] == ColorInterp.alpha
    with open_scene(path) as scene:
        assert scene.bands == {"red": 1, "green": 2, "blue": 3, "nir": 4}
        small = read_all(scene, out_shape=(6, 8))
        np.testing.assert_array_equal(read_all(scene).data, DATA)
        assert read_all(scene).valid.all()
    assert small.valid.all()
    assert small.data.min() > 60  # black where GDAL takes near infrared for alpha


@pytest.mark.parametrize("is_internal", [True, False])
def test_masks_inside_and_beside(tmp_path, is_internal):
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[40:, 50:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=is_internal):
        path = write_scene(tmp_path / "a.tif", DATA)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(mask)
    assert (tmp_path / "a.tif.msk").exists() != is_internal
    with open_scene(path) as scene:
        np.testing.assert_array_equal(read_all(scene).valid, mask > 0)


def test_overviews_beside_are_used(tmp_path):
    path = write_scene(tmp_path / "a.tif", DATA)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([4], Resampling.average)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "a.tif.ovr", "r+") as overview:
            overview.write(np.full((3, *overview.shape), 7, np.uint8))
    with open_scene(path) as scene:
        assert (read_all(scene, out_shape=(17, 24)).data == 7).all()


def test_palette(tmp_path):
    index = (DATA[:1].astype(int) % 5).astype(np.uint8)
    colors = {
        0: (10, 20, 30, 255),
        1: (200, 0, 1, 255),
        2: (0, 200, 2, 255),
        3: (3, 4, 200, 0),
        4: (250, 250, 250, 255),
    }
    path = write_scene(tmp_path / "a.tif", index, options={"photometric": "palette", "nodata": 4})
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, colors)
    rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")
    opaque = (tmp_path / "a.vrt").read_text()  # a TIFF cannot say that a color is transparent
    (tmp_path / "a.vrt").write_text(opaque.replace('c3="200" c4="255"', 'c3="200" c4="0"'))
    with open_scene(tmp_path / "a.vrt") as scene:
        pixels, small = read_all(scene), read_all(scene, out_shape=(9, 11))
        green = read_all(scene, bands=["green"])
        assert (scene.dtype, scene.white, scene.is_color, scene.n_bands) == ("uint8", 255, True, 1)
        assert len(scene.display_bands) == 3
        with pytest.raises(BandError):
            read_all(scene, bands=[1])
    table = np.array([colors[i] for i in range(5)], np.uint8)
    np.testing.assert_array_equal(pixels.data, table[index[0]][..., :3].transpose(2, 0, 1))
    np.testing.assert_array_equal(pixels.valid, index[0] < 3)
    np.testing.assert_array_equal(green.data[0], pixels.data[1])
    assert {tuple(c) for c in small.data.reshape(3, -1).T.tolist()} <= {color[:3] for color in colors.values()}


def test_reduced_size_is_the_mean_of_valid_pixels(tmp_path):
    data = ground(64, 96, seed=5)
    data[:, :4, :6] = 0
    with open_scene(write_scene(tmp_path / "a.tif", data, options={"nodata": 0})) as scene:
        small = scene.read(scene.grid.window, out_shape=(8, 12))
    blocks = data.reshape(3, 8, 8, 12, 8).astype(float)
    full = blocks.mean(axis=(2, 4))
    np.testing.assert_allclose(small.data[:, 1:, 1:], full[:, 1:, 1:], atol=0.51)
    corner = data[:, :8, :8]
    np.testing.assert_allclose(small.data[:, 0, 0], [c[c > 0].mean() for c in corner], atol=0.51)
    assert small.valid.all()


@pytest.mark.parametrize(
    ("options", "white"), [({}, 65535), ({"NBITS": 12}, 4095), ({"NBITS": 11, "compress": "deflate"}, 2047)]
)
def test_white_of_16_bit(tmp_path, options, white):
    path = write_scene(tmp_path / "a.tif", DATA.astype(np.uint16) * 7, options=options | {"photometric": "RGB"})
    with open_scene(path) as scene:
        assert (scene.dtype, scene.white) == ("uint16", white)


def test_16_bit_bands_by_description_in_any_order(tmp_path):
    data = np.concatenate([DATA, DATA[:1] + 3]).astype(np.uint16) * 11
    path = write_scene(tmp_path / "a.tif", data, options={"photometric": "MINISBLACK"})
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Blue", "Green", "Red", "NIR")
    with open_scene(path) as scene:
        assert scene.display_bands == (3, 2, 1)
        np.testing.assert_array_equal(read_all(scene).data, data[[2, 1, 0]])
    with open_scene(path, {"red": 4, "green": 3, "blue": 2}) as scene:
        assert scene.display_bands == (4, 3, 2)
        assert scene.bands == {"band_1": 1, "blue": 2, "green": 3, "red": 4}


def test_bands_by_wavelength_and_tag(tmp_path):
    path = write_scene(tmp_path / "a.tif", np.concatenate([DATA, DATA]), options={"photometric": "MINISBLACK"})
    with rasterio.open(path, "r+") as dataset:
        for band, tags in enumerate(({"wavelength": "492.1"}, {"wavelength": "0.5592"}, {"wavelength": "664.9"}), 1):
            dataset.update_tags(band, **tags)
        dataset.update_tags(6, common_name="nir")
    with open_scene(path) as scene:
        assert scene.bands == {"blue": 1, "green": 2, "red": 3, "band_4": 4, "band_5": 5, "nir": 6}


def test_three_unnamed_bands_are_taken_in_order_and_noted(tmp_path):
    with open_scene(write_scene(tmp_path / "a.tif", DATA.astype(np.uint16))) as scene:
        assert scene.display_bands == (1, 2, 3)
        assert "1, 2 and 3 are taken as red, green and blue" in scene.notes[0]


def test_bands_that_cannot_be_told_apart(tmp_path):
    path = write_scene(tmp_path / "a.tif", np.concatenate([DATA, DATA]).astype(np.uint16)[:4])
    with pytest.raises(BandError, match=r"4 bands: 1 \(gray, uint16\), 2 \(undefined, uint16\)") as caught:
        open_scene(path)
    assert "--bands red=3,green=2,blue=1" in caught.value.hint
    with pytest.raises(BandError, match="asks for band 5 as nir"):
        open_scene(path, {"nir": 5})
    with open_scene(path, {"gray": 2}) as scene:
        assert scene.display_bands == (2,)


def test_rotated_transform_is_kept(tmp_path):
    transform = Affine(0.4, 0.3, 500_000, 0.25, -0.5, 3_000_000)
    with open_scene(write_scene(tmp_path / "a.tif", DATA, transform=transform)) as scene:
        assert scene.grid.transform.almost_equals(transform)
        assert scene.grid.resolution == pytest.approx((0.4717, 0.5831), abs=1e-4)


@pytest.mark.parametrize("code", [4326, 4490, 4479 + 49])
def test_geographic_and_chinese_systems(tmp_path, code):
    origin = (105.0, 30.0) if code in (4326, 4490) else (36_500_000, 3_300_000)
    size = 1e-5 if code in (4326, 4490) else 0.5
    transform = Affine(size, 0, origin[0], 0, -size, origin[1])
    with open_scene(write_scene(tmp_path / "a.tif", DATA, crs=CRS.from_epsg(code), transform=transform)) as scene:
        assert scene.grid.crs.to_epsg() == code
        assert scene.grid.pixel_area.at(1, 1) > 0


def test_a_crs_that_does_not_fit_is_left_out(tmp_path):
    with open_scene(write_scene(tmp_path / "a.tif", DATA, crs=CRS.from_epsg(4326))) as scene:
        assert scene.grid.crs is None
        assert scene.grid.transform == TRANSFORM
        assert "does not fit the coordinates" in scene.notes[0]


def test_no_georeference_warns_nobody(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_scene(tmp_path / "a.tif", DATA, crs=None, transform=None)
    with open_scene(path) as scene, ThreadPoolExecutor(2) as pool:
        list(pool.map(scene.read, [scene.grid.window] * 4))
        assert (scene.grid.transform, scene.grid.crs) == (IMAGE_TRANSFORM, None)
        assert "not georeferenced" in scene.notes[0]


def test_unusable_transforms_and_rational_polynomials(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_scene(tmp_path / "a.tif", DATA, crs=None, transform=None)
        rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")
    text = (tmp_path / "a.vrt").read_text()
    head = text[: text.index(">") + 1]
    flat = head + "<GeoTransform>5, 1, 1, 5, 1, 1</GeoTransform>"
    (tmp_path / "flat.vrt").write_text(text.replace(head, flat, 1))
    numbers = " ".join(["0.1"] * 20)
    lines = {f"{which}_{part}_COEFF": numbers for which in ("LINE", "SAMP") for part in ("NUM", "DEN")}
    for name in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT"):
        lines |= {f"{name}_OFF": "1", f"{name}_SCALE": "1"}
    items = "".join(f'<MDI key="{key}">{value}</MDI>' for key, value in lines.items())
    (tmp_path / "rpc.vrt").write_text(text.replace(head, f'{head}<Metadata domain="RPC">{items}</Metadata>', 1))
    for name, note in (("flat.vrt", "is unusable"), ("rpc.vrt", "rational polynomials")):
        with open_scene(tmp_path / name) as scene:
            assert (scene.grid.transform, scene.grid.crs) == (IMAGE_TRANSFORM, None)
            assert note in scene.notes[0]


def test_local_coordinates_have_no_place_on_earth(tmp_path):
    crs = CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')
    with open_scene(write_scene(tmp_path / "a.tif", DATA, crs=crs)) as scene:
        assert scene.grid.crs is None
        assert "CRS is left out" in scene.notes[0]


@pytest.mark.parametrize(("noise", "is_placed"), [(0.0, True), (0.2, True), (3.0, False)])
def test_ground_control_points(tmp_path, noise, is_placed):
    rng = np.random.default_rng(0)
    points = []
    for row in (0, 20, 40, 67):
        for col in (0, 31, 62, 93):
            x, y = TRANSFORM * (col + rng.normal(0, noise), row + rng.normal(0, noise))
            points.append(GroundControlPoint(row, col, x, y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_scene(tmp_path / "a.tif", DATA, crs=None, transform=None)
        with rasterio.open(path, "r+") as dataset:
            dataset.gcps = (points, UTM)
    with open_scene(path) as scene:
        assert (scene.grid.crs == UTM) == is_placed
        assert "16 ground control points" in scene.notes[0]
        if noise == 0:
            assert scene.grid.transform.almost_equals(TRANSFORM, precision=1e-6)


@pytest.mark.parametrize("driver", ["HFA", "PNG", "JPEG", "JP2OpenJPEG", "VRT", "COG"])
def test_formats(tmp_path, driver):
    source = write_scene(tmp_path / "source.tif", DATA)
    suffix = {"HFA": "img", "PNG": "png", "JPEG": "jpg", "JP2OpenJPEG": "jp2", "VRT": "vrt", "COG": "tif"}[driver]
    options = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    if driver in ("PNG", "JPEG"):
        options["WORLDFILE"] = "YES"
    path = tmp_path / f"遥感 a.{suffix}"
    rasterio.shutil.copy(source, path, driver=driver, **options)
    with open_scene(path) as scene:
        assert scene.driver == ("GTiff" if driver == "COG" else driver)
        assert scene.grid.transform.almost_equals(TRANSFORM, precision=1e-6)
        assert scene.is_lossy == (driver == "JPEG")
        close = 40 if driver == "JPEG" else 0
        np.testing.assert_allclose(read_all(scene).data.astype(int), DATA.astype(int), atol=close)


def test_world_file_alone(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_scene(tmp_path / "a.png", DATA, crs=None, transform=None, driver="PNG")
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.25\n500000.25\n2959999.875\n")
    with open_scene(path) as scene:
        assert scene.grid.transform == TRANSFORM
        assert scene.notes == ["The scene has coordinates but no CRS."]


@pytest.mark.parametrize(
    ("options", "is_lossy"),
    [
        ({"compress": "jpeg", "photometric": "YCBCR"}, True),
        ({"compress": "webp"}, True),
        ({"compress": "webp", "WEBP_LOSSLESS": "YES"}, False),
        ({"compress": "lerc", "MAX_Z_ERROR": 2}, True),
        ({"compress": "lerc"}, False),
        ({"compress": "deflate"}, False),
    ],
)
def test_loss(tmp_path, options, is_lossy):
    path = write_scene(tmp_path / "a.tif", DATA, options=options)
    rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")
    for name in ("a.tif", "a.vrt"):
        with open_scene(tmp_path / name) as scene:
            assert scene.is_lossy == is_lossy


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3)])
def test_extreme_shapes(tmp_path, shape):
    data = ground(*shape, seed=2)
    with open_scene(write_scene(tmp_path / "a.tif", data)) as scene:
        np.testing.assert_array_equal(read_all(scene).data, data)


def test_blocks_that_were_read_stay_in_memory(tmp_path):
    """A window of the next row of tiles needs blocks of the last: decoding them again costs more than anything else."""
    path = write_scene(tmp_path / "a.tif", DATA, options={"compress": "deflate", **TILED})
    with open_scene(path) as scene:
        before = read_all(scene)
        path.write_bytes(bytes(path.stat().st_size))
        np.testing.assert_array_equal(read_all(scene).data, before.data)


def test_inside_another_file(tmp_path):
    path = write_scene(tmp_path / "a.tif", DATA)
    with open_scene(f"/vsisubfile/0,{path}") as scene:
        np.testing.assert_array_equal(read_all(scene).data, DATA)


def test_over_http(tmp_path):
    write_scene(tmp_path / "a.tif", DATA[:, :50, :50], options={"compress": "deflate"})
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    # another process: GDAL opens while Python stands still
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            with open_scene(f"http://127.0.0.1:{port}/a.tif?token=1") as scene:
                assert scene.name == "a"
                np.testing.assert_array_equal(read_all(scene).data, DATA[:, :50, :50])
            with pytest.raises(SceneError, match=r"b\.tif"):
                open_scene(f"http://127.0.0.1:{port}/b.tif")
        finally:
            server.terminate()
