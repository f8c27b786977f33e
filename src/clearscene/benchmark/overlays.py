"""Masks drawn over images as in figures 10 and 11 of the benchmark: found in blue, true in green, both in cyan."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.bins import bin_of, edge_of
from clearscene.benchmark.evaluate import Sample, Target
from clearscene.datasets.prepared import PreparedRecord, Split
from clearscene.raster.stretch import REFLECTANCE_WHITE

__all__ = ["choose_chips", "draw_overlay", "picture_of"]

Picture = NDArray[np.uint8]

MOST_LOOKED_AT = 300
FOUND, TRUE, BOTH = (45, 95, 255), (60, 200, 70), (0, 215, 225)
"""Red, green, blue."""
WASH = 0.45
"""Share of the color over the image."""
DIM = 0.75
GAMMA = 0.6


def choose_chips(target: Target, split: Split | None, number: int) -> list[PreparedRecord]:
    """The chips to draw: those most evenly filled, of different scenes first. The same for every model."""
    records = target.records(split)
    seen = records[:: max(1, len(records) // MOST_LOOKED_AT)] if number else []
    shares = {record.id: _mixed(target.truth(record)) for record in seen}
    ordered = sorted(seen, key=lambda record: (-shares[record.id], record.id))
    first: list[PreparedRecord] = []
    for record in ordered:
        if record.scene not in {chosen.scene for chosen in first}:
            first.append(record)
    rest = [record for record in ordered if record not in first]
    return [*first, *rest][:number]


def _mixed(truth: NDArray[np.uint8]) -> float:
    """Share of the rarer of both; 0.5 where they are even."""
    known = int((truth <= 1).sum())
    share = float((truth == 1).sum()) / known if known else 0.0
    return min(share, 1 - share) * known / truth.size


def picture_of(target: Target, record: PreparedRecord) -> Picture:
    """A chip as people see it, (row, col, 3) in red, green, blue; one band is gray."""
    bands = target.prepared.bands
    wanted = ("red", "green", "blue") if {"red", "green", "blue"} <= set(bands) else (bands[0],) * 3
    image = np.stack([target.prepared.image(record, (name,))[0] for name in wanted], axis=-1)
    if target.prepared.scaling == "reflectance":
        image = np.clip(image / REFLECTANCE_WHITE, 0, 1) ** GAMMA
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), np.uint8)


def draw_overlay(picture: Picture, sample: Sample, threshold: float) -> Picture:
    """The picture (row, col, 3) with both masks over it. Law: a pixel that neither holds keeps its hue."""
    found = bin_of(sample.probability) >= edge_of(threshold)
    true, known = sample.truth == 1, sample.truth <= 1
    drawn = picture.astype(np.float32) * DIM
    for mask, color in ((found & ~true, FOUND), (true & ~found, TRUE), (found & true, BOTH)):
        here = mask & known
        drawn[here] = drawn[here] * (1 - WASH) + np.array(color, np.float32) * WASH
    result: Picture = np.rint(drawn).astype(np.uint8)
    for mask, color in ((true & known, TRUE), (found & known, FOUND)):
        _outline(result, mask, color)
    return result


def _outline(picture: Picture, mask: NDArray[np.bool_], color: Sequence[int]) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, tuple(int(n) for n in color), 1)
