"""Scoring standards: TOML files that say what each defect costs, and how findings are cleaned.

A standard is data, so that an agency can write its own. `load_standard` checks every key and value
before a scene is read. The guide `docs/guides/standards.md` explains each key.
"""

import difflib
import tomllib
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clearscene.errors import StandardError
from clearscene.grid import Grid
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.clean import Cleaning, smallest_area
from clearscene.inspection.taxonomy import BY_NAME, TYPES, DefectType, Group

__all__ = [
    "DEFAULT_STANDARD",
    "Measure",
    "Rating",
    "Standard",
    "list_standards",
    "load_standard",
    "standard_text",
]

DEFAULT_STANDARD = "gbt24356"

Measure = Literal["area_fraction", "area_m2", "count", "count_per_km2", "length_m", "length_px", "length_m_per_km2"]
"""What a rule looks at. Fractions are of the inspected area, not percentages."""

_AREAS = ("area_fraction", "area_m2")
_LENGTHS = ("length_m", "length_px", "length_m_per_km2")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ErrorClass(_Table):
    """A class of error and what one error of it costs."""

    name: str = Field(min_length=1)
    title: Bilingual | None = None
    """The name for people; None where the name says it, like A."""
    deduction: float = Field(ge=0)
    by_size: bool = False
    """Divide the deduction by the standard's `size_factor`."""
    max_errors: int | None = Field(default=None, ge=0)
    """More errors of this class than this fail the scene; unset means any number."""


class Grade(_Table):
    """A grade and the lowest score that earns it."""

    name: str = Field(min_length=1)
    title: Bilingual
    at_least: float = Field(ge=0, le=100)


class Smallest(_Table):
    """The smallest finding that is kept; the smaller of the two sizes counts."""

    fraction: float | None = Field(default=None, ge=0, le=1)
    """Of the valid pixels."""
    square_meters: float | None = Field(default=None, ge=0)


class CleanOptions(_Table):
    """How the mask of a type is cleaned; a key left out is taken from the type's group."""

    dilation: int | None = Field(default=None, ge=0, le=64)
    fill_holes: int | None = Field(default=None, ge=0)
    reach: int | None = Field(default=None, ge=1, le=64)


