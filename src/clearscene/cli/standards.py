"""`clearscene standards [NAME]`: list the shipped scoring standards, or print one as a start for one's own."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.inspection.standard import DEFAULT_STANDARD, list_standards, load_standard, standard_text

__all__ = ["command"]


def command(
    name: Annotated[str, typer.Argument(help="Print this standard, as a start for one of your own.")] = "",
) -> None:
    """List the scoring standards, or print one to edit."""
    if name:
        typer.echo(standard_text(name), nl=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "title", "grades", "confirmed by"):
        table.add_column(column, overflow="fold")
    for listed in list_standards():
        standard = load_standard(listed)
        is_default = " (default)" if listed == DEFAULT_STANDARD else ""
        table.add_row(
            listed + is_default,
            standard.title.en,
            str(len(standard.grades)),
            standard.confirmed_by or "nobody: draft grades",
        )
    Console().print(table)
