"""The GeoPackage under review: opened for one gesture at a time, never held open between two."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearscene.errors import OutputError
from clearscene.inspection.run_folder import check_writable
from clearscene.review.features import Layout, States, layout_of, read_states
from clearscene.review.history import Entry, ensure_tables, read_entries
from clearscene.review.stamp import Stamp
from clearscene.vector.geopackage import edit, unwritable

__all__ = ["ReviewFile", "is_locked"]

TIMEOUT_S = 5.0
"""How long a gesture waits for another program that is writing."""


class ReviewFile:
    """A GeoPackage, and whether it was written by others since it was last seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_writable = _is_writable(path)
        self._clock = Stamp(path)
        self._seen: tuple[int, ...] = ()
        self._own_count: int | None = None

    def is_as_seen(self) -> bool:
        """Whether nobody has written it since `see`."""
        return self._clock.read() == self._seen

    def see(self) -> None:
        """What it holds now is known."""
        self._seen = self._clock.read()

    def see_own(self) -> None:
        """What it holds now is known, unless somebody wrote it between the end of the last transaction and now."""
        self.see()
        if self._own_count not in (None, self._clock.counter()):
            self.forget()

    def forget(self) -> None:
        """What it holds has to be looked at again."""
        self._seen = ()

    def check_writable(self) -> None:
        """Refuse a file that was read-only when it was opened.

        Raises:
            OutputError: As said.
        """
        if not self.is_writable:
            raise OutputError(f"{self.path} is read-only.", hint="Make the file and its folder writable.")

    @contextmanager
    def begun(self) -> Iterator[sqlite3.Connection]:
        """A transaction with the tables of the history in place; it is there whole or not at all.

        Raises:
            OutputError: The file is read-only, or another program is writing.
        """
        self.check_writable()
        try:
            with edit(self.path, timeout_s=TIMEOUT_S) as database:
                database.execute("BEGIN IMMEDIATE")
                ensure_tables(database)
                count = self._clock.counter()
                yield database
                self._own_count = count + int(_counts(database)) if count else None
        except sqlite3.DatabaseError as error:
            raise unwritable(self.path, error) from error

    def read(self) -> tuple[Layout, States, list[Entry]]:
        """Layout and states as they are on disk, and the history so far."""
        self.see()  # first: what is written meanwhile is then looked at again
        with edit(self.path) as database:
            entries = read_entries(database)
            layout = layout_of(database)
            return layout, read_states(database, layout), entries


def is_locked(error: OutputError) -> bool:
    """Whether a GeoPackage could not be written only because another program holds it, by what sqlite said.

    The message of the error is no sign: it holds the path, which may have any word in it.
    """
    return isinstance(error.__cause__, sqlite3.Error) and "locked" in str(error.__cause__)


def _counts(database: sqlite3.Connection) -> bool:
    """Whether the end of a transaction adds to the count of the file; a write-ahead log leaves that alone."""
    (mode,) = database.execute("PRAGMA journal_mode").fetchone()
    return database.total_changes > 0 and str(mode).lower() != "wal"


def _is_writable(path: Path) -> bool:
    try:
        check_writable(path)
    except OutputError as error:
        return is_locked(error)
    return True
