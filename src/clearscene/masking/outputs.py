"""The rasters and polygons of a mask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.grid import Grid, windows
from clearscene.masking.classes import CLEAR, NODATA, MaskClass
from clearscene.raster.cog import CogWriter
from clearscene.raster.gdal import block_cache, open_quietly
from clearscene.runs import Components, Runs, measure
from clearscene.vector.area import areas
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Layer
from clearscene.vector.outline import Geometries, outlines, to_map
from clearscene.vector.style import Category, Style, write_raster_qml

__all__ = [
    "ClassReader",
    "confidence_writer",
    "mask_writer",
    "percent_of",
    "share_tags",
    "write_polygons",
    "write_style",
]

WINDOW = 2048
MOST_POLYGONS = 100_000
"""Polygons of one class, the largest first."""


def mask_writer(path: Path, grid: Grid, entries: Sequence[MaskClass]) -> CogWriter:
    """A writer for the class map: uint8, 255 nodata, color table, category names, overviews."""
    colors = {entry.id: (*_rgb(entry.color), 255) for entry in entries} | {NODATA: (0, 0, 0, 0)}
    categories = {entry.id: entry.title for entry in entries} | {NODATA: "no data"}
    return CogWriter(
        path, grid, dtype="uint8", nodata=NODATA, colors=colors, categories=categories, resampling=Resampling.mode
    )


def confidence_writer(path: Path, grid: Grid, entries: Sequence[MaskClass]) -> CogWriter:
    """A writer for the probabilities: a uint8 band a class, percent, 255 nodata."""
    return CogWriter(
        path,
        grid,
        dtype="uint8",
        n_bands=len(entries),
        nodata=NODATA,
        descriptions=[entry.name for entry in entries],
        resampling=Resampling.average,
    )


def percent_of(probabilities: NDArray[np.float32], class_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Probabilities (class, row, col) in percent, 255 where the class map has no data."""
    percent = np.rint(100 * probabilities).astype(np.uint8)
    percent[:, class_map == NODATA] = NODATA
    return percent


def share_tags(entries: Sequence[MaskClass], counts: NDArray[np.int64]) -> dict[str, str]:
    """Tags with the percentages: of each class among the pixels with data, and of nodata among all.

    `counts` are pixels by class id, (256,).
    """
    valid = max(1, int(counts[:NODATA].sum()))
    tags = {f"{entry.name.upper()}_PERCENT": f"{100 * counts[entry.id] / valid:.4f}" for entry in entries}
    return tags | {"NODATA_PERCENT": f"{100 * counts[NODATA] / max(1, int(counts.sum())):.4f}"}


def write_style(path: Path, entries: Sequence[MaskClass]) -> None:
    """Write the QGIS style beside the raster; clear is clear."""
    write_raster_qml(path, _categories(entries))


class ClassReader:
    """Reads the windows of a raster that was just written."""

    def __init__(self, path: Path) -> None:
        self._dataset = open_quietly(path)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """The first band, (row, col)."""
        return self.band(window, 1)

    def band(self, window: Window, number: int) -> NDArray[np.uint8]:
        """A band by its 1-based number, (row, col)."""
        return np.asarray(self._dataset.read(number, window=window), np.uint8)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["ClassReader"]:
        """Open a raster for the `with` block."""
        with block_cache():
            reader = cls(path)
            try:
                yield reader
            finally:
                reader._dataset.close()


def write_polygons(
    path: Path, mask: Path, confidence: Path, *, grid: Grid, entries: Sequence[MaskClass]
) -> tuple[int, int]:
    """Write clouds and shadows as polygons with class, area and mean probability; the numbers written and left out.

    A polygon is a set of pixels of one class that touch by their sides. Memory follows the outlines.
    """
    fields: dict[str, list[object]] = {name: [] for name in ("class", "class_id", "confidence", "area_px")}
    geometries: list[Geometries] = []
    n_left = 0
    for place, entry in enumerate(entries):
        if entry.id == CLEAR:
            continue
        runs = _runs_of(entry, mask, confidence, band=place + 1, grid=grid)
        shapes, parts, rest = _largest(runs)
        n_left += rest
        geometries.append(shapes)
        fields["class"] += [entry.name] * len(shapes)
        fields["class_id"] += [entry.id] * len(shapes)
        fields["confidence"] += [round(float(value), 3) for value in parts.confidences]
        fields["area_px"] += [int(value) for value in parts.areas]
    shapes = to_map(np.concatenate(geometries), grid.transform)
    layer = Layer("mask", "Polygon", shapes, {**fields, "area_m2": _areas(shapes, grid)}, grid.crs)
    style = Style("class", [Category(entry.name, entry.title, entry.color) for entry in entries if entry.id != CLEAR])
    write_geopackage(path, [layer], styles={"mask": style})
    return len(shapes), n_left


def _runs_of(entry: MaskClass, mask: Path, confidence: Path, *, band: int, grid: Grid) -> Runs:
    """The pixels of a class over the whole scene, weighted by their probability."""
    parts = []
    with ClassReader.open(mask) as classes, ClassReader.open(confidence) as percents:
        for window in windows(grid.height, grid.width, WINDOW):
            found = classes.read(window) == entry.id
            if found.any():
                percent = percents.band(window, band).astype(np.float32) / 100
                row, col = round(window.row_off), round(window.col_off)
                parts.append(Runs.from_mask(found, percent, row=row, col=col))
    return Runs.union(parts)


def _largest(runs: Runs) -> tuple[Geometries, Components, int]:
    """Outlines and measures of the largest components, and how many were left out."""
    labels = runs.label(reach=0)
    parts = measure(runs, labels)
    if parts.n > MOST_POLYGONS:
        kept = np.zeros(parts.n, np.bool_)
        kept[np.argsort(-parts.areas, kind="stable")[:MOST_POLYGONS]] = True
        runs = runs.take(kept[labels])
        labels = runs.label(reach=0)
        return outlines(runs, labels), measure(runs, labels), parts.n - MOST_POLYGONS
    return outlines(runs, labels), parts, 0


def _areas(shapes: Geometries, grid: Grid) -> list[float | None]:
    """Square meters on the ellipsoid; None without a CRS."""
    if grid.crs is None or len(shapes) == 0:
        return [None] * len(shapes)
    return [round(float(value), 2) for value in areas(shapely.force_2d(shapes), grid.crs)]


def _categories(entries: Sequence[MaskClass]) -> list[Category]:
    return [Category(str(entry.id), entry.title, entry.color) for entry in entries if entry.id != CLEAR]


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
