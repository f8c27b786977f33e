"""The store of a review: every gesture goes at once, whole, into the GeoPackage of the run.

One gesture is one transaction, which holds the features, the entry of the history and, before both,
what another program did to the file in the meantime. So a crash loses at most the gesture in hand,
and edits made in QGIS, or by a second server on the file, are seen before anything is written over.
The file is never kept open between gestures.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from clearscene.errors import ConflictError, OptionError, OutputError
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Report
from clearscene.inspection.run_folder import check_writable, open_run
from clearscene.review.features import (
    Change,
    Layout,
    apply_change,
    highest_key,
    layout_of,
    read_states,
)
from clearscene.review.gestures import Gesture, Ground, changes_of
from clearscene.review.history import (
    OUTSIDE,
    Entry,
    add_entry,
    ensure_tables,
    get_meta,
    last_number,
    read_entries,
    replay,
    set_meta,
    stacks,
)
from clearscene.review.live import Live, Scored
from clearscene.review.outside import differences, differs, expected
from clearscene.review.stamp import Stamp
from clearscene.vector.geopackage import edit, unwritable

__all__ = ["Outcome", "ReviewStore"]

SCORED = "score"
"""Action of an entry that records what scoring wrote: numbers of new findings, the type in all its columns."""

TIMEOUT_S = 5.0
"""How long a gesture waits for another program that is writing."""

SETTLED = "settled"
"""Under this key stands the number of the entry up to which the record of the run was brought."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a gesture, or a look at the file, has changed since a version."""

    version: int
    entries: list[Entry]
    """The new ones."""
    touched: set[int] = field(default_factory=set)
    """Feature ids that came or changed in what a person edits."""
    removed: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    """Feature ids with a new shape."""


