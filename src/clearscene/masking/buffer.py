"""Growing clouds and shadows by a distance on the ground, window by window and exactly."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.grid import Grid, expand, slices, windows
from clearscene.masking.classes import CLEAR, SHADOW, THICK, THIN
from clearscene.runs import Runs

__all__ = ["buffered", "grow", "radius_px"]

PRECEDENCE = (THICK, SHADOW, THIN)
"""Where two buffers meet, the first has the pixel."""

WINDOW = 2048
TINY = 1e-9
"""Pixels by which a radius may fall short of a whole one by rounding."""
STEPS_AT_ONCE = 64
"""Shifted copies of the runs that are held at once."""


def radius_px(grid: Grid, buffer_m: float, pixel_size: tuple[float, float] | None) -> tuple[float, float]:
    """The buffer in rows and in columns; `pixel_size` is the length of a pixel along a row and along a column, m.

    Raises:
        OptionError: The pixels have no known size on the ground, or the buffer is wider than the scene.
    """
    if pixel_size is None:
        raise OptionError(
            f"--buffer {buffer_m:g}: the scene has no CRS, so the size of its pixels is not known.",
            hint="Leave out --buffer, or give the scene a CRS with gdal_edit.py -a_srs; of an array say"
            " MaskOptions(resolution=10).",
        )
    across, down = pixel_size
    rows, cols = buffer_m / down, buffer_m / across
    if rows >= grid.height and cols >= grid.width:
        raise OptionError(f"--buffer {buffer_m:g} m is wider than the scene.", hint="Use a smaller one.")
    return rows, cols


def grow(mask: NDArray[np.bool_], radius: tuple[float, float]) -> NDArray[np.bool_]:
    """Dilate a mask (row, col) by an ellipse of `radius` (rows, columns).

    Law: a pixel is set exactly where a set pixel lies `dr` rows and `dc` columns away with
    (dr / rows)^2 + (dc / columns)^2 <= 1; a radius below a pixel reaches nothing in that direction.
    """
    height, width = mask.shape
    runs = Runs.from_mask(mask)
    if len(runs) == 0:
        return mask
    down, across = radius
    grown, held = runs, []
    last = min(int(down + TINY), height)
    for step in range(-last, last + 1):
        share = math.sqrt(max(0.0, 1 - (step / down) ** 2)) if step else 1.0
        reach = int(across * share + TINY)
        held.append(_moved(runs, step, reach, height=height, width=width))
        if len(held) == STEPS_AT_ONCE:
            grown, held = Runs.union([grown, *held]), []
    return Runs.union([grown, *held]).to_mask(Window(0, 0, width, height))


def _moved(runs: Runs, step: int, reach: int, *, height: int, width: int) -> Runs:
    """The runs `step` rows further down, longer by `reach` at both ends, cut to the window."""
    rows = runs.rows + np.int32(step)
    inside = (rows >= 0) & (rows < height)
    starts = np.maximum(runs.starts[inside] - np.int32(min(reach, width)), 0)
    stops = np.minimum(runs.stops[inside] + np.int32(min(reach, width)), width)
    return Runs(rows[inside], starts.astype(np.int32), stops.astype(np.int32), runs.weights[inside])


def buffered(
    read: Callable[[Window], NDArray[np.uint8]], grid: Grid, radius: tuple[float, float], *, window: int = WINDOW
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """The class map (row, col) that `read` gives of a window, with clouds and shadows grown into what is clear.

    Laws: what is not clear in the result, nodata aside, is what was not clear before, grown by the ellipse of `radius`
    (rows, columns); a pixel that was not clear keeps its class; nodata stays; the windows are irrelevant.
    """
    halo = math.ceil(max(radius))
    for inner in windows(grid.height, grid.width, window):
        outer = expand(inner, halo, height=grid.height, width=grid.width)
        class_map = read(outer)
        result = class_map.copy()
        for class_id in PRECEDENCE:
            near = grow(class_map == class_id, radius) & (class_map == CLEAR) & (result == CLEAR)
            result[near] = class_id
        (rows, cols), (top, left) = slices(inner), (round(outer.row_off), round(outer.col_off))
        yield inner, result[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
