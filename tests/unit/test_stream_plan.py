"""The memory plan, and what happens when something breaks in the middle of a stream."""

import threading

import numpy as np
import pytest

from clearscene.errors import OptionError
from clearscene.stream import Answer, StreamPlan, plan_stream, stream
from clearscene.tiling import TileGrid, TileSpec

SPECS = (TileSpec(512), TileSpec(2048, reduction=4))


def test_a_wide_scene_is_cut_and_a_narrow_one_is_not():
    wide = plan_stream(60_000, SPECS, n_classes=7, memory_limit=1_900_000_000)
    assert 2048 <= wide.strip_width < 60_000
    assert wide.memory_bytes <= 1_200_000_000
    narrow = plan_stream(5_000, SPECS, n_classes=7, memory_limit=1_900_000_000)
    assert narrow.strip_width == 5_000
    assert narrow.memory_bytes < wide.memory_bytes


def test_more_memory_never_makes_strips_narrower():
    widths = [plan_stream(60_000, SPECS, n_classes=7, memory_limit=mb * 10**6).strip_width for mb in (1500, 2000, 4000)]
    assert widths == sorted(widths)


def test_fewer_workers_are_taken_before_the_limit_is_refused():
    many = plan_stream(60_000, SPECS, n_classes=7, workers=16, memory_limit=2_000_000_000)
    assert 1 <= many.workers < 16
    assert many.ahead == 2 * many.workers


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(OptionError, match=r"--memory-limit 100 MB is too small for tiles of 512 px") as caught:
        plan_stream(60_000, SPECS, n_classes=7, memory_limit=100_000_000)
    advised = int(caught.value.hint.removeprefix("Use --memory-limit ").removesuffix("."))
    assert plan_stream(60_000, SPECS, n_classes=7, memory_limit=advised * 10**6).workers == 1
    with pytest.raises(OptionError):
        plan_stream(60_000, SPECS, n_classes=7, memory_limit=(advised - 1) * 10**6)


def test_the_strip_term_is_at_least_what_the_blender_allocates():
    """Oracle: the arrays that a strip really holds, counted from numpy."""
    from clearscene.blend import BandBlender

    plan = plan_stream(40_000, SPECS[:1], n_classes=7, memory_limit=1_600_000_000)
    grid = TileGrid(2_000, 40_000, SPECS[0])
    (start, stop), *_ = grid.strips(plan.strip_width)
    blender = BandBlender(grid, [0.0] * 7, start=start, stop=stop)
    held = blender._sums.nbytes + blender._weights.nbytes
    assert held <= plan.memory_bytes


def answer_zero(tile):
    return Answer(np.zeros((1, tile.height, tile.width), np.float32))


def test_an_error_in_a_worker_surfaces_and_stops_the_threads():
    grid = TileGrid(400, 300, TileSpec(40, 8))

    def infer(tile):
        if tile.band == 3:
            raise ValueError("tile of band 3 is broken")
        return answer_zero(tile)

    before = threading.active_count()
    rows = []
    with pytest.raises(ValueError, match="band 3"):
        rows.extend(piece.window.row_off for piece in stream(grid, infer, fill=[0.0]))
    assert rows
    assert max(rows) < grid.rows[3]
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_a_consumer_that_stops_leaves_no_thread(kind):
    grid = TileGrid(400, 300, TileSpec(40, 8))
    seen, before = [], threading.active_count()

    def infer(tile):
        seen.append(tile)
        return answer_zero(tile)

    def consume():
        for _ in stream(grid, infer, fill=[0.0], plan=StreamPlan(workers=3, ahead=5)):
            raise kind

    with pytest.raises(kind):
        consume()
    assert threading.active_count() == before
    assert len(seen) < len(grid)


def test_a_reduced_grid_streams_in_its_own_pixels():
    grid = TileGrid(203, 150, TileSpec(64, 16, 4))
    values = np.arange(50 * 37, dtype=np.float32).reshape(1, 50, 37)

    def infer(tile):
        return Answer(values[:, tile.row : tile.row + tile.height, tile.col : tile.col + tile.width])

    result = np.zeros((1, 50, 37), np.float32)
    for p in stream(grid, infer, fill=[0.0], plan=StreamPlan(strip_width=60)):
        w = p.window
        result[:, w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] = p.values
    np.testing.assert_allclose(result, values, rtol=1e-5)
