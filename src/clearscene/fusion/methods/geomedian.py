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
WORTH_LEAVING = 0.25
"""Share of the pixels that are done from which the others are copied together."""
SMALLEST_PART = 1e-5
"""Distances below this part of the spread count as this: a point that lies on an image would divide by 0."""


def combine(stack: Floats, weight: Floats, *, temperature: float = 1.0) -> tuple[Floats, Floats]:
    """See `Combine`. Weights count; a share is an image's weight in the last mean.

    The sum of distances is within 0.1 % of the smallest, mostly within 0.001 %: the iterations are slow where the
    smallest is at an image or close to one. Where it is at an image, it is that image, with a share of 1. Of two
    images, any point between them is a geometric median: their weighted mean is taken.
    """
    del temperature  # nothing to sharpen
    share = shares_of_weight(weight)
    center = np.einsum("irc,ibrc->brc", share, stack)
    apart = (stack - center) * (weight > 0)[:, np.newaxis]  # small numbers about 0 keep their digits
    n_images, n_bands, height, width = stack.shape
    point, share = _found(apart.reshape(n_images, n_bands, -1), weight.reshape(n_images, -1))
    point, share = point.reshape(n_bands, height, width), share.reshape(weight.shape)
    point, share = _or_nearest(apart, point, weight, share=share)
    return within_inputs(center + point, stack, weight), share


def _found(apart: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Points (band, pixel) and shares (image, pixel) of (image, band, pixel).

    A pixel is done once it moves no more, whatever the others do; those that are done are left out from time to time.
    """
    points, shares = np.zeros(apart.shape[1:], apart.dtype), np.zeros_like(weight)
    point, places = points.copy(), np.arange(weight.shape[1])
    spread = np.sqrt((apart * apart).sum(axis=1)).max(axis=0)
    floor = np.maximum(SMALLEST_PART * spread, np.finfo(apart.dtype).tiny)
    is_done = np.zeros(places.size, np.bool_)
    for number in range(MOST_ITERATIONS):
        distance = np.maximum(_distances(apart, point), floor)
        share = shares_of_weight(weight / distance * floor)
        moved = np.einsum("ip,ibp->bp", share, apart) - point
        point += moved
        stays = np.sqrt((moved * moved).sum(axis=0)) <= CLOSE_ENOUGH * spread
        new = ~is_done & (stays | (number == MOST_ITERATIONS - 1))
        points[:, places[new]], shares[:, places[new]] = point[:, new], share[:, new]
        is_done |= new
        if is_done.all():
            break
        if is_done.mean() > WORTH_LEAVING:
            rest = ~is_done
            apart, weight, point = apart[..., rest], weight[:, rest], point[:, rest]
            places, spread, floor, is_done = places[rest], spread[rest], floor[rest], is_done[rest]
    return points, shares


def _or_nearest(apart: Floats, point: Floats, weight: Floats, *, share: Floats) -> tuple[Floats, Floats]:
    """Point (band, row, col) and shares (image, row, col); the image of the largest share where its sum is smaller."""
    chosen = share.argmax(axis=0)[np.newaxis]
    image = np.take_along_axis(apart, chosen[:, np.newaxis], axis=0)[0]
    sums = [(weight * _distances(apart, place)).sum(axis=0) for place in (point, image)]
    is_image = (sums[1] < sums[0]) & ((weight > 0).sum(axis=0) > 2)
    alone = np.arange(len(apart))[:, np.newaxis, np.newaxis] == chosen
    return np.where(is_image, image, point), np.where(is_image, alone.astype(share.dtype), share)


def _distances(apart: Floats, point: Floats) -> Floats:
    """(image, ...) of (image, band, ...), image by image: the whole stack of differences would double the memory."""
    result = np.empty((len(apart), *point.shape[1:]), apart.dtype)
    for place, image in enumerate(apart):
        difference = image - point
        np.sqrt(np.einsum("b...,b...->...", difference, difference), out=result[place])
    return result
