"""How hard the edge of a region is: the difference from its color on the ring, over that of the surround.

What passed a lens fades over a pixel or more, so its ring, one pixel out, is nearer to the color
than the ground further out. What was lost has no such edge, and the ratio is near 1. The ratio
needs no threshold of brightness, so it holds in dark and in bright scenes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FAR", "NEAR", "SURROUND", "EdgeContrast", "PooledContrast", "grown", "long_runs", "opened", "pool"]

Mask = NDArray[np.bool_]
"""(row, col)."""
Limit = float | NDArray[np.floating]

NEAR = 4
"""Pixels within which the ring is pooled first: enough for a point, and it keeps neighbors apart."""

NEAR_RING = 6
"""Ring pixels that this small pool must hold."""

FAR = 24
"""Pixels within which the ring is pooled for whatever lies deeper in a block."""

SURROUND = 3
"""Pixels around a ring pixel that make its surround: past the blur of a lens."""


@dataclass(frozen=True, eq=False)
class EdgeContrast:
    """Difference from the color on the ring of a region, and on the surround of each ring pixel."""

    count: NDArray[np.floating]
    ring: NDArray[np.floating]
    surround: NDArray[np.floating]
    faded: NDArray[np.floating]
    """1 where a ring pixel is nearer to the color than to the surround, else 0."""

    @classmethod
    def of(cls, difference: NDArray[np.floating], ring: Mask, outside: Mask, *, span: int = 0) -> "EdgeContrast":
        """All (row, col); ring pixels without surround are left out.

        What is faded is told by the mean surround of the ring pixels within `span`; 0: by the pixel's own.
        """
        kind, zero = difference.dtype, difference.dtype.type(0)
        n = pool(outside.astype(kind), SURROUND)
        ring = ring & (n > 0)
        # Whole numbers keep sums exact, so that they do not depend on how the scene was cut.
        mean = np.rint(pool(np.where(outside, difference, zero), SURROUND) / np.maximum(n, 1))
        count, surround = ring.astype(kind), np.where(ring, mean, zero)
        usual = pool(surround, span) / np.maximum(pool(count, span), 1) if span else surround
        faded = ring & (2 * difference < usual)
        return cls(count, np.where(ring, difference, zero), surround, faded.astype(kind))

    def pooled(self, region: Mask, large: Mask) -> "PooledContrast":
        """The ring around each pixel of a region, within `NEAR`, or `FAR` if `large` or if that holds too little."""
        parts, at = (self.count, self.ring, self.surround, self.faded), np.flatnonzero(region)
        sums = [pool(part, NEAR).ravel()[at] for part in parts]
        lonely = large.ravel()[at] | (sums[0] < NEAR_RING)
        if lonely.any():
            far = [pool(part, FAR).ravel()[at] for part in parts]
            sums = [np.where(lonely, wide, near) for wide, near in zip(far, sums, strict=True)]
        count, ring, surround, faded = sums
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(count > 0, ring / np.maximum(surround, 1), np.nan)
            return PooledContrast(ratio, ring / count, faded / count)


@dataclass(frozen=True, eq=False)
class PooledContrast:
    """What the ring says around each of the n pixels of a region, row by row; all (n,), NaN without a ring."""

    ratio: NDArray[np.floating]
    """Ring over surround."""
    strength: NDArray[np.floating]
    """Mean difference from the color on the ring."""
    faded: NDArray[np.floating]
    """Share of the ring that is nearer to the color than to its surround."""

    def margin(self, sharpness: Limit, fading: Limit) -> NDArray[np.floating]:
        """1 for the hardest edge, 0.5 where the ratio is `sharpness` or the faded share `fading`, NaN without a ring.

        The less favorable of the two decides; (n,).
        """
        ratio, faded = self.ratio, self.faded
        by_ratio = np.where(
            ratio >= sharpness, 0.5 + 0.5 * (ratio - sharpness) / (1 - sharpness), 0.5 * ratio / sharpness
        )
        by_share = np.where(faded <= fading, 1 - 0.5 * faded / fading, 0.5 * (1 - faded) / (1 - fading))
        return np.asarray(np.clip(np.minimum(by_ratio, by_share), 0.0, 1.0))


def pool(values: NDArray[np.floating], radius: int) -> NDArray[np.floating]:
    """Sum (row, col) over a square of 2 x radius + 1 pixels; nothing lies beyond the border."""
    side = 2 * radius + 1
    return np.asarray(cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT))


def grown(mask: Mask, radius: int) -> Mask:
    """The mask dilated by a square of 2 x radius + 1 pixels."""
    side = 2 * radius + 1
    return np.asarray(cv2.dilate(np.ascontiguousarray(mask).view(np.uint8), np.ones((side, side), np.uint8)) > 0)


def opened(mask: Mask, height: int, width: int) -> Mask:
    """The pixels that a rectangle of odd sides, wholly inside the mask, can cover; nothing lies beyond the border."""
    kernel = np.ones((height, width), np.uint8)
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    core = cv2.erode(pixels, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.dilate(core, kernel) > 0)


def long_runs(mask: Mask, length: int) -> Mask:
    """The pixels that lie in a horizontal or vertical run of at least `length`, an odd number."""
    return opened(mask, 1, length) | opened(mask, length, 1)
