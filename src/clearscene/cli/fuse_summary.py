"""What `clearscene fuse` prints at the end: a line an image and the result on stdout, warnings on stderr."""

from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from clearscene.cli.console import table_console
from clearscene.fusion.result import FuseReport, ImageRecord

__all__ = ["print_fusion"]


def print_fusion(
    report: FuseReport, *, out: Path, fail_under: float | None, was_done: bool = False, differs: bool = False
) -> int:
    """Print the images and the result, and return the exit code: 0 done, 1 too little is filled."""
    table_console().print(_table(report))
    cost = report.cost
    memory = "" if cost.peak_memory_mb is None else f", peak {cost.peak_memory_mb:.0f} MB"
    typer.echo(
        f"{report.method}: {report.filled_percent:.1f} % of {report.width} x {report.height} px filled,"
        f" {report.all_masked_percent:.1f} % masked in all images{_doubt(report)}"
    )
    if report.score is not None:
        typer.echo(f"score of the result: {report.score:.1f}")
    inspecting = cost.stages.get("inspect")
    timing = "was done already" if was_done else f"{cost.seconds:.1f} s"
    timing += "" if was_done or inspecting is None else f" and {inspecting:.1f} s of inspecting"
    typer.echo(timing if was_done else f"{timing}, {cost.seconds_per_mpx:.3f} s/Mpx and image{memory}")
    typer.echo(f"{'result' if was_done else 'fused'}: {out}")
    _print_trouble(report, was_done=was_done, differs=differs)
    if fail_under is not None and report.filled_percent < fail_under:
        typer.echo(f"{report.filled_percent:.1f} % is less than {fail_under:g} % filled", err=True)
        return 1
    return 0


def _doubt(report: FuseReport) -> str:
    share = report.all_doubtful_percent
    return f", {share:.1f} % doubtful in all" if share else ""


def _table(report: FuseReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("image", overflow="fold")
    has_scores = report.score is not None
    for name in ("date", "good %", "wins %", "shift px", *(("score",) if has_scores else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for record in report.images:
        table.add_row(*_cells(record, has_scores=has_scores))
    return table


def _cells(record: ImageRecord, *, has_scores: bool) -> list[str]:
    shift = record.shift
    told = "-" if shift is None else "reference" if record.is_reference else f"{shift.row:+.1f} {shift.col:+.1f}"
    score = "-" if record.score is None else f"{record.score:.1f}"
    return [
        str(record.number),
        escape(record.name),
        record.date[:10] or "-",
        f"{record.good_percent:.1f}",
        f"{record.won_percent:.1f}",
        told,
        *([score] if has_scores else []),
    ]


def _changed_since(report: FuseReport) -> list[str]:
    """Names of the images whose file is newer than the result."""
    made = report.created.timestamp()
    paths = {image.name: Path(image.path) for image in report.images}
    return [name for name, path in paths.items() if path.is_file() and path.stat().st_mtime > made]


def _print_trouble(report: FuseReport, *, was_done: bool, differs: bool) -> None:
    """Say on stderr what to know about the result."""
    changed = _changed_since(report) if was_done else []
    if changed:
        typer.secho(f"warning: changed after the result was made: {', '.join(changed)}", fg="yellow", err=True)
    if was_done:
        typer.secho(
            f"warning: the result was there{', fused with other options,' if differs else ''} and was left as it is",
            fg="yellow",
            err=True,
        )
        typer.echo("hint: --overwrite fuses again.", err=True)
    for item in report.skipped:
        typer.secho(f"warning: left out: {item.error}", fg="yellow", err=True)
    for text in report.warnings:
        typer.secho(f"warning: {text}", fg="yellow", err=True)
    for text in report.notes:
        typer.echo(f"note: {text}", err=True)
