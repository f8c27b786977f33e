"""Two-step inspection: screen every tile, segment only where something is flagged.

::

    tile -> screen -> nothing flagged -----------------------------> skipped
                   -> a region type flagged -> segment -> constrain -> blend --\
                                                                               combine scales -> pieces
                   -> a boundary type flagged -> the tile's square ------------/

The scales run in step: before rows of the finest scale are handed over, the coarser ones have been
blended past them, so that memory is about one row of tiles a scale. Yu, Wang et al., IET Image
Processing 2023, sections 3.1 to 3.5; there every block is segmented at each size on its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.blend import join_intervals
from clearscene.errors import ModelError
from clearscene.inspection.constraint import Constraint
from clearscene.inspection.scale import Job, Read, Scale, Square, Statistics, TwoStepModel, overlap
from clearscene.inspection.taxonomy import BY_NAME, TYPES, DefectType, Group
from clearscene.models.manifest import Manifest
from clearscene.stream import StreamPlan
from clearscene.tiling import TileGrid

__all__ = ["Piece", "Read", "Statistics", "TwoStep", "TwoStepModel", "TwoStepOptions"]

CHUNK = 1024
"""Columns that are combined at once, in scene pixels."""


@dataclass(frozen=True)
class TwoStepOptions:
    """What to look for and how."""

    types: tuple[DefectType, ...] = TYPES
    """Types that are reported; those that the model does not know are left out."""
    constraint: Constraint = field(default_factory=Constraint)
    """How the screen bears on the segmentation."""
    screen: bool = True
    """False: segment every tile, flagged or not (the constraint still holds)."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of one type's mask. Pieces of one type never overlap, so they can simply be joined."""

    window: Window
    """Scene pixels."""
    type_id: int
    mask: NDArray[np.bool_]
    """(row, col)."""
    confidence: NDArray[np.float32]
    """(row, col), the blended probability; only meaningful where `mask` is True."""


class TwoStep:
    """Find region and boundary types with a model.

    Laws: the order of the tiles is irrelevant; the number of workers and the strips change no value;
    with every tile segmented, one scale and a network that reads off its answer, the masks are that
    answer. A type claims a pixel at a scale where it may vote, where its blended probability exceeds
    that of everything it competes with and reaches its threshold; the pixel goes to the claim with the
    highest probability. At a reduced scale, types that may not vote count as background.

    Raises:
        ModelError: The model is not for inspection, or its classes are not those of the taxonomy.
    """

    def __init__(self, model: TwoStepModel, options: TwoStepOptions | None = None) -> None:
        self.model, self.options = model, options or TwoStepOptions()
        self.statistics = Statistics()
        manifest = model.manifest
        _check_names(manifest)
        screened = manifest.screen.types if manifest.screen and model.has_screen else ()
        self._job = Job(
            model=model,
            regions=self._wanted([entry.name for entry in manifest.classes[1:]], Group.REGION),
            boundaries=self._wanted(screened, Group.BOUNDARY),
            constraint=self.options.constraint,
            screens=self.options.screen,
            statistics=self.statistics,
        )

    def _wanted(self, names: Sequence[str], group: Group) -> tuple[DefectType, ...]:
        screen = self.model.manifest.screen
        silent = screen.silent if screen else ()
        return tuple(t for t in self.options.types if t.name in names and t.group is group and t.name not in silent)

    @property
    def types(self) -> tuple[DefectType, ...]:
        """The types that this model and these options can find."""
        return self._job.regions + self._job.boundaries

    def stream(self, read: Read, height: int, width: int, plan: StreamPlan | None = None) -> Iterator[Piece]:
        """Inspect a scene and yield masks by type, in row order within each strip of columns.

        `read` returns valid all False for what cannot be read. Memory is that of the plan.
        """
        plan = plan or StreamPlan()
        grids = self._grids(height, width)
        for start, stop in grids[0].strips(plan.strip_width):
            with ExitStack() as stack:
                scales = [stack.enter_context(Scale(self._job, grid, read, plan, (start, stop))) for grid in grids]
                yield from self._strip(scales, height, (start, stop))

    def _grids(self, height: int, width: int) -> list[TileGrid]:
        """The tiles of each scale; a scene that fits into one tile of a scale is not read at the coarser ones."""
        specs = self.model.manifest.tiles.specs()
        wide = [spec for finer, spec in pairwise(specs) if max(height, width) > finer.tile_size]
        return [TileGrid(height, width, spec) for spec in (specs[0], *wide)]

    def _strip(self, scales: Sequence[Scale], height: int, columns: tuple[int, int]) -> Iterator[Piece]:
        row = 0
        while row < height:
            bottom = scales[0].next_row(row)
            for scale in scales:
                scale.advance(bottom)
            yield from self._regions(scales, (row, bottom), columns)
            yield from self._boundaries(scales, (row, bottom), columns)
            for scale in scales:
                scale.drop(bottom)
            row = bottom

    def _regions(self, scales: Sequence[Scale], rows: tuple[int, int], columns: tuple[int, int]) -> Iterator[Piece]:
        """Masks of the region types in the finished scene rows."""
        for left, right in _chunks(scales, rows, columns):
            window = Window(left, rows[0], right - left, rows[1] - rows[0])
            with self.statistics.timed("combine"):
                best = np.zeros((rows[1] - rows[0], right - left), np.float32)
                winner = np.zeros(best.shape, np.uint8)
                for scale in scales:
                    scale.claim(rows, (left, right), best, winner)
                masks = {kind.id: winner == kind.id for kind in self._job.regions if winner.any()}
            for type_id, mask in masks.items():
                if mask.any():
                    yield Piece(window, type_id, mask, best)

    def _boundaries(self, scales: Sequence[Scale], rows: tuple[int, int], columns: tuple[int, int]) -> Iterator[Piece]:
        """Squares of the boundary types in the finished scene rows."""
        squares = [square for scale in scales for square in scale.squares(rows, columns)]
        for kind in self._job.boundaries:
            yield from _mark([s for s in squares if s.type_id == kind.id], rows, columns)


