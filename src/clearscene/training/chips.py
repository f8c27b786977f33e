"""Chips as batches of tensors: how they are read and varied, and what the truth of a chip is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clearscene.errors import ClearsceneError, DatasetError
from clearscene.inspection.taxonomy import NODATA, TYPES
from clearscene.synth.chip_set import ChipRecord, ChipSet
from clearscene.training.augment import augment, padded
from clearscene.training.config import AugmentConfig
from clearscene.training.networks.spec import CLASSES, TYPE_NAMES

__all__ = [
    "MULTIPLE",
    "Batch",
    "Chip",
    "Failure",
    "Place",
    "TrainChips",
    "ValChips",
    "collate",
    "failure",
    "label_vector",
    "segmentation_truth",
]

UNKNOWN = -1.0
"""Label of a type that a chip may or may not show: it does not count."""
FEW = 16
"""Pixels of a type that a crop leaves behind and that nobody could be asked to see."""
MULTIPLE = 32
"""Height and width of a batch are multiples of it: the coarsest stride of the encoders."""


class Batch(NamedTuple):
    """What the network sees and what it should say."""

    image: Tensor
    """uint8 (n, 3, row, col); of chips for cloud masks float32 (n, 4, row, col), normalized already."""
    mask: Tensor
    """uint8 (n, row, col): ids of the taxonomy, or of cloud masks; 255 ignored."""
    labels: Tensor
    """float32 (n, type): 1, 0, or -1 for unknown."""
    is_clean: Tensor
    """bool (n,): no defect at all."""
    ids: list[str]
    """Names of the chips."""
    clean: Tensor | None = None
    """float32 (n, 3, row, col), of batches for fusing only: the images before they were spoiled."""


class Place(NamedTuple):
    """A chip in the course of a training: all that its random numbers depend on."""

    epoch: int
    position: int
    """In the epoch."""
    chip: int
    """In the list of chips."""


@dataclass(frozen=True)
class Chip:
    """A record and the set that it is from."""

    chips: ChipSet
    record: ChipRecord

    @property
    def is_clean(self) -> bool:
        """True if it shows no defect and no cloud, for sure."""
        return self.record.is_clean

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (row, col, 3) and mask (row, col); a gray chip has three equal bands.

        Raises:
            DatasetError: A picture is missing or broken, the sizes differ, or the mask holds an unknown id.
        """
        image, mask = self.chips.image(self.record), self.chips.mask(self.record)
        path = self.chips.folder / self.record.image
        if image.shape[1:] != mask.shape:
            sizes = f"{image.shape[1]} x {image.shape[2]} pixels and its mask {mask.shape[0]} x {mask.shape[1]}"
            raise DatasetError(f"{path} is {sizes}.", hint="Make the chip again.")
        if len(image) not in (1, 3):
            raise DatasetError(f"{path} has {len(image)} bands; a chip has 1 or 3.", hint="Make the chip again.")
        return np.ascontiguousarray(np.broadcast_to(image, (3, *mask.shape)).transpose(1, 2, 0)), mask


@dataclass(frozen=True)
class Loaded:
    """A chip as it goes into a batch."""

    image: NDArray[np.uint8]
    """(row, col, 3)."""
    mask: NDArray[np.uint8]
    labels: NDArray[np.float32]
    is_clean: bool
    id: str


@dataclass(frozen=True)
class Failure:
    """An error that a reading process hands to the one that it serves."""

    error: DatasetError


class TrainChips(Dataset[Loaded | Failure]):
    """Chips by `Place`, varied. Law: a place gives the same chip in whatever process and order it is read."""

    def __init__(self, chips: Sequence[Chip], config: AugmentConfig, *, size: int, seed: int) -> None:
        self.chips, self.config, self.size, self.seed = list(chips), config, size, seed

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, place: Place) -> Loaded | Failure:
        chip = self.chips[place.chip]
        try:
            image, mask = chip.read()
        except ClearsceneError as error:
            return failure(error)
        rng = np.random.default_rng([self.seed, place.epoch, place.position])
        labels = chip.record.labels
        varied, left = augment(image, mask, labels, rng=rng, config=self.config, size=self.size)
        return Loaded(varied, left, label_vector(chip.record, mask, left), chip.is_clean, chip.record.id)


class ValChips(Dataset[Loaded | Failure]):
    """Chips as they are."""

    def __init__(self, chips: Sequence[Chip]) -> None:
        self.chips = list(chips)

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, index: int) -> Loaded | Failure:
        record = self.chips[index].record
        try:
            image, mask = self.chips[index].read()
        except ClearsceneError as error:
            return failure(error)
        return Loaded(image, mask, label_vector(record, mask, mask), record.is_clean, record.id)


def failure(error: ClearsceneError) -> Failure:
    """The error without its traceback, which does not go from process to process."""
    return Failure(DatasetError(error.message, hint=error.hint))


def label_vector(record: ChipRecord, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Labels (type,) of a chip of which `after` is left of the mask `before`.

    1 for a type of the record, unknown for one that nobody has decided on, 0 for another. A type whose pixels
    were cut away is 0, or unknown if a few are left. A type that is covered by others all over stays, unless
    something was cut: then it is unknown.
    """
    labels = np.array([name in record.labels for name in TYPE_NAMES], np.float32)
    labels[[name in record.undecided and name not in record.labels for name in TYPE_NAMES]] = UNKNOWN
    if before.size == after.size:  # turned at most
        return labels
    n_before = np.bincount(before.ravel(), minlength=256)
    n_after = np.bincount(after.ravel(), minlength=256)
    for i, kind in enumerate(TYPES):
        was, left = int(n_before[kind.id]), int(n_after[kind.id])
        if labels[i] == UNKNOWN:
            continue
        if labels[i] and not left:
            labels[i] = 0.0 if was else UNKNOWN
        elif labels[i] and left < min(FEW, was):
            labels[i] = UNKNOWN
    return labels


def collate(loaded: Sequence[Loaded | Failure]) -> Batch | Failure:
    """One batch, or the first failure; chips of odd or different sizes are padded with pixels that are ignored."""
    chips = [chip for chip in loaded if isinstance(chip, Loaded)]
    if len(chips) < len(loaded):
        return next(chip for chip in loaded if isinstance(chip, Failure))
    height, width = (-(-max(chip.mask.shape[axis] for chip in chips) // MULTIPLE) * MULTIPLE for axis in (0, 1))
    pairs = [padded(chip.image, chip.mask, height, width) for chip in chips]
    return Batch(
        image=torch.from_numpy(np.stack([image for image, _ in pairs]).transpose(0, 3, 1, 2).copy()),
        mask=torch.from_numpy(np.stack([mask for _, mask in pairs])),
        labels=torch.from_numpy(np.stack([chip.labels for chip in chips])),
        is_clean=torch.tensor([chip.is_clean for chip in chips]),
        ids=[chip.id for chip in chips],
    )


def segmentation_truth(mask: Tensor) -> Tensor:
    """Class indexes (int64) of a mask of any shape; 255 for ids that the decoder does not answer, the pixel types."""
    return _TO_CLASS.to(mask.device)[mask.long()]


_TO_CLASS = torch.full((256,), NODATA, dtype=torch.int64)
_TO_CLASS[torch.tensor(CLASSES)] = torch.arange(len(CLASSES))
