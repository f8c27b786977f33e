"""Chips for cloud masks: reflectance of four bands, and clear, thick cloud, thin cloud and shadow as truth.

::

    images/<id>.png    16 bits, reflectance x 10,000 of red, green, blue, near infrared; all 0 where nothing is known
    masks/<id>.png     8 bits, ids of `masking.classes`, 4 for cloud of either kind; 255 is to be ignored

Where an image has no near infrared that band is 0 all over, and the chip's parameters say `nir: false`. As for
other chips, each is a function of the recipe and of its number alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import DatasetError
from clearscene.masking.classes import NODATA, SHADOW, THICK, THIN
from clearscene.synth.chip_set import SPLITS, ChipRecord, Split
from clearscene.synth.chips import Chip
from clearscene.synth.mask_cover import (
    CLOUDS,
    HARMLESS,
    REAL,
    SHADOWS,
    chosen,
    paste_real,
    put_cover,
    put_harmless,
    weighted,
)
from clearscene.synth.mask_recipe import MaskRecipe
from clearscene.synth.mask_truth import CLOUD, TAUGHT_CLOUD, Cover, taught
from clearscene.synth.overlap import check_apart
from clearscene.synth.reflectance import Piece, Scenery, read_piece, read_whole
from clearscene.synth.sources import Source, sources_of

__all__ = ["REFLECTANCE", "MaskChipMaker"]

REFLECTANCE = 10_000.0
"""Stored values of a reflectance of 1."""
HIGHEST = 3.0
"""Reflectance above this is stored as this."""
SEVERAL = (0.65, 0.9)
"""A chip with clouds has one kind up to the first share, two up to the second, else three."""
LEAST_CLOUD = 0.05
"""Share of an image that must be cloud for its clouds to be pasted."""


class MaskChipMaker:
    """Makes the chips of a recipe by number.

    Raises:
        DatasetError: A source folder holds nothing that can be used, or shows a place of the test images.
        OptionError: The recipe names a generator that there is not.
    """

    def __init__(self, recipe: MaskRecipe) -> None:
        self.recipe = recipe
        found = [Scenery(source, spec) for spec in recipe.sources for source in sources_of(spec, recipe)]
        check_apart([scenery.source.path for scenery in found], recipe.apart_from)
        self.grounds = [scenery for scenery in found if scenery.source.labels is None]
        self.labeled = [scenery for scenery in found if scenery.source.labels is not None]
        self.sources: list[Source] = [scenery.source for scenery in found]
        if not self.grounds:
            raise DatasetError("No source holds clear ground.", hint="Name a source without labels.")
        self._clouds, self._shadows, self._harmless = (
            weighted(entries, recipe.generators) for entries in (CLOUDS, SHADOWS, HARMLESS)
        )
        self._cloudy = {
            split: [s for s in self.labeled if s.source.split == split and _is_cloudy(s)] for split in SPLITS
        }

    def make(self, number: int) -> Chip:
        """Chip `number` of the recipe."""
        rng = np.random.default_rng((self.recipe.seed, 11, number))
        if self.labeled and rng.random() < self.recipe.labeled:
            scenery = _drawn(self.labeled, rng)
            piece = self._read(scenery, self.labeled, rng)
            return _chip(number, scenery, piece, taught(piece), {"labels": "real image"})
        scenery = _drawn(self.grounds, rng)
        piece, told = self._read(scenery, self.grounds, rng), dict[str, Any]()
        if self._harmless and rng.random() < self.recipe.lookalikes:
            entry = chosen(self._harmless, rng)
            piece, told["harmless"] = put_harmless(piece, entry, rng), entry.name
        cover = Cover(piece.data)
        if rng.random() >= self.recipe.clean:
            piece, told["cover"] = self._covered(piece, cover, scenery.source.split, rng)
        return _chip(number, scenery, piece, cover.mask(piece.data, piece.valid), told)

    def _read(self, scenery: Scenery, among: list[Scenery], rng: np.random.Generator) -> Piece:
        split, spec = scenery.source.split, scenery.spec
        near = [one for one in among if one.spec is spec and one.source.split == split]
        low, high = np.log(self.recipe.zoom)
        zoom = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.6 else 1.0
        return read_piece(scenery, near, size=self.recipe.size, zoom=zoom, rng=rng)

    def _covered(self, piece: Piece, cover: Cover, split: Split, rng: np.random.Generator) -> tuple[Piece, list[str]]:
        """The piece under one to three kinds of clouds, or in the shadow of one outside alone, and their names."""
        draw, names = rng.random(), []
        shadow = rng.random()
        if shadow < self.recipe.shadows and self._shadows:
            piece = put_cover(piece, cover, self._shadows[0], rng)
            names.append(self._shadows[0].name)
            if shadow < self.recipe.shadows_alone:
                return piece, names
        total = sum(entry.weight for entry in self._clouds)
        real = self._cloudy[split]
        share = self.recipe.real_clouds / (total + self.recipe.real_clouds) if real else 0.0
        for _ in range(1 + int(draw > SEVERAL[0]) + int(draw > SEVERAL[1])):
            if rng.random() < share:
                scenery = real[int(rng.integers(len(real)))]
                piece = paste_real(piece, cover, self._read(scenery, real, rng), rng)
                names.append(REAL)
            elif self._clouds:
                entry = chosen(self._clouds, rng)
                piece = put_cover(piece, cover, entry, rng)
                names.append(entry.name)
        return piece, names


def _chip(number: int, scenery: Scenery, piece: Piece, mask: NDArray[np.uint8], told: dict[str, Any]) -> Chip:
    key = f"{number:06d}"
    shown = set(np.unique(mask).tolist())
    labels = [name for name, ids in (("cloud", {THICK, THIN, CLOUD}), ("shadow", {SHADOW})) if shown & ids]
    record = ChipRecord(
        id=key,
        split=scenery.source.split,
        image=f"images/{key}.png",
        mask=f"masks/{key}.png",
        labels=tuple(labels),
        source=scenery.source.scene,
        parameters={**told, "nir": scenery.has_nir},
    )
    stored = np.zeros((4, *mask.shape), np.uint16)
    stored[: len(piece.data)] = np.rint(np.clip(piece.data, 1 / REFLECTANCE, HIGHEST) * REFLECTANCE)
    stored[:, ~piece.valid] = 0
    mask[~piece.valid] = NODATA
    return Chip(record, stored, mask)


def _is_cloudy(scenery: Scenery) -> bool:
    labels = read_whole(scenery)[2]
    return labels is not None and bool(np.mean(labels == TAUGHT_CLOUD) > LEAST_CLOUD)


def _drawn(among: list[Scenery], rng: np.random.Generator) -> Scenery:
    weights = np.array([scenery.source.weight for scenery in among])
    return among[int(rng.choice(len(among), p=weights / weights.sum()))]
