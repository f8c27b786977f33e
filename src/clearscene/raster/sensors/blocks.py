"""Decoded blocks of JPEG 2000 files, shared by all threads of a scene.

GDAL keeps blocks per open file, and every thread has files of its own; a JPEG 2000 block of
1024 x 1024 px takes a tenth of a second or more to decode, and tiles of the next row need it again.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.raster.pixels import Pixels

__all__ = ["BlockCache", "read_by_blocks"]

CACHE_BYTES = 256 * 2**20
"""Two rows of blocks of four Sentinel-2 bands at 10 m are 185 MB: what one row of tiles can touch."""


class BlockCache:
    """Keeps the blocks used last, up to a number of bytes.

    Law: a block is decoded once, however many threads ask for it, as long as it is kept. A failure
    goes to all who wait for the block and is not kept.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit, self._held, self._lock = limit, 0, Lock()
        self._blocks: OrderedDict[Hashable, Future[Pixels]] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], Pixels]) -> Pixels:
        """The block of that key, from memory or by `load`."""
        with self._lock:
            future = self._blocks.get(key)
            is_mine = future is None
            if future is None:
                future = self._blocks[key] = Future()
            self._blocks.move_to_end(key)
        if is_mine:
            self._fill(key, future, load)
        return future.result()

    def clear(self) -> None:
        """Forget all blocks."""
        with self._lock:
            self._blocks.clear()
            self._held = 0

    def _fill(self, key: Hashable, future: "Future[Pixels]", load: Callable[[], Pixels]) -> None:
        try:
            block = load()
        except BaseException as error:
            with self._lock:
                self._blocks.pop(key, None)
            future.set_exception(error)
            return
        future.set_result(block)
        with self._lock:
            if self._blocks.get(key) is future:
                self._held += _size(block)
            self._shrink()

    def _shrink(self) -> None:
        """Drop the blocks not used for longest; those still being decoded stay."""
        for key in list(self._blocks):
            if self._held <= self._limit:
                return
            if self._blocks[key].done():
                self._held -= _size(self._blocks.pop(key).result())


def read_by_blocks(
    window: Window, block_shape: tuple[int, int], shape: tuple[int, int], get: Callable[[Window], Pixels]
) -> Pixels:
    """Put a window together from whole blocks of a file of `shape` (rows, cols); `get` gives a block by its window."""
    top, left = round(window.row_off), round(window.col_off)
    bottom, right = top + round(window.height), left + round(window.width)
    n_rows, n_cols = block_shape
    data: NDArray[np.generic] | None = None
    valid = np.empty((bottom - top, right - left), np.bool_)
    for row in range(top - top % n_rows, bottom, n_rows):
        for col in range(left - left % n_cols, right, n_cols):
            block = get(Window(col, row, min(n_cols, shape[1] - col), min(n_rows, shape[0] - row)))
            if data is None:
                data = np.empty((len(block.data), *valid.shape), block.data.dtype)
            rows, cols = (
                slice(max(top, row), min(bottom, row + n_rows)),
                slice(max(left, col), min(right, col + n_cols)),
            )
            there = slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)
            here = slice(rows.start - row, rows.stop - row), slice(cols.start - col, cols.stop - col)
            data[:, there[0], there[1]] = block.data[:, here[0], here[1]]
            valid[there] = block.valid[here]
    assert data is not None, "a window has pixels"
    return Pixels(data, valid)


def _size(block: Pixels) -> int:
    """Bytes of a block; an array that only repeats one value, as a valid that is all True, counts as none."""
    return block.data.nbytes + (block.valid.nbytes if block.valid.strides[-1] else 0)
