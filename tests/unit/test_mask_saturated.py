"""White patches without texture: what they are is told by their rim."""

import numpy as np
import pytest

from clearscene.masking.saturated import filled_by_rim

SIDE = 96
PATCH = np.s_[30:70, 20:80]


def tile(level=1.2):
    """Visible bands (3, row, col) of ground with one patch at the largest value, and where it is."""
    visible = 0.1 + 0.05 * np.random.default_rng(0).random((3, SIDE, SIDE), np.float32)
    patch = np.zeros((SIDE, SIDE), bool)
    patch[PATCH] = True
    visible[:, patch] = level
    return visible.astype(np.float32), patch


def chances(cloud):
    """Probabilities (class, row, col) of clear, or of thick cloud where `cloud`."""
    found = np.zeros((4, SIDE, SIDE), np.float32)
    found[0], found[1] = np.where(cloud, 0.1, 0.9), np.where(cloud, 0.9, 0.1)
    return found


def rim_of(patch):
    """The patch grown by 5 px without its inside: where a network still sees that the patch ends."""
    wide, inside = np.zeros_like(patch), np.zeros_like(patch)
    wide[25:75, 15:85] = True
    inside[39:61, 29:71] = True
    return wide & ~inside


def test_a_patch_within_cloud_is_cloud():
    visible, patch = tile()
    found = filled_by_rim(chances(rim_of(patch)), visible, np.ones((SIDE, SIDE), bool), kind="toa")
    assert (found[1][patch] > 0.8).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["toa", "display"])
def test_a_roof_stays_what_it_is(kind):
    visible, _ = tile(1.0)
    before = chances(np.zeros((SIDE, SIDE), bool))
    assert filled_by_rim(before, visible, np.ones((SIDE, SIDE), bool), kind=kind) is before


def test_flat_ground_that_is_not_white_is_left_alone():
    visible, patch = tile(0.4)
    before = chances(rim_of(patch))
    assert filled_by_rim(before, visible, np.ones((SIDE, SIDE), bool), kind="toa") is before


def test_a_patch_without_a_rim_in_the_tile_is_left_alone():
    visible = np.full((3, SIDE, SIDE), 1.2, np.float32)
    before = chances(np.zeros((SIDE, SIDE), bool))
    assert filled_by_rim(before, visible, np.ones((SIDE, SIDE), bool), kind="toa") is before


def test_nothing_valid_is_nothing_to_fill():
    visible, _ = tile()
    before = chances(np.zeros((SIDE, SIDE), bool))
    assert filled_by_rim(before, visible, np.zeros((SIDE, SIDE), bool), kind="toa") is before
