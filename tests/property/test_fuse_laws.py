"""Laws of fusing: what no method may do, whatever the images hold."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage, optimize
from scipy.spatial import distance

from clearscene.fusion.methods.choose import METHOD_NAMES, METHODS
from clearscene.fusion.methods.learned import weight_of
from clearscene.fusion.outputs import encoded
from clearscene.fusion.tone import fit_line
from clearscene.fusion.weights import distance_px, feathered, good_pixels, quality_weight

SYMMETRIC = [name for name in METHOD_NAMES if name not in ("first", "medoid")]
"""`first` is of the order; ties of the medoid are: of two images always, of one band and an even number too."""
few = settings(deadline=None, max_examples=25)


@st.composite
def stacks(draw, *, most=6):
    """Images (image, band, row, col) and weights (image, row, col), some of them 0, no two values alike."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    n, bands, height, width = (draw(st.integers(1, most)), *(draw(st.integers(1, 4)) for _ in range(3)))
    level = draw(st.sampled_from([0.0, 0.3, 200.0, 12_000.0]))
    stack = (level + rng.normal(0, max(1.0, level / 10), (n, bands, height, width))).astype(np.float32)
    weight = rng.uniform(0.05, 1, (n, height, width)).astype(np.float32)
    weight[rng.random(weight.shape) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = 0
    return stack, weight


@pytest.mark.parametrize("name", METHOD_NAMES)
@few
@given(stacks(), st.sampled_from([0.05, 1.0, 8.0]))
def test_values_lie_within_the_good_images_and_nothing_is_invented(name, drawn, temperature):
    stack, weight = drawn
    composite, share = METHODS[name](stack, weight, temperature=temperature)
    good = weight > 0
    has_data = good.any(axis=0)
    assert np.array_equal(np.isfinite(composite), np.broadcast_to(has_data, composite.shape))
    low = np.where(good[:, None], stack, np.inf).min(axis=0)
    high = np.where(good[:, None], stack, -np.inf).max(axis=0)
    assert (composite >= low)[:, has_data].all()
    assert (composite <= high)[:, has_data].all()
    assert composite.dtype == np.float32
    assert share.shape == weight.shape
    assert (share[~good] == 0).all()
    assert share.min() >= 0
    np.testing.assert_allclose(share.sum(axis=0), has_data, atol=1e-5)


@pytest.mark.parametrize("name", SYMMETRIC)
@few
@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_images_changes_nothing(name, drawn, random):
    stack, weight = drawn
    order = list(range(len(stack)))
    random.shuffle(order)
    composite, share = METHODS[name](stack, weight, temperature=0.7)
    other, other_share = METHODS[name](stack[order], weight[order], temperature=0.7)
    np.testing.assert_allclose(other, composite, rtol=2e-5, atol=2e-4)
    np.testing.assert_allclose(other_share, share[order], atol=2e-3)


@pytest.mark.parametrize("name", METHOD_NAMES)
@few
@given(stacks(most=1))
def test_one_image_gives_itself(name, drawn):
    stack, weight = drawn
    composite, _ = METHODS[name](stack, weight, temperature=1.0)
    assert np.array_equal(composite, np.where(weight[0] > 0, stack[0], np.nan), equal_nan=True)


@pytest.mark.parametrize("name", [name for name in METHOD_NAMES if name != "medoid"])
@few
@given(stacks(), st.sampled_from([-512.0, 64.0, 1024.0]))
def test_a_constant_added_to_all_is_added_to_the_result(name, drawn, constant):
    stack, weight = drawn
    stack = np.rint(stack * 4).astype(np.float32)  # sums of whole numbers are exact
    composite, _ = METHODS[name](stack, weight, temperature=1.0)
    other, _ = METHODS[name](stack + np.float32(constant), weight, temperature=1.0)
    np.testing.assert_allclose(other, composite + constant, rtol=2e-5, atol=0.2)


def test_the_geomedian_of_images_that_are_alike_but_for_rounding_is_theirs():
    """Distances of next to nothing overflowed in the second derivatives."""
    weight = np.array([0.7311443, 0.14809223, 0.41445932], np.float32).reshape(3, 1, 1)
    for value in (-508.0, -511.0, 1023.0, 0.3):
        stack = np.full((3, 1, 1, 1), value, np.float32)
        for step in (0.0, 1e-20, 1e-30):
            stack[1] = np.float32(value + step)
            composite, _ = METHODS["geomedian"](stack, weight, temperature=1.0)
            np.testing.assert_allclose(composite, value, rtol=1e-6)


@few
@given(stacks(), st.sampled_from([0.0, 1024.0]), st.randoms(use_true_random=False))
def test_the_medoid_is_the_image_nearest_to_all_others(drawn, constant, random):
    stack, weight = drawn
    order = list(range(len(stack)))
    random.shuffle(order)
    share = METHODS["medoid"](stack[order] + np.float32(constant), weight[order], temperature=1.0)[1]
    for row, col in np.argwhere((weight > 0).any(axis=0)):
        good = np.flatnonzero(weight[:, row, col] > 0)
        sums = distance.cdist(stack[good, :, row, col], stack[good, :, row, col]).sum(axis=1)
        taken = order[int(share[:, row, col].argmax())]
        assert sums[list(good).index(taken)] <= sums.min() * (1 + 1e-4) + 1e-3


@few
@given(stacks())
def test_the_median_is_that_of_numpy(drawn):
    stack, weight = drawn
    composite, _ = METHODS["median"](stack, weight, temperature=1.0)
    masked = np.ma.MaskedArray(stack, np.broadcast_to(weight[:, None] == 0, stack.shape))
    np.testing.assert_allclose(composite, np.ma.median(masked, axis=0).filled(np.nan), rtol=1e-5, atol=1e-5)


@few
@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([np.float32, np.float64]))
def test_the_median_of_many_images_with_ties_is_that_of_numpy_to_the_last_bit(seed, number, dtype):
    """Whole numbers: the middle of two is exact, so there is one right answer."""
    rng = np.random.default_rng(seed)
    stack = rng.integers(-9, 9, (number, 2, 7, 11)).astype(dtype)
    weight = (rng.random((number, 7, 11)) < rng.choice([0.1, 0.5, 1.0])).astype(dtype)
    composite, share = METHODS["median"](stack, weight, temperature=1.0)
    seen = np.where(weight[:, None] > 0, stack, np.nan)
    has_data = (weight > 0).any(axis=0)
    assert np.array_equal(composite[:, has_data], np.nanmedian(seen[..., has_data], axis=0))
    assert np.isnan(composite[:, ~has_data]).all()
    assert composite.dtype == share.dtype == dtype


