"""The collar does not depend on how a scene is cut."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import slices
from clearscene.raster.collar import Collar, CollarScan


def scene() -> NDArray[np.uint8]:
    """Ground with a black and a white collar, wedges, noise and a hole."""
    rng = np.random.default_rng(11)
    data = rng.integers(0, 256, (3, 571, 623), np.uint8)
    y, x = np.mgrid[:571, :623]
    data[:, y + 0.7 * x < 230] = 0
    data[:, (y - 0.4 * x > 400) | (x > 560 + 20 * ((y // 70) % 2))] = 255
    data[:, (y + x // 5) % 97 < 9] = 0
    data[:, 300:330, 300:333] = 0
    return data


DATA = scene()
VALID = np.ones(DATA.shape[1:], np.bool_)
VALID[:, :7] = False


def scanned(cuts: list[int]) -> Collar:
    height, width = VALID.shape
    scan = CollarScan(height, width, white=255, tolerance=8)
    edges = [0, *sorted(set(cuts)), height]
    for top, bottom in pairwise(edges):
        scan.add(top, DATA[:, top:bottom], VALID[top:bottom])
    return scan.finish()


WHOLE = scanned([])
MASK = WHOLE.mask(Window(0, 0, VALID.shape[1], VALID.shape[0]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 570), max_size=12))
def test_bands_do_not_matter(cuts: list[int]) -> None:
    assert {part.color for part in WHOLE.parts} == {"black", "white"}
    cut = scanned(cuts)
    np.testing.assert_array_equal(cut.mask(Window(0, 0, VALID.shape[1], VALID.shape[0])), MASK)
    assert cut.record() == WHOLE.record()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 570), st.integers(0, 622), st.integers(1, 300), st.integers(1, 300))
def test_windows_are_cut_outs(row: int, col: int, height: int, width: int) -> None:
    window = Window(col, row, min(width, 623 - col), min(height, 571 - row))
    np.testing.assert_array_equal(WHOLE.mask(window), MASK[slices(window)])
    assert WHOLE.may_touch(window) == MASK[slices(window)].any()
