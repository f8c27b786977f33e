"""Maskers made of maskers: several together, and such as see a scene at other resolutions than its own."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.masking.augmentation import LookCount
from clearscene.masking.classes import IDS
from clearscene.masking.masker import SMALLEST, Masker, Planes, Traits
from clearscene.models.model import softmax
from clearscene.raster.sensors.product import Kind

__all__ = ["Doubled", "Ensemble", "Halved", "Wide"]

HALF = 2
LEAST_WEIGHT = np.float32(0.25)
"""Of valid pixels in an interpolated value; less is divided as if it were so much."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Several maskers: of each class the mean of the probabilities of those that know it, brought to a sum of 1.

    Laws: one masker twice is that masker; between two classes the ratio is that of their means among those that know
    each, so that a member that does not know shadow takes none away but by what it says of the other classes.
    """

    members: tuple[Masker, ...]
    traits: Traits = field(init=False)

    def __post_init__(self) -> None:
        sizes = {member.traits.tile_size for member in self.members}
        if len(sizes) > 1:
            raise OptionError(
                f"Models with tiles of {' and '.join(map(str, sorted(sizes)))} px cannot be averaged.",
                hint="Use models of one tile size, or mask with each by itself.",
            )
        object.__setattr__(self, "traits", _joint([member.traits for member in self.members]))

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return tuple(count for member in self.members for count in member.looks)

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`."""
        total = self.members[0].probabilities(planes, valid, kind=kind)
        for member in self.members[1:]:
            total = total + member.probabilities(planes, valid, kind=kind)
        known = [sum(number in member.traits.classes for member in self.members) for number in IDS]
        if min(known) == len(self.members):
            return np.asarray(total / np.float32(len(self.members)))
        mean = total / np.maximum(known, 1).astype(np.float32)[:, None, None]
        return np.asarray(mean / mean.sum(axis=0), np.float32)


def _joint(given: list[Traits]) -> Traits:
    """All bands and classes of the members; thresholds are the mean of who knows the class; shared pixel sizes."""
    needed = {name for traits in given for name in traits.bands if name not in traits.optional}
    bands = tuple(dict.fromkeys(name for traits in given for name in traits.bands))
    ranges = [traits.pixel_range_m for traits in given if traits.pixel_range_m]
    overlaps = [traits.overlap for traits in given if traits.overlap is not None]
    return Traits(
        origins=tuple(origin for traits in given for origin in traits.origins),
        bands=bands,
        tile_size=given[0].tile_size,
        network_size=max(traits.network_size for traits in given),
        optional=frozenset(bands) - needed,
        classes=frozenset().union(*(traits.classes for traits in given)),
        thresholds=tuple(_mean_threshold(given, number) for number in IDS),
        overlap=max(overlaps) if len(overlaps) == len(given) else None,
        pixel_range_m=(max(low for low, _ in ranges), min(high for _, high in ranges)) if ranges else None,
        kinds=frozenset.intersection(*(traits.kinds for traits in given)),
        has_further_looks=all(traits.has_further_looks for traits in given),
    )


def _mean_threshold(given: list[Traits], number: int) -> float:
    """Of a class, among the members that know it."""
    known = [traits.thresholds[IDS.index(number)] for traits in given if number in traits.classes]
    return float(np.mean(known)) if known else 0.0


def _seen_at(traits: Traits, zoom: float) -> Traits:
    """The traits of a masker that sees its tiles enlarged `zoom` times, in pixels of the scene."""
    overlap, sizes = traits.overlap, traits.pixel_range_m
    return replace(
        traits,
        tile_size=int(traits.tile_size / zoom),
        overlap=None if overlap is None else int(overlap / zoom),
        pixel_range_m=(sizes[0] * zoom, sizes[1] * zoom) if sizes else None,
    )


@dataclass(frozen=True, eq=False)
class Halved:
    """A masker that sees every tile at half its resolution, and answers at full.

    A pixel at half size is the mean of its valid pixels. A tile covers twice as many pixels along each side.
    """

    inner: Masker
    traits: Traits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "traits", _seen_at(self.inner.traits, 1 / HALF))

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return self.inner.looks

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`."""
        height, width = valid.shape
        share = _halved(valid.astype(np.float32))
        if valid.all() and not (height % HALF or width % HALF):
            small = {name: _halved(plane) for name, plane in planes.items()}
        else:
            weight = np.where(share > 0, share, 1)
            small = {name: np.asarray(_halved(plane * valid) / weight, np.float32) for name, plane in planes.items()}
        answer = self.inner.probabilities(small, share > 0, kind=kind)
        logs = np.log(np.maximum(answer, SMALLEST))
        size = (share.shape[1] * HALF, share.shape[0] * HALF)
        grown = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in logs])
        return softmax(grown[:, :height, :width])


@dataclass(frozen=True, eq=False)
class Doubled:
    """A masker that sees every tile enlarged to twice its resolution, and answers at the scene's own.

    Values between pixels are cubic, of valid pixels alone; a probability is the mean over the four that a pixel
    became. A tile covers half as many pixels along each side, so that four times as many tiles are looked at.
    Law: of an even tile whose members answer alike everywhere, the answer is theirs.
    """

    inner: Masker
    traits: Traits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "traits", _seen_at(self.inner.traits, HALF))

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return self.inner.looks

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`."""
        large = {name: _doubled(plane, valid) for name, plane in planes.items()}
        usable = valid.repeat(HALF, axis=0).repeat(HALF, axis=1)
        answer = self.inner.probabilities(large, usable, kind=kind)
        return np.stack([_halved(plane) for plane in answer])


@dataclass(frozen=True, eq=False)
class Wide:
    """A masker whose scenes are also seen by pixels `factor` times as long: a veil spreads wider than a tile.

    Tiles are those of `near`; the wide look is `mask_pieces`' part, since it needs other tiles of the scene.
    """

    near: Masker
    far: Masker
    """Who looks at the reduced scene."""
    factor: int

    @property
    def traits(self) -> Traits:
        """See `Masker`."""
        return self.near.traits

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return self.near.looks

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`: of the near look."""
        return self.near.probabilities(planes, valid, kind=kind)


def _doubled(plane: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Twice as many pixels along each side; between valid and other pixels only the valid ones count."""
    size = (plane.shape[1] * HALF, plane.shape[0] * HALF)
    if valid.all():
        return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC), np.float32)
    inside = valid.astype(np.float32)
    total = cv2.resize(np.where(valid, plane, np.float32(0)), size, interpolation=cv2.INTER_CUBIC)
    weight = cv2.resize(inside, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(total / np.maximum(weight, LEAST_WEIGHT), np.float32)


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; beyond an odd edge there is nothing, which counts as 0."""
    beyond = [(0, length % HALF) for length in plane.shape]
    even = np.pad(plane, beyond) if any(after for _, after in beyond) else plane
    size = (even.shape[1] // HALF, even.shape[0] // HALF)
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.float32)
