"""Tiles: overlapping windows of one scene, at full or reduced resolution, in row-band order.

Two pixel units appear here. *Scene pixels* are those of the file. *Grid pixels* are those that the
network sees: a tile of 2048 scene pixels read at reduction 4 is 512 grid pixels wide, and the whole
scene becomes a grid of `height // 4` x `width // 4` (at least 1). At reduction 1 both are the same.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rasterio.windows import Window

from clearscene.errors import TileSpecError

__all__ = ["Tile", "TileGrid", "TileSpec", "default_overlap"]

OVERLAP_STEP = 8
"""The default overlap is a multiple of this many pixels."""


def default_overlap(tile_size: int, reduction: int = 1) -> int:
    """A fifth of the tile size, rounded to a multiple of 8 (and of the reduction), in scene pixels.

    Law: smaller than `tile_size` for every size; 104 for 512 and 408 for 2048 at reduction 4.
    The fifth is that of the seed system (section 3.1.1).
    """
    step = math.lcm(OVERLAP_STEP, reduction)
    overlap = round(round(tile_size / 5) / step) * step
    return overlap if overlap < tile_size else 0


@dataclass(frozen=True)
class TileSpec:
    """How a scene is cut into tiles; all numbers are scene pixels.

    Raises:
        TileSpecError: The overlap is not smaller than the tile, or a number does not divide.
    """

    tile_size: int = 512
    """Height and width of a tile."""
    overlap: int | None = None
    """Pixels that neighbors share; None: `default_overlap`."""
    reduction: int = 1
    """Scene pixels to one grid pixel, along a row and along a column."""

    def __post_init__(self) -> None:
        if self.tile_size < 1 or self.reduction < 1:
            raise TileSpecError(
                f"tile_size {self.tile_size} px and reduction {self.reduction} must be at least 1.",
                hint="Use for example tile_size 512 and reduction 1.",
            )
        if self.tile_size % self.reduction or (self.overlap or 0) % self.reduction:
            raise TileSpecError(
                f"tile_size {self.tile_size} px and overlap {self.overlap} px must be multiples "
                f"of the reduction {self.reduction}.",
                hint=f"Use tile_size {_next_multiple(self.tile_size, self.reduction)}.",
            )
        if self.overlap is None:
            object.__setattr__(self, "overlap", default_overlap(self.tile_size, self.reduction))
        if not 0 <= self.grid_overlap < self.size:
            raise TileSpecError(
                f"overlap {self.overlap} px is not smaller than tile_size {self.tile_size} px, or negative.",
                hint=f"Use overlap <= {self.tile_size // 2}.",
            )

    @property
    def size(self) -> int:
        """Height and width of a tile in grid pixels: the input size of the network."""
        return self.tile_size // self.reduction

    @property
    def grid_overlap(self) -> int:
        """Overlap in grid pixels."""
        return (self.overlap or 0) // self.reduction

    @property
    def stride(self) -> int:
        """Distance from a tile to the next in grid pixels, `size - grid_overlap`."""
        return self.size - self.grid_overlap


@dataclass(frozen=True)
class Tile:
    """One tile of a grid."""

    band: int
    """Row of tiles that it belongs to, from 0 at the top."""
    row: int
    """First row in grid pixels."""
    col: int
    """First column in grid pixels."""
    height: int
    """Rows in grid pixels; less than the tile size only where the whole scene is smaller."""
    width: int
    """Columns in grid pixels; see `height`."""
    window: Window
    """The same in scene pixels, cut at the edge of the scene."""


class TileGrid:
    """The tiles of a scene of `height` x `width` pixels.

    Laws: every grid pixel lies in at least one tile; all tiles lie inside the grid and have one
    size, because those at the lower and right edge are shifted inward; `tiles()` runs band by
    band from the top and from left to right inside a band. A scene smaller than a tile has one
    tile of the scene's own size; padding to the input size of the network is up to the model.
    Where the reduction does not divide the scene, the last grid row (column) also stands for the 1 to
    `reduction - 1` scene pixels that remain: so every tile is read at exactly the reduction, and none
    is squeezed to make the edge fit.
    """

    def __init__(self, height: int, width: int, spec: TileSpec | None = None) -> None:
        if height < 1 or width < 1:
            raise TileSpecError(f"A scene of {width} x {height} px cannot be cut into tiles.")
        self.spec = spec or TileSpec()
        self.scene_height, self.scene_width = height, width
        self.height = max(1, height // self.spec.reduction)
        self.width = max(1, width // self.spec.reduction)
        self.rows = _starts(self.height, self.spec)
        self.cols = _starts(self.width, self.spec)

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    @property
    def tile_height(self) -> int:
        """Rows of every tile in grid pixels."""
        return min(self.spec.size, self.height)

    @property
    def tile_width(self) -> int:
        """Columns of every tile in grid pixels."""
        return min(self.spec.size, self.width)

    def tiles(self, start: int = 0, stop: int | None = None) -> Iterator[Tile]:
        """The tiles that touch the grid columns from `start` to before `stop`; all by default."""
        stop = self.width if stop is None else stop
        cols = [col for col in self.cols if col < stop and col + self.tile_width > start]
        for band, row in enumerate(self.rows):
            for col in cols:
                yield self._tile(band, row, col)

    def strips(self, max_width: int) -> list[tuple[int, int]]:
        """Cut the scene into column strips, `(start, stop)` in scene pixels.

        Law: the strips partition the columns. A strip is blended from all tiles that touch it, so
        the result does not depend on the cut; tiles across a cut are computed once per strip. Cuts
        lie where a tile begins, which makes that one tile per band and cut while the overlap is at
        most half a tile. A strip is wider than `max_width` only if one stride is.
        """
        starts = [col * self.spec.reduction for col in self.cols] + [self.scene_width]
        cuts = [0]
        for here, following in pairwise(starts[1:]):
            if following - cuts[-1] > max_width and here > cuts[-1]:
                cuts.append(here)
        return list(zip(cuts, [*cuts[1:], self.scene_width], strict=True))

    def _tile(self, band: int, row: int, col: int) -> Tile:
        factor = self.spec.reduction
        top, left = row * factor, col * factor
        bottom = min(self.scene_height, (row + self.tile_height) * factor)
        right = min(self.scene_width, (col + self.tile_width) * factor)
        window = Window(left, top, right - left, bottom - top)
        return Tile(band, row, col, self.tile_height, self.tile_width, window)


def _starts(length: int, spec: TileSpec) -> tuple[int, ...]:
    """First pixels of the tiles along one axis; the last tile is shifted inward."""
    if length <= spec.size:
        return (0,)
    count = -(-(length - spec.size) // spec.stride) + 1
    return tuple(min(i * spec.stride, length - spec.size) for i in range(count))


def _next_multiple(value: int, factor: int) -> int:
    return -(-value // factor) * factor
