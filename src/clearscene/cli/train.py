"""`clearscene train CONFIG`: train a network on chips."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clearscene.cli.plain_progress import PlainProgress
from clearscene.errors import MissingExtraError
from clearscene.training.config import load_config
from clearscene.training.stopping import Stopping

__all__ = ["command"]


def command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file: chips, network, losses, schedule.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the result.", show_default="out/train/<name of the config>"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was interrupted.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="as in the config")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as run.epochs=3.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train a network on chips made by `clearscene synth chips`, or on prepared sets.

    Leaves the config, the best and the last checkpoint, tables, curves and run.json in OUT. Ctrl-C or SIGTERM ends it
    after the step in hand with a checkpoint; --resume goes on from there. Several GPUs: torchrun --nproc-per-node N -m
    clearscene train CONFIG.
    """
    overrides = [*(settings or []), *([f'run.device="{device}"'] if device else [])]
    checked = load_config(config, overrides)
    folder = out or Path("out") / "train" / (checked.name or config.stem)
    try:
        from clearscene.training.run import train
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "clearscene":
            raise
        raise MissingExtraError(
            f"Training needs {error.name}, which is not installed.",
            hint='Install it with: pip install "clearscene[train]"',
        ) from error
    leads = os.environ.get("RANK", "0") == "0"
    with Screen(Console(stderr=True), is_quiet=quiet or not leads) as screen:
        outcome = train(checked, folder, screen, resume=resume, overwrite=overwrite)
    if leads:
        best = _best(outcome.monitor, outcome.best, outcome.best_step)
        typer.echo(f"{outcome.reason}: step {outcome.step}, {outcome.minutes:.1f} minutes, {best}", err=True)
        typer.echo(folder)
    if outcome.reason == "stopped":
        typer.echo("hint: go on with the same command and --resume", err=True)
        raise typer.Exit(130)


def _best(monitor: str, value: float | None, step: int) -> str:
    """The best value so far, by its name."""
    if value is None:
        return "not validated yet"
    name = "mean of miou and macro_f1" if monitor == "both" else monitor
    return f"best {name} {-value if monitor == 'loss' else value:.4f} at step {step}"


SHOWN = {"loss": "loss", "miou": "miou", "macro_f1": "macro_f1", "accuracy": "accuracy by type"}
"""Metrics in the line of a validation, and what they are called there: that of tiles counts each type by itself."""


class Screen:
    """Progress with the time left on stderr, a line for each validation, and the wish to stop."""

    def __init__(self, console: Console, *, is_quiet: bool) -> None:
        self._console, self._is_quiet = console, is_quiet
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>5.1f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=is_quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("reading the chips", total=1.0)
        self._log = None if is_quiet or console.is_terminal else PlainProgress("training")
        self._stop, self._life = Stopping(), ExitStack()

    def __enter__(self) -> "Screen":
        self._life.enter_context(self._stop)
        self._life.enter_context(self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._life.close()

    @property
    def stop_requested(self) -> bool:
        """See `Reporter`."""
        return self._stop.is_asked

    def step(self, done: float, text: str) -> None:
        """See `Reporter`."""
        self._progress.update(self._task, completed=done, description=text)
        if self._log is not None:
            self._log(done, text)

    def validated(self, step: int, by_set: dict[str, dict[str, float]], *, is_best: bool) -> None:
        """See `Reporter`."""
        if self._is_quiet:
            return
        for title, metrics in by_set.items():
            numbers = ", ".join(f"{name} {metrics[key]:.4f}" for key, name in SHOWN.items() if key in metrics)
            self._console.print(f"step {step}, {title}: {numbers}{' (best)' if is_best else ''}", highlight=False)
