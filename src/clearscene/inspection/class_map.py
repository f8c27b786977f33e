"""The class map: one class a pixel by priority, drawn from the regions of every type.

Priority (seed system, section 3.1.2): pixel types over region types over boundary types; between
region types the higher confidence wins, and of two alike the smaller id. Missing pixels win over
stripes: data that is not there cannot be striped. Areas, polygons and scores do not come from this
map but from one mask a type.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import Grid
from clearscene.inspection.clean import Regions
from clearscene.inspection.taxonomy import BACKGROUND, BY_ID, NODATA, Group
from clearscene.runs import Runs

__all__ = ["class_bands", "confidence_bands", "paint"]

BAND_BYTES = 16 << 20
"""Bytes of float32 that one row band of painting may hold."""

_RANK = {Group.BOUNDARY: 0, Group.REGION: 1, Group.PIXEL: 2}


def class_bands(grid: Grid, regions: Mapping[int, Regions], inspected: Runs) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Draw the class map from top to bottom, as (first row, uint8 (row, col)) bands.

    Pixels outside `inspected` are 255. Law: the bands, put together, do not depend on their height.
    """
    for window in _row_bands(grid):
        yield round(window.row_off), paint(window, regions, inspected)


def paint(window: Window, regions: Mapping[int, Regions], inspected: Runs) -> NDArray[np.uint8]:
    """Draw one window of the class map, uint8 (row, col)."""
    class_map = np.full((round(window.height), round(window.width)), BACKGROUND, np.uint8)
    best = np.zeros(class_map.shape, np.float32)
    for group in sorted(Group, key=_RANK.__getitem__):
        best.fill(0)
        for type_id in sorted(t for t in regions if BY_ID[t].group is group):
            confidence = _confidence_map(window, regions[type_id])
            if confidence is None:
                continue
            # Of two pixel types the later id (missing) wins; of two others the more confident.
            wins = confidence > (0 if group is Group.PIXEL else best)
            class_map[wins] = type_id
            np.maximum(best, confidence, out=best)
    class_map[~inspected.to_mask(window)] = NODATA
    return class_map


def confidence_bands(grid: Grid, regions: Regions) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The confidence of one type in percent, as (first row, uint8 (row, col)) bands; 0 is none."""
    for window in _row_bands(grid):
        confidence = _confidence_map(window, regions)
        if confidence is not None:
            yield round(window.row_off), np.round(100 * confidence).astype(np.uint8)


def _row_bands(grid: Grid) -> Iterator[Window]:
    height = max(1, BAND_BYTES // (4 * grid.width))
    for row in range(0, grid.height, height):
        yield Window(0, row, grid.width, min(height, grid.height - row))


def _confidence_map(window: Window, regions: Regions) -> NDArray[np.float32] | None:
    """Confidence of the component at each pixel, 0 outside; None if no component is in the window."""
    first, last = np.searchsorted(regions.shape.rows, (window.row_off, window.row_off + window.height))
    if first == last:
        return None
    runs, labels = regions.shape.take(np.arange(first, last)), regions.labels[first:last]
    left, right = round(window.col_off), round(window.col_off + window.width)
    starts, stops = np.clip(runs.starts, left, right) - left, np.clip(runs.stops, left, right) - left
    # Never 0, so that a component of no confidence is drawn all the same.
    values = np.maximum(regions.parts.confidences[labels], 1e-3).astype(np.float32)
    result = np.zeros((round(window.height), right - left), np.float32)
    flat, width = result.reshape(-1), right - left
    offset = (runs.rows.astype(np.int64) - round(window.row_off)) * width
    lengths = (stops - starts).astype(np.int64)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat[np.repeat(offset + starts, lengths) + within] = np.repeat(values, lengths)
    return result
