"""The console that tables are printed to."""

import sys

from rich.console import Console

__all__ = ["table_console"]

WIDEST = 1000
"""Columns of a table that goes into a file or a pipe."""


def table_console() -> Console:
    """As wide as the terminal; into a file or a pipe a row is one line, however long its name."""
    return Console() if sys.stdout.isatty() else Console(width=WIDEST)
