"""Softmax of learned quality across images, and the mean by it.

Source: seed 002, weakly supervised fusion of multiple overhead images (Rafique, Blanton, Jacobs, CVPR Workshops
2019), equations 1 and 2.
"""

import numpy as np

from clearscene.fusion.methods.mean import combine as mean
from clearscene.fusion.methods.method import Floats

__all__ = ["combine", "weight_of"]


def weight_of(logit: Floats, good: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """Weights (image, row, col) whose shares are the softmax of the quality logits over the good images.

    Law: the largest weight of a pixel that has a good image is 1, so none overflows.
    """
    shown = np.where(good, logit, -np.inf)
    top = shown.max(axis=0)
    return np.asarray(np.exp(shown - np.where(np.isfinite(top), top, 0)), logit.dtype)


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. With the weights of `weight_of` the shares are the softmax of logit / temperature (equation 1).

    A small temperature lets the best image alone speak, a large one is the mean.
    """
    peak = weight.max(axis=0)
    relative = weight / np.where(peak > 0, peak, 1)
    smallest = np.finfo(weight.dtype).tiny  # a share of any size keeps the pixel of the only good image
    sharpened = np.where(weight > 0, np.maximum(relative ** (1 / temperature), smallest), 0)
    return mean(stack, np.asarray(sharpened, weight.dtype))
