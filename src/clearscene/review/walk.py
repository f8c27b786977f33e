"""The walk over a scene: which cells of a grid a person has looked at, kept in the GeoPackage of the run."""

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from clearscene.errors import OptionError
from clearscene.review.history import get_meta, set_meta

__all__ = ["Walk", "default_cell", "mark", "read_walk", "set_cell"]

TABLE = "clearscene_review_walk"
CELL = "walk_cell"
DDL = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
  "row" INTEGER NOT NULL, "col" INTEGER NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY ("row", "col", who)
)"""
CELLS_A_SIDE = 24
"""About how many cells the longer side of a scene has unless a person chooses their size."""
LEAST_CELL, STEP = 256, 256
MAX_CELLS = 40_000
MAX_CELL = 65_536


@dataclass(frozen=True)
class Walk:
    """How far the walk is."""

    cell: int
    """Scene pixels along the side of a cell."""
    n_rows: int
    n_cols: int
    seen: tuple[tuple[int, int, str, str], ...]
    """Row, column, who, when."""

    @property
    def n_seen(self) -> int:
        """Cells that somebody has looked at."""
        return len({(row, col) for row, col, _, _ in self.seen})

    def n_seen_by(self, who: str) -> int:
        """Cells that one person has looked at."""
        return sum(name == who for _, _, name, _ in self.seen)


def default_cell(height: int, width: int) -> int:
    """A size at which a cell fills a screen, and the longer side of the scene has about 24 of them."""
    return max(LEAST_CELL, math.ceil(max(height, width) / CELLS_A_SIDE / STEP) * STEP)


def read_walk(database: sqlite3.Connection, height: int, width: int) -> Walk:
    """The walk as it stands."""
    cell = int(get_meta(database, CELL) or default_cell(height, width))
    seen: list[tuple[int, int, str, str]] = []
    if _has_table(database):
        found = database.execute(f'SELECT "row", "col", who, at FROM {TABLE} ORDER BY "row", "col", who')
        seen = [(row[0], row[1], row[2], row[3]) for row in found]
    return Walk(cell, math.ceil(height / cell), math.ceil(width / cell), tuple(seen))


def mark(
    database: sqlite3.Connection, walk: Walk, cells: Iterable[tuple[int, int]], *, is_seen: bool, who: str, at: str
) -> None:
    """Note that a person has looked at cells (row, col), or take that back.

    Raises:
        OptionError: A cell lies outside the grid.
    """
    cells = list(cells)
    outside = [cell for cell in cells if not (0 <= cell[0] < walk.n_rows and 0 <= cell[1] < walk.n_cols)]
    if outside:
        raise OptionError(
            f"The cell in row {outside[0][0]}, column {outside[0][1]} lies outside the grid.",
            hint=f"It has {walk.n_rows} rows and {walk.n_cols} columns.",
        )
    database.execute(DDL)
    if is_seen:
        query = f"INSERT OR IGNORE INTO {TABLE} VALUES (?, ?, ?, ?)"
        database.executemany(query, [(row, col, who, at) for row, col in cells])
    else:
        query = f'DELETE FROM {TABLE} WHERE "row" = ? AND "col" = ? AND who = ?'
        database.executemany(query, [(row, col, who) for row, col in cells])


def set_cell(database: sqlite3.Connection, cell: int, *, height: int, width: int) -> None:
    """Choose the size of the cells; what was marked at another size is dropped.

    Raises:
        OptionError: The size makes far too many cells, or is larger than anybody can look at.
    """
    if cell > MAX_CELL:
        raise OptionError(f"Cells of {cell} px are too large.", hint=f"Choose {MAX_CELL} px at most.")
    if cell < 32 or math.ceil(height / cell) * math.ceil(width / cell) > MAX_CELLS:
        raise OptionError(f"Cells of {cell} px are too small for this scene.", hint="Choose larger ones.")
    if cell == int(get_meta(database, CELL) or default_cell(height, width)):
        return
    set_meta(database, CELL, str(cell))
    if _has_table(database):
        database.execute(f"DELETE FROM {TABLE}")


def _has_table(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone() is not None
