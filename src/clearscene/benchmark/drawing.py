"""Everything that is drawn from results alone: tables, figures, page."""

from collections.abc import Sequence
from pathlib import Path

from clearscene.benchmark.figures import write_figures
from clearscene.benchmark.page import write_page
from clearscene.benchmark.results import Results
from clearscene.benchmark.table_files import write_tables
from clearscene.benchmark.tables import Table, group_tables, main_tables, mixed_table

__all__ = ["TABLES", "all_tables", "draw_all"]

TABLES = "tables"
MIXED = ("iou", "dice", "auc", "precision", "recall", "accuracy")


def all_tables(results: Results) -> dict[str, list[Table]]:
    """The tables of each protocol, by its name."""
    return {
        card.name: [*main_tables(results, card), *group_tables(results, card)]
        for card in results.protocols
        if any(cell.protocol == card.name for cell in results.cells)
    }


def draw_all(results: Results, folder: Path, *, is_mixed: bool = False, metrics: Sequence[str] = MIXED) -> list[Path]:
    """Write tables, figures and the page again; returns their paths.

    Protocols have folders of their own; `is_mixed` adds one table with all of them.

    Raises:
        OutputError: A file cannot be written.
    """
    written: list[Path] = []
    for protocol, tables in all_tables(results).items():
        written += write_tables(tables, folder / TABLES / protocol)
    if is_mixed:
        written += write_tables([mixed_table(results, metrics)], folder / TABLES)
    return [*written, *write_figures(results, folder), write_page(results, folder)]
