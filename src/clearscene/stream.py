"""The engine that drives read -> infer -> write in threads, in order and in bounded memory.

Nothing here knows what a model is: callables are handed in.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.blend import BandBlender
from clearscene.errors import OptionError
from clearscene.tiling import Tile, TileGrid, TileSpec

__all__ = ["Answer", "BandStream", "Piece", "StreamPlan", "ordered_map", "plan_stream", "stream"]

Item = TypeVar("Item")
Result = TypeVar("Result")

PIECE_WIDTH = 2048
"""Widest piece that is handed over at once, in grid pixels; bounds what its consumer allocates."""

RESERVED_BYTES = 700_000_000
SMALL_BYTES, SCENE_BYTES_PER_PIXEL = 250_000_000, 100
"""What is left in place of that beside a small scene: libraries, and what is cached, found and written of it."""
NETWORK_BYTES_PER_PIXEL = 800
"""Activations of a segmentation network that runs: about 200 MB for a 512 x 512 tile of a small U-Net."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What inference gives for one tile."""

    values: NDArray[np.float32]
    """(class, row, col) of the tile."""
    valid: NDArray[np.bool_] | None = None
    """(row, col); pixels that are False do not count. None: all count."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A finished part of a blended scene."""

    window: Window
    """Where it lies, in grid pixels of the grid that was streamed."""
    values: NDArray[np.float32]
    """(class, row, col) blended."""
    covered: NDArray[np.bool_]
    """(row, col), True where at least one tile has a valid answer; elsewhere `values` is the fill."""


@dataclass(frozen=True)
class StreamPlan:
    """How many tiles are worked on at once, and how wide a strip of the scene is taken."""

    workers: int = 2
    """Threads that read and infer."""
    ahead: int = 4
    """Tiles started and not yet blended."""
    strip_width: int = 1 << 31
    """Widest column strip in scene pixels."""
    memory_bytes: int = 0
    """What the plan is estimated to need at most, without the interpreter and its libraries."""


def plan_stream(
    width: int,
    specs: Sequence[TileSpec],
    *,
    n_classes: int,
    n_bands: int = 3,
    workers: int = 2,
    memory_limit: int,
    network_size: int | None = None,
    beside: Sequence[TileSpec] = (),
    height: int | None = None,
) -> StreamPlan:
    """Fit workers and strip width into `memory_limit` bytes for a scene `width` pixels wide.

    700 MB are left to the interpreter, its libraries, the raster cache and what is found. Of the rest,
    with `s` the tile size in grid pixels, `n` the classes (background included), `b` the bands, `r` the
    reduction of each spec, the need is estimated as the sum over the specs of::

        tiles    s^2 * (ahead * (5 b + 4 n) + workers * 8 n)
        strip    strip_width / r * 4 (n + 1) * (2 s)          accumulator, with room for rows that wait

    and, for the largest s, `workers * 800 s^2` for the network (of `network_size` in place of s, if it sees
    tiles made smaller) and `s * 2048 * 16 n` for what the consumer
    holds. Tiles of the specs `beside` are streamed by one more worker, whatever the others are. If a strip of
    one tile does not fit, fewer workers are taken; then the strip is made as wide as the rest allows, up to
    the scene. With the `height` of the scene no tile counts beyond it, and beside a small scene less is reserved:
    250 MB and 100 bytes a pixel, 700 MB at most.

    Raises:
        OptionError: The limit does not hold a strip of one tile with one worker.
    """
    seen = network_size or max(s.size for s in specs)
    size = (height, width) if height is not None else None
    plans = [
        _plan(width, specs, n_classes=n_classes, n_bands=n_bands, workers=n, seen=seen, beside=beside, scene=size)
        for n in range(workers, 0, -1)
    ]
    reserved = _reserved(size)
    free = memory_limit - reserved
    fitting = next((plan for plan in plans if plan.needs(plan.narrowest) <= free), None)
    if fitting is None:
        needed = (plans[-1].needs(plans[-1].narrowest) + reserved) / 1e6
        raise OptionError(
            f"--memory-limit {memory_limit / 1e6:.0f} MB is too small for tiles of {max(s.size for s in specs)} px: "
            f"{needed:.0f} MB are needed with one worker.",
            hint=f"Use --memory-limit {math.ceil(needed)}.",
        )
    strip = min(width, int((free - fitting.fixed) / fitting.per_column))
    return StreamPlan(fitting.workers, 2 * fitting.workers, strip, int(fitting.needs(strip)))


@dataclass(frozen=True)
class _Need:
    """Bytes by the formula of `plan_stream`."""

    workers: int
    fixed: float
    per_column: float
    narrowest: int

    def needs(self, strip: int) -> float:
        """Bytes for a strip of so many columns."""
        return self.fixed + strip * self.per_column


def _plan(
    width: int,
    specs: Sequence[TileSpec],
    *,
    n_classes: int,
    n_bands: int,
    workers: int,
    seen: int,
    beside: Sequence[TileSpec],
    scene: tuple[int, int] | None,
) -> _Need:
    largest, narrowest = max(s.size for s in specs), max(s.tile_size for s in specs)
    tile_bytes = 2 * (5 * n_bands + 4 * n_classes) + 8 * n_classes  # of each worker, by pixel of a tile
    is_one_tile = scene is not None and max(scene) <= min(s.tile_size for s in specs)  # the networks take turns
    inner_bytes = 0 if is_one_tile else NETWORK_BYTES_PER_PIXEL
    held = largest * PIECE_WIDTH if scene is None else min(largest, scene[0]) * min(PIECE_WIDTH, scene[1])
    return _Need(
        workers=workers,
        fixed=sum(_tile_pixels(s, scene) for s in specs) * workers * tile_bytes
        + sum(_tile_pixels(s, scene) * tile_bytes + s.size**2 * inner_bytes for s in beside)
        + seen**2 * workers * NETWORK_BYTES_PER_PIXEL
        + held * 16 * n_classes,
        per_column=sum(8 * (n_classes + 1) * s.size / s.reduction for s in (*specs, *beside)),
        narrowest=min(width, narrowest),
    )


