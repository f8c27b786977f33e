"""`clearscene synth ...`: make generated scenes with known defects."""

import re
import time
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clearscene.errors import OptionError
from clearscene.synth.scene import DTypeName, SceneSpec, make_scene

__all__ = ["app", "parse_defects", "parse_size"]

app = typer.Typer(no_args_is_help=True, help="Make generated scenes with known defects.")


@app.callback()
def _group() -> None:
    """Make generated scenes with known defects."""


@app.command("scene")
def scene(
    out: Annotated[Path, typer.Option("--out", "-o", help="The scene to write, a .tif; its truth goes beside it.")],
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "4096x3072",
    seed: Annotated[int, typer.Option(help="The same number gives the same scene.", min=0)] = 1,
    collar: Annotated[bool, typer.Option(help="Turn the footprint, with a flat collar in the corners.")] = True,
    defects: Annotated[str, typer.Option(help="Types to place, such as missing,stripe; or none.")] = "missing,stripe",
    dtype: Annotated[str, typer.Option(help="uint8 or uint16.")] = "uint8",
    resolution: Annotated[float, typer.Option(help="Meters a pixel, 0.1 to 1.")] = 0.25,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
) -> None:
    """Draw an orthophoto with defects at known places, and write the truth beside it."""
    width, height = parse_size(size)
    spec = SceneSpec(
        height,
        width,
        seed=seed,
        has_collar=collar,
        defects=parse_defects(defects),
        dtype=cast(DTypeName, dtype),
        resolution=resolution,
    )
    console = Console(stderr=True)
    start = time.perf_counter()
    columns = (TextColumn("drawing"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("drawing", total=None)
        truth = make_scene(spec, out, progress=lambda done, total: bar.update(task, completed=done, total=total))
    seconds = time.perf_counter() - start
    if not quiet:
        placed = ", ".join(f"{count} {name}" for name, count in truth.counts().items()) or "no defects"
        console.print(f"{width} x {height} px, {placed}; {seconds:.1f} s, {seconds / (width * height / 1e6):.3f} s/Mpx")
    for path in (truth.scene, truth.class_map, truth.polygons, truth.record):
        typer.echo(path)


def parse_size(text: str) -> tuple[int, int]:
    """Read `4096x3072` as (width, height).

    Raises:
        OptionError: The text has another form.
    """
    match = re.fullmatch(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*", text)
    if not match:
        raise OptionError(f"--size {text!r} is not a size.", hint="Write width x height in pixels, such as 4096x3072.")
    return int(match[1]), int(match[2])


def parse_defects(text: str) -> frozenset[str]:
    """Read `missing,stripe` as a set of type names; `none` and an empty text are the empty set."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    return frozenset(words - {"none"})
