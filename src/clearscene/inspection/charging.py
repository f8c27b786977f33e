"""What the rules of a standard ask for the findings of one type: the cost of each, its error class, and why."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.report_texts import Texts, say, say_percent
from clearscene.inspection.result import Finding
from clearscene.inspection.standard import Rating, Standard

__all__ = ["Charge", "Extent", "Item", "Rest", "charges_of"]

_NUMBER = Texts()


@dataclass(frozen=True)
class Extent:
    """How much was inspected."""

    pixels: int
    square_meters: float | None = None
    """None without a CRS."""


@dataclass(frozen=True)
class Item:
    """What a standard sees of a finding: its type and sizes, which may be a part of the finding's."""

    type: str
    area_px: float
    area_m2: float | None = None
    length_px: float | None = None
    length_m: float | None = None

    @classmethod
    def of(cls, finding: Finding, share: float = 1.0) -> "Item":
        """The part `share`, 0 to 1, of a finding."""
        sizes = (finding.area_px, finding.area_m2, finding.length_px, finding.length_m)
        return cls(finding.type, *(None if size is None else size * share for size in sizes))  # type: ignore[arg-type]  # area_px is never None


@dataclass(frozen=True)
class Rest:
    """Findings of one type that are counted but not drawn, and so are not in the list."""

    n: int
    area_px: int


@dataclass(frozen=True)
class Charge:
    """What one rule asks for one type."""

    penalty: float
    shares: tuple[float, ...]
    """Penalty of each finding; what the undrawn rest costs is left out."""
    classes: tuple[str, ...]
    """Error class of each finding, "" where it costs nothing by class."""
    errors: Counter[str]
    text: Bilingual
    """What was found, as the end of a sentence."""
    is_capped: bool
    """True if what was found would have cost more than the rule's cap."""
    amount: Bilingual | None = None
    """Sum over all findings, where the rule judges it."""
    limit: Bilingual | None = None
    """The limit that `amount` exceeds."""


def charges_of(name: str, standard: Standard, items: Sequence[Item], *, rest: Rest, inspected: Extent) -> list[Charge]:
    """What each rule for a type asks; rules that cannot measure what was found are left out."""
    asked = (_charge(rule, standard, items, rest=rest, inspected=inspected) for rule in standard.rules_of(name))
    return [charge for charge in asked if charge is not None]


def _charge(rule: Rating, standard: Standard, items: Sequence[Item], *, rest: Rest, inspected: Extent) -> Charge | None:
    """What a rule asks for the findings of one type; None if it can measure none of them.

    A finding whose measure is not known costs nothing here: leaving the rule out for all would let
    one more finding raise the score.
    """
    found = [_value(rule, item, inspected) for item in items]
    undrawn = _rest_value(rule, rest, inspected)
    if undrawn is None and all(value is None for value in found):
        return None
    values = [value or 0.0 for value in found]
    if rule.per == "type":
        return _by_type(rule, standard, values, undrawn=undrawn or 0.0)
    return _by_finding(rule, standard, values, n_rest=rest.n, undrawn=undrawn or 0.0)


def _by_type(rule: Rating, standard: Standard, values: list[float], *, undrawn: float) -> Charge:
    """One error for the sum of all findings, its cost shared out in proportion."""
    total = math.fsum([*values, undrawn])
    error_class, cost = _judge(rule, standard, total)
    penalty = _capped(cost, rule)
    shares = tuple(penalty * value / total if total > 0 else 0.0 for value in values)
    amount = _amount(rule, total)
    text = say("amount_class", amount, standard.class_titles[error_class]) if error_class else amount
    passed = [limit for limit in rule.limits if total > limit]
    return Charge(
        penalty,
        shares,
        (error_class,) * len(values),
        _counter(error_class),
        text,
        is_capped=penalty < cost,
        amount=amount,
        limit=_amount(rule, passed[-1]) if passed else None,
    )


def _by_finding(rule: Rating, standard: Standard, values: list[float], *, n_rest: int, undrawn: float) -> Charge:
    """One error for each finding; those not drawn count as `n_rest` findings of their mean size."""
    judged = [_judge(rule, standard, value) for value in values]
    rest_class, rest_cost = _judge(rule, standard, undrawn / n_rest) if n_rest else ("", 0.0)
    cost = math.fsum([*(c for _, c in judged), rest_cost * n_rest])
    penalty = _capped(cost, rule)
    scale = penalty / cost if cost > 0 else 0.0
    errors: Counter[str] = Counter(name for name, _ in judged if name)
    if rest_class:
        errors[rest_class] += n_rest
    parts = [say("amount_count", _NUMBER.integer(len(values) + n_rest))]
    parts += [say("n_of_class", _NUMBER.integer(n), standard.class_titles[name]) for name, n in sorted(errors.items())]
    text = Bilingual(en=", ".join(part.en for part in parts), zh="，".join(part.zh for part in parts))
    shares, classes = tuple(c * scale for _, c in judged), tuple(name for name, _ in judged)
    return Charge(penalty, shares, classes, errors, text, is_capped=penalty < cost)


def _judge(rule: Rating, standard: Standard, value: float) -> tuple[str, float]:
    """Error class and cost of one value; the class of the last limit that the value exceeds."""
    passed = [name for limit, name in zip(rule.limits, rule.classes, strict=True) if value > limit]
    error_class = passed[-1] if passed else ""
    return error_class, rule.rate * value + (standard.deduction(error_class) if error_class else 0.0)


def _capped(cost: float, rule: Rating) -> float:
    return cost if rule.cap is None else min(cost, rule.cap)


def _counter(error_class: str) -> Counter[str]:
    return Counter([error_class] if error_class else [])


def _value(rule: Rating, item: Item, inspected: Extent) -> float | None:
    """The rule's measure of one item; measures add up over items. None if it is unknown."""
    km2 = inspected.square_meters / 1e6 if inspected.square_meters else None
    match rule.measure:
        case "area_fraction":
            return item.area_px / inspected.pixels
        case "area_m2":
            return item.area_m2
        case "count":
            return 1.0
        case "count_per_km2":
            return 1.0 / km2 if km2 else None
        case "length_px":
            return item.length_px
        case "length_m":
            return item.length_m
        case "length_m_per_km2":
            return item.length_m / km2 if km2 and item.length_m is not None else None


def _rest_value(rule: Rating, rest: Rest, inspected: Extent) -> float | None:
    """The rule's measure of all findings that are not drawn; None if there are none, or it is unknown."""
    if rest.n == 0:
        return None
    if rule.measure in ("count", "count_per_km2"):
        one = _value(rule, Item("", 1), inspected)
        return None if one is None else rest.n * one
    per_px = (inspected.square_meters or math.nan) / inspected.pixels
    area_m2 = None if math.isnan(per_px) else rest.area_px * per_px
    return _value(rule, Item("", rest.area_px, area_m2), inspected)


def _amount(rule: Rating, value: float) -> Bilingual:
    """What a rule has measured, with its unit."""
    match rule.measure:
        case "area_fraction":
            return say("share_of_inspected", say_percent(value))
        case "area_m2":
            return say("amount_m2", _NUMBER.number(value))
        case "count":
            return say("amount_count", _NUMBER.integer(value))
        case "count_per_km2":
            return say("amount_count_per_km2", _NUMBER.number(value))
        case "length_px":
            return say("amount_length_px", _NUMBER.number(value))
        case "length_m":
            return say("amount_length_m", _NUMBER.number(value))
        case "length_m_per_km2":
            return say("amount_length_per_km2", _NUMBER.number(value))
