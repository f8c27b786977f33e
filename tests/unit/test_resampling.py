"""Footprint means and lines between centers."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from clearscene.errors import OptionError, SceneError
from clearscene.grid import IMAGE_TRANSFORM, Grid
from clearscene.raster.sensors.placing import axes_in, grid_at, pixel_size_m
from clearscene.raster.sensors.resampling import Axis, average, footprint_taps, line_taps, weigh

UTM = CRS.from_epsg(32632)
GRID = Grid(103, 211, Affine(10, 0, 600_000, 0, -10, 5_000_000), UTM)


def test_footprints_weigh_by_overlap():
    taps = footprint_taps(Axis(1.5, 0.5, 9), 1, 3)
    assert (taps.first, taps.stop) == (2, 5)
    np.testing.assert_allclose(taps.weight, np.array([[2, 1], [1, 2]]) / 3, atol=1e-6)
    np.testing.assert_array_equal(taps.index, [[0, 1], [1, 2]])


def test_whole_footprints_are_means():
    values = np.arange(6 * 9, dtype=np.float32).reshape(1, 6, 9) ** 1.5
    mean = weigh(values, footprint_taps(Axis(2.0, 0, 6), 0, 3), footprint_taps(Axis(3.0, 0, 9), 0, 3))
    np.testing.assert_allclose(mean[0], values.reshape(3, 2, 3, 3).mean(axis=(1, 3)), rtol=1e-6)


def test_a_footprint_past_the_end_takes_what_is_inside():
    taps = footprint_taps(Axis(4.0, 0.0, 6), 0, 2)
    row = weigh(np.arange(6, dtype=np.float32)[None], footprint_taps(Axis(1.0, 0, 1), 0, 1), taps)
    np.testing.assert_allclose(row, [[1.5, 4.5]])


def test_lines_keep_a_ramp():
    taps = line_taps(Axis(1 / 3, 0.0, 10), 2, 27)
    values = np.arange(10, dtype=np.float32)[None]
    row = weigh(values, footprint_taps(Axis(1.0, 0, 1), 0, 1), taps)[0]
    np.testing.assert_allclose(row, (np.arange(2, 27) + 0.5) / 3 - 0.5, atol=1e-5)


def test_what_is_not_valid_has_no_influence_and_half_is_enough():
    data = np.array([[[5, 999, 7, 9, 999, 999, 999, 4]]], np.uint16)
    valid = np.array([[True, False, True, True, False, False, False, False]])
    values, kept = average(data, valid, footprint_taps(Axis(1.0, 0, 1), 0, 1), footprint_taps(Axis(2.0, 0, 8), 0, 4))
    np.testing.assert_array_equal(kept, [[True, True, False, False]])
    np.testing.assert_array_equal(values, [[[5, 8, 0, 0]]])


def test_the_grid_at_a_resolution_covers_the_scene_from_the_same_corner():
    coarse = grid_at(GRID, 30, "scene")
    assert (coarse.height, coarse.width) == (35, 71)
    assert tuple(coarse.transform)[:6] == (30, 0, 600_000, 0, -30, 5_000_000)
    assert grid_at(GRID, None, "scene") is GRID
    assert grid_at(GRID, 10, "scene") == GRID


def test_degrees_are_measured_on_the_ground():
    grid = Grid(90, 60, Affine(0.001, 0, 7.0, 0, -0.001, 60.045), CRS.from_epsg(4326))
    across, down = pixel_size_m(grid)
    assert (across, down) == (pytest.approx(55.8, abs=0.1), pytest.approx(111.4, abs=0.1))
    coarse = grid_at(grid, 223, "scene")
    assert (coarse.height, coarse.width) == (45, 16)


def test_feet_are_feet():
    grid = Grid(90, 60, Affine(30, 0, 7e5, 0, -30, 6e5), CRS.from_epsg(2263))
    assert pixel_size_m(grid)[0] == pytest.approx(30 * 0.3048, rel=1e-5)


@pytest.mark.parametrize(
    ("grid", "resolution", "message"),
    [
        (GRID, 5, "finer than the pixels of scene, 10 m"),
        (GRID, -3, "no length"),
        (GRID, float("nan"), "no length"),
        (Grid(5, 7, IMAGE_TRANSFORM), 20, "no CRS"),
    ],
)
def test_resolutions_that_cannot_be(grid, resolution, message):
    with pytest.raises(OptionError, match=message):
        grid_at(grid, resolution, "scene")


def test_where_a_grid_lies_in_a_file():
    rows, cols = axes_in(Grid(52, 106, Affine(20, 0, 600_000, 0, -20, 5_000_000), UTM), GRID, "swir")
    assert rows == Axis(0.5, 0, 52)
    assert cols == Axis(0.5, 0, 106)
    assert axes_in(GRID, GRID, "red") == (Axis(1.0, 0.0, 103), Axis(1.0, 0.0, 211))
    assert Axis(1.0, 0.0, 103).is_plain
    assert not Axis(1.0, 0.5, 103).is_plain


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (Grid(103, 211, GRID.transform, CRS.from_epsg(32633)), "has the CRS EPSG:32633"),
        (Grid(103, 211, GRID.transform * Affine.rotation(3), UTM), "turned"),
        (Grid(103, 211, Affine(10, 0, 600_000, 0, 10, 4_998_970), UTM), "turned or flipped"),
        (Grid(103, 150, GRID.transform, UTM), "covers other ground"),
        (Grid(103, 211, GRID.transform * Affine.translation(40, 0), UTM), "covers other ground"),
    ],
)
def test_files_that_do_not_fit(file, message):
    with pytest.raises(SceneError, match=message):
        axes_in(file, GRID, "red.tif")
