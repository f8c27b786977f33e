"""Tapers and the band blender, on numbers small enough to compute by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.blend import BandBlender, join_intervals, ramp, taper
from clearscene.tiling import TileGrid, TileSpec


@given(st.integers(1, 600), st.integers(0, 599))
def test_ramps_are_symmetric_and_never_vanish(length, overlap):
    weights = ramp(length, overlap)
    assert weights.dtype == np.float32
    assert np.array_equal(weights, weights[::-1])
    assert weights.min() >= np.float32(1 / (overlap + 1))
    assert weights.max() <= 1
    assert taper(length, length, overlap).min() > 0


def test_two_ramps_add_up_to_one_where_they_meet():
    weights = ramp(12, 5)
    np.testing.assert_allclose(weights[-5:] + weights[:5], 1, atol=1e-6)
    assert np.all(weights[5:-5] == 1)


def two_tiles():
    """Two tiles of 6 x 6 that share 2 columns: columns 0-5 and 4-9."""
    grid = TileGrid(6, 10, TileSpec(6, 2))
    return grid, list(grid.tiles())


def test_the_blend_by_hand():
    grid, (left, right) = two_tiles()
    blender = BandBlender(grid, [0.0])
    blender.add(left, np.full((1, 6, 6), 3.0))
    blender.add(right, np.full((1, 6, 6), 9.0))
    values, covered = blender.read((0, 6), (0, 10))
    assert covered.all()
    # weights 2/3 and 1/3, then 1/3 and 2/3
    np.testing.assert_allclose(values[0], np.tile([3, 3, 3, 3, 5, 7, 9, 9, 9, 9], (6, 1)), rtol=1e-6)


def test_a_skipped_tile_does_not_count():
    """Where a skipped and a segmented tile overlap, the segmented one stands undiminished."""
    grid, (left, _) = two_tiles()
    blender = BandBlender(grid, [0.5])
    blender.add(left, np.full((1, 6, 6), 3.0))
    values, covered = blender.read((0, 6), (0, 10))
    np.testing.assert_allclose(values[0, 0], [3] * 6 + [0.5] * 4, rtol=1e-6)
    assert covered[0].tolist() == [True] * 6 + [False] * 4
    assert blender.touched(0, 6) == [(0, 6)]


def test_invalid_pixels_do_not_count_even_if_they_are_nan():
    grid, (left, right) = two_tiles()
    valid = np.ones((6, 6), bool)
    valid[2, 5] = valid[3, 0] = False
    values = np.full((1, 6, 6), 3.0)
    values[0, 2, 5] = np.nan
    values[0, 3, 0] = np.inf
    blender = BandBlender(grid, [-1.0])
    blender.add(left, values, valid)
    blender.add(right, np.full((1, 6, 6), 9.0))
    result, covered = blender.read((0, 6), (0, 10))
    assert result[0, 2, 5] == 9
    assert result[0, 3, 0] == -1
    assert not covered[3, 0]
    assert covered.sum() == 59


@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_the_order_of_tiles_in_a_band_is_irrelevant(shuffler, seed):
    grid = TileGrid(9, 40, TileSpec(9, 6))
    random = np.random.default_rng(seed)
    answers = [(tile, random.random((2, 9, 9), np.float32)) for tile in grid.tiles()]
    results = []
    for _ in range(2):
        blender = BandBlender(grid, [0.0, 0.0])
        for tile, values in answers:
            blender.add(tile, values)
        results.append(blender.read((0, 9), (0, 40))[0])
        shuffler.shuffle(answers)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


def test_memory_is_one_row_of_tiles_and_rows_must_be_dropped():
    grid = TileGrid(1000, 100, TileSpec(40, 8))
    blender = BandBlender(grid, [0.0] * 7)
    assert blender.capacity == 40
    tiles = list(grid.tiles())
    first, below = tiles[0], next(t for t in tiles if t.band == 1)
    blender.add(first, np.ones((7, 40, 40)))
    with pytest.raises(AssertionError, match="not dropped"):
        blender.add(below, np.ones((7, 40, 40)))
    blender.drop(32)
    blender.add(below, np.ones((7, 40, 40)))
    with pytest.raises(AssertionError, match="dropped already"):
        blender.add(first, np.ones((7, 40, 40)))


def test_rows_that_were_dropped_leave_nothing_behind():
    grid = TileGrid(100, 10, TileSpec(10, 4))
    blender = BandBlender(grid, [5.0])
    tile = next(grid.tiles())
    blender.add(tile, np.ones((1, 10, 10)))
    blender.drop(6)
    values, covered = blender.read((6, 16), (0, 10))
    assert covered[:4].all()
    assert not covered[4:].any()
    assert np.all(values[0, 4:] == 5)
    blender.drop(60)  # past everything that is held
    assert not blender.read((60, 70), (0, 10))[1].any()
    assert blender.touched(60, 70) == []


def test_join_intervals():
    assert join_intervals([]) == []
    assert join_intervals([(0, 3), (2, 5), (5, 6), (8, 9)]) == [(0, 6), (8, 9)]
    assert join_intervals([(0, 10), (2, 3)]) == [(0, 10)]
