"""`clearscene sky PHOTO...`: masks that hide the sky from tools that build models from photos."""

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clearscene.cli.console import table_console
from clearscene.cli.progress import SceneProgress
from clearscene.sky.inputs import find_photos
from clearscene.sky.options import SkyOptions, Target
from clearscene.sky.result import RECORD
from clearscene.sky.run import SkyBatch, sky_batch

__all__ = ["command"]

_DEFAULT = SkyOptions()
_LOOK = "How to mask"
_OUTPUT = "Output"
_RUN = "Running"

SHARES = {"read": 0.25, "look": 0.6, "write": 0.15}
"""How much of a photo's bar each stage fills."""
MOST_ROWS = 50
"""Photos that are listed one by one; `sky.json` holds all of them."""


def command(  # an option of the command line is a parameter here: there is no smaller form
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Photos (JPEG, PNG, TIFF ...), folders of them, patterns.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the masks.", rich_help_panel=_OUTPUT)] = Path(
        "sky-masks"
    ),
    target: Annotated[
        str,
        typer.Option(
            "--for",
            help="Names of the masks: metashape NAME_mask.png, colmap NAME.jpg.png, odm NAME_mask.png upright, plain.",
            rich_help_panel=_OUTPUT,
        ),
    ] = _DEFAULT.target,
    merge: Annotated[
        Path | None,
        typer.Option(help="Folder of masks that exist: what either hides is hidden.", rich_help_panel=_OUTPUT),
    ] = None,
    heatmap: Annotated[
        bool, typer.Option("--heatmap", help="Also write NAME_sky.jpg, the probability.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.heatmap,
    invert: Annotated[
        bool, typer.Option("--invert", help="255 for sky and 0 for the rest.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.invert,
    threshold: Annotated[
        int, typer.Option(help="Sky from this probability on, in 256ths.", rich_help_panel=_LOOK)
    ] = _DEFAULT.threshold,
    refine: Annotated[
        bool, typer.Option("--refine/--no-refine", help="Follow the photo's own edges.", rich_help_panel=_LOOK)
    ] = _DEFAULT.refine,
    mirror: Annotated[
        bool, typer.Option("--mirror/--no-mirror", help="Look at the mirrored photo too.", rich_help_panel=_LOOK)
    ] = _DEFAULT.mirror,
    check: Annotated[
        bool,
        typer.Option(
            "--sky-check/--no-sky-check", help="Mask nothing where no credible sky is.", rich_help_panel=_LOOK
        ),
    ] = _DEFAULT.check,
    model: Annotated[
        str, typer.Option(help="A shipped model or a model folder.", rich_help_panel=_LOOK)
    ] = _DEFAULT.model,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or openvino.", rich_help_panel=_RUN)] = _DEFAULT.device,
    workers: Annotated[
        int, typer.Option(help="Threads.", show_default="all cores", rich_help_panel=_RUN)
    ] = _DEFAULT.workers,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Mask again what is done already.", rich_help_panel=_RUN)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print sky.json instead of the table.", rich_help_panel=_RUN)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=_RUN)] = False,
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
    paths = find_photos(photos)
    try:
        with SceneProgress(Console(stderr=True), n_scenes=len(paths), is_quiet=quiet, shares=SHARES) as progress:
            batch = sky_batch(paths, out, options=options, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: masks that were finished are kept, nothing half-written is left", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo((out / RECORD).read_text(encoding="utf-8"), nl=False)
    else:
        table_console().print(_table(batch))
        typer.echo(f"masks: {out}")
    raise typer.Exit(_tell(batch))


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
        typer.echo(f"{n} photos, {each:.2f} s each, {record.seconds_per_mpx:.2f} s/Mpx{peak}", err=True)
    if record.failed:
        typer.echo(f"{len(record.failed)} of {len(done) + len(record.failed)} photos failed", err=True)
    return 2 if record.failed else 0
