"""How the pixels of an image lie on a grid."""

from affine import Affine
from pyproj import Transformer

from clearscene.grid import Grid

__all__ = ["shifted", "whole_offset"]

TOLERANCE_PX = 1e-3
"""Pixels that are off by less lie on the grid: transforms are rounded."""


def shifted(source: Grid, grid: Grid, shift: tuple[float, float]) -> Grid:
    """The grid of an image moved by (row, col) pixels of the common grid, in its own CRS.

    Of an image in another CRS the move is that of the middle of the common grid.
    """
    if shift == (0.0, 0.0):
        return source
    middle = grid.width / 2, grid.height / 2
    ends = [grid.transform * middle, grid.transform * (middle[0] + shift[1], middle[1] + shift[0])]
    if source.crs != grid.crs and source.crs and grid.crs:
        ends = [Transformer.from_crs(grid.crs, source.crs, always_xy=True).transform(*end) for end in ends]
    move = Affine.translation(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1])
    return Grid(source.height, source.width, move * source.transform, source.crs)


def whole_offset(source: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of the grid where the upper left pixel of `source` lies, or None if the pixels do not coincide.

    Law: where it is (r, c), pixel (i, j) of the source covers pixel (i + r, j + c) of the grid.
    """
    if source.crs != grid.crs:
        return None
    step = ~grid.transform * source.transform
    corners = [(0, 0), (source.width, 0), (0, source.height), (source.width, source.height)]
    row, col = round(step.f), round(step.c)
    for corner in corners:
        x, y = step * corner
        if abs(x - corner[0] - col) > TOLERANCE_PX or abs(y - corner[1] - row) > TOLERANCE_PX:
            return None
    return row, col
