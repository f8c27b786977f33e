"""From the pixels of a file to those of the chosen grid: footprint means, and lines between centers.

An `Axis` says where the pixels of the grid lie among those of the file. Weights come from absolute
positions, so a pixel has the same value in whatever window it is asked for::

    file   |   0   |   1   |   2   |   3   |      factor 1.5, start 0.5
    grid       |     0     |     1     |
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Taps", "average", "footprint_taps", "line_taps", "weigh"]

SNAP = 1e-5
"""Fraction of a pixel within which an edge counts as lying on an edge of the file."""


@dataclass(frozen=True)
class Axis:
    """Where the pixels of a grid lie along one axis of a file: pixel i covers start + i * factor on, `factor` wide."""

    factor: float
    start: float
    size: int
    """Number of pixels in the file."""

    @property
    def is_plain(self) -> bool:
        """True if pixels of the grid are pixels of the file."""
        return self.factor == 1.0 and self.start == int(self.start)


@dataclass(frozen=True, eq=False)
class Taps:
    """Which pixels of a file make up each pixel of a grid."""

    first: int
    """The first pixel of the file that is needed."""
    stop: int
    index: NDArray[np.intp]
    """(pixel, tap), counted from `first`."""
    weight: NDArray[np.float32]
    """(pixel, tap), each row sums to 1."""


def footprint_taps(axis: Axis, first: int, stop: int) -> Taps:
    """Weights by the overlap of footprints, for grid pixels `first` to `stop`.

    Law: the result is the mean over the footprint of a grid pixel; a constant stays, and with
    equal pixels nothing changes. A footprint that reaches past the file takes what lies inside.
    """
    left = _snapped(axis.start + np.arange(first, stop) * axis.factor)
    right = _snapped(axis.start + np.arange(first + 1, stop + 1) * axis.factor)
    begin = np.floor(left).astype(np.intp)
    n_taps = int((np.ceil(right) - begin).max())
    index = begin[:, None] + np.arange(n_taps)
    weight = np.clip(np.minimum(right[:, None], index + 1) - np.maximum(left[:, None], index), 0.0, None)
    weight[(index < 0) | (index >= axis.size)] = 0.0
    outside = weight.sum(axis=1) == 0
    weight[outside, 0] = 1.0  # within the tolerance for grids that do not quite agree: the nearest pixel
    return _taps(axis, index, weight)


def line_taps(axis: Axis, first: int, stop: int) -> Taps:
    """Weights of a straight line between the centers of file pixels, for a grid finer than the file.

    Law: a ramp stays a ramp; outside the outermost centers their values go on.
    """
    center = axis.start + (np.arange(first, stop) + 0.5) * axis.factor - 0.5
    begin = np.floor(center + SNAP)
    share = np.clip(center - begin, 0.0, 1.0)
    index = begin.astype(np.intp)[:, None] + np.arange(2)
    return _taps(axis, index, np.stack([1.0 - share, share], axis=1))


def average(
    data: NDArray[np.generic], valid: NDArray[np.bool_], rows: Taps, cols: Taps
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Resample (band, row, col) and its (row, col) of valid pixels by the taps of both axes.

    Law: pixels that are not valid have no influence; a result is valid where at least half of its
    weight is on valid pixels, and 0 elsewhere.
    """
    shape = (len(rows.index), len(cols.index))
    result = np.empty((len(data), *shape), np.float32)
    if valid.all():
        for plane, mean in zip(data, result, strict=True):  # band by band: of large windows there is little room
            mean[...] = weigh(plane.astype(np.float32), rows, cols)
        return result, np.ones(shape, np.bool_)
    share = weigh(valid.astype(np.float32), rows, cols)
    kept = share >= 0.5 - SNAP
    divisor = np.where(kept, share, np.float32(1))
    for plane, mean in zip(data, result, strict=True):
        total = weigh(np.where(valid, plane, 0).astype(np.float32), rows, cols)
        mean[...] = np.where(kept, total / divisor, np.float32(0))
    return result, kept


def weigh(values: NDArray[np.float32], rows: Taps, cols: Taps) -> NDArray[np.float32]:
    """Sums of float32 (..., row, col) by weights, first along rows, then along columns."""
    by_rows = np.zeros((*values.shape[:-2], len(rows.index), values.shape[-1]), np.float32)
    for tap in range(rows.index.shape[1]):
        by_rows += values[..., _every(rows.index[:, tap]), :] * rows.weight[:, tap, None]
    result = np.zeros((*by_rows.shape[:-1], len(cols.index)), np.float32)
    for tap in range(cols.index.shape[1]):
        result += by_rows[..., _every(cols.index[:, tap])] * cols.weight[:, tap]
    return result


def _every(index: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """The same as a slice where it goes on in even steps, which is read without a copy."""
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    first = int(index[0])
    is_even = step > 0 and np.array_equal(index, np.arange(first, first + step * len(index), step))
    return slice(first, first + step * len(index), step) if is_even else index


def _taps(axis: Axis, index: NDArray[np.intp], weight: NDArray[np.floating[Any]]) -> Taps:
    """Keep indices inside the file, and count them from the first that is needed."""
    inside = np.clip(index, 0, axis.size - 1)
    used = inside[weight > 0]
    first, stop = int(used.min()), int(used.max()) + 1
    weight = weight / weight.sum(axis=1, keepdims=True)
    return Taps(first, stop, np.clip(inside - first, 0, stop - first - 1), weight.astype(np.float32))


def _snapped(edges: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    whole = np.rint(edges)
    return np.where(np.abs(edges - whole) < SNAP, whole, edges)
