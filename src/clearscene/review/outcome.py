"""What a gesture, or a look at the file, has changed: as the page has to know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clearscene.review.features import Layout, State
from clearscene.review.history import Entry

__all__ = ["Outcome", "outcome_of"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has changed since a version."""

    version: int
    entries: list[Entry]
    """The new ones."""
    touched: set[int] = field(default_factory=set)
    """Feature ids that came or changed in what a person edits."""
    removed: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    """Feature ids with a new shape."""


def outcome_of(entries: Sequence[Entry], states: Mapping[int, State], layout: Layout, *, version: int) -> Outcome:
    """What entries have led to; `states` are those after them."""
    changes = [change for entry in entries for change in entry.changes]
    keys, here = {change.key for change in changes}, set(states)
    moved = {change.key for change in changes if layout.geometry in (change.after or {})}
    return Outcome(version, list(entries), keys & here, keys - here, moved & here)
