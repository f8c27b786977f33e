"""Make what a network says between 0 and 1 mean what it says, and choose thresholds from it.

Temperature scaling after Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML
2017, section 4.2: one number divides all logits, so that no decision by the largest logit changes. The
reliability curve and the expected calibration error are those of their section 2, with equal bins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.constraint import sigmoid

__all__ = [
    "RANGE",
    "Reliability",
    "class_threshold",
    "false_alarm_threshold",
    "fit_sigmoid_temperature",
    "fit_softmax_temperature",
    "recall_threshold",
    "reliability",
    "softmax_rows",
]

RANGE = (0.05, 20.0)
"""Temperatures that are looked at."""

Floats = NDArray[np.floating]


def fit_sigmoid_temperature(logits: Floats, labels: Floats) -> float:
    """The temperature that makes binary cross-entropy smallest, for logits and labels of one shape.

    Labels are 0 or 1; NaN is unknown and left out. Laws: scaling all logits by k scales the answer by k
    (within `RANGE`); without both a 0 and a 1 there is nothing to fit, and it is 1.
    """
    known = ~np.isnan(labels)
    z, y = logits[known].astype(np.float64), labels[known].astype(np.float64)
    if y.size == 0 or y.min() == y.max():
        return 1.0
    return _golden(lambda t: float(np.mean(np.logaddexp(0.0, z / t) - y * z / t)))


def fit_softmax_temperature(logits: Floats, labels: NDArray[np.integer]) -> float:
    """The temperature that makes cross-entropy smallest; logits (sample, class), labels (sample,).

    Law: as for `fit_sigmoid_temperature`; without samples it is 1.
    """
    if labels.size == 0:
        return 1.0
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    right = z[np.arange(len(z)), labels]
    return _golden(lambda t: float(np.mean(np.log(np.exp(z / t).sum(axis=1)) - right / t)))


def softmax_rows(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (sample, class) of logits. Law: rows sum to 1."""
    z = logits.astype(np.float64) / temperature
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def recall_threshold(probabilities: Floats, labels: Floats, recall: float) -> float | None:
    """The highest threshold (4 decimals) at which at least `recall` of the positives are flagged.

    Flagged means `probability >= threshold`; both arrays are (sample,), labels 0, 1 or NaN. None without a
    positive. Laws: the recall holds on the samples given; 0.0001 more would break it, or it is 1.
    """
    positives = np.sort(probabilities[labels == 1])
    if positives.size == 0:
        return None
    may_miss = math.floor((1 - recall) * positives.size + 1e-9)
    lowest = float(positives[min(may_miss, positives.size - 1)])
    return math.floor(lowest * 10_000) / 10_000


def false_alarm_threshold(probabilities: Floats, labels: Floats, share: float) -> float | None:
    """The lowest threshold (4 decimals) at which at most `share` of the negatives are flagged.

    Arrays (sample,) as of `recall_threshold`, for types of which the flag is the finding. None without a negative.
    Law: the share holds on the samples given.
    """
    negatives = np.sort(probabilities[labels == 0])[::-1]
    if negatives.size == 0:
        return None
    allowed = math.floor(share * negatives.size + 1e-9)
    highest = float(negatives[allowed]) if allowed < negatives.size else 0.0
    return min(1.0, (math.floor(highest * 10_000) + 1) / 10_000)


def class_threshold(
    probabilities: Floats, is_right: NDArray[np.bool_], n_truth: int, *, precision: float | None = None
) -> float:
    """The probability (4 decimals) that a pixel needs to be given a class, besides the most votes.

    `probabilities` (pixel,) are those of the pixels whose best class is this one, `is_right` says where that
    is the truth, `n_truth` counts all pixels of the class. Without `precision` the threshold with the best
    intersection over union; else the lowest that reaches it, or the most precise one if none does. Law: 0
    if all pixels may stay.
    """
    if probabilities.size == 0:
        return 0.0
    order = np.argsort(-probabilities, kind="stable")
    p, hits = probabilities[order], np.cumsum(is_right[order])
    taken = np.arange(1, p.size + 1)
    ends = np.append(p[:-1] != p[1:], True)  # equal probabilities stay together
    if precision is None:
        worth = np.where(ends, hits / np.maximum(n_truth + taken - hits, 1), -1.0)
    else:
        share = hits / taken
        good = ends & (share >= precision)
        worth = np.where(good, taken.astype(np.float64), -1.0) if good.any() else np.where(ends, share, -1.0)
    best = p.size - 1 - int(np.argmax(worth[::-1]))  # of equals the lowest threshold
    return 0.0 if best == p.size - 1 else math.floor(float(p[best]) * 10_000) / 10_000


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often what is said with some confidence is right; arrays (bin,), NaN where a bin is empty."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean of what was said."""
    frequency: NDArray[np.float64]
    """Share of it that was so."""

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, weighted by the counts."""
        gaps = np.abs(self.confidence - self.frequency)
        return float(np.nansum(gaps * self.counts) / max(1, self.counts.sum()))


def reliability(probabilities: Floats, outcomes: Floats, *, bins: int = 15) -> Reliability:
    """Sort probabilities (any shape) into equal bins and compare them with outcomes of that shape.

    Outcomes are 0 or 1; NaN is left out. Law: the counts add up to the known outcomes.
    """
    known = ~np.isnan(outcomes)
    p, y = probabilities[known].astype(np.float64), outcomes[known].astype(np.float64)
    index = np.clip((p * bins).astype(np.intp), 0, bins - 1)
    counts = np.bincount(index, minlength=bins).astype(np.int64)
    filled = np.where(counts > 0, counts, np.nan)
    sums = [np.bincount(index, weights=values, minlength=bins) for values in (p, y)]
    return Reliability(counts, *(total / filled for total in sums))


def sigmoid_reliability(logits: Floats, labels: Floats, temperature: float) -> Reliability:
    """Reliability of yes-or-no answers, all types together; arrays of one shape."""
    return reliability(sigmoid(logits / temperature), labels)


def softmax_reliability(logits: Floats, labels: NDArray[np.integer], temperature: float) -> Reliability:
    """Reliability of the best class of each sample; logits (sample, class), labels (sample,)."""
    chances = softmax_rows(logits, temperature)
    return reliability(chances.max(axis=1), (chances.argmax(axis=1) == labels).astype(np.float64))


def _golden(loss: Callable[[float], float], *, steps: int = 60) -> float:
    """The temperature in `RANGE` with the smallest loss, which falls and then rises; golden-section search."""
    low, high = (math.log(limit) for limit in RANGE)
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)
