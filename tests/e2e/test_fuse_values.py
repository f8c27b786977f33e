"""What the values of a fused image mean: scale, nodata, band colors, the finest pixels."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

import clearscene as package
from clearscene.errors import ClearsceneError
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.result import read_report, schema_text
from tests.command import clearscene
from tests.e2e.test_fuse import beside, read, run
from tests.fuse_scenes import HEIGHT, TRANSFORM, UTM, WIDTH, dates, write_dates
from tests.scenes import ground, write_scene

NIR = ("red", "green", "blue", "nir")


@pytest.fixture
def scaled(tmp_path):
    """Two dates of digital numbers that say how they become reflectance."""
    paths = write_dates(tmp_path / "scaled", dates(2, dtype="uint16"))
    for path in paths:
        with rasterio.open(path, "r+") as dataset:
            dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.1,) * 3
    return paths


def test_the_result_keeps_what_its_values_mean(tmp_path, scaled):
    out = tmp_path / "out.tif"
    run(scaled, out, "--method", "mean")
    with rasterio.open(out) as dataset:
        assert dataset.scales == (1e-4,) * 3
        assert dataset.offsets == (-0.1,) * 3
    run([out, scaled[0]], tmp_path / "again.tif", "--method", "mean")  # they mean the same
    run(scaled, tmp_path / "real.tif", "--method", "mean", "--reflectance")
    with rasterio.open(tmp_path / "real.tif") as dataset:
        assert dataset.scales == (1.0,) * 3


def test_what_the_user_says_of_the_values_is_kept_too(tmp_path):
    paths = write_dates(tmp_path, dates(2, dtype="uint16"))
    run(paths, tmp_path / "said.tif", "--method", "mean", "--scale", "0.0001")
    run(paths, tmp_path / "unsaid.tif", "--method", "mean")
    with rasterio.open(tmp_path / "said.tif") as said, rasterio.open(tmp_path / "unsaid.tif") as unsaid:
        assert said.scales == (1e-4,) * 3
        assert unsaid.scales == (1.0,) * 3


def test_bands_keep_their_colors(tmp_path):
    image = np.concatenate([dates(1)[0], dates(1)[0][:1]])
    paths = [write_scene(tmp_path / f"{n}.tif", image, crs=UTM, transform=TRANSFORM) for n in "ab"]
    for path in paths:
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = NIR
    run(paths, tmp_path / "out.tif", "--method", "mean")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.descriptions == NIR
        assert dataset.colorinterp[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert dataset.colorinterp[3] not in (ColorInterp.alpha, ColorInterp.red)
        assert dataset.mask_flag_enums[0][0].name == "all_valid"


def test_degrees_are_no_finer_than_meters(tmp_path):
    """A coarse image in degrees beside a fine one in meters: the pixels are those of the fine one."""
    fine = write_scene(tmp_path / "fine.tif", dates(1)[0], crs=UTM, transform=TRANSFORM)
    with rasterio.open(fine) as dataset:
        west, _, _, north = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    place = Affine(0.0006, 0, west - 0.001, 0, -0.0006, north + 0.001)
    coarse = np.full((3, 40, 60), 90, np.uint8)
    coarse = write_scene(tmp_path / "coarse.tif", coarse, crs=CRS.from_epsg(4326), transform=place)
    run([coarse, fine], tmp_path / "out.tif", "--method", "mean", "--extent", "intersection")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.crs == UTM
        assert dataset.res == (10, 10)


def test_a_black_rim_is_warned_of_and_can_be_named(tmp_path):
    images = dates(2)
    images[0][:, :, :30] = 0
    paths = write_dates(tmp_path, images)
    done = run(paths, tmp_path / "as_data.tif", "--method", "mean")
    assert "2024-01-15: black along the border counts as data" in done.stderr
    assert "--nodata 0" in done.stderr
    done = run(paths, tmp_path / "out.tif", "--method", "mean", "--nodata", "0")
    assert "black along the border" not in done.stderr
    assert np.array_equal(read(tmp_path / "out.tif")[:, :, :30], images[1][:, :, :30])
    assert (read(beside(tmp_path / "out.tif", "_count.tif"))[0][:, :30] == 1).all()


def test_named_nodata_holds_where_images_are_warped(tmp_path):
    images = dates(2)
    images[1][:, :, 40:] = 0
    one = write_scene(tmp_path / "one.tif", images[0], crs=UTM, transform=TRANSFORM)
    shifted = TRANSFORM * Affine.translation(0.5, 0.5)
    other = write_scene(tmp_path / "two.tif", images[1], crs=UTM, transform=shifted)
    run([one, other], tmp_path / "out.tif", "--method", "mean", "--nodata", "0", "--like", one)
    fused = read(tmp_path / "out.tif")
    assert np.array_equal(fused[:, :, 45:], images[0][:, :, 45:])


def test_a_pixel_of_one_black_band_has_data_beside_named_nodata(tmp_path):
    image = dates(1)[0]
    image[2, 10:20, 10:20] = 0  # no blue, as of a pure red
    path = write_scene(tmp_path / "one.tif", image, crs=UTM, transform=TRANSFORM)
    run([path], tmp_path / "out.tif", "--nodata", "0", "--method", "mean")
    assert np.array_equal(read(tmp_path / "out.tif"), image)


def test_a_day_that_does_not_exist_is_no_date(tmp_path):
    paths = [
        write_scene(tmp_path / f"{name}.tif", image, crs=UTM, transform=TRANSFORM)
        for name, image in zip(("2024-02-30", "2024-03-01"), dates(2), strict=True)
    ]
    run(paths, tmp_path / "out.tif", "--method", "mean")
    assert [image.date for image in read_report(tmp_path / "out.json").images] == ["2024-03-01", ""]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--scale", "0"), "--scale 0.0 makes no reflectance"),
        (("--scale", "nan"), "--scale nan makes no reflectance"),
        (("--scale", "-0.0001"), "makes no reflectance"),
        (("--offset", "-0.1"), "says nothing without --scale"),
        (("--scale", "0.0001", "--offset", "inf"), "--offset inf is no number"),
        (("--nodata", "inf"), "--nodata inf is no value"),
        (("--use", "red,red"), "--use red,red names a band twice"),
        (("--method", "median", "--temperature", "0.5"), "--temperature is not used by --method median"),
        (("--method", "medoid", "--feather", "8"), "--feather is not used by --method medoid"),
        (("--mask-model", "other"), "--mask-model is the model of --masks auto"),
        (("--method", "median", "--device", "gpu"), "--device 'gpu' is unknown"),
        (("--method", "median", "--resolution", "0.0001"), "The result would have"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, words, told):
    paths = write_dates(tmp_path, dates(2))
    done = clearscene("fuse", *paths, "--out", tmp_path / "out.tif", *words, check=2)
    assert told in done.stderr
    assert not (tmp_path / "out.tif").exists()


def test_an_option_that_fits_no_item_is_no_reason_to_skip_it(tmp_path):
    paths = write_dates(tmp_path, dates(2))
    product = tmp_path / "S2B_MSIL1C_20240115T100000_N0500_R022_T33TWM_20240115T110000.SAFE"
    product.mkdir()
    done = run(
        [*paths, product], tmp_path / "out.tif", "--bands", "red=1,green=2,blue=3", "--on-error", "skip", check=2
    )
    assert "--bands does not fit" in done.stderr or "--bands do not fit" in done.stderr


def test_what_was_skipped_is_known_again(tmp_path, monkeypatch):
    """Paths may be relative, and one of them not readable."""
    paths = write_dates(tmp_path, dates(2))
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no raster")
    monkeypatch.chdir(tmp_path)
    names = [path.name for path in paths]
    words = ("--method", "median", "--on-error", "skip")
    run([*names, "broken.tif"], tmp_path / "out.tif", *words)
    done = run([*names, "broken.tif"], tmp_path / "out.tif", *words)
    assert "was done already" in done.stdout


@pytest.mark.parametrize(
    "make",
    [
        lambda: FuseOptions(bounds=(1, 2, 3)),
        lambda: FuseOptions(temperature="a"),
        lambda: FuseOptions(masks="auto"),
        lambda: FuseOptions(use=("3", "2", "1")),
    ],
)
def test_wrong_options_of_the_python_call_are_errors_of_ours(make):
    with pytest.raises(ClearsceneError):
        make()


def test_no_image_at_all(tmp_path):
    with pytest.raises(ClearsceneError, match="There is no image to fuse"):
        package.fuse([], tmp_path / "out.tif", options=FuseOptions(method="median"))


def test_one_folder_is_all_that_lies_in_it(tmp_path):
    write_dates(tmp_path / "in", dates(3))
    report = package.fuse(tmp_path / "in", tmp_path / "out.tif", options=FuseOptions(method="median", workers=1))
    assert len(report.images) == 3


@pytest.mark.parametrize("scale", ["0.01", "10000", "0.0000001"])
def test_a_scale_that_makes_no_reflectance(tmp_path, scale):
    paths = write_dates(tmp_path, dates(2, dtype="uint16"))
    done = run(paths, tmp_path / "out.tif", "--method", "median", "--scale", scale, check=2)
    assert "does not make reflectance, 0 to 1, of the values of 2024-01-15" in done.stderr


def test_masks_made_of_values_that_say_nothing_are_warned_of(tmp_path, shipped_model):
    paths = write_dates(tmp_path, dates(2, dtype="uint16"))
    done = run(paths, tmp_path / "out.tif", "--method", "median", "--masks", "auto", "--device", "cpu")
    assert "nothing says how values become reflectance; clouds are masked by the values as they are" in done.stderr


def test_images_are_compared_where_both_lie(tmp_path):
    """Two halves of one ground with a strip in common, one of them displaced: the mosaic would be doubled there."""
    wide = ground(200, 700, seed=4).astype(float) + np.random.default_rng(1).normal(0, 2, (3, 200, 700))
    wide = np.clip(wide, 1, 255).astype(np.uint8)
    left = write_scene(tmp_path / "left.tif", wide[:, :, :400], crs=UTM, transform=TRANSFORM)
    place = TRANSFORM * Affine.translation(304, 0)  # 4 px too far to the right
    right = write_scene(tmp_path / "right.tif", wide[:, :, 300:], crs=UTM, transform=place)
    done = run([left, right], tmp_path / "out.tif", "--method", "mean")
    shift = next(image.shift for image in read_report(tmp_path / "out.json").images if not image.is_reference)
    assert abs(abs(shift.col) - 4) < 0.3
    assert "--align moves it" in done.stderr


def test_what_a_fusion_left_in_a_folder_is_no_image(tmp_path):
    folder = tmp_path / "in"
    write_dates(folder, dates(2))
    run([folder], folder / "fused.tif", "--method", "median")
    done = run([folder], folder / "fused.tif", "--method", "median")
    assert "was done already" in done.stdout
    run([folder], folder / "second.tif", "--method", "mean")
    assert len(read_report(folder / "second.json").images) == 2


def test_an_image_that_changed_since_is_told(tmp_path):
    paths = write_dates(tmp_path, dates(2))
    run(paths, tmp_path / "out.tif", "--method", "median")
    assert "changed after" not in run(paths, tmp_path / "out.tif", "--method", "median").stderr
    os.utime(paths[1], (time.time() + 60,) * 2)
    done = run(paths, tmp_path / "out.tif", "--method", "median")
    assert "changed after the result was made: 2024-02-15" in done.stderr
    assert "fused: " not in done.stdout


def test_dates_that_nobody_knows_and_clouds_that_nobody_sees_are_noted(tmp_path):
    paths = [write_scene(tmp_path / f"{n}.tif", dates(1)[0], crs=UTM, transform=TRANSFORM) for n in "ab"]
    done = run(paths, tmp_path / "out.tif", "--method", "median", "--dates")
    assert "the file of dates is empty" in done.stderr
    assert "Clouds count as good" in done.stderr


def test_a_large_result_is_still_one_of_pixels(tmp_path):
    """Sizes that fit are not refused: the same scene at half its pixels' length."""
    paths = write_dates(tmp_path, dates(2))
    run(paths, tmp_path / "out.tif", "--method", "mean", "--resolution", "5")
    assert read(tmp_path / "out.tif").shape == (3, 2 * HEIGHT, 2 * WIDTH)


