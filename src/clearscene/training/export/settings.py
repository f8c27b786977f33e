"""`[...]` of the file given to `clearscene export --card`: what the weights alone do not say about a model."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.models.manifest import (
    DataSource,
    Name,
    Number,
    Positive,
    Probability,
    Text,
    TileSection,
)
from clearscene.models.wrong_keys import describe_errors, names_unknown_section

__all__ = ["CalibrationSettings", "CardSettings", "ExportSettings", "ModelSettings", "load_settings"]

ScaleRule = Literal["native", "all"]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,32}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Section):
    """`[model]`: who it is."""

    name: Name = "clearscene-defects"
    version: Version = "0.1.0"
    license: Text = "Apache-2.0"
    description: Text = ""
    ground_sample_distance_m: tuple[Positive, Positive] | None = None
    task: Literal["sky"] | None = None
    """What a semantic network is for; None: nothing in particular."""
    architecture: Text = ""
    """A common name of the network for STAC MLM; empty: the name in the training's config."""
    pretrained_source: Text = ""
    """Where the weights started, such as `ImageNet-1k`; empty: from scratch."""


class CalibrationSettings(_Section):
    """`[calibration]`: how the numbers between 0 and 1 are made honest, and where the thresholds come from."""

    recall: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of the validation tiles with a type that the screen must flag."""
    recall_of: Literal["all", "drawn"] = "all"
    """all: of all tiles with the type; drawn: of those in which the segmenter, if asked, draws it. What it does not
    draw is lost whether the tile is flagged or not; `all` then buys nothing but time and false alarms."""
    boundary_false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the validation tiles without a boundary type that may be marked for it all the same. No second step
    looks at such a tile: the mark is the finding, so what may be lost is not the rule here."""
    class_rule: Literal["iou", "precision"] = "iou"
    """Thresholds of the pixels: the best pooled IoU, or the lowest with this `precision`."""
    precision: Probability = 0.9
    class_thresholds: dict[Name, Probability] = Field(default={})
    """By class: chosen by hand, on images that the rule does not know; goes before the rule."""
    region_thresholds: dict[Name, Probability] = Field(default={})
    """By class, chosen by hand: mean probability that connected pixels need together; 0 for those not named."""
    tiles: Literal["surrounded", "alone"] = "surrounded"
    """surrounded: a chip smaller than the tile stands among clean ones; alone: it is reflected to the tile."""
    max_chips: int = Field(default=2000, ge=1)
    """More chips than these are thinned out evenly."""
    pixels_per_chip: int = Field(default=512, ge=1, le=1 << 20)
    """Pixels drawn from each chip for the temperature and the thresholds."""
    seed: int = Field(default=0, ge=0)
    quality_temperature: Positive = 1.0
    """Of a quality model, chosen by hand: its logits are divided by it, so that a small one sharpens the shares."""


class CardSettings(_Section):
    """`[card]`: what stands in `card.md` besides what was measured."""

    protocol: Text = ""
    known_failures: tuple[Text, ...] = ()
    accuracy: dict[Name, Number | Text] = Field(default={})
    """Measured elsewhere, with the data in the name; goes into the manifest as it is."""


class ExportSettings(_Section):
    """The whole file; every section may be left out."""

    model: ModelSettings = ModelSettings()
    tiles: TileSection = TileSection(reductions=(1, 4))
    scales: dict[Name, ScaleRule] = Field(
        default={"cloud": "all", "shadow": "all", "stitching_trace": "all", "misalignment": "all"}
    )
    """Types that reduced tiles may vote on or mark; the others are `native`."""
    calibration: CalibrationSettings = CalibrationSettings()
    card: CardSettings = CardSettings()
    silent: tuple[Name, ...] = ()
    """Types that were not learned well enough to be looked for; reports list them as not inspected."""
    data: tuple[DataSource, ...] = ()
    """`[[data]]`: what it was trained on, with licenses."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = sorted({*self.scales, *self.silent} - set(BY_NAME))
        if unknown:
            raise ValueError(f"scales or silent name {unknown}; the types are {', '.join(BY_NAME)}")
        return self


def load_settings(path: Path | None) -> ExportSettings:
    """Read and check the file; without one, the defaults.

    Raises:
        OptionError: It is missing, not TOML, or a key is wrong (all wrong keys are named).
    """
    if path is None:
        return ExportSettings()
    try:
        return ExportSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        sections = ", ".join(ExportSettings.model_fields)
        hint = f"The sections are {sections}." if names_unknown_section(error) else "See the guide to training."
        raise OptionError(f"{path}: {describe_errors(error, 'the file', ExportSettings)}.", hint=hint) from error
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} is not a TOML file that can be read: {error}.") from error
