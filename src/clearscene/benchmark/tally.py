"""Counting as images stream by: one tally a scene, whatever the threshold will be.

Confusion at every threshold on an edge follows from two histograms, so that a rule that looks for the best
threshold costs no second pass. Only boundaries need the thresholds beforehand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.bins import LEVELS, N_BINS, bin_of, edge_of, level_of
from clearscene.benchmark.metrics import BOUNDARY, ECE_BINS, Sums

__all__ = ["IGNORED", "Tally", "boundary_counts", "joined", "strips"]

IGNORED = 255
"""Value of the truth that is not counted."""
STRIP = 2**19
"""Pixels that are counted at once; a strip is one row at least."""
EVERY_ROW = slice(None)


@dataclass
class Tally:
    """Sums of one scene. Law: the order of what is added, and how it is cut, changes nothing but boundaries at cuts."""

    thresholds: Sequence[float]
    """Those that may be asked for boundaries."""
    tolerance_px: int = 2
    positives: NDArray[np.int64] = field(init=False)
    negatives: NDArray[np.int64] = field(init=False)
    confidence: NDArray[np.float64] = field(init=False)
    boundary: NDArray[np.int64] = field(init=False)
    """(threshold, 4)."""

    def __post_init__(self) -> None:
        self.positives, self.negatives = np.zeros(N_BINS, np.int64), np.zeros(N_BINS, np.int64)
        self.confidence = np.zeros(ECE_BINS, np.float64)
        self.boundary = np.zeros((len(self.thresholds), len(BOUNDARY)), np.int64)

    def add(self, probability: NDArray[np.floating], truth: NDArray[np.uint8]) -> None:
        """Count an image (row, col): probability 0 to 1; truth 0, 1, or 255 where nothing is counted.

        Law: what is counted does not depend on the height of the strips, and beyond the image memory does not grow with
        its height: some 70 bytes for each pixel of a strip.
        """
        for whole, core in strips(truth.shape, margin=self.tolerance_px + 2):
            self._add_strip(bin_of(probability[whole]), probability[whole], truth[whole], core=core)

    def _add_strip(
        self, every: NDArray[np.int64], probability: NDArray[np.floating], truth: NDArray[np.uint8], *, core: slice
    ) -> None:
        """Count the rows `core` of bins, probability and truth (row, col); the others are what boundaries see."""
        counted = truth[core] != IGNORED
        bins, is_true = every[core][counted], truth[core][counted] == 1
        self.positives += np.bincount(bins[is_true], minlength=N_BINS)
        self.negatives += np.bincount(bins[~is_true], minlength=N_BINS)
        values = np.clip(probability[core][counted].astype(np.float64), 0, 1)
        coarse = np.minimum(level_of(values) // (LEVELS // ECE_BINS), ECE_BINS - 1)
        self.confidence += np.bincount(coarse, weights=values, minlength=ECE_BINS)
        for i, threshold in enumerate(self.thresholds):
            self.boundary[i] += boundary_counts(every >= edge_of(threshold), truth, self.tolerance_px, core=core)

    @property
    def n_pixels(self) -> int:
        """Pixels that were counted."""
        return int(self.positives.sum() + self.negatives.sum())


def joined(tallies: Sequence[Tally], threshold: float) -> Sums:
    """Sums (scene, ...) at one of the thresholds of the tallies. Memory: 0.4 MB a scene, 8 bytes a pair."""
    positives = np.array([tally.positives for tally in tallies], np.float64).reshape(-1, N_BINS)
    negatives = np.array([tally.negatives for tally in tallies], np.float64).reshape(-1, N_BINS)
    edge = edge_of(threshold)
    tp, fp = positives[:, edge:].sum(axis=1), negatives[:, edge:].sum(axis=1)
    boundary = [tally.boundary[list(tally.thresholds).index(threshold)] for tally in tallies]
    less_probable = np.cumsum(negatives, axis=1) - negatives / 2
    across = positives @ less_probable.T
    return Sums(
        confusion=np.stack([tp, fp, positives.sum(axis=1) - tp, negatives.sum(axis=1) - fp], axis=1),
        boundary=np.array(boundary, np.float64).reshape(-1, len(BOUNDARY)),
        ordered=np.diag(across).copy(),
        pixels=_coarse(positives + negatives),
        true=_coarse(positives),
        confidence=np.array([tally.confidence for tally in tallies], np.float64).reshape(-1, ECE_BINS),
        across=across,
    )


def _coarse(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(scene, bin) joined to (scene, ece bin); a probability of 1 belongs to the last."""
    return np.asarray(np.add.reduceat(counts, [edge_of(i / ECE_BINS) for i in range(ECE_BINS)], axis=1))


def strips(shape: tuple[int, ...], *, margin: int) -> Iterator[tuple[slice, slice]]:
    """Rows of an image of this height and width, strip by strip: those to read, and which of these are the strip.

    Laws: the strips are all rows, each once; those to read reach `margin` rows further, or to the end of the image.
    """
    height, width = shape
    step = max(1, STRIP // max(width, 1))
    for top in range(0, height, step):
        bottom, first = min(height, top + step), max(0, top - margin)
        yield slice(first, min(height, bottom + margin)), slice(top - first, bottom - first)


def boundary_counts(
    found: NDArray[np.bool_], truth: NDArray[np.uint8], tolerance_px: int, *, core: slice = EVERY_ROW
) -> tuple[int, int, int, int]:
    """Boundary pixels in the order of `BOUNDARY`, of a mask and a truth (row, col) with 255 as not counted.

    A boundary pixel is a pixel of the mask with another beside it, in eight directions, that is not. The frame
    of the image is no boundary, and neither is the edge of what is not counted. Near is within `tolerance_px`,
    in straight distance (Csurka and others, "What is a good evaluation measure for semantic segmentation?",
    BMVC 2013). Only those in the rows `core` are counted; `tolerance_px` + 2 rows around them decide with them.
    """
    known = (truth != IGNORED).astype(np.uint8)
    inside = _eroded(known).astype(np.bool_)
    drawn, true = (_outline(mask & (known == 1)) & inside for mask in (found, truth == 1))
    n_drawn, n_true = int(drawn[core].sum()), int(true[core].sum())
    hit = int((_distance(true)[core][drawn[core]] <= tolerance_px).sum()) if n_drawn and true.any() else 0
    met = int((_distance(drawn)[core][true[core]] <= tolerance_px).sum()) if n_true and drawn.any() else 0
    return hit, n_drawn, met, n_true


def _eroded(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.uint8)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(mask & (_eroded(mask.astype(np.uint8)) == 0))


def _distance(boundary: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of every pixel to the nearest of the boundary."""
    away = (~boundary).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
