"""Pixel sets as horizontal runs: masks of any height in memory that follows their outline.

A mask of a scene of some gigapixels does not fit into memory, and a connected component does not
stop at the edge of a window. A `Runs` holds, for each row, where the mask starts and stops. Masks
of windows become runs, the runs of all windows are joined, and from then on dilation, hole
filling, labelling and measuring are exact over the whole scene, whatever windows it was read by.

    row 0   . # # . #      runs: (0, 1, 3), (0, 4, 5)
    row 1   # # . . #            (1, 0, 2), (1, 4, 5)

Every function is vectorized over runs; none looks at single pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import slices

__all__ = ["Components", "Runs", "measure"]

_ROW = np.int64(1) << 32  # a row and a column in one sortable number


@dataclass(frozen=True, eq=False)
class Runs:
    """A set of pixels as runs, sorted by row then start, disjoint and not touching in a row.

    `rows`, `starts`, `stops` are int32 (n,), `stops` exclusive. `weights`, float64 (n,), is the sum
    of the confidence over the pixels of each run.
    """

    rows: NDArray[np.int32]
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    weights: NDArray[np.float64]

    @classmethod
    def empty(cls) -> "Runs":
        """The set without pixels."""
        none = np.empty(0, np.int32)
        return cls(none, none, none, np.empty(0))

    @classmethod
    def from_mask(
        cls,
        mask: NDArray[np.bool_],
        confidence: NDArray[np.floating] | None = None,
        *,
        row: int = 0,
        col: int = 0,
    ) -> "Runs":
        """The True pixels of `mask` (row, col), whose pixel [0, 0] lies at (`row`, `col`) of the scene.

        `confidence` (row, col) is summed along each run; without it every pixel counts 1.
        Law: `Runs.from_mask(m).to_mask(window of m)` equals m.
        """
        used = np.flatnonzero(mask.any(axis=1))
        if len(used) == 0:
            return cls.empty()
        padded = np.zeros((len(used), mask.shape[1] + 2), np.int8)
        padded[:, 1:-1] = mask[used]
        edges = np.diff(padded, axis=1)
        rows, starts = np.nonzero(edges == 1)
        stops = np.nonzero(edges == -1)[1]
        if confidence is None:
            weights = (stops - starts).astype(np.float64)
        else:
            sums = np.zeros((len(used), mask.shape[1] + 1))
            np.cumsum(np.where(mask[used], confidence[used], 0.0), axis=1, out=sums[:, 1:])
            weights = sums[rows, stops] - sums[rows, starts]
        return cls(
            (used[rows] + row).astype(np.int32),
            (starts + col).astype(np.int32),
            (stops + col).astype(np.int32),
            weights,
        )

    @classmethod
    def union(cls, parts: Iterable["Runs"]) -> "Runs":
        """Join sets of pixels; runs that overlap or touch become one.

        Law: the order of the parts is irrelevant, and parts cut from one mask give back its runs.
        Where parts overlap the weights are added, so `mean confidence` is exact for disjoint parts
        only; a union of overlapping parts is for geometry.
        """
        held = [part for part in parts if len(part)]
        if not held:
            return cls.empty()
        if len(held) == 1:
            return held[0]
        rows, starts, stops = (np.concatenate([getattr(p, f) for p in held]) for f in ("rows", "starts", "stops"))
        return _merged(rows, starts, stops, np.concatenate([p.weights for p in held]))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Pixels in each run, (n,)."""
        return self.stops - self.starts

    @property
    def area(self) -> int:
        """Number of pixels in the set."""
        return int(self.lengths.sum(dtype=np.int64))

    def take(self, index: NDArray[np.bool_] | NDArray[np.integer]) -> "Runs":
        """The runs at `index`, a bool array (n,) or ascending positions."""
        return Runs(self.rows[index], self.starts[index], self.stops[index], self.weights[index])

    def within(self, window: Window) -> "Runs":
        """The part of the set that lies in a window; weights in proportion to the length kept."""
        rows, cols = slices(window)
        first, last = np.searchsorted(self.rows, (rows.start, rows.stop))
        part = self.take(np.arange(first, last))
        starts, stops = np.maximum(part.starts, cols.start), np.minimum(part.stops, cols.stop)
        share = (stops - starts) / part.lengths
        cut = Runs(part.rows, starts.astype(np.int32), stops.astype(np.int32), part.weights * share)
        return cut.take(stops > starts)

    def to_mask(self, window: Window) -> NDArray[np.bool_]:
        """The set inside a window as a bool mask (row, col)."""
        rows, cols = slices(window)
        part = self.within(window)
        steps = np.zeros((rows.stop - rows.start, cols.stop - cols.start + 1), np.int8)
        steps[part.rows - rows.start, part.starts - cols.start] = 1
        steps[part.rows - rows.start, part.stops - cols.start] = -1
        return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].astype(np.bool_)

    def intersection(self, other: "Runs") -> "Runs":
        """The pixels that lie in both sets; weights in proportion to the length kept of this set."""
        if len(self) == 0 or len(other) == 0:
            return Runs.empty()
        mine, theirs = _expanded(*_neighbors(self, other, 0, 0))
        starts = np.maximum(self.starts[mine], other.starts[theirs])
        stops = np.minimum(self.stops[mine], other.stops[theirs])
        part = self.take(mine)
        return Runs(part.rows, starts, stops, part.weights * ((stops - starts) / part.lengths))

    def difference(self, other: "Runs") -> "Runs":
        """The pixels of this set that do not lie in the other; weights in proportion to the length kept."""
        return self.intersection(other._background(self)) if len(self) and len(other) else self

    def _background(self, where: "Runs") -> "Runs":
        """What is not in this set, in the rows of another one and from column 0 to its last."""
        rows, limit = np.unique(where.rows), where.stops.max()
        near = self.take(np.isin(self.rows, rows))
        ends, edge = np.zeros_like(rows), np.full_like(rows, limit)
        row = np.concatenate([rows, near.rows])
        starts = np.concatenate([ends, np.minimum(near.stops, limit)])
        stops = np.concatenate([edge, np.minimum(near.starts, limit)])
        order, back = np.lexsort((starts, row)), np.lexsort((stops, row))
        row, starts, stops = row[order], starts[order], stops[back]
        gaps = Runs(row, starts, stops, (stops - starts).astype(np.float64))
        return gaps.take(stops > starts)

    def dilate(self, radius: int, *, height: int, width: int) -> "Runs":
        """Grow the set by a disk of `radius` pixels, inside a scene of `height` x `width`.

        Law: equals a binary dilation of the whole mask with the disk dr^2 + dc^2 <= radius^2.
        The weights of the result are its pixel counts.
        """
        if radius <= 0 or len(self) == 0:
            return self
        grown = []
        for step in range(-radius, radius + 1):
            reach = int(np.sqrt(radius**2 - step**2))
            rows = self.rows + step
            inside = (rows >= 0) & (rows < height)
            starts = np.maximum(self.starts[inside] - reach, 0)
            stops = np.minimum(self.stops[inside] + reach, width)
            grown.append((rows[inside], starts, stops))
        rows, starts, stops = (np.concatenate(parts) for parts in zip(*grown, strict=True))
        merged = _merged(rows, starts, stops, np.zeros(len(rows)))
        return Runs(merged.rows, merged.starts, merged.stops, merged.lengths.astype(np.float64))

    def holes(self, *, max_area: int) -> "Runs":
        """Background regions (4-connected) enclosed by the set and of at most `max_area` pixels.

        Law: `union([m, m.holes(max_area=...)])` is the mask with its small holes filled.
        """
        gaps = self._gaps()
        if max_area <= 0 or len(gaps) == 0:
            return Runs.empty()
        labels = gaps.label(reach=0)
        parts = measure(gaps, labels)
        small = parts.areas <= max_area
        # A gap between two runs is enclosed only if the rows above and below close it as well.
        open_label = np.zeros(parts.n, np.bool_)
        open_label[labels[~self._is_closed(gaps)]] = True
        return gaps.take((small & ~open_label)[labels])

    def _gaps(self) -> "Runs":
        """The background between neighboring runs of a row."""
        same_row = self.rows[1:] == self.rows[:-1]
        rows, starts, stops = self.rows[1:][same_row], self.stops[:-1][same_row], self.starts[1:][same_row]
        return Runs(rows, starts, stops, (stops - starts).astype(np.float64))

    def _is_closed(self, gaps: "Runs") -> NDArray[np.bool_]:
        """Whether above and below each gap there is only set, or another gap: (n gaps,)."""
        closed = np.ones(len(gaps), np.bool_)
        for step in (-1, 1):
            covered = _overlap(self, gaps, step) + _overlap(gaps, gaps, step)
            closed &= covered == gaps.lengths
        return closed

    def label(self, *, reach: int = 1) -> NDArray[np.int64]:
        """Number the connected components: (n,) labels 0, 1, ... in the order of their first runs.

        `reach` is the largest row and column distance at which two pixels still belong together:
        1 is 8-connectivity, 3 also joins across gaps of two pixels; 0 is 4-connectivity.
        Law: with reach 0 and 1 the components are those of `scipy.ndimage.label`.
        """
        pairs = [_pairs(self, step, reach) for step in range(max(reach, 1) + 1)]
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        return _connected(len(self), first, second)

    def find(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.int64]:
        """Index of the run that holds each pixel (row, col), or -1; any shape."""
        keys = rows.astype(np.int64) * _ROW + cols
        index = np.searchsorted(_keys(self.rows, self.starts), keys, side="right") - 1
        if len(self) == 0:
            return np.full(keys.shape, -1, np.int64)
        inside = (index >= 0) & (self.rows[index] == rows) & (cols < self.stops[index])
        return np.where(inside, index, -1)


