"""`clearscene review RUN`: the page where a person accepts, rejects and redraws; and what follows from it."""

import importlib.util
import json
from getpass import getuser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from clearscene.cli.console import counted
from clearscene.errors import MissingExtraError, OptionError
from clearscene.inspection.run_folder import open_run
from clearscene.inspection.signature import signature_holds

__all__ = ["app"]

_PACKAGES = {"fastapi": "fastapi", "uvicorn": "uvicorn", "rio_tiler": "rio-tiler"}
_RUN = Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the GeoPackage in it.")]


class _OpensByDefault(TyperGroup):
    """`clearscene review RUN` is `clearscene review open RUN`."""

    default_command = "open"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before words that name none."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_OpensByDefault, no_args_is_help=True, help="Accept, reject and redraw findings on a page; score, sign, export."
)


@app.callback()
def _group() -> None:
    """Accept, reject and redraw findings on a page: `clearscene review RUN`."""


@app.command("open")
def open_page(
    run: _RUN,
    reviewer: Annotated[str, typer.Option(help="Your name, for the history; the user's if left out.")] = "",
    port: Annotated[int, typer.Option(help="Port on this machine.", show_default="a free one", min=0, max=65535)] = 0,
    scene: Annotated[str, typer.Option(metavar="PATH", help="Where the scene lies now, if it has moved.")] = "",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Open the page on a run (`clearscene review RUN`); every decision is kept at once. Stop it with Ctrl-C."""
    _check_extra()
    open_run(run)
    from clearscene.review.serve import serve

    serve(
        run,
        reviewer=reviewer.strip() or getuser(),
        port=port,
        scene=scene,
        opens_browser=browser,
        told=lambda address: typer.echo(address),
    )


@app.command("export")
def export(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or GeoPackages in them.")],
    chips: Annotated[Path, typer.Option("--chips", metavar="OUT", help="Folder of the set of chips.")],
    size: Annotated[int, typer.Option(help="Pixels along the side of a chip.")] = 256,
    val: Annotated[float, typer.Option(help="Share of the scenes for validation.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the scenes for the test.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Another number sends scenes to other splits.", min=0)] = 0,
    scene: Annotated[str, typer.Option(metavar="PATH", help="Where the scene of a single run lies now.")] = "",
) -> None:
    """Turn decisions into chips for `clearscene train`: accepted and drawn as truth, rejected as hard negatives."""
    if scene and len(runs) > 1:
        raise OptionError(f"--scene is for one run, and {len(runs)} are named.", hint="Export them one by one.")
    from clearscene.datasets.polygon_chips import Shares
    from clearscene.review.chips import export_chips

    counts = export_chips(runs, chips, size=size, shares=Shares(val, test, seed), scene=scene)
    said = ", ".join(f"{split} {n}" for split, n in counts.items())
    typer.echo(f"{counted(sum(counts.values()), 'chip')} in {chips}: {said}")
    if not (counts["train"] and counts["val"]):
        hint = "`clearscene train` needs chips for train and val, and a scene goes to one of them"
        typer.echo(f"hint: {hint}: export the runs of more scenes in one call, or try another --seed.", err=True)


@app.command("agree")
def agree(
    first: Annotated[str, typer.Argument(metavar="RUN1", help="A reviewed run.")],
    second: Annotated[str, typer.Argument(metavar="RUN2", help="Another review of the same run: a copy.")] = "",
    reviewers: Annotated[
        str, typer.Option(metavar="A,B", help="Two reviewers of one file, by the names of --reviewer.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Set two reviews of one run against each other: Cohen's kappa, and the findings on which they differ."""
    from clearscene.review.agreement import compare_reviewers, compare_runs, reviewers_of

    if second:
        found = compare_runs(first, second)
    else:
        names = [name.strip() for name in reviewers.split(",") if name.strip()] or reviewers_of(first)
        if len(names) != 2:
            known = ", ".join(reviewers_of(first)) or "none"
            hint = f"Name a second run, or --reviewers A,B; the reviewers of {first} are: {known}."
            raise OptionError("An agreement is between two reviews.", hint=hint)
        found = compare_reviewers(first, *names)
    if as_json:
        table = [{"first": one, "second": two, "n": n} for (one, two), n in sorted(found.table.items())]
        record = {**vars(found), "table": table, "disagreements": [vars(d) for d in found.disagreements]}
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    console = Console()
    kappa = "none: no finding was decided by both" if found.kappa is None else f"{found.kappa:.3f}"
    console.print(f"[bold]Cohen's kappa {kappa}[/]", highlight=False)
    said = f"{found.n_agreed} of {found.n} verdicts agree; {found.n_undecided} findings are not decided by both"
    console.print(said, highlight=False)
    if found.disagreements:
        table_ = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("finding", found.first, found.second, "left, top, right, bottom px"):
            table_.add_column(name, overflow="fold")
        for d in found.disagreements:
            place = ", ".join(f"{side:.0f}" for side in d.bounds)
            table_.add_row("drawn" if d.id is None else str(d.id), d.first, d.second, place)
        console.print(table_)


@app.command("signature")
def signature(run: _RUN) -> None:
    """Show who signed a run, and whether its findings are still those that were signed (exit 1 if not)."""
    held = open_run(run)
    signed = held.report.signature
    if signed is None:
        typer.echo("Nobody has signed this run.")
        raise typer.Exit(1)
    typer.echo(
        f"{signed.name}, {signed.at:%Y-%m-%d %H:%M} UTC: {signed.decision.replace('_', ' ')}, score {signed.score:g}"
    )
    typer.echo(f"digest: {signed.digest}")
    if not signature_holds(held):
        typer.echo("The findings were changed afterwards: the signature no longer covers them.", err=True)
        raise typer.Exit(1)
    typer.echo("The findings are those that were signed.")


def _check_extra() -> None:
    """Say what to install where the page's packages are missing.

    Raises:
        MissingExtraError: As said.
    """
    missing = [name for module, name in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"The review page needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            hint='Install it with: pip install "clearscene[review]"',
        )
