"""`clearscene score RUN`: score a run again after its polygons were edited."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.inspection.rerender import rerender
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Report, TypeSummary
from clearscene.inspection.taxonomy import BY_NAME, Group

__all__ = ["command"]


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the GeoPackage in it.")],
    standard: Annotated[
        str, typer.Option(help="A shipped standard or a TOML file; the one of the run if left out.")
    ] = "",
    who: Annotated[str, typer.Option(help="Your name, for the record; the user's if left out.")] = "",
    fail_under: Annotated[float | None, typer.Option(help="Exit with 1 if the score is less.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a run again from its polygons as they stand: rejected, retyped, redrawn, added or deleted.

    Updates the attributes in the GeoPackage, report.json and report.html, and records what changed.
    """
    report = rescore(run, standard=standard or None, who=who)
    page = rerender(run)
    if as_json:
        record = report.model_dump(mode="json", include={"score", "types", "units", "changes"})
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        _print(report, Console())
        typer.echo(f"report: {page}")
    if fail_under is not None and report.score.score < fail_under:
        typer.echo(f"The score {report.score.score:g} is under {fail_under:g}.", err=True)
        raise typer.Exit(1)


def _print(report: Report, console: Console) -> None:
    """Score, grade, sums by type and the newest changes."""
    score = report.score
    draft = " (draft grade)" if score.is_draft else ""
    console.print(f"[bold]{score.score:.1f}[/]  {score.grade}{draft}  by {score.standard}", highlight=False)
    for reason in score.reasons:
        console.print(f"  {reason}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("type")
    for name in ("count", "size", "penalty"):
        table.add_column(name, justify="right")
    for row in (summary for summary in report.types if summary.count):
        table.add_row(BY_NAME[row.type].title, f"{row.count}", _size(row), f"{row.penalty:.2f}")
    if table.row_count:
        console.print(table)
    newest = report.changes[-1].when if report.changes else None
    for change in (c for c in report.changes if c.when == newest):
        console.print(f"{change.who}: {change.what}", highlight=False, markup=False)


def _size(row: TypeSummary) -> str:
    """The share of the inspected area, and the length of boundary types where it is known."""
    if BY_NAME[row.type].group is not Group.BOUNDARY:
        return f"{100 * row.area_fraction:.4g} %"
    return "-" if row.length_m is None else f"{row.length_m:.0f} m"
