"""The outline of a grid on the globe: across the antimeridian, around a pole, and where neither is near."""

import json

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod
from rasterio.crs import CRS
from shapely.geometry import shape

from clearscene.grid import Grid
from clearscene.masking.footprint import footprint


def place(epsg, left, top, meters, *, height=512, width=700):
    return Grid(height, width, Affine(meters, 0, left, 0, -meters, top), CRS.from_epsg(epsg))


def area_m2(geometry):
    """On the ellipsoid, by pyproj: an oracle that is not ours."""
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(shape(geometry))[0])


def test_far_from_the_antimeridian_it_is_one_ring():
    found = footprint(place(32632, 600_000, 5_000_040, 10))
    (ring,) = found.geometry["coordinates"]
    assert found.geometry["type"] == "Polygon"
    assert ring[0] == ring[-1]
    assert len(ring) == 33
    west, south, east, north = found.bbox
    assert shape(found.geometry).bounds == (west, south, east, north)
    assert shape(found.geometry).exterior.is_ccw


def test_without_a_place_there_is_none():
    assert footprint(Grid(5, 7)) is None


@pytest.mark.parametrize(("epsg", "left"), [(32601, 355_000), (32660, 640_000)])
def test_across_the_antimeridian_it_is_cut_there(epsg, left):
    grid = place(epsg, left, 7_200_000, 10)
    found = footprint(grid)
    west, south, east, north = found.bbox
    assert (found.geometry["type"], west > east) == ("MultiPolygon", True)
    assert 64 < south < north < 65
    parts = shape(found.geometry).geoms
    assert len(parts) == 2
    assert all(part.exterior.is_ccw and part.is_valid for part in parts)
    eastern, western = sorted(parts, key=lambda part: -part.bounds[0])
    assert (eastern.bounds[0], eastern.bounds[2]) == (pytest.approx(west), 180)
    assert (western.bounds[0], western.bounds[2]) == (-180, pytest.approx(east))
    assert area_m2(found.geometry) == pytest.approx(grid.n_pixels * 100, rel=3e-3)
    json.dumps(found.geometry, allow_nan=False)


def test_degrees_beyond_180_are_cut_as_well():
    found = footprint(Grid(100, 200, Affine(0.001, 0, 179.9, 0, -0.001, 10), CRS.from_epsg(4326)))
    assert found.bbox == [179.9, 9.9, -179.9, 10.0]
    assert shape(found.geometry).area == pytest.approx(0.02)


@pytest.mark.parametrize(("epsg", "pole"), [(3413, 90.0), (3031, -90.0)])
def test_around_a_pole_it_reaches_it(epsg, pole):
    grid = Grid(100, 100, Affine(10_000, 0, -500_000, 0, -10_000, 500_000), CRS.from_epsg(epsg))
    found = footprint(grid)
    assert shape(found.geometry).is_valid
    assert (found.bbox[0], found.bbox[2]) == (-180, 180)
    assert pole in found.bbox
    lon = np.array(found.geometry["coordinates"][0])[:, 0]
    assert (lon.min(), lon.max()) == (-180, 180)
