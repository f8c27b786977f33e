"""The noise floor of a window, noise like it, and whether a change stands out from it."""

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Mask

__all__ = ["add_grain", "filled", "is_visible", "luminance", "noise_floor", "straight_lines", "texture"]

VISIBLE_CHANGE = 1.8 / 255
"""Mean absolute change of the brightness, in units of the display, that a careful eye notices."""
LEAST_PIXELS = 150
"""Changes of fewer pixels are not noticed."""
QUIETEST = 0.73
"""What the quietest 3 % of 1024 blocks of pure noise show of its true strength."""
LEAST_COHERENCE = 0.7
"""Of gradients within about 20 px; 1: all in one direction."""
LEAST_GRADIENT = 0.05
"""Share of the mean brightness by two pixels, root mean square."""


_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6


def luminance(data: Data) -> Data:
    """Mean of the first three bands of (band, row, col), as (row, col)."""
    return np.asarray(data[:3].mean(axis=0, dtype=np.float32))


def filled(data: Data, valid: Mask) -> Data:
    """`data` (band, row, col) with the nearest valid value where it is not valid.

    Where all is valid it is returned itself; where nothing is, zeros.
    """
    if valid.all():
        return data
    if not valid.any():
        return np.zeros_like(data)
    _, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(labels.max()) + 1, np.intp)
    of_label[labels[valid]] = np.flatnonzero(valid)
    nearest = of_label[labels]
    return np.stack([band.ravel()[nearest] for band in data])


def noise_floor(data: Data) -> Data:
    """Standard deviation of the noise of each band, (band,), in the units of `data` (band, row, col).

    The mask of J. Immerkær, "Fast noise variance estimation", CVIU 64(2), 1996, but its absolute mean
    is taken by blocks of 8 px and the quietest 3 % speak: texture of the ground is not noise.
    """
    floors = [np.quantile(_blocks(np.abs(cv2.filter2D(band, -1, _LAPLACE)), 8), 0.03) for band in data]
    return np.asarray(floors, np.float32) * np.float32(np.sqrt(np.pi / 2) / QUIETEST)


def texture(data: Data) -> Data:
    """How much there is to see in each block of 16 px, (row / 16, col / 16), not negative."""
    bright = luminance(data)
    return _blocks(np.abs(bright - cv2.GaussianBlur(bright, (0, 0), 2)), 16)


def straight_lines(data: Data) -> Mask:
    """True where an edge runs straight for about 20 px, (row / 2, col / 2): roads, roofs, rows of crops.

    Law: turning the window by a quarter turns the answer. By the coherence of the structure tensor
    (J. Bigun, G. Granlund, "Optimal orientation detection of linear symmetry", ICCV 1987); crowns and
    shrubs have edges in all directions.
    """
    bright = luminance(data)
    half = cv2.resize(
        bright, (max(1, bright.shape[1] // 2), max(1, bright.shape[0] // 2)), interpolation=cv2.INTER_AREA
    )
    right, down = cv2.Sobel(half, -1, 1, 0, scale=0.25), cv2.Sobel(half, -1, 0, 1, scale=0.25)
    xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), 4) for product in (right * right, down * down, right * down))
    energy, least = xx + yy, np.float32(LEAST_GRADIENT * abs(float(bright.mean())) + 1e-4)
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / np.maximum(energy, np.float32(1e-9))
    return np.asarray((coherence > LEAST_COHERENCE) & (energy > least**2))


def add_grain(data: Data, rng: np.random.Generator, sigma: Data) -> Data:
    """Add noise of deviation `sigma` (band,) to (band, row, col): mostly common to the bands, a little soft."""
    softness = rng.uniform(0.0, 0.7)
    kernel = cv2.getGaussianKernel(5, max(softness, 0.3), cv2.CV_32F)
    left = np.float32((kernel**2).sum())  # of the deviation, after the kernel went over rows and columns
    common = rng.standard_normal(data.shape[1:], np.float32)
    own = rng.standard_normal(data.shape, np.float32)
    noisy = []
    for band, noise, deviation in zip(data, own, sigma, strict=True):
        mixed = np.float32(0.8) * common + np.float32(0.6) * noise
        if softness > 0.3:
            mixed = cv2.sepFilter2D(mixed, -1, kernel, kernel) / left
        noisy.append(band + deviation * mixed)
    return np.stack(noisy)


def is_visible(data: Data, changed: Data, weight: Data) -> bool:
    """True if the brightness within `weight` (row, col) changed by more than the noise explains."""
    inside = np.asarray(weight > 0.5)
    if inside.sum() < LEAST_PIXELS:
        return False
    change = float(np.abs(luminance(changed) - luminance(data))[inside].mean())
    return change > VISIBLE_CHANGE + 0.8 * float(noise_floor(data[:3]).mean())


def _blocks(plane: Data, side: int) -> Data:
    """Means of square blocks of (row, col)."""
    height, width = plane.shape
    size = max(1, width // side), max(1, height // side)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
