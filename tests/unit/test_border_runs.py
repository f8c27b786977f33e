"""Depths along a border as runs, against the mask drawn pixel by pixel."""

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.raster import border_runs


@pytest.mark.parametrize("seed", range(5))
def test_depths_become_the_pixels_they_count(seed: int) -> None:
    height, width = 23, 31
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width]
    side, cap = (rng.integers(0, n + 1, m).astype(np.int32) for n, m in ((width, height), (height, width)))
    whole = Window(0, 0, width, height)
    expected = {
        "left": (border_runs.from_left(side), cols < side[:, None]),
        "right": (border_runs.from_right(side, width), cols >= width - side[:, None]),
        "top": (border_runs.from_top(cap), rows < cap),
        "bottom": (border_runs.from_bottom(cap, height), rows >= height - cap),
    }
    for name, (runs, mask) in expected.items():
        np.testing.assert_array_equal(runs.to_mask(whole), mask, err_msg=name)
        assert runs.area == mask.sum()
