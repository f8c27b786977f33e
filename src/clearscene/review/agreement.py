"""How far two reviews of one run agree: Cohen's kappa, and every finding on which they differ.

A verdict on a finding is "rejected", or "accepted:" and the type that the reviewer left it. Kappa is
taken over the findings that both have decided on (Cohen, "A coefficient of agreement for nominal
scales", Educational and Psychological Measurement 20, 1960): (p_o - p_e) / (1 - p_e), with p_o the
share of equal verdicts and p_e the share that chance would give by how often each says what.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError, ResultError
from clearscene.inspection.result import Status
from clearscene.inspection.run_folder import RunFolder, open_run
from clearscene.review.features import State
from clearscene.review.history import OUTSIDE, Entry, read_entries, stands, undone_numbers
from clearscene.vector.geopackage import edit

__all__ = ["Agreement", "Disagreement", "Verdicts", "agreement", "cohens_kappa", "reviewers_of", "verdicts_of"]

ACCEPTED, REJECTED = "accepted", "rejected"
SAME_PLACE = 0.5
"""Intersection over union from which polygons that two people drew count as one."""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What one review says."""

    name: str
    by_id: Mapping[int, str]
    """Verdict on each detected finding that was decided on, by its number."""
    drawn: Sequence[tuple[str, BaseGeometry]]
    """Type and polygon, in pixels, of each finding that the person added."""


