"""Missing pixels that are exactly black, white or dead in one band: how hard their edges are.

Two more tests keep out what a camera clipped one pixel at a time, as in decimated or sharpened scenes
of scattered cloud, glints and small shadow. The ring of such a pixel is partly faded; and it has
company: where ground reaches the color now and then, it comes near the color more often.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.grid import expand, slices, windows
from clearscene.rules.missing_edge import FAR, NEAR, SURROUND, EdgeContrast, grown, long_runs, pool

__all__ = ["REACH", "WEAK", "ExactEdge", "Target", "color_difference", "is_wide", "raise_score"]

Mask = NDArray[np.bool_]
"""(row, col)."""

UNDECIDED = 0.5
"""Confidence of a pixel that sees no edge: the middle of a block wider than `FAR`."""

ALL_DEAD = 0.55
"""Confidence of a pixel whose whole neighborhood lost one band."""

WEAK = 0.49
"""Confidence that a ring too close to the color, or a point with company, can reach."""

POINT = 12
"""Pixels of the region within `NEAR` up to which it counts as points; wider regions have the steadier large pool."""

PIECE = 9
"""Pixels in a row or column from which on a thin region is a line and no point."""

AROUND = 8
"""Pixels around a point where company is counted."""

NEARER = 0.3
"""Share of the mean difference from the color, below which a pixel is company."""

LARGE_FADING = 0.6
"""Share of the ring of a wide region that may be faded; bands that are shifted against each other fade a third."""

BLOCK = 256
"""Side of the blocks that are worked on; those without black or white are skipped."""

REACH = FAR + SURROUND + 2
"""Pixels that `raise_score` needs around each pixel: pool, ring, surround."""


@dataclass(frozen=True)
class ExactEdge:
    """What makes an edge hard."""

    sharpness: float
    """Contrast of the ring over that of its surround, from which on an edge is hard."""
    point_sharpness: float
    """The same for points."""
    fading: float
    """Share of the ring of a point that may be nearer to the color than to its surround."""
    company: int
    """Pixels within 8 of a point that may come near its color."""


@dataclass(frozen=True, eq=False)
class Target:
    """A region of one color to be tested."""

    region: Mask
    color: float
    least: float
    """Mean contrast of the ring below which nothing is reported, in units of the data, each band."""
    excluded: Mask
    """Pixels that are neither ring nor surround."""
    speaks: Mask
    """Where the region counts as lost even if no edge is in reach."""

    def cut(self, box: tuple[slice, slice]) -> "Target":
        """The target inside a rectangle."""
        return Target(self.region[box], self.color, self.least, self.excluded[box], self.speaks[box])


def raise_score(
    score: NDArray[np.float32], data: NDArray[np.generic], valid: Mask, *, target: Target, edge: ExactEdge
) -> None:
    """Raise `score` (row, col) in place to the confidence that the pixels of `target` were lost.

    Works block by block where the target has pixels. `data` is (band, row, col), `valid` (row, col).
    """
    height, width = valid.shape
    for block in windows(height, width, BLOCK):
        inner = slices(block)
        if not target.region[inner].any():
            continue
        outer = slices(expand(block, REACH, height=height, width=width))
        core = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        found = _score(data[(slice(None), *outer)], valid[outer], target.cut(outer), edge)[core]
        np.maximum(score[inner], found, out=score[inner])


def color_difference(data: NDArray[np.generic], color: float) -> NDArray[np.floating]:
    """Difference from the color summed over bands, whole numbers for whole numbers, (row, col)."""
    kind = np.float32 if data.dtype == np.uint8 else np.float64
    far: NDArray[np.floating] = data.astype(kind)
    return np.asarray(np.abs(far - color).sum(axis=0))


def is_wide(region: Mask) -> Mask:
    """Where a region holds more than points, (row, col)."""
    return np.asarray(pool(region.astype(np.float32), NEAR) > POINT)


def _score(data: NDArray[np.generic], valid: Mask, target: Target, edge: ExactEdge) -> NDArray[np.float32]:
    """Confidence of the pixels of `target`, 0 elsewhere, (row, col)."""
    region = target.region
    others = valid & ~target.excluded & ~region
    ring = grown(region, 1) & others
    difference, wide = color_difference(data, target.color), is_wide(region)
    pooled = EdgeContrast.of(difference, ring, others & ~ring).pooled(region, wide)
    large = wide[region]
    margin = pooled.margin(
        np.where(large, edge.sharpness, edge.point_sharpness), np.where(large, LARGE_FADING, edge.fading)
    )
    weak = pooled.strength < target.least * len(data)
    points = ~large & (margin > WEAK)
    if points.any():
        weak |= ~large & ~long_runs(region, PIECE)[region] & (_company(difference, others)[region] > edge.company)
    margin[weak] = np.minimum(margin[weak], WEAK)
    margin = np.where(np.isnan(pooled.ratio), np.where(target.speaks[region], ALL_DEAD, UNDECIDED), margin)
    score = np.zeros(valid.shape, np.float32)
    score[region] = margin
    return score


def _company(difference: NDArray[np.floating], others: Mask) -> NDArray[np.floating]:
    """How many of the `others` around each pixel come much nearer to the color than is usual there, (row, col)."""
    kind = difference.dtype
    total, n = pool(np.where(others, difference, kind.type(0)), AROUND), pool(others.astype(kind), AROUND)
    return pool((others & (difference * n < NEARER * total)).astype(kind), AROUND)