@pytest.mark.parametrize("words", [(), ("--bands", "swir16=1,swir22=2")])
def test_bands_need_not_be_colors(tmp_path, words):
    """Bands that have names, or are named, are fused, whatever they are."""
    paths = write_dates(tmp_path, dates(2)[:, :2])
    if not words:
        for path in paths:
            with rasterio.open(path, "r+") as dataset:
                dataset.descriptions = ("swir16", "swir22")
    run(paths, tmp_path / "out.tif", "--method", "mean", *words)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.descriptions == ("swir16", "swir22")
        np.testing.assert_allclose(dataset.read(), dates(2)[:, :2].astype(float).mean(axis=0), atol=0.51)


def test_bands_that_nobody_names_are_an_error(tmp_path):
    done = run(write_dates(tmp_path, dates(2)[:, :2]), tmp_path / "out.tif", check=2)
    assert "cannot be told apart" in done.stderr


def test_the_published_schema_is_that_of_the_record(tmp_path):
    path = Path(__file__).parents[2] / "docs" / "reference" / "fusion.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()
    run(write_dates(tmp_path, dates(2)), tmp_path / "out.tif", "--method", "mean")
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert set(json.loads(schema_text())["required"]) == set(record)


def test_every_band_says_what_has_data_where_none_is_a_color(tmp_path):
    """Water is 0 in near infrared and not in the next band: it has data. What is not finite in one has none."""
    images = np.stack([dates(1)[0][:2].astype(np.float32) / 255] * 2)
    images[:, 0, :10] = 0
    images[0, 1, 20:30] = np.nan
    paths = write_dates(tmp_path, images, options={"nodata": 0})
    for path in paths:
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = ("nir", "swir16")
    run(paths, tmp_path / "out.tif", "--method", "mean")
    count = read(beside(tmp_path / "out.tif", "_count.tif"))[0]
    assert (count[:10] == 2).all()
    assert (count[20:30] == 1).all()
    np.testing.assert_allclose(read(tmp_path / "out.tif")[:, 20:30], images[1][:, 20:30], atol=1e-6)


