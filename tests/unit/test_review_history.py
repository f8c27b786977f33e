"""The history of a review: what can be undone, and what it leads to."""

import pytest

from clearscene.review.features import Change
from clearscene.review.history import Entry, replay, said_since, stacks, undone_numbers


def entry(seq, action="accept", *, who="Li", target=None, changes=()):
    return Entry(seq, "2026-01-01T00:00:00+00:00", who, "", action, target, tuple(changes))


def numbers(entries):
    return [e.seq for e in entries]


def test_undo_takes_back_the_newest_and_redo_brings_it_again():
    entries = [entry(1), entry(2), entry(3, "undo", target=2)]
    done, undone = stacks(entries, "Li")
    assert (numbers(done), numbers(undone)) == ([1], [2])
    done, undone = stacks([*entries, entry(4, "redo", target=2)], "Li")
    assert (numbers(done), numbers(undone)) == ([1, 2], [])


def test_a_new_gesture_empties_what_can_be_redone():
    done, undone = stacks([entry(1), entry(2, "undo", target=1), entry(3)], "Li")
    assert (numbers(done), numbers(undone)) == ([3], [])


def test_nobody_undoes_what_another_did():
    entries = [entry(1, who="Li"), entry(2, who="Wang"), entry(3, "outside", who="")]
    assert numbers(stacks(entries, "Li")[0]) == [1]
    assert numbers(stacks(entries, "Wang")[0]) == [2]
    assert stacks(entries, "") == ([], [])


def test_entries_that_stand_undone():
    entries = [entry(1), entry(2), entry(3, "undo", target=2), entry(4, "undo", target=1), entry(5, "redo", target=1)]
    assert undone_numbers(entries) == {2}


ACCEPTED = [Change(1, {"status": "accepted"}, {"status": "accepted"})]
REMARKED = [Change(1, {"remark": ""}, {"remark": "x"})]


@pytest.mark.parametrize(
    ("later", "keys"),
    [
        ([entry(2, who="Wang", changes=ACCEPTED)], {1}),
        ([entry(2, who="Li", changes=ACCEPTED)], set()),
        ([entry(2, "outside", who="", changes=ACCEPTED)], set()),
        ([entry(2, "remark", who="Wang", changes=REMARKED)], set()),
        ([entry(2, who="Wang", changes=ACCEPTED), entry(3, "undo", who="Wang", target=2, changes=ACCEPTED)], set()),
        (
            [
                entry(2, who="Wang", changes=ACCEPTED),
                entry(3, "undo", who="Wang", target=2, changes=ACCEPTED),
                entry(4, "redo", who="Wang", target=2, changes=ACCEPTED),
            ],
            {1},
        ),
        # what Wang said before Li did it again was there then
        ([entry(2, "undo", target=1), entry(3, who="Wang", changes=ACCEPTED), entry(4, "redo", target=1)], set()),
    ],
)
def test_a_status_that_another_person_has_said_since_stands_until_they_undo_it(later, keys):
    first = entry(1, changes=ACCEPTED)
    assert said_since([entry(0, who="Wang", changes=ACCEPTED), first, *later], first) == keys


def test_replay_applies_what_came_changed_and_went():
    states = {1: {"status": "proposed", "remark": ""}, 2: {"status": "proposed", "remark": ""}}
    entries = [
        entry(1, changes=[Change(1, {"status": "proposed"}, {"status": "rejected"})]),
        entry(2, changes=[Change(3, None, {"status": "added", "remark": "x"})]),
        entry(3, changes=[Change(2, states[2], None)]),
    ]
    assert replay(states, entries) == {
        1: {"status": "rejected", "remark": ""},
        3: {"status": "added", "remark": "x"},
    }
    assert states[1]["status"] == "proposed"  # what it is given stays


def test_the_inverse_of_the_inverse_is_the_change():
    change = Change(1, {"a": 1}, {"a": 2})
    assert change.inverse == Change(1, {"a": 2}, {"a": 1})
    assert change.inverse.inverse == change
