"""The history of a review, inside the GeoPackage: every gesture, by whom, when, and what was before.

Entries are only ever added: undo and redo are entries too, which say what they take back. So the
state of the findings is the first one with all entries applied in their order, undo survives a
restart, and nothing that a person did is lost from the record.
"""

import json
import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearscene.review.features import Change, State, States

__all__ = [
    "OUTSIDE",
    "Entry",
    "add_entry",
    "ensure_tables",
    "get_meta",
    "has_tables",
    "last_number",
    "read_entries",
    "replay",
    "said_by",
    "said_since",
    "set_meta",
    "stacks",
    "stands",
    "undone_numbers",
]

TABLE = "clearscene_review_history"
META = "clearscene_review_meta"
OUTSIDE = "outside"
"""Action of an entry that records what another program did to the file."""

# Registered as tables without geometry, so that QGIS can show the history beside the findings.
DDL = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, client TEXT NOT NULL,
  action TEXT NOT NULL, target INTEGER, changes TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS {META} (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)
VALUES ('{TABLE}', 'attributes', '{TABLE}', 'Gestures of the review page', 0);
"""


@dataclass(frozen=True)
class Entry:
    """One gesture."""

    seq: int
    """Counts up; the newest is the version of the file."""
    at: str
    """ISO 8601, UTC."""
    who: str
    client: str
    """The page that sent it, for its own use."""
    action: str
    target: int | None
    """For undo and redo: the entry that was taken back or done again."""
    changes: tuple[Change, ...]

    @property
    def keys(self) -> list[int]:
        """Feature ids that it touched."""
        return [change.key for change in self.changes]


def has_tables(database: sqlite3.Connection) -> bool:
    """Whether the file was ever reviewed."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone() is not None


def ensure_tables(database: sqlite3.Connection) -> None:
    """Make the tables of the history where they are missing."""
    if not has_tables(database):
        for statement in DDL.split(";\n"):
            if statement.strip():
                database.execute(statement)


def add_entry(
    database: sqlite3.Connection,
    action: str,
    changes: Sequence[Change],
    *,
    who: str,
    at: str,
    client: str = "",
    target: int | None = None,
) -> Entry:
    """Write an entry; part of the caller's transaction, so that it is there if and only if the change is."""
    text = json.dumps([_packed(change) for change in changes], ensure_ascii=False)
    query = f"INSERT INTO {TABLE} (at, who, client, action, target, changes) VALUES (?, ?, ?, ?, ?, ?)"
    seq = database.execute(query, (at, who, client, action, target, text)).lastrowid
    assert seq is not None
    return Entry(seq, at, who, client, action, target, tuple(changes))


def read_entries(database: sqlite3.Connection, after: int = 0) -> list[Entry]:
    """The entries after a number, the oldest first; none if the file was never reviewed."""
    if not has_tables(database):
        return []
    query = f"SELECT seq, at, who, client, action, target, changes FROM {TABLE} WHERE seq > ? ORDER BY seq"
    return [_entry(row) for row in database.execute(query, (after,))]


def last_number(database: sqlite3.Connection) -> int:
    """Number of the newest entry, 0 without any."""
    if not has_tables(database):
        return 0
    return int(database.execute(f"SELECT coalesce(max(seq), 0) FROM {TABLE}").fetchone()[0])


def replay(states: Mapping[int, State], entries: Iterable[Entry]) -> States:
    """The states after all entries, from those before the first; a feature that came stands last.

    Law: over the states with which a review began, this gives what the file holds.
    """
    result = {key: dict(state) for key, state in states.items()}
    for entry in entries:
        for change in entry.changes:
            if change.after is None:
                result.pop(change.key, None)
            else:
                result[change.key] = {**result.get(change.key, {}), **change.after}
    return result


def stacks(entries: Iterable[Entry], who: str) -> tuple[list[Entry], list[Entry]]:
    """What a reviewer can undo and redo, the next one last.

    Law: a new gesture empties the second; undo moves one from the first to the second, redo back.
    """
    by_seq: dict[int, Entry] = {}
    done: list[Entry] = []
    undone: list[Entry] = []
    for entry in entries:
        if entry.who != who or entry.action == OUTSIDE:
            continue
        by_seq[entry.seq] = entry
        if entry.action == "undo":
            done = [e for e in done if e.seq != entry.target]
            undone.append(by_seq[entry.target or 0])
        elif entry.action == "redo":
            undone = [e for e in undone if e.seq != entry.target]
            done.append(by_seq[entry.target or 0])
        else:
            done.append(entry)
            undone = []
    return done, undone


def said_by(entries: Sequence[Entry]) -> dict[int, str]:
    """Who said the status that stands, by feature id; "" where that was another program. Undone ones are left out."""
    gone = undone_numbers(entries)
    said = [entry for entry in entries if stands(entry, gone)]
    return {change.key: entry.who for entry in said for change in entry.changes if "status" in (change.after or {})}


def stands(entry: Entry, undone: Container[int]) -> bool:
    """True if a gesture, or its redo, stands; `undone` as `undone_numbers` tells it."""
    return (entry.seq if entry.target is None else entry.target) not in undone


def said_since(entries: Sequence[Entry], entry: Entry) -> set[int]:
    """Feature ids whose status another person has said since a gesture was last done, undone or redone.

    Saying the same as the gesture counts. What that person has undone does not, nor what another program did.
    """
    gone = undone_numbers(entries)
    since = max(e.seq for e in entries if entry.seq in (e.seq, e.target))
    later = [e for e in entries if e.seq > since and e.who not in ("", entry.who)]
    standing = [e for e in later if stands(e, gone)]
    return {change.key for e in standing for change in e.changes if "status" in (change.after or {})}


def undone_numbers(entries: Sequence[Entry]) -> set[int]:
    """Numbers of the entries that stand undone at the end."""
    gone: set[int] = set()
    for entry in entries:
        if entry.target is not None:
            (gone.add if entry.action == "undo" else gone.discard)(entry.target)
    return gone


def get_meta(database: sqlite3.Connection, key: str) -> str | None:
    """A value that the review keeps beside the history."""
    if not has_tables(database):
        return None
    found = database.execute(f"SELECT value FROM {META} WHERE key = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def set_meta(database: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a value."""
    database.execute(f"INSERT OR REPLACE INTO {META} VALUES (?, ?)", (key, value))


def _entry(row: sqlite3.Row) -> Entry:
    changes = tuple(_unpacked(change) for change in json.loads(row["changes"]))
    return Entry(row["seq"], row["at"], row["who"], row["client"], row["action"], row["target"], changes)


def _packed(change: Change) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    return {"key": change.key} | {name: None if side is None else _pack(side) for name, side in sides.items()}


def _unpacked(packed: Mapping[str, Any]) -> Change:
    sides = (packed["before"], packed["after"])
    return Change(int(packed["key"]), *(None if side is None else _unpack(side) for side in sides))


def _pack(state: State) -> dict[str, Any]:
    return {name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in state.items()}


def _unpack(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for name, v in state.items()}