class ReviewStore:
    """The findings of a run under review. All methods may be called from any thread.

    Args:
        run: A run folder, or the GeoPackage in it.
        reviewer: Whose gestures these are.

    Raises:
        ResultError: The run is incomplete.
    """

    def __init__(self, run: str | Path, *, reviewer: str) -> None:
        self.reviewer = reviewer
        self.lock = RLock()
        self.live = Live(open_run(run))
        self.folder, self.path = self.live.run.folder, self.live.run.gpkg
        self.is_writable = _is_writable(self.path)
        self.entries: list[Entry] = []
        self._clock = Stamp(self.path)
        self._stamp: tuple[int, ...] = ()
        self.layout, found = self._read()
        self.states: dict[int, dict[str, Any]] = expected(found, self.entries, self.layout)
        self.scored: Scored = self.live.score()
        if self.is_writable and self.entries and differences(self.states, found, self.layout):
            self._stamp = ()
            with self._writing():  # what was changed while no review was open
                pass

    @property
    def version(self) -> int:
        """Number of the newest entry of the history."""
        return self.entries[-1].seq if self.entries else 0

    @property
    def undo_entry(self) -> Entry | None:
        """What `undo` would take back."""
        done, _ = stacks(self.entries, self.reviewer)
        return done[-1] if done else None

    @property
    def redo_entry(self) -> Entry | None:
        """What `redo` would do again."""
        _, undone = stacks(self.entries, self.reviewer)
        return undone[-1] if undone else None

    def revisions(self) -> dict[int, int]:
        """Number of the last entry that touched each feature; a feature that none touched is not in it."""
        return {key: entry.seq for entry in self.entries for key in entry.keys}

    def do(self, gesture: Gesture, *, revisions: Mapping[int, int] | None = None, client: str = "") -> Outcome:
        """Do a gesture; when this returns it is on disk.

        Args:
            gesture: What to do.
            revisions: The revision of each feature that the page saw; None lets the last one win.
            client: Which page asks.

        Raises:
            ConflictError: A feature was changed meanwhile, or is gone.
            OptionError: The gesture cannot be understood.
            VectorError: A polygon cannot be used.
            OutputError: The file cannot be written.
        """
        with self._writing() as database:
            self._check(gesture.keys, revisions)
            changes = changes_of(gesture, self._ground(database))
            return self._keep(database, gesture.name, changes, client=client)

    def undo(self, *, client: str = "") -> tuple[Entry, Outcome]:
        """Take back the reviewer's last gesture. Law: `do` and then `undo` leave every feature as it was.

        Raises:
            ConflictError: Somebody has changed one of its features since.
            OptionError: There is nothing to undo.
            OutputError: The file cannot be written.
        """
        with self._writing() as database:
            entry = self.undo_entry
            if entry is None:
                raise OptionError("There is nothing to undo.", hint="")
            changes = [change.inverse for change in reversed(entry.changes)]
            return entry, self._again(database, "undo", entry, changes, client)

    def redo(self, *, client: str = "") -> tuple[Entry, Outcome]:
        """Do again what was undone last. Law: `undo` and then `redo` leave every feature as it was.

        Raises:
            ConflictError: Somebody has changed one of its features since.
            OptionError: There is nothing to redo.
            OutputError: The file cannot be written.
        """
        with self._writing() as database:
            entry = self.redo_entry
            if entry is None:
                raise OptionError("There is nothing to redo.", hint="")
            return entry, self._again(database, "redo", entry, list(entry.changes), client)

    def look(self) -> Outcome | None:
        """See what another program did to the file; None if nothing."""
        with self.lock:
            if self._clock.read() == self._stamp:
                return None
            if not self.is_writable:
                self.layout, self.states = self._read()
                self.live.reload()
                self.scored = self.live.score()
                return Outcome(self.version, [], set(self.states), set(), set(self.states))
            before = self.version
            with self._writing():
                pass
            return self.since(before)

    def since(self, version: int) -> Outcome:
        """What has changed since a version."""
        with self.lock:
            entries = [entry for entry in self.entries if entry.seq > version]
            return self._outcome(entries)

    def settle(self) -> Report:
        """Score the run into its record, GeoPackage and copies, as `clearscene score` does.

        Raises:
            VectorError: A polygon has no type, an unknown status, or lies outside the scene.
            OutputError: A file cannot be written.
        """
        with self.lock:
            if not self.is_writable:
                raise OutputError(f"{self.path} is read-only.", hint="Make the file and its folder writable.")
            self.look()
            report = rescore(self.path, who=self.reviewer)
            with self._writing(SCORED) as database:
                set_meta(database, SETTLED, str(self.version))
            self.live.reload()
            self.scored = self.live.score()
            return report

    def reload(self) -> None:
        """Read the record and all rows again, after something here has written them."""
        with self.lock:
            self.live.reload()
            self.scored = self.live.score()
            self._stamp = self._clock.read()

    def is_settled(self) -> bool:
        """Whether the record of the run already knows of every gesture."""
        with self.lock, edit(self.path) as database:
            return int(get_meta(database, SETTLED) or 0) >= last_number(database)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The file open for writing beside the findings; what was done is there whole or not at all.

        Raises:
            OutputError: The file is read-only, or another program is writing.
        """
        with self.lock:
            is_current = False
            with self._begun() as database:
                is_current = self._clock.read() == self._stamp
                yield database
            self._stamp = self._clock.read() if is_current else ()

    @contextmanager
    def _begun(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            if not self.is_writable:
                raise OutputError(f"{self.path} is read-only.", hint="Make the file and its folder writable.")
            try:
                with edit(self.path, timeout_s=TIMEOUT_S) as database:
                    database.execute("BEGIN IMMEDIATE")
                    ensure_tables(database)
                    yield database
            except sqlite3.DatabaseError as error:
                raise unwritable(self.path, error) from error

    @contextmanager
    def _writing(self, cause: str = OUTSIDE) -> Iterator[sqlite3.Connection]:
        """A transaction on features, before which the edits of others are taken in, under the name of their cause."""
        with self.lock:
            kept = self.layout, self.states, list(self.entries)
            touched: set[int] = set()
            try:
                with self._begun() as database:
                    touched = self._take_in(database, cause)
                    yield database
                self._stamp = self._clock.read()
            except BaseException:
                self.layout, self.states, self.entries = kept
                self._stamp = ()  # look again
                raise
            touched |= {key for entry in self.entries[len(kept[2]) :] for key in entry.keys}
            if touched:
                self.live.refresh(touched)
                self.scored = self.live.score()

    def _take_in(self, database: sqlite3.Connection, cause: str) -> set[int]:
        """Bring memory up to the file: entries of other servers, and an entry for what else was changed."""
        self.layout = layout_of(database)
        if self._clock.read() == self._stamp:
            return set()
        newer = read_entries(database, self.version)
        expected = replay(self.states, newer)
        found = read_states(database, self.layout)
        changes = differences(expected, found, self.layout)
        self.entries += newer
        if changes:
            self.entries.append(add_entry(database, cause, changes, who="", at=_now()))
        self.states = found
        return {key for entry in newer for key in entry.keys} | {change.key for change in changes}

    def _keep(
        self,
        database: sqlite3.Connection,
        action: str,
        changes: Sequence[Change],
        *,
        client: str,
        target: int | None = None,
    ) -> Outcome:
        """Write changes and their entry; a gesture that alters nothing leaves no trace."""
        if not changes:
            return self._outcome([])
        for change in changes:
            apply_change(database, self.layout, change)
        entry = add_entry(database, action, changes, who=self.reviewer, at=_now(), client=client, target=target)
        self.entries.append(entry)
        self.states = replay(self.states, [entry])
        return self._outcome([entry])

    def _again(
        self, database: sqlite3.Connection, action: str, entry: Entry, changes: Sequence[Change], client: str
    ) -> Outcome:
        """Undo or redo an entry, if its features still are as the other of the two left them."""
        for change in changes:
            state = self.states.get(change.key)
            if (state is None) != (change.before is None) or (
                state is not None and change.before is not None and differs(state, change.before, self.layout)
            ):
                raise ConflictError(
                    f"Finding {change.key} was changed since by somebody else, so this cannot be taken back.",
                    hint="Look at its history.",
                    keys=tuple(c.key for c in changes),
                )
        return self._keep(database, action, changes, client=client, target=entry.seq)

    def _check(self, keys: Sequence[int], revisions: Mapping[int, int] | None) -> None:
        known = self.revisions()
        stale = [
            key
            for key in keys
            if key not in self.states or (revisions and key in revisions and revisions[key] != known.get(key, 0))
        ]
        if stale:
            raise ConflictError(
                f"Finding {stale[0]} was changed or deleted meanwhile.",
                hint="Look at it again before you decide.",
                keys=tuple(stale),
            )

    def _ground(self, database: sqlite3.Connection) -> Ground:
        seen = [
            (change.key, side) for e in self.entries for change in e.changes for side in (change.before, change.after)
        ]
        keys = [highest_key(database, self.layout), *(key for key, _ in seen)]
        numbers = [state.get("id") for state in (*self.states.values(), *(side for _, side in seen if side))]
        numbers += [finding.id for finding in self.live.run.report.findings]
        return Ground(
            self.layout,
            self.live.run.grid,
            self.states,
            {key: finding.type for key, finding in self.scored.findings.items()},
            max(keys) + 1,
            max((number for number in numbers if isinstance(number, int)), default=0) + 1,
        )

    def _outcome(self, entries: list[Entry]) -> Outcome:
        changes = [change for entry in entries for change in entry.changes]
        keys = {change.key for change in changes}
        moved = {c.key for c in changes if self.layout.geometry in (c.after or {})}
        return Outcome(
            self.version, entries, keys & set(self.states), keys - set(self.states), moved & set(self.states)
        )

    def _read(self) -> tuple[Layout, dict[int, dict[str, Any]]]:
        """Layout and states as they are on disk, with the history so far."""
        self._stamp = self._clock.read()
        with edit(self.path) as database:
            self.entries = read_entries(database)
            layout = layout_of(database)
            return layout, read_states(database, layout)


def _is_writable(path: Path) -> bool:
    try:
        check_writable(path)
    except OutputError as error:
        return "locked" in str(error)
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
