"""Search one plane of a view for hard-edged, evenly offset lines along its rows.

A sensor line of width w that begins below the step `r` shows as two steps between rows:

    row r      background          step r     = value[r + 1] - value[r]         = +offset
    row r + 1  line                step r + 1 .. r + w - 1                      about 0
    row r + w  line                step r + w = value[r + w + 1] - value[r + w] = -offset
    row r+w+1  background          steps r - 1 and r + w + 1                    about 0

Averaged over a window of columns the ground below cancels, and laws of sensor noise remain that
lines on the ground break: both steps are of one size (**balance**: roads and shores differ on their
two sides), nothing leaks into the rows outside (**leak**: optics and resampling blur every edge of
the ground over two or three rows) or happens inside, the steps stand out among those of the rows
nearby (**contrast**: crop rows do not), and they agree in sign and size in most columns
(**agreement**: crowns and ploughing wander).

Everything is done in whole numbers up to the last ratio, so that the answer for a pixel does not
depend on where the view begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FLANK", "Criteria", "Lines", "find_lines", "hardness_of"]

FLANK = 7
"""Rows beyond the edges of a line that are looked at."""
_OUTER = range(FLANK - 2)  # those of them that not even a blurred edge reaches, where the ground is measured
CHUNK = 50_000
"""Candidates examined at a time; bounds the memory of the gathered windows."""


@dataclass(frozen=True)
class Criteria:
    """What a line must show inside a window of `length` columns."""

    length: int = 24
    """Columns of the window."""
    min_offset: float = 6.0
    """Smallest mean step on either side, levels."""
    min_agreement: float = 0.8
    """Share of columns in which both steps reach half of the offset."""
    max_leak: float = 0.25
    """Largest mean step in the rows just outside and inside, as a fraction of the offset."""
    max_imbalance: float = 0.3
    """Largest difference of the two steps, as a fraction of the larger."""
    hard_leak: float = 0.1
    """What a strong line may leak or lack in balance, as a fraction of the offset, on top of `ground`."""
    ground: float = 5.0
    """Mean step that the ground itself shows between two rows, levels."""
    min_contrast: float = 3.0
    """Smallest ratio of the offset to the mean step that the ground nearby shows between two rows."""
    max_width: int = 6
    """Widest line, pixels."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Pieces of lines along the rows of a plane; every array has n entries."""

    rows: NDArray[np.int64]
    """First row."""
    widths: NDArray[np.int64]
    """Rows."""
    starts: NDArray[np.int64]
    """First column."""
    stops: NDArray[np.int64]
    """Last column + 1."""
    confidences: NDArray[np.float64]
    """Margin in [0, 1]: 0 at the thresholds, 1 for a perfect line."""

    def take(self, index: NDArray[np.bool_]) -> "Lines":
        """The pieces at `index`, (n,) bool."""
        rows, widths, starts, stops = (p[index] for p in (self.rows, self.widths, self.starts, self.stops))
        return Lines(rows, widths, starts, stops, self.confidences[index])


def find_lines(plane: NDArray[np.int16], valid: NDArray[np.bool_], criteria: Criteria) -> list[Lines]:
    """Pieces of lines along the rows of `plane` (row, col); pixels outside `valid` never count.

    Law: a piece depends only on the `length` columns it was found in and on `max_width` + FLANK + 1 rows.
    """
    if plane.shape[0] < 4 or plane.shape[1] < criteria.length:
        return []
    steps = plane[1:] - plane[:-1]
    if not valid.all():
        steps *= valid[1:] & valid[:-1]
    found = []
    for rows, cols, hardness, width in _candidates(_window_sums(steps, criteria.length), criteria):
        for first in range(0, len(rows), CHUNK):
            part = rows[first : first + CHUNK], cols[first : first + CHUNK], hardness[first : first + CHUNK]
            found.append(_examine(steps, *part, width=width, criteria=criteria))
    return found


def _window_sums(steps: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    """Sum of `length` steps from each column on, (row, col), saturating at 16 bits.

    Saturation needs color steps of over 340 levels in each of 96 columns, which is a line by any measure.
    """
    sums = cv2.boxFilter(
        steps, cv2.CV_16S, (length, 1), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )[:, : steps.shape[1] - length + 1]
    return np.asarray(np.maximum(sums, -np.iinfo(np.int16).max), np.int16)  # so that abs() fits as well


def _candidates(
    sums: NDArray[np.int16], criteria: Criteria
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]]:
    """Step row, first column, hardness and width of windows in which sums of steps look like a line."""
    size = np.abs(sums)
    half = size >> 1
    strong = size >= np.int16(np.ceil(criteria.min_offset * criteria.length))
    top, bottom = strong.copy(), strong
    top[1:] &= size[:-1] <= half[1:]  # quiet above
    bottom[:-1] &= size[1:] <= half[:-1]  # quiet below
    # Few windows begin below a step that is quiet above: from here on only those are looked at.
    upper, rising = np.flatnonzero(top), (sums > 0).ravel()
    bottom, is_up = bottom.ravel(), rising[upper]
    for width in range(1, min(criteria.max_width, len(sums) - 1) + 1):
        n = np.searchsorted(upper, sums.size - width * sums.shape[1])
        lower = upper[:n] + width * sums.shape[1]
        is_line = bottom[lower] & (rising[lower] != is_up[:n])  # one steps up, the other down
        rows, cols = np.divmod(upper[:n][is_line], sums.shape[1])
        rows, cols = _balanced(size, rows, cols, width=width, criteria=criteria)
        if len(rows) == 0:
            continue
        hardness = _hardness(sums, rows, cols, width=width, criteria=criteria)
        keep = hardness >= 0
        if keep.any():
            yield rows[keep], cols[keep], hardness[keep], width


