"""`clearscene export RUN --out MODEL`: a trained network becomes a model folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from clearscene.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from clearscene.training.export.measured import Measured, Scores
    from clearscene.training.export.options import ExportOptions

__all__ = ["command"]

PRECISIONS = ("float32", "float16", "int8")
_MEASURE = "Measuring"


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="Folder that `clearscene train` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    card: Annotated[
        Path | None, typer.Option(help="TOML file with name, license, data, scales; see the guide to training.")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, float16 (weights only) or int8.")] = "float16",
    chips: Annotated[
        list[Path] | None,
        typer.Option(
            help="Set of chips to measure with.",
            show_default="those the training was judged by",
            rich_help_panel=_MEASURE,
        ),
    ] = None,
    screen: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN_FOLDER", help="Take the screening head from this training, the segmenter from the other."
        ),
    ] = None,
    max_difference: Annotated[
        float | None,
        typer.Option(
            help="Largest accepted difference of a logit from the trained network.",
            show_default="0.01, 0.25 or 5 by precision",
            min=0,
            rich_help_panel=_MEASURE,
        ),
    ] = None,
    deepness: Annotated[bool, typer.Option("--deepness", help="Also a graph for QGIS's Deepness plugin.")] = False,
    speed: Annotated[bool, typer.Option(help="Measure the speed on this machine.", rich_help_panel=_MEASURE)] = True,
    threads: Annotated[int, typer.Option(help="Threads of the validation.", min=1, rich_help_panel=_MEASURE)] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
) -> None:
    """Write ONNX graphs, manifest, card and STAC item of a trained network, calibrated and checked.

    Writes nothing if the exported model differs too much from the trained one. Leaves export.json and
    reliability.png in RUN_FOLDER.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"--precision {precision!r} is unknown.", hint=f"Use one of {', '.join(PRECISIONS)}.")
    _need_extra()
    from clearscene.training.export.options import ExportOptions, Precision

    options = ExportOptions(
        precision=Precision(precision),
        max_difference=max_difference,
        deepness=deepness,
        measures_speed=speed,
        threads=threads,
        overwrite=overwrite,
    )
    measured = _export([run, *([screen] if screen else [])], out, options, card=card, chips=chips or (), quiet=quiet)
    for line in [*([] if quiet else _lines(measured)), *_warnings(measured), *_uses(measured, run)]:
        typer.echo(line, err=True)
    typer.echo(out)


def _need_extra() -> None:
    """Raise MissingExtraError if the packages of a training are not installed."""
    try:
        import clearscene.training.export.options  # noqa: F401  # only whether it can be
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "clearscene":
            raise
        raise MissingExtraError(
            f"An export needs {error.name}, which is not installed.",
            hint='Install it with: pip install "clearscene[train]"',
        ) from error


def _export(
    runs: Sequence[Path], out: Path, options: "ExportOptions", *, card: Path | None, chips: Sequence[Path], quiet: bool
) -> "Measured":
    """Export under a progress bar, and leave the evidence in the first run's folder."""
    from clearscene.training.export.export import export_model, write_evidence
    from clearscene.training.export.run_source import load_trained, pair_up
    from clearscene.training.export.settings import load_settings

    settings = load_settings(card)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("loading", total=1.0)
        trained, *screens = [load_trained(run, chips) for run in runs]
        trained = pair_up(screens[0], trained) if screens else trained
        measured = export_model(
            trained,
            out,
            settings=settings,
            options=options,
            say=lambda what, done: bar.update(task, description=what, completed=done),
        )
    write_evidence(measured, runs[0])
    return measured


def _lines(measured: "Measured") -> list[str]:
    """The summary for people."""
    sizes = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in measured.sizes.items())
    lines = [
        f"{measured.n_parameters:,} parameters, {sizes}",
        *(f"parity with the trained network, {runtime}, {p.describe()}" for runtime, p in measured.parity.items()),
        f"validation, {measured.precision}: {_accuracy(measured.scores)}",
    ]
    if measured.float_scores is not None:
        lines.append(f"validation, float32: {_accuracy(measured.float_scores)}")
    for name, head in (("screen", measured.screen), ("pixels", measured.pixels)):
        if head is not None:
            lines.append(
                f"{name}: temperature {head.temperature:g}, calibration error {head.before.error:.4f} before, "
                f"{head.after.error:.4f} after"
            )
        if head is not None and head.temperature != head.fitted:
            lines.append(f"  the fitted temperature, {head.fitted:g}, makes that error larger, so it is not used")
    lines += _threshold_lines(measured)
    for title, speed in ((measured.precision, measured.speed), ("float32", measured.float_speed)):
        for runtime, rates in speed.items():
            shown = ", ".join(f"{graph} {rate:.2f} Mpx/s" for graph, rate in rates.items())
            lines.append(f"speed, {title}, {runtime}: {shown}")
    return lines


def _warnings(measured: "Measured") -> list[str]:
    """Temperatures that are no fit but the end of what is looked at."""
    from clearscene.training.calibrate import RANGE

    heads = {"screen": measured.screen, "pixels": measured.pixels}
    return [
        f"warning: {name}: the temperature {head.fitted:g} is an end of the range that is looked at, {RANGE[0]:g} to"
        f" {RANGE[1]:g}: the network is hardly right where it is sure, or the chips are not those it was trained for"
        for name, head in heads.items()
        if head is not None and not RANGE[0] * 1.01 < head.fitted < RANGE[1] * 0.99
    ]


def _uses(measured: "Measured", run: Path) -> list[str]:
    """What a folder without a segmenter is good for."""
    if "model.onnx" in measured.sizes:
        return []
    return [
        "warning: it only screens: there is no model.onnx, so inspect does not take it",
        f"hint: pair it with a segmenter: clearscene export SEGMENTER_RUN --screen {run} --out MODEL",
    ]


def _threshold_lines(measured: "Measured") -> list[str]:
    """What each type's threshold brings, and what cannot be said."""
    if measured.screen is None:
        return []
    scores = measured.scores
    saved = "not measured" if scores.clean_flagged is None else f"{scores.clean_flagged:.3f}"
    by_type = [
        f"  {name}: {scores.n_tiles[name]} tiles, flagged from {threshold:.4f} on, recall {scores.recall[name]:.3f}, "
        f"precision {scores.precision[name]:.3f}, false alarms {scores.false_alarms.get(name, 0.0):.3f}"
        for name, threshold in scores.threshold.items()
        if name in scores.recall and name in scores.precision
    ]
    return [*by_type, f"  tiles without defects that are segmented all the same: {saved}"]


def _accuracy(scores: "Scores") -> str:
    parts = [f"{scores.n_chips} chips"]
    if scores.mean_iou is not None:
        by_class = ", ".join(f"{name} {value:.3f}" for name, value in scores.iou.items())
        parts.append(f"mean IoU {scores.mean_iou:.4f} ({by_class})")
    if scores.macro_f1 is not None:
        parts.append(f"screening macro-F1 {scores.macro_f1:.4f}")
    return "; ".join(parts)
