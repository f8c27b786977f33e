"""What a network for cloud masks is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.masking.normalize import PRIOR, normalize, tile_scale
from tests.reflectance_images import ground


def whole(image):
    return np.ones(image.shape[1:], bool)


def scaled(image, kind="toa"):
    """Value / scale, before the root."""
    return ((normalize(image, kind=kind) + 1) / 2) ** 2


@given(st.floats(0.2, 5.0))
def test_a_gain_changes_the_values_by_no_more_than_its_root(gain):
    image = ground(1, 12, 17)
    change = scaled(image * np.float32(gain)) / scaled(image)
    limit = np.sqrt(max(gain, 1 / gain)) * 1.001
    assert np.all((change < limit) & (change > 1 / limit))


@pytest.mark.parametrize("unit", [10_000.0, 65_535.0])
def test_numbers_that_are_no_reflectance_do_not_depend_on_their_unit(unit):
    image = ground(2, 12, 17)
    np.testing.assert_allclose(normalize(image * 1e5), normalize(image * 1e5 * unit), atol=2e-3)


@given(st.floats(-6, 6))
def test_the_level_stays_near_that_of_the_tile(power):
    image = ground(3, 9, 13) * np.float32(10**power)
    level = float(np.quantile(image[:3].mean(axis=0), 0.95))
    assert 1 / 2.25 < level / tile_scale(image, whole(image), kind="toa") < 2.25


def test_cloud_land_and_water_stay_apart_where_they_fill_a_tile():
    values = [float(normalize(np.full((4, 8, 9), level, np.float32)).mean()) for level in (0.04, 0.12, 0.8)]
    assert values[0] + 0.15 < values[1] < values[2] - 0.4


def test_turning_the_tile_turns_the_answer():
    image = ground(4, 11, 14)
    turned = normalize(np.ascontiguousarray(image[:, ::-1].transpose(0, 2, 1)))
    np.testing.assert_array_equal(turned, normalize(image)[:, ::-1].transpose(0, 2, 1))


def test_without_near_infrared_the_others_stay_and_its_channel_is_0():
    image = ground(5, 10, 12)
    np.testing.assert_array_equal(normalize(image[:3])[:3], normalize(image)[:3])
    assert not normalize(image[:3])[3].any()


def test_what_is_not_valid_is_0_and_does_not_move_the_rest():
    image = ground(6, 10, 12)
    valid = whole(image)
    valid[:, 8:] = False
    broken = image.copy()
    broken[:, :, 8:] = np.nan
    found = normalize(broken, valid)
    assert not found[:, :, 8:].any()
    np.testing.assert_array_equal(found[:, :, :8], normalize(image[:, :, :8]))
    assert not normalize(image, np.zeros_like(valid)).any()


def test_black_is_black_and_display_values_count_as_less_reflectance():
    assert np.all(normalize(np.zeros((4, 5, 6), np.float32)) == -1)
    image = ground(7, 9, 8)
    factor = np.float32(PRIOR["display"] / PRIOR["toa"])
    np.testing.assert_allclose(normalize(image * factor, kind="display"), normalize(image), atol=1e-5)
