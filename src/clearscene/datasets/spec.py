"""What is known of a published data set: bands, codes, classes, terms, and how it is had."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.prepared_record import IGNORE, Scaling
from clearscene.errors import BandError, DatasetError, OptionError

__all__ = ["CHOICES", "Choice", "ClassTable", "DatasetSpec", "Label", "Meaning"]

Meaning = Literal["clear", "thick", "thin", "shadow"]
"""What a class is on a cloud mask; thick is also cloud that the set does not divide."""

Choice = Literal["own", "2", "3", "4"]
CHOICES: tuple[Choice, ...] = get_args(Choice)

_NAMES: Mapping[str, tuple[str, ...]] = {
    "2": ("clear", "cloud"),
    "3": ("clear", "cloud", "cloud_shadow"),
    "4": ("clear", "thick_cloud", "thin_cloud", "cloud_shadow"),
}
_PLACES: Mapping[str, Mapping[Meaning, int]] = {
    "2": {"clear": 0, "thick": 1, "thin": 1, "shadow": 0},
    "3": {"clear": 0, "thick": 1, "thin": 1, "shadow": 2},
    "4": {"clear": 0, "thick": 1, "thin": 2, "shadow": 3},
}
_NEEDED: Mapping[str, tuple[Meaning, ...]] = {"2": ("thick",), "3": ("thick", "shadow"), "4": ("thin", "shadow")}


@dataclass(frozen=True)
class Label:
    """One code of the published labels."""

    code: int
    name: str
    """Of the class; codes of one name are one class."""
    cloud: Meaning | None = None
    """What it is on a cloud mask; None in sets that are not about clouds."""


@dataclass(frozen=True, eq=False)
class ClassTable:
    """From published codes to places in a list of classes."""

    classes: tuple[str, ...]
    known: Mapping[int, int]
    """Place by code; 255 is ignored."""

    def decode(self, codes: NDArray[np.integer], place: str) -> NDArray[np.uint8]:
        """Places in `classes`, 255 ignored; any shape.

        Law: pixels of one code come out alike; a code that is not in the table is an error, never a class.

        Raises:
            DatasetError: There is a code that the data set does not have; names it and `place`.
        """
        if codes.dtype != np.uint8:
            shown = np.unique(codes)
            self._refuse_unknown(shown, place)
            places = np.array([self.known[int(code)] for code in shown], np.uint8)
            return np.asarray(places[np.searchsorted(shown, codes)])
        table, is_known = np.zeros(256, np.uint8), np.zeros(256, np.bool_)
        for code, number in self.known.items():
            if 0 <= code < 256:
                table[code], is_known[code] = number, True
        if not is_known[codes].all():  # no sorting of the 60 million pixels of a scene unless there is something wrong
            self._refuse_unknown(np.unique(codes), place)
        return np.asarray(table[codes])

    def _refuse_unknown(self, shown: NDArray[np.integer], place: str) -> None:
        unknown = [int(code) for code in shown if int(code) not in self.known]
        if unknown:
            raise DatasetError(
                f"{place} holds the code {unknown[0]}, which its data set does not have.",
                hint=f"Known are {', '.join(map(str, sorted(self.known)))}. Is it the file of another data set?",
            )


@dataclass(frozen=True)
class DatasetSpec:
    """One data set."""

    name: str
    """In commands."""
    title: str
    bands: tuple[str, ...]
    """Common names of all bands that can be read, in the order of the download."""
    labels: tuple[Label, ...]
    ignored: tuple[int, ...]
    """Codes of pixels that count for nothing."""
    license: str
    get: str
    """Where it is had, in words."""
    layout: str
    """Its folders and files, as a drawing."""
    source: str
    """Who made it, and where its layout is documented."""
    scaling: Scaling = "reflectance"
    usual_bands: tuple[str, ...] = ()
    """Bands that are prepared unless others are asked for; empty: all."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """What the whole download holds, as scenes: 96."""
    verified: str = "replica only"
    """Where the loader was run: on replicas of the layout only, or also on real files."""
    stratify: Literal["", "biome"] = ""
    """What each split is to hold its share of."""
    has_published_split: bool = False
    kind: Literal["images", "points"] = "images"
    notes: tuple[str, ...] = ()
    """What one should know before numbers are compared."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its own classes, in the order of their first codes."""
        return tuple(dict.fromkeys(label.name for label in self.labels))

    @property
    def is_about_clouds(self) -> bool:
        """True if its classes have a place on a cloud mask."""
        return all(label.cloud for label in self.labels)

    def choose_bands(self, bands: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The bands asked for, or the usual ones.

        Raises:
            BandError: The set does not have one, or one is named twice.
        """
        wanted = bands or self.usual_bands or self.bands
        unknown = [name for name in wanted if name not in self.bands]
        if unknown or len(set(wanted)) < len(wanted):
            what = f"has no band {unknown[0]!r}" if unknown else f"cannot give a band twice: {', '.join(wanted)}"
            raise BandError(f"{self.name} {what}.", hint=f"It has {', '.join(self.bands)}.")
        return wanted

    def table(self, choice: Choice) -> ClassTable:
        """How codes become classes: the set's own, or 2, 3 or 4 classes of a cloud mask.

        2 is clear and cloud, shadow counting as clear; 3 adds shadow; 4 also divides thick and thin.

        Raises:
            OptionError: The set is not about clouds, or does not label what the choice divides.
        """
        ignored = dict.fromkeys((*self.ignored, IGNORE), IGNORE) if not self._uses(IGNORE) else {}
        ignored |= dict.fromkeys(self.ignored, IGNORE)
        if choice == "own":
            places = {name: i for i, name in enumerate(self.classes)}
            return ClassTable(self.classes, ignored | {label.code: places[label.name] for label in self.labels})
        if choice not in _NAMES:
            raise OptionError(f"There are no classes {choice!r}.", hint=f"Use {', '.join(CHOICES)}.")
        meanings = {label.cloud for label in self.labels}
        lacking = [word for word in _NEEDED[choice] if word not in meanings]
        if lacking:
            raise OptionError(
                f"{self.name} does not label {lacking[0]}, so it has no {choice} classes of a cloud mask.",
                hint="Use --classes own" + (", or --classes 2." if "thick" in meanings else "."),
            )
        table = {label.code: _PLACES[choice][label.cloud] for label in self.labels if label.cloud}
        return ClassTable(_NAMES[choice], ignored | table)

    def _uses(self, code: int) -> bool:
        return any(label.code == code for label in self.labels)
