"""Laws of the store of a review, on a real file: undo is exact, the history leads to the file."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearscene.errors import ClearsceneError
from clearscene.review.gestures import Gesture
from clearscene.review.history import replay
from clearscene.review.store import ReviewStore
from tests.review_runs import is_indexed, make_run, rows_of, square

SETTINGS = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
STATUS = st.sampled_from(["accepted", "rejected", "proposed"])
TYPE = st.sampled_from(["cloud", "blur", "stitching_trace", "missing"])
PLACE = st.builds(square, st.integers(0, 480), st.integers(0, 360), st.integers(2, 90))
PICK = st.integers(0, 30)

STEP = st.one_of(
    st.tuples(st.just("status"), PICK, STATUS),
    st.tuples(st.just("type"), PICK, TYPE),
    st.tuples(st.just("remark"), PICK, st.text(max_size=8).filter(lambda text: "\x00" not in text)),
    st.tuples(st.just("geometry"), PICK, PLACE),
    st.tuples(st.just("add"), TYPE, PLACE),
    st.tuples(st.just("delete"), PICK, st.none()),
    st.tuples(st.just("merge"), PICK, PICK),
    st.tuples(st.just("split"), PICK, st.none()),
    st.tuples(st.just("undo"), st.none(), st.none()),
    st.tuples(st.just("redo"), st.none(), st.none()),
)


def step(store: ReviewStore, action: str, what, how) -> None:
    """Do one step; one that makes no sense on what is there is refused, and then nothing has changed."""
    if action == "undo":
        return store.undo() and None if store.undo_entry else None
    if action == "redo":
        return store.redo() and None if store.redo_entry else None
    keys = list(store.states)
    if action == "add":
        gesture = Gesture("add", type=what, geometry=how)
    elif not keys:
        return None
    elif action == "merge":
        gesture = Gesture("merge", (keys[what % len(keys)], keys[how % len(keys)]))
    elif action == "split":
        key = keys[what % len(keys)]
        left, top, right, bottom = store.scored.polygons[key].bounds
        row = (top + bottom) / 2 + 0.1
        gesture = Gesture("split", (key,), line=((left - 9, row), (right + 9, row)))
    else:
        key = keys[what % len(keys)]
        gesture = Gesture(action, (key,), **{action: how} if how is not None else {})
    before = store.version
    try:
        store.do(gesture)
    except ClearsceneError:
        assert store.version == before
    return None


def fresh(folder: str) -> Path:
    run = Path(folder) / "run"
    shutil.copytree(make_run(Path(folder) / "whole"), run)
    return run


@SETTINGS
@given(st.lists(STEP, min_size=1, max_size=9))
def test_undoing_everything_gives_the_file_of_the_beginning(steps):
    with TemporaryDirectory() as folder:
        run = fresh(folder)
        first = rows_of(run)
        store = ReviewStore(run, reviewer="Li")
        score = store.scored.report.score
        for one in steps:
            step(store, *one)
        n_done = len(list(iter(lambda: store.undo_entry and store.undo(), None)))
        assert rows_of(run) == first
        assert store.scored.report.score == score
        assert is_indexed(run)
        n_redone = len(list(iter(lambda: store.redo_entry and store.redo(), None)))
        assert n_redone >= n_done  # steps may hold an undo of their own
        assert store.redo_entry is None


@SETTINGS
@given(st.lists(STEP, min_size=1, max_size=9), st.booleans())
def test_the_history_leads_to_the_file_and_a_restart_changes_nothing(steps, settles):
    with TemporaryDirectory() as folder:
        run = fresh(folder)
        store = ReviewStore(run, reviewer="Li")
        first = {key: dict(state) for key, state in store.states.items()}
        for number, one in enumerate(steps):
            step(store, *one)
            if settles and number == len(steps) // 2:
                store.settle()
        again = ReviewStore(run, reviewer="Li")
        led_to = replay(first, again.entries)
        columns = again.layout.state_columns
        wanted = {key: {name: state.get(name) or None for name in columns} for key, state in led_to.items()}
        found = {key: {name: state[name] or None for name in columns} for key, state in again.states.items()}
        assert found == wanted
        assert again.scored.report.score == store.scored.report.score
        assert (again.version, again.undo_entry) == (store.version, store.undo_entry)
        assert is_indexed(run)


@SETTINGS
@given(st.lists(STEP, min_size=1, max_size=6))
def test_the_score_is_that_of_the_score_command(steps):
    with TemporaryDirectory() as folder:
        run = fresh(folder)
        store = ReviewStore(run, reviewer="Li")
        for one in steps:
            step(store, *one)
        live = store.scored.report
        settled = store.settle()
        assert settled.score == live.score
        assert settled.findings == live.findings
        assert settled.types == live.types
        assert store.scored.report.findings == live.findings
