"""The one TOML file of a benchmark, checked: which models, trained on what, judged on what, by which protocols.

Folders and files are relative to the file that names them.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clearscene.benchmark.band_sets import BAND_SETS, BandSet
from clearscene.benchmark.card import Card, find_card
from clearscene.errors import OptionError
from clearscene.models.wrong_keys import describe_errors
from clearscene.raster.sensors.product import Kind

__all__ = ["ModelEntry", "SetEntry", "Suite", "TrainingEntry", "key_of", "load_suite", "parse_suite"]

INSTANCES = ("yolov8-seg", "instances")
"""Network and form that ultralytics trains."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetEntry(_Section):
    """One `[[sets]]`: a prepared set."""

    name: str = Field(min_length=1, max_length=40, description="In the tables.")
    folder: Path
    train: bool = Field(default=True, description="Networks are trained on its `train` split.")
    test: bool = Field(default=True, description="Models are judged on it.")
    split: Literal["train", "val", "test", "all"] = Field(
        default="test", description="What is judged; `all` for a set that nothing is trained on."
    )
    positive: tuple[str, ...] = Field(
        default=(), description="Classes that are looked for; may be left out where there are two: it is the second."
    )
    ignored: tuple[str, ...] = Field(default=(), description="Classes whose pixels are not counted.")
    about: str = Field(
        default="",
        max_length=40,
        description="What it shows, as cloud or sky; models about something else are left out.",
    )
    kind: Kind | None = Field(
        default=None, description="What values of reflectance are: toa or surface; default toa. Photos are display."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.train and self.test and self.split != "test":
            seen = f"train = true and split = {self.split!r}; trainings see train and val"
            raise ValueError(f"set {self.name}: what is trained on cannot be judged: {seen}")
        if both := sorted(set(self.positive) & set(self.ignored)):
            raise ValueError(f"set {self.name}: {both} are positive and ignored")
        return self


class TrainingEntry(_Section):
    """`[training]`, and `[models.training]` for one model: how networks are trained; what is left out is theirs."""

    epochs: int | None = Field(default=None, ge=1)
    max_minutes: Positive | None = None
    size: int | None = Field(default=None, ge=32, le=4096, description="Height and width in training.")
    batch_size: int | None = Field(default=None, ge=1)
    lr: Positive | None = None
    loss: str | None = None
    optimizer: str | None = None
    schedule: str | None = None
    patience: int | None = Field(default=None, ge=1)
    warmup_steps: int | None = Field(default=None, ge=0, description="Steps until the full learning rate; default 100.")
    augment: bool | None = Field(default=None, description="Flips and quarter turns; the benchmark's code has none.")
    clean_share: float | None = Field(
        default=None, ge=0, le=1, description="Of the chips of an epoch, those with nothing but the first class."
    )
    pretrained: bool | None = None
    max_val_chips: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    device: str | None = None
    precision: str | None = Field(
        default=None, description="auto, float32, float16 or bfloat16, which processors with AMX compute faster."
    )
    seed: int | None = Field(default=None, ge=0)

    def over(self, other: "TrainingEntry") -> "TrainingEntry":
        """This entry, with what it leaves open from another."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


class ModelEntry(_Section):
    """One `[[models]]`: a network to train, or a model that is there already."""

    name: str = Field(min_length=1, max_length=40, description="In the tables.")
    network: str = Field(default="", description="A network of `benchmark networks`, trained on each set.")
    form: str = Field(
        default="paper",
        description="paper, or benchmark where the code of the benchmark differs; of yolov8-seg also semantic, or"
        " instances: trained on outlines by ultralytics itself.",
    )
    run: Path | None = Field(default=None, description="Folder of a training of a semantic network.")
    model: str = Field(default="", description="A model folder (ONNX), or the name of a shipped model.")
    peer: str = Field(default="", description="ukis-4b, ukis-6b, s2cloudless or omnicloudmask.")
    bands: tuple[str, ...] = Field(default=(), description="Of a network; default those of the card, or of the set.")
    band_sets: tuple[str, ...] = Field(
        default=(), description="Names of sets of bands: the network is trained and judged once with each."
    )
    positive: tuple[str, ...] = Field(default=(), description="Classes of a run or a model folder that count as found.")
    about: str = Field(
        default="", max_length=40, description="Of a model that is there already: what it looks for; empty: any set."
    )
    training: TrainingEntry = TrainingEntry()

    @model_validator(mode="after")
    def _check(self) -> Self:
        sources = [key for key in ("network", "run", "model", "peer") if getattr(self, key)]
        if len(sources) != 1:
            found = " and ".join(sources) or "none"
            raise ValueError(f"model {self.name} must have one of network, run, model, peer; it has {found}")
        if not self.network and (self.bands or self.band_sets):
            raise ValueError(f"model {self.name} is no network to train: it reads the bands that it was made for")
        if self.bands and self.band_sets:
            raise ValueError(f"model {self.name} has bands and band_sets; one of them says all")
        if self.is_of_instances and (self.bands or self.band_sets):
            raise ValueError(f"model {self.name} reads red, green and blue as form instances, and takes no other bands")
        return self

    @property
    def is_trained_here(self) -> bool:
        """True for a network that is trained on each set."""
        return bool(self.network)

    @property
    def is_of_instances(self) -> bool:
        """True for YOLOv8 as its makers train it."""
        return (self.network, self.form) == INSTANCES

    def fits(self, entry: SetEntry, trained_on: SetEntry | None) -> bool:
        """True if the model is to be judged on a set: both are about the same, or one of them does not say."""
        about = trained_on.about if trained_on else self.about
        return not about or not entry.about or about == entry.about


class Suite(_Section):
    """The whole file."""

    name: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    title: str = ""
    seed: int = Field(default=0, ge=0)
    protocols: tuple[str, ...] = Field(default=("pooled",), min_length=1, description="Names or files of cards.")
    device: str = Field(default="cpu", description="Where models run when they are judged: auto, cpu, cuda.")
    threads: int = Field(default=1, ge=1, description="Of models on the CPU when they are judged.")
    pictures: int = Field(default=3, ge=0, le=24, description="Chips of each set whose masks are drawn.")
    sets: tuple[SetEntry, ...] = Field(min_length=1)
    models: tuple[ModelEntry, ...] = Field(min_length=1)
    training: TrainingEntry = TrainingEntry()
    band_sets: dict[str, tuple[str, ...]] = Field(default={}, description="More sets of bands by name.")
    cards: tuple[Card, ...] = Field(default=(), description="The cards themselves, once they were read.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        rows = [model.name for model in self.expanded()]
        for what, names in (("sets", [entry.name for entry in self.sets]), ("models", rows)):
            keys = [key_of(name) for name in names]
            if len(set(keys)) != len(keys):
                raise ValueError(f"two {what} have one name, or nearly: {names}")
        if not any(entry.test for entry in self.sets):
            raise ValueError("no set is judged; one must have test = true")
        trained = [model.name for model in self.models if model.is_trained_here]
        if trained and not any(entry.train for entry in self.sets):
            raise ValueError(f"{trained[0]} is to be trained, and no set has train = true")
        return self

    def expanded(self) -> tuple[ModelEntry, ...]:
        """Models with one entry for each set of bands."""
        found: list[ModelEntry] = []
        for model in self.models:
            if not model.band_sets:
                found.append(model)
            for name in model.band_sets:
                chosen = self._band_set(name, model.name)
                changed = {"name": f"{model.name} ({chosen.title})", "bands": chosen.bands, "band_sets": ()}
                found.append(model.model_copy(update=changed))
        return tuple(found)

    def _band_set(self, name: str, model: str) -> BandSet:
        if name in self.band_sets:
            return BandSet(name, self.band_sets[name])
        if name not in BAND_SETS:
            raise ValueError(f"model {model}: there is no set of bands {name!r}; there are {', '.join(BAND_SETS)}")
        return BAND_SETS[name]


def key_of(name: str) -> str:
    """A name as part of a file name. Law: only lower-case letters, digits, and single dashes inside."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("+", "-plus")).strip("-") or "x"


def load_suite(path: Path) -> Suite:
    """Read and check a suite with its cards.

    Raises:
        OptionError: It is missing, not TOML, or keys are wrong (all wrong keys are named); or a card is.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.", hint="Name the TOML file.") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not a TOML file: {error}.") from error
    return parse_suite(values, place=str(path), folder=path.parent)


def parse_suite(values: Mapping[str, Any], *, place: str, folder: Path) -> Suite:
    """Check values that were read; relative folders become absolute by `folder`, and cards are read.

    Raises:
        OptionError: Keys are wrong, or a card is.
    """
    try:
        suite = Suite.model_validate(values)
    except ValidationError as error:
        hint = "See docs/guides/benchmark.md; the sections are sets, models, training, band_sets."
        raise OptionError(f"{place}: {describe_errors(error, 'the file', Suite)}.", hint=hint) from error
    return _anchored(suite, folder.resolve())


def _anchored(suite: Suite, folder: Path) -> Suite:
    cards = suite.cards or tuple(find_card(name, folder=folder) for name in suite.protocols)
    names = [card.name for card in cards]
    if len(set(names)) != len(names):
        raise OptionError(f"Two protocol cards have one name: {', '.join(names)}.", hint="Name each card once.")
    sets = tuple(entry.model_copy(update={"folder": folder / entry.folder}) for entry in suite.sets)
    _check_apart(sets)
    models = tuple(_anchored_model(model, folder) for model in suite.models)
    return suite.model_copy(update={"cards": cards, "sets": sets, "models": models})


def _check_apart(sets: Sequence[SetEntry]) -> None:
    """See that no entry judges what another trains on: one folder may stand under two names."""
    trained = {entry.folder.resolve(): entry.name for entry in sets if entry.train}
    for entry in sets:
        other = trained.get(entry.folder.resolve())
        if other and entry.test and entry.split != "test":
            raise OptionError(
                f"Set {entry.name} judges split {entry.split!r} of a folder that {other} trains on.",
                hint='Set split = "test": trainings see train and val.',
            )


def _anchored_model(model: ModelEntry, folder: Path) -> ModelEntry:
    if model.run is not None:
        return model.model_copy(update={"run": folder / model.run})
    if model.model and (folder / model.model / "model.toml").is_file():
        return model.model_copy(update={"model": str(folder / model.model)})
    return model
