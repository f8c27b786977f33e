"""The classes of a cloud mask: ids, names, colors, and how four become three or two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clearscene.raster.sensors.product import CLEAR, SHADOW, THICK, THIN

__all__ = [
    "CLEAR",
    "IDS",
    "NODATA",
    "SHADOW",
    "THICK",
    "THIN",
    "Classes",
    "MaskClass",
    "collapse",
    "decide",
    "legend",
    "merge",
]

NODATA = 255
"""No data; never clear."""

IDS = (CLEAR, THICK, THIN, SHADOW)
"""Order of the probabilities everywhere in masking."""

Classes = Literal[4, 3, 2]


@dataclass(frozen=True)
class MaskClass:
    """One value of a mask."""

    id: int
    name: str
    """For programs, as thick_cloud."""
    title: str
    color: str
    """`#rrggbb`."""
    members: tuple[int, ...]
    """Which of the four classes it stands for."""


_CLEAR = MaskClass(CLEAR, "clear", "clear", "#7fb77e", (CLEAR,))
_CLOUD = MaskClass(THICK, "cloud", "cloud", "#f5f5f5", (THICK, THIN))
_SHADOW = MaskClass(SHADOW, "cloud_shadow", "cloud shadow", "#39446b", (SHADOW,))

_LEGENDS: dict[int, tuple[MaskClass, ...]] = {
    4: (
        _CLEAR,
        MaskClass(THICK, "thick_cloud", "thick cloud", "#f5f5f5", (THICK,)),
        MaskClass(THIN, "thin_cloud", "thin cloud", "#8ecae6", (THIN,)),
        _SHADOW,
    ),
    3: (_CLEAR, _CLOUD, _SHADOW),
    2: (MaskClass(CLEAR, "clear", "clear", "#7fb77e", (CLEAR, SHADOW)), _CLOUD),
}


def legend(classes: int) -> tuple[MaskClass, ...]:
    """The classes of a mask of 4, 3 or 2 classes, by ascending id."""
    return _LEGENDS[classes]


def collapse(class_map: NDArray[np.uint8], classes: int) -> NDArray[np.uint8]:
    """Bring a class map of any shape to 4, 3 or 2 classes; 255 stays 255.

    Laws: 4 changes nothing; to 3 and then to 2 is the same as to 2; what was collapsed once stays.
    """
    table = np.full(256, NODATA, np.uint8)
    for entry in legend(classes):
        table[list(entry.members)] = entry.id
    return table[class_map]


def merge(probabilities: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """Add up the four probabilities (class, row, col) of `IDS` into those of `legend(classes)`.

    Law: the sum over the classes stays what it was.
    """
    if classes == len(IDS):
        return probabilities
    entries = legend(classes)
    merged = np.empty((len(entries), *probabilities.shape[1:]), probabilities.dtype)
    for plane, entry in zip(merged, entries, strict=True):
        first, *others = entry.members
        plane[...] = probabilities[first]
        for number in others:
            plane += probabilities[number]
    return merged


def decide(probabilities: NDArray[np.float32], classes: int, thresholds: Sequence[float] = ()) -> NDArray[np.uint8]:
    """The class id of each pixel: (row, col) from the four probabilities (class, row, col) of `IDS`.

    Probabilities are added up first, so that a pixel which is cloud for sure, thick or thin, is cloud
    in three classes even where clear beats both by itself. The highest wins, of equals the smaller id;
    a class other than clear needs its threshold besides (of members that are added up, the smallest).

    Law: where one of the four exceeds one half, the answer is `collapse` of the answer in four classes.
    """
    entries, scores = legend(classes), merge(probabilities, classes)
    if any(thresholds):
        limits = np.array([min(thresholds[m] for m in entry.members) for entry in entries], np.float32)
        limits[0] = 0
        scores = np.where(scores >= limits[:, None, None], scores, np.float32(-1))
    best = np.full(scores.shape[1:], entries[0].id, np.uint8)
    highest = scores[0].copy()
    for entry, score in zip(entries[1:], scores[1:], strict=True):  # several times as fast as argmax over the planes
        np.copyto(best, np.uint8(entry.id), where=score > highest)
        np.maximum(highest, score, out=highest)
    return best