def _tile_pixels(spec: TileSpec, scene: tuple[int, int] | None) -> int:
    """Grid pixels of a tile, as far as the scene (height, width) goes."""
    if scene is None:
        return spec.size**2
    rows, cols = (min(spec.size, math.ceil(side / spec.reduction)) for side in scene)
    return rows * cols


def _reserved(scene: tuple[int, int] | None) -> int:
    """Bytes for all else than tiles and networks, of a scene (height, width) or of any."""
    if scene is None:
        return RESERVED_BYTES
    return min(RESERVED_BYTES, SMALL_BYTES + SCENE_BYTES_PER_PIXEL * scene[0] * scene[1])


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int | None = None
) -> Iterator[Result]:
    """Call `function` on every item in `workers` threads and yield the results in the order of the items.

    Law: `list(ordered_map(f, items, workers=w, ahead=a))` equals `[f(i) for i in items]` for all w, a >= 1.
    At most `ahead` items are started and not yet handed over (default `2 * workers`), and `items` is
    drawn lazily by the caller's thread, so memory is bounded whatever the number of items. An exception
    in a worker is raised at the next step, even while earlier items still run. When the consumer stops
    (exception, Ctrl-C, `close()`), what has not started is dropped and what runs is waited for, so that no
    thread outlives the generator. Threads start at the first `next`.

    Raises:
        OptionError: `workers` or `ahead` is smaller than 1.
    """
    ahead = 2 * workers if ahead is None else ahead
    if workers < 1 or ahead < 1:
        raise OptionError(f"workers {workers} and ahead {ahead} must be at least 1.", hint="Use --workers 1 or more.")
    return _ordered(function, iter(items), workers, ahead)


def _ordered(function: Callable[[Item], Result], items: Iterator[Item], workers: int, ahead: int) -> Iterator[Result]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="clearscene")
    pending: deque[Future[Result]] = deque()
    try:
        while True:
            pending.extend(pool.submit(function, item) for item in islice(items, ahead - len(pending)))
            if not pending:
                return
            _wait_for_first(pending)
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _wait_for_first(pending: Iterable[Future[Result]]) -> None:
    """Return when the first of `pending` is done; raise as soon as any of them has failed."""
    pending = list(pending)
    while True:
        for future in pending:
            if future.done():
                future.result()
        if pending[0].done():
            return
        wait([f for f in pending if not f.done()], return_when=FIRST_COMPLETED)


class BandStream:
    """Tiles of one strip of a grid, inferred ahead in threads and blended band by band.

    `advance(row)` blends until the rows above `row` are finished; then read them from `blender` and
    drop them. Leaving the `with` block, for whatever reason, stops the threads.
    """

    def __init__(
        self,
        blender: BandBlender,
        infer: Callable[[Tile], Answer | None],
        plan: StreamPlan,
    ) -> None:
        self.blender = blender
        self.finished = 0
        """First grid row that is not finished."""
        tiles = list(blender.grid.tiles(blender.start, blender.stop))
        self._answers = ordered_map(lambda t: (t, infer(t)), tiles, workers=plan.workers, ahead=plan.ahead)
        self._held: tuple[Tile, Answer | None] | None = None

    def __enter__(self) -> "BandStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close = getattr(self._answers, "close", None)
        if close is not None:
            close()

    def advance(self, row: int) -> None:
        """Blend on until `finished` is at least `row`, or the grid's height if that is less."""
        row = min(row, self.blender.grid.height)
        while self.finished < row:
            self._add(self._held)
            self._held = next(self._answers, None)
            self.finished = self.blender.grid.height if self._held is None else self._held[0].row

    def _add(self, held: tuple[Tile, Answer | None] | None) -> None:
        if held is not None and held[1] is not None:
            self.blender.add(held[0], held[1].values, held[1].valid)


def stream(
    grid: TileGrid,
    infer: Callable[[Tile], Answer | None],
    *,
    fill: Sequence[float],
    plan: StreamPlan | None = None,
) -> Iterator[Piece]:
    """Infer every tile of a scene and yield the blended result.

    Law: the windows of the pieces partition the grid; inside a strip they come in row order, and
    neither the strips nor the threads change a value. `infer` runs in several threads at once; it
    returns None to skip a tile. `fill` has one value a class, for pixels that no tile covers.
    """
    plan = plan or StreamPlan()
    for start, stop in grid.strips(plan.strip_width):
        factor = grid.spec.reduction  # strips are cut at tiles, so this division is exact but at the end
        columns = (start // factor, grid.width if stop == grid.scene_width else stop // factor)
        blender = BandBlender(grid, fill, start=columns[0], stop=columns[1])
        with BandStream(blender, infer, plan) as bands:
            while bands.finished < grid.height:
                bands.advance(bands.finished + 1)
                yield from _pieces(blender, bands.finished)
                blender.drop(bands.finished)


def _pieces(blender: BandBlender, row: int) -> Iterator[Piece]:
    for left in range(blender.start, blender.stop, PIECE_WIDTH):
        right = min(left + PIECE_WIDTH, blender.stop)
        values, covered = blender.read((blender.top, row), (left, right))
        yield Piece(Window(left, blender.top, right - left, row - blender.top), values, covered)
