"""What a batch of masks prints at the end: a line a scene on stdout, what went wrong on stderr, the exit code."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from clearscene.batch import Failure
from clearscene.cli.console import table_console
from clearscene.masking.inputs import product_name
from clearscene.masking.result import Agreement, LooksRecord, MaskReport
from clearscene.masking.run import MaskOutcome

__all__ = ["print_masks"]

MOST_NAMES = 3


def print_masks(outcomes: Sequence[MaskOutcome], *, out: Path, fail_under: float | None) -> int:
    """Print the scenes and return the exit code: 0 done, 1 too little is clear, 2 a scene failed."""
    table_console().print(_table(outcomes))
    for outcome in outcomes:
        _print_more(outcome)
    failed = [outcome for outcome in outcomes if isinstance(outcome.outcome, Failure)]
    if len(failed) < len(outcomes):
        typer.echo(f"masks: {out}")
    for outcome in outcomes:
        _print_trouble(outcome)
    _print_notes(outcomes)
    if failed and len(outcomes) > 1:
        names = ", ".join(product_name(outcome.scene) for outcome in failed)
        typer.echo(f"{len(failed)} of {len(outcomes)} scenes failed: {names}", err=True)
    low = [outcome for outcome in outcomes if _is_low(outcome, fail_under)]
    if low:
        names = ", ".join(outcome.stem for outcome in low)
        typer.echo(f"{len(low)} of {len(outcomes)} scenes are less than {fail_under:g} % clear: {names}", err=True)
    if failed:
        return 2
    return 1 if low else 0


def _is_low(outcome: MaskOutcome, fail_under: float | None) -> bool:
    """True if less is clear than wanted; nothing is clear in a scene without data."""
    report = outcome.outcome
    return fail_under is not None and isinstance(report, MaskReport) and (report.clear_percent or 0.0) < fail_under


def _table(outcomes: Sequence[MaskOutcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scene", overflow="fold")
    for name in ("clear %", "cloud %", "thin %", "shadow %", "seconds", "s/Mpx", "peak MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(escape(outcome.stem), *_cells(outcome))
    return table


def _cells(outcome: MaskOutcome) -> list[str]:
    report = outcome.outcome
    if isinstance(report, Failure):
        return ["[red]failed[/]", *["-"] * 6]
    percent = {share.name: f"{share.percent:.1f}" for share in report.shares} if report.valid_pixels else {}
    memory = report.cost.peak_memory_mb
    return [
        percent.get("clear", "-"),
        percent.get("thick_cloud", percent.get("cloud", "-")),
        percent.get("thin_cloud", "-"),
        percent.get("cloud_shadow", "-"),
        "was done" if outcome.was_skipped else f"{report.cost.seconds:.1f}",
        f"{report.cost.seconds_per_mpx:.2f}",
        "-" if memory is None else f"{memory:.0f}",
    ]


def _print_more(outcome: MaskOutcome) -> None:
    """What looking again cost and gained, and the table of agreement, where there are such."""
    report = outcome.outcome
    if isinstance(report, Failure):
        return
    if report.looks:
        typer.echo(f"{outcome.stem}: {_looks_text(report.looks)}")
    if report.agreement:
        _print_agreement(outcome.stem, report.agreement)


def _looks_text(looks: LooksRecord) -> str:
    extra = looks.looks / looks.tiles - 1 if looks.tiles else 0.0
    each = f" ({looks.models} models, {looks.tiles // looks.models} each)" if looks.models > 1 else ""
    return (
        f"{looks.tiles_again} of {looks.tiles} tiles{each} were looked at again, {extra:.1%} more network runs;"
        f" isolated pixels in them {looks.isolated_before} before, {looks.isolated_after} after"
    )


def _print_agreement(stem: str, found: Agreement) -> None:
    """A row a class of the product, a column a class of ours."""
    same = "-" if found.percent_same is None else f"{found.percent_same:.1f} %"
    typer.echo(f"\n{stem}: the mask beside {found.qa}, {same} of {found.compared:,} pixels the same")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{found.qa}, pixels")
    for name in found.classes:
        table.add_column(f"mask: {name.replace('_', ' ')}", justify="right")
    for name, row in zip(found.classes, found.table, strict=True):
        table.add_row(name.replace("_", " "), *(f"{count:,}" for count in row))
    table_console().print(table)
    ious = ", ".join(f"{name} {'-' if value is None else f'{value:.3f}'}" for name, value in found.iou.items())
    typer.echo(f"intersection over union: {ious}; {found.unknown:,} pixels not known to {found.qa}\n")


def _print_trouble(outcome: MaskOutcome) -> None:
    """Say on stderr why a scene failed, or what to know about its mask."""
    report = outcome.outcome
    if isinstance(report, Failure):
        place = "" if outcome.scene in report.error else f"{outcome.scene}: "
        typer.secho(f"error: {place}{report.error}", fg="red", err=True)
        if report.hint:
            typer.echo(f"hint: {report.hint}", err=True)
        return
    if outcome.differs:
        typer.secho(f"warning: {outcome.scene} was masked {outcome.differs}", fg="yellow", err=True)
        typer.echo("hint: --overwrite masks it again.", err=True)


def _print_notes(outcomes: Sequence[MaskOutcome]) -> None:
    """What to know about masks on stderr, each once with the scenes that it is about."""
    about: dict[str, list[str]] = {}
    for outcome in outcomes:
        report = outcome.outcome
        if isinstance(report, MaskReport):
            for note in dict.fromkeys((*report.scene.notes, *report.notes)):
                about.setdefault(note, []).append(outcome.stem)
    for note, stems in about.items():
        names = ", ".join(stems[:MOST_NAMES]) + (f" and {len(stems) - MOST_NAMES} more" * (len(stems) > MOST_NAMES))
        typer.echo(f"note: {names}: {note}", err=True)
