"""Equation 3 and its readings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearscene.errors import OptionError
from clearscene.inspection.constraint import AbsoluteMode, Constraint, Mode, Space, constrain, sigmoid

N = 4
logits = hnp.arrays(np.float32, (N + 1, 3, 5), elements=st.floats(-20, 20, width=32))
screens = hnp.arrays(np.float32, N, elements=st.floats(-12, 12, width=32))
thresholds = st.floats(0.01, 0.99)
LOWERING = [Mode.SAFE, Mode.INTERMEDIATE, Mode.ABSOLUTE]


@given(logits, screens, thresholds, st.floats(0, 50), st.sampled_from(LOWERING))
def test_no_type_is_ever_raised_and_the_background_never_lowered(s, z, threshold, alpha, mode):
    constraint = Constraint(mode, alpha, threshold, absolute_mode=AbsoluteMode.NEXT_BEST)
    adjusted = constrain(s, z, constraint)
    assert np.all(adjusted[1:] <= s[1:])
    assert np.array_equal(adjusted[0], s[0])
    assert not np.isnan(adjusted).any()
    assert adjusted.dtype == np.float32


@given(logits, screens, thresholds, st.sampled_from([Mode.SAFE, Mode.INTERMEDIATE, Mode.PAPER_CODE]))
def test_alpha_0_changes_nothing(s, z, threshold, mode):
    assert np.array_equal(constrain(s, z, Constraint(mode, 0.0, threshold)), s)


@given(logits, screens, thresholds, st.sampled_from(sorted(set(Mode) - {Mode.RELATIVE})))
def test_types_that_the_screen_confirms_are_left_alone(s, z, threshold, mode):
    confirmed = z >= math.log(threshold / (1 - threshold))
    shifts = Constraint(mode, 3.0, threshold).shifts(z)
    assert np.all(shifts[confirmed] == 0)


@given(logits, screens)
def test_a_large_alpha_is_the_absolute_constraint_with_the_next_best(s, z):
    z = np.where(np.abs(z) < 0.01, np.float32(-0.01), z)  # at the threshold even a large alpha is small
    absolute = constrain(s, z, Constraint(Mode.ABSOLUTE, absolute_mode=AbsoluteMode.NEXT_BEST))
    for mode in (Mode.SAFE, Mode.INTERMEDIATE, Mode.PAPER_CODE):
        soft = constrain(s, z, Constraint(mode, alpha=1e6))
        assert np.array_equal(soft.argmax(axis=0), absolute.argmax(axis=0))


@given(logits, screens)
def test_absolute_to_background_is_the_published_rule(s, z):
    """Oracle: argmax first, then every pixel of an absent type is set to 0."""
    labels = s.argmax(axis=0)
    absent = 1 + np.flatnonzero(z < 0)  # sigmoid(z) < 0.5, without its rounding
    labels[np.isin(labels, absent)] = 0
    assert np.array_equal(constrain(s, z, Constraint(Mode.ABSOLUTE)).argmax(axis=0), labels)


@given(logits, st.sampled_from(AbsoluteMode))
def test_all_excluded_is_all_background(s, absolute_mode):
    z = np.full(N, -1, np.float32)
    adjusted = constrain(s, z, Constraint(Mode.ABSOLUTE, absolute_mode=absolute_mode))
    assert np.all(adjusted.argmax(axis=0) == 0)
    assert np.all(np.isneginf(adjusted[1:]))
    assert np.all(np.isfinite(adjusted[0]))


@given(screens)
def test_the_default_at_one_half_is_the_published_program(z):
    """`change_logits`: p >= .5 nothing, otherwise alpha * logit is added."""
    program = np.where(sigmoid(z) >= 0.5, 0, 0.3 * z)
    for mode in (Mode.SAFE, Mode.INTERMEDIATE, Mode.PAPER_CODE):
        np.testing.assert_allclose(Constraint(mode, 0.3, 0.5).shifts(z), program, atol=1e-6)


def test_above_one_half_the_letter_raises_and_the_corrected_forms_do_not():
    z = np.array([2.0], np.float32)  # probability 0.88, under a threshold of 0.9
    assert Constraint(Mode.PAPER_CODE, 0.3, 0.9).shifts(z)[0] == pytest.approx(0.6)
    assert Constraint(Mode.INTERMEDIATE, 0.3, 0.9).shifts(z)[0] == 0
    assert Constraint(Mode.SAFE, 0.3, 0.9).shifts(z)[0] == pytest.approx(-0.3 * (math.log(9) - 2), abs=1e-6)


def test_the_print_compares_logits():
    z = np.array([0.4, 0.6, -2.0], np.float32)
    shifts = Constraint(Mode.PAPER_CODE, 100, 0.5, Space.LOGIT).shifts(z)
    np.testing.assert_allclose(shifts, [40, 0, -200])  # 40: the raise that cannot be meant


def test_relative_adds_the_screen():
    s = np.arange(15, dtype=np.float32).reshape(3, 1, 5)
    adjusted = constrain(s, np.array([1.5, -2], np.float32), Constraint(Mode.RELATIVE))
    np.testing.assert_allclose(adjusted - s, [[[0] * 5], [[1.5] * 5], [[-2] * 5]])
    limit = Constraint(Mode.PAPER_CODE, 1.0, math.inf, Space.LOGIT)  # as the paper states the limit
    assert np.array_equal(constrain(s, np.array([1.5, -2], np.float32), limit), adjusted)


@given(screens, screens, thresholds)
def test_a_surer_screen_never_lowers_more(a, b, threshold):
    low, high = np.minimum(a, b), np.maximum(a, b)
    safe = Constraint(Mode.SAFE, 2.0, threshold)
    assert np.all(safe.shifts(low) <= safe.shifts(high))


@pytest.mark.parametrize(("alpha", "t"), [(0, 0), (100, 0.5), (1, 0.5), (0.3, 0.9), (0.1, 0.5), (0.3, 0.01)])
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("absolute", list(AbsoluteMode))
def test_the_settings_of_table_7_run_in_every_mode(alpha, t, mode, absolute):
    random = np.random.default_rng(7)
    s = random.normal(0, 4, (N + 1, 6, 7)).astype(np.float32)
    z = np.array([-3, -0.01, 0.0, 4], np.float32)
    adjusted = constrain(s, z, Constraint(mode, alpha, t, absolute_mode=absolute))
    assert adjusted.shape == s.shape
    assert not np.isnan(adjusted).any()
    assert np.isfinite(adjusted[0]).all()


def test_a_zero_logit_excluded_outright_is_no_nan():
    z = np.array([0.0, -0.0, 0.0, 0.0], np.float32)
    adjusted = constrain(np.zeros((5, 1, 1), np.float32), z, Constraint(Mode.ABSOLUTE, threshold=0.9))
    assert adjusted.argmax(axis=0) == 0
    assert not np.isnan(adjusted).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": math.inf}, "alpha inf must be finite.*mode 'absolute'"),
        ({"alpha": -1.0}, "alpha -1.0 must be finite and not negative"),
        ({"threshold": 1.0}, "threshold 1.0 is not a probability"),
        ({"threshold": math.nan, "threshold_space": Space.LOGIT}, "threshold nan cannot be used"),
        ({"threshold": math.inf, "threshold_space": Space.LOGIT}, "mode 'relative'"),
    ],
)
def test_numbers_out_of_range(values, message):
    with pytest.raises(OptionError, match=message):
        Constraint(**values)
