"""`clearscene fuse` from the typed command to the reopened files."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds

import clearscene as package
from clearscene.errors import OptionError
from clearscene.fusion.methods.choose import METHOD_NAMES
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.result import read_report
from tests.command import clearscene
from tests.fuse_scenes import (
    HEIGHT,
    TRANSFORM,
    UTM,
    WIDTH,
    clouded,
    clouds,
    dates,
    quality_folder,
    write_dates,
    write_masks,
)
from tests.scenes import write_scene


def run(paths, out, *words, check=0):
    return clearscene("fuse", *paths, "--out", out, "--workers", "1", *words, check=check)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def beside(out, end):
    return out.with_name(f"{out.stem}{end}")


@pytest.fixture(scope="module")
def stack():
    return dates(4)


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory, stack):
    """Four cloudy dates with their masks."""
    folder = tmp_path_factory.mktemp("dates")
    mask = clouds(4)
    return write_dates(folder, clouded(stack, mask)), mask, write_masks(folder / "masks", mask)


@pytest.fixture(scope="module")
def everything(tmp_path_factory, cloudy):
    """One run with all that can be written, for the tests that only look."""
    paths, _, masks = cloudy
    out = tmp_path_factory.mktemp("out") / "fused.tif"
    return out, run(paths, out, "--method", "mean", "--masks", masks, "--quality", "--dates")


def test_the_masked_mean_is_that_of_the_clear_dates(everything, cloudy, stack):
    out, _ = everything
    paths, mask, _ = cloudy
    good = ~mask
    expected = (stack * good[:, None]).sum(axis=0, dtype=float) / np.maximum(good.sum(axis=0), 1)
    assert good.any(axis=0).all()
    with rasterio.open(out) as dataset, rasterio.open(paths[0]) as source:
        np.testing.assert_allclose(dataset.read(), expected, atol=0.51)
        assert (dataset.crs, dataset.transform, dataset.shape) == (source.crs, source.transform, source.shape)
        assert dataset.dtypes == ("uint8",) * 3
        assert dataset.descriptions == ("red", "green", "blue")
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_counts_winners_shares_and_dates(everything, cloudy):
    out, _ = everything
    good = ~cloudy[1]
    assert np.array_equal(read(beside(out, "_count.tif"))[0], good.sum(axis=0))
    source = read(beside(out, "_source.tif"))[0]
    assert np.array_equal(source, good.argmax(axis=0) + 1)  # shares are equal: the first good image
    share = read(beside(out, "_share.tif"))
    np.testing.assert_allclose(share, 100 * good / good.sum(axis=0), atol=0.51)
    assert np.array_equal(read(beside(out, "_date.tif"))[0], 20240015 + 100 * source.astype(int))
    assert "2024-03-15" in beside(out, "_source.tif.aux.xml").read_text(encoding="utf-8")


def test_the_record_and_what_is_printed(everything, cloudy):
    out, done = everything
    report = read_report(beside(out, ".json"))
    assert (report.method, report.model, report.filled_percent) == ("mean", None, 100.0)
    assert [image.date for image in report.images] == [f"2024-0{n}-15" for n in (1, 2, 3, 4)]
    good = ~cloudy[1]
    np.testing.assert_allclose([i.good_percent for i in report.images], 100 * good.mean(axis=(1, 2)), atol=1e-3)
    assert sum(image.share_percent for image in report.images) == pytest.approx(100, abs=0.01)
    assert all(image.mask and image.mask.endswith(f"{image.name}_mask.tif") for image in report.images)
    assert set(report.files) == {"image", "count", "source", "share", "date", "page", "report"}
    assert {path.name for path in out.parent.iterdir()} == {*report.files.values(), "fused_source.tif.aux.xml"}
    assert report.cost.seconds_per_mpx == pytest.approx(report.cost.seconds / (HEIGHT * WIDTH * 4 / 1e6), rel=0.01)
    assert "s/Mpx and image, peak" in done.stdout
    assert f"mean: 100.0 % of {WIDTH} x {HEIGHT} px filled" in done.stdout
    assert str(out) in done.stdout


def test_the_page_stands_alone(everything):
    text = beside(everything[0], ".html").read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 9  # four images, their shares, the result
    assert "http://" not in text
    assert "https://" not in text


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name != "learned"])
def test_no_order_of_the_images_changes_a_byte(tmp_path, cloudy, method):
    paths, _, masks = cloudy
    one, other = tmp_path / "one.tif", tmp_path / "other.tif"
    run(paths, one, "--method", method, "--masks", masks, "--tone", "match")
    run([paths[2], paths[0], paths[3], paths[1]], other, "--method", method, "--masks", masks, "--tone", "match")
    assert np.array_equal(read(one), read(other))
    assert np.array_equal(read(beside(one, "_source.tif")), read(beside(other, "_source.tif")))


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name != "learned"])
def test_threads_and_windows_change_nothing(tmp_path, cloudy, method, monkeypatch):
    paths, _, masks = cloudy
    one, other = tmp_path / "one.tif", tmp_path / "other.tif"
    words = ("--method", method, "--masks", masks)
    if method not in ("median", "medoid"):
        words += ("--feather", "5")
    run(paths, one, *words)
    monkeypatch.setattr("clearscene.fusion.run.window_size", lambda *_, **__: 37)
    clearscene("fuse", *paths, "--out", other, "--workers", "3", *words, check=0)
    assert read_report(beside(other, ".json")).cost.window == 37
    assert np.array_equal(read(one), read(other))
    assert np.array_equal(read(beside(one, "_source.tif")), read(beside(other, "_source.tif")))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64", "uint32"])
def test_one_image_gives_itself(tmp_path, dtype):
    image = dates(1, dtype="float32" if dtype == "float64" else "uint16" if dtype == "uint32" else dtype)[0].astype(
        dtype
    )
    image[:, :9, 60:] = 0
    if dtype == "uint32":
        image[0, 0, 0] = 4_000_000_001
    path = write_scene(tmp_path / "one.tif", image, crs=UTM, transform=TRANSFORM, options={"nodata": 0})
    run([path], tmp_path / "out.tif", "--method", "geomedian")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.dtypes[0] == dtype
        assert np.array_equal(dataset.read(), image)
        assert dataset.nodata == 0
    assert np.array_equal(read(tmp_path / "out_count.tif")[0] == 0, (image == 0).all(axis=0))


def test_without_nodata_a_full_image_needs_none(tmp_path, stack):
    image = stack[0].copy()
    image[:, 5:9, 5:9] = 0  # black is a value here
    path = write_scene(tmp_path / "one.tif", image, crs=UTM, transform=TRANSFORM)
    run([path], tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.nodata is None
        assert np.array_equal(dataset.read(), image)


def test_nothing_is_invented_where_no_image_has_data(tmp_path, stack):
    images = stack.copy()
    images[:, :, 20:40, 30:50] = 0
    images[0, :, :20] = 0
    paths = write_dates(tmp_path, images, options={"nodata": 0})
    done = run(paths, tmp_path / "out" / "out.tif", "--method", "median", "--fail-under", "99", check=1)
    fused = read(tmp_path / "out" / "out.tif")
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[20:40, 30:50] = True
    assert np.array_equal((fused == 0).all(axis=0), hole)
    assert (read(tmp_path / "out" / "out_source.tif")[0][hole] == 0).all()
    assert "less than 99 % filled" in done.stderr


def test_where_all_are_masked_nodata_or_the_least_bad(tmp_path, stack):
    mask = clouds(4)
    mask[:, 60:70, 80:100] = True
    paths, masks = write_dates(tmp_path, stack), write_masks(tmp_path / "masks", mask)
    run(paths, tmp_path / "none" / "f.tif", "--method", "median", "--masks", masks)
    run(paths, tmp_path / "least" / "f.tif", "--method", "median", "--masks", masks, "--all-bad", "least")
    all_bad = mask.all(axis=0)
    fused, least = read(tmp_path / "none" / "f.tif"), read(tmp_path / "least" / "f.tif")
    assert np.array_equal((fused == 0).all(axis=0), all_bad)
    assert np.array_equal(fused[:, ~all_bad], least[:, ~all_bad])
    np.testing.assert_allclose(least[:, all_bad], np.median(stack[:, :, all_bad], axis=0), atol=0.51)
    assert (read(tmp_path / "least" / "f_count.tif")[0][all_bad] == 0).all()
    report = read_report(tmp_path / "least" / "f.json")
    assert report.all_masked_percent == pytest.approx(100 * all_bad.mean(), abs=1e-3)
    assert any("least bad" in note for note in report.notes)


def test_an_empty_result_is_warned_of(tmp_path, stack):
    paths = write_dates(tmp_path, stack[:2])
    masks = write_masks(tmp_path / "masks", np.ones((2, HEIGHT, WIDTH), np.bool_))
    done = run(paths, tmp_path / "out" / "f.tif", "--method", "median", "--masks", masks)
    assert "warning: The result is empty: every image is masked everywhere; --all-bad least fills" in done.stderr
    assert "The result is empty" in (tmp_path / "out" / "f.html").read_text("utf-8")


def test_learned_takes_the_dark_and_one_date_wins(tmp_path, cloudy, stack):
    paths, mask, _ = cloudy
    model = quality_folder(tmp_path / "dark")
    out = tmp_path / "out.tif"
    done = run(paths, out, "--model", model, "--quality", "--device", "cpu")
    report = read_report(tmp_path / "out.json")
    assert (report.method, report.model) == ("learned", "dark 0.1.0")
    values = clouded(stack, mask)
    logit = -40 * values.astype(float).mean(axis=1) / 255
    power = np.exp(logit - logit.max(axis=0))
    share = power / power.sum(axis=0)
    np.testing.assert_allclose(read(beside(out, "_share.tif")), 100 * share, atol=0.6)
    np.testing.assert_allclose(read(beside(out, "_quality.tif")), 100 / (1 + np.exp(-logit)), atol=0.6)
    assert beside(out, ".html").read_text(encoding="utf-8").count("data:image/jpeg") == 13  # with four qualities
    np.testing.assert_allclose(read(out), (share[:, None] * values).sum(axis=0), atol=0.6)
    assert np.abs(read(out).astype(float) - stack[0]).max() < 40  # no cloud is left
    assert "The method is" not in done.stderr
    run(paths, tmp_path / "cold.tif", "--model", model, "--temperature", "0.01", "--device", "cpu")
    best = np.take_along_axis(values, values.astype(float).mean(axis=1).argmin(axis=0)[None, None], axis=0)[0]
    differs = (np.abs(read(tmp_path / "cold.tif").astype(int) - best) > 1).mean()
    assert differs < 0.12  # ties of the mean, and nearly
    run(paths, tmp_path / "best.tif", "--method", "best", "--model", model, "--device", "cpu")
    assert (read(tmp_path / "best.tif") != best).any(axis=0).mean() < 0.05  # ties, and nearly


def test_quality_does_not_depend_on_windows_or_order(tmp_path, cloudy, monkeypatch):
    paths, _, _ = cloudy
    model = quality_folder(tmp_path / "dark", tile_size=48)
    run(paths, tmp_path / "one.tif", "--model", model, "--device", "cpu")
    monkeypatch.setattr("clearscene.fusion.run.window_size", lambda *_, **__: 41)
    run(paths[::-1], tmp_path / "other.tif", "--model", model, "--device", "cpu")
    assert np.abs(read(tmp_path / "one.tif").astype(int) - read(tmp_path / "other.tif")).max() <= 1


def test_without_a_model_the_default_is_said(tmp_path, cloudy):
    done = run(cloudy[0], tmp_path / "out.tif")
    assert "medoid: " in done.stdout
    assert "No quality model is installed" in done.stderr
    done = run(cloudy[0], tmp_path / "x.tif", "--method", "learned", check=2)
    assert "needs a quality model" in done.stderr
    assert "--model" in done.stderr
    done = run(cloudy[0], tmp_path / "x.tif", "--method", "best", check=2)
    assert "nothing to rank" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("x")] == []


def test_masks_auto_without_a_cloud_model_names_the_remedy(tmp_path, cloudy):
    done = run(cloudy[0], tmp_path / "out.tif", "--masks", "auto", check=2)
    assert "--masks auto needs the cloud model" in done.stderr
    assert "--mask-model" in done.stderr


def test_masks_auto_with_a_model(tmp_path):
    from tests.mask_models import cloudy as cloudy_scene
    from tests.mask_models import level_folder

    model = level_folder(tmp_path / "level")
    paths, truths = [], []
    for place in range(2):
        data, truth = cloudy_scene(seed=place)
        data, truth = (data, truth) if place == 0 else (data[:, ::-1, ::-1], truth[::-1, ::-1])
        stored = np.rint(data * 10_000).astype(np.uint16)
        paths.append(write_scene(tmp_path / f"d{place}.tif", stored, crs=UTM, transform=TRANSFORM))
        truths.append(truth)
    words = ("--bands", "red=1,green=2,blue=3,nir=4", "--scale", "0.0001", "--mask-model", model, "--device", "cpu")
    run(paths, tmp_path / "out.tif", "--masks", "auto", "--method", "mean", *words)
    count = read(tmp_path / "out_count.tif")[0]
    assert np.array_equal(count, sum((truth == 0).astype(int) for truth in truths))
    assert {path.name for path in tmp_path.iterdir() if "mask" in path.name} == set()
    assert read_report(tmp_path / "out.json").images[0].mask == "auto"


def test_best_by_masks_takes_the_image_farthest_from_its_cloud(tmp_path, cloudy, stack):
    from scipy.ndimage import distance_transform_edt

    paths, mask, masks = cloudy
    run(paths, tmp_path / "out.tif", "--method", "best", "--masks", masks)
    distance = np.stack([np.minimum(distance_transform_edt(~m), 64) for m in mask])
    winner = np.where(mask, -1, distance).argmax(axis=0)
    assert np.array_equal(read(tmp_path / "out_source.tif")[0], winner + 1)
    assert np.array_equal(read(tmp_path / "out.tif"), np.take_along_axis(stack, winner[None, None], axis=0)[0])


def test_tone_match_brings_all_to_the_reference(tmp_path, stack):
    toned = np.clip(np.rint(np.stack([stack[0], stack[0] * 0.7 + 20, stack[0] * 1.15 - 10])), 1, 254).astype(np.uint8)
    paths = write_dates(tmp_path, toned)
    words = ("--method", "mean", "--tone", "match", "--reference", "2024-01-15")
    done = run(paths, tmp_path / "out" / "f.tif", *words)
    assert "Without masks clouds count as ground when tones are fitted" in done.stderr
    assert np.abs(read(tmp_path / "out" / "f.tif").astype(int) - toned[0]).max() <= 2
    report = read_report(tmp_path / "out" / "f.json")
    assert report.images[0].tone is None
    assert report.images[0].is_reference
    lines = report.images[1].tone
    assert [line.band for line in lines] == ["red", "green", "blue"]
    assert [line.gain for line in lines] == pytest.approx([1 / 0.7] * 3, rel=0.02)


def test_tones_are_fitted_where_quality_is_good(tmp_path, stack):
    """A third of the second image is a veil that follows the ground by a line of its own."""
    toned = np.stack([stack[0], np.clip(np.rint(stack[0] * 0.7 + 20), 1, 140)]).astype(np.uint8)
    veil = np.zeros(stack.shape[2:], bool)
    veil[:, : int(0.45 * veil.shape[1])] = True
    toned[1][:, veil] = np.rint(160 + 0.3 * stack[0][:, veil])
    paths = write_dates(tmp_path, toned)
    model = quality_folder(tmp_path / "dark", bias=0.6 * 40)
    words = ("--tone", "match", "--reference", "2024-01-15", "--model", model, "--device", "cpu")
    done = run(paths, tmp_path / "out" / "f.tif", *words)
    assert "Without masks" not in done.stderr
    lines = read_report(tmp_path / "out" / "f.json").images[1].tone
    assert [line.gain for line in lines] == pytest.approx([1 / 0.7] * 3, rel=0.03)


def test_a_shift_is_reported_and_with_align_made(tmp_path):
    rng = np.random.default_rng(3)
    wide = np.clip(np.rint(dates(1)[0].astype(float) + rng.normal(0, 12, (3, HEIGHT, WIDTH))), 1, 254).astype(np.uint8)
    paths = [
        write_scene(tmp_path / "a.tif", wide[:, 4:-4, 4:-4], crs=UTM, transform=TRANSFORM),
        write_scene(tmp_path / "b.tif", wide[:, 2:-6, 5:-3], crs=UTM, transform=TRANSFORM),
    ]
    words = ("--method", "mean", "--reference", "a")
    done = run(paths, tmp_path / "out" / "f.tif", *words)
    shift = read_report(tmp_path / "out" / "f.json").images[1].shift
    assert (shift.row, shift.col) == pytest.approx((-2, 1), abs=0.1)
    assert not shift.is_applied
    assert "b lies 2.2 pixels beside the reference; --align moves it 2.0 px up, 1.0 px right." in done.stderr
    done = run(paths, tmp_path / "aligned" / "f.tif", *words, "--align", "--extent", "intersection")
    fused = read(tmp_path / "aligned" / "f.tif").astype(int)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    assert np.abs(fused - wide[:, 4:-4, 4:-4])[inner].mean() < 4  # unmoved: noise of 12 against noise of 12
    assert read_report(tmp_path / "aligned" / "f.json").images[1].shift.is_applied
    assert "warning" not in done.stderr


def test_other_extents_resolutions_and_crs(tmp_path, stack):
    whole = stack[0]
    coarse = whole[:, : HEIGHT // 2 * 2, : WIDTH // 2 * 2].reshape(3, HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(2, 4))
    left = write_scene(tmp_path / "left.tif", whole[:, :, :70], crs=UTM, transform=TRANSFORM)
    right = write_scene(
        tmp_path / "right.tif", whole[:, 10:, 40:], crs=UTM, transform=TRANSFORM * rasterio.Affine.translation(40, 10)
    )
    half = write_scene(
        tmp_path / "half.tif",
        np.rint(coarse).astype(np.uint8),
        crs=UTM,
        transform=TRANSFORM * rasterio.Affine.scale(2),
        options={"nodata": 0},
    )
    run([left, right], tmp_path / "out" / "union.tif", "--method", "mean")
    union = read(tmp_path / "out" / "union.tif")
    count = read(tmp_path / "out" / "union_count.tif")[0]
    assert union.shape == whole.shape
    assert np.array_equal(union[:, count > 0], whole[:, count > 0])
    assert np.array_equal(count == 0, ~((np.indices(count.shape)[1] < 70) | (np.indices(count.shape)[0] >= 10)))
    run([left, right], tmp_path / "out" / "common.tif", "--extent", "intersection")
    assert np.array_equal(read(tmp_path / "out" / "common.tif"), whole[:, 10:, 40:70])
    run([left, right, half], tmp_path / "out" / "three.tif", "--method", "median")
    report = read_report(tmp_path / "out" / "three.json")
    assert [image.is_resampled for image in report.images] == [True, False, False]  # half, left, right
    assert np.abs(read(tmp_path / "out" / "three.tif").astype(int) - whole).mean() < 4
    run([left, right], tmp_path / "out" / "like.tif", "--like", half, "--resampling", "average")
    assert np.abs(read(tmp_path / "out" / "like.tif")[:, 6:, :30].astype(int) - coarse[:, 6:, :30]).max() <= 1


def test_another_crs_is_warped(tmp_path, stack):
    from rasterio.enums import Resampling
    from rasterio.warp import calculate_default_transform, reproject

    plain = write_scene(tmp_path / "plain.tif", stack[0], crs=UTM, transform=TRANSFORM)
    bounds = rasterio.transform.array_bounds(HEIGHT, WIDTH, TRANSFORM)
    place, width, height = calculate_default_transform(UTM, "EPSG:4326", WIDTH, HEIGHT, *bounds)
    degrees = np.zeros((3, height, width), np.uint8)
    reproject(
        stack[0], degrees, src_transform=TRANSFORM, src_crs=UTM, dst_transform=place, dst_crs="EPSG:4326",
        resampling=Resampling.bilinear,
    )  # fmt: skip
    other = write_scene(
        tmp_path / "degrees.tif", degrees, crs=rasterio.CRS.from_epsg(4326), transform=place, options={"nodata": 0}
    )
    box = ",".join(str(v) for v in (600_100, 4_999_300, 600_900, 4_999_900))
    run([plain, other], tmp_path / "out" / "f.tif", "--like", plain, "--method", "mean")
    assert np.abs(read(tmp_path / "out" / "f.tif").astype(int) - stack[0])[:, 3:-3, 3:-3].mean() < 3
    run([plain, plain], tmp_path / "out" / "box.tif", "--bounds", box, "--resolution", "20")
    with rasterio.open(tmp_path / "out" / "box.tif") as dataset:
        assert (dataset.height, dataset.width) == (30, 40)
        assert dataset.res == (20, 20)
        assert dataset.bounds == (600_100, 4_999_300, 600_900, 4_999_900)
    assert transform_bounds(UTM, "EPSG:4326", *bounds)[0] < 180


def test_bands_are_matched_by_name(tmp_path, stack):
    swapped = stack[1][[2, 1, 0]]
    one = write_scene(tmp_path / "a.tif", stack[0], crs=UTM, transform=TRANSFORM)
    other = write_scene(tmp_path / "b.tif", swapped, crs=UTM, transform=TRANSFORM)
    with rasterio.open(other, "r+") as dataset:
        dataset.descriptions = ("blue", "green", "red")
    run([one, other], tmp_path / "f.tif", "--method", "mean")
    np.testing.assert_allclose(read(tmp_path / "f.tif"), stack[:2].astype(float).mean(axis=0), atol=0.51)
    run([one, other], tmp_path / "g.tif", "--method", "mean", "--use", "blue")
    np.testing.assert_allclose(read(tmp_path / "g.tif")[0], stack[:2, 2].astype(float).mean(axis=0), atol=0.51)


def test_masks_and_alpha_inside_the_files_count(tmp_path, stack):
    alpha = np.full((1, HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :30] = 0
    one = write_scene(tmp_path / "a.tif", np.concatenate([stack[0], alpha]), crs=UTM, transform=TRANSFORM)
    with rasterio.open(one, "r+") as dataset:
        dataset.colorinterp = [rasterio.enums.ColorInterp[n] for n in ("red", "green", "blue", "alpha")]
    for words in ((), ("--resolution", "20")):
        out = tmp_path / f"f{len(words)}.tif"
        run([one], out, "--method", "mean", *words)
        count = read(beside(out, "_count.tif"))[0]
        edge = 30 if not words else 15
        assert (count[: edge - 1] == 0).all()
        assert (count[edge + 1 : -1, :-1] == 1).all()


def test_inspect_scores_images_and_result(tmp_path, stack):
    holed = stack[:3].copy()
    holed[0, :, 30:50, 20:40] = 0
    paths = write_dates(tmp_path / "in", holed)
    done = run(paths, tmp_path / "f.tif", "--method", "median", "--inspect")
    report = read_report(tmp_path / "f.json")
    assert report.score is not None
    assert report.images[0].score < report.score
    assert (tmp_path / "f_inspection" / "f" / "report.html").is_file()
    assert f"score of the result: {report.score:.1f}" in done.stdout
    assert "Score of the result" in (tmp_path / "f.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "white"), [((), 3558), (("--reflectance",), 0.3558)])
def test_images_and_result_are_inspected_by_the_scale_they_are_fused_by(tmp_path, stack, words, white):
    """So that the scores are of one picture: all are shown as reflectance, whatever is stored."""
    paths = write_dates(tmp_path / "in", stack[:3].astype(np.uint16) * 20)
    run(paths, tmp_path / "f.tif", "--method", "median", "--inspect", "--scale", "0.0001", *words)
    runs = tmp_path / "f_inspection"
    stretches = {
        folder.name: json.loads((folder / "report.json").read_text(encoding="utf-8"))["scene"]["stretch"]
        for folder in runs.iterdir()
        if folder.is_dir()
    }
    assert len(stretches) == 4
    for name, stretch in stretches.items():
        assert stretch["method"] == "reflectance", name
        assert stretch["high"] == pytest.approx(white if name == "f" else 3558), name


def test_what_is_done_is_not_done_again(tmp_path, cloudy):
    out = tmp_path / "f.tif"
    run(cloudy[0], out)
    before = out.stat().st_mtime_ns
    done = run(cloudy[0], out)
    assert out.stat().st_mtime_ns == before
    assert "was done already" in done.stdout
    assert "--overwrite" in done.stderr
    run(cloudy[0], out, "--overwrite", "--quality")
    assert out.stat().st_mtime_ns > before
    run(cloudy[0], out, "--overwrite")
    assert not beside(out, "_share.tif").exists()  # of the older run


def test_the_python_call(tmp_path, cloudy, stack):
    seen = []
    report = package.fuse(
        cloudy[0],
        tmp_path / "f.tif",
        options=FuseOptions(method="median", workers=1),
        progress=lambda s, _: seen.append(s),
    )
    np.testing.assert_allclose(read(tmp_path / "f.tif"), np.median(read_all(cloudy[0]), axis=0), atol=0.51)
    assert report == read_report(tmp_path / "f.json")
    assert list(dict.fromkeys(seen)) == ["read", "masks", "align", "quality", "fuse", "write"]
    assert json.loads((tmp_path / "f.json").read_text())["method"] == "median"
    with pytest.raises(OptionError, match="--method 'modal' is not known"):
        FuseOptions(method="modal")


def read_all(paths):
    return np.stack([read(path) for path in paths])


def test_a_stac_item_takes_part(tmp_path, stack):
    pystac = pytest.importorskip("pystac")
    import datetime

    folder = tmp_path / "item"
    item = pystac.Item("item-1", None, None, datetime.datetime(2024, 9, 1, tzinfo=datetime.UTC), {})
    for place, name in enumerate(("red", "green", "blue")):
        path = write_scene(folder / f"{name}.tif", stack[1][place : place + 1].astype(np.uint16) * 40, crs=UTM,
                           transform=TRANSFORM, options={"nodata": 0})  # fmt: skip
        asset = pystac.Asset(str(path), extra_fields={"eo:bands": [{"name": name, "common_name": name}]})
        item.add_asset(name, asset)
    (tmp_path / "item.json").write_text(json.dumps(item.to_dict()), encoding="utf-8")
    plain = write_scene(tmp_path / "p.tif", stack[0].astype(np.uint16) * 40, crs=UTM, transform=TRANSFORM)
    done = run([tmp_path / "item.json", plain], tmp_path / "f.tif", "--method", "mean", "--inspect")
    np.testing.assert_allclose(read(tmp_path / "f.tif"), stack[:2].astype(float).mean(axis=0) * 40, atol=0.51)
    report = read_report(tmp_path / "f.json")
    assert [image.date[:10] for image in report.images] == ["2024-09-01", ""]
    assert all(image.score is not None for image in report.images)  # that of several files too
    assert not any("Not inspected" in note for image in report.images for note in image.notes)
    assert "score" in done.stdout
    assert len(list((tmp_path / "f_inspection").glob("001-*/report.html"))) == 1
