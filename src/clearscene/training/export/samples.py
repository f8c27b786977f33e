"""Chips of the validation split as tiles: what a network is asked during an export."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import DatasetError, ModelError
from clearscene.inspection.taxonomy import BY_NAME, NODATA
from clearscene.models.manifest import InputSpec
from clearscene.synth.chip_set import ChipRecord, ChipSet, Split
from clearscene.training.chips import Chip
from clearscene.training.mask_chips import read_mask_chip
from clearscene.training.training_set import SemanticSet

__all__ = ["Sample", "Samples"]


@dataclass(frozen=True, eq=False)
class Sample:
    """A chip, ready for the network."""

    id: str
    source: str
    image: NDArray[np.float32]
    """(1, band, row, col), normalized, reflected at its lower and right edge to the size of the tile."""
    mask: NDArray[np.uint8]
    """(row, col) of the chip itself; 255 is to be ignored."""
    labels: NDArray[np.float32]
    """(type,): 1 has it, 0 has it not, NaN unknown because a part of the chip was cut off."""


class Samples:
    """The samples of a split of some sets of chips, thinned out evenly to at most `limit`.

    Laws: the order is that of the sets, in each that of the ids; each run over it gives the same samples. A
    chip larger than the tile is cut to its upper left.

    Raises:
        DatasetError: The split holds no chips.
    """

    def __init__(
        self,
        sets: Sequence[ChipSet | SemanticSet],
        spec: InputSpec,
        *,
        tile_size: int,
        types: Sequence[str],
        split: Split = "val",
        limit: int = 2000,
    ) -> None:
        records: list[tuple[ChipSet | SemanticSet, Any]] = [
            (one, record) for one in sets for record in one.records(split)
        ]
        if not records:
            places = ", ".join(str(chips.folder) for chips in sets)
            raise DatasetError(f"{places}: no chips in the split {split!r}.", hint="An export needs real chips.")
        if spec.normalization == "per_tile":
            raise ModelError("Networks that are normalized by the tile cannot be exported.", hint="Use 'fixed'.")
        self.records = [records[i] for i in _spread(len(records), limit)]
        self._spec, self._size, self._types = spec, tile_size, tuple(types)

    @property
    def tells_defects(self) -> bool:
        """True if the masks are about what is wrong with an image, not about what it shows."""
        return all(isinstance(chips, ChipSet) for chips, _ in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Sample]:
        return (self._sample(*record) for record in self.records)

    def spread(self, count: int) -> Iterator[Sample]:
        """At most `count` samples, spread evenly, read as they are asked for."""
        return (self._sample(*self.records[i]) for i in _spread(len(self), count))

    def _sample(self, chips: ChipSet | SemanticSet, record: Any) -> Sample:
        if isinstance(chips, SemanticSet):
            shown, classes = chips.read(record)
            shown, classes = shown[: self._size, : self._size].transpose(2, 0, 1), classes[: self._size, : self._size]
            return Sample(record.id, record.scene, self._padded(shown), classes, np.zeros(0, np.float32))
        place = chips.folder / record.image
        image, mask = self._read(chips, record, place)
        labels = np.array([name in record.labels for name in self._types], np.float32)
        if max(mask.shape) > self._size:
            image, mask = image[:, : self._size, : self._size], mask[: self._size, : self._size]
            labels = self._cut_labels(labels, mask)
        return Sample(record.id, record.source, self._padded(image), mask, labels)

    def _read(self, chips: ChipSet, record: ChipRecord, place: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Normalized image (band, row, col) and mask (row, col)."""
        if self._spec.normalization == "bright_level":
            chip = read_mask_chip(Chip(chips, record))
            return chip.image(), chip.mask
        image, mask = chips.image(record), chips.mask(record)
        if image.shape[1:] != mask.shape:
            raise DatasetError(f"{place} and its mask differ in size: {image.shape[1:]}, {mask.shape}.")
        return self._normalized(image, place), mask

    def _cut_labels(self, labels: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What is seen is there; what was there and is not seen may be gone or hidden."""
        ids = np.array([BY_NAME[name].id for name in self._types])
        seen = np.isin(ids, np.setdiff1d(np.unique(mask), [NODATA]))
        return np.where(seen, 1, np.where(labels == 1, np.nan, 0)).astype(np.float32)

    def _normalized(self, image: NDArray[np.uint8], place: Path) -> NDArray[np.float32]:
        """As `models.Model.prepare` does it; a single band is shown to all channels."""
        n_bands = len(self._spec.bands)
        if image.shape[0] not in (1, n_bands):
            raise DatasetError(f"{place} has {image.shape[0]} bands; the network reads {n_bands}.")
        mean = np.asarray(self._spec.mean or 0.0, np.float32).reshape(-1, 1, 1)
        std = np.asarray(self._spec.std or 1.0, np.float32).reshape(-1, 1, 1)
        scaled = (image.astype(np.float32) / np.float32(self._spec.scale) - mean) / std
        return np.broadcast_to(scaled, (n_bands, *image.shape[1:]))

    def _padded(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        missing = [(0, 0), *((0, self._size - length) for length in image.shape[1:])]
        whole: NDArray[np.float32] = np.pad(image, missing, "reflect")
        return whole[None]


def _spread(n: int, limit: int) -> list[int]:
    """At most `limit` of the indices below `n`, evenly spread, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(limit, n)).tolist()})
