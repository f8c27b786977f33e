"""A protocol card: everything about how numbers are made that changes them, in one small TOML file.

Two cards give numbers that cannot be compared, so results of different cards stand in tables of their own.
"""

import tomllib
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from clearscene.benchmark.bins import LEVELS
from clearscene.benchmark.metrics import METRICS
from clearscene.errors import OptionError
from clearscene.models.wrong_keys import describe_errors
from clearscene.training.export.toml_text import to_toml

__all__ = ["Card", "Column", "Fill", "ThresholdRule", "card_text", "find_card", "read_card", "shipped_cards"]


def _fraction(value: Any) -> Any:
    """A number, also of a text such as "12/255"."""
    try:
        return float(Fraction(value.replace(" ", ""))) if isinstance(value, str) else value
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{value!r} is no number") from error


Level = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)]


Fill = Literal["ignore", "clear"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdRule(_Section):
    """`[threshold]`: from which probability on a pixel is called cloud."""

    rule: Literal["fixed", "best-iou-on-test", "best-iou-on-val"] = Field(
        default="fixed",
        description="`fixed` takes `value`. The others try 0 to 1 by `step` and keep the best pooled IoU; to look"
        " for it on the test images themselves is what the benchmark's code does, and flatters.",
    )
    value: Level = Field(default=0.5, description='A number or a fraction as text, such as "12/255".')
    step: Level = 0.1

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("value", "step"):
            number = getattr(self, key)
            if abs(number * LEVELS - round(number * LEVELS)) > 1e-6:
                raise ValueError(f"{key} {number:g} is no multiple of 1/{LEVELS}; thresholds k/255 and k/100 are")
        if self.step == 0:
            raise ValueError("step must be more than 0")
        return self

    @property
    def candidates(self) -> tuple[float, ...]:
        """The thresholds that may become the one."""
        if self.rule == "fixed":
            return (self.value,)
        return tuple(round(i * self.step, 12) for i in range(round(1 / self.step) + 1))


class Column(_Section):
    """One `[[columns]]`: a column of the tables."""

    metric: str
    title: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.metric not in METRICS:
            raise ValueError(f"there is no metric {self.metric!r}; there are {', '.join(METRICS)}")
        return self

    @property
    def head(self) -> str:
        """What stands over the column."""
        return self.title or METRICS[self.metric].title


class Card(_Section):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)
    title: str
    source: str = Field(default="", description="Publication or code that it follows.")
    notes: str = Field(default="", description="What to know before its numbers are quoted.")
    split_digest: str = Field(default="", description="The test set must have been split like this; empty: as it is.")
    bands: tuple[str, ...] = Field(default=(), description="Only these may be read; empty: what each model reads.")
    scaling: Literal["as-prepared", "8-bit"] = Field(
        default="as-prepared", description="8-bit rounds values down to 255 steps before any model sees them."
    )
    threshold: ThresholdRule = ThresholdRule()
    pooling: Literal["pixels", "scenes"] = Field(
        default="pixels", description="`pixels` adds up all scenes; `scenes` is the mean of the values of scenes."
    )
    stitching: Literal["chips", "scene"] = Field(
        default="chips",
        description="`chips` counts every chip as it is, overlaps more than once; `scene` puts chips together first.",
    )
    center_crop: bool = Field(
        default=False,
        description="After stitching, cut off the padding around the scene; false counts it where it has labels.",
    )
    fill: Fill = Field(
        default="ignore",
        description="Pixels without label or data, and those of a scene that no chip shows: not counted, or counted as"
        " clear. Ignored classes are never counted.",
    )
    boundary_tolerance_px: int = Field(default=2, ge=0, le=64)
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.center_crop and self.stitching != "scene":
            raise ValueError('center_crop needs stitching = "scene"')
        names = [column.metric for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"a metric is named twice in columns: {names}")
        return self

    @property
    def leading(self) -> Column:
        """The column that figures and groups show: IoU where there is one, else the first."""
        return next((column for column in self.columns if column.metric == "iou"), self.columns[0])

    @property
    def looks_at_test(self) -> bool:
        """True if the threshold is chosen on the images that are judged."""
        return self.threshold.rule == "best-iou-on-test"


def read_card(path: Path) -> Card:
    """Read and check a card.

    Raises:
        OptionError: It is missing, not TOML, or keys are wrong (all wrong keys are named).
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.", hint="Name the TOML file of a card.") from error
    except ValueError as error:
        raise OptionError(f"{path} is not a TOML file: {error}.") from error
    try:
        return Card.model_validate(values)
    except ValidationError as error:
        raise OptionError(
            f"{path}: {describe_errors(error, 'the card', Card)}.",
            hint=f"The keys of a card are {', '.join(Card.model_fields)}.",
        ) from error


def shipped_cards() -> dict[str, Card]:
    """The cards that come with the package, by name."""
    folder = Path(str(files("clearscene"))) / "benchmark" / "cards"
    cards = [read_card(path) for path in sorted(folder.glob("*.toml"))]
    return {card.name: card for card in cards}


def card_text(card: Card) -> str:
    """A card as a TOML file with all its keys, defaults included. Law: `read_card` of it gives the same card."""
    return to_toml(card.model_dump(mode="json"))


def find_card(name_or_path: str, *, folder: Path | None = None) -> Card:
    """The card of this name, or in this file; a relative path is below `folder`.

    Raises:
        OptionError: There is none, or it is wrong.
    """
    if name_or_path.endswith(".toml"):
        return read_card((folder or Path()) / name_or_path)
    cards = shipped_cards()
    if name_or_path not in cards:
        raise OptionError(
            f"There is no protocol card {name_or_path!r}.",
            hint=f"Cards here: {', '.join(cards)}. Or give the path of a TOML file.",
        )
    return cards[name_or_path]
