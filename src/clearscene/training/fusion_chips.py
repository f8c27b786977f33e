"""Places with labels as batches for fusing: of each place several spoiled images, made anew each time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from clearscene.datasets.prepared import IGNORE
from clearscene.errors import ClearsceneError
from clearscene.synth.cloud_bank import CloudBank, Part
from clearscene.synth.spoiling import spoiled_images
from clearscene.training.chips import Batch, Failure, Place, failure
from clearscene.training.fusion_config import FusionConfig
from clearscene.training.semantic_chips import SemanticChip

__all__ = ["FusionTrainChips", "FusionValChips", "LoadedPlace", "collate_places", "resized"]


@dataclass(frozen=True)
class LoadedPlace:
    """A place as it goes into a batch."""

    images: NDArray[np.float32]
    """(image * 3, row, col), values 0 to 1."""
    clean: NDArray[np.float32]
    """(3, row, col), which no training sees: what the fused image is compared with."""
    mask: NDArray[np.uint8]
    id: str


class FusionTrainChips(Dataset[LoadedPlace | Failure]):
    """Places by `Place`, flipped, turned and spoiled. Law: as `TrainChips`; all of a batch have as many images."""

    def __init__(
        self, chips: Sequence[SemanticChip], config: FusionConfig, *, size: int, seed: int, batch_size: int
    ) -> None:
        self.chips, self.config, self.size, self.seed = list(chips), config, size, seed
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, place: Place) -> LoadedPlace | Failure:
        chip = self.chips[place.chip]
        rng = np.random.default_rng([self.seed, place.epoch, place.position])
        of_batch = np.random.default_rng([self.seed, place.epoch, place.position // self.batch_size, 1])
        n_images = int(of_batch.integers(*self.config.images, endpoint=True))
        try:
            clean, mask = resized(chip, self.size, mode=self.config.mode)
        except ClearsceneError as error:
            return failure(error)
        turn, is_flipped = int(rng.integers(4)), bool(rng.random() < 0.5)
        clean, mask = _turned(clean, turn, is_flipped), _turned(mask, turn, is_flipped)
        return _spoiled(chip, clean, mask, self.config, n_images=n_images, rng=rng, part="train")


class FusionValChips(Dataset[LoadedPlace | Failure]):
    """Places as they are, each spoiled the same way whenever it is read, with the most images of the config."""

    def __init__(
        self, chips: Sequence[SemanticChip], config: FusionConfig, *, size: int, seed: int = 0, part: Part = "train"
    ) -> None:
        self.chips, self.config, self.size, self.seed, self.part = list(chips), config, size, seed, part

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> LoadedPlace | Failure:
        try:
            clean, mask = resized(self.chips[index], self.size, mode="corrected")
        except ClearsceneError as error:
            return failure(error)
        rng, n_images = np.random.default_rng([self.seed, index]), self.config.images[1]
        chip = self.chips[index]
        return _spoiled(chip, clean, mask, self.config, n_images=n_images, rng=rng, part=self.part)


def resized(chip: SemanticChip, size: int, *, mode: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Image (3, size, size) and class places (size, size) of a place.

    In mode `code` places are averaged where classes meet and rounded, as the published code does it: between
    background (2) and building (0) a line of road (1) appears. Else the nearest is taken.

    Raises:
        DatasetError: A picture cannot be read.
    """
    image, mask = chip.chips.read(chip.record)
    if mask.shape == (size, size):
        return np.ascontiguousarray(image.transpose(2, 0, 1)), mask
    area = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    if mode == "code":
        mixed = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
        ignored = cv2.resize((mask == IGNORE).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0
        places = np.where(ignored, IGNORE, np.minimum(np.rint(mixed), mask[mask != IGNORE].max(initial=0)))
    else:
        places = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(area.transpose(2, 0, 1), np.float32), places.astype(np.uint8)


def _turned(array: NDArray[Any], turn: int, is_flipped: bool) -> NDArray[Any]:
    turned = np.rot90(array, turn, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if is_flipped else turned)


def _spoiled(
    chip: SemanticChip,
    clean: NDArray[np.float32],
    mask: NDArray[np.uint8],
    config: FusionConfig,
    *,
    n_images: int,
    rng: np.random.Generator,
    part: Part,
) -> LoadedPlace:
    area = float(rng.uniform(*config.area))
    bank = CloudBank(part, size=clean.shape[-1]) if config.artifacts == "paper" else None
    made = spoiled_images(clean, n_images, area, rng, bank=bank, kind=config.artifacts)
    images = np.stack([image.data for image in made])
    if config.fuses_by == "mean":
        images = images.mean(axis=0, keepdims=True)
    return LoadedPlace(images.reshape(-1, *clean.shape[1:]), clean, mask, chip.record.id)


def collate_places(loaded: Sequence[LoadedPlace | Failure]) -> Batch | Failure:
    """One batch, or the first failure."""
    places = [place for place in loaded if isinstance(place, LoadedPlace)]
    if len(places) < len(loaded):
        return next(place for place in loaded if isinstance(place, Failure))
    return Batch(
        image=torch.from_numpy(np.stack([place.images for place in places])),
        mask=torch.from_numpy(np.stack([place.mask for place in places])),
        labels=torch.full((len(places), 0), -1.0),
        is_clean=torch.zeros(len(places), dtype=torch.bool),
        ids=[place.id for place in places],
        clean=torch.from_numpy(np.stack([place.clean for place in places])),
    )
