"""The guided filter: make a coarse map follow the edges of the photo that it was made from.

He, Sun and Tang, "Guided Image Filtering", IEEE TPAMI 35 (6), 2013: equations 9 to 11, with the color guide of their
section 3.4, and the coefficients from a reduced photo as in He and Sun, "Fast Guided Filter", 2015.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.sky.squaring import resized

__all__ = ["guided", "refined"]

LONGEST = 1024
"""Pixels along the longer side of the photo from which the coefficients are taken."""
RADIUS_SHARE = 1 / 64
"""Radius of the windows, of the longer side."""
EPSILON = 1e-4
"""Variance of colors, 0 to 1, below which a window counts as flat."""

Values = NDArray[np.float32]


def guided(guide: Values, values: Values, *, radius: int, epsilon: float) -> tuple[Values, Values]:
    """Coefficients a (row, col, 3) and b (row, col): the filtered map is `(a * guide).sum() + b`.

    `guide` (row, col, 3) and `values` (row, col) from 0 to 1; means run over windows of `2 * radius + 1`. Laws: a
    map of one value keeps it; with a large `epsilon` it becomes the mean of means.
    """

    def mean(part: Values) -> Values:
        """Over the window of each pixel."""
        return np.asarray(cv2.blur(part, (2 * radius + 1, 2 * radius + 1)), np.float32)

    mean_i, mean_p = mean(guide), mean(values)
    covariance = mean(guide * values[..., None]) - mean_i * mean_p[..., None]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    moments = [mean(guide[..., i] * guide[..., j]) - mean_i[..., i] * mean_i[..., j] for i, j in pairs]
    a = _solved(moments, covariance, epsilon)
    b = mean_p - np.einsum("rcb,rcb->rc", a, mean_i)
    return mean(a), mean(b)


def _solved(moments: list[Values], wanted: Values, epsilon: float) -> Values:
    """(S + epsilon)^-1 v for the symmetric 3 x 3 matrices of each pixel, written out."""
    rr, rg, rb, gg, gb, bb = moments
    rr, gg, bb = rr + epsilon, gg + epsilon, bb + epsilon
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    r, g, b = (wanted[..., band] for band in range(3))
    solved = np.stack(
        [c_rr * r + c_rg * g + c_rb * b, c_rg * r + c_gg * g + c_gb * b, c_rb * r + c_gb * g + c_bb * b], axis=2
    )
    return np.asarray(solved / np.maximum(determinant, 1e-20)[..., None], np.float32)


def refined(photo: NDArray[np.uint8], probability: Values) -> Values:
    """The probability (any size) at the size of the photo (row, col, 3), along its edges; from 0 to 1.

    Law: where the probability is one value all over, it stays. Memory: about 40 bytes a pixel of the photo.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, LONGEST / max(height, width))
    rows, cols = max(1, round(height * shrink)), max(1, round(width * shrink))
    guide = resized(photo, rows, cols).astype(np.float32) / np.float32(255)
    radius = max(2, round(RADIUS_SHARE * max(rows, cols)))
    a, b = guided(guide, resized(probability, rows, cols), radius=radius, epsilon=EPSILON)
    made = resized(b, height, width)
    for band in range(3):
        scaled = photo[..., band].astype(np.float32) * np.float32(1 / 255)
        made = made + resized(np.ascontiguousarray(a[..., band]), height, width) * scaled
    return np.clip(made, 0, 1)
