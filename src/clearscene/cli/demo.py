"""`clearscene demo`: make a scene, inspect it, print found against placed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.cli.console import table_console
from clearscene.cli.progress import SceneProgress
from clearscene.cli.summary import print_batch
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions, Lang
from clearscene.inspection.result import Report
from clearscene.inspection.run import inspect_batch
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.synth.matching import FOUND_SHARE, TypeMatch, found_against_placed
from clearscene.synth.scene import SceneSpec, make_scene

__all__ = ["command"]

_CRITERIA = f"""\
Found: {FOUND_SHARE:.0%} of the pixels of a placed defect have its type. False: a finding that meets none of its type.
clearscene compare judges polygons, also by their IoU with what meets them: its counts can differ."""


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the scene and its result.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another number draws another scene.")] = 1,
    width: Annotated[int, typer.Option(help="Columns of the scene.", min=512)] = 4096,
    height: Annotated[int, typer.Option(help="Rows of the scene.", min=512)] = 3072,
    lang: Annotated[Lang, typer.Option(help="Language of the report: en or zh.")] = "en",
) -> None:
    """Make a generated orthophoto with all ten defects at known places, inspect it, and compare."""
    inspector = prepare(InspectOptions(lang=lang))
    console = Console(stderr=True)
    scene = out / "scene.tif"
    with console.status(f"drawing a scene of {width} x {height} px"):
        truth = make_scene(SceneSpec(height, width, seed, defects=frozenset(BY_NAME)), scene)
    with SceneProgress(console, n_scenes=1, is_quiet=False) as progress:
        results = inspect_batch([str(scene)], out, inspector, overwrite=True, progress=progress)
    if isinstance(results[0].outcome, Report):
        table_console().print(_table(found_against_placed(results[0].folder / "classmap.tif", truth)))
        typer.echo(_CRITERIA)
    raise typer.Exit(print_batch(results, index=None, fail_under=None))


def _table(matches: list[TypeMatch]) -> Table:
    """Defects placed, found, missed and falsely found, and the agreement of their pixels; - is a share of nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("type")
    for name in ("placed", "found", "missed", "false", "pixel IoU", "precision"):
        table.add_column(name, justify="right")
    for m in matches:
        counts = (m.placed, m.found, m.missed, m.false)
        shares = (m.iou if m.placed_px or m.found_px else None, m.precision if m.found_px else None)
        table.add_row(BY_NAME[m.type].title, *map(str, counts), *("-" if s is None else f"{s:.3f}" for s in shares))
    return table
