"""Looking at a tile again, turned and flipped, only where the first answer is ragged.

Source: CloudS2Mask (Wright et al., 2024, Remote Sensing of Environment 306:114122, and its code 1.1): a
tile is looked at again as long as it holds more isolated pixels than 10 in 512 x 512, and the probabilities
of all looks are averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOOKS", "LookCount", "adaptive_mean", "isolated", "turned", "turned_back"]

LOOKS = ((0, False), (1, False), (2, False), (3, False), (0, True), (1, True), (2, True), (3, True))
"""Quarter turns, and whether columns are flipped before; the first is the tile as it is."""

ISOLATED_SHARE = 10 / 512**2
"""A tile with more isolated pixels than this share of it is looked at again."""


@dataclass
class LookCount:
    """What looking again cost and what it changed, added up over tiles from any thread."""

    tiles: int = 0
    """Tiles that were looked at."""
    again: int = 0
    """Tiles that were looked at more than once."""
    looks: int = 0
    """Times the network ran."""
    isolated_before: int = 0
    """Isolated pixels after the first look, of the tiles that were looked at again."""
    isolated_after: int = 0
    """Isolated pixels of the same tiles in the end."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, looks: int, before: int, after: int) -> None:
        """Count one tile."""
        with self._lock:
            self.tiles += 1
            self.looks += looks
            if looks > 1:
                self.again += 1
                self.isolated_before += before
                self.isolated_after += after


def turned(array: NDArray[np.float32], look: tuple[int, bool]) -> NDArray[np.float32]:
    """A square array (..., row, col), its columns flipped or not, then turned by quarters."""
    quarters, is_flipped = look
    flipped = array[..., ::-1] if is_flipped else array
    return np.ascontiguousarray(np.rot90(flipped, quarters, axes=(-2, -1)))


def turned_back(array: NDArray[np.float32], look: tuple[int, bool]) -> NDArray[np.float32]:
    """Law: `turned_back(turned(a, look), look)` is a."""
    quarters, is_flipped = look
    back = np.rot90(array, -quarters, axes=(-2, -1))
    return np.ascontiguousarray(back[..., ::-1] if is_flipped else back)


def isolated(class_map: NDArray[np.integer]) -> int:
    """Number of pixels of (row, col) none of whose 8 neighbors has their class; outside counts as class 0."""
    height, width = class_map.shape
    padded = np.pad(class_map, 1)
    alone = np.ones(class_map.shape, np.bool_)
    for row in range(3):
        for col in range(3):
            if (row, col) != (1, 1):
                alone &= padded[row : row + height, col : col + width] != class_map
    return int(np.count_nonzero(alone))


def adaptive_mean(
    look: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    image: NDArray[np.float32],
    *,
    depth: int,
    count: LookCount | None = None,
) -> NDArray[np.float32]:
    """Logarithm of the mean probabilities (class, row, col) of a square tile (1, band, row, col) over its looks.

    `look` answers with logarithms of probabilities, which keep what float32 would round to 0. After each
    look the tile is done if its most probable classes hold no more than `ISOLATED_SHARE` isolated pixels, or
    `depth` further looks were taken.

    Laws: a network that turns with its input gives what one look gives; one look stays untouched.
    """
    total = look(image)
    before = rest = _isolated_in(total) if depth else 0
    looks = 1
    while looks <= depth and rest > ISOLATED_SHARE * total[0].size:
        total = np.logaddexp(total, turned_back(look(turned(image, LOOKS[looks])), LOOKS[looks]))
        looks += 1
        rest = _isolated_in(total)
    if count is not None:
        count.add(looks, before, rest)
    return np.asarray(total - np.float32(np.log(looks)))


def _isolated_in(logs: NDArray[np.float32]) -> int:
    return isolated(logs.argmax(axis=0))
