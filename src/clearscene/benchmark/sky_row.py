"""A sky model as a row, judged as `clearscene sky` uses it: whole photos, mirrored too, checked, along their edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.classes import needed, summed
from clearscene.sky.api import mask_pixels
from clearscene.sky.model import SKY, SkyModel
from clearscene.sky.options import SkyOptions

__all__ = ["SkyRow", "load_sky_row"]

WHITE = np.float32(255)


@dataclass(frozen=True, eq=False)
class SkyRow:
    """Law: at one half it calls sky what the command hides; where that hides nothing, the probability is 0 all over."""

    name: str
    model: SkyModel
    options: SkyOptions
    positive: tuple[str, ...]
    is_whole: ClassVar[bool] = True

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        """See `Row`."""
        return needed(self.name, self.model.model.manifest.input.bands, offered)

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        """See `Row`."""
        manifest = self.model.model.manifest
        order = [list(bands).index(name) for name in manifest.input.bands]
        photo = np.rint(image[order].clip(0, 1) * WHITE).astype(np.uint8).transpose(1, 2, 0)  # (row, col, 3)
        seen = mask_pixels(np.ascontiguousarray(photo), self.model, self.options)
        sky = seen.probability if seen.check.has_sky else np.zeros_like(seen.probability)
        other = next(entry.name for entry in manifest.classes if entry.name != SKY)
        return summed(np.stack([1 - sky, sky]), (other, SKY), self.positive, what=self.name)


def load_sky_row(name: str, folder: Path, *, positive: tuple[str, ...], device: str, threads: int) -> SkyRow:
    """A model folder for sky, with the options that the command has by default.

    Raises:
        ModelError: It is broken.
    """
    options = SkyOptions(model=str(folder), device=device, workers=threads)
    return SkyRow(name, SkyModel.load(options), options, positive)
