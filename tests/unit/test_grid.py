import numpy as np
import pytest
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.windows import Window

from clearscene.errors import GridError
from clearscene.grid import Grid, expand, windows

NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.25, 2_960_000)
ROTATED = Affine.translation(500_000, 2_960_000) * Affine.rotation(20) * Affine.scale(0.5, -0.25)


def outline_area(grid):
    """Geodesic area of the outline, by pyproj alone, with many points a side."""
    t = np.linspace(0, 1, 400)
    cols = np.concatenate([t, np.ones(400), 1 - t, np.zeros(400)]) * grid.width
    rows = np.concatenate([np.zeros(400), t, np.ones(400), 1 - t]) * grid.height
    xs, ys = grid.transform * (cols, rows)
    lon, lat = Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(xs, ys)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32648, NORTH_UP),
        (32648, ROTATED),
        (3857, Affine(0.5, 0, 11_800_000, 0, -0.25, 8_000_000)),
        (4326, Affine(1e-3, 0, 106, 0, -2e-3, 60)),
        (4490, Affine(1e-5, 0, 106, 0, -1e-5, 26)),
        (4547, Affine(0.5, 0, 500_000, 0, -0.25, 2_960_000)),
    ],
)
def test_pixel_areas_sum_to_the_geodesic_area(crs, transform):
    grid = Grid(731, 402, transform, CRS.from_epsg(crs))
    rows, cols = np.meshgrid(np.arange(731) + 0.5, np.arange(402) + 0.5, indexing="ij")
    assert grid.pixel_area.at(rows, cols).sum() == pytest.approx(outline_area(grid), rel=2e-5)


def test_web_mercator_area_is_not_its_map_area():
    grid = Grid(100, 100, Affine(1, 0, 0, 0, -1, 8_399_738), CRS.from_epsg(3857))  # 60 degrees north
    assert float(grid.pixel_area.at(50, 50)) == pytest.approx(0.25, rel=0.01)


def test_no_crs_no_area():
    assert Grid(3, 4).pixel_area is None


def test_bounds_of_a_rotated_grid_hold_its_corners():
    grid = Grid(10, 20, ROTATED)
    left, bottom, right, top = grid.bounds
    for corner in [(0, 0), (20, 0), (0, 10), (20, 10)]:
        x, y = ROTATED * corner
        assert left <= x <= right
        assert bottom <= y <= top


def test_resolution_of_a_rotated_grid():
    assert Grid(10, 20, ROTATED).resolution == pytest.approx((0.5, 0.25))


def test_image_grid_lies_as_qgis_lays_it():
    assert Grid(30, 20).bounds == (0, -30, 20, 0)


def test_subgrid_keeps_the_place_of_a_pixel():
    grid = Grid(100, 80, ROTATED)
    part = grid.subgrid(Window(7, 11, 5, 3))
    assert (part.height, part.width) == (3, 5)
    assert part.transform * (0, 0) == pytest.approx(grid.transform * (7, 11))


def test_empty_and_flat_grids_are_refused():
    with pytest.raises(GridError, match="0 x 5"):
        Grid(5, 0)
    with pytest.raises(GridError, match="line"):
        Grid(5, 5, Affine(1, 1, 0, 1, 1, 0))


def test_windows_cover_each_pixel_once():
    seen = np.zeros((23, 37), int)
    for w in windows(23, 37, 10):
        seen[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] += 1
    assert (seen == 1).all()


def test_expand_stops_at_the_scene():
    assert expand(Window(0, 5, 10, 10), 8, height=16, width=40) == Window(0, 0, 18, 16)
