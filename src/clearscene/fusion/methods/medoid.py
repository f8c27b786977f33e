"""The medoid: of each pixel the image that is nearest to all others, so its colors are real ones.

Source: Flood, Seasonal composite Landsat TM/ETM+ images using the medoid, Remote Sensing 5, 2013.
"""

import numpy as np

from clearscene.fusion.methods.method import Floats, chosen

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. The image with the smallest sum of Euclidean distances over all bands is taken.

    All weights above 0 count alike. Of two images both are as near: the first is taken.
    """
    del temperature  # nothing to sharpen
    good = weight > 0
    total = np.where(good, np.zeros((), stack.dtype), np.inf).astype(stack.dtype)
    for one in range(len(stack)):
        for other in range(one + 1, len(stack)):
            apart = stack[one] - stack[other]
            distance = np.sqrt(np.einsum("brc,brc->rc", apart, apart))
            distance *= good[one] & good[other]
            total[one] += distance
            total[other] += distance
    return chosen(stack, total.argmin(axis=0), np.asarray(good.any(axis=0)))
