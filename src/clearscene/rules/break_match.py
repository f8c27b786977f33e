"""Whether two pictures meet at a line: the ground behind it goes on ahead of it, but somewhere else.

Along a line, the rows of pixels on both sides are compared at every lag:

    rows beside the line     ~a~~b~~~c~~d~~        the ground itself goes on at lag 0, or at the lag
    first row ahead          ~~~~a~~b~~~c~~d       at which its furrows lie: as it does beside the line

    slip     the first row ahead resembles the last row behind best at another lag than rows beside the line do
    repeat   the last rows behind are seen again, some rows ahead of the line: both pictures show that strip

A picture that lacks a strip at the seam leaves nothing to compare, and is not told.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.rules.break_lines import Line

__all__ = ["REACH", "WINDOW", "Displacement", "Patch", "displacement", "locate"]

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

WINDOW = 192
"""Pixels along a line that are compared at once."""
REACH = 28
"""Pixels by which the ground may be displaced, along the line and ahead of it."""
TEMPLATE = 3
"""Rows behind the line that are looked for ahead of it."""
TALLEST = 12
"""Rows of what is seen twice that are compared, if it is as tall."""
WHOLE = 0.9
"""How alike all of them have to be, by how alike the last ones are."""
BESIDE = (-4, -3, 3, 4)
"""Rows from the line between which and the next the ground is compared with itself."""
FARTHER = (-2, 4)
"""Rows from the last one behind the line that are compared to see whether the ground lies elsewhere beyond it too."""
SMOOTH = 33
"""Pixels along a line over which tones are leveled, so that the step in tone at a seam does not matter."""
NOISE = 0.5
"""Variance in squared levels that even the smoothest ground has, by rounding."""
LEAST = 2
"""Pixels of displacement that can be told."""
CONTRAST = 1.5
"""Sharpness along a line by that of the parallel lines around it, from which it may be a seam."""
KNOWN = 0.75
"""Share of the pixels along a line that have to be valid."""
CANDIDATES = 3
"""Places near a line at which it is looked for."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of a scene, turned by its diagonal if the line is."""

    gray: Plane
    """(row, col), levels."""
    valid: Mask
    """(row, col)."""
    sharp: Plane
    """(row, col), as `sharp_steps` gives; 0 near what is not valid."""
    top: int
    left: int


@dataclass(frozen=True)
class Displacement:
    """Where the ground goes on: `ahead` 0 for a slip, else the rows between the ground and its repetition."""

    ahead: int
    along: int

    def length(self, slope: float) -> float:
        """Pixels of the scene, at a line of a slope: rows along it climb with it."""
        return float(np.hypot(self.ahead + slope * self.along, self.along))


def locate(patch: Patch, line: Line, col: float, *, reach: int, turn: float) -> list[Line]:
    """Up to three places near a line, around a column, where steps are sharpest; the sharpest first.

    Args:
        patch: Pixels around the line.
        line: In pixels of the scene.
        col: Middle of the window.
        reach: Rows to both sides in which to look.
        turn: Slopes to both sides in which to look.
    """
    cols = np.arange(WINDOW) + round(col - WINDOW / 2) - patch.left
    usable = (cols >= 0) & (cols < patch.sharp.shape[1])
    cols = cols[usable]
    if len(cols) < WINDOW // 2:
        return []
    offsets = np.arange(-reach, reach + 1)
    middle = line.start + line.slope * col
    slopes = line.slope + np.linspace(-turn, turn, 2 * round(turn * WINDOW / 2) + 1)
    sums = np.zeros((len(slopes), len(offsets)), np.float32)
    for i, slope in enumerate(slopes):
        base = np.floor(middle + slope * (cols + patch.left - col) + 0.5).astype(np.intp) - patch.top
        rows = base + offsets[:, None]
        inside = (rows >= 0) & (rows < len(patch.sharp))
        sums[i] = (patch.sharp[np.clip(rows, 0, len(patch.sharp) - 1), cols] * inside).mean(axis=1)
    best, found = sums.max(axis=0), []
    usual = float(np.median(best)) + 0.02
    for _ in range(CANDIDATES):
        k = int(best.argmax())
        if best[k] < CONTRAST * usual:
            break
        slope = float(slopes[int(sums[:, k].argmax())])
        start = middle + float(offsets[k]) - slope * col
        found.append(Line(line.turned, start, slope, col, float(best[k]) / usual))
        best[max(0, k - 2) : k + 3] = 0
    return found


