"""What the server tells a page, as JSON: docs/guides/review.md lists the fields."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clearscene.inspection.result import Finding, Report, SceneInfo, Signature, Status
from clearscene.inspection.taxonomy import TYPES
from clearscene.inspection.texts import WORDS
from clearscene.review.agreement import Agreement, Disagreement
from clearscene.review.features import Change, Layout, State
from clearscene.review.history import Entry, undone_numbers
from clearscene.review.live import Scored
from clearscene.review.walk import Walk
from clearscene.vector.geopackage import decode

__all__ = [
    "agreement_answer",
    "counts_answer",
    "finding_answers",
    "history_answer",
    "label_answer",
    "prices",
    "run_answer",
    "scene_answer",
    "score_answer",
    "signature_answer",
    "statuses_answer",
    "types_answer",
    "walk_answer",
]

Answer = dict[str, Any]
MOST_CHANGES = 20
"""Changes that the history tells of one gesture, which may have been on thousands of findings."""
_PLAIN = (
    "id", "type", "group", "confidence", "penalty", "error_class", "remark", "detector", "unit", "area_px", "area_m2",
    "area_fraction", "length_px", "length_m", "n_parts",
)  # fmt: skip


def run_answer(report: Report, folder: Path, *, who: str, is_writable: bool) -> Answer:
    """What run it is, and who reviews it."""
    return {
        "name": report.scene.name,
        "folder": str(folder),
        "reviewer": who,
        "writable": is_writable,
        "lang": report.lang,
    }


def scene_answer(scene: SceneInfo, problem: str) -> Answer:
    """The scene; `problem` is why it cannot be shown, "" if it can."""
    told = {name: getattr(scene, name) for name in ("name", "width", "height", "crs", "resolution", "stretch")}
    return told | {"available": not problem, "reason": problem}


def finding_answers(scored: Scored, entries: Sequence[Entry], keys: Iterable[int] | None = None) -> list[Answer]:
    """Findings in the order of the file, all or some; those that cannot be understood carry a `problem`."""
    newest = {key: entry for entry in entries for key in entry.keys}
    decided = {key: entry for entry in entries if entry.who for key in entry.keys}
    wanted = None if keys is None else set(keys)
    answers = []
    for key in scored.polygons:
        if wanted is None or key in wanted:
            by = decided.get(key)
            answers.append(
                _finding(key, scored)
                | {
                    "key": key,
                    "revision": newest[key].seq if key in newest else 0,
                    "reviewer": by.who if by else "",
                    "reviewed": by.at if by else None,
                }
            )
    return answers


def score_answer(report: Report, bad: Mapping[int, Exception]) -> Answer:
    """The score with its reasons, types and units."""
    score = report.score
    title = score.grades.get(score.grade)
    return {
        **score.model_dump(mode="json", exclude={"classes"}),
        "grade_title": title.model_dump() if title else {"en": score.grade, "zh": score.grade},
        "types": [t.model_dump(mode="json", exclude={"reason"}) for t in report.types if t.count],
        "units": [u.model_dump(mode="json", include=_UNIT_FIELDS) for u in report.units],
        "problems": [{"key": key, "message": str(error)} for key, error in bad.items()],
    }


_UNIT_FIELDS = {"unit", "score", "grade", "passed", "n_findings"}


def counts_answer(scored: Scored) -> Answer:
    """How many findings there are by status."""
    statuses = [finding.status.value for finding in scored.findings.values()]
    return {"total": len(scored.polygons)} | {status.value: statuses.count(status.value) for status in Status}


def prices(scored: Scored) -> dict[int, tuple[float, str]]:
    """Penalty and error class of each finding: they follow from all findings together."""
    return {key: (finding.penalty, finding.error_class) for key, finding in scored.findings.items()}


def label_answer(entry: Entry | None) -> Answer | None:
    """An entry in short, as undo and redo name it."""
    if entry is None:
        return None
    return {"action": entry.action, "keys": entry.keys, "at": entry.at, "who": entry.who, "seq": entry.seq}


def history_answer(
    entries: Sequence[Entry], chosen: Iterable[Entry], *, layout: Layout, pixel_area: float, key: int | None = None
) -> list[Answer]:
    """Entries with what they changed, the columns only that did change.

    Args:
        entries: All of them.
        chosen: Those that are told.
        layout: Of the file.
        pixel_area: In map units; areas are told in pixels.
        key: The one feature whose changes are told; None tells of all, the first `MOST_CHANGES` of each entry.
    """
    gone = undone_numbers(entries)
    answers = []
    for entry in chosen:
        told = [change for change in entry.changes if key in (None, change.key)]
        answers.append(
            {
                "seq": entry.seq,
                "at": entry.at,
                "who": entry.who,
                "client": entry.client,
                "action": entry.action,
                "target": entry.target,
                "n_changes": len(told),
                "changes": [_change(change, layout, pixel_area) for change in told[:MOST_CHANGES]],
                "undone": entry.seq in gone,
            }
        )
    return answers


def signature_answer(signature: Signature | None, digest: str) -> Answer | None:
    """The signature, and whether it holds."""
    if signature is None:
        return None
    return {**signature.model_dump(mode="json"), "matches": signature.digest == digest}


def types_answer(report: Report) -> list[Answer]:
    """All ten types, and which of them were looked for."""
    inspected = {summary.type: summary.inspected for summary in report.types}
    fields = ("id", "name", "title", "title_zh", "color")
    return [
        {name: getattr(t, name) for name in fields}
        | {"group": t.group.value, "inspected": inspected.get(t.name, False)}
        for t in TYPES
    ]


def statuses_answer() -> list[Answer]:
    """All statuses with their words."""
    return [{"name": s.value, "title": WORDS[s.value][0], "title_zh": WORDS[s.value][1]} for s in Status]


def walk_answer(walk: Walk, who: str) -> Answer:
    """How far the walk is."""
    return {
        "cell": walk.cell,
        "rows": walk.n_rows,
        "cols": walk.n_cols,
        "seen": [list(cell) for cell in walk.seen],
        "n_seen": walk.n_seen,
        "n_cells": walk.n_rows * walk.n_cols,
        "who_seen": walk.n_seen_by(who),
    }


def agreement_answer(found: Agreement, scored: Scored) -> Answer:
    """Kappa, the table of verdicts, and each disagreement with the finding as it stands."""
    keys: dict[object, int] = {finding.id: key for key, finding in scored.findings.items()}
    keys |= {polygon.bounds: key for key, polygon in scored.polygons.items()}  # of those that somebody has drawn
    table: dict[str, dict[str, int]] = {}
    for (one, two), n in found.table.items():
        table.setdefault(one, {})[two] = n
    return {
        "reviewers": [found.first, found.second],
        "kappa": found.kappa,
        "n": found.n,
        "agree": found.n_agreed,
        "undecided": found.n_undecided,
        "table": table,
        "disagreements": [
            _disagreement_answer(d, found, keys.get(d.bounds if d.id is None else d.id), scored)
            for d in found.disagreements
        ],
    }


def _disagreement_answer(d: Disagreement, found: Agreement, key: int | None, scored: Scored) -> Answer:
    """A disagreement with the finding as it stands; who has said nothing counts as undecided."""
    finding = scored.findings.get(key) if key is not None else None
    said = {found.first: d.first, found.second: d.second}
    return {
        "key": key,
        "id": finding.id if finding else d.id,
        "type": finding.type if finding else "",
        "verdicts": {name: Status.PROPOSED.value if verdict == "-" else verdict for name, verdict in said.items()},
        "bounds": list(d.bounds),
    }


def _finding(key: int, scored: Scored) -> Answer:
    bounds = list(scored.polygons[key].bounds)
    finding = scored.findings.get(key)
    if finding is None:
        return _UNKNOWN | {"bounds": bounds, "problem": str(scored.bad.get(key, ""))}
    values = {name: getattr(finding, name) for name in _PLAIN}
    return values | {"status": finding.status.value, "bounds": bounds, "problem": ""}


_UNKNOWN = Finding(
    id=0,
    type_id=0,
    type="",
    group="region",
    area_px=0,
    area_fraction=0,
    confidence=0,
    detector="",
    bounds_px=(0, 0, 0, 0),
).model_dump(mode="json", exclude={"type_id", "bounds_px"})


def _change(change: Change, layout: Layout, pixel_area: float) -> Answer:
    after, before = change.after or {}, change.before or {}
    return {
        "key": change.key,
        "id": after.get("id", before.get("id")),
        "before": None if change.before is None else _side(change.before, layout, pixel_area),
        "after": None if change.after is None else _side(change.after, layout, pixel_area),
    }


def _side(state: State, layout: Layout, pixel_area: float) -> Answer:
    """What a person reads of a state."""
    shown = {name: state[name] for name in ("status", "type", "remark") if name in state}
    blob = state.get(layout.geometry)
    return shown | ({"geometry": {"area_px": round(decode(blob).area / pixel_area, 1)}} if blob is not None else {})