def _balanced(
    size: NDArray[np.int16], rows: NDArray[np.int64], cols: NDArray[np.int64], *, width: int, criteria: Criteria
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The candidates that pass the two cheapest tests of `hardness_of`: balance, and no leak at the edges."""
    upper, lower = size[rows, cols], size[rows + width, cols]
    keep = np.minimum(upper, lower) >= (1 - criteria.max_imbalance) * np.maximum(upper, lower)
    rows, cols, least = rows[keep], cols[keep], np.minimum(upper, lower)[keep]
    last = len(size) - 1
    over = np.where(rows > 0, size[np.maximum(rows - 1, 0), cols], 0)
    under = np.where(rows + width < last, size[np.minimum(rows + width + 1, last), cols], 0)
    keep = np.maximum(over, under) <= criteria.max_leak * least
    return rows[keep], cols[keep]


def _hardness(
    sums: NDArray[np.int16], rows: NDArray[np.int64], cols: NDArray[np.int64], *, width: int, criteria: Criteria
) -> NDArray[np.float64]:
    """Margin of each candidate from the sums of steps alone, (n,): see `hardness_of`."""
    last = len(sums) - 1
    rows_around = rows[:, None] + np.arange(-FLANK, width + FLANK + 1)
    inside = (rows_around >= 0) & (rows_around <= last)
    profile = sums[np.clip(rows_around, 0, last), cols[:, None]].astype(np.int32)
    return hardness_of(np.where(inside, profile, 0), width=width, criteria=criteria)


def hardness_of(profile: NDArray[np.int32], *, width: int, criteria: Criteria) -> NDArray[np.float64]:
    """Margin of lines by how their steps stand out, (n,): 1 is perfect, 0 the threshold, below 0 no line.

    `profile` (n, width + 2 x FLANK + 1) holds the sums of steps from FLANK rows above the upper edge
    to FLANK rows below the lower edge.
    """
    size = np.abs(profile)
    upper, lower = size[:, FLANK], size[:, FLANK + width]
    least, most = np.minimum(upper, lower), np.maximum(upper, lower)
    edges = (FLANK, FLANK + width)
    leak = size[:, [k for k in range(FLANK - 1, FLANK + width + 2) if k not in edges]].max(axis=1)
    # A gap between two lines is a line of the other polarity, unless flanks must be as wide as a line.
    flank = size[:, [*range(FLANK - width + 1, FLANK), *range(edges[1] + 1, edges[1] + width), FLANK - 1]].max(axis=1)
    ground = np.median(size[:, [*_OUTER, *(edges[1] + FLANK - k for k in _OUTER)]], axis=1)
    hard = np.maximum(criteria.ground * criteria.length, 1.5 * ground) + criteria.hard_leak * least
    worst = [
        leak / np.maximum(np.minimum(criteria.max_leak * least, hard), 1),
        (most - least) / np.maximum(np.minimum(criteria.max_imbalance * most, hard), 1),
        criteria.min_contrast * ground / np.maximum(least, 1),
        2 * flank / np.maximum(least, 1),
    ]
    return np.asarray(1 - np.maximum.reduce(worst))


def _examine(
    steps: NDArray[np.int16],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    hardness: NDArray[np.float64],
    *,
    width: int,
    criteria: Criteria,
) -> Lines:
    """Keep the candidates whose columns agree, and cut them to where the line starts and ends."""
    windows = np.lib.stride_tricks.sliding_window_view(steps, criteria.length, axis=1)
    above = windows[rows, cols].astype(np.int32)  # (n, length)
    below = -windows[rows + width, cols].astype(np.int32)
    sign = np.sign(above.sum(axis=1))[:, None]  # +1 bright, -1 dark
    above, below = sign * above, sign * below
    offset = np.minimum(above.sum(axis=1), below.sum(axis=1))  # times length
    agreement = (2 * criteria.length * np.minimum(above, below) >= offset[:, None]).mean(axis=1)
    keep = agreement >= criteria.min_agreement
    gain = criteria.length * (above[keep] + below[keep]) - offset[keep, None]  # (n, length), 0 halfway
    first, stop = _extent(gain)
    steady = (agreement[keep] - criteria.min_agreement) / (1 - criteria.min_agreement)
    return Lines(
        rows=rows[keep] + 1,
        widths=np.full(len(first), width),
        starts=cols[keep] + first,
        stops=cols[keep] + stop,
        confidences=(steady + hardness[keep]) / 2,
    )


def _extent(gain: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First column and last column + 1 of the line: where the sum of `gain` (n, length) is largest."""
    sums = np.cumsum(gain, axis=1, dtype=np.int64)
    stop = sums.argmax(axis=1) + 1
    before = np.concatenate([np.zeros((len(sums), 1), np.int64), sums[:, :-1]], axis=1)
    after = np.arange(gain.shape[1]) >= stop[:, None]
    first = np.where(after, np.iinfo(np.int64).max, before).argmin(axis=1)
    return first, stop
