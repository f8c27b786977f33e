"""The mask beside the quality band that comes with the product: a table and a map."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import Grid, windows
from clearscene.masking.classes import CLEAR, NODATA, SHADOW, THICK, MaskClass, collapse
from clearscene.masking.outputs import ClassReader
from clearscene.masking.result import Agreement
from clearscene.raster.cog import CogWriter
from clearscene.raster.sensors.product import UNKNOWN
from clearscene.vector.style import Category, write_raster_qml

__all__ = ["MAP_CATEGORIES", "agreement_map", "compare_with_qa", "summarize", "write_agreement_style"]

WINDOW = 2048
SAME_CLEAR, SAME_MARKED, ONLY_OURS, ONLY_QA, OTHER_CLASS = range(5)

MAP_CATEGORIES = {
    SAME_CLEAR: "both clear",
    SAME_MARKED: "same cloud or shadow",
    ONLY_OURS: "marked by the mask only",
    ONLY_QA: "marked by the product only",
    OTHER_CLASS: "marked as another class",
    NODATA: "no data or not known",
}
"""Values of the map of agreement."""

MAP_COLORS = {
    SAME_CLEAR: (226, 236, 222, 255),
    SAME_MARKED: (160, 160, 160, 255),
    ONLY_OURS: (230, 120, 20, 255),
    ONLY_QA: (40, 110, 200, 255),
    OTHER_CLASS: (150, 60, 160, 255),
    NODATA: (0, 0, 0, 0),
}
"""All but nodata can be seen: a color table inside a GeoTIFF has no transparency for other values."""


def write_agreement_style(path: Path) -> None:
    """Write the QGIS style of the map of agreement, with names of its values."""
    shown = [value for value in MAP_CATEGORIES if value != NODATA]
    colors = {value: "#{:02x}{:02x}{:02x}".format(*MAP_COLORS[value]) for value in shown}
    write_raster_qml(path, [Category(str(value), MAP_CATEGORIES[value], colors[value]) for value in shown])


def compare_with_qa(
    path: Path,
    mask: Path,
    read_qa: Callable[[Window], NDArray[np.uint8]],
    *,
    grid: Grid,
    entries: Sequence[MaskClass],
    name: str,
) -> Agreement:
    """Compare a finished mask with a quality band, window by window, and write the map of agreement to `path`.

    `read_qa` gives (row, col) of a window: 0 clear, 1 thick, 2 thin, 3 shadow, 255 unknown; it is brought to the
    classes of the mask.
    """
    table = np.zeros((256, 256), np.int64)
    n_classes = len(entries)
    with (
        CogWriter(path, grid, dtype="uint8", nodata=NODATA, colors=MAP_COLORS, categories=MAP_CATEGORIES) as writer,
        ClassReader.open(mask) as reader,
    ):
        for window in windows(grid.height, grid.width, WINDOW):
            ours, theirs = reader.read(window), collapse(read_qa(window), n_classes)
            table += np.bincount(theirs.astype(np.int64).ravel() * 256 + ours.ravel(), minlength=65536).reshape(
                256, 256
            )
            compared = agreement_map(ours, theirs)
            writer.write(compared[np.newaxis], round(window.row_off), round(window.col_off))
    return summarize(table, entries, name)


def agreement_map(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How two class maps agree, in the values of `MAP_CATEGORIES`; of any shape.

    Law: swapping the two swaps "only the mask" and "only the product", and changes nothing else.
    """
    result = np.full(ours.shape, OTHER_CLASS, np.uint8)
    result[ours == theirs] = SAME_MARKED
    result[(ours == CLEAR) & (theirs == CLEAR)] = SAME_CLEAR
    result[(ours != CLEAR) & (theirs == CLEAR)] = ONLY_OURS
    result[(ours == CLEAR) & (theirs != CLEAR)] = ONLY_QA
    result[(ours == NODATA) | (theirs == UNKNOWN)] = NODATA
    return result


def summarize(table: NDArray[np.int64], entries: Sequence[MaskClass], name: str) -> Agreement:
    """Shares and IoU from a table (class of the product, class of ours) of pixels by id."""
    ids = [entry.id for entry in entries]
    known = table[np.ix_(ids, ids)]
    compared = int(known.sum())
    groups = {"clear": (CLEAR,), "cloud": (THICK, 2), "shadow": (SHADOW,)}
    inside = {key: [ids.index(i) for i in members if i in ids] for key, members in groups.items()}
    return Agreement(
        qa=name,
        classes=[entry.name for entry in entries],
        table=known.tolist(),
        compared=compared,
        unknown=int(table[UNKNOWN, ids].sum()),
        percent_same=100 * float(np.trace(known)) / compared if compared else None,
        iou={key: _iou(known, index) for key, index in inside.items() if index},
    )


def _iou(table: NDArray[np.int64], index: Sequence[int]) -> float | None:
    """Intersection over union of the classes at these places taken as one; None where neither has it."""
    both = int(table[np.ix_(index, index)].sum())
    either = int(table[index].sum() + table[:, index].sum()) - both
    return both / either if either else None