def displacement(patch: Patch, line: Line, *, expected: Displacement | None = None) -> Displacement | None:
    """How the ground is displaced at a line, over the window around its column; None where it goes on.

    With an `expected` displacement less proof is asked for, and no other is found.
    """
    rows = _rows(patch, line, REACH + TEMPLATE + 4)
    if rows is None:
        return None
    if expected is None:
        return _repeat(rows, None) or _slip(rows, None)
    return _repeat(rows, expected) if expected.ahead else _slip(rows, expected)


def _rows(patch: Patch, line: Line, reach: int) -> Plane | None:
    """Rows of pixels along a line, (2 * reach + 1, WINDOW + 2 * REACH), leveled, 0 where not valid.

    None where the line leaves the patch, or lies where too little is valid.
    """
    cols = np.arange(WINDOW + 2 * REACH) + round(line.col - WINDOW / 2) - REACH
    base = np.floor(line.start + line.slope * cols + 0.5).astype(np.intp) - patch.top
    height, width = patch.gray.shape
    cols -= patch.left
    used = slice(REACH, -REACH)
    if base[used].min() < TEMPLATE + 2 or base[used].max() >= height - TEMPLATE - 2:
        return None
    if cols[REACH] < 0 or cols[-REACH - 1] >= width:
        return None
    rows = np.clip(base + np.arange(-reach, reach + 1)[:, None], 0, height - 1)
    cols = np.clip(cols, 0, width - 1)
    values, valid = patch.gray[rows, cols], patch.valid[rows, cols]
    if valid.all():
        return np.asarray(values - cv2.blur(values, (SMOOTH, 1)), np.float32)
    if valid[reach : reach + 2, used].mean() < KNOWN:
        return None
    weight = valid.astype(np.float32)
    tone = cv2.blur(values * weight, (SMOOTH, 1)) / np.maximum(cv2.blur(weight, (SMOOTH, 1)), np.float32(1e-6))
    return np.asarray((values - tone) * weight, np.float32)


def _slip(rows: Plane, expected: Displacement | None) -> Displacement | None:
    at = len(rows) // 2
    pairs = [at + k for k in (0, *BESIDE)]
    likeness = _likeness(rows[pairs], rows[[k + 1 for k in pairs]])
    here, beside = likeness[0], likeness[1:]
    usual = beside.mean(axis=0)
    natural = int(usual.argmax())
    stays = float(here[max(0, natural - 1) : natural + 2].max())
    if expected is None:
        lag = int(here.argmax())
    else:
        first = max(0, expected.along + REACH - 1)
        lag = first + int(here[first : expected.along + REACH + 2].argmax())
    found, elsewhere = float(here[lag]), float(beside[:, lag].max())
    share, gain = (0.75, 0.1) if expected is None else (0.9, 0.03)
    if abs(lag - natural) < LEAST or found < 0.5 * float(usual[natural]):
        return None
    if 1 - found > share * (1 - stays) or found - max(stays, elsewhere) < gain:
        return None
    if expected is None and not _goes_on(rows, lag - natural):
        return None
    return Displacement(0, lag - REACH)


