"""How much each image counts at each pixel, before a method combines them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.methods.learned import weight_of
from clearscene.fusion.methods.mean import combine as mean
from clearscene.fusion.methods.method import Combine, Floats

__all__ = ["FAR", "distance_px", "feathered", "good_pixels", "quality_weight", "ranked_by_distance", "softly_chosen"]

FAR = 64
"""Pixels from the next cloud beyond which distance makes no difference."""
LEAST = 1e-3
"""Weight of a pixel that lies in a cloud and is used all the same."""
NEXT_TO_NOTHING = 1e-12
"""Weight of what is good but not chosen anywhere near: it keeps the pixel of the only good image."""


def good_pixels(valid: NDArray[np.bool_], bad: NDArray[np.bool_], *, uses_least_bad: bool) -> NDArray[np.bool_]:
    """Where images count, from where they have data and where they are masked, all (image, row, col).

    Law: a good pixel is valid. With `uses_least_bad` some image is good wherever one is valid.
    """
    good = valid & ~bad
    if uses_least_bad:
        good |= valid & ~good.any(axis=0)
    return good


def distance_px(marked: NDArray[np.bool_], limit: int) -> NDArray[np.float32]:
    """Distance of each pixel (row, col) to the center of the next marked one, at most `limit`; 0 where marked."""
    if not marked.any():
        return np.full(marked.shape, limit, np.float32)
    found = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.minimum(found, np.float32(limit)), np.float32)


def ranked_by_distance(good: NDArray[np.bool_], bad: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weights (image, row, col) that grow with the distance to the image's next masked pixel, from 1 to 65."""
    return np.stack([np.where(g, 1 + distance_px(b, FAR), 0) for g, b in zip(good, bad, strict=True)]).astype(
        np.float32
    )


def feathered(good: NDArray[np.bool_], usable: NDArray[np.bool_], width: int) -> NDArray[np.float32]:
    """Weights (image, row, col) that rise from a pixel beside what is not usable to 1, `width` pixels further in.

    Law: above 0 exactly where good; between 0 and 1; neighbors differ by at most 1 / (width + 1) where both are usable.
    """
    steps = [distance_px(~u, width + 1) / (width + 1) for u in usable]
    return np.where(good, np.maximum(np.stack(steps), np.float32(LEAST)), np.float32(0))


def softly_chosen(
    stack: Floats, weight: Floats, choose: Combine, *, fade: NDArray[np.float32], width: int
) -> tuple[Floats, Floats]:
    """As `Combine`, by a method that chooses one image a pixel; choices fade into each other over `width` pixels.

    A share is the part of the square around a pixel, `width` or one more a side, in which the image is chosen, times
    `fade` (image, row, col) of the pixel, among the images that are good there. Law: where the square is of one choice,
    that image is taken.
    """
    _, share = choose(stack, weight, temperature=1.0)
    side = 2 * (width // 2) + 1
    # Counts of pixels, whole numbers, are the same in every cut of the scene.
    counts = [
        cv2.boxFilter(part, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for part in share.astype(np.float32)
    ]
    parts = np.maximum(np.stack(counts) * fade, NEXT_TO_NOTHING)
    return mean(stack, np.where(weight > 0, parts, 0).astype(weight.dtype))


def quality_weight(logit: NDArray[np.float32], good: NDArray[np.bool_]) -> Floats:
    """Weights (image, row, col) by learned quality, above 0 exactly where good."""
    weight = weight_of(logit, good)
    return np.where(good, np.maximum(weight, np.finfo(np.float32).tiny), 0).astype(np.float32)
