"""`clearscene benchmark ...`: models set against labeled images."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clearscene.cli.benchmark_networks import networks

if TYPE_CHECKING:
    from clearscene.benchmark.consistency import Check

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Set models against labeled images.")
app.command("networks")(networks)


@app.callback()
def _group() -> None:
    """Set models against labeled images: train, judge, tables, figures, page."""


@app.command("run")
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file: sets, models, protocols.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the results.", show_default="out/benchmark/<name of the suite>"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train and judge again what is finished.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train and judge every model on every set by every protocol; write tables, figures and a page.

    What is finished is kept: after Ctrl-C, SIGTERM or a failure the same command goes on. Exit code 1 if something
    failed, 130 if it was ended.
    """
    from clearscene.benchmark.drawing import draw_all
    from clearscene.benchmark.page import PAGE
    from clearscene.benchmark.run import run_suite
    from clearscene.benchmark.suite import load_suite
    from clearscene.cli.benchmark_progress import Screen
    from clearscene.cli.progress import interruptible

    suite = load_suite(config)
    folder = out or Path("out") / "benchmark" / suite.name
    with interruptible("what is finished is kept; the same command goes on"), Screen(is_quiet=quiet) as screen:
        results = run_suite(suite, folder, screen, overwrite=overwrite)
    draw_all(results, folder)
    n_failed = sum(cell.status == "failed" for cell in results.cells)
    minutes = sum(training.minutes or 0.0 for training in results.trainings)
    hardware = results.hardware
    typer.echo(
        f"{len(results.cells) - n_failed} of {len(results.cells)} cells, {len(results.trainings)} trainings"
        f" of {minutes:.1f} minutes; {results.seconds:.0f} s on {hardware.processor or 'an unknown processor'},"
        f" {hardware.cores} cores",
        err=True,
    )
    typer.echo(folder / PAGE)
    if n_failed:
        raise typer.Exit(1)


@app.command("tables")
def tables(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a `benchmark run`.")],
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Add one table with all protocols, whose numbers cannot be compared.")
    ] = False,
) -> None:
    """Draw tables, figures and the page again, from results.json and the pictures beside it alone."""
    from clearscene.benchmark.drawing import all_tables, draw_all
    from clearscene.benchmark.results import read_results
    from clearscene.benchmark.table_files import to_markdown

    results = read_results(folder)
    draw_all(results, folder, is_mixed=mixed)
    for of_protocol in all_tables(results).values():
        for table in of_protocol:
            typer.echo(to_markdown(table))


@app.command("cards")
def cards(
    name: Annotated[str, typer.Argument(metavar="[CARD]", help="A name or a TOML file, to see all of it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the protocol cards, or print one as the TOML file that it is: a card of your own begins with it."""
    from clearscene.benchmark.card import card_text, find_card, shipped_cards

    if name:
        card = find_card(name)
        as_dict = card.model_dump(mode="json")
        typer.echo(json.dumps(as_dict, indent=1, ensure_ascii=False) if as_json else card_text(card))
        return
    known = shipped_cards()
    if as_json:
        typer.echo(json.dumps([card.model_dump(mode="json") for card in known.values()], indent=1, ensure_ascii=False))
        return
    for card in known.values():
        rule = f"threshold {card.threshold.value:.4g}" if card.threshold.rule == "fixed" else card.threshold.rule
        typer.echo(f"{card.name}: {card.title}")
        typer.echo(f"  {', '.join(column.head for column in card.columns)}")
        typer.echo(f"  {rule}; pooled over {card.pooling}; {card.stitching}; values {card.scaling}")


@app.command("check-published")
def check_published(
    table: Annotated[
        Path | None,
        typer.Option("--csv", help="Another table: trained, tested, model, auc, dice, iou, coverage."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Take printed AUC, Dice and coverage apart: confusion matrix of each row, and the rows that cannot be right.

    Without --csv the 42 rows of Tables 2 and 3 of BenchCloudVision.
    """
    from clearscene.benchmark.consistency import check_rows, printed_rows

    checks = check_rows(printed_rows(table))
    if as_json:
        typer.echo(json.dumps([_plain(check) for check in checks], indent=1))
        return
    _print_checks(checks)


def _plain(check: "Check") -> dict[str, object]:
    """A check for JSON: what is no number is null."""
    from math import isfinite

    values = asdict(check)
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in values.items()}


def _if_recall(checks: Sequence["Check"]) -> str:
    """What the cloud fraction would have to be if coverage were recall; empty where no row allows it."""
    from clearscene.benchmark.consistency import recover_recall

    printed = [check.printed for check in checks]
    found = [rates for row in printed if (rates := recover_recall(row.auc, row.dice, row.coverage))]
    fractions = [rates.cloud_fraction for rates in found]
    return f"; if coverage were recall: {min(fractions):.3f} to {max(fractions):.3f}" if fractions else ""


def _print_checks(checks: Sequence["Check"]) -> None:
    for tested in dict.fromkeys(check.printed.tested for check in checks):
        rows = [check for check in checks if check.printed.tested == tested]
        fraction = next((check.rates.cloud_fraction for check in rows if check.rates), None)
        common = "none" if fraction is None else f"{fraction:.4f}"
        typer.echo(f"\n{tested}: cloud fraction {common}{_if_recall(rows)}")
        typer.echo(f"{'trained on':12} {'model':12} {'TPR':>6} {'FPR':>6} {'prec.':>6} {'acc.':>6} {'AUC off':>8}")
        for check in rows:
            printed, rates = check.printed, check.rates
            numbers = (rates.tpr, rates.fpr, rates.precision, rates.accuracy) if rates else ()
            shown = [f"{n:6.3f}" for n in numbers] or ["     -"] * 4
            off = f"{check.auc_expected - printed.auc:+8.4f}" if rates else f"{'-':>8}"
            typer.echo(
                f"{printed.trained:12} {printed.model:12} {' '.join(shown)} {off}{'  !' if check.complaint else ''}"
            )
    wrong = [check for check in checks if check.complaint]
    others = "; the others cannot be right:" if wrong else ""
    typer.echo(f"\n{len(checks) - len(wrong)} of {len(checks)} rows agree{others}")
    for check in wrong:
        printed = check.printed
        typer.echo(f"- {printed.model}, trained on {printed.trained}, tested on {printed.tested}: {check.complaint}.")
