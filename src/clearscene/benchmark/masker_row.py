"""Cloud maskers as rows: our shipped model, model folders for cloud masks, and peers, all tiled alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.grid import slices
from clearscene.masking.choose import load_masker
from clearscene.masking.classes import THICK, THIN, legend
from clearscene.masking.engine import known_classes, mask_pieces, plan_for
from clearscene.masking.masker import Masker, select_bands
from clearscene.masking.options import MaskOptions
from clearscene.masking.source import array_source
from clearscene.raster.sensors.product import Kind

__all__ = ["MaskerRow", "load_masker_row"]


@dataclass(frozen=True, eq=False)
class MaskerRow:
    """Probability of cloud, thick and thin together."""

    name: str
    masker: Masker
    kind: Kind
    """What the values of the images are."""
    options: MaskOptions
    is_whole: ClassVar[bool] = False

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        """See `Row`."""
        return select_bands(self.masker.traits, offered, "the set")

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        """See `Row`.

        Raises:
            ModelError: The masker is not meant for values of this kind.
        """
        kinds = self.masker.traits.kinds
        if self.kind not in kinds:
            raise ModelError(
                f"{self.name} reads {' and '.join(sorted(kinds))} values; those of the set are {self.kind}.",
                hint="Set `kind` of the set, or judge it without this model.",
            )
        source = array_source(image, list(bands), scale=1.0, offset=0.0, kind=self.kind)
        n_classes = known_classes(self.masker, 4)
        cloud = [i for i, entry in enumerate(legend(n_classes)) if set(entry.members) <= {THICK, THIN}]
        found = np.zeros(image.shape[1:], np.float32)
        plan = plan_for(source, self.masker, self.options)
        for piece in mask_pieces(source, self.masker, classes=n_classes, plan=plan):
            found[slices(piece.window)] = piece.probabilities[cloud].sum(axis=0)
        return found


def load_masker_row(name: str, model: str, *, kind: Kind, device: str, threads: int) -> MaskerRow:
    """A shipped model by name, a model folder, or a peer by name. Each tile is the work of one thread.

    Raises:
        ModelError: There is no such model, or it is broken.
        MissingExtraError: A peer that is not installed.
    """
    options = MaskOptions(models=(model,), classes=4, device=device, workers=threads)
    return MaskerRow(name, load_masker(options), kind, options)
