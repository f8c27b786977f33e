"""Clouds so bright that their values end: a flat white patch has nothing to be told by but its rim."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.masking.classes import IDS
from clearscene.raster.sensors.product import Kind

__all__ = ["filled_by_rim"]

LEAST_PIXELS = 64
"""Of a patch; smaller ones are told by what lies around them."""
OUTER, INNER = 3, 8
"""Pixels beyond and within the border of a patch that are its rim: there a network still sees that it ends."""
LEAST_SHARE = 0.6
"""Of the rim that must be cloud: less has white roofs, snow on one side, a collar."""
BRIGHT: dict[Kind, float] = {"toa": 0.5, "surface": 0.5, "display": 0.98}
"""Values below are no saturation but flat ground."""
TOLERANCE = 1e-3
"""Of the largest value, within which a pixel is at it: an enlarged plane is rounded."""
THICK, THIN = (IDS.index(number) for number in (1, 2))


def filled_by_rim(
    probabilities: NDArray[np.float32], visible: NDArray[np.float32], valid: NDArray[np.bool_], *, kind: Kind
) -> NDArray[np.float32]:
    """Probabilities (class, row, col) in which a saturated patch within cloud is thick cloud, as surely as its rim is.

    A patch is connected pixels at the largest value of the tile in all `visible` bands (3, row, col). Laws: without
    such a patch nothing changes; a patch whose rim is not cloud, or that has none in the tile, stays as it is.
    """
    if not valid.any():
        return probabilities
    tops = visible[:, valid].max(axis=1)
    if tops.min() < BRIGHT[kind]:
        return probabilities
    flat = valid & (visible >= tops[:, None, None] * (1 - TOLERANCE)).all(axis=0)
    if np.count_nonzero(flat) < LEAST_PIXELS:
        return probabilities
    cloud = probabilities[THICK] + probabilities[THIN]
    n_patches, patches, stats, _ = cv2.connectedComponentsWithStats(flat.view(np.uint8), connectivity=8)
    filled = probabilities
    for number in range(1, n_patches):
        if stats[number, cv2.CC_STAT_AREA] < LEAST_PIXELS:
            continue
        patch = patches == number
        rim = _rim(patch) & valid
        if rim.any() and float((cloud[rim] > 0.5).mean()) >= LEAST_SHARE:
            filled = filled.copy() if filled is probabilities else filled
            _raise_to(filled, patch, float(cloud[rim].mean()))
    return filled


def _rim(patch: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels about the border of a patch; the end of the tile is no border."""
    inside, outside = (np.ones((2 * n + 1, 2 * n + 1), np.uint8) for n in (INNER, OUTER))
    pixels = patch.view(np.uint8)
    core = cv2.erode(pixels, inside, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray((cv2.dilate(pixels, outside) > 0) & (core == 0))


def _raise_to(probabilities: NDArray[np.float32], patch: NDArray[np.bool_], sure: float) -> None:
    """Make the patch thick cloud with this probability, where it is less; the others share the rest as they did."""
    here = probabilities[:, patch]
    rest = 1 - here[THICK]
    lower = here[THICK] < sure
    scale = np.where(lower, (1 - sure) / np.maximum(rest, np.finfo(np.float32).tiny), 1)
    thick = np.where(lower, sure, here[THICK])
    here *= scale
    here[THICK] = thick
    probabilities[:, patch] = here