@pytest.mark.parametrize("number", range(1, 13))
def test_the_median_orders_every_pattern_of_small_and_large(number):
    """What orders all patterns of 0 and 1 by pairs that do not depend on them orders everything."""
    patterns = (np.arange(2**number) >> np.arange(number)[:, None]) & 1
    stack = patterns.astype(np.float32)[:, None, None]
    composite, _ = METHODS["median"](stack, np.ones_like(stack[:, 0]), temperature=1.0)
    assert np.array_equal(composite[0, 0], np.median(patterns, axis=0))


def test_the_median_of_a_large_window_is_that_of_its_parts():
    rng = np.random.default_rng(5)
    stack = rng.normal(100, 10, (5, 3, 400, 300)).astype(np.float32)
    weight = (rng.random((5, 400, 300)) < 0.7).astype(np.float32)
    whole = METHODS["median"](stack, weight, temperature=1.0)
    for rows in (slice(0, 111), slice(111, 400)):
        parts = METHODS["median"](stack[:, :, rows], weight[:, rows], temperature=1.0)
        for one, other in zip(parts, whole, strict=True):
            assert np.array_equal(one, other[:, rows], equal_nan=True)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**31), st.integers(3, 7), st.integers(2, 4))
@example(195, 4, 2)  # smallest at one of the points
@example(54, 4, 2)  # smallest close to one
def test_the_geometric_median_has_the_smallest_sum_of_distances(seed, number, bands):
    points = np.random.default_rng(seed).normal(100, 10, (number, bands)).astype(np.float32)
    found, _ = METHODS["geomedian"](points[:, :, None, None], np.ones((number, 1, 1), np.float32), temperature=1.0)

    def cost(point):
        return np.linalg.norm(points - point, axis=1).sum()

    best = min(
        (optimize.minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun)
        for start in (points.mean(axis=0), *points[:2])
    )
    assert cost(found[:, 0, 0]) <= min(best, *map(cost, points)) * (1 + 1e-3)


