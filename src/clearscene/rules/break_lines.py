"""Where the ground may break: lines along which each pixel differs from the next more sharply than a lens draws.

Optics and resampling spread every edge of the ground over two pixels and more. Where two pictures meet, one pixel is of
the first and the next of the second. So a step is *sharp* by what it has beyond the steps beside it:

    ground   | 10 12 30 48 50 |   steps  2 18 18  2    sharp by  0
    a seam   | 10 12 12 50 51 |   steps  2  0 38  1    sharp by 36

A sharp step says little, a line of them a lot: they are pooled into a picture of the scene and summed along lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.rules.seam_steps import BLOCK, shear
from clearscene.stream import ordered_map

__all__ = ["MARGIN", "Line", "as_gray", "candidate_lines", "pooled", "sharp_steps"]

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

MARGIN = 18
"""Pixels around a window that have a say in how sharp its steps are."""
AROUND = 2 * MARGIN - 3
"""Rows and columns of the neighborhood of a pixel: what it needs beside its own steps lies within the margin."""
NOISE = 1.5
"""Levels that the smoothest ground steps by anyway."""
SHARPEST = 3.0
"""Mean steps beyond which a step counts no more: one wall outshines no seam."""
SLOPES = 16
"""Directions between a row and a diagonal."""
WINDOW = 16
"""Blocks of the picture over which a line is summed."""
BESIDE = 24
"""Parallel lines to both sides that a line is compared with."""
APART = 5
"""Pixels of the picture within which two lines are one."""


@dataclass(frozen=True)
class Line:
    """A line ``row = start + slope * col`` near a column; of the picture turned by its diagonal if `turned`."""

    turned: bool
    start: float
    slope: float
    col: float
    """Middle of the part that was looked at."""
    strength: float
    """How far its sum stands out among those of the parallel lines, in their standard deviations."""

    @property
    def row(self) -> float:
        """Row of the middle."""
        return self.start + self.slope * self.col

    def scaled(self, factor: int) -> "Line":
        """The same line in pixels `factor` times smaller."""
        start = (self.start + 0.5 - 0.5 * self.slope) * factor - 0.5 + 0.5 * self.slope
        return Line(self.turned, start, self.slope, (self.col + 0.5) * factor - 0.5, self.strength)


def as_gray(display: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness (row, col) of red, green and blue, or of one gray (band, row, col)."""
    if len(display) < 3:
        return np.asarray(display[0])
    red_blue = cv2.addWeighted(display[0], 0.5, display[2], 0.5, 0)
    return np.asarray(cv2.addWeighted(red_blue, 0.5, display[1], 0.5, 0), np.uint8)


def sharp_steps(gray: NDArray[np.uint8], valid: Mask, *, axis: Literal[0, 1] = 0) -> Plane:
    """How much sharper the step from each row to the next is than those before and after it.

    Args:
        gray: (row, col), levels.
        valid: (row, col).
        axis: 0 for steps from row to row, 1 from column to column.

    Returns:
        (row, col), 0 to `SHARPEST`, in mean steps of the valid neighborhood; 0 near what is not valid.
    """
    if gray.shape[axis] < 3:
        return np.zeros(gray.shape, np.float32)
    first, last, middle = _slices(axis, None, -1), _slices(axis, 1, None), _slices(axis, 1, -1)
    steps = np.zeros_like(gray)
    steps[first] = cv2.absdiff(gray[last], gray[first])
    sharp = np.zeros(gray.shape, np.float32)
    beside = cv2.max(steps[_slices(axis, None, -2)], steps[_slices(axis, 2, None)])
    sharp[middle] = cv2.subtract(steps[middle], beside)
    if valid.all():
        sharp /= _summed(steps) / np.float32(AROUND**2) + np.float32(NOISE)
        return np.minimum(sharp, np.float32(SHARPEST), out=sharp)
    known = valid.astype(np.uint8)
    known[first] &= known[last]
    sharp /= _summed(steps * known) / np.maximum(_summed(known), np.float32(1)) + np.float32(NOISE)
    np.minimum(sharp, np.float32(SHARPEST), out=sharp)
    sharp *= cv2.erode(valid.astype(np.uint8), np.ones((9, 9), np.uint8), borderType=cv2.BORDER_REFLECT)
    return sharp


