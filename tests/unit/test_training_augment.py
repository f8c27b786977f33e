"""Chips are varied by turns, size and color, and by nothing that would be a defect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.training.augment import augment, crop, padded, recolor, turn
from clearscene.training.config import AugmentConfig
from tests.training_chips import chip

USUAL = AugmentConfig()
STILL = AugmentConfig(flips=False, scale_chance=0, color_chance=0)


def picture(number: int = 7, height: int = 48, width: int = 64):
    image, mask, labels = chip(number, height, width)
    return np.ascontiguousarray(image.transpose(1, 2, 0)), mask, labels


def varied(seed: int, config: AugmentConfig = USUAL, *, number: int = 7, size: int = 64):
    image, mask, labels = picture(number, 64, 64)
    return augment(image, mask, labels, rng=np.random.default_rng(seed), config=config, size=size)


@given(st.integers(0, 2**32), st.integers(0, 30), st.sampled_from([32, 64, 96]))
def test_a_chip_keeps_its_ids_and_gets_its_size(seed, number, size):
    _, mask, _ = picture(number, 64, 64)
    new, left = varied(seed, number=number, size=size)
    assert new.shape == (size, size, 3)
    assert left.shape == (size, size)
    assert new.dtype == left.dtype == np.uint8
    assert set(np.unique(left)) <= set(np.unique(mask))


def test_the_same_generator_gives_the_same_chip():
    for one, other in zip(varied(3), varied(3), strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(varied(3)[0], varied(4)[0])


def test_nothing_is_changed_when_nothing_is_asked_for():
    image, mask, _ = picture(7, 64, 64)
    new, left = varied(1, STILL)
    assert np.array_equal(new, image)
    assert np.array_equal(left, mask)


@pytest.mark.parametrize("number", range(8))
def test_turns_move_pixels_and_mask_together(number):
    image, mask, _ = picture(7, 40, 40)
    image[..., 0] = mask * 20
    new, left = turn(image, mask, number)
    assert np.array_equal(new[..., 0], left * 20)
    assert sorted(new.ravel()) == sorted(image.ravel())


def test_the_eight_turns_differ():
    image, mask, _ = picture(7, 40, 40)
    assert len({turn(image, mask, number)[0].tobytes() for number in range(8)}) == 8


@given(st.integers(8, 100), st.integers(0, 2**32))
def test_a_crop_is_a_part_or_a_reflection(size, seed):
    image, mask, _ = picture()
    part, left = crop(image, mask, size, rng=np.random.default_rng(seed))
    assert part.shape == (size, size, 3)
    assert left.shape == (size, size)
    image[..., 0] = mask
    part, left = crop(image, mask, size, rng=np.random.default_rng(seed))
    assert np.array_equal(part[..., 0], left)


def test_without_generator_the_middle_is_taken():
    image, mask, _ = picture()
    assert np.array_equal(crop(image, mask, 16, rng=None)[0], image[16:32, 24:40])


@given(st.integers(0, 2**32))
def test_missing_pixels_keep_their_values(seed):
    image, mask, _ = picture()
    mask[5:9], image[5:9] = 10, 0
    mask[20, 3:50], image[20, 3:50] = 10, 255
    new = recolor(image, mask, rng=np.random.default_rng(seed), config=AugmentConfig())
    assert np.array_equal(new[mask == 10], image[mask == 10])
    assert not np.array_equal(new, image)


@given(st.integers(0, 2**32))
def test_color_saturates_nothing_that_was_not(seed):
    image, mask, _ = picture()  # values from 40 to 150
    new = recolor(image, mask, rng=np.random.default_rng(seed), config=AugmentConfig())
    assert (new == 255).mean() < 0.03


def test_color_is_of_the_pixel_alone():
    """Equal pixels stay equal: no blur, no noise."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[::2], image[1::2] = (90, 120, 60), (140, 100, 80)
    for seed in range(20):
        new = recolor(image, np.zeros((32, 32), np.uint8), rng=np.random.default_rng(seed), config=AugmentConfig())
        assert len(np.unique(new.reshape(-1, 3), axis=0)) <= 2


def test_a_reduced_chip_keeps_types_of_single_pixels():
    """A chip with blur is never reduced: it would be less blurred than its label says."""
    config = AugmentConfig(flips=False, color_chance=0, scale=(0.5, 0.5), scale_chance=1)
    image, mask, _ = picture(7, 64, 64)
    rng = np.random.default_rng(0)
    assert np.array_equal(augment(image, mask, ("blur",), rng=rng, config=config, size=64)[0], image)
    assert not np.array_equal(augment(image, mask, ("cloud",), rng=rng, config=config, size=64)[0], image)


def test_padding_is_to_be_ignored():
    image, mask, _ = picture()
    wide, left = padded(image, mask, 64, 96)
    assert np.array_equal(wide[:48, :64], image)
    assert np.array_equal(left[:48, :64], mask)
    assert (left[48:] == 255).all()
    assert (left[:, 64:] == 255).all()
