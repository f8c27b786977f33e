"""Is there any sky at all? Indoors, from above, in a wood, a network finds specks of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Check", "check_sky"]

SMALLEST_SHARE = 0.002
"""Of the photo, that the largest piece of sky must cover."""
LEAST_SURE = 0.75
"""Mean probability of that piece."""


@dataclass(frozen=True)
class Check:
    """What speaks for sky."""

    has_sky: bool
    largest_share: float
    """Of the photo, that the largest piece covers."""
    mean_probability: float
    """Of that piece; 0 without any."""


def check_sky(probability: NDArray[np.float32], threshold: float = 0.5) -> Check:
    """Look at the largest connected piece of (row, col) from `threshold` on.

    Law: no sky where nothing reaches the threshold; sky where all of it is sure.
    """
    flags = (probability >= threshold).astype(np.uint8)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(flags, connectivity=8)
    if n < 2:
        return Check(False, 0.0, 0.0)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    share = float(stats[largest, cv2.CC_STAT_AREA] / flags.size)
    mean = float(probability[labels == largest].mean())
    return Check(share >= SMALLEST_SHARE and mean >= LEAST_SURE, share, mean)
