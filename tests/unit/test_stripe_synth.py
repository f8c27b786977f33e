"""The generator of stripe noise: masks are exact."""

import numpy as np
import pytest

from clearscene.synth.stripes import Stripe, add_stripes, random_stripes, repeat_stripe, stripe_pixels


@pytest.mark.parametrize(
    ("angle", "rows", "cols"), [(0.0, slice(18, 21), slice(25, 65)), (90.0, slice(0, 40), slice(43, 46))]
)
def test_an_axis_parallel_stripe_is_a_rectangle(angle: float, rows: slice, cols: slice) -> None:
    stripe = Stripe(
        row=20 if angle else 19.5, col=44.5 if angle else 45, length=40, width=3, offset=9, bands=(1,), angle=angle
    )
    data = np.arange(3 * 50 * 90, dtype=np.uint32).reshape(3, 50, 90) % 200
    before = data.astype(np.uint8)
    after, mask = add_stripes(before, [stripe])
    expected = np.zeros((50, 90), np.bool_)
    expected[rows, cols] = True
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(after[1], before[1] + 9 * expected.astype(np.uint8))
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("angle", [0.0, 90.0, 45.0, -45.0, 17.0, -71.0])
def test_every_pixel_comes_once_and_the_count_is_length_times_width(angle: float) -> None:
    stripe = Stripe(row=100, col=120, length=60, width=2, offset=9, bands=(0,), angle=angle)
    rows, cols, along = stripe_pixels(stripe, height=201, width=240)
    assert len(rows) == 120
    assert len({*zip(rows.tolist(), cols.tolist(), strict=True)}) == 120
    assert set(along.tolist()) == set(range(60))


def test_a_constant_stripe_has_one_value() -> None:
    data = np.random.default_rng(2).integers(50, 90, (1, 30, 70)).astype(np.uint8)
    after, mask = add_stripes(data, [Stripe(row=9, col=30, length=40, width=2, offset=40, bands=(0,), constant=True)])
    assert len(np.unique(after[0][mask])) == 1


def test_random_sets_repeat_with_the_seed_and_stay_in_range() -> None:
    sets = [[random_stripes(90, 130, n_bands=3, rng=np.random.default_rng(s)) for s in range(40)] for _ in range(2)]
    assert sets[0] == sets[1]
    every = [s for one in sets[0] for s in one]
    assert all(1 <= s.width <= 6 and 15 <= abs(s.offset) <= 80 and s.bands for s in every)
    assert {len(s.bands) for s in every} == {1, 2, 3}


def test_repeated_stripes_lie_one_period_apart() -> None:
    group = repeat_stripe(Stripe(row=4, col=20, length=40, width=1, offset=9, bands=(0,)), period=6, count=3)
    assert [s.row for s in group] == [4, 10, 16]
