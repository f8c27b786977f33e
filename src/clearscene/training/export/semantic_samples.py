"""Chips of prepared sets as tiles, seen as the network was trained to see them."""

from typing import Any

import numpy as np

from clearscene.models.model import pad
from clearscene.synth.chip_set import ChipSet
from clearscene.training.export.options import SemanticLook, Trained
from clearscene.training.export.samples import Sample, Samples
from clearscene.training.semantic_augment import whole
from clearscene.training.semantic_chips import normalized
from clearscene.training.training_set import SemanticSet

__all__ = ["SemanticSamples", "samples_of"]


def samples_of(trained: Trained, *, tile_size: int, limit: int) -> Samples:
    """The samples of a trained network's validation split.

    Raises:
        DatasetError: The split holds no chips.
    """
    given, types = trained.answering.input, trained.answering.types
    if trained.semantic is None:
        return Samples(trained.sets, given, tile_size=tile_size, types=types, limit=limit)
    samples = SemanticSamples(trained.sets, given, tile_size=tile_size, types=types, limit=limit)
    samples.look = trained.semantic
    return samples


class SemanticSamples(Samples):
    """As `Samples`. Of the view `whole` a photo becomes the tile; of `crop` a larger chip is cut to its upper left."""

    look: SemanticLook

    def _sample(self, chips: ChipSet | SemanticSet, record: Any) -> Sample:
        assert isinstance(chips, SemanticSet)
        image, mask = chips.read(record)
        if self.look.view == "whole":
            image, mask = whole(image, mask, self._size)
        image, mask = image[: self._size, : self._size], mask[: self._size, : self._size]
        shown = pad(normalized(image, self.look.spec), self._size)[None]
        return Sample(record.id, record.scene, shown, mask, _NO_LABELS)


_NO_LABELS = np.zeros(0, np.float32)
