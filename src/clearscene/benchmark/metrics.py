"""What is measured of a binary mask, from sums that add up: confusion counts and histograms of the probability.

Every function takes arrays whose last axis holds the sums, so that one call measures a scene, a pool, or a
thousand bootstrap draws. A quotient without anything below it is NaN: not defined, never 0 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOUNDARY", "CONFUSION", "ECE_BINS", "METRICS", "Metric", "Sums", "measure"]

ECE_BINS = 15
"""Bins of the calibration error; they are joined from the others."""
CONFUSION = ("tp", "fp", "fn", "tn")
BOUNDARY = ("hit", "drawn", "met", "true")
"""Pixels of the drawn boundary that are near the true one, of all drawn; of the true one near the drawn, of all."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Everything that metrics are made of; leading axes are free. Law: sums of parts are those of the whole."""

    confusion: Array
    """(..., 4) in the order of `CONFUSION`, at one threshold."""
    boundary: Array
    """(..., 4) in the order of `BOUNDARY`, at the same threshold."""
    ordered: Array
    """(...) pairs of a true and a false pixel of which the true one is the more probable; equal ones are one half."""
    pixels: Array
    """(..., ece bin) pixels."""
    true: Array
    """(..., ece bin) true pixels."""
    confidence: Array
    """(..., ece bin) sum of the probability."""
    across: Array
    """(part, part) as `ordered`, true pixels of one part with false ones of another; (0, 0) once it is summed."""

    def weighted(self, weights: NDArray[np.integer]) -> "Sums":
        """Sums over the first axis, each part counted as often as `weights` (draw, part) says.

        The pairs need no look at single pixels: of draws w they are w A w, A being `across`.
        """
        w = weights.astype(np.float64)
        return Sums(
            confusion=w @ self.confusion,
            boundary=w @ self.boundary,
            ordered=((w @ self.across) * w).sum(axis=1),
            pixels=w @ self.pixels,
            true=w @ self.true,
            confidence=w @ self.confidence,
            across=np.zeros((0, 0)),
        )


@dataclass(frozen=True)
class Metric:
    """One number and how to read it."""

    name: str
    title: str
    """Head of its column."""
    what: str
    """One line."""
    function: Callable[[Sums], Array]
    is_better_high: bool = True


def measure(name: str, sums: Sums) -> Array:
    """A metric by its name over the leading axes of the sums; NaN where it is not defined."""
    return METRICS[name].function(sums)


def _ratio(above: Array, below: Array) -> Array:
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def _parts(sums: Sums) -> tuple[Array, Array, Array, Array]:
    tp, fp, fn, tn = (sums.confusion[..., i] for i in range(4))
    return tp, fp, fn, tn


def _dice(sums: Sums) -> Array:
    tp, fp, fn, _ = _parts(sums)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _dice_smooth(sums: Sums) -> Array:
    tp, fp, fn, _ = _parts(sums)
    return np.asarray((2 * tp + 1) / (2 * tp + fp + fn + 1))


def _iou(sums: Sums) -> Array:
    tp, fp, fn, _ = _parts(sums)
    return _ratio(tp, tp + fp + fn)


def _precision(sums: Sums) -> Array:
    tp, fp, _, _ = _parts(sums)
    return _ratio(tp, tp + fp)


def _recall(sums: Sums) -> Array:
    tp, _, fn, _ = _parts(sums)
    return _ratio(tp, tp + fn)


def _specificity(sums: Sums) -> Array:
    _, fp, _, tn = _parts(sums)
    return _ratio(tn, tn + fp)


def _accuracy(sums: Sums) -> Array:
    tp, _, _, tn = _parts(sums)
    return _ratio(tp + tn, sums.confusion.sum(axis=-1))


def _balanced(sums: Sums) -> Array:
    return (_recall(sums) + _specificity(sums)) / 2


def _f2(sums: Sums) -> Array:
    tp, fp, fn, _ = _parts(sums)
    return _ratio(5 * tp, 5 * tp + 4 * fn + fp)


def _coverage(sums: Sums) -> Array:
    tp, fp, fn, _ = _parts(sums)
    total = sums.confusion.sum(axis=-1)
    return 1 - np.abs(_ratio(tp + fp, total) - _ratio(tp + fn, total))


def _boundary_f(sums: Sums) -> Array:
    hit, drawn, met, true = (sums.boundary[..., i] for i in range(4))
    precision, recall = _ratio(hit, drawn), _ratio(met, true)
    precision = np.where((drawn == 0) & (true > 0), 0.0, precision)  # nothing drawn where there is a boundary: missed
    recall = np.where((true == 0) & (drawn > 0), 0.0, recall)
    added = precision + recall
    return np.where(added == 0, 0.0, _ratio(2 * precision * recall, added))


def _auc(sums: Sums) -> Array:
    """Share of pairs (true, false pixel) in the right order, pairs in one bin as one half (Mann-Whitney)."""
    tp, fp, fn, tn = _parts(sums)
    return _ratio(sums.ordered, (tp + fn) * (fp + tn))


def _ece(sums: Sums) -> Array:
    """Mean distance of the probability and the share of true pixels, by bins of equal width, weighted by pixels."""
    gap = np.abs(sums.confidence - sums.true).sum(axis=-1)
    return _ratio(gap, sums.pixels.sum(axis=-1))


_ALL = (
    Metric("auc", "AUC", "area under the ROC curve of the probabilities", _auc),
    Metric(
        "auc_thresholded",
        "AUC (thresholded)",
        "that of the mask after the threshold, which is balanced accuracy; what the benchmark's code prints as AUC",
        _balanced,
    ),
    Metric("dice", "Dice", "2 TP / (2 TP + FP + FN)", _dice),
    Metric("dice_smooth", "Dice", "(2 TP + 1) / (2 TP + FP + FN + 1), as in the benchmark's code", _dice_smooth),
    Metric("iou", "IoU", "TP / (TP + FP + FN)", _iou),
    Metric(
        "coverage_similarity",
        "Coverage similarity",
        "1 - |predicted share - true share|: agreement of the cloud fraction, as in the benchmark's code",
        _coverage,
    ),
    Metric(
        "coverage_recall",
        "Coverage (recall)",
        "share of the true cloud that is covered, as in the benchmark's paper; this is recall",
        _recall,
    ),
    Metric("precision", "Precision", "TP / (TP + FP)", _precision),
    Metric("recall", "Recall", "TP / (TP + FN)", _recall),
    Metric("specificity", "Specificity", "TN / (TN + FP)", _specificity),
    Metric("accuracy", "Accuracy", "share of pixels that are right", _accuracy),
    Metric("balanced_accuracy", "Balanced accuracy", "mean of recall and specificity", _balanced),
    Metric("f2", "F2", "F with recall counting twice as much as precision", _f2),
    Metric(
        "boundary_f", "Boundary F", "F of the boundary pixels that lie within the tolerance of each other", _boundary_f
    ),
    Metric("ece", "ECE", "expected calibration error, 15 bins; low is good", _ece, is_better_high=False),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""All metrics by name."""
