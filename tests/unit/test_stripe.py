"""The stripe rule on small drawn scenes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.rules.rule import View
from clearscene.rules.stripe import StripeRule
from clearscene.runs import Runs, measure
from clearscene.synth.stripes import Stripe, add_stripes, repeat_stripe

HEIGHT, WIDTH = 150, 181
LINE = Stripe(row=70, col=90, length=120, width=2, offset=30, bands=(0, 1, 2))


def ground(seed: int = 0, amplitude: float = 4.0, n_bands: int = 3) -> NDArray[np.uint8]:
    """A slope with texture, (band, row, col); every band and pixel differs."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    base = 90 + 0.2 * rows + 0.1 * cols + 12 * np.arange(n_bands)[:, None, None]
    return np.clip(base + rng.normal(0, amplitude, base.shape), 1, 254).astype(np.uint8)


def view(data: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> View:
    valid = np.ones(data.shape[1:], np.bool_) if valid is None else valid
    return View(data, data, valid, np.zeros_like(valid), 255.0)


def found(data: NDArray[np.uint8], rule: StripeRule | None = None) -> NDArray[np.bool_]:
    rule = rule or StripeRule()
    evidence = rule.detect(view(data))
    assert evidence.confidence.min() >= 0
    assert evidence.confidence.max() <= 1
    runs = Runs.from_mask(evidence.mask, evidence.confidence)
    if len(runs) == 0:
        return evidence.mask
    labels = runs.label(reach=rule.reach)
    kept = rule.accept(measure(runs, labels))
    return runs.take(kept[labels]).to_mask(Window(0, 0, data.shape[2], data.shape[1]))


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("angle", [0.0, 90.0])
@pytest.mark.parametrize("width", [1, 3, 6])
@pytest.mark.parametrize("offset", [-25.0, 25.0])
def test_axis_parallel_stripes_are_found_to_the_pixel(angle: float, width: int, offset: float) -> None:
    data, truth = add_stripes(ground(), [replace(LINE, angle=angle, width=width, offset=offset)])
    assert iou(found(data), truth) > 0.95


@pytest.mark.parametrize("angle", [45.0, -45.0, 12.0, -30.0, 64.0, -78.0])
def test_slanted_stripes_are_found(angle: float) -> None:
    data, truth = add_stripes(ground(), [replace(LINE, angle=angle, length=100, offset=-35)])
    assert iou(found(data), truth) > 0.85


@pytest.mark.parametrize("band", [0, 1, 2])
def test_a_stripe_in_one_band_is_found(band: int) -> None:
    data, truth = add_stripes(ground(), [replace(LINE, bands=(band,))])
    assert iou(found(data), truth) > 0.9


def test_a_weak_stripe_is_found_where_it_is_long() -> None:
    weak = replace(LINE, offset=5, length=WIDTH)
    data, truth = add_stripes(ground(amplitude=1.5), [weak])
    assert iou(found(data), truth) > 0.8


def test_periodic_stripes_over_the_whole_scene_are_all_found() -> None:
    stripes = repeat_stripe(replace(LINE, row=5, length=400), period=8, count=18)
    data, truth = add_stripes(ground(), stripes)
    assert iou(found(data), truth) > 0.95


def test_a_gray_scene_has_stripes_too() -> None:
    data, truth = add_stripes(ground(n_bands=1), [replace(LINE, bands=(0,))])
    assert iou(found(data), truth) > 0.9


def test_clean_ground_has_none() -> None:
    assert not found(ground(amplitude=15.0)).any()


def test_lines_of_the_ground_are_not_stripes() -> None:
    """A blurred road and a shore, axis-parallel and strong, and a wide dark strip."""
    road = ground().astype(float)
    profile = np.exp(-(((np.arange(HEIGHT) - 60) / 1.6) ** 2))
    road += 60 * profile[:, None]
    shore = ground().astype(float)
    shore[:, 80:] += 50
    strip = ground().astype(float)
    strip[:, 40:52] -= 40
    for scene in (road, shore, strip):
        assert not found(np.clip(scene, 0, 255).astype(np.uint8)).any()


def test_short_marks_are_not_stripes() -> None:
    data, _ = add_stripes(ground(), [replace(LINE, length=16)])
    assert not found(data).any()


def test_nothing_is_found_along_invalid_pixels_or_on_them() -> None:
    data = ground()
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    valid[50:53] = False
    data[:, 50:53] = 0
    assert not StripeRule().detect(view(data, valid)).mask.any()


def test_dead_lines_are_left_to_the_missing_rule() -> None:
    data = ground()
    data[:, 50] = 0
    assert not found(data)[50].any()


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 300), (3, 300, 2), (1, 40, 5), (3, 33, 97)])
def test_tiny_views(shape: tuple[int, int, int]) -> None:
    data = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    assert StripeRule().detect(view(data)).mask.shape == shape[1:]


def test_paper_mode_fills_the_box_of_bright_elongated_components() -> None:
    data = np.full((3, 40, 90), 50, np.uint8)
    data[0, 10:12, 5:65] = 200  # 60 x 2: aspect 30
    data[0, 12, 64] = 200  # one pixel below: the box becomes 60 x 3
    data[1, 20:30, 10:40] = 200  # 30 x 10: aspect 3
    data[2, 35, 5:60] = 0  # dark: in another component of the bright side
    expected = np.zeros((40, 90), np.bool_)
    expected[10:13, 5:65] = True
    mask = StripeRule(mode="paper", saturate=False).detect(view(data)).mask
    np.testing.assert_array_equal(mask, expected)


def test_paper_mode_with_saturation_sees_a_faint_color() -> None:
    data = np.full((3, 40, 90), 100, np.uint8)
    data[0, ::2] = 104
    data[2, 10:12, 5:65] = 90
    plain, boosted = (StripeRule(mode="paper", saturate=s).detect(view(data)).mask for s in (False, True))
    assert not np.array_equal(plain, boosted)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(OptionError, match="does not exist"):
        StripeRule(mode="best")  # type: ignore[arg-type]


def test_parameters_name_everything_in_use() -> None:
    names = StripeRule().parameters()
    assert {"mode", "min_length", "min_confidence", "straight_32_min_offset", "slanted_max_width"} <= set(names)
    assert StripeRule(mode="paper").parameters() == {"mode": "paper", "saturate": "true"}
