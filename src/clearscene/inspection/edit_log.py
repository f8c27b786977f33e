"""What a person did to a run between two scorings, in lines for its record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.report_texts import Texts, say
from clearscene.inspection.result import Change, Report, ScoreRecord

__all__ = ["EditLog", "with_changes"]


@dataclass
class EditLog:
    """Edits, gathered so that a thousand rejections make one line."""

    by_text: dict[Bilingual, list[int]] = field(default_factory=dict)

    def note(self, number: int, text: Bilingual) -> None:
        """An edit of the finding with a number."""
        self.by_text.setdefault(text, []).append(number)

    def lines(self) -> list[Bilingual]:
        """One line for each kind of change, with the ids of the findings."""
        return [
            say("edit_of_one", numbers[0], text) if len(numbers) == 1 else say("edit_of_many", _listed(numbers), text)
            for text, numbers in self.by_text.items()
        ]


def with_changes(report: Report, old: Report, edits: EditLog, who: str) -> Report:
    """The report with a record of the edits, and of the new score if that is another one."""
    lines = edits.lines()
    before, after = old.score, report.score
    if (before.standard, before.score, before.grade) != (after.standard, after.score, after.grade):
        lines.append(say("edit_score", *_said(before), *_said(after), after.standard))
    now = datetime.now(UTC)
    changes = [Change(when=now, who=who, what=line) for line in lines]
    return report.model_copy(update={"changes": [*old.changes, *changes]})


def _said(score: ScoreRecord) -> tuple[str, Bilingual]:
    """Score and grade, the latter by its name in English."""
    titles = score.grades
    return f"{float(Texts().score(score.score)):g}", Bilingual(
        en=score.grade, zh=titles[score.grade].zh if score.grade in titles else score.grade
    )


def _listed(numbers: Sequence[int]) -> str:
    """Ids as people write them: "3", "1-4, 7"."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