def test_a_share_is_no_image_and_is_not_written_over(tmp_path):
    folder = tmp_path / "in"
    write_dates(folder, dates(3))
    for _ in range(2):
        package.fuse(folder, folder / "f.tif", options=FuseOptions(method="median", quality=True, workers=1))
    assert len(read_report(folder / "f.json").images) == 3
    done = run([folder / "f_share.tif", folder / "2024-01-15.tif"], folder / "f.tif", "--quality", check=2)
    assert "would be written over" in done.stderr


def test_a_strip_in_common_is_too_little_for_a_shift(tmp_path):
    rng = np.random.default_rng(3)
    images = rng.integers(1, 255, (2, 3, 200, 220), np.uint8)
    one = write_scene(tmp_path / "one.tif", images[0], crs=UTM, transform=TRANSFORM)
    other = write_scene(tmp_path / "two.tif", images[1], crs=UTM, transform=TRANSFORM * Affine.translation(200, 0))
    run([one, other], tmp_path / "out.tif", "--method", "mean")
    assert any(image.shift is None for image in read_report(tmp_path / "out.json").images)


def test_a_result_without_colors_has_no_score_and_is_there(tmp_path):
    paths = write_dates(tmp_path, dates(2)[:, :2])
    done = run(paths, tmp_path / "out.tif", "--method", "mean", "--bands", "nir=1,swir16=2", "--inspect")
    report = read_report(tmp_path / "out.json")
    assert report.score is None
    assert any("Not inspected" in note for note in report.notes)
    assert "fused: " in done.stdout


