"""What `clearscene fuse` says and does where no image is good, and what its quality files hold."""

import numpy as np
import pytest

from clearscene.fusion.result import read_report
from tests.e2e.test_fuse import beside, read, run
from tests.fuse_scenes import HEIGHT, WIDTH, clouded, clouds, dates, quality_folder, write_dates, write_masks

EVERYWHERE_BAD = np.s_[60:75, 80:100]


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    """Two dates with a part that is cloudy in both, and a model to which the dark half of the values is good."""
    folder = tmp_path_factory.mktemp("doubt")
    mask = clouds(2)
    mask[0, 20:30, 60:70] = mask[1, 20:30, 20:30] = False
    mask[:, *EVERYWHERE_BAD] = True
    stack = np.minimum(dates(2), 190)
    model = quality_folder(folder / "model", slope=-40.0, bias=34.0)  # 0 at a level of 217
    return write_dates(folder, clouded(stack, mask)), mask, model


def test_the_least_bad_is_taken_and_marked(tmp_path, doubtful):
    paths, mask, model = doubtful
    out = tmp_path / "out.tif"
    done = run(paths, out, "--model", model, "--device", "cpu", "--quality")
    all_bad = mask.all(axis=0)
    assert np.array_equal(read(beside(out, "_count.tif"))[0], (~mask).sum(axis=0))
    assert (read(beside(out, "_source.tif"))[0] > 0).all()
    assert read(out)[:, all_bad].min() > 200
    report = read_report(beside(out, ".json"))
    assert report.filled_percent == 100
    assert report.all_masked_percent == 0
    assert report.all_doubtful_percent == pytest.approx(100 * all_bad.mean(), abs=1e-3)
    assert report.images[0].good_percent == pytest.approx(100 * (~mask[0]).mean(), abs=1e-3)
    assert "every image is more likely bad than good by its quality: the least bad ones are taken" in done.stderr
    assert f"{100 * all_bad.mean():.1f} % doubtful in all" in done.stdout
    quality = read(beside(out, "_quality.tif"))
    assert np.array_equal(quality >= 50, ~mask)
    assert "All images doubtful" in beside(out, ".html").read_text(encoding="utf-8")


def test_it_can_be_left_without_data(tmp_path, doubtful):
    paths, mask, model = doubtful
    out, usual = tmp_path / "out.tif", tmp_path / "usual.tif"
    done = run(paths, out, "--model", model, "--device", "cpu", "--all-bad", "nodata")
    run(paths, usual, "--model", model, "--device", "cpu")
    all_bad = mask.all(axis=0)
    assert np.array_equal(read(beside(out, "_source.tif"))[0] == 0, all_bad)
    assert np.array_equal(read(out)[:, ~all_bad], read(usual)[:, ~all_bad])
    assert "it has no data there; --all-bad least takes the least bad one" in done.stderr


def test_a_model_that_only_compares_leaves_no_doubt(tmp_path, doubtful):
    """Of a pair trained by labels only differences of quality count."""
    paths, _, _ = doubtful
    model = quality_folder(tmp_path / "pair", task="fusion")
    out = tmp_path / "out.tif"
    run(paths, out, "--model", model, "--device", "cpu", "--quality", "--all-bad", "nodata")
    assert (read(beside(out, "_count.tif")) == 2).all()
    assert read_report(beside(out, ".json")).all_doubtful_percent == 0
    assert beside(out, "_share.tif").exists()
    assert not beside(out, "_quality.tif").exists()


def test_clouds_of_one_shape_are_no_shift(tmp_path):
    """A cloud that drifts is not taken for an image that lies beside the others, where quality tells it."""
    rng = np.random.default_rng(5)
    smooth = np.full((3, HEIGHT, WIDTH), 90.0) + rng.normal(0, 0.6, (3, HEIGHT, WIDTH))
    images = np.repeat(np.rint(smooth)[None], 2, axis=0).astype(np.uint8)
    for place, left in enumerate((10, 16)):
        images[place, :, 20:60, left : left + 60] = 245
    paths = write_dates(tmp_path, images)
    model = quality_folder(tmp_path / "model", slope=-40.0, bias=34.0)
    run(paths, tmp_path / "seen.tif", "--model", model, "--device", "cpu")
    run(paths, tmp_path / "unseen.tif", "--method", "median")
    seen, unseen = (read_report(tmp_path / f"{name}.json").images for name in ("seen", "unseen"))
    told = [image.shift for image in unseen if image.shift is not None and not image.is_reference]
    assert told, "without quality the clouds are matched"
    assert abs(told[0].col) > 5
    for image in seen:
        assert image.shift is None or abs(image.shift.col) < 1


@pytest.mark.parametrize("method", ["first", "best"])
def test_choices_fade_into_each_other(tmp_path, method):
    """Two flat dates of other brightness, each cloudy on one side: no step is left, and nothing outside of both."""
    images = np.stack([np.full((3, HEIGHT, WIDTH), level, np.uint8) for level in (80, 120)])
    mask = np.zeros((2, HEIGHT, WIDTH), bool)
    mask[0, :, :50] = True
    mask[1, :, 60:] = True
    paths = write_dates(tmp_path, images)
    masks = write_masks(tmp_path / "masks", mask)
    words = ("--method", method, "--masks", masks)
    run(paths, tmp_path / "hard.tif", *words)
    run(paths, tmp_path / "soft.tif", *words, "--feather", "10")
    hard, soft = (read(tmp_path / f"{name}.tif")[0].astype(int) for name in ("hard", "soft"))
    steps = [np.abs(np.diff(image, axis=1)).max() for image in (hard, soft)]
    assert steps[0] == 40
    assert steps[1] <= 9, "a tenth of the difference a pixel, where both are good"
    assert (soft[:, :45] == 120).all()
    assert (soft[:, 66:] == 80).all()