class Rating(_Table):
    """A `[[rule]]`: what some types cost by one measure.

    A value above `limits[i]`, and not above `limits[i + 1]`, is an error of `classes[i]`; at or
    below `limits[0]` it costs nothing. `rate` points per 1.0 of the measure come on top.
    """

    types: tuple[str, ...] = Field(min_length=1)
    measure: Measure
    per: Literal["type", "finding"] = "type"
    """Judge the sum over all findings of a type, or every finding by itself."""
    limits: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    rate: float = Field(default=0.0, ge=0)
    cap: float | None = Field(default=None, gt=0)
    """The most that one type can cost by this rule."""

    @field_validator("types")
    @classmethod
    def _types_exist(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return _known_types(types)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Rating":
        if len(self.limits) != len(self.classes):
            raise ValueError(f"has {len(self.limits)} limits and {len(self.classes)} classes; one class a limit")
        if any(limit < 0 for limit in self.limits) or list(self.limits) != sorted(set(self.limits)):
            raise ValueError(f"limits {list(self.limits)} must not be negative and must rise")
        if not self.limits and self.rate == 0:
            raise ValueError("has neither limits with classes nor a rate, so it can never cost anything")
        if self.per == "finding" and self.measure in ("count_per_km2", "length_m_per_km2"):
            raise ValueError(f'measure "{self.measure}" is a density of all findings: use per = "type"')
        wrong = _AREAS if _groups(self.types) == {Group.BOUNDARY} else _LENGTHS
        if self.measure in wrong or (self.measure in _AREAS and Group.BOUNDARY in _groups(self.types)):
            raise ValueError(
                f'measure "{self.measure}" does not fit {", ".join(self.types)}: boundary types have a count '
                "and a length, all others a count and an area"
            )
        return self


class Standard(_Table):
    """A scoring standard, checked.

    Law: no deduction falls as a measure grows, so adding a finding never raises a score.
    """

    name: str = Field(min_length=1)
    title: Bilingual
    source: str = Field(min_length=1)
    """Which numbers come from where, and which are assumed."""
    confirmed_by: str = ""
    """Who vouches for the deductions; while empty, every report says "draft grade"."""
    size_factor: float = Field(default=1.0, gt=0)
    classes: tuple[ErrorClass, ...] = Field(alias="class", min_length=1)
    grades: tuple[Grade, ...] = Field(alias="grade", min_length=1)
    rules: tuple[Rating, ...] = Field(alias="rule", min_length=1)
    not_scored: tuple[str, ...] = ()
    """Types that cost nothing on purpose."""
    smallest: dict[str, Smallest] = {}
    clean: dict[str, CleanOptions] = {}

    @property
    def is_draft(self) -> bool:
        """True while nobody has confirmed the deductions."""
        return not self.confirmed_by.strip()

    def deduction(self, class_name: str) -> float:
        """Points that one error of a class costs."""
        found = self.error_class(class_name)
        return found.deduction / self.size_factor if found.by_size else found.deduction

    def error_class(self, class_name: str) -> ErrorClass:
        """The class of this name, which must exist."""
        return next(c for c in self.classes if c.name == class_name)

    def rules_of(self, type_name: str) -> list[Rating]:
        """The rules for a type; the one that costs most counts."""
        return [rule for rule in self.rules if type_name in rule.types]

    def grade_of(self, score: float) -> str:
        """Name of the best grade that a score earns, or "fail"."""
        earned = [g for g in self.grades if score >= g.at_least]
        return max(earned, key=lambda g: g.at_least).name if earned else "fail"

    @property
    def grade_titles(self) -> dict[str, Bilingual]:
        """The names of all grades for people, "fail" and "not inspected" too."""
        return {g.name: g.title for g in self.grades} | _OTHER_GRADES

    @property
    def class_titles(self) -> dict[str, Bilingual]:
        """The names of all error classes for people."""
        return {c.name: c.title or Bilingual(en=c.name, zh=c.name) for c in self.classes}

    def cleaning(self, defect: DefectType, *, valid: int, grid: Grid) -> Cleaning:
        """How the mask of a type is cleaned in a scene with `valid` pixels.

        The published values (disk of 2 px, holes under 10 px, 0.01 % of the scene) are the defaults
        for region types; pixel types keep everything that their rule reports.
        """
        options, small = self._clean_of(defect), self._smallest_of(defect)
        area = smallest_area(small.fraction or 0.0, small.square_meters or 0.0, valid=valid, grid=grid)
        return Cleaning(
            dilation=options.dilation or 0,
            fill_holes=options.fill_holes or 0,
            min_area=area,
            reach=options.reach or 1,
        )

    def _clean_of(self, defect: DefectType) -> CleanOptions:
        merged: dict[str, Any] = dict(_DEFAULT_CLEAN[defect.group])
        for key in (defect.group.value, defect.name):
            if key in self.clean:
                merged.update(self.clean[key].model_dump(exclude_none=True))
        return CleanOptions(**merged)

    def _smallest_of(self, defect: DefectType) -> Smallest:
        merged: dict[str, Any] = dict(_DEFAULT_SMALLEST[defect.group])
        for key in (defect.group.value, defect.name):
            if key in self.smallest:
                merged.update(self.smallest[key].model_dump(exclude_none=True))
        return Smallest(**merged)

    @field_validator("not_scored")
    @classmethod
    def _not_scored_exist(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return _known_types(types)

    @field_validator("smallest", "clean")
    @classmethod
    def _keys_are_types(cls, tables: dict[str, Any]) -> dict[str, Any]:
        _known_types(tuple(tables), also=tuple(group.value for group in Group))
        return tables

    @model_validator(mode="after")
    def _hangs_together(self) -> "Standard":
        names = [c.name for c in self.classes]
        if len(set(names)) < len(names):
            raise ValueError(f"two of the classes {', '.join(names)} have one name")
        if any(g.name in _OTHER_GRADES for g in self.grades):
            raise ValueError(f"a grade cannot be called {' or '.join(_OTHER_GRADES)}: these words are taken")
        for better, worse in pairwise(self.grades):
            if better.at_least <= worse.at_least:
                raise ValueError(
                    f"grade {worse.name!r} (at_least {worse.at_least:g}) comes after {better.name!r} "
                    f"(at_least {better.at_least:g}); write the best grade first, each with a lower at_least"
                )
        for rule in self.rules:
            self._check_classes(rule, names)
        covered = {t for rule in self.rules for t in rule.types}
        if both := covered & set(self.not_scored):
            raise ValueError(f"{', '.join(sorted(both))} has a rule and is in not_scored")
        if missing := [t.name for t in TYPES if t.name not in covered | set(self.not_scored)]:
            raise ValueError(f"there is no rule for {', '.join(missing)}; write one, or list them in not_scored")
        return self

    def _check_classes(self, rule: Rating, names: list[str]) -> None:
        place = f"the rule on {rule.measure} of {', '.join(rule.types)}"
        for name in rule.classes:
            if name not in names:
                raise ValueError(f"{place} names class {name!r}; {_choices(name, names)}")
        costs = [self.deduction(name) for name in rule.classes]
        if costs != sorted(costs):
            raise ValueError(f"{place}: a larger value must not cost less, but the classes deduct {costs}")


_OTHER_GRADES: dict[str, Bilingual] = {
    "fail": Bilingual(en="fail", zh="不合格"),
    "not inspected": Bilingual(en="not inspected", zh="未检查"),
}

_DEFAULT_CLEAN: dict[Group, dict[str, int]] = {
    Group.PIXEL: {"dilation": 0, "fill_holes": 0, "reach": 3},
    Group.REGION: {"dilation": 2, "fill_holes": 9, "reach": 1},
    Group.BOUNDARY: {"dilation": 0, "fill_holes": 0, "reach": 1},
}
_DEFAULT_SMALLEST: dict[Group, dict[str, float]] = {
    Group.PIXEL: {"fraction": 0.0, "square_meters": 0.0},
    Group.REGION: {"fraction": 1e-4, "square_meters": 100.0},
    Group.BOUNDARY: {"fraction": 0.0, "square_meters": 0.0},
}
_TABLES: dict[str, type[BaseModel]] = {
    "": Standard,
    "title": Bilingual,
    "class": ErrorClass,
    "grade": Grade,
    "rule": Rating,
    "smallest": Smallest,
    "clean": CleanOptions,
}
"""Which model checks which table of the file."""


def list_standards() -> list[str]:
    """Names of the standards that come with clearscene."""
    folder = resources.files("clearscene.inspection") / "standards"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def standard_text(name_or_path: str | Path) -> str:
    """The TOML text of a standard, by the name of a shipped one or by path.

    Raises:
        StandardError: There is neither such a standard nor such a file, or it cannot be read.
    """
    name = str(name_or_path)
    if name in list_standards():
        return (resources.files("clearscene.inspection") / "standards" / f"{name}.toml").read_text("utf-8")
    try:
        return _decoded(Path(name_or_path).read_bytes(), name)
    except FileNotFoundError as error:
        raise StandardError(
            f"There is no standard {name!r}, neither shipped nor a file.",
            hint=_choices(name, list_standards(), what="The shipped standards are") + ".",
        ) from error
    except OSError as error:
        raise StandardError(f"The standard {name} cannot be read: {error}.", hint="Give a TOML file.") from error


def load_standard(name_or_path: str | Path = DEFAULT_STANDARD) -> Standard:
    """Read and check a standard, by the name of a shipped one or the path of a TOML file.

    Raises:
        StandardError: The file is missing, is not TOML, or has a wrong key or value; the message
            names the file and the key, the hint the allowed ones and the nearest.
    """
    text = standard_text(name_or_path)
    try:
        return Standard.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise StandardError(f"The standard {name_or_path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise _explained(str(name_or_path), error) from error


def _decoded(data: bytes, place: str) -> str:
    """The text of a file with its line ends as `\\n`; editors on Windows put a mark before UTF-8, or write UTF-16."""
    hint = "Save it as UTF-8."
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise StandardError(f"The standard {place} is UTF-16 text, which TOML cannot be.", hint=hint)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise StandardError(f"The standard {place} is not UTF-8 text: {error}.", hint=hint) from error


def _explained(place: str, error: ValidationError) -> StandardError:
    """The first fault that pydantic found, in words that an inspector can act on."""
    fault = error.errors()[0]
    path = [str(part) if isinstance(part, str) else f"[{part + 1}]" for part in fault["loc"]]
    key = ".".join(path).replace(".[", "[")
    words = [part for part in fault["loc"] if isinstance(part, str)]
    table = _TABLES.get(words[0] if len(words) > 1 else "", Standard)
    allowed = [field.alias or name for name, field in table.model_fields.items()]
    if fault["type"] == "extra_forbidden":
        hint = _choices(words[-1], allowed, what="The keys here are") + "."
        return StandardError(f"The standard {place} has an unknown key {key}.", hint=hint)
    if fault["type"] == "missing":
        return StandardError(f"The standard {place} lacks the key {key}.", hint="See docs/guides/standards.md.")
    if fault["type"] in ("too_short", "string_too_short"):
        hint = f"Types are {', '.join(BY_NAME)}." if words[-1:] == ["types"] else "See docs/guides/standards.md."
        return StandardError(f"The standard {place} is wrong at {key}: it is empty, and needs at least one.", hint=hint)
    text = fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], dict) else f" = {fault['input']!r}"
    where = f" at {key}{given}" if key else ""
    return StandardError(f"The standard {place} is wrong{where}: {text}.")


def _choices(word: str, allowed: list[str], *, what: str = "allowed are") -> str:
    """The allowed words, with the nearest to `word` first."""
    near = difflib.get_close_matches(word, allowed, n=1)
    start = f"Did you mean {near[0]!r}? " if near else ""
    return f"{start}{what} {', '.join(allowed)}"


def _known_types(types: tuple[str, ...], also: tuple[str, ...] = ()) -> tuple[str, ...]:
    for name in types:
        if name not in BY_NAME and name not in also:
            raise ValueError(f"there is no type {name!r}; {_choices(name, [*also, *BY_NAME])}")
    return types


def _groups(types: tuple[str, ...]) -> set[Group]:
    return {BY_NAME[name].group for name in types}