def test_named_nodata_counts_in_the_inspection_too(tmp_path):
    images = dates(2)
    images[0][:, 30:40, 30:60] = 0
    paths = write_dates(tmp_path, images)
    run(paths, tmp_path / "out.tif", "--method", "mean", "--nodata", "0", "--inspect")
    record = json.loads(next((tmp_path / "out_inspection").glob("001-*/report.json")).read_text(encoding="utf-8"))
    assert record["pixels"]["nodata"] == 300


def test_what_the_medoid_has_no_use_for_is_said(tmp_path):
    done = run(write_dates(tmp_path, dates(3)), tmp_path / "out.tif", "--temperature", "0.5", "--feather", "4")
    assert "The medoid makes no use of --temperature and --feather" in done.stderr


def test_nothing_can_be_left_out_without_masks_or_a_model(tmp_path):
    images = dates(2)
    images[:, :, 3, 3] = 0
    run(write_dates(tmp_path, images), tmp_path / "out.tif", "--method", "median", "--all-bad", "nodata")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.nodata is None
        assert (dataset.read()[:, 3, 3] == 0).all()


def test_a_rim_beside_a_declared_value_is_no_reason_to_warn(tmp_path):
    images = dates(2)
    images[0][:, :, :30] = 0
    paths = write_dates(tmp_path, images, options={"nodata": 255})
    assert "black along the border" not in run(paths, tmp_path / "out.tif", "--method", "mean").stderr
