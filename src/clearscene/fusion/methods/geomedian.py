"""The geometric median: the point with the smallest sum of distances to all images, all bands at once.

Source: Roberts, Mueller, McIntyre, High-dimensional pixel composites from Earth observation time series, IEEE TGRS
55, 2017.
"""

import numpy as np

from clearscene.fusion.methods.method import Floats, shares_of_weight, within_inputs
from clearscene.fusion.methods.smallest_sum import smallest_sums

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. Weights count; a share is an image's weight in the mean that the geometric median is.

    The sum of distances is within 0.1 % of the smallest, mostly within 0.001 %. Of two images, any point between them
    is a geometric median: their weighted mean is taken.
    """
    del temperature  # nothing to sharpen
    n_images, n_bands, height, width = stack.shape
    center = np.einsum("irc,ibrc->brc", shares_of_weight(weight), stack)
    apart = (stack - center) * (weight > 0)[:, np.newaxis]  # small numbers about 0 keep their digits
    point, share = smallest_sums(apart.reshape(n_images, n_bands, -1), weight.reshape(n_images, -1))
    composite = within_inputs(center + point.reshape(n_bands, height, width), stack, weight)
    return composite, share.reshape(weight.shape)