def _goes_on(rows: Plane, slip: int) -> bool:
    """True if rows farther from the line slip as well: at a stripe the ground beyond lies where it should."""
    at = len(rows) // 2
    pairs = [(at + first, at + first + FARTHER[1] - FARTHER[0]) for first in (FARTHER[0], -10, 5)]
    likeness = _likeness(rows[[one for one, _ in pairs]], rows[[two for _, two in pairs]])
    natural = int(likeness[1:].mean(axis=0).argmax())
    there = natural + slip
    if not 1 <= there < likeness.shape[1] - 1:
        return False
    return bool(likeness[0, there - 1 : there + 2].max() > likeness[0, max(0, natural - 1) : natural + 2].max())


def _repeat(rows: Plane, expected: Displacement | None) -> Displacement | None:
    at = len(rows) // 2
    behind, ahead = rows[at - TEMPLATE + 1 : at + 1, REACH:-REACH], rows[at + 1 :]
    if min(float(behind.std()), float(ahead[:TEMPLATE].std())) ** 2 < 4 * NOISE:
        return None
    likeness = cv2.matchTemplate(np.ascontiguousarray(ahead), np.ascontiguousarray(behind), cv2.TM_CCOEFF_NORMED)
    stays = float(likeness[:2, REACH - 1 : REACH + 2].max())
    if expected is None:
        row, lag = np.unravel_index(likeness.argmax(), likeness.shape)
    else:
        first, left = expected.ahead - TEMPLATE - 1, expected.along + REACH - 1
        first, left = max(0, first), max(0, left)
        near = likeness[first : first + 3, left : left + 3]
        if near.size == 0:
            return None
        row, lag = np.unravel_index(near.argmax(), near.shape)
        row, lag = row + first, lag + left
    least, share = (0.8, 0.25) if expected is None else (0.6, 0.5)
    found = float(likeness[row, lag])
    if found < least or 1 - found > share * (1 - stays):
        return None
    shown = Displacement(int(row) + TEMPLATE, int(lag) - REACH)
    if expected is None and (
        1 - found > 0.5 * (1 - _repeats_anyway(rows)) or _whole_strip(rows, shown) < WHOLE * found
    ):
        return None
    return shown


def _whole_strip(rows: Plane, shown: Displacement) -> float:
    """How alike the strip that is seen twice is to itself, over all of its rows and not only the last ones."""
    at, n = len(rows) // 2, min(shown.ahead, TALLEST)
    one = rows[at + 1 - n : at + 1, REACH:-REACH]
    two = rows[at + 1 - n + shown.ahead : at + 1 + shown.ahead, REACH + shown.along : REACH + shown.along + WINDOW]
    both = np.corrcoef(one.ravel(), two.ravel())
    return float(both[0, 1])


def _repeats_anyway(rows: Plane) -> float:
    """How well the ground repeats itself without a line, as `_repeat` sees it: furrows, waves, what lies slantwise."""
    at = len(rows) // 2
    near = 3 * TEMPLATE
    parts = (rows[: at + 1], rows[at - near - TEMPLATE + 1 : at + 1], rows[at + TEMPLATE : at + near + 2 * TEMPLATE])
    return max(
        float(
            cv2.matchTemplate(
                np.ascontiguousarray(part[TEMPLATE:]),
                np.ascontiguousarray(part[:TEMPLATE, REACH:-REACH]),
                cv2.TM_CCOEFF_NORMED,
            ).max()
        )
        for part in parts
    )


def _likeness(one: Plane, two: Plane) -> Plane:
    """Correlation (pair, lag) of rows (pair, WINDOW + 2 * REACH) with others: `one` against `two` moved and back."""
    return np.asarray((_correlation(one, two) + _correlation(two, one)[:, ::-1]) / 2, np.float32)


def _correlation(still: Plane, moved: Plane) -> Plane:
    middle = still[:, REACH:-REACH]
    middle = middle - middle.mean(axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(moved, WINDOW, axis=1)
    covariance = np.einsum("nw,nlw->nl", middle, windows) / WINDOW
    spread = (middle**2).mean(axis=1, keepdims=True) + np.float32(NOISE)
    return np.asarray(covariance / np.sqrt(spread * (windows.var(axis=2) + np.float32(NOISE))), np.float32)
