"""How far an image lies beside the reference: phase correlation on windows, in pixels of the common grid.

Source: Kuglin and Hines, The phase correlation image alignment method, 1975; sub-pixel by Foroosh, Zerubia, Berthod,
Extension of phase correlation to subpixel registration, IEEE TIP 11, 2002 (here by the centroid of the peak).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import Grid

__all__ = ["WARN_PX", "Shift", "estimate_shift", "register"]

WARN_PX = 0.5
"""Shifts beyond this are warned of."""
SIZE = 256
A_SIDE = 3
GOOD_SHARE = 0.5
"""Of a window, good in both images."""
RESPONSE = 0.03
"""Share of the energy in the peak below which a window says nothing."""
SURE_RESPONSE = 0.1
"""The same where no other window agrees."""
SPREAD_PX = 0.5
LARGEST = 0.25
"""Of the size of a window: larger shifts are chance."""
ROUNDS = 3
FADE_PX = 12

Read = Callable[[Window], tuple[NDArray[np.floating], NDArray[np.bool_]]]
"""One band (row, col) of a window and where it is good (row, col)."""


@dataclass(frozen=True)
class Shift:
    """What has to be added to where an image says it lies so that it fits the reference."""

    row: float
    col: float
    n_windows: int
    """Windows that agree."""

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(self.row, self.col))


def estimate_shift(reference: Read, image: Read, grid: Grid) -> Shift | None:
    """The shift of an image against the reference; None if it cannot be told.

    Law: an image that is the reference moved by (-r, -c) pixels gives (r, c), to about 0.1 px. Up to nine windows
    are read; the median of those with a clear peak counts, if most lie within half a pixel of it.
    """
    found: list[tuple[float, float, float]] = []
    for window in _windows(grid):
        (one, good), (other, good_too) = reference(window), image(window)
        both = good & good_too
        if both.mean() < GOOD_SHARE:
            continue
        found.append(register(one, other, both))
    clear = np.array([item for item in found if item[2] >= RESPONSE])
    if not len(clear):
        return None
    middle = np.median(clear[:, :2], axis=0)
    near = np.hypot(*(clear[:, :2] - middle).T) <= SPREAD_PX
    if near.sum() == 1 and clear[near][0, 2] < SURE_RESPONSE:
        return None
    if near.sum() * 2 <= len(clear):
        return None
    row, col = clear[near, :2].mean(axis=0)
    return Shift(float(row), float(col), int(near.sum()))


def register(
    reference: NDArray[np.floating], image: NDArray[np.floating], good: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Rows and columns that move `image` onto `reference`, both (row, col), and how clear the peak is, 0 to 1.

    The centroid of a peak leans to whole pixels, so the image is moved by what was found and looked at again.
    """
    height, width = reference.shape
    taper = cv2.createHanningWindow((width, height), cv2.CV_64F)
    fade = _fade(good)
    fixed, moving = _leveled(reference, good) * fade, _leveled(image, good)
    total, response, moved = np.zeros(2), 0.0, moving * fade
    for _ in range(ROUNDS):
        (x, y), response = cv2.phaseCorrelate(fixed, moved, taper)
        total -= (y, x)
        if max(abs(total)) > LARGEST * min(height, width):
            return 0.0, 0.0, 0.0
        matrix = np.array([[1, 0, total[1]], [0, 1, total[0]]])
        size = (width, height)
        moved = np.asarray(
            cv2.warpAffine(moving, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.float64
        )
        moved *= fade
    return float(total[0]), float(total[1]), float(response)


def _fade(good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """0 where not good, rising to 1 beside it: a hard edge lies alike in both images, and would pull the shift."""
    if good.all():
        return np.ones(good.shape)
    distance = cv2.distanceTransform(good.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(distance.astype(np.float64) / FADE_PX, 1)


def _leveled(values: NDArray[np.floating], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values about their mean, 0 where not good, so that an edge of nodata is no feature."""
    plain = np.asarray(values, np.float64)
    return np.where(good, plain - (plain[good].mean() if good.any() else 0), 0)


def _windows(grid: Grid) -> Iterator[Window]:
    height, width = min(SIZE, grid.height), min(SIZE, grid.width)
    for row in _starts(grid.height, height):
        for col in _starts(grid.width, width):
            yield Window(col, row, width, height)


def _starts(length: int, size: int) -> Sequence[int]:
    """At most three places, evenly spread, without overlap where there is room."""
    number = min(A_SIDE, max(1, length // size))
    starts: list[int] = np.unique(np.linspace(0, length - size, number).astype(int)).tolist()
    return starts if number > 1 else [(length - size) // 2]
