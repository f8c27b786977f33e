"""Real labeled images as reflectance and classes of a cloud mask: shared by the benchmarks of masks.

The images are those of `real_clouds.py`, split into select and report in the same way.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import rasterio

from clearscene.masking.classes import CLEAR, NODATA, SHADOW, THICK, THIN
from clearscene.masking.normalize import Kind
from real_clouds import Case

CLOUD = 4
"""Cloud of which the label does not say whether it is thick or thin."""
CODES = {
    "l1c": {0: CLEAR, 1: THICK, 2: THIN, 3: SHADOW},
    "l2a": {0: CLEAR, 1: THICK, 2: THIN, 3: SHADOW},
    "toa_30m": {0: SHADOW, 1: CLEAR, 2: CLEAR, 3: CLEAR, 4: CLOUD},
    "cs12_dates": {0: CLEAR, 1: THICK, 2: THICK, 3: THIN, 4: THIN, 5: SHADOW, 6: SHADOW},
}
"""Ids by label value and source; of all other sources 0 is clear and 1 is cloud."""
ONLY_CLEAR = {0: CLEAR}
KINDS: dict[str, Kind] = {"oncloudn": "surface", "toa_30m": "toa", "cs12_dates": "toa"}
"""Of all other sources the values are for display."""
BANDS = {"oncloudn": ("blue", "green", "red", "nir"), "toa_30m": ("blue", "green", "red", "nir", "swir16", "swir22")}
RGB = ("red", "green", "blue")
OF_10_M = ("l1c", "l2a", "oncloudn", "cs12_dates")
"""Sources of Sentinel-2 at its own resolution."""


@dataclass(frozen=True, eq=False)
class Labeled:
    """One image in memory."""

    planes: dict[str, np.ndarray]
    """By common name, float32 (row, col): reflectance, or display values from 0 to 1."""
    valid: np.ndarray
    kind: Kind
    truth: np.ndarray
    """(row, col): ids, `CLOUD`, or 255 where nobody says."""


def key_of(case: Case) -> str:
    """A name for files about the case."""
    parent = case.image.parent
    return f"{case.source}_{parent.parent.name}_{parent.name}_{case.image.stem}"


def read_case(case: Case) -> Labeled:
    """Read image and label."""
    with rasterio.open(case.image) as source:
        stored, valid = source.read(), source.dataset_mask() > 0
    with rasterio.open(case.label) as source:
        label = source.read(1)
    names = BANDS.get(case.source, RGB)
    scale = 255.0 if stored.dtype == np.uint8 else 10_000.0 if stored.dtype.kind in "ui" else 1.0
    planes = {name: stored[i].astype(np.float32) / np.float32(scale) for i, name in enumerate(names)}
    valid &= stored[: len(names)].any(axis=0) if stored.dtype != np.uint8 else True
    codes = CODES.get(case.source, {0: CLEAR, 1: CLOUD})
    if "manual_hq" in case.label.name:
        codes = ONLY_CLEAR
    truth = np.full(label.shape, NODATA, np.uint8)
    for value, number in codes.items():
        truth[label == value] = number
    truth[~valid] = NODATA
    return Labeled(planes, valid, KINDS.get(case.source, "display"), truth)


def reduced(image: Labeled, factor: int) -> Labeled:
    """An image of pixels `factor` times as large: their mean, and the label that most of them have.

    Rows and columns that fill no pixel are cut off; a pixel is valid where all of it is.
    """
    height, width = (n // factor for n in image.valid.shape)
    cut = (slice(height * factor), slice(width * factor))
    planes = {
        name: cv2.resize(np.ascontiguousarray(plane[cut]), (width, height), interpolation=cv2.INTER_AREA)
        for name, plane in image.planes.items()
    }

    def cells(array: np.ndarray) -> np.ndarray:
        return array[cut].reshape(height, factor, width, factor).transpose(0, 2, 1, 3).reshape(height, width, -1)

    ids = np.unique(image.truth)
    votes = np.stack([(cells(image.truth) == number).sum(axis=-1) for number in ids])
    return Labeled(planes, cells(image.valid).all(axis=-1), image.kind, ids[votes.argmax(axis=0)])
