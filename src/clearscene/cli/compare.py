"""`clearscene compare RUN REFERENCE`: a run against an inspector's own polygons."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.cli.console import table_console
from clearscene.inspection.compare import Comparison, TypeComparison
from clearscene.inspection.compare import compare as compare_run
from clearscene.inspection.matching import MatchRule
from clearscene.inspection.taxonomy import BY_NAME

__all__ = ["command"]

_RULE = MatchRule()
_LISTED = 40
_COUNTS = ("reference", "found", "missed", "findings", "false")
_SIZES = ("IoU", "precision", "recall", "penalty", "theirs", "diff")


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the GeoPackage in it.")],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Shapefile, GeoPackage, GeoJSON, ...")],
    type_field: Annotated[
        str, typer.Option(help="Field with the type: id, English or Chinese name; guessed if left out.")
    ] = "",
    penalty_field: Annotated[
        str, typer.Option(help="Field with the inspector's points; if left out the run's standard scores them.")
    ] = "",
    min_cover: Annotated[
        float, typer.Option(help="A polygon is found if this part of its area is covered, or by --min-iou.")
    ] = _RULE.min_cover,
    min_iou: Annotated[
        float, typer.Option(help="A polygon is found if its IoU with what meets it is this.")
    ] = _RULE.min_iou,
    tolerance: Annotated[
        float,
        typer.Option(
            metavar="PX",
            help="Pixel and boundary types: a polygon is found also if what meets it lies mostly (half of its area) "
            "inside it, grown by so many pixels; what lies so is not false.",
        ),
    ] = _RULE.tolerance_px,
    out: Annotated[
        str, typer.Option(metavar="FILE.gpkg", help="Write the layers missed and false, to open in QGIS.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Set a run against an inspector's own polygons: found, missed and false, areas and penalties, by type."""
    comparison = compare_run(
        run,
        reference,
        type_field=type_field or None,
        penalty_field=penalty_field or None,
        rule=MatchRule(min_cover, min_iou, tolerance),
        out=out or None,
    )
    if as_json:
        typer.echo(comparison.model_dump_json(indent=2))
    else:
        _print(comparison, table_console())
        if out:
            typer.echo(f"layers missed and false: {out}")


def _print(comparison: Comparison, console: Console) -> None:
    """Counts, then areas and penalties: two tables, so that they fit into 80 columns."""
    rows = [*comparison.types, comparison.total]
    console.print(_table(_COUNTS, [(row, _counts(row)) for row in rows]))
    console.print()
    console.print(_table(_SIZES, [(row, _sizes(row)) for row in rows]))
    by = comparison.penalties_from
    source = f"by the standard {by}" if by == comparison.standard else f"from its field {by}"
    lines = [
        f"\nFound: {comparison.min_cover:.0%} of a polygon covered, or IoU {comparison.min_iou:g} with what meets it;",
        "pixel and boundary types also if what meets it lies mostly inside it, "
        f"grown by {comparison.tolerance_px:g} px. Areas are compared as they are.",
        f"theirs: penalty of the reference, {source}; diff: penalty of the run minus theirs.",
    ]
    if comparison.missed:
        lines.append(f"Missed polygons, by their feature id as QGIS shows it: {_listed(comparison.missed)}")
    if comparison.false:
        lines.append(f"False findings, by their id: {_listed(comparison.false)}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _listed(numbers: list[int]) -> str:
    """The first numbers of a list, and how many more there are; all of them are in the JSON."""
    more = f" and {len(numbers) - _LISTED:,} more (--json lists them all)" if len(numbers) > _LISTED else ""
    return ", ".join(map(str, numbers[:_LISTED])) + more


def _table(columns: tuple[str, ...], rows: list[tuple[TypeComparison, list[str]]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("type")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row, cells in rows:
        is_total = row.type not in BY_NAME
        title = "All" if is_total else BY_NAME[row.type].title
        table.add_row(title, *cells, style="bold" if is_total else None)
    return table


def _counts(row: TypeComparison) -> list[str]:
    return [f"{n}" for n in (row.n_reference, row.n_found, row.n_missed, row.n_run, row.n_false)]


def _sizes(row: TypeComparison) -> list[str]:
    ratios = (row.area_iou, row.area_precision, row.area_recall)
    shown = ["-" if ratio is None else f"{ratio:.3f}" for ratio in ratios]
    return [*shown, f"{row.penalty_run:.2f}", f"{row.penalty_reference:.2f}", f"{row.penalty_difference:+.2f}"]
