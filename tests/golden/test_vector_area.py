"""Areas and lengths against closed forms of the ellipsoid and the geodesic polygons of pyproj."""

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS

from clearscene.errors import GridError
from clearscene.grid import Grid
from clearscene.runs import Runs
from clearscene.vector.area import area_of_runs, areas, lengths
from clearscene.vector.outline import outlines, to_map

WGS84_A, WGS84_F = 6378137.0, 1 / 298.257223563
LONLAT = CRS.from_epsg(4326)

# CRS, place (x, y), pixel sizes; a rotated grid and Web Mercator far north among them
GRIDS = {
    "cgcs2000_gk": (4547, (500_000, 3_300_000), 0.5),
    "cgcs2000": (4490, (114.0, 30.5), 5e-6),
    "web_mercator_60n": (3857, (1_000_000, 8_400_000), 2.0),
    "utm_33n": (32633, (380_000, 5_800_000), 0.3),
    "polar": (3031, (-300_000, 800_000), 10.0),
}


def cell_area(south, north, degrees):
    """Area between two parallels and two meridians of the ellipsoid (Snyder 1987, equation 3-12)."""
    e = math.sqrt(WGS84_F * (2 - WGS84_F))

    def q(latitude):
        s = math.sin(math.radians(latitude))
        return (1 - e**2) * (s / (1 - e**2 * s**2) - math.log((1 - e * s) / (1 + e * s)) / (2 * e))

    return WGS84_A**2 * math.radians(degrees) * (q(north) - q(south)) / 2


def grid_of(name):
    code, (x, y), size = GRIDS[name]
    transform = Affine.translation(x, y) * Affine.rotation(17) * Affine.scale(size, -0.8 * size)
    return Grid(371, 533, transform, CRS.from_epsg(code))


def geodesic(geometry, crs):
    """Area and length of the outline by pyproj, of an outline cut very fine."""
    to_lonlat = Transformer.from_crs(crs, 4326, always_xy=True)
    fine = shapely.segmentize(geometry, max(shapely.bounds(geometry)[2:] - shapely.bounds(geometry)[:2]) / 400)
    lonlat = shapely.transform(fine, lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    geod = Geod(ellps="WGS84")
    area, _ = geod.geometry_area_perimeter(shapely.orient_polygons(lonlat))
    return abs(area), sum(geod.geometry_length(ring) for ring in shapely.get_rings(lonlat))


@pytest.mark.parametrize(("south", "north"), [(0, 1), (30, 30.01), (-60.5, -60), (79, 80)])
def test_cell_of_parallels_and_meridians(south, north):
    cells = np.array([shapely.box(west, south, west + 0.5, north) for west in (-0.5, 20, 179.8)])
    for cell in cells:
        assert areas(np.array([cell]), LONLAT)[0] == pytest.approx(cell_area(south, north, 0.5), rel=1e-6)


@pytest.mark.parametrize("name", GRIDS)
def test_polygon_equals_the_geodesic_one(name):
    grid = grid_of(name)
    small, large = (
        shapely.Point(200, 150).buffer(20),
        shapely.Point(200, 150).buffer(140) - shapely.box(190, 90, 300, 100),
    )
    shapes = to_map(np.array([small, large]), grid.transform)
    expected = np.array([geodesic(shape, grid.crs) for shape in shapes])
    assert areas(shapes, grid.crs) == pytest.approx(expected[:, 0], rel=2e-5)  # rounding of the oracle: 0.05 m2
    assert lengths(shapes, grid.crs) == pytest.approx(expected[:, 1], rel=1e-6)


@pytest.mark.parametrize("name", GRIDS)
def test_pixels_of_a_polygon_have_its_area(name):
    grid = grid_of(name)
    mask = np.zeros((grid.height, grid.width), bool)
    mask[20:300, 31:402] = mask[320:322, 17:19] = True
    mask[40:44, 50:300] = False
    runs = Runs.from_mask(mask)
    labels = runs.label(reach=1)
    by_pixels = area_of_runs(runs, labels, grid.pixel_area)
    by_polygon = areas(to_map(outlines(runs, labels), grid.transform), grid.crs)
    assert by_pixels == pytest.approx(by_polygon, rel=1e-5)
    rows, cols = np.nonzero(mask)
    assert by_pixels.sum() == pytest.approx(grid.pixel_area.at(rows + 0.5, cols + 0.5).sum(), rel=2e-6)


def test_large_polygon_follows_the_parallels_of_its_crs():
    (area,) = areas(np.array([shapely.box(70, 20, 120, 55)]), LONLAT)
    assert area == pytest.approx(cell_area(20, 55, 50), rel=1e-5)


def test_length_of_lines():
    quarter = 10_001_965.729  # meters of a meridian from equator to pole, WGS 84
    shapes = np.array(
        [shapely.LineString([(5, 0), (5, 90)]), shapely.MultiLineString([[(5, 0), (5, 45)], [(9, 45), (9, 90)]])]
    )
    assert lengths(shapes, LONLAT) == pytest.approx([quarter, quarter], abs=0.01)
    assert areas(shapes, LONLAT).tolist() == [0, 0]


def test_web_mercator_is_not_believed():
    box = shapely.box(1_000_000, 8_400_000, 1_000_100, 8_400_100)  # 10,000 square units at 60 N
    (area,) = areas(np.array([box]), CRS.from_epsg(3857))
    assert area == pytest.approx(2500, rel=0.03)


def test_pole_inside_is_no_exception():
    (area,) = areas(np.array([shapely.Point(0, 0).buffer(100_000, quad_segs=64)]), CRS.from_epsg(3031))
    assert area == pytest.approx(geodesic_cap(100_000), rel=1e-3)


def geodesic_cap(radius):
    """Area around the pole inside a circle of the polar stereographic plane."""
    _, latitude = Transformer.from_crs(3031, 4326, always_xy=True).transform(0, radius)
    return cell_area(-90, latitude, 360)


def test_empty_and_nothing():
    assert areas(np.array([shapely.Polygon()]), LONLAT).tolist() == [0]
    assert lengths(np.array([shapely.Polygon()]), LONLAT).tolist() == [0]
    assert len(areas(np.empty(0, object), LONLAT)) == 0
    grid = grid_of("utm_33n")
    assert area_of_runs(Runs.empty(), np.empty(0, np.int64), grid.pixel_area, n_labels=2).tolist() == [0, 0]


def test_vertex_outside_the_crs_is_an_error():
    far = np.array([shapely.box(1e9, 1e9, 1e9 + 1, 1e9 + 1)])
    with pytest.raises(GridError, match="outside"):
        areas(far, CRS.from_epsg(32633))
    with pytest.raises(GridError, match="outside"):
        lengths(far, CRS.from_epsg(32633))
