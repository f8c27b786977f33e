"""Wide regions of one flat color that reach the border of a scene, found while its rows stream by.

The machine behind `collar`, for one color. It sees only the deviation of each pixel from that color:
0 where the pixel has the color or is declared nodata, larger the more it differs.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.raster import border_runs
from clearscene.raster.sides import Sides, collar_depth
from clearscene.runs import Runs

__all__ = ["BlockGrid", "Outline"]

BLOCK = 16
"""Side of a block in pixels. A square of 3 x 3 blocks fits into whatever is 63 px wide, into nothing under 48."""

SMALL_SCENE = 32
"""Blocks along a side below which blocks shrink, so that a preview of 500 px can have a collar too."""

STRIP = 16
"""Rows of blocks handled at a time; more than NEAR + 2, so that one strip ahead decides the one behind."""

NEAR = 4
"""Blocks (64 px) around a core within which connected pixels of its color still belong to it."""

SIDE_SHARE = 0.05
"""A core that misses the corners must touch this share of a side."""

FLAT_SHARE = 0.5
"""Share of the blocks of a core that must be flat."""

FLAT_RANGE = 1.0
"""Levels by which a flat block varies: a collar a few levels off is constant."""

FLAT_MEAN = 3.5
"""Or else the mean deviation of a flat block: independent noise of 0 to 5 levels
on half the pixels of three bands has 2.9."""

HARD_SHARE = 0.5
"""Share of the sampled edge of a core that must be hard."""

SAMPLING = 4
"""Every so many rows and columns the edge is sampled."""

STEP = 3
"""Pixels across which the edge is measured: past the blur of an edge that was resampled once."""

SIDES = ("top", "bottom", "left", "right")

SPECK = 16
"""Pixels: holes in a collar up to this size are noise of the compression."""

Flags = NDArray[np.bool_]
Values = NDArray[Any]  # deviations, of any real type


@dataclass(frozen=True)
class BlockGrid:
    """A scene cut into blocks; those of small scenes are smaller, those at the right and bottom are cut."""

    height: int
    width: int
    rows: int
    """Height of a block, pixels."""
    cols: int
    """Width of a block, pixels."""

    @classmethod
    def of(cls, height: int, width: int) -> "BlockGrid":
        """Blocks of 16 px, smaller where fewer than 32 would fit along the side."""
        return cls(height, width, *(min(BLOCK, max(1, side // SMALL_SCENE)) for side in (height, width)))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-self.height // self.rows), -(-self.width // self.cols)

    def reduce(self, values: Values, ufunc: np.ufunc) -> Values:
        """`ufunc` over each block of a strip (row, col), (block row, block col); cut blocks count what they have."""
        wide = np.uint32 if ufunc is np.add and values.dtype.kind == "u" else None
        by_row = ufunc.reduceat(values, np.arange(0, values.shape[0], self.rows), axis=0, dtype=wide)
        return np.asarray(ufunc.reduceat(by_row, np.arange(0, values.shape[1], self.cols), axis=1))

    def spread(self, blocks: Flags, n_rows: int) -> Flags:
        """Each pixel gets the flag of its block: (block row, block col) -> (n_rows, width)."""
        tall = np.repeat(blocks, self.rows, axis=0)[:n_rows]
        return np.repeat(tall, self.cols, axis=1)[:, : self.width]


@dataclass(eq=False)
class _Maps:
    """What is kept of each block of the scene, and of the edge of the regions."""

    full: Flags
    """Nothing but the color or declared nodata."""
    own: Flags
    """Full, and no declared nodata."""
    flat: Flags
    """Full, and varies by no more than noise."""
    hard: list[NDArray[np.int64]] = field(default_factory=list)
    """Flat indices of the blocks of sampled hard edges, one entry a sample."""
    soft: list[NDArray[np.int64]] = field(default_factory=list)
    """The same of soft edges."""


class Outline:
    """Collects the wide regions of one color that reach the border.

    Args:
        grid: The blocks of the scene.
        tolerance: Deviation up to which a pixel counts as having the color.
        level: A level of 255 in units of the deviation.
        hard: Deviation from which on the pixel beyond an edge makes that edge hard.
    """

    def __init__(self, grid: BlockGrid, *, tolerance: float, level: float, hard: float) -> None:
        self._grid, self._tolerance, self._level, self._hard = grid, tolerance, level, hard
        full, own, flat = (np.zeros(grid.shape, np.bool_) for _ in range(3))
        self._maps = _Maps(full=full, own=own, flat=flat)
        self._sides, self._declared = Sides.of(grid.height, grid.width), Sides.of(grid.height, grid.width)
        self._row = 0
        self._behind: Values | None = None  # the last strip, kept until the next one is known
        self._runs: list[Runs] = []

    @property
    def strip_rows(self) -> int:
        """Rows of a strip; all but the last must have as many."""
        return STRIP * self._grid.rows

    def add(self, deviation: Values, declared: Flags | None) -> None:
        """Take the next strip: deviation from the color (row, col); `declared` nodata (row, col) or None."""
        self._map_blocks(deviation, declared)
        self._measure_sides(deviation, declared)
        self._sample_edges(deviation)
        row = self._row
        self._row += len(deviation)
        if self._behind is not None:
            self._keep_runs(self._behind, row - len(self._behind))
        self._behind = deviation

    def finish(self) -> tuple[Runs, tuple[str, ...]]:
        """The pixels found and the sides that they touch."""
        if self._behind is not None:
            self._keep_runs(self._behind, self._row - len(self._behind))
            self._behind = None
        kept = self._kept_cores()
        found = Runs.union([self._around_cores(kept), *(tips := self._tips(_grow(kept, NEAR)))])
        found = Runs.union([found, found.holes(max_area=SPECK)])
        touched = _touched(kept)
        sides = tuple(side for side, tip in zip(SIDES, tips, strict=True) if side in touched or len(tip))
        return found, sides

    def _around_cores(self, kept: Flags) -> Runs:
        """The pixels of the color that hang together with a kept core."""
        if not kept.any():
            return Runs.empty()
        runs = Runs.union(self._runs)
        if not np.array_equal(kept, _open(self._maps.full)):
            runs = self._clipped(runs, _grow(kept, NEAR) & ~_rejected(self._maps.full, kept))
        return self._connected(runs, kept)

    # -- one strip ---------------------------------------------------------------------------------

    def _map_blocks(self, deviation: Values, declared: Flags | None) -> None:
        """Enter the blocks of the strip at row `self._row`."""
        grid, first = self._grid, self._row // self._grid.rows
        largest = grid.reduce(deviation, np.maximum)
        full = largest <= self._tolerance
        rows = slice(first, first + len(full))
        self._maps.full[rows] = full
        if not full.any():
            return
        self._maps.own[rows] = full if declared is None else full & ~grid.reduce(declared, np.logical_or).astype(bool)
        self._maps.flat[rows] = self._is_flat(deviation, full, largest)

    def _is_flat(self, deviation: Values, full: Flags, largest: Values) -> Flags:
        """Which full blocks of a strip are flat."""
        flat: Flags = full & (largest <= FLAT_RANGE * self._level)  # most often all: no need to look closer
        if np.array_equal(flat, full):
            return flat
        smallest = self._grid.reduce(deviation, np.minimum)
        flat |= largest - smallest <= FLAT_RANGE * self._level
        n_pixels = self._grid.reduce(np.ones(deviation.shape, np.uint8), np.add)
        return np.asarray(full & (flat | (self._grid.reduce(deviation, np.add) <= FLAT_MEAN * self._level * n_pixels)))

    def _measure_sides(self, deviation: Values, declared: Flags | None) -> None:
        """Lengthen the runs at the four borders, of the color and of declared nodata."""
        self._sides.lengthen(deviation, self._row, self._tolerance)
        if declared is not None and declared.any():
            self._declared.lengthen((~declared).view(np.uint8), self._row, 0)
        else:
            self._declared.bottom[:] = 0

    def _sample_edges(self, deviation: Values) -> None:
        """Note hard and soft edges along every so many rows and columns of the strip and the one before."""
        first = self._row // self._grid.rows
        if not self._maps.full[max(0, first - STRIP) : first + STRIP].any():
            return
        self._sample(deviation[::SAMPLING], self._row, 0, (SAMPLING, 1))
        above = [] if self._behind is None else [self._behind[-STEP:, ::SAMPLING]]
        columns = np.concatenate([*above, deviation[:, ::SAMPLING]]) if above else deviation[:, ::SAMPLING]
        self._sample(columns.T, self._row - len(columns) + len(deviation), 0, (1, SAMPLING), is_turned=True)

    def _sample(
        self,
        lines: Values,
        row: int,
        col: int,
        spacing: tuple[int, int],
        *,
        is_turned: bool = False,
    ) -> None:
        """Note the steps along each of `lines` (line, place), whose pixel [0, 0] lies at (`row`, `col`)."""
        is_color = lines <= self._tolerance
        steps = is_color[:, STEP:] != is_color[:, :-STEP]
        # Only the last pixel of the color counts, so that a step is met once.
        line, place = np.nonzero(steps)
        starts_in = is_color[line, place]
        inner, outer = np.where(starts_in, place, place + STEP), np.where(starts_in, place + STEP, place)
        toward = np.where(starts_in, 1, -1)
        last = ~is_color[line, inner + toward]
        line, inner, outer = line[last], inner[last], outer[last]
        is_hard = lines[line, outer] > self._hard
        rows, cols = (inner, line) if is_turned else (line, inner)
        rows, cols = rows * spacing[0] + row, cols * spacing[1] + col
        blocks = (rows // self._grid.rows).astype(np.int64) * self._grid.shape[1] + cols // self._grid.cols
        self._maps.hard.append(blocks[is_hard])
        self._maps.soft.append(blocks[~is_hard])

    def _keep_runs(self, deviation: Values, row: int) -> None:
        """Keep the runs of the color near cores in the strip at `row`, once the blocks below are known."""
        first, n = row // self._grid.rows, -(-len(deviation) // self._grid.rows)
        above, below = max(0, first - NEAR - 2), min(self._grid.shape[0], first + n + NEAR + 2)
        around = self._maps.full[above:below]
        if not around.any():
            return
        near = _grow(_open(around), NEAR)[first - above :][:n]
        cols = np.flatnonzero(near.any(axis=0))
        if len(cols) == 0:
            return
        left, right = cols[0] * self._grid.cols, min((cols[-1] + 1) * self._grid.cols, self._grid.width)
        is_color = deviation[:, left:right] <= self._tolerance
        if not near[:, cols[0] : cols[-1] + 1].all():
            is_color &= self._grid.spread(near, len(deviation))[:, left:right]
        self._runs.append(Runs.from_mask(is_color, row=row, col=int(left)))

    # -- the whole scene ---------------------------------------------------------------------------

    def _kept_cores(self) -> Flags:
        """The cores that reach the border as a collar does, are flat, and end in a hard edge."""
        cores = _open(self._maps.full)
        if not cores.any():
            return cores
        n, found = cv2.connectedComponents(cores.view(np.uint8), connectivity=4)
        labels = found.astype(np.int32, copy=False)
        size = np.bincount(labels.ravel(), minlength=n)
        flat = np.bincount(labels[self._maps.flat], minlength=n) >= FLAT_SHARE * size
        own = np.bincount(labels[self._maps.own], minlength=n) > 0
        kept = _reaches(labels, n) & flat & own & self._has_hard_edge(labels, n)
        kept[0] = False
        return np.asarray(kept[labels])

    def _has_hard_edge(self, labels: NDArray[np.int32], n: int) -> Flags:
        """Which labels have mostly hard edges within two blocks; one without any edge counts as hard."""
        around = cv2.dilate(labels.astype(np.float32), np.ones((5, 5), np.uint8)).astype(np.int32).ravel()
        hard, soft = (
            np.bincount(around[np.concatenate([*blocks, np.empty(0, np.int64)])], minlength=n)
            for blocks in (self._maps.hard, self._maps.soft)
        )
        return np.asarray(hard >= HARD_SHARE * (hard + soft))

    def _clipped(self, runs: Runs, blocks: Flags) -> Runs:
        """The part of the runs that lies in `blocks`, strip by strip."""
        grid, parts = self._grid, []
        for first in range(0, grid.shape[0], STRIP):
            near = blocks[first : first + STRIP]
            row = first * grid.rows
            window = Window(0, row, grid.width, min(STRIP * grid.rows, grid.height - row))
            if near.any() and len(runs.within(window)):
                parts.append(Runs.from_mask(runs.to_mask(window) & grid.spread(near, window.height), row=row))
        return Runs.union(parts)

    def _connected(self, runs: Runs, kept: Flags) -> Runs:
        """The runs that hang together with a kept core."""
        if len(runs) == 0:
            return runs
        labels = runs.label(reach=1)
        before = np.zeros((kept.shape[0], kept.shape[1] + 1), np.int32)
        np.cumsum(kept, axis=1, out=before[:, 1:])
        block_row = runs.rows // self._grid.rows
        stop = (runs.stops - 1) // self._grid.cols + 1
        is_core = before[block_row, stop] > before[block_row, runs.starts // self._grid.cols]
        holds_core = np.bincount(labels, is_core) > 0
        return runs.take(holds_core[labels])

    def _tips(self, kept: Flags) -> list[Runs]:
        """The thin parts of a collar along the borders, in the order of `SIDES`: ends of cores, and slivers."""
        grid, sides, declared = self._grid, self._sides, self._declared
        rows, cols = np.arange(grid.height) // grid.rows, np.arange(grid.width) // grid.cols
        left = collar_depth(sides.left, declared.left, kept[rows, 0], block=grid.rows)
        right = collar_depth(sides.right, declared.right, kept[rows, -1], block=grid.rows)
        top = collar_depth(sides.top, declared.top, kept[0, cols], block=grid.cols)
        bottom = collar_depth(sides.bottom, declared.bottom, kept[-1, cols], block=grid.cols)
        return [
            border_runs.from_top(top),
            border_runs.from_bottom(bottom, grid.height),
            border_runs.from_left(left),
            border_runs.from_right(right, grid.width),
        ]


def _rejected(full: Flags, kept: Flags) -> Flags:
    """Blocks of cores that were not kept."""
    return _open(full) & ~kept


def _open(blocks: Flags) -> Flags:
    """Opening by 3 x 3 blocks (1 where the scene has fewer); beyond the border nothing counts as full."""
    kernel = np.ones([3 if side >= 3 else 1 for side in blocks.shape], np.uint8)
    # Cut the border of the *scene* only: a region along it must be wide by itself.
    eroded = cv2.erode(blocks.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.dilate(eroded, kernel).view(np.bool_))


def _grow(blocks: Flags, radius: int) -> Flags:
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.dilate(np.ascontiguousarray(blocks).view(np.uint8), kernel).view(np.bool_))


def _reaches(labels: NDArray[np.int32], n: int) -> Flags:
    """Which labels (0..n-1) touch a corner or at least 5 % of a side."""
    reaches = np.zeros(n, np.bool_)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        reaches |= np.bincount(side, minlength=n) >= max(1.0, SIDE_SHARE * len(side))
        reaches[side[[0, -1]]] = True
    return reaches


def _touched(kept: Flags) -> tuple[str, ...]:
    """Names of the sides of the scene that hold kept blocks."""
    sides = {"top": kept[0], "bottom": kept[-1], "left": kept[:, 0], "right": kept[:, -1]}
    return tuple(name for name, side in sides.items() if side.any())
