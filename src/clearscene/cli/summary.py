"""What a batch prints at the end: a line a scene on stdout, what went wrong on stderr, the exit code."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from clearscene.batch import Failure, scene_name
from clearscene.cli.console import table_console
from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Report
from clearscene.inspection.run import SceneResult
from clearscene.inspection.scoring import MAX_UNREADABLE

__all__ = ["print_batch"]


def print_batch(results: Sequence[SceneResult], *, index: Path | None, fail_under: float | None) -> int:
    """Print the scenes and return the exit code: 0 done, 1 a score too low, 2 a scene failed.

    `index` is the page of all scenes in the folder, where there is one: the report of a batch. One scene has a report
    of its own, and what earlier calls left is only named beside it.
    """
    table_console().print(_table(results))
    is_batch = len(results) > 1 and index is not None
    for page in [index] if is_batch else [r.folder / "report.html" for r in results if isinstance(r.outcome, Report)]:
        typer.echo(f"report: {page}")
    if index and not is_batch:
        typer.echo(f"all scenes: {index}")
    for result in results:
        _print_trouble(result)
    unread = [r for r in results if fail_under is not None and _is_unread(r)]
    if unread:
        names = ", ".join(scene_name(r.scene) for r in unread)
        typer.echo(f"{len(unread)} of {len(results)} scenes cannot pass, too much is unreadable: {names}", err=True)
    low = [r for r in results if _is_low(r, fail_under)]
    if low:
        names = ", ".join(scene_name(r.scene) for r in low)
        typer.echo(f"{len(low)} of {len(results)} scenes score under {fail_under:g}: {names}", err=True)
    if any(isinstance(r.outcome, Failure) for r in results):
        return 2
    return 1 if low or unread else 0


def _print_trouble(result: SceneResult) -> None:
    """Say on stderr why a scene failed, or which part of it was not inspected."""
    outcome = result.outcome
    if isinstance(outcome, Failure):
        typer.secho(f"error: {result.scene}: {outcome.error}", fg="red", err=True)
        if outcome.hint:
            typer.echo(f"hint: {outcome.hint}", err=True)
        return
    if result.differs:
        typer.secho(f"warning: {result.scene} was inspected {result.differs}", fg="yellow", err=True)
        typer.echo("hint: --overwrite inspects it again, and replaces what was edited.", err=True)
    if outcome.not_inspected:
        lost = sum(w.height * w.width for w in outcome.not_inspected) / outcome.pixels.total
        typer.secho(
            f"warning: {result.scene}: {Texts()('not_inspected_alert', len(outcome.not_inspected))}"
            f" ({lost:.2%} of the scene)",
            fg="yellow",
            err=True,
        )


def _is_low(result: SceneResult, fail_under: float | None) -> bool:
    report = result.outcome
    return fail_under is not None and isinstance(report, Report) and report.score.score < fail_under


def _is_unread(result: SceneResult) -> bool:
    """True if more of the scene is unreadable than a scene that passes may lack."""
    report = result.outcome
    return isinstance(report, Report) and report.pixels.unreadable > MAX_UNREADABLE * report.pixels.total


def _table(results: Sequence[SceneResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scene", overflow="fold")
    for name in ("score", "grade", "findings", "seconds", "s/Mpx", "peak MB"):
        table.add_column(name, justify="left" if name == "grade" else "right", no_wrap=True)
    for result in results:
        table.add_row(escape(scene_name(result.scene)), *_cells(result))
    return table


def _cells(result: SceneResult) -> list[str]:
    report = result.outcome
    if isinstance(report, Failure):
        return ["-", "[red]failed[/]", "-", "-", "-", "-"]
    draft = " (draft)" if report.score.is_draft else ""
    grade = "fail, unreadable" if _is_unread(result) else f"{report.score.grade}{draft}"
    return [
        f"{report.score.score:.1f}",
        grade,
        f"{sum(t.count for t in report.types)}",
        "was done" if result.was_skipped else f"{report.timing.seconds:.1f}",
        f"{report.timing.seconds_per_mpx:.2f}",
        "-" if report.timing.peak_memory_mb is None else f"{report.timing.peak_memory_mb:.0f}",
    ]
