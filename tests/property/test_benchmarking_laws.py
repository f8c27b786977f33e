"""Laws of counting and stitching."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearscene.benchmark.bins import LEVELS, N_BINS, bin_of, edge_of, level_of
from clearscene.benchmark.charts import nice_ticks
from clearscene.benchmark.consistency import Printed, check_rows, recover
from clearscene.benchmark.metrics import METRICS, measure
from clearscene.benchmark.stitch import Answered, center_offset, stitched
from clearscene.benchmark.suite import key_of
from clearscene.benchmark.tally import Tally, joined

SHAPES = st.tuples(st.integers(3, 17), st.integers(3, 19)).filter(lambda shape: shape[0] != shape[1])
RATES = st.floats(0.02, 0.98)


@st.composite
def answers(draw):
    shape = draw(SHAPES)
    probability = draw(hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    truth = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 255])))
    return probability, truth


@given(hnp.arrays(np.float32, st.integers(2, 40), elements=st.floats(0, 1, width=32)), st.integers(0, LEVELS))
def test_bins_rise_with_the_probability_and_keep_every_threshold(probability, k):
    found = bin_of(np.sort(probability))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() < N_BINS
    near = np.float32(k / LEVELS) + np.array([-1e-6, -1e-7, 0, 1e-7, 1e-6], np.float32)
    for values in (probability, np.clip(near, 0, 1)):
        np.testing.assert_array_equal(bin_of(values) >= edge_of(k / LEVELS), level_of(values) >= k)


@given(answers(), st.integers(1, 16), st.sampled_from([0.0, 0.1, 0.5, 12 / 255, 1.0]))
def test_sums_of_parts_are_those_of_the_whole(answer, cut, threshold):
    probability, truth = answer
    whole, parts, turned = Tally((threshold,)), Tally((threshold,)), Tally((threshold,))
    whole.add(probability, truth)
    for part in ((probability[:cut], truth[:cut]), (probability[cut:], truth[cut:])):
        if part[0].size:
            parts.add(*part)
    turned.add(probability[::-1, ::-1], truth[::-1, ::-1])
    a, b, c = (joined([tally], threshold) for tally in (whole, parts, turned))
    for other in (b, c):
        np.testing.assert_array_equal(a.confusion, other.confusion)
        np.testing.assert_array_equal(a.true, other.true)
        np.testing.assert_array_equal(a.ordered, other.ordered)
        np.testing.assert_allclose(a.confidence, other.confidence, atol=1e-6)
    np.testing.assert_array_equal(a.boundary, c.boundary)


@given(answers())
def test_every_metric_is_a_share_or_not_defined(answer):
    tally = Tally((0.5,))
    tally.add(*answer)
    sums = joined([tally], 0.5)
    for name in METRICS:
        value = float(measure(name, sums)[0])
        assert np.isnan(value) or -1e-9 <= value <= 1 + 1e-9


@given(answers())
def test_a_perfect_answer_is_perfect(answer):
    _, truth = answer
    tally = Tally((0.5,))
    tally.add((truth == 1).astype(np.float32), truth)
    sums = joined([tally], 0.5)
    for name, metric in METRICS.items():
        value = float(measure(name, sums)[0])
        assert np.isnan(value) or value == (1.0 if metric.is_better_high else 0.0)


@given(answers(), st.integers(2, 7), st.randoms(use_true_random=False))
def test_chips_without_overlap_come_back_in_any_order(answer, side, random):
    probability, truth = answer
    chips = [
        Answered(r, c, probability[r : r + side, c : c + side], truth[r : r + side, c : c + side])
        for r in range(0, truth.shape[0], side)
        for c in range(0, truth.shape[1], side)
    ]
    random.shuffle(chips)
    back = stitched(chips, truth.shape, crop_center=True)
    np.testing.assert_array_equal(back[0], probability)
    np.testing.assert_array_equal(back[1], truth)


@given(answers(), st.integers(0, 5), st.integers(0, 5))
def test_padding_is_cut_off_and_kept_only_when_asked(answer, above, left):
    probability, truth = answer
    chip = Answered(-above, -left, *(np.pad(plane, ((above, 1), (left, 2))) for plane in (probability, truth)))
    cropped = stitched([chip], truth.shape, crop_center=True)
    np.testing.assert_array_equal(cropped[0], probability)
    np.testing.assert_array_equal(cropped[1], truth)
    assert stitched([chip], truth.shape, crop_center=False)[1].shape == chip.truth.shape


@given(st.integers(1, 500), st.integers(0, 300))
def test_padding_before_and_after_differ_by_one_at_most(length, padding):
    before = center_offset(length + padding, length)
    assert 0 <= (padding - before) - before <= 1


@given(RATES, RATES, RATES)
def test_what_was_printed_gives_its_confusion_matrix_back(tpr, fpr, p):
    q = p * tpr + (1 - p) * fpr
    auc, dice, coverage = (tpr + 1 - fpr) / 2, 2 * p * tpr / (p + q), 1 - abs(q - p)
    found = recover(auc, dice, coverage)
    assert any(abs(r.cloud_fraction - p) < 1e-6 and abs(r.tpr - tpr) < 1e-6 and abs(r.fpr - fpr) < 1e-6 for r in found)
    for rates in found:
        back = 2 * rates.cloud_fraction * rates.tpr / (rates.cloud_fraction + rates.predicted_fraction)
        np.testing.assert_allclose(back, dice, atol=1e-6)


@given(st.permutations(range(8)), st.floats(0.1, 0.6))
def test_rows_of_one_test_set_agree(places, p):
    rows = []
    for i, place in enumerate(places):
        tpr, fpr = 0.55 + 0.05 * i, 0.02 + 0.035 * place
        q = p * tpr + (1 - p) * fpr
        dice = 2 * p * tpr / (p + q)
        numbers = ((tpr + 1 - fpr) / 2, dice, dice / (2 - dice), 1 - abs(q - p))
        rows.append(Printed("A", "B", str(i), *(round(n, 6) for n in numbers)))
    assert [check.complaint for check in check_rows(rows)] == [""] * len(rows)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_enclose(low, span, about):
    ticks = nice_ticks(low, low + span, about=about)
    steps = np.diff(ticks)
    assert ticks[0] <= low + 1e-6 * span + 1e-6
    assert ticks[-1] >= low + span - 1e-6 * span - 1e-6
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4, atol=1e-9)


@given(st.text(max_size=30))
def test_keys_are_fit_for_files(text):
    key = key_of(text)
    assert key
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not key.startswith("-")
