"""Tiles of a scene in pixel coordinates: the same with and without a CRS."""

import math
from dataclasses import dataclass

from rasterio.windows import Window

__all__ = ["TILE_SIZE", "Pyramid", "Tile"]

TILE_SIZE = 256


@dataclass(frozen=True)
class Tile:
    """The part of the scene that one tile shows."""

    window: Window
    """Inside the scene; tiles at the right and lower edge are cut."""
    height: int
    """Rows of the tile that the window fills, 1 to 256."""
    width: int


@dataclass(frozen=True)
class Pyramid:
    """Levels of tiles, the coarsest first: one tile holds the whole scene, the last level its pixels.

    Laws: a tile shows `resolution` pixels of the scene along each side of one of its own, and tiles do
    not overlap. At every level they cover the scene but for less than one tile pixel at its right and
    lower edge, where that pixel would show less than `resolution`.
    """

    height: int
    width: int

    @property
    def n_levels(self) -> int:
        """Number of levels, at least 1."""
        return 1 + max(0, math.ceil(math.log2(max(self.height, self.width) / TILE_SIZE)))

    def resolution(self, level: int) -> int:
        """Scene pixels along the side of a tile pixel."""
        return 1 << (self.n_levels - 1 - level)

    def tile(self, level: int, col: int, row: int) -> Tile | None:
        """The tile in a column and row of a level; None where there is none."""
        if not 0 <= level < self.n_levels or col < 0 or row < 0:
            return None
        resolution = self.resolution(level)
        side = TILE_SIZE * resolution
        left, top = col * side, row * side
        if left >= self.width or top >= self.height:
            return None
        n_cols, n_rows = (_pixels(min(side, length), resolution) for length in (self.width - left, self.height - top))
        width, height = min(n_cols * resolution, self.width - left), min(n_rows * resolution, self.height - top)
        return Tile(Window(left, top, width, height), n_rows, n_cols)


def _pixels(length: int, resolution: int) -> int:
    """Whole tile pixels in a length of scene pixels; a part of one counts only where it is all there is."""
    return max(1, length // resolution)
