"""Bins of the probability: every threshold that cards may name is an edge, and bins are narrow where networks crowd.

Edges are those of two ladders laid over each other: even steps of 1/5100, on which k/255, k/100 and what they have in
common lie, and even steps of the logit. Without the second a network that is sure of itself has half of its pixels in
the outermost bins, where nothing tells them apart, and its AUC comes out low.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "N_BINS", "bin_of", "edge_of", "level_of"]

LEVELS = 5100
"""Even steps of the probability."""
LOGIT_STEPS = 32
"""Steps for each unit of the logit."""
LOWEST, HIGHEST = -104.0, 17.0
"""Logits of the least float32 above 0 and of the last one below 1; what lies further out is one bin."""
N_BINS = LEVELS + 1 + round((HIGHEST - LOWEST) * LOGIT_STEPS)
"""All bins; the last is that of 1 and of what float32 cannot tell from it."""


def level_of(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """The even step of each probability, 0 to 5100, in any shape; only 1 has the last.

    Law: a probability reaches k/5100 exactly where its step is k or more; one within 2e-7 below an edge counts as on
    it, because float32 cannot tell.
    """
    scaled = np.floor(np.asarray(probability, np.float64) * LEVELS + 1e-3)
    return np.clip(scaled, 0, LEVELS).astype(np.int64)


def bin_of(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """The bin of each probability (any shape), 0 to `N_BINS` - 1: the edges of both ladders that it reaches, counted.

    Laws: a larger probability never has a lower bin; it reaches k/5100 exactly where its bin reaches `edge_of` that.
    """
    level = level_of(probability)
    # no lower than the edge that it counts as on, or both ladders would not agree
    p = np.clip(np.asarray(probability, np.float64), level / LEVELS, 1)
    with np.errstate(divide="ignore"):
        logit = np.log(p) - np.log1p(-p)
    step = np.floor((np.clip(logit, LOWEST, HIGHEST) - LOWEST) * LOGIT_STEPS)
    return np.asarray(level + step.astype(np.int64))


def edge_of(threshold: float) -> int:
    """The first bin that reaches a threshold k/5100; see `bin_of`."""
    return int(bin_of(np.array(round(threshold * LEVELS) / LEVELS)))
