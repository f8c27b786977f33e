"""What others did to the features: told by comparing what the history leads to with what is there."""

from collections.abc import Mapping, Sequence
from typing import Any

from clearscene.review.features import Change, Layout, States, changed_columns
from clearscene.review.history import Entry, replay

__all__ = ["differences", "differs", "expected"]


def expected(found: Mapping[int, Any], entries: Sequence[Entry], layout: Layout) -> States:
    """The states that the history leads to, where it tells; else those that are there."""
    replayed = replay(found, entries)
    return {key: state for key, state in replayed.items() if set(layout.state_columns) <= state.keys()}


def differences(expected: Mapping[int, Any], found: Mapping[int, Any], layout: Layout) -> list[Change]:
    """What leads from the states that the history gives to those in the file."""
    changes = [Change(key, dict(expected[key]), None) for key in expected if key not in found]
    for key, state in found.items():
        if key not in expected:
            changes.append(Change(key, None, dict(state)))
            continue
        names = changed_columns(expected[key], state, layout.state_columns)
        if names:
            changes.append(Change(key, {n: expected[key].get(n) for n in names}, {n: state[n] for n in names}))
    return changes


def differs(state: Mapping[str, Any], wanted: Mapping[str, Any], layout: Layout) -> bool:
    """Whether a feature is another than it should be, in the columns of `wanted` that a person edits."""
    return bool(changed_columns(state, wanted, set(wanted) & set(layout.state_columns)))
