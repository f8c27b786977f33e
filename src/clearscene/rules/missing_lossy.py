"""Missing pixels in 8-bit scenes compressed with loss, where the lost are no longer exactly black or white.

JPEG leaves the middle of a lost block as it was, and spoils its rim by some levels; color, which is
stored at half resolution, bleeds over the edge by a pixel or two. So brightness decides where the
edge lies, and all bands together where the region is flat::

    all bands within 8 levels of the color over 3 x 3 px,        -> core
    or brightness within 12 levels along 17 px of a row or column
    brightness much nearer to the color than to the ground,      -> region
    a core within 2 px, and 64 px of it or a line of 25
    ring over surround of the region, its middle flat            -> confidence

Single points do not survive: 8 x 8 px of JPEG cannot hold them.

Scenes that do not say they lost anything may have been compressed with loss earlier on, so large
blocks are looked for there as well.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.grid import expand, slices, windows
from clearscene.rules.missing_edge import FAR, SURROUND, EdgeContrast, grown, long_runs, opened, pool

__all__ = ["REACH", "LossyEdge", "brightness", "score_lossy"]

Mask = NDArray[np.bool_]
"""(row, col)."""
Levels = NDArray[np.uint8]

BLOCK = 256
"""Side of the blocks that are worked on; those without a core are skipped."""

CORE = 3
"""Side of the square that must be flat: what is left of a narrow wedge between its spoilt rims."""

CORE_LEVELS = 8
"""Levels of 255 by which every band of a core may differ from the color; as for collars."""

RUN = 17
"""Pixels in a row or column, with steps of a pixel, that make a core as well."""

RUN_LEVELS = 12
"""Levels of 255 by which the brightness of such a run may differ from the color: both its sides bleed into it."""

GROWTH = 2
"""Pixels around a core that can belong to it: its spoilt rim."""

NEARBY = 6
"""Pixels around a pixel that make the ground it is compared with."""

GROUND = 24.0
"""Levels of 255 from the color on that count as ground."""

SHARE = 0.2
"""Share of the contrast to the ground up to which a pixel belongs to the region."""

LEAST, MOST = 10.0, 60.0
"""Bounds of that share in levels of 255."""

SMALLEST = 64
"""Pixels of a region within `FAR` that are enough: a block of 8 x 8."""

SMALLEST_TRACE = 400
"""The same in a scene that does not say it was compressed with loss: a block of 20 x 20."""

LINE = 25
"""Pixels in a row or column that are enough, however thin the line."""

DEEP = 9
"""Side of the square inside the region that makes its middle pixel deep: out of the reach of the rim."""

DEEP_LEVELS = 4.0
"""Levels of 255 by which deep pixels may differ from the color on average; shadow is blue, cloud is not flat."""

DEEP_PIXELS = 8
"""Deep pixels that this takes."""

UNDECIDED = 0.5
"""Confidence of a pixel that sees no edge: the middle of a block wider than `FAR`."""

WEAK = 0.49
"""Confidence that a region which is not flat, or has no contrast, can reach."""

REACH = RUN + GROWTH + 3 * FAR + SURROUND + 2
"""Pixels that `score_lossy` needs: run with a step, rim, pools of size, usual ground and edge, surround, ring."""


@dataclass(frozen=True)
class LossyEdge:
    """What makes an edge hard after compression with loss."""

    sharpness: float
    """Contrast of the ring over that of its surround, from which on an edge is hard."""
    fading: float
    """Share of the ring that may be nearer to the color than to the ground usual there."""
    least: float
    """Levels of 255 that the ring must differ from the color on average."""
    is_declared: bool = True
    """False if the scene does not say that it lost anything: then only blocks of 400 px count, and no lines."""


def score_lossy(data: Levels, valid: Mask, *, is_white: bool, edge: LossyEdge) -> NDArray[np.float32]:
    """Confidence that pixels were lost as black (white) before a compression with loss, (row, col), 0 elsewhere.

    Args:
        data: (band, row, col), 8 bits.
        valid: (row, col), True where the scene has data.
        is_white: Whether to look for white instead of black.
        edge: What counts as a hard edge.

    Law: a pixel has the same confidence in every view that holds it and `REACH` pixels around it.
    """
    height, width = valid.shape
    score = np.zeros((height, width), np.float32)
    near = _is_near(data, is_white=is_white, edge=edge) & valid
    for block in windows(height, width, BLOCK):
        inner, close = slices(block), slices(expand(block, GROWTH + RUN, height=height, width=width))
        if not _may_hold_core(near[close], edge):
            continue
        outer = slices(expand(block, REACH, height=height, width=width))
        core = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        distance = _Distance.of(data[(slice(None), *outer)], is_white=is_white)
        score[inner] = _score(distance, valid[outer], edge)[core]
    return score


def brightness(data: Levels) -> Levels:
    """The brightness that JPEG stores, in sixteenths red 5, green 9, blue 2: (row, col)."""
    if len(data) < 3:
        return np.asarray(data[0])
    red, green, blue = (band.astype(np.uint16) for band in data[:3])
    return np.asarray(((5 * red + 9 * green + 2 * blue) >> 4).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class _Distance:
    """Levels between the pixels and the color, (row, col)."""

    bright: NDArray[np.float32]
    """Of the brightness; whole numbers."""
    worst: Levels
    """Of the band that differs most."""

    @classmethod
    def of(cls, data: Levels, *, is_white: bool) -> "_Distance":
        """From levels (band, row, col)."""
        bright = brightness(data)
        return cls((255 - bright if is_white else bright).astype(np.float32), _worst(data, is_white=is_white))


def _worst(data: Levels, *, is_white: bool) -> Levels:
    return np.asarray(255 - data.min(axis=0) if is_white else data.max(axis=0))


def _is_near(data: Levels, *, is_white: bool, edge: LossyEdge) -> Mask:
    """Every pixel that a core can hold, and cheaply some more."""
    if not edge.is_declared:
        return np.asarray(_worst(data, is_white=is_white) <= CORE_LEVELS)
    bright = brightness(data)
    return np.asarray(bright >= 255 - RUN_LEVELS if is_white else bright <= RUN_LEVELS)


def _may_hold_core(near: Mask, edge: LossyEdge) -> bool:
    """Whether pixels near the color lie together as a core does; most blocks hold none."""
    if np.count_nonzero(near) < CORE**2:
        return False
    return bool(_square(near).any() or (edge.is_declared and _slanted_runs(near).any()))


def _score(distance: _Distance, valid: Mask, edge: LossyEdge) -> NDArray[np.float32]:
    region = _region(distance, valid, edge)
    if not region.any():
        return np.zeros(valid.shape, np.float32)
    ring = grown(region, 1) & valid & ~region
    contrast = EdgeContrast.of(distance.bright, ring, valid & ~region & ~ring, span=FAR)
    pooled = contrast.pooled(region, region)
    margin = pooled.margin(edge.sharpness, edge.fading)
    margin[np.isnan(margin)] = UNDECIDED
    weak = (pooled.strength < edge.least) | _is_uneven(region, distance.worst)[region]
    margin[weak] = np.minimum(margin[weak], WEAK)
    score = np.zeros(valid.shape, np.float32)
    score[region] = margin
    return score


def _region(distance: _Distance, valid: Mask, edge: LossyEdge) -> Mask:
    """Pixels much nearer to the color than to the ground, beside a core, and enough of them."""
    thin = (distance.bright <= RUN_LEVELS) & valid
    core = _square((distance.worst <= CORE_LEVELS) & valid)
    if edge.is_declared:
        core |= _slanted_runs(thin)
    if not core.any():
        return core
    ground = (distance.bright > GROUND) & valid
    total = pool(np.where(ground, distance.bright, np.float32(0)), NEARBY)
    mean = total / np.maximum(pool(ground.astype(np.float32), NEARBY), 1)
    region = (distance.bright <= np.clip(SHARE * mean, LEAST, MOST)) & grown(core, GROWTH) & valid
    size = pool(region.astype(np.float32), FAR)
    if not edge.is_declared:
        return np.asarray(region & (size >= SMALLEST_TRACE))
    is_line = pool(long_runs(thin, LINE).astype(np.float32), FAR) > 0
    return np.asarray(region & (is_line | (size >= SMALLEST)))


def _square(mask: Mask) -> Mask:
    return opened(mask, CORE, CORE)


def _slanted_runs(mask: Mask) -> Mask:
    """The pixels of runs of `RUN` that may step by a pixel to either side on the way, as a slanted gap does."""
    found = np.zeros(mask.shape, np.bool_)
    for step, run in (((3, 1), (1, RUN)), ((1, 3), (RUN, 1))):
        wide = cv2.dilate(np.ascontiguousarray(mask).view(np.uint8), np.ones(step, np.uint8)) > 0
        found |= opened(wide, *run) & mask
    return found


def _is_uneven(region: Mask, worst: Levels) -> Mask:
    """Where the middle of the region is not flat."""
    deep = cv2.erode(region.view(np.uint8), np.ones((DEEP, DEEP), np.uint8)).astype(np.float32)
    n = pool(deep, FAR)
    return np.asarray((n >= DEEP_PIXELS) & (pool(deep * worst, FAR) > DEEP_LEVELS * n))
