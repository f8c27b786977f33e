"""Files that are missing, broken or no scenes: what is said, and what can still be read."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.raster import open_scene
from tests.scenes import ground, write_scene

DATA = ground(150, 211, seed=4)
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def damage(path, col, row, *, keep=0.0, fill=b"\x5a\x17\xff\x00"):
    """Overwrite a tile, but for the first `keep` of it."""
    with rasterio.open(path) as dataset:
        offset, size = (int(dataset.get_tag_item(f"BLOCK_{w}_{col}_{row}", "TIFF", bidx=1)) for w in ("OFFSET", "SIZE"))
    start = int(size * keep)
    with path.open("r+b") as file:
        file.seek(offset + start)
        file.write((fill * size)[: size - start])


def test_a_damaged_tile_is_named_and_the_rest_is_read(tmp_path):
    path = write_scene(tmp_path / "a.tif", DATA, options={"compress": "deflate", **TILED})
    damage(path, 1, 1)
    with open_scene(path) as scene:
        with pytest.raises(
            SceneError, match=r"a\.tif cannot be read in rows 10 to 139, columns 20 to 200: \w+"
        ) as caught:
            scene.read(Window(20, 10, 181, 130))
        assert "copy or download" in caught.value.hint
        pixels, failed = scene.read_safely(Window(20, 10, 181, 130))
        whole, _ = scene.read_safely(scene.grid.window)
        small, failed_small = scene.read_safely(scene.grid.window, out_shape=(75, 106))
        clean, nothing = scene.read_safely(Window(128, 0, 83, 150))
    assert [window for window, _ in failed] == [Window(64, 64, 64, 64)]
    assert "rows" not in failed[0][1]
    valid = np.ones((150, 211), bool)
    valid[64:128, 64:128] = False
    np.testing.assert_array_equal(pixels.valid, valid[10:140, 20:201])
    np.testing.assert_array_equal(whole.valid, valid)
    np.testing.assert_array_equal(whole.data, np.where(valid, DATA, 0))
    assert nothing == []
    np.testing.assert_array_equal(clean.data, DATA[:, :, 128:])
    assert [window for window, _ in failed_small] == [Window(64, 64, 64, 64)]
    assert not small.valid[32:64, 32:64].any()
    assert small.valid.sum() == 75 * 106 - 32 * 32


@pytest.mark.parametrize("fill", [b"\x5a\x17\xff\x00", b"\x00", b"\xff\xd9"])
def test_a_damaged_jpeg_tile_is_no_clean_tile_however_often_it_is_read(tmp_path, fill):
    path = write_scene(tmp_path / "a.tif", DATA, options={"compress": "jpeg", "photometric": "YCBCR", **TILED})
    damage(path, 1, 1, keep=0.4, fill=fill)
    with open_scene(path) as scene:
        for _ in range(3):
            _, failed = scene.read_safely(Window(50, 50, 100, 90))
            assert [window for window, _ in failed] == [Window(64, 64, 64, 64)]
        assert "JPEG" in failed[0][1]


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path):
    path = write_scene(tmp_path / "a.tif", DATA, options={"compress": "lzw", **TILED})
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 6 // 10)
    with open_scene(path) as scene:
        pixels, failed = scene.read_safely(scene.grid.window)
    assert failed
    assert 0.3 < pixels.valid.mean() < 0.8
    np.testing.assert_array_equal(pixels.data, np.where(pixels.valid, DATA, 0))


def test_formats_that_decode_from_the_top_fail_by_window(tmp_path):
    path = write_scene(tmp_path / "a.png", DATA, driver="PNG")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with open_scene(path) as scene:
        _, failed = scene.read_safely(Window(3, 120, 50, 20))
    assert [window for window, _ in failed] == [Window(3, 120, 50, 20)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.tif", None, "There is no file"),
        ("empty.tif", b"", r"is empty \(0 bytes\)"),
        ("text.tif", b"hello, this is no raster at all", "is not a raster that GDAL can read"),
        ("points.geojson", b'{"type": "FeatureCollection", "features": []}', "is not a raster that GDAL can read"),
    ],
)
def test_no_raster(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for given in (path, str(path)):
        with pytest.raises(SceneError, match=message) as caught:
            open_scene(given)
        assert name in caught.value.message
        assert caught.value.hint


def test_a_folder_and_a_headless_file(tmp_path):
    with pytest.raises(SceneError, match="is not a raster"):
        open_scene(tmp_path)
    path = write_scene(tmp_path / "a.tif", DATA)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SceneError, match=r"a\.tif"):
        open_scene(path)


def test_complex_numbers(tmp_path):
    path = write_scene(tmp_path / "a.tif", DATA[:1].astype(np.complex64))
    with pytest.raises(SceneError, match="complex"):
        open_scene(path)


def test_a_container_names_what_is_inside(tmp_path):
    for name in ("one", "two"):
        profile = {"driver": "GPKG", "height": 150, "width": 211, "count": 3, "dtype": "uint8", "RASTER_TABLE": name}
        profile |= {"APPEND_SUBDATASET": "YES"} if name == "two" else {}
        with rasterio.open(
            tmp_path / "a.gpkg", "w", crs="EPSG:32648", transform=rasterio.Affine(1, 0, 5, 0, -1, 0), **profile
        ) as dataset:
            dataset.write(DATA)
    with pytest.raises(SceneError, match="holds 2 rasters") as caught:
        open_scene(tmp_path / "a.gpkg")
    assert "one" in caught.value.hint
    assert "two" in caught.value.hint
