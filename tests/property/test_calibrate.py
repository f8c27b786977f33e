"""Laws of temperatures, thresholds and reliability; oracles are brute force and scipy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax

from clearscene.training import calibrate as c

seeds = st.integers(0, 10_000)


def told(seed, n=300, true_temperature=2.0):
    """Logits that are too sure by a known factor, and labels drawn from what they should have been."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2, (n, 3))
    return honest * true_temperature, (rng.random((n, 3)) < expit(honest)).astype(float)


def test_the_temperature_that_made_the_logits_too_sure_is_found():
    logits, labels = told(1, n=20_000, true_temperature=2.5)
    assert c.fit_sigmoid_temperature(logits, labels) == pytest.approx(2.5, rel=0.05)
    before, after = (c.sigmoid_reliability(logits, labels, t).error for t in (1.0, 2.5))
    assert after < 0.02 < before


@given(seeds)
def test_the_sigmoid_temperature_is_scipys(seed):
    logits, labels = told(seed, n=60)

    def loss(log_t):
        z = logits / np.exp(log_t)
        return np.mean(np.logaddexp(0, z) - labels * z)

    found = minimize_scalar(loss, bounds=np.log(c.RANGE), method="bounded", options={"xatol": 1e-9})
    assert loss(np.log(c.fit_sigmoid_temperature(logits, labels))) <= found.fun + 1e-9


@given(seeds)
def test_the_softmax_temperature_is_scipys(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (80, 4))
    labels = np.where(rng.random(80) < 0.6, logits.argmax(axis=1), rng.integers(0, 4, 80))

    def loss(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(80), labels].mean()

    found = minimize_scalar(loss, bounds=np.log(c.RANGE), method="bounded", options={"xatol": 1e-9})
    assert loss(np.log(c.fit_softmax_temperature(logits, labels))) <= found.fun + 1e-9


@given(seeds, st.floats(0.5, 2))
def test_scaled_logits_scale_the_temperature(seed, factor):
    logits, labels = told(seed)
    once, scaled = (c.fit_sigmoid_temperature(logits * k, labels) for k in (1.0, factor))
    assume(0.2 < once < 8)
    assert scaled == pytest.approx(once * factor, rel=1e-4)


def test_without_examples_of_both_kinds_nothing_is_fitted():
    assert c.fit_sigmoid_temperature(np.ones((4, 2)), np.zeros((4, 2))) == 1
    assert c.fit_sigmoid_temperature(np.ones((4, 2)), np.full((4, 2), np.nan)) == 1
    assert c.fit_softmax_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1
    assert c.recall_threshold(np.ones(3), np.zeros(3), 0.9) is None


@given(seeds, st.sampled_from([0.5, 0.9, 0.99, 1.0]), st.integers(1, 300))
def test_the_recall_holds_and_no_higher_threshold_would_do(seed, recall, n):
    rng = np.random.default_rng(seed)
    chances, labels = rng.random(n), (rng.random(n) < 0.5).astype(float)
    labels[0] = 1
    threshold = c.recall_threshold(chances, labels, recall)
    positives = chances[labels == 1]
    assert (positives >= threshold).mean() >= recall
    assert (positives >= threshold + 1.0001e-4).mean() < recall


@given(seeds, st.integers(1, 200), st.sampled_from([None, 0.6, 0.9]))
def test_the_class_threshold_is_the_best_of_all(seed, n, precision):
    """Oracle: every threshold tried."""
    rng = np.random.default_rng(seed)
    chances = np.round(rng.random(n), 2)  # ties
    right = rng.random(n) < chances
    n_truth = int(right.sum()) + int(rng.integers(1, 30))
    found = c.class_threshold(chances, right, n_truth, precision=precision)

    def worth(threshold):
        taken = chances >= threshold
        hits = (right & taken).sum()
        share = hits / max(1, taken.sum())
        if precision is None:
            return hits / (n_truth + taken.sum() - hits)
        return taken.sum() + n if share >= precision else share

    assert worth(found) == pytest.approx(max(map(worth, [0.0, *chances[chances > 0]])))


@given(seeds, st.integers(1, 20))
def test_reliability_counts_everything_that_is_known(seed, bins):
    rng = np.random.default_rng(seed)
    chances, outcomes = rng.random((40, 2)), rng.integers(0, 2, (40, 2)).astype(float)
    chances[0, 0], outcomes[3] = 1.0, np.nan
    curve = c.reliability(chances, outcomes, bins=bins)
    assert curve.counts.sum() == 78
    assert 0 <= curve.error <= 1


def test_calibration_error_by_hand():
    """Two say 0.2 and one of them is so; three say 0.9 and two are so."""
    curve = c.reliability(np.array([0.2, 0.2, 0.9, 0.9, 0.9]), np.array([1, 0, 1, 1, 0.0]))
    assert curve.error == pytest.approx(2 / 5 * abs(0.5 - 0.2) + 3 / 5 * abs(2 / 3 - 0.9))


def test_probabilities_sum_to_one_at_any_temperature():
    logits = np.random.default_rng(0).normal(0, 500, (20, 5))
    assert c.softmax_rows(logits, 0.1).sum(axis=1) == pytest.approx(1)


def test_the_false_alarm_threshold_without_negatives():
    assert c.false_alarm_threshold(np.ones(3), np.ones(3), 0.1) is None


@given(st.integers(0, 2**32), st.integers(2, 300), st.sampled_from([0.005, 0.01, 0.1, 0.5]))
def test_the_false_alarm_threshold_holds_and_is_the_lowest(seed, n, share):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.float64)
    labels[0], labels[rng.random(n) < 0.1] = 0, np.nan
    labels[0] = 0
    chances = np.clip(rng.normal(0.3 + 0.3 * np.nan_to_num(labels), 0.2), 0.0, 0.9)
    threshold = c.false_alarm_threshold(chances, labels, share)
    negatives = chances[labels == 0]
    assert (negatives >= threshold).sum() <= share * negatives.size + 1e-9
    if threshold > 0.0001:
        assert (negatives >= threshold - 0.00011).sum() > share * negatives.size - 1e-9
