"""Put another sky behind a photo: that of a second photo, or one that is drawn.

A few dozen photos hold few skies, and a network learns them by heart. What stands before the sky stays as it is,
so that the skyline is the truth's; only what lies behind it changes.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.sky.squaring import resized

__all__ = ["drawn_sky", "largest_rectangle", "swapped"]

COLORS = (
    ((0.15, 0.35, 0.75), (0.60, 0.78, 0.95)),  # clear day
    ((0.35, 0.55, 0.85), (0.85, 0.90, 0.95)),  # hazy day
    ((0.55, 0.58, 0.62), (0.80, 0.81, 0.82)),  # overcast
    ((0.88, 0.89, 0.90), (0.98, 0.98, 0.98)),  # burnt out
    ((0.25, 0.30, 0.50), (0.95, 0.60, 0.30)),  # sunset
    ((0.02, 0.03, 0.10), (0.15, 0.18, 0.30)),  # night
    ((0.30, 0.33, 0.38), (0.50, 0.52, 0.55)),  # before rain
)
"""Above and at the horizon: red, green, blue of what skies look like."""
GRID = 32
"""Rows and columns in which a free rectangle is looked for."""
SOFT = 0.7
"""Deviation of the blur at the skyline, pixels."""

Values = NDArray[np.float32]
"""(row, col, 3), from 0 to 1."""


def swapped(image: Values, is_sky: NDArray[np.bool_], sky: Values) -> Values:
    """The image (row, col, 3) with `sky`, of that shape, where it shows sky; the skyline is a pixel or two soft.

    Law: without sky it is the image.
    """
    share = cv2.GaussianBlur(is_sky.astype(np.float32), (0, 0), SOFT)[..., None]
    return np.asarray(image * (1 - share) + sky * share, np.float32)


def largest_rectangle(free: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, left, height, width of the largest rectangle of True in (row, col); height 0 if there is none."""
    best = (0, 0, 0, 0)
    heights = np.zeros(free.shape[1], int)
    for row in range(len(free)):
        heights = np.where(free[row], heights + 1, 0)
        for left in range(len(heights)):
            lowest = np.minimum.accumulate(heights[left:])
            areas = lowest * np.arange(1, len(lowest) + 1)
            width = int(areas.argmax()) + 1
            height = int(lowest[width - 1])
            if height * width > best[2] * best[3]:
                best = (row - height + 1, left, height, width)
    return best


def sky_of(image: Values, is_sky: NDArray[np.bool_], *, height: int, width: int) -> Values | None:
    """The largest free piece of sky of a photo, at another size; None if it is smaller than a tenth each way."""
    small = np.asarray(cv2.resize(is_sky.astype(np.uint8), (GRID, GRID), interpolation=cv2.INTER_AREA), np.bool_)
    inside = cv2.erode(small.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    top, left, tall, wide = largest_rectangle(inside)
    if min(tall, wide) < GRID // 10:
        return None
    rows, cols = (n / GRID for n in is_sky.shape)
    part = image[int(top * rows) : int((top + tall) * rows), int(left * cols) : int((left + wide) * cols)]
    return resized(np.ascontiguousarray(part), height, width)


def drawn_sky(height: int, width: int, *, rng: np.random.Generator) -> Values:
    """A sky (row, col, 3) from 0 to 1: a gradient, clouds of several sizes, a little noise."""
    above, below = (np.array(color, np.float32) for color in COLORS[rng.integers(len(COLORS))])
    down = (np.linspace(0, 1, height, dtype=np.float32) ** np.float32(rng.uniform(0.5, 2)))[:, None, None]
    sky = above * (1 - down) + below * down
    cover = np.zeros((height, width), np.float32)
    for cells in (2, 4, 8, 16, 32):
        noise = rng.random((cells, cells * 2), np.float32)
        cover += np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32) / cells
    cover = (cover - cover.min()) / max(float(np.ptp(cover)), 1e-6)
    edge = rng.uniform(0.3, 0.9)
    share = np.clip((cover - edge) / rng.uniform(0.1, 0.5), 0, 1)[..., None] * np.float32(rng.uniform(0, 1))
    light = np.float32(rng.uniform(0.5, 1.1)) * np.maximum(below.mean(), 0.1)
    sky = sky * (1 - share) + np.minimum(light, 1) * share * (0.8 + 0.2 * cover[..., None])
    sky = sky * np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    grain = rng.normal(0, rng.uniform(0, 0.02), sky.shape)
    return np.asarray(np.clip(sky + grain, 0, 1), np.float32)
