"""Vary a chip for cloud masks: place, size, radiometry, absence of near infrared, pictures instead of reflectance.

All of it is what happens to real scenes; a cloud stays a cloud, and its thickness what it was.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.masking.normalize import Kind, normalize
from clearscene.training.augment import crop, turn
from clearscene.training.mask_config import MaskAugmentConfig

__all__ = ["MaskChip", "plain", "varied"]

STORED = 10_000.0
"""Stored values of a reflectance of 1."""
NODATA = 255
SKY = np.array([0.5, 0.7, 1.0, 0.25], np.float32)
"""How a haze shows in red, green, blue and near infrared."""


@dataclass(frozen=True, eq=False)
class MaskChip:
    """A chip in the making."""

    data: NDArray[np.float32]
    """(row, col, 4): reflectance of red, green, blue, near infrared, or display values."""
    mask: NDArray[np.uint8]
    has_nir: bool
    kind: Kind = "toa"

    @classmethod
    def of(cls, stored: NDArray[np.uint16], mask: NDArray[np.uint8], *, has_nir: bool) -> "MaskChip":
        """From what is on disk: stored (row, col, 4), mask (row, col)."""
        return cls(stored.astype(np.float32) / np.float32(STORED), mask, has_nir)

    def image(self) -> NDArray[np.float32]:
        """Network input (4, row, col)."""
        bands = self.data.transpose(2, 0, 1)
        return normalize(bands if self.has_nir else bands[:3], self.valid, kind=self.kind)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(row, col): where anything is known."""
        return np.asarray((self.data > 0).any(axis=2))


def plain(chip: MaskChip, *, without_nir: bool = False) -> MaskChip:
    """The chip as it is, or as if nobody had measured near infrared."""
    return replace(chip, has_nir=chip.has_nir and not without_nir)


def varied(chip: MaskChip, *, rng: np.random.Generator, config: MaskAugmentConfig, size: int) -> MaskChip:
    """A chip of `size` x `size`. Laws: the same generator state gives the same; no new ids in the mask but 255."""
    chip = _placed(chip, rng=rng, config=config, size=size)
    valid = chip.valid
    chip = _lit(chip, rng=rng, config=config)
    if not chip.has_nir or rng.random() < config.nir_drop_chance:
        chip = replace(chip, has_nir=False)
        if rng.random() < config.display_chance:
            chip = _displayed(chip, valid, rng=rng, config=config)
    chip = _blurred(chip, rng=rng, config=config)
    data = np.where(valid[..., None], np.maximum(chip.data, np.float32(1e-6)), np.float32(0))
    if rng.random() < config.nodata_chance:
        data, mask = _cut_off(data, chip.mask, rng)
        return replace(chip, data=data, mask=mask)
    return replace(chip, data=data)


def _placed(chip: MaskChip, *, rng: np.random.Generator, config: MaskAugmentConfig, size: int) -> MaskChip:
    """Cut, enlarged, turned."""
    factor = rng.uniform(*config.enlarge) if rng.random() < config.enlarge_chance else 1.0
    data, mask = crop(chip.data, chip.mask, round(size / factor), rng=rng)  # type: ignore[arg-type]  # any type of pixel
    if len(mask) != size:
        data = cv2.resize(data, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        mask = np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)
    data, mask = turn(data, mask, int(rng.integers(8)))
    return replace(chip, data=np.ascontiguousarray(data), mask=np.ascontiguousarray(mask))


def _lit(chip: MaskChip, *, rng: np.random.Generator, config: MaskAugmentConfig) -> MaskChip:
    """Another sun, another calibration, more or less haze."""
    gain = np.exp(rng.uniform(*np.log(config.gain)))
    bands = np.exp(rng.normal(0, config.band_gain, 4))
    haze = rng.uniform(*config.haze) * SKY
    noise = rng.uniform(0, config.noise)
    data = (chip.data + haze) * (gain * bands).astype(np.float32)
    if noise > config.noise / 2:  # half of all chips: random numbers cost as much as all the rest
        data += rng.standard_normal(data.shape, np.float32) * np.float32(noise)
    return replace(chip, data=np.asarray(data, np.float32))


def _displayed(
    chip: MaskChip, valid: NDArray[np.bool_], *, rng: np.random.Generator, config: MaskAugmentConfig
) -> MaskChip:
    """A picture of 8 bits: some reflectance is black, some white, and all in between is bent."""
    white, gamma = np.exp(rng.uniform(*np.log(config.white))), np.exp(rng.uniform(*np.log(config.gamma)))
    black = np.float32(0)
    if rng.random() < 0.5 and valid.any():
        black = np.float32(np.percentile(chip.data[..., :3][valid][::16], 1) * rng.uniform(0, 1))
    shown = np.clip((chip.data[..., :3] - black) / np.float32(white), 0, 1) ** np.float32(gamma)
    saturation = np.float32(rng.uniform(*config.saturation))
    gray = shown.mean(axis=2, keepdims=True)
    shown = np.clip(gray + (shown - gray) * saturation, 0, 1)
    data = np.zeros_like(chip.data)
    data[..., :3] = np.rint(shown * 255) / np.float32(255)
    return replace(chip, data=data, kind="display")


def _blurred(chip: MaskChip, *, rng: np.random.Generator, config: MaskAugmentConfig) -> MaskChip:
    """As resampling leaves it."""
    if rng.random() >= config.blur_chance:
        return chip
    return replace(chip, data=np.asarray(cv2.GaussianBlur(chip.data, (0, 0), rng.uniform(0.4, 1.2)), np.float32))


def _cut_off(
    data: NDArray[np.float32], mask: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Nothing beyond a line across the chip, as at the edge of an orbit."""
    height, width = mask.shape
    angle = rng.uniform(0, 2 * np.pi)
    rows, cols = np.mgrid[:height, :width]
    far = (rows - height / 2) * np.sin(angle) + (cols - width / 2) * np.cos(angle)
    gone = far > rng.uniform(-0.2, 0.45) * min(height, width)
    data, mask = data.copy(), mask.copy()
    data[gone], mask[gone] = 0, NODATA
    return data, mask