@dataclass(frozen=True, eq=False)
class Components:
    """What is known of each of the n components of a `Runs`; every array has n entries."""

    areas: NDArray[np.int64]
    """Pixels."""
    weights: NDArray[np.float64]
    """Sum of the confidence over the pixels."""
    tops: NDArray[np.int32]
    """First row."""
    bottoms: NDArray[np.int32]
    """Last row + 1."""
    lefts: NDArray[np.int32]
    """First column."""
    rights: NDArray[np.int32]
    """Last column + 1."""
    lengths: NDArray[np.float64]
    """Length of the equivalent rectangle along its long axis, pixels: sqrt(12 x variance)."""
    widths: NDArray[np.float64]
    """Length of the equivalent rectangle across the long axis, pixels."""
    angles: NDArray[np.float64]
    """Direction of the long axis, radians in (-pi/2, pi/2], from the row (east) toward rows going down."""

    @property
    def n(self) -> int:
        """Number of components."""
        return len(self.areas)

    @property
    def confidences(self) -> NDArray[np.float64]:
        """Mean confidence of each component, (n,)."""
        return self.weights / self.areas


def measure(runs: Runs, labels: NDArray[np.int64]) -> Components:
    """Measure the components that `labels` (n runs,) gives to `runs`.

    Law: an axis-parallel filled rectangle of a x b pixels has lengths a and widths b (a >= b),
    because a pixel counts as a unit square: its own variance 1/12 is included.
    """
    n = int(labels.max()) + 1 if len(labels) else 0
    size = runs.lengths.astype(np.float64)
    middle = (runs.starts + runs.stops - 1) / 2.0
    area = np.bincount(labels, size, n)
    row_mean = np.bincount(labels, size * runs.rows, n) / np.maximum(area, 1)
    col_mean = np.bincount(labels, size * middle, n) / np.maximum(area, 1)
    row_off, col_off = runs.rows - row_mean[labels], middle - col_mean[labels]
    within = size * (size**2 - 1) / 12  # sum of squared column offsets inside a run
    row_var = np.bincount(labels, size * row_off**2, n) / np.maximum(area, 1) + 1 / 12
    col_var = np.bincount(labels, size * col_off**2 + within, n) / np.maximum(area, 1) + 1 / 12
    mixed = np.bincount(labels, size * row_off * col_off, n) / np.maximum(area, 1)
    spread = np.hypot((col_var - row_var) / 2, mixed)
    long, short = (row_var + col_var) / 2 + spread, (row_var + col_var) / 2 - spread
    return Components(
        areas=area.astype(np.int64),
        weights=np.asarray(np.bincount(labels, runs.weights, n), np.float64),
        tops=_extreme(np.minimum, labels, runs.rows, n),
        bottoms=_extreme(np.maximum, labels, runs.rows + 1, n),
        lefts=_extreme(np.minimum, labels, runs.starts, n),
        rights=_extreme(np.maximum, labels, runs.stops, n),
        lengths=np.sqrt(12 * long),
        widths=np.sqrt(12 * np.maximum(short, 0)),
        angles=np.arctan2(2 * mixed, col_var - row_var) / 2,
    )


