"""Search one plane of a view for hard-edged lines that run neither along rows nor along columns.

A slanted sensor line is a staircase without anti-aliasing: in every column it is `w` pixels high,
and from one column to the next it stays in its row or moves by one, always to the same side.

    # # # . . . . .
    . . . # # # . .          chain: start -> stay or step down -> ... `length` columns
    . . . . . . # #

First each pixel is asked alone whether a line could begin below the step above it. Then chains of
such pixels are grown for all pixels and planes at once (one bit for each plane and polarity), and
only where a chain of full length survives, which is rare on the ground, its straightness and the
laws of `stripe_lines` are checked.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.rules.stripe_lines import FLANK, Criteria, hardness_of

__all__ = ["SlantedPixels", "find_slanted"]

MAX_BEND = 0.8
"""Largest distance in rows of a chain from its straight line: a digital line stays within 0.5."""
MAX_BITS = 8
"""Planes times polarities that fit into one byte."""


@dataclass(frozen=True, eq=False)
class SlantedPixels:
    """Pixels of slanted lines with the margin of their line; n entries, a pixel may come often."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    confidences: NDArray[np.float64]

    def take(self, index: NDArray[np.bool_]) -> "SlantedPixels":
        """The pixels at `index`, (n,) bool."""
        return SlantedPixels(self.rows[index], self.cols[index], self.confidences[index])


def find_slanted(planes: list[NDArray[np.int16]], valid: NDArray[np.bool_], criteria: Criteria) -> list[SlantedPixels]:
    """Pixels of lines within 45 degrees of the rows, in up to four planes (row, col).

    Law: a piece depends only on the `length` columns from its start and on as many rows, and
    `max_width` + FLANK + 1 more, to either side.
    """
    if min(valid.shape) < criteria.length or 2 * len(planes) > MAX_BITS:
        return []
    is_step = None if valid.all() else valid[1:] & valid[:-1]
    signed = []
    for plane in planes:
        steps = plane[1:] - plane[:-1]
        if is_step is not None:
            steps *= is_step
        signed += [steps, -steps]
    begins = _begins(signed, criteria)
    level = _runs_along(begins, criteria.length)
    found = []
    for slant in (1, -1):
        chains = _chains(begins, slant, criteria.length) & ~level
        index = np.flatnonzero(chains)
        bits = chains.ravel()[index]
        rows, cols = np.divmod(index, chains.shape[1])
        for bit, steps in enumerate(signed):
            on = (bits >> bit) & 1 == 1
            if on.any():
                paths = _trace(begins, rows[on], cols[on], bit=bit, slant=slant, length=criteria.length)
                found += _examine(steps, paths, cols[on], criteria)
    return found


def _begins(signed: list[NDArray[np.int16]], criteria: Criteria) -> NDArray[np.uint8]:
    """Bit k is set at [r, c] where `signed[k]` steps up at r and back by about as much within reach."""
    result = np.zeros(signed[0].shape, np.uint8)
    # Bytes are twice as fast; a step over 255, in a color difference, is still a step.
    sizes = [np.asarray(cv2.convertScaleAbs(np.maximum(steps, 0)), np.uint8) for steps in signed]
    least = [np.maximum(size >> 1, np.uint8(np.ceil(criteria.min_offset))) for size in sizes]
    for bit in range(len(signed)):
        up, down, least_up, least_down = sizes[bit], sizes[bit ^ 1], least[bit], least[bit ^ 1]
        found = np.zeros(result.shape, np.bool_)
        for width in range(1, min(criteria.max_width, len(up) - 1) + 1):
            is_line = up[:-width] >= least_down[width:]
            is_line &= down[width:] >= least_up[:-width]
            found[:-width] |= is_line
        result |= found.view(np.uint8) * np.uint8(1 << bit)
    return result


