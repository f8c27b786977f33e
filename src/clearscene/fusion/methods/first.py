"""The first image that has data: the stack is in the order of dates."""

import numpy as np

from clearscene.fusion.methods.method import Floats, chosen

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. Here the order of the images is what counts, so it does change the result."""
    del temperature  # nothing to sharpen
    good = weight > 0
    return chosen(stack, good.argmax(axis=0), np.asarray(good.any(axis=0)))
