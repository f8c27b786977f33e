"""Regions that start at a border of the scene, given as one depth a row or column, as runs."""

import numpy as np
from numpy.typing import NDArray

from clearscene.runs import Runs

__all__ = ["from_bottom", "from_left", "from_right", "from_top"]


def from_left(depth: NDArray[np.int32]) -> Runs:
    """The first `depth` (row,) pixels of each row."""
    return _of_rows(np.zeros_like(depth), depth)


def from_right(depth: NDArray[np.int32], width: int) -> Runs:
    """The last `depth` (row,) pixels of each row of a scene of `width` columns."""
    return _of_rows(width - depth, np.full_like(depth, width))


def _of_rows(starts: NDArray[np.int32], stops: NDArray[np.int32]) -> Runs:
    """One run a row, empty ones left out."""
    rows = np.flatnonzero(stops > starts)
    return _runs(rows, starts[rows], stops[rows])


def _runs(rows: NDArray[np.integer], starts: NDArray[np.integer], stops: NDArray[np.integer]) -> Runs:
    weights = (stops - starts).astype(np.float64)
    return Runs(rows.astype(np.int32), starts.astype(np.int32), stops.astype(np.int32), weights)


def from_top(depth: NDArray[np.int32]) -> Runs:
    """The pixels of columns that hang from the top border, `depth` (col,) pixels deep.

    Where the depth rises from one column to the next a run starts in each row between the two
    depths, where it falls runs stop; sorted by row and column, starts and stops pair up.
    """
    padded = np.concatenate(([0], depth, [0])).astype(np.int64)
    starts, stops = (_steps(padded, sign) for sign in (1, -1))
    return _runs(starts[0], starts[1], stops[1])


def _steps(depth: NDArray[np.int64], sign: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of all unit steps up (1) or down (-1), sorted by row, then column."""
    change = sign * np.diff(depth)
    cols = np.flatnonzero(change > 0)
    count = change[cols]
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    rows = np.repeat(np.minimum(depth[:-1], depth[1:])[cols], count) + offset
    cols = np.repeat(cols, count)
    order = np.lexsort((cols, rows))
    return rows[order], cols[order]


def from_bottom(depth: NDArray[np.int32], height: int) -> Runs:
    """The pixels of columns that stand on the bottom border of a scene of `height` rows, `depth` (col,) pixels high."""
    hanging = from_top(depth)
    order = np.argsort(-hanging.rows, kind="stable")
    flipped = hanging.take(order)
    return Runs((height - 1 - flipped.rows).astype(np.int32), flipped.starts, flipped.stops, flipped.weights)