def _extreme(ufunc: np.ufunc, labels: NDArray[np.int64], values: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """Smallest or largest value of each label, (n,)."""
    start = np.iinfo(np.int32).max if ufunc is np.minimum else np.iinfo(np.int32).min
    result = np.full(n, start, np.int32)
    ufunc.at(result, labels, values.astype(np.int32))
    return result


def _keys(rows: NDArray[np.int32], cols: NDArray[np.int32]) -> NDArray[np.int64]:
    return rows.astype(np.int64) * _ROW + cols


def _merged(
    rows: NDArray[np.int32], starts: NDArray[np.int32], stops: NDArray[np.int32], weights: NDArray[np.float64]
) -> Runs:
    """Sort runs and join those that overlap or touch; weights are added."""
    begin, end = _keys(rows, starts), _keys(rows, stops)
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    first = np.flatnonzero(np.concatenate(([True], begin[1:] > end[:-1])))
    last = np.concatenate((first[1:] - 1, [len(begin) - 1]))
    new_rows, new_starts = np.divmod(begin[first], _ROW)
    new_stops = end[last] - new_rows * _ROW
    total = np.add.reduceat(weights[order], first)
    return Runs(new_rows.astype(np.int32), new_starts.astype(np.int32), new_stops.astype(np.int32), total)


def _neighbors(of: Runs, among: Runs, step: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each run of `of`, the half-open range of runs of `among` in row + step that it meets."""
    slack = reach - 1
    begin = _keys(of.rows + np.int32(step), of.starts)
    end = _keys(of.rows + np.int32(step), of.stops)
    low = np.searchsorted(_keys(among.rows, among.stops) + slack, begin, side="left")
    high = np.searchsorted(_keys(among.rows, among.starts) - slack, end, side="right")
    return low, np.maximum(high, low)


def _expanded(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs (i, j) with low[i] <= j < high[i]."""
    counts = high - low
    first = np.repeat(np.arange(len(low)), counts)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, np.repeat(low, counts) + offset


def _pairs(runs: Runs, step: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs, `step` rows apart, whose pixels lie within `reach` of each other."""
    if step == 0:
        near = (runs.rows[1:] == runs.rows[:-1]) & (runs.starts[1:] - runs.stops[:-1] < reach)
        first = np.flatnonzero(near)
        return first, first + 1
    return _expanded(*_neighbors(runs, runs, -step, reach))


def _overlap(upon: Runs, runs: Runs, step: int) -> NDArray[np.int64]:
    """Pixels of each run that `upon` covers in the row `step` further, (n runs,)."""
    if len(upon) == 0:
        return np.zeros(len(runs), np.int64)
    first, second = _expanded(*_neighbors(runs, upon, step, 0))
    shared = np.minimum(runs.stops[first], upon.stops[second]) - np.maximum(runs.starts[first], upon.starts[second])
    return np.bincount(first, shared, len(runs)).astype(np.int64)


def _connected(n: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected components of n nodes by hooking roots and shortening paths; labels 0, 1, ..."""
    parent = np.arange(n)
    while len(first):
        one, two = parent[first], parent[second]
        apart = one != two
        first, second, one, two = first[apart], second[apart], one[apart], two[apart]
        np.minimum.at(parent, np.maximum(one, two), np.minimum(one, two))
        while not np.array_equal(parent, shorter := parent[parent]):
            parent = shorter
    return np.asarray(np.unique(parent, return_inverse=True)[1], np.int64)
