"""The weighted mean. A cloud in one of n images stays visible at one n-th of its strength."""

import numpy as np

from clearscene.fusion.methods.method import Floats, shares_of_weight, within_inputs

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. The weights are true ones: twice the weight is twice the share.

    This is the sum over images divided by the sum of weights once, at the end; the published evaluation of the
    seed divides inside the loop, so that its "mean" darkens with the number of images.
    """
    del temperature  # nothing to sharpen
    share = shares_of_weight(weight)
    composite = np.einsum("irc,ibrc->brc", share, stack, optimize=False)
    return within_inputs(composite, stack, weight), share