def _summed(values: NDArray[np.uint8]) -> Plane:
    """Sums of the neighborhood of every pixel: whole numbers, so that they are the same in every window."""
    return np.asarray(
        cv2.boxFilter(values, cv2.CV_32F, (AROUND, AROUND), normalize=False, borderType=cv2.BORDER_REFLECT), np.float32
    )


def _slices(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    part = slice(start, stop)
    return (part,) if axis == 0 else (slice(None), part)


def pooled(sharp: Plane, factor: int, *, axis: Literal[0, 1] = 0) -> Plane:
    """The sharpest along an axis, mean along the other, of `factor` x `factor` px; sizes are multiples of it."""
    if factor == 1:
        return sharp
    height, width = sharp.shape[0] // factor, sharp.shape[1] // factor
    if axis == 0:
        lines = sharp.reshape(height, factor, width * factor).max(axis=1)
    else:
        lines = sharp.reshape(height * factor, width, factor).max(axis=2)
    return np.asarray(cv2.resize(lines, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def candidate_lines(sharp: Plane, valid: Mask, *, turned: bool, most: int, workers: int = 1) -> list[Line]:
    """The lines of a picture, at most 45 degrees from its rows, that stand out most among their parallels.

    Args:
        sharp: (row, col), as `sharp_steps` gives.
        valid: (row, col).
        turned: What the lines say of themselves.
        most: How many lines at most; the strongest first.
        workers: Threads, each with a direction.
    """
    wide = cv2.blur(sharp * valid, (1, 3), borderType=cv2.BORDER_CONSTANT)
    columns = np.ascontiguousarray(np.stack([wide.T, valid.T.astype(np.float32)], axis=-1))
    if columns.shape[0] < WINDOW * BLOCK:
        return []
    slopes = np.arange(-SLOPES, SLOPES + 1) / SLOPES
    each = ordered_map(lambda s: _of_direction(columns, float(s), turned=turned, most=most), slopes, workers=workers)
    return _apart(sorted((line for lines in each for line in lines), key=lambda line: -line.strength), most)


def _of_direction(columns: Plane, slope: float, *, turned: bool, most: int) -> list[Line]:
    view = shear(columns, slope)
    weight = view.valid.astype(np.float32)
    count = cv2.boxFilter(weight, -1, (1, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT)
    total = cv2.boxFilter(view.tones[..., 0] * weight, -1, (1, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT)
    known = (count > 0.8 * WINDOW).astype(np.float32)
    mean = total / np.maximum(count, 1) * known
    size = (2 * BESIDE + 1, 1)
    share = np.maximum(cv2.blur(known, size, borderType=cv2.BORDER_CONSTANT), np.float32(1e-6))
    usual = cv2.blur(mean, size, borderType=cv2.BORDER_CONSTANT) / share
    spread = cv2.blur(mean * mean, size, borderType=cv2.BORDER_CONSTANT) / share - usual * usual
    strength = (mean - usual) / np.sqrt(np.maximum(spread, np.float32(1e-4))) * known
    peak = cv2.dilate(strength, np.ones((WINDOW // 2 + 1, 2 * APART + 1), np.uint8))
    blocks, starts = np.nonzero((strength >= peak) & (strength > 2))
    order = np.argsort(-strength[blocks, starts], kind="stable")[:most]
    return [
        Line(
            turned=turned,
            start=float(starts[i] + view.first_start),
            slope=slope,
            col=float(blocks[i] * BLOCK + (BLOCK - 1) / 2),
            strength=float(strength[blocks[i], starts[i]]),
        )
        for i in order
    ]


def _apart(lines: Sequence[Line], most: int) -> list[Line]:
    """Those that are no second look at a stronger one, the strongest first."""
    starts, slopes, cols = (np.array([getattr(line, name) for line in lines]) for name in ("start", "slope", "col"))
    rest = np.arange(len(lines))
    kept: list[Line] = []
    while len(rest) and len(kept) < most:
        line = lines[rest[0]]
        kept.append(line)
        rows = starts[rest] + slopes[rest] * cols[rest]
        is_same = np.abs(cols[rest] - line.col) < WINDOW * BLOCK / 2
        is_same &= np.abs(rows - line.start - line.slope * cols[rest]) < APART
        is_same[0] = True
        rest = rest[~is_same]
    return kept
