"""How deep a color reaches in from each border of a scene, and which of it is the thin part of a collar."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Sides", "collar_depth"]

SLIVER_SHARE = 0.5
"""A region thinner than a core is collar if it lies along this share of a side without a break."""

SLIVER_DEPTH = 8
"""Pixels that a sliver is deep somewhere; lost lines at the border are thinner."""

SLIVER_BLOCKS = 4
"""Blocks (64 px): whatever is deeper is wide enough to be a core, and is judged as one."""


@dataclass(eq=False)
class Sides:
    """Length of the run of the color that starts at each border, in pixels."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    top: NDArray[np.int32]
    bottom: NDArray[np.int32]

    @classmethod
    def of(cls, height: int, width: int) -> "Sides":
        """Runs of no length."""
        return cls(*(np.zeros(n, np.int32) for n in (height, height, width, width)))

    def lengthen(self, deviation: NDArray[Any], first: int, tolerance: float) -> None:
        """Take the rows (row, col) from row `first` on, which follow those taken before."""
        n = len(deviation)
        _fill_lengths(self.left[first : first + n], deviation, tolerance)
        _fill_lengths(self.right[first : first + n], deviation[:, ::-1], tolerance)
        alive = np.flatnonzero(self.top == first)
        if len(alive):
            grown = np.zeros(len(alive), np.int32)
            _fill_lengths(grown, deviation[:, alive].T, tolerance)
            self.top[alive] += grown
        tail = np.zeros(deviation.shape[1], np.int32)
        _fill_lengths(tail, deviation[::-1].T, tolerance)
        self.bottom[:] = np.where(tail == n, self.bottom + n, tail)


def collar_depth(
    depth: NDArray[np.int32], declared: NDArray[np.int32], kept: NDArray[np.bool_], *, block: int
) -> NDArray[np.int32]:
    """Depth along a border without spikes narrower than three blocks; stretches that are no collar are left out.

    A stretch is collar if it meets a core, or if it is a sliver: as long as `SLIVER_SHARE` of the side,
    nowhere deeper than a core is wide, and not all declared, as the wedges of a scene turned by a degree.

    Args:
        depth: Length of the run of the color at each place of a side, (place,).
        declared: The same of declared nodata.
        kept: True where the side meets a core, (place,).
        block: Side of a block, pixels.
    """
    kernel = np.ones((3 * block, 1), np.uint8)
    opened = cv2.morphologyEx(depth.astype(np.float32)[:, None], cv2.MORPH_OPEN, kernel)[:, 0].astype(np.int32)
    smooth = np.minimum(depth, opened + block * (opened > 0))
    stretch = np.cumsum(np.diff(smooth > 0, prepend=False).astype(np.int64))
    keeps = np.bincount(stretch, kept & (smooth > 0)) > 0
    deepest = np.zeros(len(keeps), np.int32)
    inner = slice(3 * block, len(depth) - 3 * block)  # near a corner the depth is that of the other side
    np.maximum.at(deepest, stretch[inner], smooth[inner])
    is_own = np.bincount(stretch, smooth > declared) > 0
    is_long = np.bincount(stretch) >= SLIVER_SHARE * len(depth)
    is_sliver = is_long & is_own & (deepest >= SLIVER_DEPTH) & (deepest < SLIVER_BLOCKS * block)
    smooth = np.where((is_sliver & ~keeps)[stretch], np.minimum(smooth, deepest[stretch] + block), smooth)
    return np.where((keeps | is_sliver)[stretch], smooth, 0).astype(np.int32)


def _fill_lengths(lengths: NDArray[np.int32], lines: NDArray[Any], tolerance: float) -> None:
    """Length of the run of the color at the start of each of `lines` (line, place), into `lengths` (line,)."""
    begins = np.flatnonzero(lines[:, 0] <= tolerance)
    if len(begins) == 0:
        return
    differs = lines[begins] > tolerance
    ends = differs.argmax(axis=1)
    lengths[begins] = np.where(differs[np.arange(len(ends)), ends], ends, lines.shape[1])
