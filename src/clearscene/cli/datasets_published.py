"""`clearscene datasets list | describe | check | prepare | overlap`: published data sets."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clearscene.cli.console import counted
from clearscene.errors import OptionError

if TYPE_CHECKING:
    from clearscene.datasets.prepare import PrepareOptions
    from clearscene.datasets.prepared import PreparedSet

__all__ = ["check_folder", "describe_set", "list_sets", "overlap", "prepare_set"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set by name, or a .toml file that describes yours.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the download was unpacked.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


def list_sets(as_json: AsJson = False) -> None:
    """List the data sets that can be read."""
    from clearscene.datasets.catalog import NAMES, spec_of

    specs = [spec_of(name) for name in NAMES]
    if as_json:
        rows = [{"name": s.name, "title": s.title, "kind": s.kind, "verified": s.verified} for s in specs]
        typer.echo(json.dumps(rows, indent=2))
        return
    for spec in specs:
        typer.echo(f"{spec.name}: {spec.title}")
        what = ", ".join(spec.classes) + ("; single pixels" if spec.kind == "points" else f"; {len(spec.bands)} bands")
        typer.echo(f"  {what}; loader: {spec.verified}")


def describe_set(name: Name, as_json: AsJson = False) -> None:
    """What is known of a data set: bands, codes, terms, how to get it, and how its folder looks."""
    from clearscene.datasets.catalog import spec_of
    from clearscene.datasets.check import describe

    known = describe(spec_of(name))
    if as_json:
        typer.echo(json.dumps(known, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{known['name']}: {known['title']}\n")
    for key in ("bands", "usual_bands", "scaling", "classes", "codes", "ignored", "cloud_mask", "published_split"):
        typer.echo(f"{key.replace('_', ' ')}: {_short(known[key])}")
    for key in ("expected", "license", "get", "source", "verified"):
        typer.echo(f"{key}: {_short(known[key])}")
    typer.echo(f"\n{known['layout']}\n")
    for note in known["notes"]:
        typer.echo(f"- {note}")


def check_folder(
    name: Name,
    folder: Folder,
    quick: Annotated[bool, typer.Option("--quick", help="Read no masks: names and counts only.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count what a folder holds of a data set, name what is missing. Exit code 1 if it is not complete."""
    from clearscene.datasets.check import check

    with _progress(quiet) as advance:
        report = check(name, folder, is_quick=quick, advance=advance)
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print_report(report)
    if not report["is_complete"]:
        raise typer.Exit(1)


