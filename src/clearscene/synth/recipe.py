"""What `clearscene synth chips` makes: sources, balance, split and looks, as one checked record."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.models.wrong_keys import describe_errors
from clearscene.synth.chip_set import Split

__all__ = ["ChipsRecipe", "Section", "Share", "SourceSpec", "Weight", "checked_recipe", "load_recipe", "read_document"]

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Part of a recipe: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSpec(Section):
    """One `[[sources]]`: a folder of images."""

    folder: Path
    name: str = Field(default="", description="Of the source in the keys of its scenes; default that of the folder.")
    include: str = Field(default="**/*", description="Files, as a glob pattern below the folder.")
    exclude: str = Field(default="", description="A regular expression; files whose names hold it are left out.")
    group: str = Field(
        default="",
        description="A regular expression; its groups, joined, name the scene that a file belongs to. "
        "Default: each file is a scene.",
    )
    block: int = Field(
        default=0,
        ge=0,
        description="If above 0, the last number in the name is divided by it: neighbors stay together.",
    )
    split: Split | None = Field(
        default=None, description="Put all of it into one split; default: by a digest of the scene."
    )
    weight: Weight = Field(default=1.0, description="Share of the chips, against the other sources.")
    labels: Path | None = Field(
        default=None,
        description="Folder of masks of the same names (.png, ids of the taxonomy). Such images are not "
        "clean ground: they are chips by themselves, and their clouds are cut out and pasted elsewhere.",
    )
    white: float | None = Field(
        default=None, gt=0, description="Stored value of full white, of 16-bit images that are no reflectance."
    )
    scale: float | None = Field(
        default=None, gt=0, description="Reflectance is value * scale + offset, where 16-bit files do not say so."
    )
    offset: float = 0.0
    meters: float | None = Field(default=None, gt=0, description="Size of a pixel; only written down.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("exclude", "group"):
            _compiled(getattr(self, key), key)
        if self.white is not None and self.scale is not None:
            raise ValueError(f"white {self.white} and scale {self.scale} cannot both hold")
        return self


class ChipsRecipe(Section):
    """The whole recipe. Defaults are those of the seed's data set where it states them."""

    sources: tuple[SourceSpec, ...] = Field(min_length=1)
    n: int = Field(default=4000, ge=1, description="Chips in all.")
    size: int = Field(default=256, ge=64, le=2048, multiple_of=32, description="Rows and columns of a chip.")
    seed: int = Field(default=1, ge=0)
    split_seed: int | None = Field(
        default=None, description="Which scenes are kept for validation and test; default `seed`. Sets share it."
    )
    clean: Share = Field(default=1027 / 3882, description="Share of chips without a defect (seed 001: 1027 of 3882).")
    test: Share = Field(default=0.1, description="Share of the scenes kept for the test (seed 001: 9 to 1).")
    val: Share = Field(default=0.1, description="Share of the scenes kept for validation.")
    types: dict[str, Weight] = Field(default={}, description="Weight by type; 1 for those that are not named.")
    several: tuple[Share, Share] = Field(
        default=(0.25, 0.1), description="Share of defect chips with 2 and with 3 types."
    )
    reduced: Share = Field(default=0.15, description="Share of chips that show 4 times as much ground at a quarter.")
    lookalikes: Share = Field(
        default=0.5, description="Share of chips with something harmless that looks like a defect."
    )
    labeled: Share = Field(
        default=0.15, description="Share of chips that are real images with labels, if there are any."
    )
    jpeg: Share = Field(default=0.35, description="Share of chips that were compressed with loss, quality 70 to 95.")
    generators: dict[str, Weight] = Field(
        default={}, description='Weight by generator, as in `"cloud.stratus" = 0`; 1 for those that are not named.'
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = sorted(set(self.types) - set(BY_NAME))
        if unknown:
            raise ValueError(f"types names {', '.join(unknown)}; the types are {', '.join(BY_NAME)}")
        if self.test + self.val >= 1:
            raise ValueError(f"test {self.test} and val {self.val} leave nothing to train on")
        if sum(self.several) > 1:
            raise ValueError(f"several {self.several} adds up to more than 1")
        return self


def load_recipe(path: Path) -> ChipsRecipe:
    """Read a recipe; folders are relative to it.

    Raises:
        OptionError: It is missing, not TOML, or a key is wrong (all wrong keys are named).
    """
    recipe = checked_recipe(read_document(path), str(path))
    return recipe.model_copy(update={"sources": tuple(_at(source, path.parent) for source in recipe.sources)})


def read_document(path: Path) -> dict[str, Any]:
    """What a TOML file holds, unchecked.

    Raises:
        OptionError: It is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.", hint="Name a recipe in TOML.") from error
    except ValueError as error:
        raise OptionError(f"{path} is not a TOML file: {error}.") from error


def checked_recipe(document: Mapping[str, Any], place: str) -> ChipsRecipe:
    """The recipe that a document holds.

    Raises:
        OptionError: A key is wrong; `place` says where it was read.
    """
    try:
        return ChipsRecipe.model_validate(document)
    except ValidationError as error:
        wrong = describe_errors(error, "the recipe", ChipsRecipe)
        raise OptionError(f"{place}: {wrong}.", hint="See the guide to making defects.") from error


def _at(source: SourceSpec, folder: Path) -> SourceSpec:
    labels = None if source.labels is None else folder / source.labels
    return source.model_copy(update={"folder": folder / source.folder, "labels": labels})


def _compiled(pattern: str, key: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{key} {pattern!r} is no regular expression: {error}") from error
