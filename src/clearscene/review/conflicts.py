"""Gestures that came too late: what somebody else has changed meanwhile is not written over."""

from collections.abc import Mapping, Sequence

from clearscene.errors import ConflictError
from clearscene.review.features import Change, Layout, State
from clearscene.review.history import Entry, said_since
from clearscene.review.outside import differs

__all__ = ["check_fresh", "check_untouched"]


def check_fresh(
    keys: Sequence[int], wanted: Mapping[int, int] | None, states: Mapping[int, State], *, revisions: Mapping[int, int]
) -> None:
    """Refuse a gesture on a feature that is gone, or at another revision than the page saw.

    Args:
        keys: Feature ids of the gesture.
        wanted: The revision of each feature that the page saw; None asks for none.
        states: The features that are there.
        revisions: The revision at which each is; 0 if it is not named.

    Raises:
        ConflictError: As said.
    """
    stale = [
        key for key in keys if key not in states or (wanted and key in wanted and wanted[key] != revisions.get(key, 0))
    ]
    if stale:
        raise ConflictError(
            f"Finding {stale[0]} was changed or deleted meanwhile.",
            hint="Look at it again before you decide.",
            keys=tuple(stale),
        )


def check_untouched(
    changes: Sequence[Change], states: Mapping[int, State], layout: Layout, *, entry: Entry, entries: Sequence[Entry]
) -> None:
    """Refuse to undo or redo where a feature is not as the gesture left it, or another person has confirmed its status.

    Args:
        changes: What is to be done.
        states: The features that are there.
        layout: Which columns they have.
        entry: The gesture that is undone or redone.
        entries: The whole history.

    Raises:
        ConflictError: As said.
    """
    said = said_since(entries, entry)
    for change in changes:
        state = states.get(change.key)
        is_other = (state is None) != (change.before is None) or (
            state is not None and change.before is not None and differs(state, change.before, layout)
        )
        has_status = "status" in (change.before or change.after or {})
        if is_other or (has_status and change.key in said):
            raise ConflictError(
                f"Finding {change.key} was changed or confirmed since by somebody else, so this cannot be taken back.",
                hint="Look at its history.",
                keys=tuple(c.key for c in changes),
            )