@pytest.mark.parametrize(("n_clear", "n_cloudy"), [(4, 4), (3, 3), (5, 4)])
def test_the_geometric_median_is_found_where_half_of_the_images_are_cloudy(n_clear, n_cloudy):
    """The sum is then nearly flat from the ground to the clouds; steps that get small there are no sign of an end."""
    rng = np.random.default_rng(n_clear)
    clear = rng.normal(0.1, 0.02, (n_clear, 4, 20, 1))
    cloudy = rng.normal(0.6, 0.15, (n_cloudy, 1, 20, 1)) + rng.normal(0, 0.02, (n_cloudy, 4, 20, 1))
    stack = np.concatenate([clear, cloudy]).astype(np.float32)
    found, _ = METHODS["geomedian"](stack, np.ones((len(stack), 20, 1), np.float32), temperature=1.0)
    for row in range(20):
        points = stack[:, :, row, 0].astype(float)

        def cost(point, points=points):
            return np.linalg.norm(points - point, axis=1).sum()

        options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "maxfev": 8000}
        best = min(
            (
                optimize.minimize(cost, s, method="Nelder-Mead", options=options)
                for s in (found[:, row, 0], *points[:1])
            ),
            key=lambda one: one.fun,
        )
        assert cost(found[:, row, 0]) <= best.fun * (1 + 1e-5)
        np.testing.assert_allclose(found[:, row, 0], best.x, atol=2e-3)


def test_of_two_images_the_geometric_median_is_the_weighted_mean():
    stack = np.array([[1.0, 2.0], [3.0, 8.0]], np.float32).reshape(2, 2, 1, 1)
    weight = np.array([0.25, 0.75], np.float32).reshape(2, 1, 1)
    found, share = METHODS["geomedian"](stack, weight, temperature=1.0)
    np.testing.assert_allclose(found.ravel(), [2.5, 6.5], rtol=1e-6)
    np.testing.assert_allclose(share.ravel(), [0.25, 0.75], rtol=1e-6)


@few
@given(stacks(), st.sampled_from([0.1, 1.0, 5.0]))
def test_learned_is_the_softmax_over_the_good_images(drawn, temperature):
    stack, weight = drawn
    good = weight > 0
    logit = np.random.default_rng(0).normal(0, 3, weight.shape).astype(np.float32)
    composite, share = METHODS["learned"](stack, quality_weight(logit, good), temperature=temperature)
    powers = np.where(good, np.exp(logit.astype(float) / temperature), 0)
    expected = powers / np.maximum(powers.sum(axis=0), 1e-300)
    np.testing.assert_allclose(share, expected, atol=1e-4)
    mean = (expected[:, None] * stack).sum(axis=0)
    has_data = good.any(axis=0)
    np.testing.assert_allclose(composite[:, has_data], mean[:, has_data], rtol=1e-4, atol=1e-3)


def test_a_huge_difference_of_quality_does_not_overflow():
    logit = np.array([-2000.0, 3000.0, -9000.0], np.float32).reshape(3, 1, 1)
    good = np.array([True, False, True]).reshape(3, 1, 1)
    assert np.array_equal(weight_of(logit, good).ravel(), [1, 0, 0])
    share = METHODS["learned"](np.ones((3, 1, 1, 1), np.float32), quality_weight(logit, good), temperature=0.01)[1]
    np.testing.assert_allclose(share.ravel(), [1, 0, 0], atol=1e-30)


