"""COGs written by windows, reopened and compared; and what is left when that fails."""

import resource
import warnings
from contextlib import contextmanager
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning

from clearscene.atomic import replacing
from clearscene.errors import GridError, OutputError, SceneError
from clearscene.grid import IMAGE_TRANSFORM, Grid
from clearscene.raster.cog import CogWriter
from tests.scenes import TRANSFORM, UTM, ground

GRID = Grid(1203, 1517, TRANSFORM, UTM)


def classes(seed=0):
    rng = np.random.default_rng(seed)
    data = np.zeros((GRID.height, GRID.width), np.uint8)
    for _ in range(40):
        row, col = int(rng.integers(0, 1200)), int(rng.integers(0, 1500))
        data[row : row + 90, col : col + 130] = rng.integers(1, 11)
    data[:200, :300] = 255
    return data


def write_bands(writer, data, rows):
    for row in range(0, data.shape[-2], rows):
        writer.write(data[..., row : row + rows, :].reshape(-1, *data[..., row : row + rows, :].shape[-2:]), row, 0)


def test_class_map(tmp_path):
    path, data = tmp_path / "类别 图.tif", classes()
    colors = {0: (0, 0, 0, 0), 1: (79, 157, 222, 255), 10: (208, 0, 0, 255), 255: (1, 2, 3, 0)}
    with CogWriter(
        path,
        GRID,
        dtype="uint8",
        nodata=255,
        colors=colors,
        categories={0: "background", 1: "云 & cloud", 255: "no data"},
        resampling=Resampling.mode,
        descriptions=["class"],
    ) as writer:
        write_bands(writer, data, 97)
        assert not path.exists()
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), data)
        assert dataset.transform == TRANSFORM
        assert dataset.crs == UTM
        assert dataset.nodata == 255
        assert dataset.descriptions == ("class",)
        assert dataset.colorinterp == (ColorInterp.palette,)
        assert dataset.colormap(1)[1] == (79, 157, 222, 255)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes == [(512, 512)]
        assert dataset.overviews(1)[:2] == [2, 4]
        assert dataset.tags(1)["CLASS_1"] == "云 & cloud"
        small = dataset.read(1, out_shape=(602, 759))
    assert set(np.unique(small)) <= set(np.unique(data))  # classes are never averaged
    (tmp_path / "copy").mkdir()
    rasterio.shutil.copy(path, tmp_path / "copy/a.png", driver="PNG")  # GDAL reads the sidecar, and writes its own
    names = [c.text or "" for c in ElementTree.parse(tmp_path / "copy/a.png.aux.xml").find(".//CategoryNames")]
    assert len(names) == 256
    assert (names[0], names[1], names[2], names[255]) == ("background", "云 & cloud", "", "no data")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "类别 图.tif", "类别 图.tif.aux.xml"]


@pytest.mark.parametrize(("dtype", "nodata"), [("float32", np.nan), ("uint16", 0), ("uint8", None)])
def test_bands_one_after_the_other_and_pixels_never_written(tmp_path, dtype, nodata):
    data = ground(700, 801, seed=1, n_bands=4).astype(dtype) / (3 if dtype == "float32" else 1)
    grid = Grid(700, 801, TRANSFORM, CRS.from_epsg(4490))
    with CogWriter(
        tmp_path / "a.tif", grid, dtype=dtype, n_bands=4, nodata=nodata, descriptions=["a", "b", "c", "d"]
    ) as writer:
        for band in (1, 2, 4):
            for row in range(0, 700, 300):
                writer.write(data[band - 1 : band, row : row + 300, 5:], row, 5, bands=[band])
    with rasterio.open(tmp_path / "a.tif") as dataset:
        read = dataset.read()
        assert dataset.descriptions == ("a", "b", "c", "d")
        assert ColorInterp.alpha not in dataset.colorinterp
    np.testing.assert_array_equal(read[[0, 1, 3], :, 5:], data[[0, 1, 3], :, 5:])
    empty = nodata or 0
    assert np.array_equal(read[2], np.full((700, 801), empty), equal_nan=True)
    assert np.array_equal(read[:, :, :5], np.full((4, 700, 5), empty), equal_nan=True)


def test_a_scene_without_georeference_warns_nobody(tmp_path):
    with CogWriter(tmp_path / "a.tif", Grid(5, 7), dtype="uint8") as writer:
        writer.write(np.arange(35, dtype=np.uint8).reshape(1, 5, 7), 0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "a.tif") as dataset:
            assert dataset.read(1).ravel().tolist() == list(range(35))
            assert dataset.crs is None
    assert Grid(5, 7).transform == IMAGE_TRANSFORM


def test_writing_outside_or_too_early(tmp_path):
    writer = CogWriter(tmp_path / "a.tif", Grid(5, 7), dtype="uint8")
    with pytest.raises(OutputError, match="not open"):
        writer.write(np.zeros((1, 1, 1), np.uint8), 0, 0)
    with pytest.raises(GridError, match="reach out"), writer:
        writer.write(np.zeros((1, 5, 7), np.uint8), 0, 1)
    assert list(tmp_path.iterdir()) == []


def fail_after_writing(writer, error):
    writer.write(classes()[None], 0, 0)
    raise error


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SceneError("y")])
def test_after_an_exception_the_old_file_stays_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.tif"
    path.write_text("old")
    writer = CogWriter(path, GRID, dtype="uint8", categories={0: "zero"})
    with pytest.raises(type(error)), writer:
        fail_after_writing(writer, error)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_text() == "old"


@contextmanager
def largest_file(n_bytes):
    """A full disk, as far as one process can have it to itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("n_bytes", [0, 20_000, 900_000, 1_790_000, 1_840_000, 2_300_000])
def test_a_full_disk_is_an_error_at_every_point(tmp_path, n_bytes):
    """The draft takes 1.83 MB, the COG 2.4 MB; GDAL reports only some of these failures."""
    noise = np.random.default_rng(0).integers(0, 255, (1, GRID.height, GRID.width)).astype(np.uint8)
    path = tmp_path / "a.tif"
    writer = CogWriter(path, GRID, dtype="uint8")
    expected = pytest.raises(OutputError, match=r"a\.tif cannot be written: .*size limit")
    with expected as caught, largest_file(n_bytes), writer:
        write_bands(writer, noise, 300)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with (
        pytest.raises(OutputError, match="no space left"),
        CogWriter(tmp_path / "a.tif", GRID, dtype="uint8") as writer,
    ):
        writer.write(classes()[None], 0, 0)


def test_folders_that_take_no_file(tmp_path):
    writer = CogWriter(tmp_path / "no/a.tif", GRID, dtype="uint8")
    with pytest.raises(OutputError, match="its folder does not exist") as caught, writer:
        pass
    assert "Make the folder" in caught.value.hint
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(OutputError, match="folder of that name is in the way"), replacing(tmp_path / "a.tif") as part:
        part.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_replacing(tmp_path):
    path = tmp_path / "a.gpkg"
    path.write_text("old")
    with replacing(path) as part:
        assert part.suffix == ".gpkg"
        assert part.parent == tmp_path
        part.write_text("new")
        part.with_name(part.name + "-journal").write_text("x")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(OutputError, match="permission is denied"), replacing(path):
        raise PermissionError(13, "Permission denied", str(path))
    with pytest.raises(TypeError), replacing(path) as part:
        part.write_bytes(part.write_text("half"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]
    assert path.read_text() == "new"
