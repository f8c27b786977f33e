"""Chips of prepared sets as batches of tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from clearscene.datasets.prepared import IGNORE, PreparedRecord
from clearscene.errors import ClearsceneError
from clearscene.training.chips import MULTIPLE, Batch, Failure, Place, failure
from clearscene.training.networks.spec import RGB, NetworkSpec
from clearscene.training.semantic_augment import placed, recolored, whole
from clearscene.training.semantic_config import SemanticAugmentConfig
from clearscene.training.sky_swap import drawn_sky, sky_of, swapped
from clearscene.training.training_set import SemanticSet

__all__ = ["LoadedSemantic", "SemanticChip", "SemanticTrainChips", "SemanticValChips", "collate_semantic", "normalized"]


@dataclass(frozen=True)
class SemanticChip:
    """A record and the set that it is from."""

    chips: SemanticSet
    record: PreparedRecord

    @property
    def is_clean(self) -> bool:
        """True if it shows nothing but the first class."""
        return self.chips.shows(self.record) <= {0}


@dataclass(frozen=True)
class LoadedSemantic:
    """A chip as it goes into a batch."""

    image: NDArray[np.float32]
    """(band, row, col), normalized."""
    mask: NDArray[np.uint8]
    id: str


class SemanticTrainChips(Dataset[LoadedSemantic | Failure]):
    """Chips by `Place`, varied. Law: as `TrainChips`."""

    def __init__(
        self,
        chips: Sequence[SemanticChip],
        config: SemanticAugmentConfig,
        spec: NetworkSpec,
        *,
        size: int,
        seed: int,
    ) -> None:
        self.chips, self.config, self.spec, self.size, self.seed = list(chips), config, spec, size, seed
        self._last = len(spec.classes) - 1

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, place: Place) -> LoadedSemantic | Failure:
        chip = self.chips[place.chip]
        rng = np.random.default_rng([self.seed, place.epoch, place.position])
        try:
            image, mask = chip.chips.read(chip.record)
            image, mask = placed(image, mask, rng=rng, config=self.config, size=self.size)
            image = self._swapped(image, mask, rng)
        except ClearsceneError as error:
            return failure(error)
        is_color = self.spec.bands[:3] == RGB
        image = recolored(image, rng=rng, config=self.config, is_color=is_color, is_display=chip.chips.is_display)
        return LoadedSemantic(normalized(image, self.spec), mask, chip.record.id)

    @cached_property
    def _donors(self) -> list[SemanticChip]:
        """Chips with the last class."""
        return [chip for chip in self.chips if self._last in chip.chips.shows(chip.record)]

    def _swapped(
        self, image: NDArray[np.float32], mask: NDArray[np.uint8], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """By chance with another sky."""
        if rng.random() >= self.config.sky_swap_chance or not (mask == self._last).any():
            return image
        sky = None
        if rng.random() >= self.config.drawn_share:
            donor = self._donors[rng.integers(len(self._donors))]
            other, of_other = donor.chips.read(donor.record)
            sky = sky_of(other, of_other == self._last, height=self.size, width=self.size)
        if sky is None:
            sky = drawn_sky(self.size, self.size, rng=rng)
        return swapped(image, mask == self._last, sky if rng.random() < 0.5 else sky[:, ::-1])


class SemanticValChips(Dataset[LoadedSemantic | Failure]):
    """Chips as they are; photos as the square that the network sees."""

    def __init__(
        self, chips: Sequence[SemanticChip], config: SemanticAugmentConfig, spec: NetworkSpec, *, size: int
    ) -> None:
        self.chips, self.config, self.spec, self.size = list(chips), config, spec, size

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> LoadedSemantic | Failure:
        chip = self.chips[index]
        try:
            image, mask = chip.chips.read(chip.record)
        except ClearsceneError as error:
            return failure(error)
        if self.config.view == "whole":
            image, mask = whole(image, mask, self.size)
        return LoadedSemantic(normalized(image, self.spec), mask, chip.record.id)


def normalized(image: NDArray[np.float32], spec: NetworkSpec) -> NDArray[np.float32]:
    """Network input (band, row, col) of values (row, col, band)."""
    made = (image - np.asarray(spec.mean, np.float32)) / np.asarray(spec.std, np.float32)
    return np.ascontiguousarray(made.transpose(2, 0, 1), np.float32)


def collate_semantic(loaded: Sequence[LoadedSemantic | Failure]) -> Batch | Failure:
    """One batch, or the first failure; odd sizes are padded with zeros that are ignored."""
    chips = [chip for chip in loaded if isinstance(chip, LoadedSemantic)]
    if len(chips) < len(loaded):
        return next(chip for chip in loaded if isinstance(chip, Failure))
    height, width = (-(-max(chip.mask.shape[axis] for chip in chips) // MULTIPLE) * MULTIPLE for axis in (0, 1))
    images = np.zeros((len(chips), len(chips[0].image), height, width), np.float32)
    masks = np.full((len(chips), height, width), IGNORE, np.uint8)
    for i, chip in enumerate(chips):
        rows, cols = chip.mask.shape
        images[i, :, :rows, :cols], masks[i, :rows, :cols] = chip.image, chip.mask
    return Batch(
        image=torch.from_numpy(images),
        mask=torch.from_numpy(masks),
        labels=torch.full((len(chips), 0), -1.0),
        is_clean=torch.tensor([not ((chip.mask > 0) & (chip.mask != IGNORE)).any() for chip in chips]),
        ids=[chip.id for chip in chips],
    )
