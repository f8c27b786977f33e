"""What `clearscene fuse` says of images that do not fit, cannot be read, or are not there."""

import numpy as np
import pytest
import rasterio

from clearscene.fusion.result import read_report
from clearscene.raster.gdal import no_place_needed
from tests.command import clearscene
from tests.fuse_scenes import TRANSFORM, UTM, clouds, dates, quality_folder, write_dates, write_masks
from tests.scenes import write_scene


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_dates(tmp_path_factory.mktemp("dates"), dates(3))


def failed(paths, out, *words):
    done = clearscene("fuse", *paths, "--out", out, "--workers", "1", *words, check=2)
    assert not out.exists()
    assert "error: " in done.stderr
    return done.stderr


def test_an_unreadable_image_stops_or_is_left_out(tmp_path, paths):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(paths[0].read_bytes()[:700])
    out = tmp_path / "out" / "f.tif"
    said = failed([*paths, broken], out)
    assert str(broken) in said
    assert "--on-error skip" in said
    words = ("--workers", "1", "--method", "median")
    done = clearscene("fuse", *paths, broken, "--out", out, "--on-error", "skip", *words, check=0)
    assert f"left out: {broken}" in done.stderr
    report = read_report(out.with_suffix(".json"))
    assert [item.path for item in report.skipped] == [str(broken)]
    clearscene("fuse", *paths, "--out", tmp_path / "plain.tif", *words, check=0)
    with rasterio.open(out) as one, rasterio.open(tmp_path / "plain.tif") as other:
        assert np.array_equal(one.read(), other.read())


def test_what_was_left_out_is_named_by_path(tmp_path, paths):
    """Several threads look at the images: which of two damaged ones is met first is chance."""
    broken = [tmp_path / name for name in ("b.tif", "a.tif")]
    for path in broken:
        path.write_bytes(paths[0].read_bytes()[:700])
    words = ("--on-error", "skip", "--workers", "2", "--method", "median")
    clearscene("fuse", *broken, *paths, "--out", tmp_path / "f.tif", *words, check=0)
    report = read_report(tmp_path / "f.json")
    assert [item.path for item in report.skipped] == [str(path) for path in broken[::-1]]


def test_a_result_of_other_images_is_not_handed_out(tmp_path, paths):
    out, words = tmp_path / "f.tif", ("--workers", "1", "--method", "median")
    clearscene("fuse", *paths, "--out", out, *words, check=0)
    again = clearscene("fuse", *paths[::-1], "--out", out, *words, check=0)
    assert "was there and was left" in again.stderr
    other = clearscene("fuse", *paths, "--out", out, "--workers", "1", "--method", "mean", check=0)
    assert "fused with other options" in other.stderr
    refused = clearscene("fuse", *paths[:2], "--out", out, *words, check=2)
    assert "fused from 3 other images" in refused.stderr
    assert "--overwrite" in refused.stderr


def test_an_image_without_data_on_the_grid_is_named(tmp_path, paths):
    empty = tmp_path / "2020-01-01.tif"
    with rasterio.open(paths[0]) as dataset:
        profile = {**dataset.profile, "nodata": 7}
        with rasterio.open(empty, "w", **profile) as target:
            target.descriptions = dataset.descriptions
            target.write(np.full((dataset.count, dataset.height, dataset.width), 7, dataset.dtypes[0]))
    out = tmp_path / "f.tif"
    done = clearscene("fuse", *paths, empty, "--out", out, "--workers", "1", "--method", "median", check=0)
    assert "2020-01-01: no data on the grid of the result" in done.stderr
    assert read_report(out.with_suffix(".json")).warnings


def test_an_image_that_breaks_off_in_the_middle_is_left_out(tmp_path, paths):
    cut = tmp_path / "2024-09-01.tif"
    big = np.tile(dates(1)[0], (1, 5, 5)).astype(np.uint8)
    write_scene(cut, big, crs=UTM, transform=TRANSFORM)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    out = tmp_path / "out" / "f.tif"
    done = clearscene("fuse", *paths, cut, "--out", out, "--on-error", "skip", "--workers", "1", check=0)
    assert "left out" in done.stderr
    assert len(read_report(out.with_suffix(".json")).images) == 3


def test_what_is_read_is_never_written_over(tmp_path, paths):
    names = [tmp_path / name for name in ("2024-01-01.tif", "2024-01-01_count.tif", "mask.tif")]
    for name, path in zip(names, paths, strict=True):
        name.write_bytes(path.read_bytes())
    before = [name.read_bytes() for name in names]
    ways = (
        (names, names[0], ()),
        (names[1:], names[0], ()),
        (paths, names[2], ("--like", names[2])),
    )
    for scenes, out, words in ways:
        for more in ((), ("--overwrite",)):
            done = clearscene("fuse", *scenes, "--out", out, "--workers", "1", *words, *more, check=2)
            assert "is read, and would be written over" in done.stderr or not more
        assert "hint: Give --out another name" in done.stderr
    assert [name.read_bytes() for name in names] == before
    assert sorted(tmp_path.iterdir()) == sorted(names)


def test_a_file_that_is_no_fusion_is_left_alone(tmp_path, paths):
    other = tmp_path / "mine.tif"
    other.write_bytes(b"years of work")
    done = clearscene("fuse", *paths, "--out", other, "--workers", "1", check=2)
    assert "no finished fusion" in done.stderr
    assert other.read_bytes() == b"years of work"
    clearscene("fuse", *paths, "--out", other, "--workers", "1", "--method", "mean", "--overwrite", check=0)
    assert read_report(tmp_path / "mine.json").method == "mean"


