"""Laws of the generated ground: it does not matter how it is cut."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

from clearscene.synth.ground import BLOCK, Ground

TOP, LEFT, SIDE = 300, 400, 500  # crosses the borders of four blocks


@cache
def ground() -> Ground:
    return Ground(21)


@cache
def whole() -> np.ndarray:
    return ground().window(Window(LEFT, TOP, SIDE, SIDE))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, SIDE - 2), st.integers(0, SIDE - 2), st.data())
def test_a_pixel_is_the_same_in_every_window(row, col, data):
    height, width = data.draw(st.integers(1, SIDE - row)), data.draw(st.integers(1, SIDE - col))
    part = ground().window(Window(LEFT + col, TOP + row, width, height))
    assert np.array_equal(part, whole()[:, row : row + height, col : col + width])


def test_a_seed_gives_the_same_ground_again_and_another_seed_another():
    window = Window(700, 900, 90, 70)
    first = ground().window(window)
    assert np.array_equal(Ground(21).window(window), first)
    assert np.mean(Ground(22).window(window) != first) > 0.9


def test_there_is_no_seam_between_blocks():
    """Steps across the border of two blocks are like those beside it."""
    part = whole().astype(int)
    for axis, border in ((1, BLOCK - TOP), (2, BLOCK - LEFT)):
        steps = np.abs(np.diff(part, axis=axis)).mean(axis=tuple({0, 1, 2} - {axis}))
        beside = np.r_[steps[border - 30 : border - 2], steps[border + 2 : border + 30]]
        assert steps[border - 1] < 1.5 * beside.mean()


def test_bands_differ_and_no_pixel_is_black_or_flat():
    part = whole()
    assert all(not np.array_equal(part[a], part[b]) for a, b in ((0, 1), (1, 2), (0, 2)))
    assert part.min() > 0
    flat = np.all(part[:, :, 1:] == part[:, :, :-1], axis=0)
    assert flat.mean() < 0.05


def test_the_plane_has_no_edge():
    far = ground().window(Window(-70_000, -90_000, 40, 30))
    assert far.shape == (3, 30, 40)
    assert far.std() > 1
