"""What is measured: pooled IoU from one confusion matrix, and the screen's accuracy, F1 and average precision.

All sums run over all pixels, or tiles, of a split; a mean of per-chip values is never taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["PixelCounts", "TileScores", "average_precision", "f1_scores"]


@dataclass
class PixelCounts:
    """Pixels by true class (row) and answered class (col). Law: counts of parts add up to those of the whole."""

    names: Sequence[str]
    """The first is the background."""
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((len(self.names), len(self.names)), np.int64)

    def add(self, truth: NDArray[np.integer], answer: NDArray[np.integer]) -> None:
        """Count class indexes of one shape; where the truth is not a class (255), nothing is counted."""
        n = len(self.names)
        counted = truth < n
        pairs = truth[counted].astype(np.int64) * n + answer[counted]
        self.counts += np.bincount(pairs, minlength=n * n).reshape(n, n)

    def iou(self) -> NDArray[np.float64]:
        """IoU (class,); NaN for a class that the truth does not hold: it is not counted."""
        both = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - both
        is_there = self.counts.sum(1) > 0
        return _divided(both, union, is_there)

    def summary(self) -> dict[str, float]:
        """`miou` (without background), `miou_with_background`, `pixel_accuracy`, `iou_<class>`."""
        iou, total = self.iou(), self.counts.sum()
        return {
            "miou": _mean(iou[1:]),
            "miou_with_background": _mean(iou),
            "pixel_accuracy": float(np.trace(self.counts) / total) if total else float("nan"),
            **{f"iou_{name}": float(value) for name, value in zip(self.names, iou, strict=True)},
        }


@dataclass
class TileScores:
    """Logits of tiles and what they should be."""

    names: Sequence[str]
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, labels: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
        """(n, type) both; a label below 0 is unknown."""
        self.labels.append(labels)
        self.logits.append(logits)

    def summary(self) -> dict[str, float]:
        """`accuracy` over all decisions, `macro_f1`, `mean_average_precision`, `f1_<type>`, `ap_<type>`.

        A type is called where its probability is at least a half. A type that no tile shows is not counted.
        """
        labels, logits = np.concatenate(self.labels), np.concatenate(self.logits)
        f1 = f1_scores(labels, logits >= 0)
        precision = np.array([average_precision(labels[:, i], logits[:, i]) for i in range(len(self.names))])
        known = labels >= 0
        return {
            "accuracy": float(((logits >= 0) == (labels > 0))[known].mean()) if known.any() else float("nan"),
            "macro_f1": _mean(f1),
            "mean_average_precision": _mean(precision),
            **{f"f1_{name}": float(value) for name, value in zip(self.names, f1, strict=True)},
            **{f"ap_{name}": float(value) for name, value in zip(self.names, precision, strict=True)},
        }


def f1_scores(labels: NDArray[np.floating], called: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F1 by type, of (n, type); NaN for a type that no known label shows."""
    known, shown = labels >= 0, labels > 0
    right = (shown & called).sum(0).astype(np.float64)
    total = shown.sum(0) + (called & known).sum(0)
    return _divided(2 * right, total, np.asarray(shown.any(0)))


def average_precision(labels: NDArray[np.floating], scores: NDArray[np.floating]) -> float:
    """The mean precision over the tiles (n,) that show the type, ties counted together; NaN without any.

    Step-wise, without interpolation, as in scikit-learn's `average_precision_score`.
    """
    labels, scores = labels[labels >= 0], scores[labels >= 0]
    if not (labels > 0).any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits, scores = (labels[order] > 0).cumsum(), scores[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # the end of each run of equal scores
    precision = hits[last] / (last + 1)
    return float((np.diff(hits[last], prepend=0) * precision).sum() / hits[-1])


def _divided(
    above: NDArray[np.float64], below: NDArray[np.integer | np.floating], counts: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The quotient; NaN where it does not count."""
    quotient = np.full(above.shape, np.nan)
    quotient[counts] = above[counts] / below[counts]
    return quotient


def _mean(values: NDArray[np.float64]) -> float:
    """Of those that are numbers."""
    return float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else float("nan")