def prepare_set(
    name: Name,
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder of the prepared set.")],
    bands: Annotated[
        str, typer.Option(help="Common names such as red,green,blue, or all, no-thermal, rgbn, rgb, green.")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="2, 3 or 4 classes of a cloud mask, or own; 2 if left out, own for other sets.")
    ] = "",
    size: Annotated[int, typer.Option(help="Pixels along the side of a chip.")] = 256,
    overlap: Annotated[int, typer.Option(help="Pixels that neighbors share.")] = 64,
    split: Annotated[str, typer.Option(help="scene: by --shares; published: as its makers split it.")] = "scene",
    shares: Annotated[str, typer.Option(help="Percent of the scenes: train/val/test.")] = "80/10/10",
    seed: Annotated[int, typer.Option(help="Another number sends scenes to other splits.", min=0)] = 0,
    least_labeled: Annotated[float, typer.Option(help="Leave out chips of which no more is labeled, 0 to 1.")] = 0.0,
    partial: Annotated[bool, typer.Option("--partial", help="Go on with what is there of a download.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the set in the folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Cut a data set into chips for training: split by scene first, then cut."""
    from clearscene.datasets.prepare import PrepareOptions, prepare
    from clearscene.datasets.reader import DatasetReader
    from clearscene.datasets.splitting import Shares

    if split not in ("scene", "published"):
        raise OptionError(f"There is no split {split!r}.", hint="Use scene or published.")
    started = time.perf_counter()
    reader = DatasetReader.open(name, folder)
    options = PrepareOptions(
        bands=_bands(bands, reader.spec.bands),
        classes=cast(Any, classes) or None,
        size=size,
        overlap=overlap,
        split=cast(Any, split),
        shares=Shares.parse(shares),
        seed=seed,
        least_labeled=least_labeled,
        is_partial=partial,
    )
    with _progress(quiet) as advance:
        made = prepare(reader, out, options, overwrite=overwrite, advance=advance)
    if not quiet:
        _tell(made, out, options, seconds=time.perf_counter() - started)


def _tell(made: "PreparedSet", out: Path, options: "PrepareOptions", *, seconds: float) -> None:
    """Say on stdout what a prepared set holds, and on stderr which of its splits came out empty."""
    counts, scenes = made.info["counts"], made.info["scenes"]
    held = ", ".join(f"{counts[split]} {split} from {counted(scenes[split], 'scene')}" for split in counts)
    typer.echo(f"{out}: {held}; {', '.join(made.classes)}; {', '.join(made.bands)}")
    typer.echo(f"split {made.split_digest[:12]}, chips {made.digest[:12]}; {seconds:.1f} s")
    empty = [name for name in ("train", "val", "test") if getattr(options.shares, name) and not counts.get(name)]
    if empty and options.split == "scene":
        typer.echo(
            f"warning: {' and '.join(empty)} came out empty: too few scenes to split. To judge models on all of"
            " them, use --shares 0/0/100.",
            err=True,
        )


def overlap(
    a: Annotated[str, typer.Argument(metavar="A", help="A prepared set, a folder of images, or NAME=FOLDER.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one; the same folder twice compares its splits.")],
    days: Annotated[
        int | None, typer.Option(help="Only scenes that are no more than so many days apart.", min=0)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell which scenes of two data sets show the same ground, and how many days apart. Exit code 1 if any do."""
    from clearscene.datasets.overlap import audit, scenes_shown

    found = audit(scenes_shown(a), scenes_shown(b), days=days, is_same=Path(a) == Path(b))
    if as_json:
        typer.echo(json.dumps(found.record(), indent=2, ensure_ascii=False))
    else:
        for meeting in found.meetings:
            apart = "" if meeting.days_apart is None else f", {meeting.days_apart} days apart"
            typer.echo(f"{meeting.kind}: {meeting.a} and {meeting.b}{apart}")
        typer.echo(f"{found.n_a} scenes and {found.n_b}: {len(found.meetings)} pairs show the same", err=True)
        unplaced = found.n_unplaced_a + found.n_unplaced_b
        if unplaced:
            compared = "only equal files are found, and in prepared sets equal chips"
            typer.echo(f"{unplaced} scenes have no place that is known: {compared}", err=True)
    if found.meetings:
        raise typer.Exit(1)


def _bands(text: str, there: tuple[str, ...]) -> tuple[str, ...]:
    """Bands by name, or by the name of a set of bands; `all` is all that the data set has."""
    from clearscene.benchmark.band_sets import BAND_SETS

    if text == "all":
        return there
    if text in BAND_SETS and text not in there:
        return BAND_SETS[text].bands
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {word}" for key, word in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)


def _print_report(report: dict[str, Any]) -> None:
    for key, value in report.items():
        if key not in ("missing", "is_complete", "broken", "notes", "fewer", "pixels", "by_class"):
            typer.echo(f"{key.replace('_', ' ')}: {_short(value)}")
    pixels = report.get("pixels") or report.get("by_class") or {}
    total = sum(pixels.values())
    for name, n in pixels.items():
        typer.echo(f"  {name}: {n} ({100 * n / max(1, total):.2f} %)")
    for word in ("notes", "broken", "fewer"):
        for line in report.get(word, ()):
            typer.echo(f"{word}: {line}")
    for line in report["missing"]:
        typer.echo(f"missing: {line}")
    more = report["n_missing"] - len(report["missing"])
    if more:
        typer.echo(f"missing: {more} more")
    typer.echo("complete" if report["is_complete"] else "not complete")


@contextmanager
def _progress(is_quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=is_quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def advance(name: str, number: int, n: int) -> None:
            """Show the scene in hand; see `prepare`."""
            bar.update(task, description=name[:40], completed=number - 1, total=n)

        yield advance
