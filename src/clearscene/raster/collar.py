"""The black or white surround of a rotated or ragged scene that no metadata declare.

A collar is flat, black or white, connected to the border and wide. One pass over the scene finds it::

    bands of rows -> deviation from black (white) -> blocks of 16 x 16 px that hold nothing else
                                                     |  opened by 3 x 3 blocks, labeled
                                                     v
    runs of black (white) pixels within 4 blocks ---> cores that touch a corner or 5 % of a side,
    runs that start at the four borders -------->     are flat inside and hard at their edge
                                                     |
                                                     v
                                                  Collar: runs of pixels, any window in no time

Two tests tell a collar from what a camera clips. Dark water in a JPEG lies within a few levels of
black but is not *flat*; water, shadow or cloud clipped to exactly 0 or 255 fades into its
surround, so its *edge* is soft where that of a collar is hard.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import GridError
from clearscene.grid import slices
from clearscene.raster.outline import BlockGrid, Outline
from clearscene.runs import Runs

__all__ = ["Collar", "CollarPart", "CollarScan", "tolerance_of"]

LOSSY_TOLERANCE = 8.0
"""Levels of 255 by which the collar of a scene compressed with loss may differ from black or white."""

LOSSLESS_TOLERANCE = 6.0
"""The same where the file itself lost nothing. Not 0: white collars in deflate-compressed tiles of real
orthophotos carry the noise of an earlier compression, 0 to 5 levels on half their pixels."""

BLACK_STEP = 8.0
"""Levels of 255 beyond the tolerance at the hard edge of a black collar; clipped shadow fades through 1, 2, 3."""

WHITE_STEP = 24.0
"""The same for white; clipped cloud and surf fade slowly."""


def tolerance_of(*, white: float, is_lossy: bool, is_8bit: bool) -> float:
    """How far collar pixels may lie from black or white, in units of the data.

    Only 8-bit scenes have a tolerance: in wider types a level of 255 is many steps of reflectance.
    """
    if not is_8bit:
        return 0.0
    return (LOSSY_TOLERANCE if is_lossy else LOSSLESS_TOLERANCE) * white / 255.0


@dataclass(frozen=True)
class CollarPart:
    """The part of a collar that has one color."""

    color: str
    """`black` or `white`."""
    area: int
    """Pixels, declared nodata between the collar and the border included."""
    sides: tuple[str, ...]
    """Sides of the scene that it touches, of `top`, `bottom`, `left`, `right`."""


@dataclass(frozen=True, eq=False)
class Collar:
    """Where the collar of a scene lies.

    Reading is free of side effects, so threads may share one collar.
    """

    height: int
    width: int
    runs: Runs
    """The pixels of the collar. Pixels declared as nodata between collar and border may belong to it."""
    parts: tuple[CollarPart, ...] = ()
    """One entry a color; empty without a collar."""

    @classmethod
    def none(cls, height: int, width: int) -> "Collar":
        """The collar of a scene that has none."""
        return cls(height, width, Runs.empty())

    @property
    def is_empty(self) -> bool:
        """True if the scene has no collar."""
        return len(self.runs) == 0

    @property
    def area(self) -> int:
        """Pixels of the collar."""
        return self.runs.area

    def may_touch(self, window: Window) -> bool:
        """False if the window surely holds no collar; costs one search in a sorted array."""
        rows, _ = slices(window)
        first, last = np.searchsorted(self.runs.rows, (rows.start, rows.stop))
        return bool(last > first) and len(self.runs.within(window)) > 0

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """The collar inside a window, True in the collar, (row, col).

        Law: masks of windows are cut-outs of the mask of the whole scene, in any order and from any
        thread. Memory: the mask.
        """
        rows, cols = slices(window)
        if not self.may_touch(window):
            return np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.bool_)
        return self.runs.to_mask(window)

    def record(self) -> Mapping[str, object]:
        """What the report prints: area in pixels, fraction of the scene, and each color's part."""
        return {
            "area": self.area,
            "fraction": self.area / (self.height * self.width),
            "parts": [{"color": p.color, "area": p.area, "sides": list(p.sides)} for p in self.parts],
        }


