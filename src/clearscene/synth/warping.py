"""Moves the ground under a window, without softening it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Data

__all__ = ["warped"]


def warped(data: Data, *, rows: Data, cols: Data) -> Data:
    """Sample `data` (band, row, col) at every pixel moved by `rows` and `cols` (row, col), in pixels.

    Windowed-sinc interpolation over 8 x 8 px; beyond its sides the window is mirrored. Law: where both
    moves are 0 the value stays. Cost: that of the rectangle in which something moves.
    """
    result = data.copy()
    moves = (rows != 0) | (cols != 0)
    if not moves.any():
        return result
    box = _extent(moves.any(axis=1)), _extent(moves.any(axis=0))
    map_rows = (rows[box] + np.arange(box[0].start, box[0].stop)[:, None]).astype(np.float32)
    map_cols = (cols[box] + np.arange(box[1].start, box[1].stop)[None, :]).astype(np.float32)
    for band, source in zip(result, data, strict=True):
        band[box] = cv2.remap(source, map_cols, map_rows, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)
    return result


def _extent(line: NDArray[np.bool_]) -> slice:
    """From the first to the last True of (n,)."""
    places = np.flatnonzero(line)
    return slice(int(places[0]), int(places[-1]) + 1)