@dataclass(frozen=True)
class Disagreement:
    """A finding on which two reviews differ."""

    id: int | None
    """None for a polygon that one of them has drawn."""
    first: str
    """Verdict, or "-" where there is none."""
    second: str
    bounds: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Agreement:
    """Two reviews of one run."""

    first: str
    second: str
    kappa: float | None
    """None where no finding was decided by both."""
    n: int
    """Findings that both have decided on."""
    n_agreed: int
    table: Mapping[tuple[str, str], int]
    """How often each pair of verdicts was given."""
    disagreements: tuple[Disagreement, ...]
    n_undecided: int
    """Detected findings that one of them, or both, left undecided."""


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of verdicts.

    Laws: 1 if all pairs are equal; the order of the two is irrelevant; None without pairs. Where both
    always say the same one thing, chance explains all and the quotient is 0 / 0: that is 1 here.
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(one == two for one, two in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    expected = sum(first[verdict] * second[verdict] for verdict in first) / n**2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def agreement(first: Verdicts, second: Verdicts, places: Mapping[int, tuple[float, float, float, float]]) -> Agreement:
    """Compare two reviews; `places` are the bounds of the detected findings, in pixels, by number."""
    both = sorted(first.by_id.keys() & second.by_id.keys())
    pairs = [(first.by_id[number], second.by_id[number]) for number in both]
    differing = [
        Disagreement(number, one, two, places.get(number, (0.0, 0.0, 0.0, 0.0)))
        for number, (one, two) in zip(both, pairs, strict=True)
        if one != two
    ]
    return Agreement(
        first=first.name,
        second=second.name,
        kappa=cohens_kappa(pairs),
        n=len(pairs),
        n_agreed=sum(one == two for one, two in pairs),
        table=Counter(pairs),
        disagreements=(*differing, *_drawn_by_one(first, second)),
        n_undecided=len(places.keys() - set(both)),
    )


def verdicts_of(run: str | Path, who: str | None = None) -> Verdicts:
    """What a run says; with `who`, what the last gestures of that person say, by the history.

    Raises:
        ResultError: The run is incomplete.
        OptionError: The history knows no such person.
    """
    held = open_run(run)
    if who is not None:
        return _from_history(held, who)
    report = held.report
    detected = {finding.id for finding in report.findings if finding.detector != "person"}
    by_id, drawn = {}, []
    for row in held.rows():
        number, status = row.values.get("id"), row.text("status")
        if number in detected:
            verdict = _verdict(status, row.text("type"))
            if verdict:
                by_id[int(number)] = verdict
        elif status != Status.REJECTED:
            drawn.append((row.text("type"), row.polygon))
    return Verdicts(str(held.folder), by_id, drawn)


def places_of(run: str | Path) -> dict[int, tuple[float, float, float, float]]:
    """Bounds in pixels of the findings of a run that were detected, by number."""
    findings = open_run(run).report.findings
    return {f.id: tuple(map(float, f.bounds_px)) for f in findings if f.detector != "person"}  # type: ignore[misc]  # four


def compare_runs(first: str | Path, second: str | Path) -> Agreement:
    """Compare two copies of a run that two people have reviewed.

    Raises:
        ResultError: They are not of one inspection.
    """
    one, two = open_run(first).report, open_run(second).report
    if (one.created, one.scene.name) != (two.created, two.scene.name):
        raise ResultError(
            f"{first} and {second} are not reviews of one run: inspected {one.created:%Y-%m-%d %H:%M:%S}"
            f" and {two.created:%Y-%m-%d %H:%M:%S}.",
            hint="Copy the folder of one inspection for each reviewer.",
        )
    return agreement(verdicts_of(first), verdicts_of(second), places_of(first) | places_of(second))


def compare_reviewers(run: str | Path, first: str, second: str) -> Agreement:
    """Compare two people who have reviewed one run in one file."""
    return agreement(verdicts_of(run, first), verdicts_of(run, second), places_of(run))


def reviewers_of(run: str | Path) -> list[str]:
    """The people in the history of a run, in the order of their first gesture."""
    entries = _entries(open_run(run))
    return list(dict.fromkeys(entry.who for entry in entries if entry.who and entry.action != OUTSIDE))


def _entries(run: RunFolder) -> list[Entry]:
    with edit(run.gpkg) as database:
        return read_entries(database)


def _from_history(run: RunFolder, who: str) -> Verdicts:
    """The state in which a person's last gesture on each finding left it."""
    known = reviewers_of(run.folder if run.gpkg.name == "defects.gpkg" else run.gpkg)
    if who not in known:
        raise OptionError(
            f"{who!r} has not reviewed {run.folder}.", hint=f"Its reviewers are {', '.join(known) or 'none'}."
        )
    numbers = {row.fid: row.values.get("id") for row in run.rows()}
    detected = {finding.id: finding for finding in run.report.findings if finding.detector != "person"}
    states: dict[int, dict[str, object]] = {}
    own: dict[int, State | None] = {}
    entries = _entries(run)
    gone = undone_numbers(entries)
    for entry in entries:
        for change in entry.changes:
            if change.after is None:
                states.pop(change.key, None)
            else:
                states[change.key] = {**states.get(change.key, {}), **change.after}
            if entry.who == who and stands(entry, gone):
                own[change.key] = dict(states[change.key]) if change.key in states else None
    by_id = {}
    for key, state in own.items():
        number = numbers.get(key)
        if number in detected:
            verdict = _of_state(state, detected[number].type)
            if verdict:
                by_id[int(number)] = verdict
    return Verdicts(who, by_id, _drawn(run, {key for key in own if numbers.get(key) not in detected}))


def _drawn(run: RunFolder, keys: set[int]) -> list[tuple[str, BaseGeometry]]:
    rows = run.rows(keys)
    return [(row.text("type"), row.polygon) for row in rows if row.text("status") != Status.REJECTED]


def _of_state(state: State | None, detected: str) -> str:
    if state is None:
        return REJECTED  # deleted
    return _verdict(str(state.get("status") or Status.ACCEPTED), str(state.get("type") or detected))


def _verdict(status: str, type_name: str) -> str:
    """Verdict by status; a finding that was retyped or redrawn without a status counts as accepted in history."""
    if status == Status.REJECTED:
        return REJECTED
    return f"{ACCEPTED}:{type_name}" if status in (Status.ACCEPTED, Status.ADDED) else ""


def _drawn_by_one(first: Verdicts, second: Verdicts) -> list[Disagreement]:
    """Polygons that one has drawn and the other has not, or under another type."""
    lonely = [
        Disagreement(None, f"added:{name}", "-", shape.bounds)
        for name, shape in first.drawn
        if not _is_among(name, shape, second.drawn)
    ]
    return lonely + [
        Disagreement(None, "-", f"added:{name}", shape.bounds)
        for name, shape in second.drawn
        if not _is_among(name, shape, first.drawn)
    ]


def _is_among(name: str, shape: BaseGeometry, others: Sequence[tuple[str, BaseGeometry]]) -> bool:
    return any(name == other and _iou(shape, drawn) >= SAME_PLACE for other, drawn in others)


def _iou(one: BaseGeometry, two: BaseGeometry) -> float:
    union = shapely.union(one, two).area
    return float(shapely.intersection(one, two).area / union) if union else 0.0