class CollarScan:
    """Finds the collar in one pass over bands of full-width rows.

    Law: the result does not depend on how the rows are cut into bands. Memory: two strips of 256
    rows a color, flags at 1/16 scale, and the runs of black or white regions wider than about 64 px.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.
        white: The value that counts as full white, 255 or the maximum of the data type or sensor.
        tolerance: How far collar pixels may lie from black or white, see `tolerance_of`.
    """

    def __init__(self, height: int, width: int, *, white: float, tolerance: float) -> None:
        self._height, self._width, self._white = height, width, white
        self._row = 0
        level = white / 255.0 if tolerance > 0 else 0.0
        self._outlines = {
            color: Outline(
                BlockGrid.of(height, width),
                tolerance=tolerance,
                level=level,
                hard=tolerance + step * level,
            )
            for color, step in (("black", BLACK_STEP), ("white", WHITE_STEP))
        }
        self._waiting: list[_Rows] = []

    def add(self, row: int, data: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        """Take the next rows, `data` (band, row, col) and `valid` (row, col), True where not declared nodata.

        Raises:
            GridError: The rows do not follow the last ones, or are not as wide as the scene.
        """
        if row != self._row or data.shape[1:] != valid.shape or data.shape[2] != self._width:
            raise GridError(
                f"Rows {row} to {row + data.shape[1]}, {data.shape[2]} px wide, do not follow row {self._row} of a "
                f"scene {self._width} px wide.",
                hint="Add full-width rows from top to bottom.",
            )
        self._row += data.shape[1]
        self._waiting.append((data, valid))
        self._drain(is_end=self._row == self._height)

    def finish(self) -> Collar:
        """The collar, after the last row was added.

        Raises:
            GridError: Rows are missing.
        """
        if self._row != self._height:
            raise GridError(f"{self._row} of {self._height} rows of the scene were added before the end.")
        parts, found = [], []
        for color, outline in self._outlines.items():
            runs, sides = outline.finish()
            if len(runs):
                parts.append(CollarPart(color, runs.area, sides))
                found.append(runs)
        return Collar(self._height, self._width, Runs.union(found), tuple(parts))

    def _drain(self, *, is_end: bool) -> None:
        """Hand on whole strips, and the rest at the end."""
        size = self._outlines["black"].strip_rows
        while (n := sum(valid.shape[0] for _, valid in self._waiting)) >= size or (is_end and n):
            data, valid = self._take(min(size, n))
            declared = None if valid.all() else ~valid
            for color, outline in self._outlines.items():
                outline.add(deviation(data, declared, white=self._white if color == "white" else None), declared)

    def _take(self, n: int) -> "_Rows":
        """Remove and join the first n waiting rows."""
        taken: list[_Rows] = []
        while n:
            data, valid = self._waiting.pop(0)
            if valid.shape[0] > n:
                self._waiting.insert(0, (data[:, n:], valid[n:]))
            taken.append((data[:, :n], valid[:n]))
            n -= taken[-1][1].shape[0]
        if len(taken) == 1:
            return taken[0]
        return np.concatenate([data for data, _ in taken], axis=1), np.concatenate([valid for _, valid in taken])


_Rows = tuple[NDArray[np.generic], NDArray[np.bool_]]


def deviation(
    data: NDArray[np.generic], declared: NDArray[np.bool_] | None, *, white: float | None = None
) -> NDArray[np.generic]:
    """Largest difference of any band from black, or from `white` if given; 0 where `declared` nodata: (row, col).

    Bytes and other unsigned data toward black keep their type; all else is float32. NaN stays NaN.
    """
    is_byte = data.dtype == np.uint8 and white in (None, 255)
    if is_byte or (data.dtype.kind == "u" and white is None):
        extreme = np.maximum.reduce(data) if white is None else np.invert(np.minimum.reduce(data))
        far = np.asarray(extreme)
    else:
        far = np.maximum.reduce(np.abs(data.astype(np.float32) - np.float32(white or 0.0)))
    if declared is not None:
        far = np.where(declared, np.zeros((), far.dtype), far)
    return far
