"""Metrics against scikit-learn, and by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from clearscene.training.config import ScheduleConfig
from clearscene.training.metrics import PixelCounts, TileScores, average_precision, f1_scores
from clearscene.training.schedule import factor, progress

NAMES = ("background", "cloud", "shadow", "blur")


def pixels(seed: int, n: int = 500):
    rng = np.random.default_rng(seed)
    truth = rng.choice(np.array([0, 1, 3, 255]), n)  # the shadow never occurs
    return truth, rng.integers(0, 4, n)


def test_iou_by_hand():
    counts = PixelCounts(NAMES)
    counts.add(np.array([0, 0, 1, 1, 1, 255]), np.array([0, 1, 1, 1, 2, 1]))
    assert counts.iou()[:2].tolist() == [0.5, 0.5]  # 1 / 2 and 2 / 4
    assert math.isnan(counts.iou()[2])  # answered, but the truth does not hold it
    assert counts.summary()["miou"] == 0.5


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_iou_is_that_of_scikit_learn(seed):
    truth, answer = pixels(seed)
    counts = PixelCounts(NAMES)
    counts.add(truth, answer)
    known = truth != 255
    expected = oracle.jaccard_score(truth[known], answer[known], labels=[0, 1, 3], average=None)
    found = counts.iou()
    assert np.allclose(found[[0, 1, 3]], expected)
    summary = counts.summary()
    assert summary["miou"] == pytest.approx(expected[1:].mean())
    assert summary["miou_with_background"] == pytest.approx(expected.mean())
    assert summary["pixel_accuracy"] == pytest.approx(oracle.accuracy_score(truth[known], answer[known]))


def test_counts_of_parts_add_up():
    truth, answer = pixels(5)
    whole, parts = PixelCounts(NAMES), PixelCounts(NAMES)
    whole.add(truth, answer)
    for part in np.array_split(np.arange(len(truth)), 7):
        parts.add(truth[part], answer[part])
    assert np.array_equal(whole.counts, parts.counts)


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_screen_is_measured_as_scikit_learn_does(seed, has_ties):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (60, 3)).astype(np.float32)
    logits = rng.normal(0, 2, (60, 3)).astype(np.float32)
    logits = np.round(logits) if has_ties else logits
    scores = TileScores(("a", "b", "c"))
    scores.add(labels[:25], logits[:25])
    scores.add(labels[25:], logits[25:])
    summary = scores.summary()
    f1 = oracle.f1_score(labels, logits >= 0, average=None)
    precision = oracle.average_precision_score(labels, logits, average=None)
    assert np.allclose([summary[f"f1_{name}"] for name in "abc"], f1)
    assert np.allclose([summary[f"ap_{name}"] for name in "abc"], precision)
    assert summary["macro_f1"] == pytest.approx(f1.mean())
    assert summary["mean_average_precision"] == pytest.approx(precision.mean())
    assert summary["accuracy"] == pytest.approx(((logits >= 0) == labels).mean())


def test_unknown_labels_do_not_count():
    labels = np.array([[1], [0], [-1], [-1]], np.float32)
    called = np.array([[True], [False], [True], [False]])
    assert f1_scores(labels, called).tolist() == [1.0]
    assert average_precision(labels[:, 0], np.array([2.0, 1.0, 5.0, 0.0])) == 1.0


def test_a_type_that_nothing_shows_is_not_counted():
    scores = TileScores(("a", "b"))
    scores.add(np.array([[1, 0], [0, 0]], np.float32), np.array([[1, 1], [-1, -1]], np.float32))
    summary = scores.summary()
    assert math.isnan(summary["f1_b"])
    assert summary["macro_f1"] == 1.0


def test_the_schedule_warms_up_and_cools_down():
    config = ScheduleConfig(warmup_steps=9, final=0.1)
    rates = [factor(step, progress(step, 100), config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], abs=0.02)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert factor(50, 0.5, config) == pytest.approx(0.55)  # half way down the cosine


def test_time_ends_a_training_too():
    assert progress(10, 100, seconds=30, max_minutes=1) == 0.5
    assert progress(80, 100, seconds=30, max_minutes=1) == 0.8
    assert progress(10, 100, seconds=90, max_minutes=1) == 1.0
    assert progress(10, 100, seconds=90) == 0.1
