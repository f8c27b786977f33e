"""Metrics against scikit-learn, and against counts made by hand."""

import tracemalloc

import numpy as np
import pytest

from clearscene.benchmark import tally as tallying
from clearscene.benchmark.bins import bin_of
from clearscene.benchmark.intervals import estimate, scene_draws
from clearscene.benchmark.metrics import METRICS, Sums, measure
from clearscene.benchmark.tally import Tally, boundary_counts, joined

THRESHOLD = 0.4


@pytest.fixture(scope="module")
def answers():
    """Probability and truth (row, col) of two scenes, some pixels not counted."""
    rng = np.random.default_rng(5)
    found = []
    for height, width in ((37, 53), (29, 41)):
        truth = rng.choice([0, 1, 255], (height, width), p=[0.6, 0.3, 0.1]).astype(np.uint8)
        probability = np.clip(0.35 * (truth == 1) + rng.uniform(0, 0.8, truth.shape), 0, 1).astype(np.float32)
        found.append((probability, truth))
    return found


def tally_of(pairs, thresholds=(THRESHOLD,)):
    made = Tally(thresholds)
    for probability, truth in pairs:
        made.add(probability, truth)
    return made


def counted(*, tp=0, fp=0, fn=0, tn=0, boundary=(0, 0, 0, 0)):
    blank, zero = np.zeros((1, 15)), np.zeros((1, 1))
    return Sums(np.array([[tp, fp, fn, tn]], float), np.array([boundary], float), zero[0], blank, blank, blank, zero)


def test_as_scikit_learn(answers):
    metrics = pytest.importorskip("sklearn.metrics")
    probability = np.concatenate([p[t != 255] for p, t in answers]).astype(np.float64)
    truth = np.concatenate([t[t != 255] for _, t in answers])
    called = probability >= THRESHOLD
    sums = joined([tally_of(answers)], THRESHOLD)
    binned = bin_of(probability)
    wanted = {
        "auc": metrics.roc_auc_score(truth, binned),
        "auc_thresholded": metrics.roc_auc_score(truth, called),
        "dice": metrics.f1_score(truth, called),
        "iou": metrics.jaccard_score(truth, called),
        "coverage_recall": metrics.recall_score(truth, called),
        "precision": metrics.precision_score(truth, called),
        "recall": metrics.recall_score(truth, called),
        "specificity": metrics.recall_score(truth, called, pos_label=0),
        "accuracy": metrics.accuracy_score(truth, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, called),
        "f2": metrics.fbeta_score(truth, called, beta=2),
    }
    assert {name: pytest.approx(float(measure(name, sums)[0]), abs=1e-12) for name in wanted} == wanted
    assert float(measure("auc", sums)[0]) == pytest.approx(metrics.roc_auc_score(truth, probability), abs=1e-5)


