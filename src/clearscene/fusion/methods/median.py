"""The median of each band. Bands are taken apart, so a pixel may mix several images."""

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.methods.method import Floats

__all__ = ["combine"]


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. All weights above 0 count alike; of an even number the middle of both middle values counts.

    A share is the part of the middle values, over all bands, that an image holds; images of one value share it.
    """
    del temperature  # nothing to sharpen
    good = weight > 0
    n_good = good.sum(axis=0)
    ordered = np.sort(np.where(good[:, np.newaxis], stack, np.inf), axis=0)
    places = np.maximum((n_good - 1) // 2, 0), np.where(n_good > 0, n_good // 2, 0)
    low, high = (np.where(n_good > 0, _at(ordered, place), 0).astype(stack.dtype) for place in places)
    composite = low + (high - low) / 2
    composite[:, n_good == 0] = np.nan
    return composite, _shares(stack, good, (low, high))


def _at(ordered: Floats, index: NDArray[np.intp]) -> Floats:
    """Values (band, row, col) at an index (row, col) of the first axis."""
    return np.asarray(np.take_along_axis(ordered, index[np.newaxis, np.newaxis], axis=0)[0])


def _shares(stack: Floats, good: NDArray[np.bool_], middles: tuple[Floats, Floats]) -> Floats:
    share = np.zeros(good.shape, stack.dtype)
    n_bands = stack.shape[1]
    for middle in middles:
        for band in range(n_bands):
            holds = good & (stack[:, band] == middle[band])
            share += holds / (2 * n_bands * np.maximum(holds.sum(axis=0), 1)).astype(stack.dtype)
    return share
