"""The image with the largest weight: a hard choice by quality, or by distance to the next cloud."""

import numpy as np

from clearscene.fusion.methods.method import Floats, chosen

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. Of equal weights the first image is taken."""
    del temperature  # a hard choice is as sharp as it gets
    return chosen(stack, weight.argmax(axis=0), np.asarray((weight > 0).any(axis=0)))
