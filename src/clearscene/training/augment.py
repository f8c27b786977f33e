"""Vary a chip: turns, reduction, color. Nothing that imitates a defect: no blur, no noise, no holes.

A chip costs one color matrix and one table lookup a band, because every change of brightness is a table.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.taxonomy import BY_NAME, NODATA
from clearscene.training.config import AugmentConfig

__all__ = ["augment", "crop", "padded", "recolor", "turn"]

Image = NDArray[np.uint8]
"""A chip (row, col, 3), or its mask (row, col)."""

KEEPS_SIZE = frozenset({"blur", "stretching", "misalignment", "stripe", "missing"})
"""Types that are told by single pixels: reduced, they are no longer what their label says."""
MISSING = BY_NAME["missing"].id
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
BRIGHT = 0.97
"""Values above the 98th percentile may exceed this only if they did before: no new saturation."""


def augment(
    image: Image, mask: Image, labels: tuple[str, ...], *, rng: np.random.Generator, config: AugmentConfig, size: int
) -> tuple[Image, Image]:
    """A varied chip of `size` x `size`: image (row, col, 3) and mask (row, col).

    Laws: the same generator state gives the same chip; the mask holds only ids that it held, and 255.
    """
    factor = 1.0
    if config.scale_chance > rng.random() and KEEPS_SIZE.isdisjoint(labels):
        factor = rng.uniform(*config.scale)
    image, mask = crop(image, mask, round(size / factor), rng=rng)
    if len(mask) != size:
        image = _resized(image, size, cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        mask = _resized(mask, size, cv2.INTER_NEAREST)
    if config.flips:
        image, mask = turn(image, mask, int(rng.integers(8)))
    if config.color_chance > rng.random():
        image = recolor(image, mask, rng=rng, config=config)
    return image, mask


def _resized(image: Image, size: int, method: int) -> Image:
    resized: Image = np.asarray(cv2.resize(image, (size, size), interpolation=method), np.uint8)
    return resized


def crop(image: Image, mask: Image, size: int, *, rng: np.random.Generator | None) -> tuple[Image, Image]:
    """A square of a chip; without generator its middle. What is missing is reflected, with its mask."""
    height, width = mask.shape
    top = _start(height - size, rng)
    left = _start(width - size, rng)
    image, mask = (a[max(top, 0) : max(top, 0) + size, max(left, 0) : max(left, 0) + size] for a in (image, mask))
    if mask.shape == (size, size):
        return image, mask
    before, after = (max(-top, 0), max(-left, 0)), (size - len(mask), size - mask.shape[1])
    rows, cols = ((b, total - b) for b, total in zip(before, after, strict=True))
    return np.pad(image, (rows, cols, (0, 0)), "symmetric"), np.pad(mask, (rows, cols), "symmetric")


def _start(spare: int, rng: np.random.Generator | None) -> int:
    """First row or column, negative where the chip is smaller than the square."""
    low, high = sorted((0, spare))
    return (low + high) // 2 if rng is None else int(rng.integers(low, high + 1))


def turn(image: Image, mask: Image, number: int) -> tuple[Image, Image]:
    """One of the eight ways to lay a square: 0 to 7."""
    if number & 4:
        image, mask = image.transpose(1, 0, 2), mask.T
    rows, cols = slice(None, None, -1 if number & 1 else 1), slice(None, None, -1 if number & 2 else 1)
    return image[rows, cols], mask[rows, cols]


def recolor(image: Image, mask: Image, *, rng: np.random.Generator, config: AugmentConfig) -> Image:
    """Change saturation, cast, gamma, contrast and brightness of the whole chip.

    Law: missing pixels keep their values, since those are what makes them missing.
    """
    is_gray = config.gray_chance > rng.random()
    saturation = 0.0 if is_gray else rng.uniform(*config.saturation)
    cast = np.ones(3) if is_gray else rng.uniform(*config.channel_gain, size=3)
    matrix = cast[:, None] * (saturation * np.eye(3) + (1 - saturation) * LUMA[None, :])
    changed: Image = np.asarray(cv2.transform(np.ascontiguousarray(image), matrix), np.uint8)
    changed = np.asarray(cv2.LUT(changed, _table(changed, rng=rng, config=config)), np.uint8)
    missing = mask == MISSING
    if missing.any():
        changed[missing] = image[missing]
    return changed


def _table(image: Image, *, rng: np.random.Generator, config: AugmentConfig) -> Image:
    """The new value of each of the 256 values: gamma, contrast about the mean, gain, offset."""
    gamma = float(np.exp(rng.uniform(*np.log(config.gamma))))
    contrast, gain, offset = (rng.uniform(*limits) for limits in (config.contrast, config.gain, config.offset))
    if config.dark_chance > rng.random():
        gain = rng.uniform(*config.dark_gain)
    sample = image[::8, ::8].astype(np.float64) / 255
    values = np.linspace(0, 1, 256) ** gamma
    middle = float((sample**gamma).mean())
    values = ((values - middle) * contrast + middle) * gain + offset
    bright = int(np.percentile(sample, 98) * 255)
    highest = max(BRIGHT, bright / 255)
    if values[bright] > highest:
        values *= highest / values[bright]
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def padded(image: Image, mask: Image, height: int, width: int) -> tuple[Image, Image]:
    """The chip in the upper left of a larger one of middle gray, which is to be ignored."""
    if mask.shape == (height, width):
        return image, mask
    wide, wide_mask = np.full((height, width, 3), 127, np.uint8), np.full((height, width), NODATA, np.uint8)
    wide[: len(mask), : mask.shape[1]] = image
    wide_mask[: len(mask), : mask.shape[1]] = mask
    return wide, wide_mask