def _runs_along(begins: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Bits that are set in `length` pixels along the row from here on (left to the axis search)."""
    runs, done = begins.copy(), 1
    while done < length:
        step = min(done, length - done)
        runs[:, :-step] &= runs[:, step:]
        runs[:, -step:] = 0
        done += step
    return runs


def _chains(begins: NDArray[np.uint8], slant: int, length: int) -> NDArray[np.uint8]:
    """Bits from which a chain of `length` columns starts that stays or moves by `slant` rows."""
    chains, ahead = begins.copy(), np.empty_like(begins)
    # Row r + slant of the last step, at the row r it is reached from.
    upper, lower = slice(None, -1), slice(1, None)
    here, there = (upper, lower) if slant > 0 else (lower, upper)
    for _ in range(length - 1):
        if not cv2.countNonZero(chains):  # the ground is given up after some columns
            break
        np.copyto(ahead, chains)
        ahead[here] |= chains[there]
        np.bitwise_and(begins[:, :-1], ahead[:, 1:], out=chains[:, :-1])
        chains[:, -1] = 0
    return chains


def _trace(
    begins: NDArray[np.uint8],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    *,
    bit: int,
    slant: int,
    length: int,
) -> NDArray[np.int64]:
    """Rows of the chains that start at (rows, cols), (n, length): stay where possible, else move."""
    paths = np.empty((len(rows), length), np.int64)
    paths[:, 0] = rows
    for k in range(1, length):
        here = paths[:, k - 1]
        stays = (begins[here, cols + k] >> bit) & 1 == 1
        np.minimum(np.maximum(here + np.where(stays, 0, slant), 0), len(begins) - 1, out=paths[:, k])
    return paths


def _examine(
    steps: NDArray[np.int16], paths: NDArray[np.int64], cols: NDArray[np.int64], criteria: Criteria
) -> list[SlantedPixels]:
    """Pixels of the chains (n, length) that are straight and keep the laws of a line."""
    straight = _bend(paths) <= MAX_BEND
    paths = paths[straight]
    if len(paths) == 0:
        return []
    columns = cols[straight, None] + np.arange(criteria.length)
    last = len(steps) - 1
    around = np.arange(-FLANK, criteria.max_width + FLANK + 1)
    profile = [steps[np.clip(paths + k, 0, last), columns] for k in around]  # (n, length) each
    sums = np.stack([p.sum(axis=1, dtype=np.int32) for p in profile], axis=1)  # (n, rows around)
    found = []
    for width in range(1, criteria.max_width + 1):
        hardness = hardness_of(sums[:, : width + 2 * FLANK + 1], width=width, criteria=criteria)
        offset = np.minimum(sums[:, FLANK], -sums[:, FLANK + width])
        hard = np.flatnonzero((hardness >= 0) & (offset >= criteria.min_offset * criteria.length))
        if len(hard) == 0:
            continue
        small = np.minimum(profile[FLANK][hard], -profile[FLANK + width][hard]).astype(np.int32)
        agreement = (2 * criteria.length * small >= offset[hard, None]).mean(axis=1)
        steady = (agreement - criteria.min_agreement) / (1 - criteria.min_agreement)
        keep, margin = hard[steady >= 0], (hardness[hard] + steady)[steady >= 0] / 2
        if len(keep):
            found.append(_pixels(paths[keep], columns[keep], width, margin))
    return found


def _bend(paths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest distance in rows of each path (n, length) from its least-squares line, (n,)."""
    along = np.arange(paths.shape[1]) - (paths.shape[1] - 1) / 2
    centered = paths - paths.mean(axis=1, keepdims=True)
    slopes = centered @ along / (along @ along)
    return np.asarray(np.abs(centered - slopes[:, None] * along).max(axis=1, initial=0.0))


def _pixels(
    paths: NDArray[np.int64], columns: NDArray[np.int64], width: int, confidences: NDArray[np.float64]
) -> SlantedPixels:
    """Every pixel of lines of `width` rows that begin below the steps at `paths`."""
    rows = paths[:, :, None] + 1 + np.arange(width)  # (n, length, width)
    cols = np.broadcast_to(columns[:, :, None], rows.shape)
    margin = np.broadcast_to(confidences[:, None, None], rows.shape)
    return SlantedPixels(rows.ravel(), cols.ravel(), margin.ravel())
