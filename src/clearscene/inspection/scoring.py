"""From findings to penalties, a score and a grade, by a standard.

The score is 100 minus the penalties, not below 0. All sums are exact (`math.fsum`), so the order of
the findings cannot matter.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.charging import Charge, Extent, Item, Rest, charges_of
from clearscene.inspection.report_texts import Texts, defect_title, say, say_percent
from clearscene.inspection.result import Finding, Pixels, ScoreRecord, Status
from clearscene.inspection.standard import Standard
from clearscene.inspection.taxonomy import TYPES

__all__ = [
    "NOT_INSPECTED",
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
class Scored:
    """What `score_items` found out."""

    classes: list[str]
    """Error class of each item."""
    penalties: list[float]
    """Penalty of each item."""
    by_type: dict[str, float]
    """Penalty of each type that was found, its undrawn rest included."""
    record: ScoreRecord


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
    reason = say("unreadable_share", say_percent(share))
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
    charges: dict[str, Charge] = {}
    all_asked: list[tuple[str, Charge]] = []
    errors: Counter[str] = Counter()
    unscored = []
    for name, index in _by_name(items, rest).items():
        found = [items[i] for i in index]
        asked = charges_of(name, standard, found, rest=rest.get(name, Rest(0, 0)), inspected=inspected)
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


def _most(charges: Sequence[Charge]) -> Counter[str]:
    """Errors of each class, by the rule that finds most of them."""
    most: Counter[str] = Counter()
    for charge in charges:
        most |= charge.errors
    return most


def _failures(errors: Counter[str], standard: Standard, asked: Sequence[tuple[str, Charge]]) -> list[Bilingual]:
    """Why the scene fails whatever its score: one sentence a class, and one for each type to blame."""
    reasons = []
    for c in standard.classes:
        if c.max_errors is not None and errors[c.name] > c.max_errors:
            reasons.append(say("fails_by_class", errors[c.name], standard.class_titles[c.name], c.max_errors))
            reasons += [_blame(name, charge) for name, charge in asked if charge.errors[c.name]]
    return reasons


def _blame(name: str, charge: Charge) -> Bilingual:
    """What one type adds to a failure, with the limit where its sum exceeds one."""
    if charge.amount is None or charge.limit is None:
        return say("counted_as_failure", defect_title(name), charge.text)
    return say("over_limit", defect_title(name), charge.amount, charge.limit)


def _costs(charges: Mapping[str, Charge]) -> list[Bilingual]:
    """What cost the most, one sentence a type."""
    dear = sorted((-charge.penalty, name) for name, charge in charges.items() if charge.penalty > 0)
    return [_cost(name, charges[name]) for _, name in dear[:_N_REASONS]]


def _cost(name: str, charge: Charge) -> Bilingual:
    title, points = defect_title(name), _NUMBER.penalty(charge.penalty)
    if charge.is_capped:
        return say("type_cost_capped", points, title, charge.text)
    return say("type_cost", points, title, charge.text)


def _why_unscored(type_name: str, standard: Standard) -> Bilingual:
    title = defect_title(type_name)
    return say("type_not_scored", title) if type_name in standard.not_scored else say("type_not_measured", title)
