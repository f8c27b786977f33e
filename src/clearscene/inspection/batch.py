"""The pages of a batch: `index.html` with every scene and the rejected ones, and `summary.csv`.

`collect` finds what earlier calls left in the same folder, so that both can be written anew.
"""

import base64
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from pydantic import ValidationError

from clearscene.atomic import replacing
from clearscene.batch import Failure
from clearscene.inspection.report import HTML_NAME, JSON_NAME, data_uri, render
from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Report, TypeSummary
from clearscene.inspection.taxonomy import TYPES

__all__ = ["CSV_NAME", "INDEX_NAME", "collect", "write_index"]

INDEX_NAME = "index.html"
CSV_NAME = "summary.csv"
N_WORST = 3
FORMULA = frozenset("=+-@\t\r")  # a spreadsheet takes text that starts so for a formula
THUMBNAIL_SIZE = 224  # px, longest side; twice what the page shows, for sharp screens
QUICKLOOK = re.compile(rb'<img id="quicklook" src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')


@dataclass(frozen=True)
class _Row:
    """One scene of the index."""

    name: str
    report: Report | None
    failure: Failure | None
    link: str = ""
    thumbnail: str = ""

    @property
    def n_found(self) -> int:
        """Findings of all types."""
        return sum(t.count for t in self.report.types) if self.report else 0

    @property
    def n_looked_for(self) -> int:
        """Types that were looked for."""
        return sum(t.inspected for t in self.report.types) if self.report else 0

    @property
    def is_whole(self) -> bool:
        """True if every type was looked for."""
        return self.report is not None and all(t.inspected for t in self.report.types)

    @property
    def worst(self) -> list[TypeSummary]:
        """The types that cost most, dearest first; of those that cost alike the larger."""
        found = [t for t in self.report.types if t.count] if self.report else []
        return sorted(found, key=lambda t: (-t.penalty, -t.area_px))[:N_WORST]

    @property
    def seconds(self) -> float:
        """How long the scene took, also if it failed."""
        return self.report.timing.seconds if self.report else self.failure.seconds if self.failure else 0.0


def collect(out: Path) -> list[tuple[Path, Report | Failure]]:
    """Folder and outcome of every scene of a batch as it lies on disk, in the order of their names.

    These are the results in the folders of `out`, and the failures in `out/summary.csv` of scenes
    that have no result since. A record that cannot be read is a failure too: no scene is lost.

    Law: `write_index(collect(out), out)` leaves the scenes of `index.html` and `summary.csv` as they are.
    """
    found = [_outcome(path) for path in sorted(out.glob(f"*/{JSON_NAME}")) if not path.parent.name.startswith(".")]
    done = {_place(o.scene.path) for _, o in found if isinstance(o, Report)}
    done |= {_place(o.path) for _, o in found if isinstance(o, Failure)}
    failures = [f for f in _listed_failures(out / CSV_NAME) if _place(f.path) not in done]
    found += [(out / failure.name, failure) for failure in failures]
    return sorted(found, key=lambda pair: (pair[0].name.casefold(), pair[0].name))


def _place(path: str) -> Path:
    """Where a scene lies, so that two ways to write its path are the same."""
    return Path(path).resolve()


def _outcome(path: Path) -> tuple[Path, Report | Failure]:
    try:
        return path.parent, Report.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        text = f"{path} cannot be read: {reason}."
        return path.parent, Failure(path.parent.name, str(path), text, hint="Inspect the scene again with --overwrite.")


