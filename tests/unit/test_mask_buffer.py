import numpy as np
import pytest
from rasterio.crs import CRS

from clearscene.errors import OptionError
from clearscene.grid import Grid, slices
from clearscene.masking.buffer import buffered, grow, radius_px


def grown(class_map, radius, window=2048):
    grid = Grid(*class_map.shape)
    result = np.full_like(class_map, 77)
    for place, part in buffered(lambda w: class_map[slices(w)], grid, radius, window=window):
        result[slices(place)] = part
    return result


def test_a_point_grows_to_a_disk():
    mask = np.zeros((9, 11), bool)
    mask[4, 5] = True
    rows, cols = np.indices(mask.shape)
    assert np.array_equal(grow(mask, (3.0, 3.0)), (rows - 4) ** 2 + (cols - 5) ** 2 <= 9)


def test_unequal_pixels_make_an_ellipse():
    mask = np.zeros((9, 21), bool)
    mask[4, 10] = True
    found = grow(mask, (2.0, 6.0))
    assert found.any(axis=1).sum() == 5
    assert found.any(axis=0).sum() == 13


def test_precedence_where_buffers_meet():
    class_map = np.array([[3, 0, 1, 0, 2, 0, 3]], np.uint8)
    assert grown(class_map, (1.0, 1.0)).tolist() == [[3, 1, 1, 1, 2, 3, 3]]


def test_nodata_and_marked_pixels_stay():
    class_map = np.array([[1, 255, 0, 2, 1, 0]], np.uint8)
    assert grown(class_map, (2.0, 2.0)).tolist() == [[1, 255, 1, 2, 1, 1]]


def test_a_buffer_below_a_pixel_does_nothing():
    class_map = np.array([[0, 1, 0]], np.uint8)
    assert grown(class_map, (0.9, 0.9)).tolist() == class_map.tolist()


def test_meters_become_pixels_by_direction():
    grid = Grid(100, 100, crs=CRS.from_epsg(32632))
    assert radius_px(grid, 60, (10.0, 20.0)) == (3.0, 6.0)


def test_no_crs_and_too_wide_are_errors():
    grid = Grid(10, 12)
    with pytest.raises(OptionError, match="no CRS"):
        radius_px(grid, 60, None)
    with pytest.raises(OptionError, match="wider than the scene"):
        radius_px(grid, 130, (10.0, 10.0))
