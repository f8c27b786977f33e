"""The halo law of the missing rule: a pixel is judged alike in every view that holds its halo."""

import cv2
import numpy as np
import pytest
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


def compressed(view: View, *, is_lossy: bool) -> View:
    """The scene with a large block and a line more, through JPEG."""
    data = view.data.copy()
    data[:, 330:420, 330:470], data[:, 215] = 0, 255
    code = cv2.imencode(".jpg", np.ascontiguousarray(data.transpose(1, 2, 0)), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    data = np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR).transpose(2, 0, 1))
    return View(data, data, view.valid, view.collar, 255.0, is_lossy)


RULE = MissingRule()
VIEWS = {
    "exact": scene(),
    "lossy": compressed(scene(), is_lossy=True),
    "lossy, undeclared": compressed(scene(), is_lossy=False),
}
WHOLE = {name: RULE.detect(view) for name, view in VIEWS.items()}


def part(view: View, window: Window) -> tuple[Evidence, tuple[slice, slice]]:
    """The evidence in the expanded window, and where the window lies in it."""
    outer = expand(window, RULE.halo, height=HEIGHT, width=WIDTH)
    rows, cols = slices(outer)
    arrays: list[NDArray[np.generic]] = [view.data[:, rows, cols], view.valid[rows, cols], view.collar[rows, cols]]
    data, valid, collar = arrays
    evidence = RULE.detect(View(data, data, valid, collar, 255.0, view.is_lossy))  # type: ignore[arg-type]
    inner_rows, inner_cols = slices(window)
    return evidence, (
        slice(inner_rows.start - rows.start, inner_rows.stop - rows.start),
        slice(inner_cols.start - cols.start, inner_cols.stop - cols.start),
    )


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_scene_has_something_to_judge(name: str) -> None:
    assert 10_000 < WHOLE[name].mask.sum() < HEIGHT * WIDTH / 2


@pytest.mark.parametrize("name", list(VIEWS))
@settings(max_examples=20, deadline=None)
@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(1, 260), st.integers(1, 260))
def test_a_pixel_is_judged_alike_in_every_view(name: str, row: int, col: int, height: int, width: int) -> None:
    window = Window(col, row, min(width, WIDTH - col), min(height, HEIGHT - row))
    evidence, core = part(VIEWS[name], window)
    rows, cols = slices(window)
    np.testing.assert_array_equal(evidence.mask[core], WHOLE[name].mask[rows, cols])
    np.testing.assert_array_equal(evidence.confidence[core], WHOLE[name].confidence[rows, cols])
