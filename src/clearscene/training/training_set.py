"""What the loop asks of a set of chips, whatever its form: chips of ours, or a prepared set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.prepared import PreparedRecord, PreparedSet
from clearscene.errors import DatasetError
from clearscene.synth.chip_set import Split
from clearscene.training.networks.spec import NetworkSpec

__all__ = ["SemanticSet", "TrainingSet"]


class TrainingSet(Protocol):
    """Chips with splits. `ChipSet` and `SemanticSet` are such."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def product(self) -> str:
        """What its masks are about."""
        ...

    def digest(self) -> str:
        """Of all that it holds."""
        ...

    def records(self, split: Split | None = None) -> Sequence[Any]:
        """The chips of a split, or all."""
        ...

    def __len__(self) -> int: ...


class SemanticSet:
    """A prepared set with the bands and classes that a network wants.

    Raises:
        DatasetError: It lacks a band, or its classes are others.
    """

    product = "semantic"

    def __init__(self, prepared: PreparedSet, spec: NetworkSpec) -> None:
        self.prepared, self.folder, self.bands = prepared, prepared.folder, spec.bands
        missing = [band for band in spec.bands if band not in prepared.bands]
        if missing:
            raise DatasetError(
                f"{self.folder} has no band {missing[0]!r}, which network.bands names.",
                hint=f"It has {', '.join(prepared.bands)}.",
            )
        if tuple(prepared.classes) != tuple(spec.classes):
            raise DatasetError(
                f"{self.folder} has the classes {list(prepared.classes)}; network.classes are {list(spec.classes)}.",
                hint=f"Set network.classes = {list(prepared.classes)}.",
            )
        self.about: Mapping[str, Any] = dict(prepared.info)
        self._shown: dict[str, frozenset[int]] = {}

    @classmethod
    def open(cls, folder: Path, spec: NetworkSpec) -> Self:
        """Read the list of chips; see `PreparedSet.open`."""
        return cls(PreparedSet.open(folder), spec)

    @property
    def is_display(self) -> bool:
        """True if values are display colors, not reflectance."""
        return self.prepared.scaling == "display"

    def __len__(self) -> int:
        return len(self.prepared)

    def digest(self) -> str:
        """Of the list of chips."""
        return self.prepared.digest

    def records(self, split: Split | None = None) -> list[PreparedRecord]:
        """The chips of a split, or all."""
        return self.prepared.records(split)

    def read(self, record: PreparedRecord) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Values (row, col, band) and places of classes (row, col), 255 to be ignored.

        Raises:
            DatasetError: A picture is missing or broken, or the sizes differ.
        """
        image, mask = self.prepared.image(record, self.bands), self.prepared.mask(record)
        if image.shape[1:] != mask.shape:
            path = self.folder / record.image
            raise DatasetError(f"{path} and its mask differ in size: {image.shape[1:]}, {mask.shape}.")
        return np.ascontiguousarray(image.transpose(1, 2, 0)), mask

    def shows(self, record: PreparedRecord) -> frozenset[int]:
        """Places of the classes that a chip holds; its mask is read once.

        Raises:
            DatasetError: The mask is missing or broken.
        """
        if record.id not in self._shown:
            found = np.unique(self.prepared.mask(record))
            self._shown[record.id] = frozenset(int(value) for value in found if value < len(self.prepared.classes))
        return self._shown[record.id]
