"""Several spoiled images of one clean one: what fusing is trained on and judged by.

`paper` follows seed 002: images in turn under a cloud and with a part that is lost, each spoiled over the same share
of its area. `rich` draws from the generators of this package instead: clouds, shadows, lost parts, overflow, stripes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.synth.catalog import GENERATORS, Generator
from clearscene.synth.cloud_bank import CloudBank
from clearscene.synth.occlusion import occlusion

__all__ = ["Spoiled", "paper_cloud_over", "spoiled_images", "spoiled_richly"]

Unit = NDArray[np.float32]
"""An image (band, row, col), or a plane (row, col), from 0 to 1."""

SEEN = 0.02
"""Alpha from which a cloud counts to its area; fainter rims are left out."""
ASPECT = (0.5, 2.0)
MOST_TURN_DEG = 45.0
SEARCH_STEPS = 14
RICH = ("cloud", "shadow", "missing", "overflow", "stripe")
SEVERAL = 0.35
"""Chance of a second defect in an image of `rich`."""
LOST_PART = 0.25
"""Chance that a defect of `rich` is a lost part, as in the seed."""


@dataclass(frozen=True, eq=False)
class Spoiled:
    """An image with defects."""

    data: Unit
    """(band, row, col), 0 to 1."""
    lost: Unit
    """(row, col): how much of the ground is not seen, 0 to 1."""


def spoiled_images(
    clean: Unit,
    n_images: int,
    area: float,
    rng: np.random.Generator,
    *,
    bank: CloudBank | None,
    kind: Literal["paper", "rich", "none"] = "paper",
) -> list[Spoiled]:
    """`n_images` spoiled images of a clean one (3, row, col), values 0 to 1.

    Laws: of `paper` the even images are clouded and the odd ones have a lost part, and in each exactly
    `round(area * row * col)` pixels are touched; what is not lost keeps its value; `none` gives the clean image.

    Raises:
        OptionError: There is no image to make, or no bank for `paper`.
    """
    if n_images < 1:
        raise OptionError(f"{n_images} images cannot be made.", hint="Give 1 or more.")
    if kind == "none":
        return [Spoiled(clean.copy(), np.zeros(clean.shape[1:], np.float32)) for _ in range(n_images)]
    if kind == "rich":
        return [spoiled_richly(clean, area, rng) for _ in range(n_images)]
    if bank is None:
        raise OptionError("The artifacts of the paper need a bank of clouds.")
    return [
        _occluded(clean, area, rng) if place % 2 else paper_cloud_over(clean, area, rng, bank=bank)
        for place in range(n_images)
    ]


def paper_cloud_over(clean: Unit, area: float, rng: np.random.Generator, *, bank: CloudBank) -> Spoiled:
    """A cloud of the bank over exactly the share `area` of the image.

    As published the plane is stretched to an aspect of 0.5 to 2, turned by up to 45 degrees and put at a random
    place, and its picture is mixed in by alpha. There the area is that of the box, much of which is empty or
    outside; here the box grows until the cloud that is seen has the area.
    """
    height, width = clean.shape[1:]
    n_pixels = round(area * height * width)
    if n_pixels == 0:
        return Spoiled(clean.copy(), np.zeros((height, width), np.float32))
    alpha = _placed_alpha(height, width, n_pixels, rng, bank)
    order = np.argsort(alpha, axis=None, kind="stable")
    kept = np.zeros(alpha.size, np.float32)
    densest = order[alpha.size - n_pixels :]
    kept[densest] = np.maximum(alpha.ravel()[densest], np.float32(SEEN))
    opacity = kept.reshape(alpha.shape)
    cloud = bank.texture(height, width, rng)
    mixed = opacity * cloud + (1 - opacity) * clean
    return Spoiled(np.where(opacity > 0, mixed, clean).astype(np.float32), opacity)


def _placed_alpha(height: int, width: int, n_pixels: int, rng: np.random.Generator, bank: CloudBank) -> Unit:
    """Alpha (height, width) whose visible part is about so many pixels: the size is found by halving."""
    plane, ratio = bank.alpha(rng), rng.uniform(*ASPECT)
    turn = np.deg2rad(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG))
    center = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    side = plane.shape[0]

    def drawn(size: float) -> Unit:
        """The plane, `size` pixels large (the root of its box)."""
        linear = rotation @ np.diag([size / np.sqrt(ratio), size * np.sqrt(ratio)]) / side
        move = np.column_stack([linear, center - linear @ np.full(2, side / 2)])
        return np.asarray(cv2.warpAffine(plane, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=0))

    low, high = 1.0, 8.0 * max(height, width)
    for _ in range(SEARCH_STEPS):
        middle = np.sqrt(low * high)
        is_enough = int((drawn(middle) >= SEEN).sum()) >= n_pixels
        low, high = (low, middle) if is_enough else (middle, high)
    return drawn(high)


def _occluded(clean: Unit, area: float, rng: np.random.Generator) -> Spoiled:
    """The image with a part that is 0."""
    _, height, width = clean.shape
    lost = occlusion(height, width, area, rng)
    return Spoiled(np.where(lost, np.float32(0), clean), lost.astype(np.float32))


def spoiled_richly(clean: Unit, area: float, rng: np.random.Generator) -> Spoiled:
    """One or two defects of the generators; of lost parts `area` is the most that they take."""
    data, lost = clean, np.zeros(clean.shape[1:], np.float32)
    for _ in range(1 + int(rng.random() < SEVERAL)):
        if rng.random() < LOST_PART:
            made = _occluded(data, float(rng.uniform(0, area)), rng)
            data, gone = made.data, made.lost
        else:
            data, gone = _degraded(data, _drawn(rng), rng)
        lost = np.maximum(lost, gone)
    return Spoiled(np.clip(data, 0, 1).astype(np.float32), lost)


def _drawn(rng: np.random.Generator, kinds: Sequence[str] = RICH) -> Generator:
    """A generator: clouds as often as all else."""
    kind = "cloud" if rng.random() < 0.5 else kinds[int(rng.integers(1, len(kinds)))]
    entries = [entry for entry in GENERATORS if entry.type == kind]
    weights = np.array([entry.weight for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


def _degraded(data: Unit, entry: Generator, rng: np.random.Generator) -> tuple[Unit, Unit]:
    """What a generator makes of an image, and how much it hides."""
    made = entry.degrade(data, np.ones(data.shape[1:], np.bool_), rng, float(rng.uniform(0.3, 1.0)))
    hidden = made.mask.astype(np.float32)
    for name in ("opacity", "light_lost"):
        if name in made.planes:
            hidden = np.maximum(hidden if name == "light_lost" else np.float32(0), made.planes[name])
    return np.asarray(made.data, np.float32), np.asarray(np.broadcast_to(hidden, data.shape[1:]), np.float32)
