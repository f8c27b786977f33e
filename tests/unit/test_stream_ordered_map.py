"""Bounded, ordered, and honest about failures."""

import threading
import time

import pytest

from clearscene.errors import OptionError
from clearscene.stream import ordered_map


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (1, 3), (3, 1), (4, 9), (2, None)])
def test_same_as_a_loop(workers, ahead):
    def slow_first(item):
        time.sleep(0.002 if item % 3 == 0 else 0)
        return item * item

    results = list(ordered_map(slow_first, range(11), workers=workers, ahead=ahead))
    assert results == [i * i for i in range(11)]


def test_nothing_in_nothing_out():
    assert list(ordered_map(str, [], workers=2)) == []


def test_items_are_drawn_no_further_than_ahead():
    drawn = []

    def items():
        for i in range(100):
            drawn.append(i)
            yield i

    results = ordered_map(lambda i: i, items(), workers=2, ahead=5)
    assert next(results) == 0
    assert len(drawn) == 5
    results.close()


def test_a_failure_does_not_wait_for_the_slow_item_before_it():
    release = threading.Event()

    def work(item):
        if item == 0:
            release.wait(5)
        if item == 1:
            threading.Timer(0.02, release.set).start()  # so that the pool can shut down
            raise ValueError("item 1 is broken")
        return item

    results = ordered_map(work, range(50), workers=2, ahead=4)
    with pytest.raises(ValueError, match="item 1 is broken"):
        next(results)


def test_stopping_early_leaves_no_thread_and_drops_what_waits():
    started = []

    def work(item):
        started.append(item)
        time.sleep(0.002)
        return item

    before = threading.active_count()
    results = ordered_map(work, range(1000), workers=2, ahead=20)
    next(results)
    results.close()
    assert threading.active_count() == before
    assert len(started) < 20


def test_a_failing_source_of_items_surfaces():
    def items():
        yield 1
        raise OSError("the list of windows broke")

    with pytest.raises(OSError, match="windows broke"):
        list(ordered_map(lambda i: i, items(), workers=2))


@pytest.mark.parametrize(("workers", "ahead"), [(0, 1), (1, 0), (-2, None)])
def test_senseless_numbers_are_refused_before_work(workers, ahead):
    with pytest.raises(OptionError, match="at least 1"):
        ordered_map(str, [1], workers=workers, ahead=ahead)
