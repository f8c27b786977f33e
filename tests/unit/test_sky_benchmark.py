"""What `benchmarks/sky_accuracy.py` and `benchmarks/sky_set.py` count."""

import cv2
import numpy as np
import pytest

from sky_accuracy import auroc, boundary, boundary_f1
from sky_set import pairs, read_pair, splits
from tests.sky_photos import scene


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    truth = rng.random(500) < 0.3
    levels = np.clip(rng.normal(4 + 3 * truth, 2), 0, 15).astype(int)
    found = auroc(*(np.bincount(levels[truth == kind], minlength=16) for kind in (True, False)))
    assert found == pytest.approx(metrics.roc_auc_score(truth, levels))


def test_the_boundary_is_not_the_frame():
    mask = np.zeros((6, 8), bool)
    mask[:3] = True
    assert boundary(mask).sum(axis=1).tolist() == [0, 0, 8, 0, 0, 0]


def test_a_skyline_within_the_tolerance_is_right():
    truth = np.zeros((300, 400), bool)
    truth[:150] = True  # the diagonal is 500: 4 pixels are near
    for moved, wanted in ((0, 1.0), (3, 1.0), (9, 0.0)):
        found = np.zeros_like(truth)
        found[: 150 + moved] = True
        assert boundary_f1(found, truth) == pytest.approx(wanted)
    nothing = np.zeros_like(truth)
    assert boundary_f1(nothing, nothing) == 1
    assert boundary_f1(nothing, truth) == 0


def test_photos_are_split_as_said(tmp_path):
    has_sky = [True] * 32 + [False] * 68
    shipped = splits(has_sky, "shipped", 0)
    assert (shipped[:32].count("val"), shipped[32:].count("val")) == (4, 7)
    seed = splits(has_sky, "seed", 42)
    assert [seed.count(name) for name in ("train", "val", "test")] == [60, 20, 20]
    assert seed == splits(has_sky, "seed", 42) != splits(has_sky, "seed", 43)
    photo, is_sky = scene()
    for name, pixels in (("images/a.png", photo[..., ::-1]), ("masks/a.png", is_sky.astype(np.uint8) * 130)):
        (tmp_path / name).parent.mkdir()
        cv2.imwrite(str(tmp_path / name), pixels)
    (one,) = pairs(tmp_path)
    read, truth = read_pair(*one)
    np.testing.assert_array_equal(read, photo)
    np.testing.assert_array_equal(truth, is_sky)