@few
@given(st.integers(0, 2**31), st.sampled_from(["uint8", "uint16", "int16", "float32"]), st.sampled_from([None, 0, 7]))
def test_encoding_keeps_values_and_marks_exactly_what_is_empty(seed, dtype, nodata):
    rng = np.random.default_rng(seed)
    has_data = rng.random((5, 6)) < 0.7
    if nodata is None:
        has_data[:] = True
    values = rng.integers(0, 12, (2, 5, 6)).astype(dtype)
    composite = np.where(has_data, values.astype(np.float32), np.nan)
    stored, nudged = encoded(composite, has_data, dtype=dtype, nodata=nodata)
    assert stored.dtype == dtype
    if nodata is None:
        assert np.array_equal(stored, values)
        return
    empty = (stored == nodata).all(axis=0)
    assert np.array_equal(empty, ~has_data)
    clash = has_data & (values == nodata).all(axis=0)
    assert nudged == clash.sum()
    assert np.array_equal(stored[:, has_data & ~clash], values[:, has_data & ~clash])
    assert np.abs(stored[:, clash].astype(float) - nodata).max(initial=0) <= 1


@few
@given(st.integers(0, 2**31), st.integers(1, 9))
def test_distances_are_those_of_scipy(seed, limit):
    marked = np.random.default_rng(seed).random((23, 31)) < 0.02
    expected = np.full(marked.shape, limit) if not marked.any() else ndimage.distance_transform_edt(~marked)
    np.testing.assert_allclose(distance_px(marked, limit), np.minimum(expected, limit), rtol=1e-6)


@few
@given(st.integers(0, 2**31), st.integers(1, 9), st.booleans())
def test_feathering_counts_where_good_and_has_no_steps(seed, width, least):
    rng = np.random.default_rng(seed)
    valid, bad = rng.random((3, 19, 23)) < 0.97, rng.random((3, 19, 23)) < 0.02
    good = good_pixels(valid, bad, uses_least_bad=least)
    assert (valid | ~good).all()
    if least:
        assert np.array_equal(good.any(axis=0), valid.any(axis=0))
    usable = good & ~bad
    weight = feathered(good, usable, width)
    assert np.array_equal(weight > 0, good)
    assert weight.max() <= 1
    steps = np.abs(np.diff(weight, axis=2))[usable[:, :, 1:] & usable[:, :, :-1]]
    assert steps.max(initial=0) <= 1 / (width + 1) + 1e-6


@few
@given(
    st.integers(0, 2**31),
    st.floats(0.3, 3.0),
    st.floats(-50, 50),
    st.floats(0, 0.25),
)
def test_a_line_is_found_under_clouds(seed, gain, offset, cloudy):
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 20, 3000)
    wanted = gain * values + offset
    hidden = rng.random(3000) < cloudy
    wanted[hidden] = 250 + rng.normal(0, 10, int(hidden.sum()))
    line = fit_line(values, wanted)
    assert line is not None
    assert line.gain == pytest.approx(gain, rel=0.02)
    assert line.gain * 100 + line.offset == pytest.approx(gain * 100 + offset, abs=1.0)


@given(st.integers(0, 2**31), st.integers(3, 8))
def test_a_geometric_median_does_not_depend_on_the_other_pixels(seed, number):
    rng = np.random.default_rng(seed)
    stack = rng.normal(0.2, 0.05, (number, 3, 6, 7)).astype(np.float32)
    stack[0, :, 4:] += 0.7  # a cloud: its pixels take more steps
    weight = np.where(rng.random((number, 6, 7)) < 0.8, np.float32(1), np.float32(0))
    whole = METHODS["geomedian"](stack, weight, temperature=1.0)
    part = METHODS["geomedian"](stack[..., 1:4, 2:5], weight[:, 1:4, 2:5], temperature=1.0)
    for found, alone in zip(whole, part, strict=True):
        np.testing.assert_allclose(found[:, 1:4, 2:5], alone, rtol=0, atol=2e-6)


@given(st.integers(0, 2**31), st.floats(0.4, 2.5), st.floats(0, 0.3))
def test_a_river_in_a_forest_gives_the_line_not_the_noise(seed, gain, cloudy):
    rng = np.random.default_rng(seed)
    ground = rng.normal(300, 12, 4000)
    ground[:160] += 900 * rng.uniform(0.5, 1, 160)
    wanted = gain * ground + 50 + rng.normal(0, 8 * gain, 4000)
    values = ground + rng.normal(0, 30, 4000)
    hidden = rng.random(4000) < cloudy
    values[hidden] += rng.uniform(800, 9000, int(hidden.sum()))
    line = fit_line(values, wanted)
    assert line is not None
    assert line.gain == pytest.approx(gain, rel=0.15)
