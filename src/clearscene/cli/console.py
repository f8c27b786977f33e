"""The console that tables are printed to."""

import sys

from rich.console import Console

__all__ = ["counted", "table_console"]

WIDEST = 1000
"""Columns of a table that goes into a file or a pipe."""


def table_console() -> Console:
    """As wide as the terminal; into a file or a pipe a row is one line, however long its name."""
    return Console() if sys.stdout.isatty() else Console(width=WIDEST)


def counted(n: int, noun: str) -> str:
    """A number of things, with a plural in s. Law: `counted(1, "photo")` is "1 photo", of 0 it is "0 photos"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
