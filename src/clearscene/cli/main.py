"""The `clearscene` command: loads only the subcommand that is called, and turns errors into exit codes.

Exit codes: 0 done, 1 done but the limit of `--fail-under` was not met, 2 error, 130 interrupted (Ctrl-C).
"""

import importlib
import logging
import sys
from dataclasses import dataclass

import typer

from clearscene import __version__
from clearscene.errors import ClearsceneError

__all__ = ["COMMANDS", "build_app", "report_error", "run"]


@dataclass(frozen=True)
class Subcommand:
    """Where a subcommand lives and what it is for."""

    module: str
    """Holds `command`, a function with typer options, or `app`, a typer group."""
    help: str
    """One line for `clearscene --help`."""


COMMANDS = {
    "inspect": Subcommand("clearscene.cli.inspect", "Find defects in scenes: polygons, class map, score, report."),
    "mask": Subcommand("clearscene.cli.mask", "Mask clouds, thin clouds and cloud shadows."),
    "fuse": Subcommand("clearscene.cli.fuse", "Fuse many imperfect images of one place into one."),
    "sky": Subcommand("clearscene.cli.sky", "Mask the sky in photos for tools that build models from them."),
    "score": Subcommand("clearscene.cli.score", "Score a run again after its polygons were edited."),
    "compare": Subcommand("clearscene.cli.compare", "Set a run against an inspector's own polygons."),
    "review": Subcommand("clearscene.cli.review", "Accept, reject and redraw findings on a page; score, sign, export."),
    "datasets": Subcommand(
        "clearscene.cli.datasets", "Read published data sets; make sets from what people have drawn."
    ),
    "synth": Subcommand("clearscene.cli.synth", "Make generated scenes with known defects."),
    "train": Subcommand("clearscene.cli.train", "Train a network on chips with known defects."),
    "export": Subcommand("clearscene.cli.export", "Turn a trained network into a model folder."),
    "benchmark": Subcommand("clearscene.cli.benchmark", "Set models against labeled images: tables, curves, masks."),
    "demo": Subcommand("clearscene.cli.demo", "Make a scene, inspect it, print found against placed."),
    "standards": Subcommand("clearscene.cli.standards", "List the scoring standards, print one, or check a file."),
    "models": Subcommand("clearscene.cli.models", "List the models that are installed."),
    "doctor": Subcommand("clearscene.cli.doctor", "Show what this installation can do."),
}


def build_app(called: str | None) -> typer.Typer:
    """The command line with `called` in full, and the other subcommands as names with help.

    Law: `clearscene --help` imports no subcommand, so that it answers at once.
    """
    app = typer.Typer(
        name="clearscene",
        help="Find what is wrong with an overhead image: polygons, class map, score, report.",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback(invoke_without_command=True)(_root)
    for name, subcommand in COMMANDS.items():
        if name != called:
            app.command(name, help=subcommand.help)(_not_loaded)
            continue
        module = importlib.import_module(subcommand.module)
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=subcommand.help)
        else:
            app.command(name)(module.command)
    return app


def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """Options before the subcommand."""
    if version:
        typer.echo(f"clearscene {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _not_loaded() -> None:
    raise AssertionError("a subcommand that was not called cannot run")


def run(args: list[str] | None = None) -> None:
    """Entry point of the console script; `args` as after the program name, default those of the process."""
    args = sys.argv[1:] if args is None else args
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("rasterio").propagate = False  # GDAL's asides; what matters is raised, or in the report
    called = next((word for word in args if not word.startswith("-")), None)
    try:
        build_app(called)(args)
    except ClearsceneError as error:
        report_error(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def report_error(error: ClearsceneError) -> None:
    """Print an error as users read it: `error:`, then `hint:`, to stderr."""
    typer.secho(f"error: {error.message}", fg="red", err=True)
    if error.hint:
        typer.secho(f"hint: {error.hint}", err=True)
