"""Polygons that people bring: map sheets, an inspector's own findings; read into the pixels of a scene."""

import difflib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS

from clearscene.errors import VectorError
from clearscene.grid import Grid
from clearscene.inspection.taxonomy import BY_ID, BY_NAME, TYPES, DefectType
from clearscene.vector.layer import read_layer

__all__ = ["PolygonFile", "defect_of", "read_polygon_file", "to_map", "to_pixels"]

logger = logging.getLogger(__name__)

_DECIMALS = 6
_SEGMENTS = 64
"""Edges are cut into pieces of this part of a polygon's extent before they are reprojected."""


@dataclass(frozen=True, eq=False)
class PolygonFile:
    """The features of a layer that have a geometry."""

    path: str
    polygons: NDArray[np.object_]
    """Geometries (n,) in pixel coordinates of the scene."""
    fields: dict[str, list[Any]]
    """Values (n,) of each field; None where the file has null."""
    ids: list[int]
    """Feature ids (n,) as QGIS shows them: from 0 in a Shapefile or GeoJSON, the column fid in a GeoPackage."""

    def column(self, name: str) -> list[Any]:
        """Values of a field.

        Raises:
            VectorError: There is no such field; the hint lists those there are.
        """
        if name in self.fields:
            return self.fields[name]
        near = difflib.get_close_matches(name, self.fields, n=1)
        start = f"Did you mean {near[0]!r}? " if near else ""
        fields = ", ".join(self.fields) or "none"
        raise VectorError(f"{self.path} has no field {name!r}.", hint=f"{start}Its fields are {fields}.")


def read_polygon_file(path: str | Path, grid: Grid) -> PolygonFile:
    """Read the first layer of a vector file and bring it to the pixels of `grid`.

    A layer without CRS is taken to be in the CRS of the scene, and a warning is logged. Features
    without geometry are left out.

    Raises:
        VectorError: The file cannot be read, or its CRS and the scene's cannot be brought together.
    """
    table = read_layer(Path(path))
    if table.crs is None and grid.crs is not None:
        what = "no .prj" if Path(path).suffix.lower() == ".shp" else "no CRS"
        logger.warning("%s has %s: its coordinates are taken to be in the scene's %s.", path, what, grid.crs)
    empty = shapely.is_missing(table.geometries) | shapely.is_empty(table.geometries)
    kept = np.flatnonzero(~empty)
    placed = to_pixels(_reprojected(table.geometries[kept], table.crs, grid, str(path)), grid)
    fields = {name: [_plain(values[i]) for i in kept] for name, values in table.fields.items()}
    ids = _feature_ids(Path(path))
    return PolygonFile(str(path), placed, fields, [int(ids[i]) for i in kept])


def _feature_ids(path: Path) -> NDArray[np.integer[Any]]:
    """The ids that OGR, and so QGIS, gives the features of the layer that `read_layer` reads."""
    layer = next(str(name) for name, kind in pyogrio.list_layers(path) if kind is not None)
    _, ids, _, _ = pyogrio.raw.read(path, layer=layer, columns=[], read_geometry=False, return_fids=True)
    return np.asarray(ids)


def to_pixels(geometry: Any, grid: Grid) -> Any:
    """Bring a geometry, or an array of them, from map to pixel coordinates (x = col, y = row).

    Law: whole pixel coordinates that were brought to the map come back as they were, so that
    polygons which only touch do not overlap by the error of the sum. Rounded to a millionth of a pixel.
    """
    return _moved(geometry, ~grid.transform, _DECIMALS)


def to_map(geometry: Any, grid: Grid) -> Any:
    """Bring a geometry, or an array of them, from pixel to map coordinates."""
    return _moved(geometry, grid.transform)


def defect_of(value: Any) -> DefectType | None:
    """The defect type that a person wrote as id, key, English or Chinese name; None if it is none of these."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return BY_ID.get(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.isdigit():
        return BY_ID.get(int(text))
    return _BY_WORD.get(text.lower()) or BY_NAME.get(text.lower().replace(" ", "_"))


_BY_WORD = {word.lower(): t for t in TYPES for word in (t.name, t.title, t.title_zh)}


def _moved(geometry: Any, transform: Any, decimals: int | None = None) -> Any:
    a, b, c, d, e, f = tuple(transform)[:6]
    move = np.array([[a, d], [b, e]])
    return shapely.transform(geometry, lambda xy: _rounded(xy @ move + (c, f), decimals))


def _rounded(values: NDArray[np.float64], decimals: int | None) -> NDArray[np.float64]:
    return values if decimals is None else np.round(values, decimals)


def _reprojected(geometries: NDArray[np.object_], crs: CRS | None, grid: Grid, path: str) -> NDArray[np.object_]:
    """The geometries in the scene's CRS, long edges bent as the projection bends them."""
    if crs is None or grid.crs is None or crs == grid.crs or len(geometries) == 0:
        return geometries
    left, bottom, right, top = shapely.bounds(geometries).T
    extent = np.maximum(right - left, top - bottom)
    dense = shapely.segmentize(geometries, np.where(extent > 0, extent, 1.0) / _SEGMENTS)
    transformer = Transformer.from_crs(crs, grid.crs, always_xy=True)
    moved = shapely.transform(dense, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise VectorError(
            f"The polygons of {path} cannot be brought from {crs} to the scene's {grid.crs}.",
            hint="Check that the file's CRS is what its coordinates are in.",
        )
    return np.asarray(moved)


def _plain(value: Any) -> Any:
    """A Python value of a field; NaN, which stands for null in number columns, becomes None."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and np.isnan(plain) else plain
