"""What the benchmarks of fusing measure with, against others and by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import fusion_measures as measures  # it lies beside the package


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    rng = np.random.default_rng(1)
    one = rng.uniform(0, 0.36, (2, 40, 50))
    other = one + rng.normal(0, 0.03, one.shape)
    wanted = [
        metrics.structural_similarity(
            *(a, b), data_range=0.36, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(one, other, strict=True)
    ]
    assert measures.ssim(one, other, span=0.36) == pytest.approx(np.mean(wanted), abs=1e-6)
    assert measures.ssim(one, one, span=0.36) == pytest.approx(1)


def test_the_published_mean_darkens_with_the_number_of_images():
    ones = np.ones((6, 1, 2, 2), np.float32)
    assert measures.wrong_mean(ones[:2]).max() == pytest.approx(0.75)
    assert measures.wrong_mean(ones).max() == pytest.approx(sum(6.0**-k for k in range(1, 7)))
    np.testing.assert_allclose(measures.classical("mean", ones), 1)


def test_scores_of_counts_by_hand():
    counts = measures.confusion(np.array([0, 0, 0, 1, 255]), np.array([0, 0, 1, 1, 0]), 2)
    assert counts.tolist() == [[2, 1], [0, 1]]
    found = measures.scores(counts)
    assert found["accuracy"] == pytest.approx(3 / 4)
    assert found["mIoU"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["fwIoU"] == pytest.approx(0.75 * 2 / 3 + 0.25 / 2)


def test_quality_weighs_by_softmax_or_chooses():
    stack = np.stack([np.zeros((1, 1, 2)), np.ones((1, 1, 2))]).astype(np.float32)
    logits = np.array([[[0.0, 5.0]], [[np.log(3.0), 0.0]]], np.float32)
    soft = measures.by_quality(stack, logits)
    assert soft.ravel().tolist() == pytest.approx([0.75, 1 / (1 + np.exp(5))], abs=1e-6)
    assert measures.by_quality(stack, logits, hard=True).ravel().tolist() == [1, 0]


def test_what_was_found_is_kept_on_disk(tmp_path):
    found = measures.Found()
    assert found.n_repeats == 0
    counts = np.array([[3, 1], [0, 4]])
    for key, value in (((0, 0), 0.1), ((0, 1), 0.3), ((1, 0), 0.2), ((1, 1), 0.4)):
        found.methods["learned, weak"].l1[key] = value
        found.methods["learned, weak"].counts[key] = counts
    found.methods["clean"].counts[0, 0] = counts
    found.save(tmp_path / "x" / "some.npz")
    again = measures.Found.load(tmp_path / "x" / "some.npz")
    assert again.n_repeats == 2
    assert again.methods["learned, weak"].l1 == found.methods["learned, weak"].l1
    assert again.methods["clean"].counts[0, 0].tolist() == counts.tolist()
    assert again.methods["clean"].l1 == {}
    mean, spread, low, high = again.methods["learned, weak"].mean_l1()
    assert (mean, spread) == pytest.approx((0.25, 0.05))  # repetitions 0.2 and 0.3, places 0.15 and 0.35
    assert 0.15 <= low < high <= 0.35
    assert measures.Found.load(tmp_path / "none.npz").n_repeats == 0


def test_the_geometric_median_of_the_peer_is_ours():
    peer = measures.peer_geomedian()
    if peer is None:
        pytest.skip("geomad is not installed")
    stack = np.random.default_rng(3).uniform(0.02, 0.4, (7, 4, 9, 11)).astype(np.float32)
    np.testing.assert_allclose(peer(stack), measures.classical("geomedian", stack), atol=2e-3)


def test_the_gap_of_two_methods_is_of_the_same_places():
    one, other = measures.Notes(), measures.Notes()
    rng = np.random.default_rng(1)
    for place in range(20):
        counts = rng.integers(1, 400, (2, 2))
        other.counts[0, place] = counts
        one.counts[0, place] = counts + np.array([[0, 8], [0, 0]])  # a few more buildings are missed everywhere
    gap, low, high = one.beside(other)
    assert gap == pytest.approx(one.summary()["mIoU"][0] - other.summary()["mIoU"][0])
    assert low <= gap <= high < 0  # although places differ by far more than the methods
    assert other.beside(other) == (0, 0, 0)
