"""Features of the `defects` layer as a review sees them: what a person can change, and how it is written.

A state is what a feature holds, geometry included; None is a feature that is not there. States differ
if they differ in the columns that a person edits. A change leads from one state to the next.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clearscene.errors import ResultError
from clearscene.inspection.taxonomy import DefectType

__all__ = [
    "EDITED",
    "Change",
    "Layout",
    "State",
    "States",
    "apply_change",
    "changed_columns",
    "highest_key",
    "layout_of",
    "read_states",
    "type_columns",
]

State = Mapping[str, Any]
"""Column name to value; the geometry, under its column's name, as a GeoPackage blob."""

States = dict[int, dict[str, Any]]
"""The states of all features by feature id."""

EDITED = ("id", "type", "type_id", "type_en", "type_zh", "group", "status", "remark", "detector", "confidence")
"""Columns besides the geometry that make a state; all others follow from them when the run is scored."""

TYPE_COLUMNS = ("type", "type_id", "type_en", "type_zh", "group")


@dataclass(frozen=True)
class Layout:
    """Names that a GeoPackage may choose, and which columns there are."""

    key: str
    """The primary key of `defects`."""
    geometry: str
    """Its geometry column."""
    columns: tuple[str, ...]
    """Those of `EDITED` that the file has."""
    srs_id: int

    @property
    def state_columns(self) -> tuple[str, ...]:
        """The columns of a state."""
        return (*self.columns, self.geometry)


@dataclass(frozen=True)
class Change:
    """What a gesture did to one feature.

    Both sides hold the same columns: those that changed, or all of them if the feature came or went.
    """

    key: int
    """Feature id."""
    before: State | None
    after: State | None

    @property
    def inverse(self) -> "Change":
        """The change that takes this one back."""
        return Change(self.key, self.after, self.before)


def layout_of(database: sqlite3.Connection) -> Layout:
    """How the `defects` layer of an open GeoPackage is laid out.

    Raises:
        ResultError: It has no such layer.
    """
    query = "SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = 'defects'"
    found = database.execute(query).fetchone()
    info = list(database.execute('PRAGMA table_info("defects")'))
    key = next((str(column["name"]) for column in info if column["pk"]), None)
    if found is None or key is None:
        raise ResultError("The GeoPackage has no layer defects.", hint="Inspect the scene again.")
    names = {str(column["name"]) for column in info}
    return Layout(key, str(found[0]), tuple(name for name in EDITED if name in names), int(found[1]))


def read_states(database: sqlite3.Connection, layout: Layout) -> States:
    """Every feature that has a shape by feature id, in the order of the file, with all of its columns.

    Those that follow from the state come along so that a feature that was deleted comes back whole.
    """
    where = f'"{layout.geometry}" IS NOT NULL'
    found = database.execute(f'SELECT * FROM "defects" WHERE {where} ORDER BY "{layout.key}"')
    states = {}
    for row in found:
        values = dict(row)
        states[int(values.pop(layout.key))] = values
    return states


def highest_key(database: sqlite3.Connection, layout: Layout) -> int:
    """The largest feature id, 0 without features."""
    return int(database.execute(f'SELECT coalesce(max("{layout.key}"), 0) FROM "defects"').fetchone()[0])


def apply_change(database: sqlite3.Connection, layout: Layout, change: Change) -> None:
    """Bring a feature from `change.before` to `change.after`; the caller has checked that it is at `before`."""
    if change.after is None:
        database.execute(f'DELETE FROM "defects" WHERE "{layout.key}" = ?', (change.key,))
    elif change.before is None:
        _insert(database, layout, change.key, change.after)
    else:
        assignments = ", ".join(f'"{name}" = ?' for name in change.after)
        query = f'UPDATE "defects" SET {assignments} WHERE "{layout.key}" = ?'
        database.execute(query, (*change.after.values(), change.key))


def _insert(database: sqlite3.Connection, layout: Layout, key: int, state: State) -> None:
    names = ", ".join(f'"{name}"' for name in (layout.key, *state))
    marks = ", ".join("?" for _ in range(len(state) + 1))
    database.execute(f'INSERT INTO "defects" ({names}) VALUES ({marks})', (key, *state.values()))


def type_columns(defect: DefectType, layout: Layout) -> dict[str, Any]:
    """The columns that name a type, as far as the file has them."""
    values = {
        "type": defect.name,
        "type_id": defect.id,
        "type_en": defect.title,
        "type_zh": defect.title_zh,
        "group": defect.group.value,
    }
    return {name: values[name] for name in TYPE_COLUMNS if name in layout.columns}


def changed_columns(before: State, after: State, columns: Iterable[str]) -> list[str]:
    """The columns in which two states differ; null and empty text are the same."""
    return [name for name in columns if _value(before.get(name)) != _value(after.get(name))]


def _value(value: Any) -> Any:
    return None if value == "" else value
