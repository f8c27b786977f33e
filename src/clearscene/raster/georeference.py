"""Where a scene lies: transform and CRS from whatever the raster carries."""

import math

import numpy as np
from affine import Affine, AffineError
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps

from clearscene.grid import IMAGE_TRANSFORM, Grid

__all__ = ["GCP_LIMIT_PX", "grid_of"]

GCP_LIMIT_PX = 1.0
"""Largest distance of a ground control point from its place under the fitted transform."""


def grid_of(dataset: DatasetReader) -> tuple[Grid, list[str]]:
    """The grid of a dataset, and notes about its georeference.

    Law: rotation terms are kept. A scene without georeference, or with one that cannot be used,
    gets `IMAGE_TRANSFORM` and no CRS, and a note says why; coordinates without a CRS keep their transform.
    """
    transform, crs, notes = _placed(dataset)
    if crs is not None and (why := _why_useless(crs, transform, dataset)):
        notes.append(f"The CRS is left out: {why}.")
        crs = None
    return Grid(dataset.height, dataset.width, transform, crs), notes


def _placed(dataset: DatasetReader) -> tuple[Affine, CRS | None, list[str]]:
    """Transform, CRS and notes, from a geotransform or else from ground control points."""
    points, points_crs = dataset.gcps
    if _is_usable(dataset.transform):
        crs = dataset.crs or None
        return dataset.transform, crs, [] if crs else ["The scene has coordinates but no CRS."]
    if points:
        return _fit(points, points_crs or None)
    return IMAGE_TRANSFORM, None, [_why_nowhere(dataset)]


def _is_usable(transform: Affine) -> bool:
    """False for the identity, which is how GDAL says "none", and for one that maps onto a line."""
    numbers = tuple(transform)[:6]
    return all(map(math.isfinite, numbers)) and transform.determinant != 0 and transform != Affine.identity()


def _why_nowhere(dataset: DatasetReader) -> str:
    if dataset.transform != Affine.identity():
        return f"The transform {tuple(dataset.transform)[:6]} is unusable; the scene is not georeferenced."
    if dataset.rpcs is not None:
        return "The scene has only rational polynomials (RPC), no map coordinates; orthorectify it to get them."
    return "The scene is not georeferenced; coordinates are pixels and areas in square meters are not given."


def _fit(points: list[GroundControlPoint], crs: CRS | None) -> tuple[Affine, CRS | None, list[str]]:
    """Fit a transform to ground control points, if they lie well enough on one."""
    try:
        transform = from_gcps(points)
        worst = _residual_px(points, transform)
    except (RasterioError, AffineError, ValueError, ArithmeticError):
        worst = math.inf
    start = f"The scene is placed by {len(points)} ground control points"
    if not worst <= GCP_LIMIT_PX:
        far = f"up to {worst:.1f} px off" if math.isfinite(worst) else "on no transform at all"
        note = f"{start}, which lie {far}; it is taken as not georeferenced. Warp it first, with gdalwarp."
        return IMAGE_TRANSFORM, None, [note]
    return transform, crs, [f"{start}; the fitted transform is at most {worst:.2f} px off at one of them."]


def _residual_px(points: list[GroundControlPoint], transform: Affine) -> float:
    """Largest distance in pixels between where a point is and where the transform puts it."""
    xs, ys = np.array([p.x for p in points]), np.array([p.y for p in points])
    cols, rows = ~transform * (xs, ys)
    return float(np.hypot(cols - [p.col for p in points], rows - [p.row for p in points]).max())


def _why_useless(crs: CRS, transform: Affine, dataset: DatasetReader) -> str:
    """Why a CRS does not give the middle of the scene a place on Earth; empty if it does."""
    middle = transform * (dataset.width / 2, dataset.height / 2)
    try:
        lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(*middle)
    except (ProjError, RasterioError) as error:
        return f"it cannot be brought to longitude and latitude ({' '.join(str(error).split())})"
    if abs(lat) <= 90 and abs(lon) <= 540:
        return ""
    return f"it does not fit the coordinates, whose middle is {middle[0]:.9g}, {middle[1]:.9g}"
