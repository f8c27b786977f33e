"""Training chips: real ground, generated defects, exact masks, words.

Every chip is a function of the recipe and of its number alone, so that sets can be made in pieces,
interrupted and gone on with, and made again anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import DatasetError, OptionError
from clearscene.inspection.taxonomy import BY_ID, BY_NAME, NODATA, Group
from clearscene.synth.catalog import LOOKALIKE, ORDER, REDUCED, Generator, generators_of
from clearscene.synth.chip_set import SPLITS, ChipRecord, Split
from clearscene.synth.chip_text import describe_chip, label_names
from clearscene.synth.degraded import Degraded
from clearscene.synth.looks import Look, draw_look, finish
from clearscene.synth.mosaic import REDUCTION, reduced_ground
from clearscene.synth.real_clouds import RealClouds
from clearscene.synth.recipe import ChipsRecipe
from clearscene.synth.sources import Ground, Source, find_sources, read_ground

__all__ = ["Chip", "ChipMaker"]

TRIES = 4
"""Grounds that are tried for a defect that shows on none of them (a blur of water)."""
LEAST_SEVERITY = 0.15
"""Below, not even a careful inspector would mark it."""
MOVING = frozenset({"stretching", "distortion", "misalignment"})
"""Types that move pixels: a second one would move what the mask of the first marks, so a chip has one of them."""
WIDEST_SHADOW = 0.8
"""Share of a chip; a shadow over all of it cannot be told from dark ground by anybody."""


@dataclass(frozen=True, eq=False)
class Chip:
    """A chip in memory."""

    record: ChipRecord
    image: NDArray[np.uint8 | np.uint16]
    """(band, row, col)."""
    mask: NDArray[np.uint8]
    """(row, col)."""


@dataclass(eq=False)
class _Canvas:
    """A chip in the making."""

    data: NDArray[np.float32]
    valid: NDArray[np.bool_]
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """By type name, in the order in which the types went in."""
    severity: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def put(self, entry: Generator, rng: np.random.Generator, severity: float) -> bool:
        """Put a defect in; False if it does not show."""
        result = entry.degrade(self.data, self.valid, rng, severity)
        if entry.type in BY_NAME and not result.mask.any():
            return False
        if entry.type == "shadow" and result.mask.mean() > WIDEST_SHADOW:
            return False
        self.data = result.data
        self._note(entry, result, severity)
        return True

    def _note(self, entry: Generator, result: Degraded, severity: float) -> None:
        self.parameters[entry.name] = dict(result.parameters)
        for name, mask in {**result.also, entry.type: result.mask}.items():
            if name in BY_NAME and mask.any():
                before = self.masks.pop(name, np.zeros_like(mask))
                self.masks[name] = before | mask
                self.severity[name] = round(severity, 3)


class ChipMaker:
    """Makes the chips of a recipe by number.

    Raises:
        DatasetError: A source folder holds nothing that can be used.
        OptionError: The recipe leaves no type of defect, or names a generator that there is not.
    """

    def __init__(self, recipe: ChipsRecipe) -> None:
        self.recipe = recipe
        self.sources = find_sources(recipe)
        self.grounds = [s for s in self.sources if s.labels is None]
        self.labeled = [s for s in self.sources if s.labels is not None]
        if not _weighs(self.grounds):
            raise DatasetError(
                "No source holds clean ground.", hint="Name a source without labels, of a weight above 0."
            )
        self._generators = generators_of(recipe.generators)
        self._real = {split: RealClouds(self.labeled, split) for split in SPLITS}
        self._types = {split: [name for name in ORDER if self._can_make(name, split)] for split in SPLITS}
        if not all(self._types[source.split] for source in self.grounds if source.weight > 0):
            raise OptionError("The recipe leaves no type of defect to make.", hint="See types and generators.")

    def _can_make(self, name: str, split: Split) -> bool:
        """True if the recipe wants a type, and a generator or real clouds of the split can make it."""
        is_there = name in self._generators or (name == "cloud" and self._real_weight(split) > 0)
        return is_there and self.recipe.types.get(name, 1.0) > 0

    def _real_weight(self, split: Split) -> float:
        """Weight of the clouds of labeled images, against generators of about 1."""
        real = self._real[split]
        return 3.0 * self.recipe.generators.get(real.generator.name, 1.0) if real.is_there else 0.0

    def make(self, number: int) -> Chip:
        """Chip `number` of the recipe."""
        rng = np.random.default_rng((self.recipe.seed, 7, number))
        if _weighs(self.labeled) and rng.random() < self.recipe.labeled:
            return self._real_chip(number, rng)
        source = _drawn(self.grounds, rng)
        wanted = [] if rng.random() < self.recipe.clean else self._wanted(source.split, rng)
        is_reduced = bool(rng.random() < self.recipe.reduced) and any(t in REDUCED for t in wanted or REDUCED)
        if is_reduced:
            wanted = [name for name in wanted if name in REDUCED]
        for _ in range(TRIES):
            canvas, look = self._ground(source, is_reduced, rng)
            shown = [self._put(canvas, name, source.split, rng) for name in wanted]
            if all(shown):
                break
        canvas.parameters["reduction"] = REDUCTION if is_reduced else 1
        return self._chip(number, source, canvas, look)

    def _wanted(self, split: Split, rng: np.random.Generator) -> list[str]:
        """Types of a chip with defects, in the order in which they go in."""
        two, three = self.recipe.several
        draw = rng.random()
        n = 3 if draw < three else 2 if draw < two + three else 1
        types = self._types[split]
        weights = np.array([self.recipe.types.get(name, 1.0) for name in types])
        n = min(n, len(types))
        chosen = [types[i] for i in rng.choice(len(types), n, replace=False, p=weights / weights.sum())]
        first = next((name for name in chosen if name in MOVING), None)
        return [name for name in types if name in chosen and (name not in MOVING or name == first)]

    def _ground(self, source: Source, is_reduced: bool, rng: np.random.Generator) -> tuple[_Canvas, Look]:
        size = self.recipe.size
        if is_reduced:
            near = [s for s in self.grounds if s.split == source.split and s.path.parent == source.path.parent]
            ground = reduced_ground(source, near, size=size, rng=rng)
        else:
            ground = read_ground(source, size=size, rng=rng)
        ground = _turned(ground, rng)
        look = draw_look(ground, rng, jpeg=self.recipe.jpeg)
        canvas = _Canvas(look.apply(ground.data), ground.valid)
        harmless = self._generators.get(LOOKALIKE, [])
        if harmless and rng.random() < self.recipe.lookalikes:
            canvas.put(_chosen(harmless, rng), rng, float(rng.random()))
        return canvas, look

    def _put(self, canvas: _Canvas, name: str, split: Split, rng: np.random.Generator) -> bool:
        entries = self._generators.get(name, [])
        if name == "cloud" and (weight := self._real_weight(split)):
            real = self._real[split].generator
            entries = [*entries, Generator(real.name, real.degrade, weight)]
        return canvas.put(_chosen(entries, rng), rng, float(rng.uniform(LEAST_SEVERITY, 1.0)))

    def _real_chip(self, number: int, rng: np.random.Generator) -> Chip:
        """A real image with its labels, under a look."""
        source = _drawn(self.labeled, rng)
        ground = _turned(read_ground(source, size=self.recipe.size, rng=rng), rng)
        look = draw_look(ground, rng, jpeg=self.recipe.jpeg)
        canvas = _Canvas(look.apply(ground.data), ground.valid)
        assert ground.labels is not None
        for type_id in np.unique(ground.labels):
            if int(type_id) in BY_ID:
                canvas.masks[BY_ID[int(type_id)].name] = (ground.labels == type_id) & ground.valid
        canvas.parameters["labels"] = "real image"
        return self._chip(number, source, canvas, look, ignored=ground.labels == NODATA)

    def _chip(
        self,
        number: int,
        source: Source,
        canvas: _Canvas,
        look: Look,
        *,
        ignored: NDArray[np.bool_] | None = None,
    ) -> Chip:
        mask = _merged(canvas.masks, canvas.valid)
        if ignored is not None:
            mask[ignored] = NODATA
        english, chinese = describe_chip(canvas.masks)
        key = f"{number:06d}"
        record = ChipRecord(
            id=key,
            split=source.split,
            image=f"images/{key}.png",
            mask=f"masks/{key}.png",
            labels=tuple(label_names(canvas.masks)),
            severity=canvas.severity,
            source=source.scene,
            text_en=english,
            text_zh=chinese,
            parameters={**canvas.parameters, "quality": look.quality},
        )
        return Chip(record, finish(canvas.data, canvas.valid, look), mask)


def _weighs(sources: Sequence[Source]) -> bool:
    """True if one of them at least can be drawn."""
    return any(source.weight > 0 for source in sources)


def _drawn(sources: Sequence[Source], rng: np.random.Generator) -> Source:
    weights = np.array([source.weight for source in sources])
    return sources[int(rng.choice(len(sources), p=weights / weights.sum()))]


def _chosen(entries: Sequence[Generator], rng: np.random.Generator) -> Generator:
    weights = np.array([entry.weight for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


def _turned(ground: Ground, rng: np.random.Generator) -> Ground:
    """Turned by a multiple of 90 degrees and mirrored at random."""
    k, flip = int(rng.integers(4)), bool(rng.random() < 0.5)

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        turned = np.rot90(array, k, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if flip else turned)

    labels = None if ground.labels is None else turn(ground.labels)
    return Ground(turn(ground.data), turn(ground.valid), labels, ground.is_reflectance, ground.is_gray)


def _merged(masks: Mapping[str, NDArray[np.bool_]], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """One type a pixel: pixel types over regions over boundaries, the later region over the earlier."""
    merged = np.zeros(valid.shape, np.uint8)
    for group in (Group.BOUNDARY, Group.REGION, Group.PIXEL):
        for name, mask in masks.items():
            if BY_NAME[name].group is group:
                merged[mask] = BY_NAME[name].id
    merged[~valid] = NODATA
    return merged
