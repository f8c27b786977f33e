"""Sets of chips: begun, gone on with, and finished, over the images that they were begun with."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from clearscene import __version__
from clearscene.errors import DatasetError
from clearscene.synth.chip_set import CHIPS, DATASET, SPLITS, ChipWriter, Split, read_about
from clearscene.synth.chips import Chip
from clearscene.synth.mask_recipe import MaskRecipe
from clearscene.synth.recipe import ChipsRecipe
from clearscene.synth.source_digests import check_unchanged, digests_of
from clearscene.synth.sources import Source

__all__ = ["Maker", "empty_splits", "make_chips", "open_set"]


class Maker(Protocol):
    """Makes chips by number."""

    @property
    def recipe(self) -> ChipsRecipe | MaskRecipe:
        """What it makes them by."""

    @property
    def sources(self) -> list[Source]:
        """All images that it reads."""

    def make(self, number: int) -> Chip:
        """Law: the same number gives the same chip."""


def open_set(
    folder: Path, recipe: ChipsRecipe | MaskRecipe, *, sources: Sequence[Source] = (), overwrite: bool = False
) -> ChipWriter:
    """A writer for the chips of a recipe, going on with what is in the folder.

    `sources` are compared with those that the set was begun with, by digests of their files; a set without
    digests, of an older version, is taken as it is.

    Raises:
        DatasetError: The folder holds chips of another recipe, of none that is known, or of other images.
        OutputError: The folder cannot be written.
    """
    is_there = (folder / CHIPS).is_file() or (folder / DATASET).is_file()
    digests = digests_of(sources)
    if is_there and not overwrite:
        about = read_about(folder)
        if not _is_same(about.get("recipe"), recipe):
            raise DatasetError(
                f"{folder} holds chips of another recipe.", hint="Use --overwrite, or write to another folder."
            )
        if sources and isinstance(made := about.get("sources"), dict):
            check_unchanged(made, digests, folder)
    writer = ChipWriter(folder, overwrite=overwrite)
    writer.describe(_about(recipe, digests))
    return writer


def make_chips(maker: Maker, writer: ChipWriter, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Make all chips of a recipe that are not there yet.

    Law: interrupted and run again over the same images, the set is the same as in one run.

    Raises:
        OutputError: The disk is full or the folder cannot be written; what is written stays.
    """
    recipe = maker.recipe
    for number in range(recipe.n):
        if f"{number:06d}" not in writer.done:
            chip = maker.make(number)
            writer.add(chip.record, chip.image, chip.mask)
        if progress:
            progress(number + 1, recipe.n)
    about = _about(recipe, digests_of(maker.sources))
    writer.describe({**about, "scenes": _scenes(maker.sources), "licenses": "those of the sources"})


def empty_splits(maker: Maker) -> list[Split]:
    """Splits that should hold a share of the scenes and hold none, or none of a weight above 0."""
    recipe = maker.recipe
    filled = {source.split for source in maker.sources if source.weight > 0}
    shares = {"train": 1.0, "val": recipe.val, "test": recipe.test}
    return [split for split in SPLITS if shares[split] > 0 and split not in filled]


def _about(recipe: ChipsRecipe | MaskRecipe, digests: Mapping[str, str]) -> dict[str, Any]:
    about = {"format": 1, "made_by": f"clearscene {__version__}", "recipe": _written(recipe)}
    return {**about, "sources": dict(digests)} if digests else about


def _written(recipe: ChipsRecipe | MaskRecipe) -> dict[str, Any]:
    """The recipe with whole paths, so that it means the same from any working folder."""
    written = recipe.model_dump(mode="json")
    for source in written["sources"]:
        for key in ("folder", "labels"):
            source[key] = source[key] and str(Path(source[key]).resolve())
    if "apart_from" in written:
        written["apart_from"] = [str(Path(folder).resolve()) for folder in written["apart_from"]]
    return written


def _is_same(made: object, recipe: ChipsRecipe | MaskRecipe) -> bool:
    """True if a recipe, as it was written down, is this one but for the number of chips."""
    try:
        before = type(recipe).model_validate(made)  # keys that are newer than the set have their defaults
    except ValidationError:
        return False
    return {**_written(before), "n": 0} == {**_written(recipe), "n": 0}


def _scenes(sources: Sequence[Source]) -> dict[str, list[str]]:
    """Keys of the scenes by split."""
    return {split: sorted({s.scene for s in sources if s.split == split}) for split in SPLITS}
