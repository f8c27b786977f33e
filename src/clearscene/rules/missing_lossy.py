"""Missing pixels in 8-bit scenes compressed with loss, where what was lost is no longer exactly black or white.

JPEG leaves the middle of a lost block as it was, and spoils its rim by some levels; color, which is
stored at half resolution, bleeds over the edge by a pixel or two. So brightness decides where the
edge lies, and all bands together where the region is flat::

    all bands within 8 levels of the color over 5 x 5 px,      -> core
    or brightness within 16 levels along 25 px of a row or column
    brightness nearer to the color than to the ground around,  -> region
    and a core within 6 px
    ring over surround of the region, middle of it flat        -> confidence

Single points do not survive: 8 x 8 px of JPEG cannot hold them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.grid import expand, slices, windows
from clearscene.rules.missing_edge import FAR, SURROUND, EdgeContrast, grown, long_runs, opened, pool

__all__ = ["REACH", "LossyEdge", "brightness", "score_lossy"]

Mask = NDArray[np.bool_]
Levels = NDArray[np.uint8]

BLOCK = 256
"""Side of the blocks that are worked on; those without a core are skipped."""

CORE = 3
"""Side of the square that must be flat: what is left of a lost block of 12 px between its spoilt rims."""

SMALLEST = 100
"""Pixels of a region within `FAR` that are enough: a block of 10 x 10, or two lengths of a thin line."""

LINE, LINE_LEVELS = 33, 12
"""Pixels"""

CORE_LEVELS = 8
"""Levels of 255 by which every band of a core may differ from the color; as for collars."""

RUN = 17
"""Pixels in a row or column that make a dropped line."""

RUN_LEVELS = 12
"""Levels of 255 by which the brightness of a line may differ from the color: both its sides bleed into it."""

GROWTH = 3
"""Pixels around a core that can belong to it: the spoilt rim, and the thin end of a wedge."""

NEARBY = 6
"""Pixels around a pixel that make the ground it is compared with."""

GROUND = 24
"""Levels of 255 from the color on that count as ground."""

SHARE = 0.35
"""Share of the contrast to the ground up to which a pixel belongs to the region."""

LEAST, MOST = 10.0, 60.0
"""Bounds of that share in levels of 255."""

DEEP = 9
"""Side of the square inside the region that makes its middle pixel deep: out of the reach of the rim."""

DEEP_LEVELS = 6.0
"""Levels of 255 by which deep pixels may differ from the color on average; shadow is blue, cloud is not flat."""

DEEP_PIXELS = 8
"""Deep pixels that this takes."""

WEAK = 0.49
"""Confidence that a region which is not flat, or has no contrast, can reach."""

REACH = RUN - 1 + GROWTH + 2 * FAR + SURROUND + 2
"""Pixels that `score_lossy` needs around each pixel."""


@dataclass(frozen=True)
class LossyEdge:
    """What makes an edge hard after compression with loss."""

    sharpness: float
    """Contrast of the ring over that of its surround, from which on an edge is hard."""
    least: float
    """Levels of 255 that the ring must differ from the color on average."""


def brightness(data: Levels) -> Levels:
    """The brightness that JPEG stores, in sixteenths red 5, green 9, blue 2: (row, col)."""
    if len(data) < 3:
        return data[0]
    red, green, blue = (band.astype(np.uint16) for band in data[:3])
    return ((5 * red + 9 * green + 2 * blue) >> 4).astype(np.uint8)


def score_lossy(data: Levels, valid: Mask, *, is_white: bool, edge: LossyEdge) -> NDArray[np.float32]:
    """Confidence that pixels were lost as black (white) before a compression with loss, (row, col), 0 elsewhere.

    Law: a pixel has the same confidence in every view that holds it and `REACH` pixels around it.
    """
    height, width = valid.shape
    score = np.zeros((height, width), np.float32)
    near = brightness(data) >= 255 - RUN_LEVELS if is_white else brightness(data) <= RUN_LEVELS
    near &= valid
    if not near.any():
        return score
    for block in windows(height, width, BLOCK):
        inner = slices(block)
        # The pixels of a region lie within GROWTH of a core, and that is near.
        close = slices(expand(block, GROWTH + RUN, height=height, width=width))
        if np.count_nonzero(near[close]) < RUN or not _may_hold_core(near[close]):
            continue
        outer = slices(expand(block, REACH, height=height, width=width))
        core = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        score[inner] = _score(data[(slice(None), *outer)], valid[outer], is_white=is_white, edge=edge)[core]
    return score


def _may_hold_core(near: Mask) -> bool:
    return bool(opened(near, CORE, CORE).any() or long_runs(near, RUN).any())


def _score(data: Levels, valid: Mask, *, is_white: bool, edge: LossyEdge) -> NDArray[np.float32]:
    bright = brightness(data)
    difference = (255 - bright if is_white else bright).astype(np.float32)
    worst = np.asarray(255 - data.min(axis=0) if is_white else data.max(axis=0))
    region = _region(difference, worst, valid)
    if not region.any():
        return np.zeros(valid.shape, np.float32)
    region &= _is_sizable(region, difference, valid)
    ring = grown(region, 1) & valid & ~region
    contrast = EdgeContrast.of(difference, ring, valid & ~region & ~ring)
    ratio, strength = contrast.pooled(region, region)
    hard = edge.sharpness
    margin = np.where(ratio >= hard, 0.5 + 0.5 * (ratio - hard) / (1 - hard), 0.5 * ratio / hard)
    weak = (strength < edge.least) | _restless(region, worst)
    margin[weak] = np.minimum(margin[weak], WEAK)
    margin = np.where(np.isnan(ratio), np.where(weak, WEAK, 0.5), margin)
    return np.where(region, np.clip(margin, 0.0, 1.0), 0.0).astype(np.float32)


def _region(difference: NDArray[np.float32], worst: Levels, valid: Mask) -> Mask:
    """Pixels nearer to the color than to the ground, with a core close by."""
    core = opened((worst <= CORE_LEVELS) & valid, CORE, CORE) | long_runs((difference <= RUN_LEVELS) & valid, RUN)
    if not core.any():
        return core
    ground = (difference > GROUND) & valid
    mean = pool(np.where(ground, difference, 0), NEARBY) / np.maximum(pool(ground.astype(np.float32), NEARBY), 1)
    return np.asarray((difference <= np.clip(SHARE * mean, LEAST, MOST)) & grown(core, GROWTH) & valid)


def _is_sizable(region: Mask, difference: NDArray[np.float32], valid: Mask) -> Mask:
    """Where the region around a pixel is large enough, or holds a line: (row, col)."""
    line = long_runs((difference <= LINE_LEVELS) & valid, LINE)
    return np.asarray((pool(region.astype(np.float32), FAR) >= SMALLEST) | (pool(line.astype(np.float32), FAR) > 0))


def _restless(region: Mask, worst: Levels) -> Mask:
    """Where the middle of the region is not flat."""
    deep = cv2.erode(region.view(np.uint8), np.ones((DEEP, DEEP), np.uint8)).astype(np.float32)
    n = pool(deep, FAR)
    return np.asarray((n >= DEEP_PIXELS) & (pool(deep * worst, FAR) > DEEP_LEVELS * n))
