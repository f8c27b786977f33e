"""Chips for the quality network: those of cloud masks, with more that can spoil an image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clearscene.masking.classes import CLEAR
from clearscene.synth.catalog import GENERATORS, Generator
from clearscene.synth.occlusion import half_plane, occlusion
from clearscene.training.chips import Chip
from clearscene.training.fusion_config import FusionConfig
from clearscene.training.mask_augment import MaskChip
from clearscene.training.mask_chips import MaskTrainChips, MaskValChips
from clearscene.training.mask_config import MaskAugmentConfig

__all__ = ["FAINT", "LOST", "QualityTrainChips", "QualityValChips", "put_defect"]

LOST, FAINT = 5, 6
"""In the truth of these chips: pixels that show nothing of the ground, and pixels that show it badly."""
SHOWN_WHITE = 0.36
"""Reflectance that counts as the white of a display for the generators."""
DARKEST = np.float32(1e-6)
"""What is 0 in all bands would count as not valid."""
TYPES = ("overflow", "stripe", "missing", "blur")
KINDS = {kind: tuple(entry for entry in GENERATORS if entry.type == kind) for kind in TYPES}
"""Drawn evenly: of 13 generators only one makes stripes, which would hardly be seen in training."""
OCCLUDED = 0.5
"""Of the defects: a part of the image is black or white."""
BAD_BLUR = 0.4
"""Severity from which a blur counts."""


class QualityTrainChips(MaskTrainChips):
    """Chips by `Place`, varied and spoiled. Law: as `TrainChips`."""

    def __init__(
        self, chips: Sequence[Chip], config: MaskAugmentConfig, fusion: FusionConfig, *, size: int, seed: int
    ) -> None:
        super().__init__(chips, config, size=size, seed=seed)
        self.fusion = fusion

    def finished(self, chip: MaskChip, rng: np.random.Generator) -> MaskChip:
        """With one more defect, as often as the config says."""
        return put_defect(chip, rng) if rng.random() < self.fusion.defect_chance else chip


class QualityValChips(MaskValChips):
    """Chips as they are; every second one without near infrared, every third one with a defect, always the same."""

    def finished(self, chip: MaskChip, index: int) -> MaskChip:
        """With the defect of its place, if it is to have one."""
        return put_defect(chip, np.random.default_rng(index)) if index % 3 == 0 else chip


def put_defect(chip: MaskChip, rng: np.random.Generator) -> MaskChip:
    """The chip with one more defect: a part that is black or white, lost lines, stripes, overflow, blur.

    Laws: the mask gains `LOST` and `FAINT` only; where it gains nothing, the values stay but for a faint rim.
    """
    if rng.random() < OCCLUDED:
        return _occluded(chip, rng)
    entries = KINDS[TYPES[int(rng.integers(len(TYPES)))]]
    entry = entries[int(rng.integers(len(entries)))]
    white = np.float32(1.0 if chip.kind == "display" else SHOWN_WHITE)
    severity = float(rng.uniform(BAD_BLUR if entry.type == "blur" else 0.2, 1.0))
    n_bands = 4 if chip.has_nir else 3
    data = np.ascontiguousarray(chip.data[..., :n_bands].transpose(2, 0, 1)) / white
    made = entry.degrade(data, chip.valid, rng, severity)
    spoiled = chip.data.copy()
    spoiled[..., :n_bands] = made.data.transpose(1, 2, 0) * white
    return _marked(chip, spoiled, made.mask, value=_value(entry))


def _value(entry: Generator) -> int:
    """Overflow is no loss: a clear red roof that is taken for it must stay better than one under a veil."""
    return LOST if entry.type == "missing" else FAINT


def _occluded(chip: MaskChip, rng: np.random.Generator) -> MaskChip:
    height, width = chip.mask.shape
    draw = half_plane if rng.random() < 0.3 else occlusion
    lost = draw(height, width, float(rng.uniform(0.05, 0.5)), rng)
    spoiled = chip.data.copy()
    spoiled[lost] = 1.0 if rng.random() < 0.2 else DARKEST
    if not chip.has_nir:
        spoiled[..., 3] = 0
    return _marked(chip, spoiled, lost & chip.valid, value=LOST)


def _marked(chip: MaskChip, data: NDArray[np.float32], lost: NDArray[np.bool_], *, value: int) -> MaskChip:
    """The chip with these values and `value` where `lost`, unless it is cloudy there and `value` the lesser evil."""
    valid, mask = chip.valid, chip.mask.copy()
    mask[lost & ((mask == CLEAR) if value == FAINT else (mask != 255))] = value
    kept = np.where(valid[..., None], np.maximum(data, DARKEST), np.float32(0))
    if not chip.has_nir:
        kept[..., 3] = 0
    return replace(chip, data=np.asarray(kept, np.float32), mask=mask)
