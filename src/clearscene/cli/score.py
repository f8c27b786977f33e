"""`clearscene score RUN`: score a run again after its polygons were edited."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.cli.console import table_console
from clearscene.inspection.report import HTML_NAME
from clearscene.inspection.report_texts import Texts, say_percent
from clearscene.inspection.rerender import check_scene, rerender, rerender_index
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Change, Report, TypeSummary
from clearscene.inspection.run_folder import open_run
from clearscene.inspection.signature import signature_holds
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.inspection.units import lot_of

__all__ = ["command"]

_TEXTS = Texts()


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the GeoPackage in it.")],
    standard: Annotated[
        str, typer.Option(help="A shipped standard or a TOML file; the one of the run if left out.")
    ] = "",
    who: Annotated[str, typer.Option(help="Your name, for the record; the user's if left out.")] = "",
    scene: Annotated[
        str, typer.Option(metavar="PATH", help="Where the scene lies now, if it has moved; for the pictures only.")
    ] = "",
    fail_under: Annotated[float | None, typer.Option(help="Exit with 1 if the score is less.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a run again from its polygons as they stand: rejected, retyped, redrawn, added or deleted.

    Updates the attributes in the GeoPackage and all files made from it (report, Shapefile, GeoJSON),
    and records what changed. If nothing has changed, the report stays untouched.
    """
    held = open_run(run)
    if scene:
        check_scene(run, scene)
    before, page = held.report, held.folder / HTML_NAME
    n_before = len(before.changes)
    report = rescore(run, standard=standard or None, who=who)
    if report != before or scene or not page.is_file():
        rerender(run, before=before, scene=scene or None)
        rerender_index(run)
    signature = report.signature
    if signature is not None and signature_holds(open_run(run)) is False:
        typer.echo(f"The findings were changed after {signature.name} signed on {signature.at:%Y-%m-%d}.", err=True)
    if as_json:
        record = report.model_dump(mode="json", include={"score", "types", "units", "changes"})
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        _print(report, report.changes[n_before:], table_console())
        typer.echo(f"report: {page}")
    if fail_under is not None and report.score.score < fail_under:
        typer.echo(f"The score {report.score.score:g} is under {fail_under:g}.", err=True)
        raise typer.Exit(1)


def _print(report: Report, new: Sequence[Change], console: Console) -> None:
    """Score, grade, what decided it, sums by type, units, and what has changed since the last scoring."""
    score = report.score
    grade = f"{'draft grade' if score.is_draft else 'grade'}: {_TEXTS.named(score.grade, score.grades)}"
    verdict = "passed" if score.passed else "failed"
    head = f"[bold]{_TEXTS.score(score.score)}[/]  {verdict}, {grade}, by {score.standard}"
    console.print(head, highlight=False, soft_wrap=True)
    for reason in score.reasons:
        console.print(f"  {reason.en}", highlight=False, markup=False, soft_wrap=True)
    if any(row.count for row in report.types):
        console.print()
        console.print(_table(report))
    if report.units:
        lot = lot_of(report.units)
        console.print(f"\n{lot.n_passed} of {lot.n_units} units passed", highlight=False)
    console.print()
    for change in new:
        console.print(f"{change.who}: {change.what.en}", highlight=False, markup=False, soft_wrap=True)
    if not new:
        console.print("Nothing has changed since the last scoring.")


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("type")
    for name in ("count", "of inspected", "length", "penalty"):
        table.add_column(name, justify="right")
    for row in (summary for summary in report.types if summary.count):
        table.add_row(BY_NAME[row.type].title, f"{row.count}", *_sizes(row), _TEXTS.penalty(row.penalty))
    return table


def _sizes(row: TypeSummary) -> tuple[str, str]:
    """The share of the inspected area, or the length of boundary types where it is known."""
    if BY_NAME[row.type].group is not Group.BOUNDARY:
        return say_percent(row.area_fraction).en, ""
    return "", "" if row.length_m is None else f"{row.length_m:,.0f} m"
