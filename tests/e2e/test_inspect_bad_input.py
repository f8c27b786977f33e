"""Scenes that are broken, empty or odd: a clear error or an honest result, never a crash, never 'clean' by mistake."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from clearscene.inspection.result import Report
from tests.command import clearscene
from tests.scenes import TRANSFORM, UTM, ground, write_scene


def inspect(scene, out, *words, check=0):
    done = clearscene("inspect", scene, "--out", out, *words, check=check)
    report = out / scene.stem / "report.json"
    assert "Traceback" not in done.stderr
    return done, Report.model_validate_json(report.read_text(encoding="utf-8")) if report.exists() else None


def class_map_of(out, scene):
    with rasterio.open(out / scene.stem / "classmap.tif") as dataset:
        return dataset.read(1)


def corrupt_block(path, index):
    """Overwrite the compressed bytes of one block."""
    with rasterio.open(path) as dataset:
        offset, size = (
            int(dataset.get_tag_item(f"BLOCK_{what}_{index[1]}_{index[0]}", "TIFF", bidx=1))
            for what in ("OFFSET", "SIZE")
        )
    raw = bytearray(path.read_bytes())
    raw[offset : offset + size] = b"\xff" * size
    path.write_bytes(raw)


def test_truncated_file(tmp_path):
    scene = write_scene(tmp_path / "cut.tif", ground(300, 310), options={"compress": "deflate"})
    scene.write_bytes(scene.read_bytes()[:4000])
    done, report = inspect(scene, tmp_path / "out", check=2)
    assert report is None
    assert "cut.tif" in done.stderr.replace("\n", "")


def test_zero_size_file(tmp_path):
    scene = tmp_path / "empty.tif"
    scene.write_bytes(b"")
    done, report = inspect(scene, tmp_path / "out", check=2)
    assert report is None
    assert "hint:" in done.stderr


@pytest.mark.parametrize("color", [0, 255])
def test_a_scene_that_is_all_declared_nodata_is_not_clean(tmp_path, color):
    data = np.full((3, 80, 90), color, np.uint8)
    scene = write_scene(tmp_path / "void.tif", data, options={"nodata": color})
    _, report = inspect(scene, tmp_path / "out")
    assert (report.pixels.valid, report.pixels.inspected) == (0, 0)
    assert report.score.grade == "not inspected"
    assert not report.score.passed
    assert (class_map_of(tmp_path / "out", scene) == 255).all()


def test_one_band_is_gray_and_missing_pixels_are_found(tmp_path):
    data = ground(140, 150, n_bands=1)
    data[0, 30:50, 40:70] = 0
    scene = write_scene(tmp_path / "pan.tif", data)
    inspect(scene, tmp_path / "out")
    assert (class_map_of(tmp_path / "out", scene) == 10).sum() == pytest.approx(600, abs=3)


def test_one_pixel(tmp_path):
    scene = write_scene(tmp_path / "dot.tif", np.array([[[70]], [[80]], [[90]]], np.uint8))
    _, report = inspect(scene, tmp_path / "out")
    assert report.pixels.total == 1
    assert report.findings == []


def test_a_scene_of_three_rows(tmp_path):
    data = np.tile(ground(3, 1000), (1, 1, 100))
    data[:, 1, 40_000:40_040] = 0
    scene = write_scene(tmp_path / "thin.tif", data, options={"compress": "deflate"})
    _, report = inspect(scene, tmp_path / "out")
    assert sum(f.area_px for f in report.findings if f.type == "missing") == 40


def test_nan_is_nodata_and_not_a_class(tmp_path):
    data = ground(120, 130).astype(np.float32) / 255
    data[:, 20:40, 30:70] = np.nan
    scene = write_scene(tmp_path / "nan.tif", data)
    _, report = inspect(scene, tmp_path / "out")
    assert report.pixels.nodata == report.pixels.hole == 800
    assert (class_map_of(tmp_path / "out", scene)[20:40, 30:70] == 255).all()
    filled = write_scene(tmp_path / "allnan.tif", np.full((3, 50, 60), np.nan, np.float32))
    _, report = inspect(filled, tmp_path / "out")
    assert report.pixels.inspected == 0


def test_a_huge_white_collar_is_not_a_defect(tmp_path):
    data = np.full((3, 700, 900), 255, np.uint8)
    data[:, 250:450, 300:600] = ground(200, 300)
    scene = write_scene(tmp_path / "collar.tif", data)
    _, report = inspect(scene, tmp_path / "out")
    assert report.pixels.collar == 700 * 900 - 200 * 300
    assert report.pixels.inspected == 200 * 300
    assert report.findings == []


def test_nodata_between_collar_and_border_is_counted_once(tmp_path):
    data = ground(1300, 1500)
    data[:, :100] = 7
    data[:, 100:200] = 0
    scene = write_scene(tmp_path / "ring.tif", data, options={"nodata": 7})
    _, report = inspect(scene, tmp_path / "out")
    pixels = report.pixels
    assert (pixels.nodata, pixels.collar) == (100 * 1500, 100 * 1500)
    assert pixels.inspected == pixels.valid == 1100 * 1500


def test_damage_is_counted_once_in_a_striped_file(tmp_path):
    options = {"compress": "deflate", "blockysize": 4}
    scene = write_scene(tmp_path / "strips.tif", np.tile(ground(300, 700), (1, 1, 4)), options=options)
    corrupt_block(scene, (20, 0))
    _, report = inspect(scene, tmp_path / "out")
    lost = sum(w.height * w.width for w in report.not_inspected)
    assert lost == report.pixels.unreadable == 4 * 2800


def test_a_scene_that_is_partly_unreadable_does_not_pass_in_a_script(tmp_path):
    scene = write_scene(tmp_path / "torn.tif", ground(300, 700), options={"compress": "deflate", "blockysize": 4})
    corrupt_block(scene, (20, 0))
    words = ("--out", tmp_path / "out", "--types", "missing")
    done = clearscene("inspect", scene, *words, "--fail-under", 10, check=1)
    assert "fail, unreadable" in done.stdout
    assert "too much is unreadable: torn" in done.stderr
    clearscene("inspect", scene, *words, check=0)


def test_palette_is_shown_in_its_colors(tmp_path):
    colors = {i: (i, 255 - i, (i * 7) % 256, 255) for i in range(256)}
    path = tmp_path / "palette.tif"
    data = ground(120, 130, n_bands=1)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=120, width=130, dtype="uint8", crs=UTM, transform=TRANSFORM
    ) as dataset:
        dataset.write(data)
        dataset.write_colormap(1, colors)
    _, report = inspect(path, tmp_path / "out")
    assert report.pixels.inspected == 120 * 130


@pytest.mark.parametrize("mode", ["alpha", "mask"])
def test_transparent_pixels_are_nodata(tmp_path, mode):
    data = ground(120, 130)
    alpha = np.full((1, 120, 130), 255, np.uint8)
    alpha[0, :, :30] = 0
    path = tmp_path / "clear.tif"
    if mode == "alpha":
        write_scene(path, np.concatenate([data, alpha]), options={"photometric": "RGB", "alpha": "yes"})
    else:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            write_scene(path, data)
            with rasterio.open(path, "r+") as dataset:
                dataset.write_mask(alpha[0])
    _, report = inspect(path, tmp_path / "out")
    assert report.pixels.nodata == 120 * 30
    assert report.pixels.hole == 0
    assert report.findings == []


def test_a_corrupt_tile_is_reported_and_never_clean(tmp_path):
    options = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    scene = write_scene(tmp_path / "torn.tif", ground(500, 600), options=options)
    corrupt_block(scene, (1, 2))
    done, report = inspect(scene, tmp_path / "out")
    windows = {(w.row, w.col, w.height, w.width) for w in report.not_inspected}
    assert windows == {(128, 256, 128, 128)}
    assert report.pixels.inspected == report.pixels.valid == 500 * 600 - 128 * 128
    assert (report.pixels.unreadable, report.pixels.nodata, report.pixels.hole) == (128 * 128, 0, 0)
    assert (class_map_of(tmp_path / "out", scene)[128:256, 256:384] == 255).all()
    assert "could not be read" in done.stderr
    assert not report.score.passed  # 5.5 % of the scene: nobody can call that good
    assert "could not be read" in report.score.reasons[0].en


def test_a_crs_that_does_not_fit_its_transform(tmp_path):
    far = Affine(1000, 0, 5e9, 0, -1000, 5e9)
    scene = write_scene(tmp_path / "far.tif", ground(60, 70), transform=far)
    done, report = inspect(scene, tmp_path / "out", check=None)
    assert done.returncode in (0, 2)
    if report is not None:
        assert any("CRS" in note.en or "area" in note.en for note in report.scene.notes)


@pytest.mark.parametrize(
    ("name", "driver", "options"),
    [("erdas.img", "HFA", {}), ("world.png", "PNG", {"worldfile": "yes"}), ("plain.jpg", "JPEG", {"quality": 95})],
)
def test_other_formats(tmp_path, name, driver, options):
    scene = write_scene(
        tmp_path / name, ground(140, 150), driver=driver, options=options, crs=UTM if driver == "HFA" else None
    )
    _, report = inspect(scene, tmp_path / "out")
    assert report.scene.driver == driver
    with rasterio.open(tmp_path / "out" / scene.stem / "classmap.tif") as dataset:
        if driver != "JPEG":
            assert dataset.transform == TRANSFORM


@pytest.mark.parametrize("epsg", [4490, 4547, 3857])
def test_areas_in_other_crs(tmp_path, epsg):
    transform = {
        4490: Affine(1e-5, 0, 106.5, 0, -1e-5, 26.5),
        4547: Affine(1, 0, 500_000, 0, -1, 2_930_000),
        3857: Affine(1, 0, 11_855_000, 0, -1, 3_060_000),
    }[epsg]
    data = ground(200, 260)
    data[:, 60:100, 80:130] = 0
    scene = write_scene(tmp_path / "s.tif", data, crs=CRS.from_epsg(epsg), transform=transform)
    _, report = inspect(scene, tmp_path / "out")
    block = max(report.findings, key=lambda f: f.area_px)
    assert block.area_px == 2000
    expected = {4490: 2000 * 1.1076 * 0.9966, 4547: 2000, 3857: 2000 * 0.8019}[epsg]
    assert block.area_m2 == pytest.approx(expected, rel=0.01)


def test_rotated_grid_keeps_its_transform(tmp_path):
    turned = Affine.translation(500_000, 2_960_000) * Affine.rotation(25) * Affine.scale(0.5, -0.5)
    data = ground(150, 170)
    data[:, 60:80, 30:60] = 0
    scene = write_scene(tmp_path / "turned.tif", data, transform=turned)
    _, report = inspect(scene, tmp_path / "out")
    with rasterio.open(tmp_path / "out" / "turned" / "classmap.tif") as dataset:
        assert dataset.transform.almost_equals(turned, 1e-9)
    assert report.findings[0].area_m2 == pytest.approx(600 * 0.25, rel=5e-3)


def test_16_bit_scene_is_stretched_once_and_says_how(tmp_path):
    data = ground(150, 170).astype(np.uint16) * 40 + 7
    data[:, 60:80, 30:60] = 0
    scene = write_scene(tmp_path / "deep.tif", data)
    _, report = inspect(scene, tmp_path / "out")
    assert report.scene.stretch
    assert sum(f.area_px for f in report.findings if f.type == "missing") == 600
