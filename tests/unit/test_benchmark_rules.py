"""The benchmark of the pixel rules: what it draws, how it counts, what it says of landscapes that it has not."""

import numpy as np
import pytest

import clean_scenes
from clean_scenes import BUDGET, Alarms, area_table, budget_table, landscape_of
from clearscene.rules.rule import View
from rules_table import (
    ANGLES,
    STRIPE_RULES,
    Results,
    Tally,
    add_overflow,
    case_table,
    draw_noise,
    find,
    missing_cases,
    stripe_cases,
)


def ground(height=150, width=190, seed=2):
    """Smooth, noisy, far from black and white; every band and pixel differs."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width]
    planes = np.stack([110 + 25 * np.sin(rows / 40 + k) + 20 * np.cos(cols / 55 - k) for k in range(3)])
    return np.clip(planes + rng.normal(0, 1.5, planes.shape), 0, 255).astype(np.uint8)


def view_of(data):
    valid = np.ones(data.shape[1:], np.bool_)
    return View(data, data, valid, ~valid, 255.0)


@pytest.mark.parametrize("direction", ANGLES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_noise_changes_its_mask_alone_and_to_one_side(direction, sign):
    data = ground()
    for seed in range(6):
        noisy, mask = draw_noise(data, np.random.default_rng(seed), angles=ANGLES[direction], sign=sign)
        change = noisy.astype(int) - data
        assert mask.any()
        assert not change[:, ~mask].any()
        assert (sign * change).min() >= 0
        assert (sign * change).max() > 5


def test_every_case_is_in_the_stripe_table():
    titles = [title for title, _, _ in stripe_cases(ground(), np.random.default_rng(1))]
    assert len(set(titles)) == len(titles) == 6


def test_losses_are_black_white_or_of_one_band():
    data = ground()
    for title, lost, mask in missing_cases(data, np.random.default_rng(4)):
        assert (lost[:, ~mask] == data[:, ~mask]).all()
        if title == "one band":
            assert (lost[:, mask] == 0).any(axis=0).all()
        else:
            assert (lost[:, mask] == (255 if title.endswith("white") else 0)).all()


def test_overflow_saturates_somewhere():
    data = ground()
    assert (add_overflow(data, np.random.default_rng(0)) == 255).sum() > (data == 255).sum()


def test_ours_finds_a_dark_line_that_the_published_rule_cannot_see():
    data = ground()
    striped = data.copy()
    striped[:, 70:72, 10:180] -= 40
    truth = np.zeros(data.shape[1:], np.bool_)
    truth[70:72, 10:180] = True
    tallies = {}
    for name in ("paper", "ours"):
        tallies[name] = Tally()
        tallies[name].add(find(STRIPE_RULES[name], striped, view_of(striped), is_lossy=False), truth)
    assert tallies["ours"].cells()[0] > 0.9
    assert tallies["paper"].cells()[0] < 0.5


def test_table_pools_pixels_and_keeps_grounds_apart():
    results = Results()
    truth = np.array([[True, True, False, False]])
    key = ("stripe", "as it is", "clean", "rows and columns, bright", "ours")
    results.tallies[key].add(np.array([[True, False, True, False]]), truth)
    results.tallies[(*key[:3], "rows and columns, dark", "ours")].add(truth, truth)
    results.tallies[(*key[:2], "with overflow", *key[3:])].add(~truth, truth)
    table = case_table(results, "stripe", "as it is")
    column = table.heads.index("ours: IoU")
    rows = {row[0]: row[column] for row in table.rows}
    assert rows["rows and columns, bright"] == pytest.approx(1 / 3)
    assert rows["all, ground without overflow"] == pytest.approx(3 / 5)
    assert rows["all, overflow present"] == 0.0
    assert np.isnan(rows["15 to 45 degrees off, dark"])


def test_landscapes_without_images_are_not_measured():
    alarms = Alarms(images=2, pixels=2_000_000, ruled=1_000_000, seamed=1_500_000)
    alarms.area |= {"cloud": 1000, "stripe": 500, "any": 1500}
    alarms.marks["misalignment"] += 3
    table = area_table("group", {"forest": alarms + Alarms()}, silent=("shadow",))
    rows = {row[0]: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    assert rows["forest"]["cloud"] == pytest.approx(0.05)
    assert rows["forest"]["stripe"] == pytest.approx(0.05)
    assert rows["forest"]["misalignment, seams/100 Mpx"] == pytest.approx(200)
    assert rows["forest"]["stitching_trace, seams/100 Mpx"] == 0
    assert rows["forest"]["shadow"] == clean_scenes.SILENT
    for name in ("mountain", "snow", "desert"):
        assert rows[name]["any"] is None
    assert rows["all"]["Mpx"] == rows["forest"]["Mpx"] == 2.0


def test_budget_says_what_is_kept():
    alarms = Alarms(images=1, pixels=1_000_000, ruled=1_000_000)
    alarms.area |= {"cloud": 1000, "blur": 2000, "any": 3000}
    table = budget_table({"group": alarms}, silent=("shadow",))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["cloud, % of area"] == (BUDGET["cloud"], pytest.approx(0.1), "yes")
    assert rows["blur, % of area"][2] == "no"
    assert rows["any, % of area"] == (clean_scenes.WHOLE_BUDGET, pytest.approx(0.3), "yes")
    assert rows["shadow, % of area"][1:] == (clean_scenes.SILENT, "-")
    assert rows["misalignment, seams/100 Mpx"][1:] == (None, "-")
    assert sum(BUDGET.values()) == pytest.approx(clean_scenes.WHOLE_BUDGET)


def test_landscape_by_name():
    assert landscape_of("HARV_044.tif") == "forest"
    assert landscape_of("coast_cropped2_12.tif") == "surf and beach"
    assert landscape_of("unheard_of.tif") == "other"
