"""`clearscene synth ...`: scenes, chips and degraded copies with known defects."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from clearscene.cli.plain_progress import PlainProgress
from clearscene.cli.progress import interruptible
from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import BY_NAME, TYPES, parse_types
from clearscene.raster.bands import parse_bands
from clearscene.synth.catalog import GENERATORS, LOOKALIKES, Generator
from clearscene.synth.chip_making import Maker, empty_splits, make_chips, open_set
from clearscene.synth.chip_set import SPLITS, ChipRecord, ChipSet
from clearscene.synth.chips import ChipMaker
from clearscene.synth.degrade_scene import degrade_scene
from clearscene.synth.kinds import BY_KIND
from clearscene.synth.mask_chips import MaskChipMaker
from clearscene.synth.mask_recipe import is_for_masks, load_mask_recipe
from clearscene.synth.recipe import ChipsRecipe, SourceSpec, checked_recipe, load_recipe
from clearscene.synth.scene import DTypeName, SceneSpec, make_scene
from clearscene.synth.sheet import draw_sheet, write_sheet
from clearscene.synth.sources import find_sources
from clearscene.synth.truth import SceneTruth

__all__ = ["app", "parse_defects", "parse_size"]

app = typer.Typer(no_args_is_help=True, help="Make scenes, chips and degraded copies with known defects.")


@app.callback()
def _group() -> None:
    """Make scenes, chips and degraded copies with known defects."""


@app.command("scene")
def scene(
    out: Annotated[Path, typer.Option("--out", "-o", help="The scene to write, a .tif; its truth goes beside it.")],
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "4096x3072",
    seed: Annotated[int, typer.Option(help="The same number gives the same scene.", min=0)] = 1,
    collar: Annotated[bool, typer.Option(help="Turn the footprint, with a flat collar in the corners.")] = True,
    defects: Annotated[
        str, typer.Option(help="Types to place, such as missing,stripe; or all, or none.")
    ] = "missing,stripe",
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
    start = time.perf_counter()
    with _progress("drawing", quiet) as step:
        truth = make_scene(spec, out, progress=step)
    seconds = time.perf_counter() - start
    if not quiet:
        placed = ", ".join(f"{count} {name}" for name, count in truth.counts().items()) or "no defects"
        Console(stderr=True).print(
            f"{width} x {height} px, {placed}; {seconds:.1f} s, {seconds / (width * height / 1e6):.3f} s/Mpx"
        )
    for path in (truth.scene, truth.class_map, truth.polygons, truth.record):
        typer.echo(path)


@app.command("chips")
def chips(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the set; a set that is there is gone on with.")],
    source: Annotated[list[Path] | None, typer.Option(help="Folder of clean images; may be repeated.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe in TOML, for more than the options say.")] = None,
    n: Annotated[int | None, typer.Option("--number", "-n", help="Chips in all.", min=1)] = None,
    size: Annotated[int | None, typer.Option(help="Rows and columns of a chip, a multiple of 32.", min=64)] = None,
    seed: Annotated[int | None, typer.Option(help="The same number gives the same chips.", min=0)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make a set that is there anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
) -> None:
    """Make training chips: real ground, generated defects, exact masks and words."""
    given = {key: value for key, value in (("n", n), ("size", size), ("seed", seed)) if value is not None}
    maker = _maker(recipe, source or [], given)  # before a set is opened, or cleared: it may refuse
    for split in empty_splits(maker):
        typer.echo(f"warning: none of the {len(maker.sources)} images is of a scene for {split}", err=True)
        typer.echo(f'hint: name more scenes, or a source with split = "{split}" in a recipe', err=True)
    writer = open_set(out, maker.recipe, sources=maker.sources, overwrite=overwrite)
    start = time.perf_counter()
    before = len(writer.done)
    kept = f"what is written stays in {out}; the same command{' without --overwrite' if overwrite else ''} goes on"
    with interruptible(kept), _progress("making chips", quiet) as step:
        make_chips(maker, writer, progress=step)
    seconds = time.perf_counter() - start
    if not quiet:
        _print_set(out, made=len(writer.done) - before, seconds=seconds)
    typer.echo(out)


@app.command("sheet")
def sheet(
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write, .png or .jpg.")],
    source: Annotated[list[Path], typer.Option(help="Folder of clean images; may be repeated.")],
    types: Annotated[
        str, typer.Option(help="Types to show, as in `inspect --types`; lookalike for what is none.")
    ] = "",
    size: Annotated[int, typer.Option(help="Rows and columns of each picture.", min=64, max=1024)] = 256,
    seed: Annotated[int, typer.Option(help="Another number shows other examples.", min=0)] = 1,
) -> None:
    """Draw every generator on real ground, from barely visible to strong, with its mask outlined."""
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise OptionError(f"--out {out.name!r} is no picture.", hint="Give a name that ends in .png or .jpg.")
    recipe = ChipsRecipe(sources=tuple(SourceSpec(folder=folder) for folder in source), seed=seed)
    write_sheet(draw_sheet(_chosen(types), find_sources(recipe), size=size, seed=seed), out)
    typer.echo(out)


@app.command("degrade")
def degrade(
    path: Annotated[str, typer.Argument(help="The scene to degrade; it is only read.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The scene to write, a .tif; its truth goes beside it.")],
    seed: Annotated[int, typer.Option(help="The same number gives the same defects.", min=0)] = 1,
    types: Annotated[str, typer.Option(help="Types to put in, as in `inspect --types`.")] = "",
    density: Annotated[float, typer.Option(help="How many, against the usual number.", min=0.05, max=20)] = 1.0,
    bands: Annotated[str | None, typer.Option(help="Which band is which, such as red=3,green=2,blue=1.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
) -> None:
    """Put defects into a whole scene of your own, and write the truth beside the copy."""
    names = frozenset(t.name for t in parse_types(types))
    named = parse_bands(bands) if bands else None
    with _progress("degrading", quiet) as step:
        truth = degrade_scene(path, out, seed=seed, types=names, density=density, bands=named, progress=step)
    if not quiet:
        placed = ", ".join(f"{count} {name}" for name, count in truth.counts().items()) or "no defects"
        Console(stderr=True).print(placed)
        for line in _not_placed(truth, names):
            typer.echo(line, err=True)
    for written in (truth.scene, truth.class_map, truth.polygons, truth.record):
        typer.echo(written)


def _not_placed(truth: SceneTruth, wanted: frozenset[str]) -> list[str]:
    """A line for each type that was asked for and is not there, with the reason."""
    reasons = {"did_not_show": "does not show on this ground", "found_no_room": "found no room"}
    record, counts = json.loads(truth.record.read_text(encoding="utf-8")), truth.counts()
    lines = []
    for name in (t.name for t in TYPES if t.name in wanted and t.name not in counts):
        tried = {key: sum(n for kind, n in record[key].items() if BY_KIND[kind].type == name) for key in reasons}
        why = [f"{reasons[key]} ({n} tried)" for key, n in tried.items() if n]
        lines.append(f"{name}: not placed, {' and '.join(why)}; another --seed or a higher --density may help")
    return lines


def _maker(path: Path | None, sources: list[Path], given: dict[str, int]) -> Maker:
    """Makes chips of inspection, or of cloud masks where the recipe says so."""
    if path is None or not is_for_masks(path):
        return ChipMaker(_recipe(path, sources, given))
    if sources:
        raise OptionError(f"{path} is for masks; --source does not say which bands are which.", hint="Add it there.")
    return MaskChipMaker(load_mask_recipe(path, given))


def _recipe(path: Path | None, sources: list[Path], given: dict[str, int]) -> ChipsRecipe:
    """The recipe of a file, with what the options name instead."""
    if path is None and not sources:
        raise OptionError("No images are named.", hint="Give --source FOLDER, or --recipe FILE.")
    named = tuple(SourceSpec(folder=folder) for folder in sources)
    if path is None:
        return checked_recipe({"sources": [s.model_dump() for s in named], **given}, "the options")
    recipe = load_recipe(path)
    changes = {**recipe.model_dump(), **given}
    changes["sources"] = [s.model_dump() for s in (*recipe.sources, *named)]
    return checked_recipe(changes, "the options")


def _chosen(types: str) -> list[Generator]:
    """Generators of the types that are named; all, and the lookalikes, by default."""
    words = [word.strip() for word in types.split(",") if word.strip()]
    kinds = ",".join(word for word in words if word != "lookalike")
    names = {t.name for t in parse_types(kinds)} if kinds or not words else set()
    shown = [entry for entry in GENERATORS if entry.type in names]
    return [*shown, *(LOOKALIKES if not words or "lookalike" in words else ())]


@contextmanager
def _progress(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on a terminal; elsewhere a line now and then."""
    console = Console(stderr=True)
    if not quiet and not console.is_terminal:
        log = PlainProgress(what)
        yield lambda done, total: log(done / max(total, 1), f"{done} of {total}")
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_set(out: Path, *, made: int, seconds: float) -> None:
    """How many chips there are by split and by type."""
    chip_set = ChipSet.open(out)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("type")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for name in ("all", "clean", *(t.name for t in TYPES)):
        counts = [sum(_counts(record, name) for record in chip_set.records(split)) for split in SPLITS]
        table.add_row(name, *map(str, counts))
    console = Console(stderr=True)
    console.print(table)
    console.print(f"{made} chips made, {seconds:.1f} s, {1000 * seconds / max(made, 1):.0f} ms a chip")


def _counts(record: ChipRecord, name: str) -> bool:
    return name == "all" or (not record.labels if name == "clean" else name in record.labels)


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
    """Read `missing,stripe` as a set of type names; `all` is all of them, `none` and an empty text are none."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    return frozenset(BY_NAME) if words == {"all"} else frozenset(words - {"none"})
