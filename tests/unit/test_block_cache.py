"""Decoded blocks: each once, whoever asks; windows put together from them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from clearscene.raster.pixels import Pixels
from clearscene.raster.sensors.blocks import BlockCache, read_by_blocks

DATA = np.arange(2 * 37 * 53, dtype=np.uint16).reshape(2, 37, 53)
VALID = DATA[0] % 7 > 0


def block_of(window):
    rows, cols = window.toslices()
    return Pixels(DATA[:, rows, cols], VALID[rows, cols])


@given(st.data(), st.integers(3, 20), st.integers(3, 20))
def test_a_window_of_blocks_is_the_window(data, n_rows, n_cols):
    top, left = data.draw(st.integers(0, 36)), data.draw(st.integers(0, 52))
    bottom, right = data.draw(st.integers(top + 1, 37)), data.draw(st.integers(left + 1, 53))
    got = read_by_blocks(Window(left, top, right - left, bottom - top), (n_rows, n_cols), (37, 53), block_of)
    np.testing.assert_array_equal(got.data, DATA[:, top:bottom, left:right])
    np.testing.assert_array_equal(got.valid, VALID[top:bottom, left:right])


def test_a_block_is_decoded_once_for_all_threads():
    cache, calls = BlockCache(), []
    started = threading.Barrier(4)

    def load():
        calls.append(1)
        time.sleep(0.01)
        return Pixels(DATA, VALID)

    def ask():
        started.wait()
        return cache.get("key", load)

    with ThreadPoolExecutor(4) as pool:
        blocks = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert len(calls) == 1
    assert all(block is blocks[0] for block in blocks)


def test_the_oldest_are_dropped():
    one = Pixels(np.zeros((1, 10, 10), np.uint16), np.broadcast_to(np.True_, (10, 10)))
    cache, calls = BlockCache(limit=600), []

    def ask(key):
        cache.get(key, lambda: calls.append(key) or one)

    for key in "abcabdcba":  # 200 bytes each, so three fit: d drops c, c drops a, a drops d
        ask(key)
    assert calls == list("abcdca")
    cache.clear()
    ask("a")
    assert calls[-1] == "a"


def test_a_failure_is_not_kept():
    cache = BlockCache()

    def fail():
        raise OSError("damaged")

    with pytest.raises(OSError, match="damaged"):
        cache.get("key", fail)
    assert cache.get("key", lambda: Pixels(DATA, VALID)).data is DATA
