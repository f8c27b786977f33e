"""What all methods of fusing are: a function from a stack of images to one image and each image's share in it."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Combine", "Floats", "chosen", "shares_of_weight", "within_inputs"]

Floats = NDArray[np.floating[Any]]
"""float32, or float64 where the values of the images need it."""


class Combine(Protocol):
    """Combine images of one place.

    Laws of every method: the composite is NaN exactly where all weights are 0, elsewhere it lies within the
    smallest and largest value that the images with a weight have in that band; shares are between 0 and 1 and
    sum to 1 where there is a composite, to 0 where there is none; an image with weight 0 changes nothing; one
    image gives itself; adding a number to all images adds it to the composite (up to rounding); and the order of
    the images changes nothing (up to rounding) but for ties, which go to the image that comes first.
    """

    def __call__(self, stack: Floats, weight: Floats, *, temperature: float) -> tuple[Floats, Floats]:
        """Combine.

        Args:
            stack: (image, band, row, col), finite.
            weight: (image, row, col), at least 0; 0 where an image has no data or is masked out.
            temperature: Of the softmax across images, above 0; only `learned` has one.

        Returns:
            The composite (band, row, col) and the share of each image (image, row, col).
        """
        ...


def shares_of_weight(weight: Floats) -> Floats:
    """Weights divided by their sum over the images; 0 where all are 0."""
    total = weight.sum(axis=0)
    return np.asarray(weight / np.where(total > 0, total, 1), weight.dtype)


def within_inputs(composite: Floats, stack: Floats, weight: Floats) -> Floats:
    """The composite without what rounding took out of the range of the inputs, and NaN where no weight is above 0.

    Works in place.
    """
    good = (weight > 0)[:, np.newaxis]
    low = np.where(good, stack, np.inf).min(axis=0)
    high = np.where(good, stack, -np.inf).max(axis=0)
    np.minimum(np.maximum(composite, low, out=composite), high, out=composite)
    composite[:, ~(weight > 0).any(axis=0)] = np.nan
    return composite


def chosen(stack: Floats, index: NDArray[np.intp], has_data: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The image `index` (row, col) of each pixel, as composite and shares; nothing where not `has_data`."""
    composite = np.take_along_axis(stack, index[np.newaxis, np.newaxis], axis=0)[0]
    composite[:, ~has_data] = np.nan
    share = np.zeros((len(stack), *index.shape), stack.dtype)
    np.put_along_axis(share, index[np.newaxis], has_data[np.newaxis].astype(stack.dtype), axis=0)
    return composite, share
