"""Vary a chip of a prepared set: cut, enlarge, turn, change values."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.sky.squaring import resized
from clearscene.training.augment import LUMA, crop, turn
from clearscene.training.semantic_config import SemanticAugmentConfig

__all__ = ["placed", "recolored", "whole"]

Values = NDArray[np.float32]
"""(row, col, band)."""
Mask = NDArray[np.uint8]
"""(row, col)."""


def placed(
    image: Values, mask: Mask, *, rng: np.random.Generator, config: SemanticAugmentConfig, size: int
) -> tuple[Values, Mask]:
    """A part of the chip as `size` x `size`: image (row, col, band), mask (row, col), flipped by chance.

    Laws: the same generator state gives the same; the mask holds only what it held.
    """
    if config.view == "whole":
        image, mask = _part(image, mask, rng=rng, config=config)
    else:
        factor = rng.uniform(*config.scale)
        image, mask = crop(image, mask, max(1, round(size / factor)), rng=rng)  # type: ignore[arg-type,assignment]  # any type of pixel
    image, mask = whole(image, mask, size)
    number = {"none": 0, "horizontal": int(rng.integers(2)) * 2, "all": int(rng.integers(8))}[config.flips]
    image, mask = turn(image, mask, number)  # type: ignore[arg-type,assignment]  # any type of pixel
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def whole(image: Values, mask: Mask, size: int) -> tuple[Values, Mask]:
    """All of the chip as `size` x `size`. Law: the mask holds only what it held."""
    if mask.shape == (size, size):
        return image, mask
    small = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
    return resized(image, size, size), np.asarray(small, np.uint8)


def _part(image: Values, mask: Mask, *, rng: np.random.Generator, config: SemanticAugmentConfig) -> tuple[Values, Mask]:
    """A rectangle of the chip: a share of its area, a little wider or higher than it."""
    side = np.sqrt(rng.uniform(*config.area))
    bend = np.exp(rng.uniform(*np.log(config.aspect)) / 2)
    height, width = (max(8, min(n, round(n * side * f))) for n, f in zip(mask.shape, (1 / bend, bend), strict=True))
    height, width = min(height, mask.shape[0]), min(width, mask.shape[1])
    top, left = (int(rng.integers(n - part + 1)) for n, part in zip(mask.shape, (height, width), strict=True))
    part = np.s_[top : top + height, left : left + width]
    return image[part], mask[part]


def recolored(
    image: Values, *, rng: np.random.Generator, config: SemanticAugmentConfig, is_color: bool, is_display: bool
) -> Values:
    """Other values of the whole chip; `is_color`: the first three bands are red, green, blue.

    Law: what is displayed stays between 0 and 1, and reflectance is not below 0.
    """
    if rng.random() >= config.color_chance:
        return image
    bands = np.exp(rng.normal(0, config.band_gain, image.shape[2]))
    gain, gamma = (np.exp(rng.uniform(*np.log(limits))) for limits in (config.gain, config.gamma))
    image = np.maximum(image, 0) ** np.float32(gamma) * (gain * bands).astype(np.float32)
    image = image + np.float32(rng.uniform(*config.offset))
    if is_color:
        saturation = 0.0 if rng.random() < config.gray_chance else rng.uniform(*config.saturation)
        gray = (image[..., :3] @ LUMA.astype(np.float32))[..., None]
        image[..., :3] = gray + (image[..., :3] - gray) * np.float32(saturation)
    if rng.random() < config.blur_chance:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5)), np.float32).reshape(image.shape)
    noise = rng.uniform(0, config.noise)
    if noise > config.noise / 2:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(noise)
    return np.clip(image, 0, 1 if is_display else None).astype(np.float32)
