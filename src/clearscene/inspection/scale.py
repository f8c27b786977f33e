"""One scale of a two-step inspection: screens, segments and blends its tiles, and says who claims a pixel."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.blend import BandBlender
from clearscene.inspection.constraint import Constraint, constrain, sigmoid
from clearscene.inspection.taxonomy import BY_NAME, DefectType
from clearscene.models.manifest import Manifest
from clearscene.models.model import Screening, softmax
from clearscene.stream import Answer, BandStream, StreamPlan
from clearscene.tiling import Tile, TileGrid

__all__ = ["Job", "Read", "Scale", "Square", "Statistics", "TwoStepModel", "overlap"]

CELL_CHANCE = 0.3
"""Probability from which on a cell of a flagged tile belongs to the seam."""

Read = Callable[[Window, tuple[int, int]], tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""`read(window, out_shape) -> display (band, row, col), valid (row, col)`; called from several threads."""


class TwoStepModel(Protocol):
    """What the machinery asks of a model; `models.Model` is one."""

    manifest: Manifest

    @property
    def has_screen(self) -> bool:
        """False: every tile is segmented and nothing is constrained."""
        ...

    def prepare(self, display: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Network input (1, band, row, col) of a tile."""
        ...

    def screen(self, image: NDArray[np.float32]) -> Screening:
        """First step, from network input (1, band, row, col): logits (type,)."""
        ...

    def segment(
        self, image: NDArray[np.float32], features: dict[str, NDArray[np.float32]] | None = None
    ) -> NDArray[np.float32]:
        """Second step: logits (class, row, col)."""
        ...


@dataclass
class Statistics:
    """What a run did. Times are summed over threads, so they may exceed the clock."""

    tiles: int = 0
    empty: int = 0
    """Tiles without a valid pixel; not screened."""
    screened: int = 0
    segmented: int = 0
    flagged: dict[str, int] = field(default_factory=dict)
    """Tiles that the screen flagged, by type."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage: read, screen, segment, combine."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @property
    def flagged_fraction(self) -> float:
        """Segmented tiles by tiles that hold data."""
        return self.segmented / max(1, self.tiles - self.empty)

    def count(self, *counters: str) -> None:
        """Add one to these counters, from any thread."""
        with self._lock:
            for name in counters:
                setattr(self, name, getattr(self, name) + 1)

    def flag(self, names: Sequence[str]) -> None:
        """Count a tile for each of these types."""
        with self._lock:
            for name in names:
                self.flagged[name] = self.flagged.get(name, 0) + 1

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a `with` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Job:
    """What all scales of one inspection share."""

    model: TwoStepModel
    regions: tuple[DefectType, ...]
    """Region types to segment."""
    boundaries: tuple[DefectType, ...]
    """Boundary types to mark by the tile."""
    constraint: Constraint
    screens: bool
    """False: segment every tile, flagged or not."""
    statistics: Statistics


@dataclass(frozen=True)
class Square:
    """A tile that was flagged for a boundary type, in scene pixels."""

    window: Window
    type_id: int
    confidence: float
    traced: NDArray[np.bool_] | None = None
    """(cell row, cell col) from the window's upper left corner on: where the seam runs; None: nobody knows, all
    of it counts. The last cells may reach past the window."""
    cell: tuple[float, float] = (1.0, 1.0)
    """Rows and columns of a cell, in scene pixels."""

    def mask(self, part: Window) -> NDArray[np.bool_]:
        """Which pixels (row, col) of `part`, a piece of the square's window, are marked."""
        if self.traced is None:
            return np.ones((round(part.height), round(part.width)), np.bool_)
        n_rows, n_cols = self.traced.shape
        rows = np.arange(part.row_off - self.window.row_off, part.row_off - self.window.row_off + part.height)
        cols = np.arange(part.col_off - self.window.col_off, part.col_off - self.window.col_off + part.width)
        by_row = np.minimum((rows / self.cell[0]).astype(np.intp), n_rows - 1)
        by_col = np.minimum((cols / self.cell[1]).astype(np.intp), n_cols - 1)
        return self.traced[np.ix_(by_row, by_col)]


class Scale:
    """One scale of one strip: its blended tiles, who may vote, and the flagged squares."""

    def __init__(self, job: Job, grid: TileGrid, read: Read, plan: StreamPlan, columns: tuple[int, int]) -> None:
        self.grid, self.factor = grid, grid.spec.reduction
        self._job, self._read = job, read
        manifest = job.model.manifest
        self.is_native = self.factor == min(manifest.tiles.reductions)
        self.voters = [
            (i, c)
            for i, c in enumerate(manifest.classes)
            if i and BY_NAME[c.name] in job.regions and (self.is_native or c.scales == "all")
        ]
        margin = 0 if self.factor == 1 else 1  # the neighbors that interpolation looks at
        start, stop = self._span(columns, grid.width, margin)
        lag = manifest.tiles.specs()[0].tile_size // self.factor + 3
        fill = [1.0, *([0.0] * len(self.voters))]
        self._blender = BandBlender(grid, fill, start=start, stop=stop, extra_rows=lag if margin else 0)
        self._stream = BandStream(self._blender, self._infer, plan)
        self._squares: list[Square] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "Scale":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.__exit__(None, None, None)

    def next_row(self, row: int) -> int:
        """Blend the next band and return the first scene row that is not finished."""
        self._stream.advance(row // self.factor + 1)
        return self._scene(self._stream.finished, self.grid.height, self.grid.scene_height)

    def advance(self, row: int) -> None:
        """Blend until the scene rows above `row` can be read."""
        self._stream.advance(-(-row // self.factor) + (self.factor > 1))

    def drop(self, row: int) -> None:
        """Forget what the scene rows from `row` on do not need."""
        self._blender.drop(min(row // self.factor, self.grid.height - 1) - 1 if self.factor > 1 else row)
        with self._lock:
            self._squares = [s for s in self._squares if s.window.row_off + s.window.height > row]

    def touched(self, rows: tuple[int, int]) -> list[tuple[int, int]]:
        """Scene columns that segmented tiles touch in these scene rows."""
        spans = self._blender.touched(*self._span(rows, self.grid.height))
        width, scene_width = self.grid.width, self.grid.scene_width
        return [(a * self.factor, self._scene(b, width, scene_width)) for a, b in spans]

    def squares(self, rows: tuple[int, int], columns: tuple[int, int]) -> list[Square]:
        """Flagged squares that touch these scene rows and columns."""
        whole = Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        with self._lock:
            return [s for s in self._squares if overlap(s.window, whole) is not None]

    def claim(
        self,
        rows: tuple[int, int],
        cols: tuple[int, int],
        best: NDArray[np.float32],
        winner: NDArray[np.uint8],
    ) -> None:
        """Enter this scale's claims into `best` (probability) and `winner` (type id), (row, col)."""
        if not self.voters or not any(a < cols[1] and b > cols[0] for a, b in self.touched(rows)):
            return
        values = self._values(rows, cols)
        if values is None:
            return
        top = values[1:].max(axis=0)
        wins = (top > values[0]) & (top > best)
        y, x = np.nonzero(wins)
        leader, chance = values[1:, y, x].argmax(axis=0), top[y, x]
        enough = chance >= np.array([entry.threshold for _, entry in self.voters], np.float32)[leader]
        y, x, leader = y[enough], x[enough], leader[enough]
        best[y, x] = chance[enough]
        winner[y, x] = np.array([entry.id for _, entry in self.voters], np.uint8)[leader]

    def _values(self, rows: tuple[int, int], cols: tuple[int, int]) -> NDArray[np.float32] | None:
        """Blended probabilities (background and voters, row, col) in scene pixels; None if no voter wins."""
        if self.factor == 1:
            return self._blender.read(rows, cols)[0]
        f = self.factor
        top, bottom = self._span(rows, self.grid.height, 1)
        left, right = self._span(cols, self._blender.stop, 1)
        left = max(left, self._blender.start)
        coarse, _ = self._blender.read((top, bottom), (left, right))
        if not (coarse[1:] > coarse[0]).any():  # then none wins between them: differences interpolate linearly
            return None
        size = ((right - left) * f, (bottom - top) * f)
        fine = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in coarse])
        # past the last whole grid pixel its row or column is repeated
        y = np.minimum(np.arange(rows[0], rows[1]) - top * f, size[1] - 1)
        x = np.minimum(np.arange(cols[0], cols[1]) - left * f, size[0] - 1)
        return fine[:, y[0] : y[-1] + 1, x[0] : x[-1] + 1] if _is_plain(y, x) else fine[:, y][:, :, x]

    def _span(self, pixels: tuple[int, int], limit: int, margin: int = 0) -> tuple[int, int]:
        """Grid rows (columns) that hold these scene rows (columns), with a margin as far as the grid goes."""
        first = min(pixels[0] // self.factor, limit - 1)
        return max(0, first - margin), min(limit, -(-pixels[1] // self.factor) + margin)

    def _scene(self, stop: int, limit: int, scene_limit: int) -> int:
        """Scene pixel at which grid pixel `stop` begins; the end of the scene for that of the grid."""
        return scene_limit if stop == limit else stop * self.factor

    def _infer(self, tile: Tile) -> Answer | None:
        """Both steps for one tile; None if it holds nothing to segment. Runs in threads."""
        statistics, model = self._job.statistics, self._job.model
        with statistics.timed("read"):
            display, valid = self._read(tile.window, (tile.height, tile.width))
        statistics.count("tiles")
        if not valid.any():
            statistics.count("empty")
            return None
        image = model.prepare(display, valid)
        screening = self._screen(tile, image)
        if not self._is_wanted(screening):
            return None
        with statistics.timed("segment"):
            logits = model.segment(image, screening.features if screening else None)
            logits = logits[:, : tile.height, : tile.width]
            if screening is not None:
                logits = constrain(logits, self._of_classes(screening), self._job.constraint)
            probabilities = self._folded(softmax(logits))
        statistics.count("segmented")
        return Answer(probabilities, valid)

    def _screen(self, tile: Tile, image: NDArray[np.float32]) -> Screening | None:
        """First step: count the flags and keep the square of a flagged boundary type."""
        model, statistics = self._job.model, self._job.statistics
        spec = model.manifest.screen
        if spec is None or not model.has_screen:
            return None
        with statistics.timed("screen"):
            screening = model.screen(image)
        statistics.count("screened")
        chances = dict(zip(spec.types, sigmoid(screening.logits).tolist(), strict=True))
        flagged = [n for n, chance in chances.items() if chance >= spec.threshold_of(n) and n not in spec.silent]
        statistics.flag(flagged)
        for kind in self._job.boundaries:
            if kind.name in flagged and (self.is_native or spec.scales.get(kind.name) == "all"):
                traced, cell = self._traced(screening, kind, tile)
                with self._lock:
                    self._squares.append(Square(tile.window, kind.id, chances[kind.name], traced, cell))
        return screening

    def _traced(
        self, screening: Screening, kind: DefectType, tile: Tile
    ) -> tuple[NDArray[np.bool_] | None, tuple[float, float]]:
        """Cells of a flagged tile that show the type, with their neighbors, and their size; None if no cell stands out.

        Cells are laid over the padded tile, so those past its edge are cut off; their size is in scene pixels.
        """
        spec = self._job.model.manifest.screen
        if screening.cells is None or spec is None:
            return None, (1.0, 1.0)
        chances = sigmoid(screening.cells[spec.types.index(kind.name)])  # (cell row, cell col) of the padded tile
        size = self.grid.spec.size
        n_rows, n_cols = (-(-n * k // size) for n, k in zip((tile.height, tile.width), chances.shape, strict=True))
        cell = (self.factor * size / chances.shape[0], self.factor * size / chances.shape[1])
        hit = chances[:n_rows, :n_cols] >= CELL_CHANCE
        if not hit.any():
            return None, cell
        return cv2.dilate(hit.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_), cell

    def _is_wanted(self, screening: Screening | None) -> bool:
        """True if a type that may vote at this scale is flagged, or nothing was screened."""
        spec = self._job.model.manifest.screen
        if not self.voters:
            return False
        if screening is None or spec is None or not self._job.screens:
            return True
        chances = dict(zip(spec.types, sigmoid(screening.logits).tolist(), strict=True))
        return any(chances[c.name] >= spec.threshold_of(c.name) for _, c in self.voters)

    def _of_classes(self, screening: Screening) -> NDArray[np.float32]:
        """Screening logits in the order of the segmented classes, (class - 1,)."""
        manifest = self._job.model.manifest
        assert manifest.screen is not None
        order = [manifest.screen.types.index(c.name) for c in manifest.classes[1:]]
        return screening.logits[order]

    def _folded(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Background and voters only; (class, row, col) in the order of the voters. Changes what it is given.

        At the native scale the first plane is the strongest competitor that may not win (background
        and types not asked for); at a reduced one it is all that may not vote, added up.
        """
        kept = [0, *(i for i, _ in self.voters)]
        join = np.maximum if self.is_native else np.add
        for other in sorted(set(range(len(probabilities))) - set(kept)):
            join(probabilities[0], probabilities[other], out=probabilities[0])
        # Classes that stand first, as those of the shipped model do, need no copy.
        return probabilities[: len(kept)] if kept == list(range(len(kept))) else probabilities[kept]


def _is_plain(*indices: NDArray[np.intp]) -> bool:
    """True if every index runs on by ones, so that a slice will do."""
    return all(index[-1] - index[0] == len(index) - 1 for index in indices)


def overlap(a: Window, b: Window) -> Window | None:
    """The common part of two windows, None if there is none."""
    top, left = max(a.row_off, b.row_off), max(a.col_off, b.col_off)
    bottom = min(a.row_off + a.height, b.row_off + b.height)
    right = min(a.col_off + a.width, b.col_off + b.width)
    return Window(left, top, right - left, bottom - top) if bottom > top and right > left else None
