"""The store of a review: every gesture goes at once, whole, into the GeoPackage of the run.

One gesture is one transaction, which holds the features, the entry of the history and, before both,
what another program did to the file in the meantime. So a crash loses at most the gesture in hand,
and edits made in QGIS, or by a second server on the file, are seen before anything is written over.
The file is never kept open between gestures.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from clearscene.errors import OptionError
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Report
from clearscene.inspection.run_folder import open_run
from clearscene.review.conflicts import check_fresh, check_untouched
from clearscene.review.features import Change, apply_change, highest_key, layout_of, read_states
from clearscene.review.gestures import Gesture, Ground, changes_of
from clearscene.review.gpkg_file import ReviewFile
from clearscene.review.history import (
    OUTSIDE,
    Entry,
    add_entry,
    get_meta,
    last_number,
    read_entries,
    replay,
    said_by,
    set_meta,
    stacks,
)
from clearscene.review.live import Live, Scored
from clearscene.review.outcome import Outcome, outcome_of
from clearscene.review.outside import differences, expected
from clearscene.vector.geopackage import edit

__all__ = ["ReviewStore"]

SCORED = "score"
"""Action of an entry that records what scoring wrote: numbers of new findings, the type in all its columns."""

SETTLED = "settled"
"""Under this key stands the number of the entry up to which the record of the run was brought."""


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
        self.file = ReviewFile(self.path)
        self.layout, found, self.entries = self.file.read()
        self.states = expected(found, self.entries, self.layout)
        self.scored: Scored = self.live.score()
        if self.is_writable and self.entries and differences(self.states, found, self.layout):
            self.file.forget()
            with self._writing():  # what was changed while no review was open
                pass

    @property
    def is_writable(self) -> bool:
        """Whether the file can be written."""
        return self.file.is_writable

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
            check_fresh(gesture.keys, revisions, self.states, revisions=self.revisions())
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
            if self.file.is_as_seen():
                return None
            if not self.is_writable:
                self.layout, self.states, self.entries = self.file.read()
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
            self.file.check_writable()
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
            self.file.see()

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
            with self.file.begun() as database:
                is_current = self.file.is_as_seen()
                yield database
            if is_current:
                self.file.see_own()

    @contextmanager
    def _writing(self, cause: str = OUTSIDE) -> Iterator[sqlite3.Connection]:
        """A transaction on features, before which the edits of others are taken in, under the name of their cause."""
        with self.lock:
            kept = self.layout, self.states, list(self.entries)
            touched: set[int] = set()
            try:
                with self.file.begun() as database:
                    touched = self._take_in(database, cause)
                    yield database
                self.file.see_own()
            except BaseException:
                self.layout, self.states, self.entries = kept
                self.file.forget()
                raise
            touched |= {key for entry in self.entries[len(kept[2]) :] for key in entry.keys}
            if touched:
                self.live.refresh(touched)
                self.scored = self.live.score()

    def _take_in(self, database: sqlite3.Connection, cause: str) -> set[int]:
        """Bring memory up to the file: entries of other servers, and an entry for what else was changed."""
        self.layout = layout_of(database)
        if self.file.is_as_seen():
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
        """Undo or redo an entry, if nobody has touched its features since the other of the two."""
        check_untouched(changes, self.states, self.layout, entry=entry, entries=self.entries)
        return self._keep(database, action, changes, client=client, target=entry.seq)

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
            frozenset(key for key, who in said_by(self.entries).items() if who == self.reviewer),
        )

    def _outcome(self, entries: list[Entry]) -> Outcome:
        return outcome_of(entries, self.states, self.layout, version=self.version)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
