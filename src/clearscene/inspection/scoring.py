"""From findings to penalties, a score and a grade, by a standard.

The score is 100 minus the penalties, not below 0. All sums are exact (`math.fsum`), so the order of
the findings cannot matter.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.report_texts import NARROW_SPACE, Texts, defect_title, say
from clearscene.inspection.result import Finding, Pixels, ScoreRecord, Status
from clearscene.inspection.standard import Rating, Standard
from clearscene.inspection.taxonomy import TYPES

__all__ = [
    "NOT_INSPECTED",
    "Extent",
    "Item",
    "Rest",
    "Scored",
    "judge_readability",
    "price_findings",
    "score_findings",
    "score_items",
    "type_penalties",
]

NOT_INSPECTED = "not inspected"
"""Grade of a scene or unit of which no pixel was inspected; its score is 0, and it does not pass."""

MAX_UNREADABLE = 0.01
"""Share of a scene that may be unreadable if it is to pass."""

_N_REASONS = 3
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
class Scored:
    """What `score_items` found out."""

    classes: list[str]
    """Error class of each item."""
    penalties: list[float]
    """Penalty of each item."""
    by_type: dict[str, float]
    """Penalty of each type that was found, its undrawn rest included."""
    record: ScoreRecord


@dataclass(frozen=True)
class _Charge:
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


def score_findings(
    findings: Sequence[Finding],
    standard: Standard,
    *,
    inspected_px: int,
    inspected_m2: float | None = None,
    rest: Mapping[str, Rest] | None = None,
) -> tuple[list[Finding], ScoreRecord]:
    """Score findings; returns them in the same order with `error_class` and `penalty` set.

    Region and pixel types are judged by their area as a fraction of the inspected area, boundary
    types by count or length. Where a rule says `per = "type"` the areas of a type are pooled, so one
    cloud cut into many polygons costs what it costs whole, and each finding bears its part of the
    cost; `per = "finding"` judges each by itself. Of several rules for a type the dearest counts.

    Laws: adding a finding never raises the score; the order is irrelevant; rejected findings cost
    nothing, and if all are rejected the score is 100; the penalties of the findings and of the
    undrawn `rest` (by type) add up to 100 - score, unless that would be more than 100.
    """
    priced, scored = price_findings(findings, standard, inspected=Extent(inspected_px, inspected_m2), rest=rest or {})
    return priced, scored.record


def price_findings(
    findings: Sequence[Finding], standard: Standard, *, inspected: Extent, rest: Mapping[str, Rest]
) -> tuple[list[Finding], Scored]:
    """What `score_findings` and `type_penalties` give, from one pass; a finding whose price is right stays itself."""
    live = [i for i, finding in enumerate(findings) if finding.status != Status.REJECTED]
    scored = score_items([Item.of(findings[i]) for i in live], standard, inspected=inspected, rest=rest)
    cost = dict(zip(live, zip(scored.classes, scored.penalties, strict=True), strict=True))
    return [_priced(finding, *cost.get(i, ("", 0.0))) for i, finding in enumerate(findings)], scored


def _priced(finding: Finding, error_class: str, penalty: float) -> Finding:
    price = {"error_class": error_class, "penalty": round(penalty, 6)}
    if finding.error_class == error_class and finding.penalty == price["penalty"]:
        return finding
    return finding.model_copy(update=price)


def judge_readability(score: ScoreRecord, pixels: Pixels) -> ScoreRecord:
    """The score with what could not be read said in its reasons; over 1 % of the scene, it does not pass.

    Damaged blocks cost no points, since nobody knows what is in them, but a scene with many of them
    cannot be called good.
    """
    if pixels.unreadable == 0:
        return score
    share = pixels.unreadable / pixels.total
    reason = say("unreadable_share", _percent(share))
    passed = score.passed and share <= MAX_UNREADABLE
    return score.model_copy(update={"reasons": [reason, *score.reasons], "passed": passed})


def type_penalties(
    findings: Sequence[Finding],
    standard: Standard,
    *,
    inspected_px: int,
    inspected_m2: float | None = None,
    rest: Mapping[str, Rest] | None = None,
) -> dict[str, float]:
    """Penalty of each type that was found, what its undrawn `rest` costs included.

    Law: the values add up to 100 - score of `score_findings`, unless that would be more than 100.
    """
    items = [Item.of(finding) for finding in findings if finding.status != Status.REJECTED]
    return score_items(items, standard, inspected=Extent(inspected_px, inspected_m2), rest=rest or {}).by_type


def score_items(items: Sequence[Item], standard: Standard, *, inspected: Extent, rest: Mapping[str, Rest]) -> Scored:
    """Score what may be parts of findings; `score_findings` states the laws."""
    classes, penalties = [""] * len(items), [0.0] * len(items)
    if inspected.pixels <= 0:
        record = _record(standard, 0.0, [say("nothing_inspected")], grade=NOT_INSPECTED)
        return Scored(classes, penalties, {}, record)
    charges: dict[str, _Charge] = {}
    all_asked: list[tuple[str, _Charge]] = []
    errors: Counter[str] = Counter()
    unscored = []
    for name, index in _by_name(items, rest).items():
        found = [items[i] for i in index]
        asked = _charges(name, standard, found, rest=rest.get(name, Rest(0, 0)), inspected=inspected)
        if not asked:
            unscored.append(_why_unscored(name, standard))
            continue
        charges[name] = dearest = max(asked, key=lambda charge: charge.penalty)
        errors += _most(asked)
        all_asked += [(name, charge) for charge in asked]
        for i, error_class, share in zip(index, dearest.classes, dearest.shares, strict=True):
            classes[i], penalties[i] = error_class, share
    score = round(max(0.0, 100.0 - math.fsum(c.penalty for c in charges.values())), 4)
    failures = _failures(errors, standard, all_asked)
    record = _record(standard, score, [*failures, *_costs(charges), *unscored], grade="fail" if failures else None)
    return Scored(classes, penalties, {name: c.penalty for name, c in charges.items()}, record)


def _by_name(items: Sequence[Item], rest: Mapping[str, Rest]) -> dict[str, list[int]]:
    """Positions of the items of each type that was found, in the order of the type ids."""
    index: dict[str, list[int]] = {t.name: [] for t in TYPES}
    for i, item in enumerate(items):
        index[item.type].append(i)
    return {name: where for name, where in index.items() if where or rest.get(name, Rest(0, 0)).n}


def _charges(name: str, standard: Standard, items: Sequence[Item], *, rest: Rest, inspected: Extent) -> list[_Charge]:
    """What each rule for a type asks; rules that cannot measure what was found are left out."""
    asked = (_charge(rule, standard, items, rest=rest, inspected=inspected) for rule in standard.rules_of(name))
    return [charge for charge in asked if charge is not None]


def _record(standard: Standard, score: float, reasons: list[Bilingual], *, grade: str | None = None) -> ScoreRecord:
    grade = grade or standard.grade_of(score)
    return ScoreRecord(
        standard=standard.name,
        title=standard.title,
        is_draft=standard.is_draft,
        score=score,
        grade=grade,
        passed=grade not in ("fail", NOT_INSPECTED),
        reasons=reasons,
        grades=standard.grade_titles,
        classes=standard.class_titles,
    )


def _charge(
    rule: Rating, standard: Standard, items: Sequence[Item], *, rest: Rest, inspected: Extent
) -> _Charge | None:
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


def _by_type(rule: Rating, standard: Standard, values: list[float], *, undrawn: float) -> _Charge:
    """One error for the sum of all findings, its cost shared out in proportion."""
    total = math.fsum([*values, undrawn])
    error_class, cost = _judge(rule, standard, total)
    penalty = _capped(cost, rule)
    shares = tuple(penalty * value / total if total > 0 else 0.0 for value in values)
    amount = _amount(rule, total)
    text = say("amount_class", amount, standard.class_titles[error_class]) if error_class else amount
    passed = [limit for limit in rule.limits if total > limit]
    return _Charge(
        penalty,
        shares,
        (error_class,) * len(values),
        _counter(error_class),
        text,
        is_capped=penalty < cost,
        amount=amount,
        limit=_amount(rule, passed[-1]) if passed else None,
    )


def _by_finding(rule: Rating, standard: Standard, values: list[float], *, n_rest: int, undrawn: float) -> _Charge:
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
    return _Charge(penalty, shares, classes, errors, text, is_capped=penalty < cost)


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


def _most(charges: Sequence[_Charge]) -> Counter[str]:
    """Errors of each class, by the rule that finds most of them."""
    most: Counter[str] = Counter()
    for charge in charges:
        most |= charge.errors
    return most


def _failures(errors: Counter[str], standard: Standard, asked: Sequence[tuple[str, _Charge]]) -> list[Bilingual]:
    """Why the scene fails whatever its score: one sentence a class, and one for each type to blame."""
    reasons = []
    for c in standard.classes:
        if c.max_errors is not None and errors[c.name] > c.max_errors:
            reasons.append(say("fails_by_class", errors[c.name], standard.class_titles[c.name], c.max_errors))
            reasons += [_blame(name, charge) for name, charge in asked if charge.errors[c.name]]
    return reasons


def _blame(name: str, charge: _Charge) -> Bilingual:
    """What one type adds to a failure, with the limit where its sum exceeds one."""
    if charge.amount is None or charge.limit is None:
        return say("counted_as_failure", defect_title(name), charge.text)
    return say("over_limit", defect_title(name), charge.amount, charge.limit)


def _costs(charges: Mapping[str, _Charge]) -> list[Bilingual]:
    """What cost the most, one sentence a type."""
    dear = sorted((-charge.penalty, name) for name, charge in charges.items() if charge.penalty > 0)
    return [_cost(name, charges[name]) for _, name in dear[:_N_REASONS]]


def _cost(name: str, charge: _Charge) -> Bilingual:
    title, points = defect_title(name), _NUMBER.penalty(charge.penalty)
    if charge.is_capped:
        return say("type_cost_capped", title, points, charge.text)
    return say("type_cost", title, points, charge.text)


def _amount(rule: Rating, value: float) -> Bilingual:
    """What a rule has measured, with its unit."""
    match rule.measure:
        case "area_fraction":
            return say("share_of_inspected", _percent(value))
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


def _percent(fraction: float) -> Bilingual:
    """A percentage with a plain space, which every terminal can print."""
    return Bilingual(en=Texts("en").percent(fraction).replace(NARROW_SPACE, " "), zh=Texts("zh").percent(fraction))


def _why_unscored(type_name: str, standard: Standard) -> Bilingual:
    title = defect_title(type_name)
    return say("type_not_scored", title) if type_name in standard.not_scored else say("type_not_measured", title)
