"""`clearscene standards [NAME]`: list the shipped scoring standards, print one, or check a file."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clearscene.inspection.standard import DEFAULT_STANDARD, list_standards, load_standard, standard_text

__all__ = ["command"]


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME|FILE.toml]",
            help="A shipped standard is printed, as a start for one of your own; a file is checked.",
        ),
    ] = "",
) -> None:
    """List the scoring standards, print one to edit, or check a file (exit 2 if it is wrong)."""
    if not name:
        _print_list(Console())
    elif name in list_standards():
        typer.echo(standard_text(name), nl=False)
    else:
        load_standard(name)
        typer.echo(f"{name} is a valid standard.")


def _print_list(console: Console) -> None:
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
    console.print(table)
