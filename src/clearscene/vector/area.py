"""Areas and lengths on the ellipsoid, in square meters and meters, from any CRS.

Areas are measured in a Lambert azimuthal equal-area projection of the WGS 84 ellipsoid laid around
the geometries (Snyder, Map Projections: A Working Manual, 1987, section 24): it keeps areas exactly,
has no seam at the antimeridian and none at a pole, and one call moves all vertices. The geodesic
polygons of pyproj, which is our oracle, work one by one and lose a few square centimeters each to rounding.
"""

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from clearscene.errors import GridError
from clearscene.grid import PixelArea
from clearscene.runs import Runs
from clearscene.vector.outline import Geometries

__all__ = ["area_of_runs", "areas", "lengths"]

STEP_M = 500.0
"""Longest edge that is not cut: a straight line of a CRS is a curve on the ground."""

MOST_STEPS = 1000
"""Cuts along the extent of the largest geometry, at most."""

EARTH_RADIUS_M = 6_371_000.0


def area_of_runs(
    runs: Runs, labels: NDArray[np.int64], pixel_area: PixelArea, *, n_labels: int | None = None
) -> NDArray[np.float64]:
    """Ground area of the pixels of each label, (n labels,) m2.

    A run is as large as its middle pixel times its length: the area of a pixel varies linearly
    along a run, to far better than one part in a million.
    """
    middles = (runs.starts + runs.stops) / 2.0
    square_meters = pixel_area.at(runs.rows + 0.5, middles) * runs.lengths
    n = n_labels if n_labels is not None else int(labels.max(initial=-1)) + 1
    return np.bincount(labels, square_meters, n).astype(np.float64)


def areas(geometries: Geometries, crs: CRS) -> NDArray[np.float64]:
    """Area of each polygon on the ellipsoid, (n,) m2; 0 for lines, points and what is empty.

    Law: equals the geodesic area of the densified outline, in every CRS, Web Mercator included.

    Raises:
        GridError: The CRS cannot be brought to longitude and latitude, or a vertex lies outside it.
    """
    flat = _densified(geometries, crs)
    if shapely.is_empty(flat).all():
        return np.zeros(len(flat))
    left, bottom, right, top = shapely.total_bounds(flat)
    lon, lat = _to_lonlat(crs).transform((left + right) / 2, (bottom + top) / 2)
    if not np.isfinite((lon, lat)).all():
        raise _outside(crs)
    equal_area = pyproj.CRS.from_proj4(f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m")
    return np.asarray(shapely.area(_moved(flat, pyproj.Transformer.from_crs(crs, equal_area, always_xy=True), crs)))


def lengths(geometries: Geometries, crs: CRS) -> NDArray[np.float64]:
    """Length of each line, or of the outline of each polygon with its holes, on the ellipsoid, (n,) m.

    Raises:
        GridError: The CRS cannot be brought to longitude and latitude, or a vertex lies outside it.
    """
    parts, index = shapely.get_parts(_densified(geometries, crs), return_index=True)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    is_line = shapely.get_dimensions(parts) == 1
    lines, owner = np.append(rings, parts[is_line]), np.append(index[ring_of], index[is_line])
    xy, line = shapely.get_coordinates(lines, return_index=True)
    lon, lat = _to_lonlat(crs).transform(xy[:, 0], xy[:, 1])
    if not np.isfinite(lon).all():
        raise _outside(crs)
    joined = np.flatnonzero(line[1:] == line[:-1])
    _, _, steps = pyproj.Geod(ellps="WGS84").inv(lon[joined], lat[joined], lon[joined + 1], lat[joined + 1])
    return np.bincount(owner[line[joined]], steps, len(geometries)).astype(np.float64)


def _densified(geometries: Geometries, crs: CRS) -> Geometries:
    """The geometries without height, with vertices added on long edges."""
    flat = np.asarray(shapely.force_2d(geometries))
    if len(flat) == 0 or shapely.is_empty(flat).all():
        return flat
    unit = pyproj.CRS.from_user_input(crs).axis_info[0].unit_conversion_factor or 1.0
    meters = unit * EARTH_RADIUS_M if crs.is_geographic else unit
    bounds = shapely.bounds(flat)
    extent = float(np.nanmax(np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])))
    return np.asarray(shapely.segmentize(flat, max(STEP_M / meters, extent / MOST_STEPS)))


def _to_lonlat(crs: CRS) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    except ProjError as error:
        raise GridError(
            f"The CRS {crs} cannot be brought to longitude and latitude: {error}",
            hint="Assign a CRS that PROJ knows, for example with gdal_edit.py -a_srs.",
        ) from error


def _moved(geometries: Geometries, transformer: pyproj.Transformer, crs: CRS) -> Geometries:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        if not np.isfinite(moved).all():
            raise _outside(crs)
        return moved

    return np.asarray(shapely.transform(geometries, move))


def _outside(crs: CRS) -> GridError:
    return GridError(f"A vertex lies outside the area in which {crs} can be used.", hint="Check the CRS of the file.")
