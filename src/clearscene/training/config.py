"""The one TOML file of a training, checked. Nothing here needs torch.

An unknown key, a wrong type or a number out of range is an error that names the key and the value. Folders and
files are relative to the file that names them.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clearscene.errors import TrainingError
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.models.wrong_keys import describe_errors, names_unknown_section
from clearscene.training.fusion_config import FusionConfig
from clearscene.training.mask_config import MaskAugmentConfig
from clearscene.training.networks.spec import CLASS_NAMES, MASK_CLASS_NAMES, SPOILED_NAMES, NetworkSpec
from clearscene.training.semantic_config import SemanticAugmentConfig

__all__ = [
    "AugmentConfig",
    "ChipsEntry",
    "DataConfig",
    "LossConfig",
    "OptimizerConfig",
    "RunConfig",
    "ScheduleConfig",
    "TrainConfig",
    "load_config",
    "parse_config",
]

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]

Precision = Literal["auto", "float32", "float16", "bfloat16"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChipsEntry(_Section):
    """One `[[data.chips]]`: a set of chips."""

    folder: Path
    weight: Weight = Field(default=1.0, description="How often each of its chips is seen in an epoch; 0.5: half.")
    name: str = Field(default="", max_length=40, description="In the results; default the name of the folder.")
    is_judged: bool = Field(default=True, description="False: its chips are left out of the validation.")
    exclude: str = Field(
        default="", description="A regular expression; chips whose `source` it finds are left out of all splits."
    )

    @field_validator("exclude")
    @classmethod
    def _is_pattern(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is no regular expression: {error}") from error
        return text

    @property
    def title(self) -> str:
        """Name in the results."""
        return self.name or self.folder.name


class DataConfig(_Section):
    """`[data]`: what is learned from."""

    chips: tuple[ChipsEntry, ...] = Field(min_length=1)
    size: int = Field(default=256, ge=32, le=4096, description="Height and width in training; a multiple of 32.")
    leave_out_negatives: bool = Field(
        default=False, description="True: chips without defects do not count for the segmentation."
    )
    clean_share: Share | None = Field(
        default=None, description="Share of chips without defects in an epoch; default as they are in the sets."
    )
    max_val_chips: int | None = Field(default=None, ge=1, description="A set with more is thinned out evenly.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size % 32:
            raise ValueError(f"size {self.size} is no multiple of 32")
        titles = [entry.title for entry in self.chips]
        if len(set(titles)) != len(titles):
            raise ValueError(f"two sets of chips have one name: {titles}; give them `name`")
        if not any(entry.is_judged for entry in self.chips):
            raise ValueError("no set of chips is judged; one must have is_judged = true")
        return self


class LossConfig(_Section):
    """`[loss]`: what is made small, as a weighted sum; of semantic networks the loss of one name."""

    name: Literal["", "bce", "soft-jaccard", "dice", "bce-dice", "filtered-jaccard", "cross-entropy"] = Field(
        default="", description="Of semantic networks; default as the network was published, else bce-dice."
    )
    tile: Weight = Field(default=1.0, description="Binary cross-entropy of the tile's types.")
    cells: Weight = Field(default=1.0, description="Binary cross-entropy of the types by cells.")
    cross_entropy: Weight = Field(default=1.0, description="Of the pixels.")
    dice: Weight = 0.0
    lovasz: Weight = 0.0
    focal: Weight = 0.0
    focal_gamma: Weight = 2.0
    pixel_step: Literal[1, 2, 4] = Field(
        default=1, description="The pixel losses look at every pixel, every second, or every fourth in each direction."
    )
    cell_full_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25, description="A cell of which this share shows a type counts as showing it; less, as the ratio."
    )
    positive_weights: dict[str, Positive] = Field(default={}, description="By type: weight of tiles that show it.")
    class_weights: dict[str, Weight] = Field(default={}, description="By class: weight of its pixels.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        classes = (*CLASS_NAMES, *MASK_CLASS_NAMES, *SPOILED_NAMES)
        for key, names in (("positive_weights", tuple(BY_NAME)), ("class_weights", classes)):
            unknown = sorted(set(getattr(self, key)) - set(names))
            if unknown:
                raise ValueError(f"{key} names {unknown}; there are {', '.join(names)}")
        return self


class OptimizerConfig(_Section):
    """`[optimizer]`: AdamW, or one that papers name."""

    name: Literal["adamw", "adam", "adam-amsgrad"] = Field(
        default="adamw", description="adam adds the decay to the gradient, as L2 regularization does."
    )
    lr: Positive = 1e-4
    encoder_lr_factor: Positive = Field(default=1.0, description="The encoder learns this many times as fast.")
    weight_decay: Weight = Field(default=0.01, description="Of convolutions and matrices only.")
    clip_norm: Weight = Field(default=5.0, description="Longer gradients are shortened to it; 0: never.")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.998, description="The mean of the last weights is what is validated and kept; 0: the weights as is."
    )


class ScheduleConfig(_Section):
    """`[schedule]`: linear warm-up, then a cosine from `lr` to `final * lr`, halvings, or what papers name."""

    kind: Literal["cosine", "plateau", "constant"] = Field(
        default="cosine", description="plateau: smaller each time the monitored value stands still."
    )
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.1, description="Of plateau: smaller by this.")
    patience: int = Field(default=10, ge=1, description="Of plateau: validations without gain before it is smaller.")
    warmup_steps: int = Field(default=100, ge=0)
    final: Share = 0.01
    parts: int = Field(
        default=0, ge=0, description="Instead of the cosine: so many equal parts, each with half the rate; 0: cosine."
    )


class AugmentConfig(_Section):
    """`[augment]`: how chips are varied. Nothing here imitates a defect."""

    flips: bool = Field(default=True, description="Flips and quarter turns.")
    scale: Range = Field(default=(0.8, 1.0), description="Sizes to which chips are reduced.")
    scale_chance: Share = 0.2
    color_chance: Share = Field(default=0.8, description="Of any change of color.")
    gain: Range = (0.8, 1.2)
    gamma: Range = (0.7, 1.4)
    contrast: Range = (0.8, 1.2)
    offset: Range = Field(default=(-0.05, 0.03), description="Of the full range of values.")
    saturation: Range = (0.4, 1.4)
    channel_gain: Range = Field(default=(0.9, 1.1), description="Of each band by itself: the cast of a sensor.")
    dark_chance: Share = Field(default=0.2, description="Of the look of a 16-bit scene stretched to its clouds.")
    dark_gain: Range = (0.25, 0.7)
    gray_chance: Share = Field(default=0.03, description="Of a panchromatic look.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{key} {value} must be smallest, largest")
            if isinstance(value, tuple) and key != "offset" and value[0] <= 0:
                raise ValueError(f"{key} {value} must be greater than 0")
        if self.scale[1] > 1.25 or self.scale[0] < 0.25:
            raise ValueError(f"scale {self.scale} must be within 0.25 and 1.25: enlarged chips look blurred")
        return self


class RunConfig(_Section):
    """`[run]`: how long, how much at once, on what."""

    seed: int = Field(default=0, ge=0)
    epochs: int = Field(default=10, ge=1)
    max_minutes: Positive | None = Field(default=None, description="The schedule ends by then, whatever is done.")
    batch_size: int = Field(default=16, ge=1, description="On each device.")
    accumulate: int = Field(default=1, ge=1, description="Batches that make one step.")
    start_from: tuple[Path, ...] = Field(
        default=(),
        description="A checkpoint of an earlier training: the network starts from its weights, but for some of the "
        "last layers where these answer something else. Or several of one network: it starts from their mean.",
    )
    start_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Of the weights of `start_from` in those that are validated and kept."
    )
    workers: int = Field(default=1, ge=0, le=64, description="Processes that read chips.")
    threads: int | None = Field(default=None, ge=1, description="Of the network on the CPU; default all cores.")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    precision: Precision = Field(
        default="auto",
        description="auto: float16 on CUDA, float32 on the CPU; bfloat16 on CUDA, and on CPUs that multiply it.",
    )
    validate_every: Positive = Field(default=1.0, description="Epochs between validations; 0.5: twice an epoch.")
    monitor: str = Field(default="", description="What the best checkpoint is best at; default by kind of network.")
    patience: int | None = Field(default=None, ge=1, description="Validations without gain before it stops early.")
    save_minutes: Positive = Field(default=5.0, description="Between checkpoints to resume from.")
    tensorboard: bool = True

    @field_validator("start_from", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        if given is None:  # older checkpoints
            return ()
        return (given,) if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start_share and not self.start_from:
            raise ValueError(f"start_share {self.start_share} is of the weights of start_from, which is not named")
        return self


class TrainConfig(_Section):
    """The whole file."""

    name: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    data: DataConfig
    network: NetworkSpec = NetworkSpec()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: AugmentConfig = AugmentConfig()
    mask: MaskAugmentConfig = MaskAugmentConfig()
    semantic: SemanticAugmentConfig = SemanticAugmentConfig()
    fusion: FusionConfig = FusionConfig()
    run: RunConfig = RunConfig()


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read and check a config; `overrides` are texts such as `run.epochs=3`, with values as in TOML.

    Raises:
        TrainingError: It is missing, not TOML, or keys are wrong (all wrong keys are named).
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.", hint="Name the TOML file.") from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise TrainingError(f"{path} is not a TOML file: {error}.") from error
    for text in overrides:
        _override(values, text)
    return parse_config(values, place=str(path), folder=path.parent)


def parse_config(values: Mapping[str, Any], *, place: str, folder: Path | None = None) -> TrainConfig:
    """Check values that were read; relative folders become absolute by `folder`.

    Raises:
        TrainingError: Keys are wrong; `place` is where they stand.
    """
    try:
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        sections = ", ".join(key for key in TrainConfig.model_fields if key != "name")
        hint = f"The sections are {sections}." if names_unknown_section(error) else "See the guide to training."
        raise TrainingError(f"{place}: {describe_errors(error, 'the file', TrainConfig)}.", hint=hint) from error
    return config if folder is None else _anchored(config, folder.resolve())


def _anchored(config: TrainConfig, folder: Path) -> TrainConfig:
    """The config with absolute paths, without `..` where that keeps the name."""
    chips = tuple(entry.model_copy(update={"folder": _plain(folder / entry.folder)}) for entry in config.data.chips)
    weights, start = config.network.weights, tuple(_plain(folder / path) for path in config.run.start_from)
    if weights not in ("imagenet", "none"):
        weights = str(_plain(folder / weights))
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"chips": chips}),
            "network": config.network.model_copy(update={"weights": weights}),
            "run": config.run.model_copy(update={"start_from": start}),
        }
    )


def _plain(path: Path) -> Path:
    """The path without `..`; as it is where that would name it otherwise, as `..` itself: sets go by their names."""
    plain = Path(os.path.normpath(path))
    return plain if plain.name == path.name else path


def _override(values: dict[str, Any], text: str) -> None:
    """Set one value in place."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise TrainingError(f"--set {text!r} is not KEY=VALUE.", hint="Such as --set run.epochs=3.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise TrainingError(f"--set {text!r}: {section} is no section.")
    values[last] = parsed
