"""What chips for cloud masks are made of: a recipe in TOML with `product = "mask"`, checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from clearscene.errors import OptionError
from clearscene.masking.normalize import BANDS
from clearscene.models.wrong_keys import describe_errors
from clearscene.synth.recipe import Section, Share, SourceSpec, Weight, read_document

__all__ = ["MaskRecipe", "MaskSource", "is_for_masks", "load_mask_recipe"]


class MaskSource(SourceSpec):
    """One `[[sources]]` of a recipe for masks: images whose values give reflectance.

    With `labels` (0 clear, 1 cloud, 2 shadow, 255 unknown, such as a teacher gives) an image is a chip by itself, and
    its clouds are cut out and pasted elsewhere; without, it is clear ground.
    """

    bands: tuple[str, ...] = Field(
        default=("red", "green", "blue"),
        min_length=3,
        description="Common names of the first bands of the file; near infrared may be absent.",
    )
    scale: float = Field(default=1e-4, gt=0, description="Reflectance is value * scale + offset.")
    offset: float = 0.0

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        missing = [name for name in BANDS[:3] if name not in self.bands]
        if missing:
            raise ValueError(f"bands {self.bands} lacks {missing[0]}")
        if self.white is not None:
            raise ValueError(f"white {self.white} is for inspection; masks need scale and offset")
        return self


class MaskRecipe(Section):
    """The whole recipe."""

    product: Literal["mask"] = "mask"
    sources: tuple[MaskSource, ...] = Field(min_length=1)
    apart_from: tuple[Path, ...] = Field(
        default=(), description="Folders of test images: a source that shows a place or a file of theirs is refused."
    )
    n: int = Field(default=4000, ge=1, description="Chips in all.")
    size: int = Field(default=256, ge=64, le=2048, multiple_of=32, description="Rows and columns of a chip.")
    seed: int = Field(default=1, ge=0)
    split_seed: int | None = Field(
        default=None, description="Which scenes are kept for validation and test; default `seed`."
    )
    test: Share = Field(default=0.0, description="Share of the scenes kept for the test.")
    val: Share = Field(default=0.12, description="Share of the scenes kept for validation.")
    labeled: Share = Field(default=0.4, description="Share of chips that are real images with labels.")
    clean: Share = Field(default=0.25, description="Share of the other chips without cloud and shadow.")
    lookalikes: Share = Field(default=0.35, description="Share of the other chips with bright or dark harmless things.")
    zoom: tuple[float, float] = Field(
        default=(0.7, 3.0), description="Pixels of the image by pixel of the chip, drawn evenly by ratio."
    )
    shadows: Share = Field(default=0.25, description="Of chips with clouds: a shadow of a cloud outside is there too.")
    shadows_alone: Share = Field(default=0.0, description="Of chips with clouds: that shadow, and no cloud.")
    real_clouds: Weight = Field(default=4.0, description="Weight of pasted real clouds against all generators.")
    generators: dict[str, Weight] = Field(
        default={}, description='Weight by generator, as in `"cloud.stratus" = 0`; 1 for those that are not named.'
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.shadows_alone > self.shadows:
            raise ValueError(f"shadows_alone {self.shadows_alone} is more than shadows {self.shadows}")
        if self.test + self.val >= 1:
            raise ValueError(f"test {self.test} and val {self.val} leave nothing to train on")
        low, high = self.zoom
        if not 0.25 <= low <= high <= 8:
            raise ValueError(f"zoom {self.zoom} must be smallest, largest, within 0.25 and 8")
        return self

    def at(self, folder: Path) -> Self:
        """The recipe with its folders below `folder`."""
        sources = tuple(
            source.model_copy(
                update={"folder": folder / source.folder, "labels": source.labels and folder / source.labels}
            )
            for source in self.sources
        )
        return self.model_copy(
            update={"sources": sources, "apart_from": tuple(folder / path for path in self.apart_from)}
        )


def is_for_masks(path: Path) -> bool:
    """True if a recipe says `product = "mask"`.

    Raises:
        OptionError: It is missing or not TOML.
    """
    return read_document(path).get("product") == "mask"


def load_mask_recipe(path: Path, changes: Mapping[str, Any]) -> MaskRecipe:
    """Read a recipe for masks, with `changes` of its keys; folders are relative to it.

    Raises:
        OptionError: It is missing, not TOML, or a key is wrong (all wrong keys are named).
    """
    try:
        recipe = MaskRecipe.model_validate({**read_document(path), **changes})
    except ValidationError as error:
        wrong = describe_errors(error, "the recipe", MaskRecipe)
        raise OptionError(f"{path}: {wrong}.", hint="See the guide to making defects.") from error
    return recipe.at(path.parent)
