"""The median of each band. Bands are taken apart, so a pixel may mix several images.

Source of the pairs by which few images are ordered: Batcher, Sorting networks and their applications, AFIPS 1968.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.methods.method import Floats

__all__ = ["combine"]

PART = 1 << 19
"""Values of a stack that are worked on at once: they stay in the cache of a core."""
MOST_BY_PAIRS = 32
"""Images up to which ordering whole arrays pair by pair is faster than numpy's sort of each pixel."""


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. All weights above 0 count alike; of an even number the middle of both middle values counts.

    A share is the part of the middle values, over all bands, that an image holds; images of one value share it.
    """
    del temperature  # nothing to sharpen
    composite, share = np.empty_like(stack[0]), np.empty(weight.shape, stack.dtype)
    step = max(1, PART // stack[:, :, 0].size)
    for row in range(0, weight.shape[1], step):
        rows = slice(row, row + step)
        composite[:, rows], share[:, rows] = _of_part(stack[:, :, rows], weight[:, rows] > 0)
    return composite, share


def _of_part(stack: Floats, good: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    n_good = good.sum(axis=0, dtype=np.uint16)
    filled = stack.copy()
    np.copyto(filled, np.inf, where=~good[:, np.newaxis])
    ordered = _ordered(filled)
    low, high = np.zeros_like(stack[0]), np.zeros_like(stack[0])
    for number in np.unique(n_good[n_good > 0]).tolist():
        here = n_good == number
        np.copyto(low, ordered[(number - 1) // 2], where=here)
        np.copyto(high, ordered[number // 2], where=here)
    composite = low + (high - low) / 2
    composite[:, n_good == 0] = np.nan
    return composite, _shares(stack, good, (low, high))


def _ordered(stack: Floats) -> Sequence[Floats]:
    """The values of each pixel by size along the first axis; works in `stack`."""
    if len(stack) > MOST_BY_PAIRS:
        return [*np.sort(stack, axis=0)]
    images, spare = [*stack], np.empty_like(stack[0])
    for one, other in _pairs(len(stack)):
        np.minimum(images[one], images[other], out=spare)
        np.maximum(images[one], images[other], out=images[other])
        images[one], spare = spare, images[one]
    return images


def _pairs(number: int) -> Iterator[tuple[int, int]]:
    """Pairs of places that, put in order one after the other, order any `number` of values."""
    run = 1  # runs of this length are in order, and merged two by two
    while run < number:
        step = run
        while step:
            for start in range(step % run, number - step, 2 * step):
                for one in range(start, min(start + step, number - step)):
                    if one // (2 * run) == (one + step) // (2 * run):
                        yield one, one + step
            step //= 2
        run *= 2


def _shares(stack: Floats, good: NDArray[np.bool_], middles: tuple[Floats, Floats]) -> Floats:
    share = np.zeros(good.shape, stack.dtype)
    n_images, n_bands = stack.shape[:2]
    parts = 1 / (2 * n_bands * np.maximum(np.arange(n_images + 1), 1)).astype(stack.dtype)
    for middle in middles:
        for band in range(n_bands):
            holds = good & (stack[:, band] == middle[band])
            share += holds * parts[holds.sum(axis=0, dtype=np.uint16)]
    return share