@pytest.mark.parametrize("spread", [1.0, 4.0, 12.0])
def test_the_auc_of_saturated_answers_is_that_of_scikit_learn(spread):
    """Probabilities that crowd at 0 and 1, as confident networks give them, in float32."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(11)
    truth = (rng.random((300, 331)) < 0.3).astype(np.uint8)
    logits = rng.normal(np.where(truth == 1, -5, -8), 3, truth.shape) * spread
    probability = (1 / (1 + np.exp(-logits.clip(-80, 80)))).astype(np.float32)
    found = float(measure("auc", joined([tally_of([(probability, truth)])], THRESHOLD))[0])
    assert found == pytest.approx(metrics.roc_auc_score(truth.ravel(), probability.ravel()), abs=2e-5)


def test_by_hand():
    sums = counted(tp=6, fp=2, fn=3, tn=9)
    wanted = {
        "dice": 12 / 17, "dice_smooth": 13 / 18, "iou": 6 / 11, "precision": 6 / 8, "recall": 6 / 9,
        "specificity": 9 / 11, "accuracy": 15 / 20, "coverage_similarity": 1 - 1 / 20, "f2": 30 / (30 + 12 + 2),
        "balanced_accuracy": (6 / 9 + 9 / 11) / 2,
    }  # fmt: skip
    assert {name: pytest.approx(float(measure(name, sums)[0])) for name in wanted} == wanted


def test_errors_that_balance_score_one_in_coverage_and_not_in_recall():
    sums = counted(tp=5, fp=5, fn=5, tn=5)
    assert measure("coverage_similarity", sums)[0] == 1
    assert measure("coverage_recall", sums)[0] == 0.5


def test_calibration_error_by_hand():
    tally = Tally((0.5,))
    probability = np.array([[0.1, 0.1, 0.1, 0.1, 0.9]], np.float32)
    tally.add(probability, np.array([[0, 0, 0, 1, 1]], np.uint8))
    # the bin of 0.1: |0.4 - 1|, that of 0.9: |0.9 - 1|, over five pixels
    assert measure("ece", joined([tally], 0.5))[0] == pytest.approx((0.6 + 0.1) / 5, abs=1e-6)


def test_what_is_not_defined_is_no_number():
    nothing = counted(tn=7)
    undefined = {name for name in METRICS if not np.isfinite(measure(name, nothing)[0])}
    assert undefined == {
        "auc", "auc_thresholded", "dice", "iou", "coverage_recall", "precision", "recall", "balanced_accuracy", "f2",
        "boundary_f", "ece",
    }  # fmt: skip


@pytest.mark.parametrize("k", [0, 1, 12, 127, 254, 255])
def test_thresholds_of_255ths_are_met_exactly(k):
    threshold = k / 255
    below = np.nextafter(np.float32(threshold), np.float32(-1)) - np.float32(1e-5)
    tally = Tally((threshold,))
    tally.add(np.array([[threshold, max(0.0, below)]], np.float32), np.array([[1, 1]], np.uint8))
    tp = joined([tally], threshold).confusion[0, 0]
    assert tp == (2 if k == 0 else 1)


def square(top, left, side=9, shape=(30, 40)):
    mask = np.zeros(shape, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def test_boundaries_within_the_tolerance_meet():
    truth, found = square(8, 10), square(8, 12) == 1
    n = 4 * 8
    assert boundary_counts(found, truth, 2) == (n, n, n, n)
    hit, drawn, met, true = boundary_counts(found, truth, 1)
    assert (drawn, true) == (n, n)
    assert hit == met < n


def test_the_frame_and_what_is_not_counted_are_no_boundary():
    truth = np.ones((20, 24), np.uint8)
    assert boundary_counts(truth == 1, truth, 2) == (0, 0, 0, 0)
    truth[:, 12:] = 255
    assert boundary_counts(truth == 1, truth, 2) == (0, 0, 0, 0)


def test_a_missed_and_an_invented_boundary_score_nothing():
    truth = square(8, 10)
    for found, mask in ((np.zeros(truth.shape, bool), truth), (truth == 1, np.zeros_like(truth))):
        counts = boundary_counts(found, mask, 2)
        assert measure("boundary_f", counted(boundary=counts))[0] == 0


def test_the_mean_of_scenes_is_not_the_pool(answers):
    tallies = [tally_of([pair]) for pair in answers]
    sums = joined(tallies, THRESHOLD)
    by_scene = measure("iou", sums)
    pooled = estimate(sums, ("iou",), pooling="pixels", seed=0)["iou"]
    mean = estimate(sums, ("iou",), pooling="scenes", seed=0)["iou"]
    assert mean.value == pytest.approx(by_scene.mean())
    assert pooled.value == pytest.approx(float(measure("iou", joined([tally_of(answers)], THRESHOLD))[0]))
    assert mean.value != pytest.approx(pooled.value, abs=1e-6)


def test_a_scene_where_a_metric_is_not_defined_is_left_out_of_the_mean():
    cloudy, clear = Tally((0.5,)), Tally((0.5,))
    cloudy.add(np.array([[0.9, 0.9, 0.9, 0.1]], np.float32), np.ones((1, 4), np.uint8))
    clear.add(np.full((2, 3), 0.1, np.float32), np.zeros((2, 3), np.uint8))
    sums = joined([cloudy, clear], 0.5)
    assert estimate(sums, ("recall",), pooling="scenes", seed=0)["recall"].value == 0.75


def test_the_pooled_auc_is_that_of_all_pixels_and_draws_count_scenes_as_often_as_drawn(answers):
    tallies = [tally_of([pair]) for pair in answers]
    weighted = joined(tallies, THRESHOLD).weighted(np.array([[1, 1], [2, 1]]))
    whole = joined([tally_of(answers)], THRESHOLD)
    twice = joined([tally_of([answers[0], *answers])], THRESHOLD)
    for place, wanted in enumerate((whole, twice)):
        for name in ("auc", "ece", "iou"):
            assert measure(name, weighted)[place] == pytest.approx(measure(name, wanted)[0], abs=1e-12)


def test_intervals_hold_the_value_and_repeat(answers):
    tallies = [tally_of([pair]) for pair in answers] * 4
    sums = joined(tallies, THRESHOLD)
    first = estimate(sums, ("iou", "auc"), pooling="pixels", seed=3)
    assert first == estimate(sums, ("iou", "auc"), pooling="pixels", seed=3)
    for entry in first.values():
        assert entry.low <= entry.value <= entry.high
        assert entry.low < entry.high


@pytest.mark.parametrize("pooling", ["pixels", "scenes"])
@pytest.mark.parametrize(("n_scenes", "has_interval"), [(1, False), (2, False), (4, False), (5, True)])
def test_few_scenes_have_no_interval(answers, n_scenes, has_interval, pooling):
    tallies = [tally_of([answers[i % 2]]) for i in range(n_scenes)]
    entry = estimate(joined(tallies, THRESHOLD), ("iou",), pooling=pooling, seed=0)["iou"]
    assert np.isfinite(entry.value)
    assert [np.isfinite(entry.low), np.isfinite(entry.high)] == [has_interval] * 2


def test_scenes_where_a_metric_is_not_defined_make_no_interval(answers):
    clear = Tally((THRESHOLD,))
    clear.add(np.full((2, 3), 0.1, np.float32), np.zeros((2, 3), np.uint8))
    sums = joined([*(tally_of([pair]) for pair in answers), clear, clear, clear], THRESHOLD)
    found = estimate(sums, ("recall", "accuracy"), pooling="scenes", seed=0)
    assert np.isnan(found["recall"].low)
    assert np.isfinite(found["accuracy"].low)


def test_draws_take_as_many_scenes_as_there_are():
    drawn = scene_draws(7, seed=1, draws=50)
    assert (drawn.sum(axis=1) == 7).all()
    assert len(np.unique(drawn, axis=0)) > 10


@pytest.mark.parametrize("strip", [1, 53 * 3, 53 * 11])
def test_an_image_counts_the_same_however_it_is_cut_into_strips(answers, monkeypatch, strip):
    rng = np.random.default_rng(3)
    smooth = np.repeat(np.repeat(rng.random((9, 11)), 5, axis=0), 5, axis=1)[:37, :53].astype(np.float32)
    pairs = [*answers, (smooth, (np.roll(smooth, 2, axis=0) > 0.5).astype(np.uint8))]
    whole = [tally_of([pair], (0.2, THRESHOLD)) for pair in pairs]
    monkeypatch.setattr(tallying, "STRIP", strip)
    for pair, before in zip(pairs, whole, strict=True):
        after = tally_of([pair], (0.2, THRESHOLD))
        assert (after.boundary == before.boundary).all()
        assert before.boundary.all()
        assert (after.positives == before.positives).all()
        assert (after.negatives == before.negatives).all()
        assert np.allclose(after.confidence, before.confidence)


def test_counting_a_scene_needs_memory_for_a_strip_of_it(monkeypatch):
    monkeypatch.setattr(tallying, "STRIP", 2**14)
    rng = np.random.default_rng(4)
    probability = rng.random((1100, 500), np.float32)
    truth = (probability > 0.7).astype(np.uint8)
    tally_of([(probability[:5], truth[:5])])
    tracemalloc.start()
    tally_of([(probability, truth)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * probability.size  # 50 bytes a pixel when it was counted whole
