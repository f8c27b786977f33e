"""Areas of interest from files in any CRS, burned window by window."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.windows import Window

from clearscene.errors import VectorError
from clearscene.grid import Grid, windows
from clearscene.vector.aoi import Areas, burn, load_areas
from clearscene.vector.formats import write_geojson, write_shapefile
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Layer
from clearscene.vector.outline import to_map

ROTATED = Affine.translation(500_000, 3_300_000) * Affine.rotation(12) * Affine.scale(0.5, -0.4)
GRID = Grid(97, 131, ROTATED, CRS.from_epsg(4547))
IN_PIXELS = np.array(
    [shapely.Polygon([(10.2, 5), (90, 30.7), (40, 80)]) - shapely.box(40, 30, 50, 45), shapely.box(100, 60, 160, 90)]
)


def centers_inside(polygons, height, width):
    rows, cols = np.mgrid[:height, :width] + 0.5
    return shapely.contains_xy(shapely.union_all(polygons), cols, rows)


def written(folder, shapes, crs, name="目标 区.gpkg"):
    path = folder / name
    write_geopackage(path, [Layer("aoi", "MultiPolygon", shapes, {}, crs)])
    return path


@pytest.mark.parametrize("epsg", [4547, 4490, 4326, 3857])
def test_areas_in_any_crs_are_the_same_pixels(tmp_path, epsg):
    shapes = shapely.segmentize(to_map(IN_PIXELS, ROTATED), 1.0)
    move = Transformer.from_crs(GRID.crs, epsg, always_xy=True)
    moved = shapely.transform(shapes, lambda xy: np.column_stack(move.transform(*xy.T)))
    areas = load_areas(written(tmp_path, moved, CRS.from_epsg(epsg)), GRID)
    expected = shapely.union_all(IN_PIXELS) & shapely.box(0, 0, GRID.width, GRID.height)
    assert shapely.union_all(areas.polygons).symmetric_difference(expected).area < 0.01
    difference = burn(areas, GRID.window) != centers_inside(IN_PIXELS, GRID.height, GRID.width)
    assert difference.sum() <= 1  # a center on the very edge


def test_windows_make_the_whole():
    areas = Areas(list(IN_PIXELS))
    whole = burn(areas, GRID.window)
    assert np.array_equal(whole, centers_inside(IN_PIXELS, GRID.height, GRID.width))
    for size in (7, 32):
        pieced = np.zeros_like(whole)
        for w in windows(GRID.height, GRID.width, size):
            mask = burn(areas, w)
            assert mask.shape == (w.height, w.width)
            pieced[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] = mask
        assert np.array_equal(pieced, whole)


def test_window_far_from_the_origin_and_inside_is_full():
    areas = Areas([shapely.box(50_000, 40_000, 60_000, 50_000)])
    assert burn(areas, Window(52_000, 41_000, 512, 300)).all()
    assert not burn(areas, Window(0, 0, 512, 300)).any()
    edge = burn(areas, Window(49_999, 39_998, 5, 4))
    assert edge.tolist() == [[False] * 5] * 2 + [[False] + [True] * 4] * 2


def test_shapefile_and_self_crossing_polygons_are_taken(tmp_path):
    bow = shapely.Polygon([(10, 10), (50, 50), (50, 10), (10, 50)])
    path = tmp_path / "a.shp"
    write_shapefile(path, Layer("a", "Polygon", to_map(np.array([bow]), ROTATED), {"id": [1]}, GRID.crs))
    areas = load_areas(path, GRID)
    assert sum(p.area for p in areas) == pytest.approx(800, rel=1e-3)
    assert len(areas) == 2


def test_scene_without_crs_takes_pixels(tmp_path):
    grid = Grid(97, 131)
    pixels = Layer("a", "Polygon", to_map(IN_PIXELS, grid.transform), {}, None)
    write_geojson(tmp_path / "a.geojson", pixels)
    for path in (tmp_path / "a.geojson", written(tmp_path, pixels.geometries, None)):
        areas = load_areas(path, grid)
        assert np.array_equal(burn(areas, grid.window), centers_inside(IN_PIXELS, 97, 131))


def test_what_cannot_be_used_is_a_clear_error(tmp_path):
    shapes = to_map(IN_PIXELS, ROTATED)
    with pytest.raises(VectorError, match="but the scene has no CRS"):
        load_areas(written(tmp_path, shapes, GRID.crs), Grid(97, 131))
    with pytest.raises(VectorError, match="has no CRS, but the scene is in EPSG:4547"):
        load_areas(written(tmp_path, shapes, None, "b.gpkg"), GRID)
    with pytest.raises(VectorError, match=r"No polygon of .* meets the scene"):
        load_areas(written(tmp_path, to_map(IN_PIXELS, Affine.translation(9, 9)), GRID.crs, "c.gpkg"), GRID)
    far = np.array([shapely.box(1e30, 1e30, 1e31, 1e31)])
    with pytest.raises(VectorError, match="outside the area"):
        load_areas(written(tmp_path, far, CRS.from_epsg(3857), "d.gpkg"), GRID)
    point = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": None}]}
    point["features"][0]["geometry"] = {"type": "Point", "coordinates": [114, 30]}
    (tmp_path / "e.geojson").write_text(json.dumps(point))
    with pytest.raises(VectorError, match="holds no polygons"):
        load_areas(tmp_path / "e.geojson", GRID)