def _check_names(manifest: Manifest) -> None:
    if manifest.task != "inspection":
        raise ModelError(f"Model {manifest.name} is made for {manifest.task}, not for inspection.")
    for entry in manifest.classes[1:]:
        kind = BY_NAME.get(entry.name)
        if kind is None or kind.id != entry.id:
            names = ", ".join(f"{t.name} ({t.id})" for t in TYPES)
            raise ModelError(
                f"Model {manifest.name}: class {entry.name!r} with id {entry.id} is no type of inspection.",
                hint=f"The types are {names}.",
            )
    unknown = [name for name in (manifest.screen.types if manifest.screen else ()) if name not in BY_NAME]
    if unknown:
        raise ModelError(f"Model {manifest.name}: screen.types names {unknown}, which are no types of inspection.")


def _chunks(scales: Sequence[Scale], rows: tuple[int, int], columns: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Columns that any scale touches, cut into pieces of bounded width."""
    spans = sorted(span for scale in scales if scale.voters for span in scale.touched(rows))
    for start, stop in join_intervals(spans):
        stop = min(stop, columns[1])
        for left in range(max(start, columns[0]), stop, CHUNK):
            yield left, min(left + CHUNK, stop)


def _mark(squares: Sequence[Square], rows: tuple[int, int], columns: tuple[int, int]) -> Iterator[Piece]:
    """Join the squares of one type over these rows; where they overlap the higher confidence counts."""
    band = Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
    parts = [(part, s) for s in squares if (part := overlap(s.window, band)) is not None]
    spans = join_intervals(sorted((p.col_off, p.col_off + p.width) for p, _ in parts))
    for left, right in spans:
        confidence = np.zeros((rows[1] - rows[0], right - left), np.float32)
        for part, square in parts:
            if left <= part.col_off < right:
                area = confidence[
                    part.row_off - rows[0] : part.row_off - rows[0] + part.height,
                    part.col_off - left : part.col_off - left + part.width,
                ]
                np.maximum(area, np.float32(square.confidence) * square.mask(part), out=area)
        window = Window(left, rows[0], right - left, rows[1] - rows[0])
        yield Piece(window, squares[0].type_id, confidence > 0, confidence)
