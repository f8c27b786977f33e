"""How far an image lies beside the reference: phase correlation on windows, in pixels of the common grid.

Source: Kuglin and Hines, The phase correlation image alignment method, 1975. Parts of a pixel come from a parabola
through the logarithm of the smoothed peak. OpenCV's `phaseCorrelate` is not used: for images with an odd number of rows
it was half a pixel off.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import slices

__all__ = ["WARN_PX", "Shift", "estimate_shift", "register", "told"]

WARN_PX = 0.5
"""Shifts beyond this are warned of."""
SIZE = 256
LEAST_SIDE = 64
"""Of the ground that both cover, pixels: in less a peak is chance."""
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
LOW_PASS = 0.15
"""Cycles a pixel: higher frequencies are aliased, and differ between dates."""
FILL_PX = 4.0
LEAST_NEAR = 1e-3

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


def told(row: float, col: float) -> str:
    """A shift in words: `2.3 px up, 1.4 px left`."""
    return f"{abs(row):.1f} px {'up' if row < 0 else 'down'}, {abs(col):.1f} px {'left' if col < 0 else 'right'}"


def estimate_shift(reference: Read, image: Read, common: Window) -> Shift | None:
    """The shift of an image against the reference; None if it cannot be told.

    Law: an image that is the reference moved by (-r, -c) pixels gives (r, c), to about 0.1 px. Up to nine windows
    of `common`, the ground that both cover, are read; the median of those with a clear peak counts, if most lie within
    half a pixel of it.
    """
    if min(common.height, common.width) < LEAST_SIDE:
        return None
    found: list[tuple[float, float, float]] = []
    for window in _windows(common):
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

    The whole pixels are found first; then only what both show is compared, so that the taper lies alike on both.
    """
    first_row, first_col, _ = _peak(reference, image, good)
    row, col = round(first_row), round(first_col)
    height, width = reference.shape
    if abs(row) > LARGEST * height or abs(col) > LARGEST * width:
        return 0.0, 0.0, 0.0
    here = slice(max(row, 0), height + min(row, 0)), slice(max(col, 0), width + min(col, 0))
    there = slice(max(-row, 0), height + min(-row, 0)), slice(max(-col, 0), width + min(-col, 0))
    rest_row, rest_col, clear = _peak(reference[here], image[there], good[here] & good[there])
    if max(abs(rest_row), abs(rest_col)) > 1:  # the second look must confirm the first
        return 0.0, 0.0, 0.0
    return row + rest_row, col + rest_col, clear


def _peak(
    reference: NDArray[np.floating], image: NDArray[np.floating], good: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Row, column and height of the peak of the phase correlation, smoothed by a Gaussian low-pass.

    A smoothed peak is a Gaussian, whose logarithm is a parabola: three values give its top to parts of a pixel. Its
    height is 1 of images that differ by whole pixels only, all around.
    """
    height, width = reference.shape
    taper = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    fixed, moving = (np.fft.fft2(_filled(values, good) * taper) for values in (reference, image))
    cross = fixed * np.conj(moving)
    size = np.abs(cross)
    frequencies = np.fft.fftfreq(height)[:, np.newaxis] ** 2 + np.fft.fftfreq(width)[np.newaxis] ** 2
    weight = np.exp(-frequencies / (2 * LOW_PASS**2))
    phase = np.where(size > 0, cross / np.where(size > 0, size, 1), 0)
    surface = np.fft.ifft2(phase * weight).real / weight.mean()
    row, col = (int(value) for value in np.unravel_index(surface.argmax(), surface.shape))
    down = _top(*(surface[(row + step) % height, col] for step in (-1, 0, 1)))
    right = _top(*(surface[row, (col + step) % width] for step in (-1, 0, 1)))
    signed = (row + height // 2) % height - height // 2, (col + width // 2) % width - width // 2
    return signed[0] + down, signed[1] + right, float(surface[row, col])


def _top(before: float, here: float, after: float) -> float:
    """Where a Gaussian through three values one pixel apart has its top, -0.5 to 0.5 beside the middle."""
    smallest = 1e-6 * max(here, 1e-6)
    one, two, three = (np.log(max(value, smallest)) for value in (before, here, after))
    bend = one - 2 * two + three
    return float(np.clip((one - three) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _filled(values: NDArray[np.floating], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values about their mean; what is not good goes on smoothly from what is.

    A hard edge, or 0 in every hole, would lie alike in both images and pull the shift to nothing.
    """
    plain = np.asarray(values, np.float64)
    plain = np.where(good, plain - (plain[good].mean() if good.any() else 0), 0)
    if good.all():
        return plain
    near = cv2.GaussianBlur(good.astype(np.float64), (0, 0), FILL_PX)
    smooth = cv2.GaussianBlur(plain, (0, 0), FILL_PX) / np.maximum(near, LEAST_NEAR)
    return np.where(good, plain, smooth)


def _windows(common: Window) -> Iterator[Window]:
    rows, cols = slices(common)
    height, width = min(SIZE, rows.stop - rows.start), min(SIZE, cols.stop - cols.start)
    for row in _starts(rows.stop - rows.start, height):
        for col in _starts(cols.stop - cols.start, width):
            yield Window(cols.start + col, rows.start + row, width, height)


def _starts(length: int, size: int) -> Sequence[int]:
    """At most three places, evenly spread, without overlap where there is room."""
    number = min(A_SIDE, max(1, length // size))
    starts: list[int] = np.unique(np.linspace(0, length - size, number).astype(int)).tolist()
    return starts if number > 1 else [(length - size) // 2]