def test_the_name_that_was_asked_for_is_the_one_that_is_written(tmp_path, paths):
    out = tmp_path / "f.TIFF"
    done = clearscene("fuse", *paths, "--out", out, "--workers", "1", "--method", "mean", check=0)
    assert f"fused: {out}" in done.stdout
    assert out.is_file()
    assert read_report(tmp_path / "f.json").files["image"] == "f.TIFF"
    assert not (tmp_path / "f.tif").exists()


def test_images_that_do_not_fit_are_named_with_a_remedy(tmp_path, paths):
    out = tmp_path / "out.tif"
    deep = write_scene(tmp_path / "deep.tif", dates(1, dtype="uint16")[0], crs=UTM, transform=TRANSFORM)
    assert "deep.tif is uint16" in failed([*paths, deep], out)
    far = write_scene(
        tmp_path / "far.tif", dates(1)[0], crs=UTM, transform=TRANSFORM * rasterio.Affine.translation(9000, 0)
    )
    assert "far.tif does not overlap" in failed([*paths, far], out)
    gray = write_scene(tmp_path / "gray.tif", dates(1)[0][:1], crs=UTM, transform=TRANSFORM)
    assert "no band in common" in failed([*paths, gray], out)
    with no_place_needed():
        bare = write_scene(tmp_path / "bare.tif", dates(1)[0], crs=None, transform=None)
    assert "bare.tif has no CRS" in failed([*paths, bare], out)


def test_the_odd_one_may_be_left_out_where_most_agree(tmp_path, paths):
    deep = write_scene(tmp_path / "deep.tif", dates(1, dtype="uint16")[0], crs=UTM, transform=TRANSFORM)
    gray = write_scene(tmp_path / "gray.tif", dates(1)[0][:1], crs=UTM, transform=TRANSFORM)
    words = ("--on-error", "skip", "--workers", "1", "--method", "median")
    for odd in (deep, gray):
        assert "--on-error skip" in failed([odd, *paths], tmp_path / "out.tif")
        out = tmp_path / odd.stem / "f.tif"
        done = clearscene("fuse", odd, *paths, "--out", out, *words, check=0)
        assert f"left out: {odd}" in done.stderr
        assert [item.path for item in read_report(out.with_suffix(".json")).skipped] == [str(odd)]
        assert len(read_report(out.with_suffix(".json")).images) == len(paths)
    lacking = failed([*paths, gray], tmp_path / "out.tif", "--use", "red,green")
    assert "gray.tif lacks red, green" in lacking
    assert "--on-error skip" in lacking


def test_of_two_that_differ_none_is_the_odd_one(tmp_path, paths):
    deep = write_scene(tmp_path / "deep.tif", dates(1, dtype="uint16")[0], crs=UTM, transform=TRANSFORM)
    for words in ((), ("--on-error", "skip")):
        said = failed([deep, paths[0]], tmp_path / "out.tif", *words)
        assert "their values are not of one scale" in said
        assert "Or leave it out" not in said


def test_one_image_of_another_scale_is_left_out(tmp_path):
    paths = write_dates(tmp_path, dates(4, dtype="uint16"))
    for number, path in enumerate(paths):
        with rasterio.open(path, "r+") as dataset:
            dataset.scales = (0.00005 if number == 0 else 0.0001,) * dataset.count
    said = failed(paths, tmp_path / "out.tif")
    assert f"5e-05 + 0 in {paths[0]}" in said
    out = tmp_path / "out.tif"
    clearscene("fuse", *paths, "--out", out, "--on-error", "skip", "--method", "median", check=0)
    assert [item.path for item in read_report(out.with_suffix(".json")).skipped] == [str(paths[0])]


def test_masks_that_do_not_fit_are_named(tmp_path, paths):
    masks = write_masks(tmp_path / "masks", clouds(2))
    said = failed(paths, tmp_path / "out.tif", "--masks", masks)
    assert "2024-03-15.tif: no mask fits it (2 masks are given)" in said
    assert "no such file" in failed(paths, tmp_path / "out.tif", "--masks", tmp_path / "nowhere.tif")


def test_options_and_models_that_do_not_fit(tmp_path, paths):
    out = tmp_path / "out.tif"
    model = quality_folder(tmp_path / "dark")
    assert "not used by --method mean" in failed(paths, out, "--method", "mean", "--model", model)
    nir = quality_folder(tmp_path / "nir", bands=("red", "nir"))
    assert "not every image has nir" in failed(paths, out, "--model", nir, "--device", "cpu")
    other = quality_folder(tmp_path / "other", task="sky")
    assert "is a model for sky" in failed(paths, out, "--model", other, "--device", "cpu")
    assert "--reference 'x' is not one of the images" in failed(paths, out, "--reference", "x")
    assert "--bounds" in failed(paths, out, "--bounds", "1,2,3")
    assert "does not end in .tif" in failed(paths, tmp_path / "out.png")
    assert "There is no file" in failed([*paths, tmp_path / "gone.tif"], out)
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


def test_the_help_names_every_method():
    done = clearscene("fuse", "--help", check=0)
    assert "geomedian" in done.stdout
    assert "--on-error" in done.stdout
