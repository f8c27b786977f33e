"""`model.toml`: what a model wants to see, what it answers, and where it comes from.

A checked record: an unknown key, a wrong type or a number out of range is an error that names the
key. Texts are limited in length and names in their characters, because they end up in file names
and reports and a folder may come from anyone.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clearscene.errors import ModelError
from clearscene.models.wrong_keys import describe_errors
from clearscene.tiling import TileSpec

__all__ = [
    "ClassEntry",
    "DataSource",
    "InputSpec",
    "Manifest",
    "OutputSpec",
    "ScreenSpec",
    "TileSection",
    "load_manifest",
]

MAX_MANIFEST_BYTES = 1_000_000

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Text = Annotated[str, Field(max_length=4000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Section):
    """`[input]`: bands and how their values become network input."""

    bands: tuple[Name, ...] = Field(min_length=1, max_length=64, description="Common names, in network order.")
    ground_sample_distance_m: tuple[Positive, Positive] | None = Field(
        default=None, description="Smallest and largest pixel, in meters, that the model was trained for."
    )
    normalization: Literal["fixed", "per_tile", "bright_level"] = Field(
        default="fixed",
        description="fixed: (value / scale - mean) / std; per_tile: mean and std of the tile's valid pixels; "
        "bright_level: that of cloud masks, red, green, blue and nir by the tile's bright level.",
    )
    scale: Positive = 255.0
    mean: tuple[Number, ...] = ()
    std: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("mean", "std"):
            if len(getattr(self, key)) not in (0, len(self.bands)):
                raise ValueError(f"{key} has {len(getattr(self, key))} values for {len(self.bands)} bands")
        distance = self.ground_sample_distance_m
        if distance is not None and distance[0] > distance[1]:
            raise ValueError(f"ground_sample_distance_m {distance} must be smallest, largest")
        return self


class TileSection(_Section):
    """`[tiles]`: the size of the network input and the scales at which a scene is read."""

    tile_size: int = Field(default=512, ge=16, le=8192, description="Height and width of the network input.")
    overlap: int | None = Field(default=None, ge=0, description="Network pixels; default a fifth.")
    reductions: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(default=(1,), min_length=1, max_length=4)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.reductions)) != len(self.reductions):
            raise ValueError(f"reductions {self.reductions} names one twice")
        self.specs()
        return self

    def specs(self) -> tuple[TileSpec, ...]:
        """One `TileSpec` a scale, finest first; tile size and overlap grow with the reduction."""
        return tuple(
            TileSpec(self.tile_size * r, None if self.overlap is None else self.overlap * r, r)
            for r in sorted(self.reductions)
        )


class OutputSpec(_Section):
    """`[output]`: what the numbers of the last layer are."""

    kind: Literal["logits", "probabilities"] = "logits"
    temperature: Positive = Field(default=1.0, description="Logits are divided by it before the softmax.")


class ClassEntry(_Section):
    """One `[[classes]]`, in the order of the network's output."""

    id: int = Field(ge=0, le=254, description="Value in the class map.")
    name: Name
    threshold: Probability = Field(default=0.0, description="A pixel needs this probability, besides the most votes.")
    region_threshold: Probability = Field(
        default=0.0, description="For inspection: connected pixels need this probability in the mean of them all."
    )
    scales: Literal["native", "all"] = Field(
        default="native",
        description="native: reduced tiles never vote; all: the higher probability of all scales.",
    )


class ScreenSpec(_Section):
    """`[screen]`: the screening head, which answers one logit a type for a whole tile."""

    types: tuple[Name, ...] = Field(min_length=1, description="In the order of the screening logits.")
    thresholds: dict[Name, Probability] = Field(default={}, description="A tile is flagged from here on.")
    threshold: Probability = Field(default=0.5, description="For the types that `thresholds` does not name.")
    temperature: Positive = Field(default=1.0, description="Logits are divided by it: calibration.")
    scales: dict[Name, Literal["native", "all"]] = Field(
        default={}, description="Types that are decided here alone (boundary types): which scales mark tiles."
    )

    silent: tuple[Name, ...] = Field(
        default=(), description="Types that the network answers for, but not well enough: they are not looked for."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = {*self.thresholds, *self.scales, *self.silent} - set(self.types)
        if unknown:
            raise ValueError(f"thresholds, scales or silent name {sorted(unknown)}, which types does not hold")
        return self

    def threshold_of(self, name: str) -> float:
        """Probability from which on a tile is flagged for a type."""
        return self.thresholds.get(name, self.threshold)


class DataSource(_Section):
    """One `[[training_data]]`."""

    name: Text
    license: Text
    url: Text = ""
    note: Text = ""


class Manifest(_Section):
    """The whole of `model.toml`."""

    format: Literal[1] = Field(default=1, description="Version of these keys.")
    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,32}$")]
    task: Literal["inspection", "cloud_mask", "quality", "fusion", "sky", "semantic"]
    license: Text
    description: Text = ""
    input: InputSpec
    tiles: TileSection = TileSection()
    output: OutputSpec = OutputSpec()
    classes: tuple[ClassEntry, ...] = Field(default=(), max_length=255)
    screen: ScreenSpec | None = None
    training_data: tuple[DataSource, ...] = ()
    accuracy: dict[Name, Number | Text] = Field(default={}, description="Measured, with the data in the name.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("id", "name"):
            values = [getattr(entry, key) for entry in self.classes]
            if len(set(values)) != len(values):
                raise ValueError(f"two classes have the same {key}: {values}")
        if self.task in ("inspection", "cloud_mask") and (not self.classes or self.classes[0].id != 0):
            raise ValueError(f"the first class of a model for {self.task} must be the background, id 0")
        if self.screen is not None:
            missing = [entry.name for entry in self.classes[1:] if entry.name not in self.screen.types]
            if missing:
                raise ValueError(f"screen.types lacks {missing}: those classes would never be looked for")
        return self


def load_manifest(folder: Path) -> Manifest:
    """Read and check `model.toml` in a model folder.

    Raises:
        ModelError: It is missing, too large, not TOML, or a key is wrong (all wrong keys are named).
    """
    path = folder / "model.toml"
    if not path.is_file():
        raise ModelError(
            f"{folder} is not a model folder: it has no model.toml.",
            hint="A model is a folder with model.onnx, model.toml and card.md.",
        )
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ModelError(f"{path} has {path.stat().st_size} bytes; a manifest has at most {MAX_MANIFEST_BYTES}.")
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = describe_errors(error, "model.toml", Manifest)
        raise ModelError(f"{path}: {wrong}.", hint="See the guide to bringing your own model.") from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise ModelError(f"{path} is not a TOML file: {error}.") from error
