"""Steps in tone across every line of one direction, as sums along the line.

A direction is a slope m: its lines are ``row = start + m * col``, shifted column by column by whole
pixels, so that nothing is resampled. Columns are joined in blocks of `BLOCK`; from there on a
direction is a plane of (block, start), and whatever is summed along a line is a box filter:

    picture (row, col)        sheared (block, start)

      .  /  .  .                .  |  .  .        a2  a | b  b2    sides of a line, `GAP` px from it
      . /   .  .      ->        .  |  .  .        and 3 * `GAP`
      ./    .  .                .  |  .  .
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "REACH", "Sheared", "Steps", "measure_steps", "shear", "sides_agree"]

Plane = NDArray[np.float32]
"""(row, col)."""

BLOCK = 4
"""Columns that are joined."""
GAP = 2
"""Pixels from a line to the middle of what is compared beside it."""
FAR = 13
"""Rows of the wide strips that tell whether a step goes on away from the line."""
REACH = 25
"""Starts to both sides of a line that have a say."""
NOISE = 0.5
"""Variance in squared levels that even the smoothest ground has, by rounding."""
SEEN = 0.3
"""Share of a wide strip that has to be valid to be compared."""
STRIP, MARGIN = 384, 40
"""Starts that are measured at once, and those beside them that have a say: `REACH`, `GAP` and the strips of `near`."""
CORRELATION = 1.5
"""Blocks over which the texture of the ground repeats itself: so many fewer of them count as independent."""


@dataclass(frozen=True, eq=False)
class Sheared:
    """A picture seen along one direction."""

    tones: Plane
    """(block, start, plane): means of the blocks; brightness, red - green, green - blue in levels, of a picture."""
    valid: NDArray[np.bool_]
    """(block, start), True where all pixels of a block are valid."""
    first_start: int
    """Start of the first line: below 0 where lines enter through the side."""
    slope: float


@dataclass(frozen=True, eq=False)
class Steps:
    """What a direction shows, (block, start) each, around every place over the length of a window."""

    step: Plane
    """(block, start, 3): mean step of the tones across the line, levels."""
    sureness: Plane
    """The step in units of its own error, over the three tones."""
    contrast: Plane
    """The sureness against that of the parallel lines nearby."""
    known: NDArray[np.bool_]
    """True where nearly all of the window is valid."""


def shear(columns: Plane, slope: float) -> Sheared:
    """See a picture along a slope from -1 to 1.

    `columns` is (col, row, planes): what is to be summed, such as the three tones, and last 1 where a pixel is
    valid, else 0.
    """
    n_blocks, height = columns.shape[0] // BLOCK, columns.shape[1]
    shifts = np.round(slope * np.arange(n_blocks * BLOCK)).astype(int)
    top = int(shifts.max(initial=0))
    sums = np.zeros((n_blocks, height + top - int(shifts.min(initial=0)), columns.shape[2]), np.float32)
    for col, shift in enumerate(shifts):
        sums[col // BLOCK, top - shift : top - shift + height] += columns[col]
    sums /= BLOCK
    return Sheared(np.ascontiguousarray(sums[..., :-1]), sums[..., -1] > 0.99, -top, slope)


def measure_steps(view: Sheared, length: int) -> Steps:
    """The mean step across every line, over windows of `length` blocks around each of its blocks."""
    shape = view.valid.shape
    step = np.zeros((*shape, 3), np.float32)
    sureness, contrast = (np.zeros(shape, np.float32) for _ in range(2))
    known = np.zeros(shape, np.bool_)
    for left in range(0, shape[1], STRIP):  # in parts that fit into the cache of a core
        first, last = max(0, left - MARGIN), min(shape[1], left + STRIP + MARGIN)
        used = np.flatnonzero(view.valid[:, first:last].any(axis=1))
        if len(used) == 0:
            continue
        blocks = slice(int(used[0]), int(used[-1]) + 1)
        part = _measure(view.tones[blocks, first:last], view.valid[blocks, first:last], length)
        core, inner = slice(left, left + STRIP), slice(left - first, left - first + STRIP)
        step[blocks, core], sureness[blocks, core] = part.step[:, inner], part.sureness[:, inner]
        contrast[blocks, core], known[blocks, core] = part.contrast[:, inner], part.known[:, inner]
    return Steps(step, sureness, contrast, known)


def _measure(tones: Plane, valid: NDArray[np.bool_], length: int) -> Steps:
    near = np.asarray(cv2.blur(tones, (3, 1)), np.float32)
    weight = _whole(valid).astype(np.float32)
    across = np.zeros_like(near)
    np.subtract(near[:, 2 * GAP :], near[:, : -2 * GAP], out=across[:, GAP:-GAP])
    across *= weight[..., None]
    count = _along(weight, length)
    per = np.reciprocal(np.maximum(count, 1))[..., None]
    step = _along(across, length)
    step *= per
    np.multiply(across, across, out=across)
    variance = _along(across, length)
    variance *= per
    square = step * step
    variance -= square
    np.maximum(variance, 0, out=variance)
    variance += np.float32(NOISE)
    square /= variance
    sureness = np.sqrt((square[..., 0] + square[..., 1] + square[..., 2]) * np.float32(1 / CORRELATION) * count)
    known = count >= 0.8 * length
    sureness *= known
    return Steps(step, sureness, sureness / _background(sureness, known), known)


def sides_agree(
    view: Sheared, steps: Steps, blocks: NDArray[np.intp], starts: NDArray[np.intp], length: int
) -> "Agreement":
    """How alike the two sides of the lines at (`blocks`, `starts`), (n,) each, are apart from the step."""
    half, last = length // 2, view.valid.shape[1] - 1
    along = blocks[:, None] + np.arange(-half, length - half)
    inside = (along >= 0) & (along < len(view.tones))
    along = np.clip(along, 0, len(view.tones) - 1)
    near = cv2.blur(np.ascontiguousarray(view.tones[..., 0]), (3, 1))
    weight = (inside & _whole(view.valid)[along, starts[:, None]]).astype(np.float32)
    sides = [near[along, np.clip(starts + offset, 0, last)[:, None]] for offset in _OFFSETS]
    share = cv2.blur(view.valid.astype(np.float32), (FAR, 1), borderType=cv2.BORDER_CONSTANT)
    known = np.asarray(view.tones * view.valid[..., None], np.float32)
    wide = cv2.blur(known, (FAR, 1), borderType=cv2.BORDER_CONSTANT) / np.maximum(share, 1e-3)[..., None]
    apart = GAP + FAR // 2 + 1
    places = [(along, np.clip(starts + at, 0, last)[:, None]) for at in (apart, -apart)]
    ahead, behind = (wide[place] for place in places)
    seen = weight * np.logical_and(*(share[place] > SEEN for place in places))
    total = np.maximum(seen.sum(axis=1), 1)[:, None]
    far_step = ((ahead - behind) * seen[..., None]).sum(axis=1) / total
    return Agreement.of(sides, weight, step=steps.step[blocks, starts], far_step=far_step)


_OFFSETS = (-3 * GAP, -GAP, GAP, 3 * GAP)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What sets a seam apart from an edge of the ground, (n,) each."""

    correlation: Plane
    """Of the ground on both sides along the line: what crosses a seam goes on, what ends at a wall does not."""
    variety: Plane
    """Standard deviation of what both sides have in common along the line, by the step: one even field shows little."""
    roughness: Plane
    """Variance of the difference across the line, by that of differences as far apart on either side."""
    slant: Plane
    """Slopes of the ground on either side, by the step: a step stands between even sides."""
    carry: Plane
    """The step between wide strips beside the line, by the step at the line, in its own color: it goes on."""

    @classmethod
    def of(cls, sides: list[Plane], weight: Plane, *, step: Plane, far_step: Plane) -> "Agreement":
        """Of the brightness at `_OFFSETS`, (n, length) each, counted by `weight` (n, length)."""
        total = np.maximum(weight.sum(axis=1), 1)

        def mean(values: Plane) -> Plane:
            return np.asarray((values * weight).sum(axis=1) / total, np.float32)

        def covariance(one: Plane, two: Plane) -> Plane:
            return np.asarray(mean(one * two) - mean(one) * mean(two), np.float32)

        behind2, behind, ahead, ahead2 = sides
        slopes = (behind - behind2, ahead2 - ahead)
        size2 = (step * step).sum(axis=1)
        own = np.maximum(covariance(behind, behind) * covariance(ahead, ahead), 0)
        beside = sum(np.maximum(covariance(s, s), 0) for s in slopes) / 2
        shared = covariance(behind, ahead)
        return cls(
            correlation=shared / np.sqrt(own + np.float32(NOISE**2)),
            variety=np.sqrt(np.maximum(shared, 0)) / (np.sqrt(size2) + np.float32(0.1)),
            roughness=np.asarray(
                np.maximum(covariance(ahead - behind, ahead - behind), 0) / (beside + np.float32(NOISE)), np.float32
            ),
            slant=sum(np.abs(mean(s)) for s in slopes) / (np.sqrt(size2) + np.float32(0.1)),
            carry=(far_step * step).sum(axis=1) / (size2 + np.float32(0.1)),
        )


def _whole(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Places (block, start) beside which all is valid that is compared near the line."""
    near = cv2.erode(
        valid.astype(np.uint8), np.ones((1, 8 * GAP + 1), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(near > 0)


def _along(plane: NDArray[np.floating], length: int) -> Plane:
    """Sums over `length` blocks around each block; nothing lies beyond the ends."""
    return np.asarray(
        cv2.boxFilter(plane, -1, (1, length), normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32
    )


def _background(sureness: Plane, known: NDArray[np.bool_]) -> Plane:
    """Root mean square of the sureness over the parallel lines within `REACH` starts."""
    size = (2 * REACH - 1, 1)
    square = np.maximum(cv2.blur(sureness * sureness, size, borderType=cv2.BORDER_CONSTANT), 0)
    share = cv2.blur(known.astype(np.float32), size, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(np.sqrt(square / np.maximum(share, np.float32(1e-6))) + np.float32(1e-6), np.float32)
