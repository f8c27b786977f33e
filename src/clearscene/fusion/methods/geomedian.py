"""The geometric median: the point with the smallest sum of distances to all images, all bands at once.

Source: Roberts, Mueller, McIntyre, High-dimensional pixel composites from Earth observation time series, IEEE TGRS
55, 2017; iterations by Weiszfeld, Sur le point pour lequel la somme des distances de n points donnes est minimum, 1937.
"""

import numpy as np

from clearscene.fusion.methods.method import Floats, shares_of_weight, within_inputs

__all__ = ["combine"]

MOST_ITERATIONS = 60
CLOSE_ENOUGH = 1e-4
"""Iterations end where the point moves less than this part of the spread of its images."""
SMALLEST_PART = 1e-5
"""Distances below this part of the spread count as this: a point that lies on an image would divide by 0."""


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. Weights count; a share is an image's weight in the last mean.

    The answer is within about 0.01 % of the spread of the images of the true point. Of two images, any point
    between them is a geometric median: their weighted mean is taken.
    """
    del temperature  # nothing to sharpen
    share = shares_of_weight(weight)
    center = np.einsum("irc,ibrc->brc", share, stack)
    apart = (stack - center) * (weight > 0)[:, np.newaxis]  # small numbers about 0 keep their digits
    spread = np.sqrt((apart * apart).sum(axis=1)).max(axis=0)
    point = np.zeros_like(center)
    floor = np.maximum(SMALLEST_PART * spread, np.finfo(stack.dtype).tiny)
    for _ in range(MOST_ITERATIONS):
        distance = np.maximum(_distances(apart, point), floor)
        share = shares_of_weight(weight / distance * floor)
        moved = np.einsum("irc,ibrc->brc", share, apart) - point
        point += moved
        if (np.sqrt((moved * moved).sum(axis=0)) <= CLOSE_ENOUGH * spread).all():
            break
    return within_inputs(center + point, stack, weight), share


def _distances(apart: Floats, point: Floats) -> Floats:
    """(image, row, col), image by image: the whole stack of differences would double the memory."""
    result = np.empty((len(apart), *point.shape[1:]), apart.dtype)
    for place, image in enumerate(apart):
        difference = image - point
        np.sqrt(np.einsum("brc,brc->rc", difference, difference), out=result[place])
    return result
