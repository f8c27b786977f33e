"""The law of `Rule.detect`: a pixel gets the same answer in every view that holds its halo."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import expand, slices
from clearscene.rules import stripe
from clearscene.rules.rule import Evidence, View
from clearscene.rules.stripe import StripeRule
from clearscene.synth.stripes import add_stripes, random_stripes

HEIGHT, WIDTH = 330, 410
RULE = StripeRule()


def scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Textured ground with stripes of every kind and a hole of nodata."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 14, (3, HEIGHT // 10, WIDTH // 10))
    smooth = np.kron(coarse, np.ones((1, 10, 10)))
    data = np.clip(120 + smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
    for diagonal in (0.0, 1.0):
        stripes = random_stripes(HEIGHT, WIDTH, n_bands=3, rng=rng, diagonal=diagonal)
        data, _ = add_stripes(data, stripes)
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    valid[40:60, 100:170] = False
    return data, valid


def detect(data: NDArray[np.uint8], valid: NDArray[np.bool_], window: Window) -> Evidence:
    rows, cols = slices(window)
    part = data[:, rows, cols]
    return RULE.detect(View(part, part, valid[rows, cols], np.zeros_like(valid[rows, cols]), 255.0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.data())
def test_any_cut_gives_the_answer_of_the_whole(seed: int, draw: st.DataObject) -> None:
    data, valid = scene(seed)
    whole = detect(data, valid, Window(0, 0, WIDTH, HEIGHT))
    top, left = draw.draw(st.integers(0, HEIGHT - 1)), draw.draw(st.integers(0, WIDTH - 1))
    height, width = draw.draw(st.integers(1, HEIGHT - top)), draw.draw(st.integers(1, WIDTH - left))
    window = Window(left, top, width, height)
    outer = expand(window, RULE.halo, height=HEIGHT, width=WIDTH)
    cut = detect(data, valid, outer)
    inside = (
        slice(top - outer.row_off, top - outer.row_off + height),
        slice(left - outer.col_off, left - outer.col_off + width),
    )
    rows, cols = slices(window)
    np.testing.assert_array_equal(cut.mask[inside], whole.mask[rows, cols])
    on = cut.mask[inside]
    np.testing.assert_array_equal(cut.confidence[inside][on], whole.confidence[rows, cols][on])


def test_the_scenes_of_this_test_hold_stripes() -> None:
    assert all(detect(*scene(seed), Window(0, 0, WIDTH, HEIGHT)).mask.sum() > 100 for seed in range(6))


def test_strips_inside_the_rule_change_nothing(monkeypatch: "object") -> None:
    data, valid = scene(1)
    before = detect(data, valid, Window(0, 0, WIDTH, HEIGHT))
    strip = stripe.STRIP
    try:
        stripe.STRIP = 47
        after = detect(data, valid, Window(0, 0, WIDTH, HEIGHT))
    finally:
        stripe.STRIP = strip
    np.testing.assert_array_equal(before.mask, after.mask)
    np.testing.assert_array_equal(before.confidence, after.confidence)
