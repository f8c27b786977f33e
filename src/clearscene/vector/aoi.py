"""Areas that an inspection keeps to, or leaves out: polygons of any file, burned window by window."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import VectorError
from clearscene.grid import Grid, slices
from clearscene.vector.layer import Table, read_layer
from clearscene.vector.outline import Geometries, to_map

__all__ = ["Areas", "burn", "load_areas"]

EDGE_CUTS = 64
"""Parts an edge is cut into before it is moved to another CRS, where it is a curve."""


class Areas(Sequence[BaseGeometry]):
    """Polygons in pixel coordinates of a scene (x = col, y = row), clipped to it, with an index."""

    def __init__(self, polygons: Sequence[BaseGeometry]) -> None:
        self.polygons: Geometries = np.array(polygons, dtype=object)
        shapely.prepare(self.polygons)
        self._tree = shapely.STRtree(self.polygons)

    def __len__(self) -> int:
        return len(self.polygons)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # Sequence overloads it for slices
        return self.polygons[index]

    def near(self, box: BaseGeometry) -> Geometries:
        """The polygons that meet a box."""
        return np.asarray(self.polygons[self._tree.query(box, predicate="intersects")])


def load_areas(path: Path, grid: Grid, layer: str | None = None) -> Areas:
    """Read the polygons of a file, in any CRS, as areas of a scene.

    In a scene without CRS the file must have none either: its coordinates are then x = col,
    y = -row, as in the files written for such a scene. GeoJSON cannot say that it has no CRS, so for
    such a scene its coordinates are taken as pixels.

    Raises:
        VectorError: The file cannot be read, has no polygons, lacks a CRS, or does not meet the scene.
    """
    table = read_layer(path, layer)
    shapes = shapely.make_valid(table.geometries[shapely.get_dimensions(table.geometries) == 2])
    if len(shapes) == 0:
        raise VectorError(f"{path} holds no polygons.", hint="Areas are given as polygons.")
    pixels = to_map(_in_crs_of(grid, shapes, table), ~grid.transform)
    clipped = shapely.intersection(shapely.make_valid(pixels), shapely.box(0, 0, grid.width, grid.height))
    parts = shapely.get_parts(clipped)
    kept = [part for part in parts if shapely.get_dimensions(part) == 2 and not part.is_empty]
    if not kept:
        raise VectorError(
            f"No polygon of {path} meets the scene: they lie within {_text(table)}, the scene within"
            f" {tuple(round(v, 6) for v in grid.bounds)} ({grid.crs or 'no CRS'}).",
            hint="Check the file and its CRS.",
        )
    return Areas(kept)


def burn(areas: Areas, window: Window) -> NDArray[np.bool_]:
    """The pixels of a window whose centers lie in an area: a bool mask (row, col).

    Law: the masks of the windows of a scene, laid together, are the mask of the scene.
    """
    rows, cols = slices(window)
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    box = shapely.box(cols.start, rows.start, cols.stop, rows.stop)
    near = areas.near(box)
    if len(near) == 0:
        return np.zeros(shape, np.bool_)
    if shapely.covers(near, box).any():
        return np.ones(shape, np.bool_)
    margin = box.bounds[0] - 1, box.bounds[1] - 1, box.bounds[2] + 1, box.bounds[3] + 1
    pieces = [piece for piece in shapely.clip_by_rect(near, *margin) if not piece.is_empty]
    if not pieces:
        return np.zeros(shape, np.bool_)
    moved = shapely.transform(pieces, lambda points: points + 1)  # rasterio warns of a window that begins at 0, 0
    where = Affine.translation(cols.start + 1, rows.start + 1)
    burned = rasterize(list(moved), out_shape=shape, transform=where, dtype=np.uint8)
    return np.asarray(burned).astype(np.bool_)


def _in_crs_of(grid: Grid, shapes: Geometries, table: Table) -> Geometries:
    """Shapes in the CRS of the scene."""
    is_geojson = table.path.suffix.lower() in (".geojson", ".json")
    if grid.crs is None and (table.crs is None or is_geojson):
        return shapes
    if grid.crs is None:
        raise VectorError(
            f"{table.path} is in {table.crs}, but the scene has no CRS.",
            hint="Give the polygons in pixels, x = column and y = -row, without a CRS.",
        )
    if table.crs is None:
        raise VectorError(
            f"{table.path} has no CRS, but the scene is in {grid.crs}.",
            hint="Assign the CRS to the file, for example in QGIS; a Shapefile needs its .prj.",
        )
    if table.crs == grid.crs:
        return shapes
    transformer = Transformer.from_crs(table.crs, grid.crs, always_xy=True)
    left, bottom, right, top = shapely.total_bounds(shapes)
    cut = shapely.segmentize(shapes, max(right - left, top - bottom) / EDGE_CUTS)
    moved = np.asarray(shapely.transform(cut, lambda xy: np.column_stack(transformer.transform(*xy.T))))
    finite = np.isfinite(shapely.bounds(moved)).all(axis=1)
    if not finite.any():
        raise VectorError(
            f"{table.path} ({table.crs}) lies outside the area in which {grid.crs} can be used.",
            hint="Check the CRS of the file.",
        )
    return np.asarray(moved[finite])


def _text(table: Table) -> str:
    bounds = tuple(round(float(v), 6) for v in shapely.total_bounds(table.geometries))
    return f"{bounds} ({table.crs or 'no CRS'})"
