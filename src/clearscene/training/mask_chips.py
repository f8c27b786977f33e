"""Chips for cloud masks as batches of tensors: normalized as inference does it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from clearscene.errors import ClearsceneError, DatasetError
from clearscene.training.chips import MULTIPLE, Batch, Chip, Failure, Place, failure
from clearscene.training.mask_augment import MaskChip, plain, varied
from clearscene.training.mask_config import MaskAugmentConfig

__all__ = ["LoadedMask", "MaskTrainChips", "MaskValChips", "collate_masks", "read_mask_chip"]

NODATA = 255


@dataclass(frozen=True)
class LoadedMask:
    """A chip as it goes into a batch."""

    image: NDArray[np.float32]
    """(4, row, col), normalized."""
    mask: NDArray[np.uint8]
    is_clean: bool
    id: str


class MaskTrainChips(Dataset[LoadedMask | Failure]):
    """Chips by `Place`, varied. Law: as `TrainChips`."""

    def __init__(self, chips: Sequence[Chip], config: MaskAugmentConfig, *, size: int, seed: int) -> None:
        self.chips, self.config, self.size, self.seed = list(chips), config, size, seed

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, place: Place) -> LoadedMask | Failure:
        chip = self.chips[place.chip]
        try:
            read = read_mask_chip(chip)
        except ClearsceneError as error:
            return failure(error)
        rng = np.random.default_rng([self.seed, place.epoch, place.position])
        made = self.finished(varied(read, rng=rng, config=self.config, size=self.size), rng)
        return LoadedMask(made.image(), made.mask, not chip.record.labels, chip.record.id)

    def finished(self, chip: MaskChip, rng: np.random.Generator) -> MaskChip:  # noqa: ARG002  # for classes below
        """The last step before a chip goes into a batch; here there is none."""
        return chip


class MaskValChips(Dataset[LoadedMask | Failure]):
    """Chips as they are; every second one as if near infrared were absent."""

    def __init__(self, chips: Sequence[Chip]) -> None:
        self.chips = list(chips)

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> LoadedMask | Failure:
        record = self.chips[index].record
        try:
            chip = plain(read_mask_chip(self.chips[index]), without_nir=index % 2 == 1)
        except ClearsceneError as error:
            return failure(error)
        chip = self.finished(chip, index)
        return LoadedMask(chip.image(), chip.mask, not record.labels, record.id)

    def finished(self, chip: MaskChip, index: int) -> MaskChip:  # noqa: ARG002  # for classes below
        """The last step, the same each time for the chip at `index`; here there is none."""
        return chip


def read_mask_chip(chip: Chip) -> MaskChip:
    """Read a chip from disk.

    Raises:
        DatasetError: A picture is missing or broken, or the sizes differ.
    """
    stored, mask = chip.chips.reflectance(chip.record), chip.chips.mask(chip.record)
    if stored.shape[:2] != mask.shape:
        path = chip.chips.folder / chip.record.image
        raise DatasetError(f"{path} and its mask differ in size: {stored.shape[:2]}, {mask.shape}.")
    return MaskChip.of(stored, mask, has_nir=bool(chip.record.parameters.get("nir", True)))


def collate_masks(loaded: Sequence[LoadedMask | Failure]) -> Batch | Failure:
    """One batch, or the first failure; odd sizes are padded with zeros that are ignored."""
    chips = [chip for chip in loaded if isinstance(chip, LoadedMask)]
    if len(chips) < len(loaded):
        return next(chip for chip in loaded if isinstance(chip, Failure))
    height, width = (-(-max(chip.mask.shape[axis] for chip in chips) // MULTIPLE) * MULTIPLE for axis in (0, 1))
    images = np.zeros((len(chips), 4, height, width), np.float32)
    masks = np.full((len(chips), height, width), NODATA, np.uint8)
    for i, chip in enumerate(chips):
        rows, cols = chip.mask.shape
        images[i, :, :rows, :cols], masks[i, :rows, :cols] = chip.image, chip.mask
    return Batch(
        image=torch.from_numpy(images),
        mask=torch.from_numpy(masks),
        labels=torch.full((len(chips), 0), -1.0),
        is_clean=torch.tensor([chip.is_clean for chip in chips]),
        ids=[chip.id for chip in chips],
    )
