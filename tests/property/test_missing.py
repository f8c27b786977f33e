"""The halo law of the missing rule: a pixel is judged alike in every view that holds its halo."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import expand, slices
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import Evidence, View

HEIGHT, WIDTH = 431, 517


def scene() -> View:
    """Points, blocks, clipped regions, lost bands, nodata and a collar."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    data = np.clip(120 + 130 * np.sin(x / 17)[None] * np.cos(y / 23) + rng.normal(0, 25, (3, HEIGHT, WIDTH)), 0, 255)
    data = data.astype(np.uint8)
    data[:, rng.integers(0, HEIGHT, 300), rng.integers(0, WIDTH, 300)] = 0
    data[:, 60:200, 90:310] = 255
    data[1, 250:300, 100:400] = 0
    data[2, 350] = 255
    data[:, (y + x // 4) % 110 < 9] = 0
    valid, collar = np.ones((HEIGHT, WIDTH), np.bool_), x > 480
    valid[300:340, 20:80] = False
    return View(data, data, valid & ~collar, collar, 255.0)


VIEW = scene()
RULE = MissingRule()
WHOLE = RULE.detect(VIEW)


def part(window: Window) -> tuple[Evidence, tuple[slice, slice]]:
    """The evidence in the expanded window, and where the window lies in it."""
    outer = expand(window, RULE.halo, height=HEIGHT, width=WIDTH)
    rows, cols = slices(outer)
    arrays: list[NDArray[np.generic]] = [VIEW.data[:, rows, cols], VIEW.valid[rows, cols], VIEW.collar[rows, cols]]
    data, valid, collar = arrays
    evidence = RULE.detect(View(data, data, valid, collar, 255.0))  # type: ignore[arg-type]
    inner_rows, inner_cols = slices(window)
    return evidence, (
        slice(inner_rows.start - rows.start, inner_rows.stop - rows.start),
        slice(inner_cols.start - cols.start, inner_cols.stop - cols.start),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(1, 260), st.integers(1, 260))
def test_a_pixel_is_judged_alike_in_every_view(row: int, col: int, height: int, width: int) -> None:
    window = Window(col, row, min(width, WIDTH - col), min(height, HEIGHT - row))
    evidence, core = part(window)
    rows, cols = slices(window)
    np.testing.assert_array_equal(evidence.mask[core], WHOLE.mask[rows, cols])
    np.testing.assert_array_equal(evidence.confidence[core], WHOLE.confidence[rows, cols])