def _listed_failures(path: Path) -> list[Failure]:
    """The failures that a `summary.csv` lists; none if there is no such file, or it is not one of ours."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("error") and not row.get("score")]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [
        Failure(
            name=_uncell(row.get("name") or ""),
            path=_uncell(row.get("path") or ""),
            error=_uncell(row["error"]),
            seconds=_seconds(row.get("seconds") or ""),
        )
        for row in rows
    ]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def write_index(scenes: Sequence[tuple[Path, Report | Failure]], out: Path, *, lang: str = "en") -> Path:
    """Write `out/index.html` and `out/summary.csv`, and return the path of the index.

    Args:
        scenes: Run folder and outcome of each scene, in the order of the batch. Thumbnails are taken
            from `report.html` of the folder, if it is there.
        out: Folder of the batch; links to the scenes are relative to it.
        lang: `en` or `zh`. The CSV has the same English headings in both.
    """
    texts = Texts(lang)
    rows = [_row(folder, outcome, out) for folder, outcome in scenes]
    reports = [row for row in rows if row.report]
    rejected = [row for row in reports if row.report and not row.report.score.passed]
    html = render(
        "index.html.j2",
        {
            "t": texts,
            "rows": rows,
            "rejected": rejected,
            "failures": [row for row in rows if row.failure],
            "n_passed": len(reports) - len(rejected),
            "n_reports": len(reports),
            "left_out": _left_out(reports, texts),
            "is_draft": any(row.report.score.is_draft for row in reports if row.report),
            "version": version("clearscene"),
            "created": datetime.now(UTC),
        },
    )
    _write_csv([outcome for _, outcome in scenes], out / CSV_NAME)
    with replacing(out / INDEX_NAME) as part:
        part.write_text(html, encoding="utf-8")
    return out / INDEX_NAME


def _left_out(rows: Sequence[_Row], texts: Texts) -> list[tuple[int, list[str]]]:
    """In how many scenes types were not looked for, and which types; most scenes first."""
    counts = Counter(t.type for row in rows if row.report for t in row.report.types if not t.inspected)
    grouped: dict[int, list[str]] = {}
    for name in sorted(counts, key=[t.name for t in TYPES].index):
        grouped.setdefault(counts[name], []).append(texts.defect(name))
    return sorted(grouped.items(), reverse=True)


def _row(folder: Path, outcome: Report | Failure, out: Path) -> _Row:
    if isinstance(outcome, Failure):
        return _Row(outcome.name, None, outcome)
    page = folder / HTML_NAME
    link = quote(Path(os.path.relpath(page, out)).as_posix())
    return _Row(outcome.scene.name, outcome, None, link, _thumbnail(page))


def _thumbnail(page: Path) -> str:
    """The overview inside a report as a small data URI; empty if there is none."""
    found = QUICKLOOK.search(page.read_bytes()) if page.is_file() else None
    if found is None:
        return ""
    encoded = np.frombuffer(base64.b64decode(found[1]), np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if image is None:
        return ""
    scale = min(1.0, THUMBNAIL_SIZE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return data_uri(np.ascontiguousarray(small[..., ::-1], np.uint8))


def _write_csv(outcomes: Sequence[Report | Failure], path: Path) -> None:
    """One row a scene; UTF-8 with a mark at its start, by which Excel knows Chinese."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _columns(), restval="")
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow(_failure_row(outcome) if isinstance(outcome, Failure) else _report_row(outcome))
    with replacing(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8-sig", newline="")


def _columns() -> list[str]:
    of_types = [f"{t.name}_{what}" for t in TYPES for what in ("inspected", "count", "area_px", "area_m2", "penalty")]
    head = [
        "name",
        "path",
        "score",
        "grade",
        "draft",
        "passed",
        "findings",
        "penalty",
        "inspected_px",
        "windows_not_inspected",
    ]
    return [*head, *of_types, "seconds", "reasons", "error"]


def _report_row(report: Report) -> dict[str, object]:
    score = report.score
    row: dict[str, object] = {
        "name": _cell(report.scene.name),
        "path": _cell(report.scene.path),
        "score": score.score,
        "grade": _cell(score.grade),
        "draft": score.is_draft,
        "passed": score.passed,
        "findings": sum(t.count for t in report.types),
        "penalty": sum(t.penalty for t in report.types),
        "inspected_px": report.pixels.inspected,
        "windows_not_inspected": len(report.not_inspected),
        "seconds": report.timing.seconds,
        "reasons": _cell(" | ".join(reason.en for reason in score.reasons)),
    }
    for summary in report.types:
        row[f"{summary.type}_inspected"] = summary.inspected
        if summary.inspected:  # an empty cell, not 0, for what nobody looked for
            for what in ("count", "area_px", "area_m2", "penalty"):
                row[f"{summary.type}_{what}"] = getattr(summary, what)
    return row


def _failure_row(failure: Failure) -> dict[str, object]:
    return {
        "name": _cell(failure.name),
        "path": _cell(failure.path),
        "seconds": failure.seconds,
        "error": _cell(f"{failure.error} {failure.hint}".strip()),
    }


def _cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula: an apostrophe before = + - @ and controls."""
    return f"'{text}" if text[:1] in FORMULA else text


def _uncell(text: str) -> str:
    """The text that `_cell` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text
