"""Where tiles lie."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.errors import TileSpecError
from clearscene.grid import slices
from clearscene.tiling import TileGrid, TileSpec, default_overlap


@pytest.mark.parametrize(
    ("tile_size", "reduction", "overlap"),
    [(512, 1, 104), (2048, 4, 408), (1000, 1, 200), (256, 1, 48), (16, 1, 0), (1024, 16, 208), (1, 1, 0)],
)
def test_default_overlap(tile_size, reduction, overlap):
    assert default_overlap(tile_size, reduction) == overlap
    assert TileSpec(tile_size, reduction=reduction).overlap == overlap


def test_a_reduced_tile_is_as_large_as_the_network_input():
    spec = TileSpec(2048, reduction=4)
    assert (spec.size, spec.grid_overlap, spec.stride) == (512, 102, 410)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((512, 512), r"overlap 512 px is not smaller than tile_size 512 px, or negative. Use overlap <= 256."),
        ((512, -8), r"overlap -8 px is not smaller"),
        ((0, 0), r"tile_size 0 px and reduction 1 must be at least 1"),
        ((510, 0, 4), r"must be multiples of the reduction 4. Use tile_size 512."),
        ((512, 102, 4), r"overlap 102 px must be multiples"),
    ],
)
def test_what_cannot_work_says_so(values, message):
    with pytest.raises(TileSpecError, match=message):
        TileSpec(*values)


def test_a_scene_without_pixels():
    with pytest.raises(TileSpecError, match="0 x 5 px"):
        TileGrid(5, 0)


def test_the_last_tile_is_shifted_inward():
    grid = TileGrid(1000, 700, TileSpec(512, 104))
    assert grid.rows == (0, 408, 488)
    assert grid.cols == (0, 188)
    assert len(grid) == 6


def test_a_small_scene_has_one_tile_of_its_own_size():
    (tile,) = TileGrid(3, 700, TileSpec(1024, 200)).tiles()
    assert (tile.height, tile.width) == (3, 700)
    assert slices(tile.window) == (slice(0, 3), slice(0, 700))


def test_reduced_windows_are_whole_multiples():
    """Each tile is read at exactly the reduction; the last 1 to 3 px stay for the last grid row."""
    grid = TileGrid(1003, 801, TileSpec(256, 64, 4))
    assert (grid.height, grid.width) == (250, 200)
    for tile in grid.tiles():
        assert (tile.window.height, tile.window.width) == (4 * tile.height, 4 * tile.width)
        assert (tile.window.row_off, tile.window.col_off) == (4 * tile.row, 4 * tile.col)


sizes = st.integers(1, 90)


@st.composite
def grids(draw):
    reduction = draw(st.sampled_from([1, 1, 2, 4]))
    size = draw(st.integers(1, 24))
    spec = TileSpec(size * reduction, draw(st.integers(0, size * 3 // 4)) * reduction if size > 1 else 0, reduction)
    return TileGrid(draw(sizes), draw(sizes), spec)


@settings(deadline=None, max_examples=60)
@given(grids())
def test_tiles_cover_every_pixel_and_stay_inside(grid):
    hits = np.zeros((grid.height, grid.width), int)
    order = []
    for tile in grid.tiles():
        assert tile.row + tile.height <= grid.height
        assert tile.col + tile.width <= grid.width
        assert (tile.height, tile.width) == (grid.tile_height, grid.tile_width)
        assert grid.rows[tile.band] == tile.row
        hits[tile.row : tile.row + tile.height, tile.col : tile.col + tile.width] += 1
        order.append((tile.band, tile.col))
        bottom, right = (s.stop for s in slices(tile.window))
        assert bottom <= grid.scene_height
        assert right <= grid.scene_width
    assert hits.min() >= 1
    assert order == sorted(order)
    assert len(order) == len(grid)


@settings(deadline=None, max_examples=60)
@given(grids(), st.integers(1, 300))
def test_strips_partition_the_columns(grid, max_width):
    strips = grid.strips(max_width)
    assert strips[0][0] == 0
    assert strips[-1][1] == grid.scene_width
    assert all(a[1] == b[0] for a, b in pairwise(strips))
    assert all(stop > start for start, stop in strips)
    if max_width >= grid.scene_width:
        assert len(strips) == 1
    else:
        widest = max(stop - start for start, stop in strips)
        assert widest <= max(max_width, 2 * grid.spec.tile_size + grid.spec.reduction)


@settings(deadline=None, max_examples=60)
@given(grids(), st.data())
def test_the_tiles_of_a_strip_are_those_that_touch_it(grid, data):
    start = data.draw(st.integers(0, grid.width - 1))
    stop = data.draw(st.integers(start + 1, grid.width))
    found = {(t.band, t.col) for t in grid.tiles(start, stop)}
    expected = {(t.band, t.col) for t in grid.tiles() if t.col < stop and t.col + t.width > start}
    assert found == expected
