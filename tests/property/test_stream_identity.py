"""Tile + identity model + blend = scene, whatever the sizes, threads and strips."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.grid import slices
from clearscene.stream import Answer, StreamPlan, stream
from clearscene.tiling import TileGrid, TileSpec

DTYPES = ["uint8", "int16", "uint16", "float32", "float64"]


@st.composite
def cases(draw):
    size = draw(st.integers(1, 19))
    overlap = draw(st.integers(0, size - 1))
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    return height, width, TileSpec(size, overlap), draw(st.sampled_from(DTYPES)), seed


def make_scene(height, width, dtype, seed):
    random = np.random.default_rng(seed)
    scene = (random.random((3, height, width)) * 200 - (0 if dtype.startswith("u") else 100)).astype(dtype)
    valid = random.random((height, width)) > 0.2
    if dtype.startswith("float"):
        scene[:, ~valid] = np.nan  # nodata of a float scene
    return scene, valid


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 3), st.integers(1, 80))
def test_identity_model_gives_the_scene_back(case, workers, strip_width):
    height, width, spec, dtype, seed = case
    scene, valid = make_scene(height, width, dtype, seed)
    grid = TileGrid(height, width, spec)

    def identity(tile):
        rows, cols = slices(tile.window)
        return Answer(scene[:, rows, cols], valid[rows, cols])

    result = np.full((3, height, width), np.nan)
    hits = np.zeros((height, width), int)
    plan = StreamPlan(workers=workers, ahead=4, strip_width=strip_width)
    for piece in stream(grid, identity, fill=(-7, -8, -9), plan=plan):
        rows, cols = slices(piece.window)
        result[:, rows, cols] = piece.values
        hits[rows, cols] += 1
        assert np.array_equal(piece.covered, valid[rows, cols])
        assert piece.values.dtype == np.float32
    assert np.all(hits == 1)
    np.testing.assert_allclose(result[:, valid], scene[:, valid].astype(float), rtol=1e-5, atol=1e-5)
    assert np.all(result[:, ~valid] == np.array([[-7], [-8], [-9]]))
