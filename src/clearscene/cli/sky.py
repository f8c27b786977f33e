"""`clearscene sky PHOTO...`: masks that hide the sky from tools that build models from photos."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clearscene.cli import sky_options as ask
from clearscene.cli.console import counted, table_console
from clearscene.cli.progress import SceneProgress, interruptible
from clearscene.sky.inputs import find_photos
from clearscene.sky.options import SkyOptions, Target
from clearscene.sky.result import RECORD
from clearscene.sky.run import SkyBatch, sky_batch

__all__ = ["command"]

_DEFAULT = SkyOptions()

SHARES = {"read": 0.25, "look": 0.6, "write": 0.15}
"""How much of a photo's bar each stage fills."""
MOST_ROWS = 50
"""Photos that are listed one by one; `sky.json` holds all of them."""


def command(  # an option of the command line is a parameter here: there is no smaller form
    photos: ask.Photos,
    out: ask.Out = Path("sky-masks"),
    target: ask.For = _DEFAULT.target,
    merge: ask.Merge = None,
    heatmap: ask.Heatmap = _DEFAULT.heatmap,
    invert: ask.Invert = _DEFAULT.invert,
    threshold: ask.Threshold = _DEFAULT.threshold,
    refine: ask.Refine = _DEFAULT.refine,
    mirror: ask.Mirror = _DEFAULT.mirror,
    check: ask.Check = _DEFAULT.check,
    model: ask.Model = _DEFAULT.model,
    device: ask.Device = _DEFAULT.device,
    workers: ask.Workers = _DEFAULT.workers,
    overwrite: ask.Overwrite = False,
    as_json: ask.AsJson = False,
    quiet: ask.Quiet = False,
) -> None:
    """Mask the sky in photos, for Metashape, COLMAP or OpenDroneMap.

    Leaves a mask for each photo in OUT, 255 where the photo is kept and 0 where it is sky, and sky.json.
    """
    options = SkyOptions(
        model=model,
        target=cast(Target, target),  # checked by the options
        threshold=threshold,
        refine=refine,
        mirror=mirror,
        check=check,
        invert=invert,
        heatmap=heatmap,
        merge=merge,
        device=device,
        workers=workers,
    )
    batch = _run(find_photos(photos), out, options, overwrite=overwrite, quiet=quiet)
    _print(batch, out, as_json=as_json)
    raise typer.Exit(_tell(batch))


def _run(
    photos: Mapping[Path, Path | None], out: Path, options: SkyOptions, *, overwrite: bool, quiet: bool
) -> SkyBatch:
    """Mask under a progress bar."""
    bar = SceneProgress(Console(stderr=True), n_scenes=len(photos), is_quiet=quiet, shares=SHARES)
    with interruptible("masks that were finished are kept, nothing half-written is left"), bar as progress:
        return sky_batch(photos, out, options=options, overwrite=overwrite, progress=progress)


def _print(batch: SkyBatch, out: Path, *, as_json: bool) -> None:
    """Say on stdout what was masked, for people or as JSON."""
    if as_json:
        typer.echo((out / RECORD).read_text(encoding="utf-8"), nl=False)
        return
    table_console().print(_table(batch))
    if batch.done:
        typer.echo(f"masks: {out}")


def _table(batch: SkyBatch) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("photo", overflow="fold")
    for name in ("sky %", "hidden %", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in batch.done[:MOST_ROWS]:
        took = "was done" if entry.photo in batch.skipped else f"{entry.seconds:.2f}"
        shown = f"{entry.sky_percent:.1f}" if entry.sky_percent or entry.has_sky else "no sky"
        table.add_row(escape(Path(entry.photo).name), shown, f"{entry.hidden_percent:.1f}", took)
    for failed in batch.record.failed:
        table.add_row(escape(Path(failed.photo).name), "[red]failed[/]", "-", "-")
    return table


def _tell(batch: SkyBatch) -> int:
    """Say on stderr what went wrong and what it cost; the exit code."""
    record, done = batch.record, batch.done
    if len(done) > MOST_ROWS:
        typer.echo(f"... and {len(done) - MOST_ROWS} more, all of them in {RECORD}", err=True)
    for failed in record.failed:
        place = "" if failed.error.startswith(failed.photo) else f"{failed.photo}: "
        typer.secho(f"error: {place}{failed.error}", fg="red", err=True)
        if failed.hint:
            typer.echo(f"hint: {failed.hint}", err=True)
    for entry in done:
        for note in entry.notes:
            typer.echo(f"note: {entry.photo}: {note}", err=True)
    n, memory = len(done) - len(batch.skipped), record.peak_memory_mb
    if n:
        peak = "" if memory is None else f", peak {memory:.0f} MB"
        each = sum(entry.seconds for entry in done if entry.photo not in batch.skipped) / n
        typer.echo(f"{counted(n, 'photo')}, {each:.2f} s each, {record.seconds_per_mpx:.2f} s/Mpx{peak}", err=True)
    if record.failed and len(done) + len(record.failed) > 1:
        typer.echo(f"{len(record.failed)} of {len(done) + len(record.failed)} photos failed", err=True)
    return 2 if record.failed else 0
