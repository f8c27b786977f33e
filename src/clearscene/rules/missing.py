"""Missing pixels: black or white points, blocks and wedges, dropped lines, lost bands.

Black and white alone say little: cameras clip deep shadow to 0 and roofs, surf and cloud to 255.
What they clip has passed a lens, so its edge takes a pixel or more to fade. What a sensor, a disk or
a link lost has no such edge: its ring, one pixel out, is as different as the ground further out, so
the contrast of the ring over that of its surround is near 1, where a faded edge has far less.

The ratio needs no threshold of brightness, so it holds in dark and in bright scenes. Exact black and
white do not survive a compression with loss, nor do hard edges: pixels lost *before* a scene was
written as JPEG are not found by this rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.grid import expand, slices, windows
from clearscene.rules.missing_edge import FAR, NEAR, SURROUND, EdgeContrast, grown, long_runs, pool
from clearscene.rules.missing_lossy import REACH, LossyEdge, score_lossy
from clearscene.rules.rule import Evidence, View
from clearscene.runs import Components

__all__ = ["MODES", "MissingRule"]

MODES = ("default", "paper")

Mask = NDArray[np.bool_]
Sums = NDArray[np.float64]

AROUND = 8
""""""

NEARER = 0.3
""""""

PIECE = 9
""""""

LARGE_FADING = 0.6
""""""

UNDECIDED = 0.5
"""Confidence of a pixel that sees no edge: the middle of a block wider than the halo."""

POINT = 12
"""Pixels of the region up to which the small pool is asked; wider regions give the steadier large pool."""

BLOCK = 256
"""Side of the blocks that are worked on; those without black or white are skipped."""

WEAK = 0.49
"""Confidence that a ring too close to the color can reach."""

KEPT = 0.3
"""Confidence from which on a pixel of a wide region stays, for `accept` to judge the region as one."""

SURPLUS = 0.05
"""Confidence above 0.5 that the pixels along the outline of a finding have on average."""

ALL_DEAD = 0.55
"""Confidence of a pixel whose whole neighborhood lost one band."""

COLLAR_MARGIN = 8
"""Pixels beside a collar where nothing is reported: compression leaves dots of black or white there."""


@dataclass(frozen=True)
class MissingRule:
    """Finds pixels that hold no picture.

    Default mode marks, among valid pixels,
    - points, blocks, lines and wedges of exact black or exact white in all bands with an edge
      as hard as loss makes it (module docstring),
    - the same in one band, `min_run` pixels long or more, where the other bands go on undisturbed (lost band).
    Nothing is reported within 8 px of a collar.

    `mode="paper"` marks [0, 0, 0] and [255, 255, 255] directly, with confidence 1, as published
    (Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET Image
    Processing 2023, section 3.6).

    Confidence: 1 where the ring is as different as its surround, 0 where it is no different,
    0.5 at the threshold (`sharpness`, `point_sharpness`) and where no edge is in reach.
    """

    mode: str = "default"
    """`default` or `paper`."""
    sharpness: float = 0.72
    """Contrast of the ring over that of its surround, from which on an edge is hard."""
    point_sharpness: float = 0.5
    """The same for points, whose ring of 8 pixels varies more."""
    min_black: float = 8.0
    """Levels of 255 that the ring of black must have on average (8-bit scenes)."""
    min_white: float = 30.0
    """Levels of 255 that the ring of white must lack on average."""
    fading: float = 0.33
    """Share of the ring that may be nearer to the color than to its surround."""
    crowd: int = 1
    """Pixels"""
    lossy_sharpness: float = 0.8
    """Contrast of the ring over that of its surround, from which on an edge is hard, after compression with loss."""
    min_lossy_black: float = 24.0
    """Levels of 255 that the ring of black must have on average, after compression with loss."""
    min_run: int = 17
    """Pixels in a row or column that a lost band takes at least."""
    name: str = "missing"
    reach: int = 3

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise OptionError(f"Mode {self.mode!r} of the missing rule is unknown.", hint=f"Use one of {MODES}.")

    @property
    def halo(self) -> int:
        """Pixels that `detect` needs around each pixel: pool, surround, ring and the longest run."""
        return max(REACH, FAR + SURROUND + 2 + self.min_run) if self.mode == "default" else 0

    def detect(self, view: View) -> Evidence:
        """Mark missing pixels."""
        black = _all_bands(view.data == 0) & view.valid
        white = _all_bands(view.data == view.white) & view.valid
        if self.mode == "paper":
            mask = black | white
            return Evidence(mask, mask.astype(np.float32))
        if view.is_lossy and view.data.dtype == np.uint8:
            return self._detect_lossy(view)
        return self._detect_hard(view, black, white)

    def accept(self, components: Components) -> Mask:
        """Drop components that no edge speaks for.

        Undecided pixels (the middle of large blocks) have confidence 0.5, so they do not vote. What
        the others lie above 0.5 in sum must reach 0.05 for each pixel along the outline.
        """
        if self.mode == "paper":
            return np.ones(components.n, np.bool_)
        surplus = components.weights - UNDECIDED * components.areas
        outline = np.minimum(components.areas, FAR * 2 * (components.lengths + components.widths))
        return np.asarray(surplus > SURPLUS * outline)

    def parameters(self) -> Mapping[str, float | int | str]:
        """What the report prints."""
        if self.mode == "paper":
            return {"mode": self.mode}
        return {
            "mode": self.mode,
            "sharpness": self.sharpness,
            "point_sharpness": self.point_sharpness,
            "min_black": self.min_black,
            "min_white": self.min_white,
            "min_run": self.min_run,
        }

    def _detect_hard(self, view: View, black: Mask, white: Mask) -> Evidence:
        score = np.zeros(view.valid.shape, np.float32)
        flat = black | white
        if flat.any():
            never = np.zeros(flat.shape, np.bool_)
            least_white = self.min_white * view.white / 255.0
            self._score(score, view.data, view.valid, _Target(black, 0.0, self._least_black(view), flat, never))
            self._score(score, view.data, view.valid, _Target(white, view.white, least_white, flat, never))
        against = np.zeros(flat.shape, np.bool_)
        if len(view.data) > 1:
            targets, against = self._lost_bands(view, flat)
            for band, target in targets:
                self._score(score, view.data[band : band + 1], view.valid, target)
        if view.collar.any():
            rim = grown(view.collar, COLLAR_MARGIN)
            score[rim], against[rim] = 0, False
        wide = pool(flat.astype(np.float32), NEAR) > POINT if flat.any() else flat
        return Evidence((score >= UNDECIDED) | (wide & (score >= KEPT)) | against, score)

    def _detect_lossy(self, view: View) -> Evidence:
        score = np.zeros(view.valid.shape, np.float32)
        for is_white, least in ((False, self.min_lossy_black), (True, self.min_white)):
            edge = LossyEdge(self.lossy_sharpness, self.fading, least)
            np.maximum(score, score_lossy(view.data, view.valid, is_white=is_white, edge=edge), out=score)
        if view.collar.any():
            score[grown(view.collar, COLLAR_MARGIN)] = 0
        return Evidence(score >= KEPT, score)

    def _score(self, score: NDArray[np.float32], data: NDArray[np.generic], valid: Mask, target: "_Target") -> None:
        """Raise `score` (row, col) in place where `target` has hard edges, block by block where it has pixels."""
        height, width = valid.shape
        for block in windows(height, width, BLOCK):
            inner = slices(block)
            if not target.region[inner].any():
                continue
            outer = slices(expand(block, FAR + SURROUND + 2, height=height, width=width))
            core = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
            found = self._margin(data[(slice(None), *outer)], valid[outer], target.cut(outer))[core]
            np.maximum(score[inner], found, out=score[inner])

    def _margin(self, data: NDArray[np.generic], valid: Mask, target: "_Target") -> NDArray[np.float32]:
        """Confidence of the pixels of `target`, 0 elsewhere, (row, col)."""
        ring = grown(target.region, 1) & valid & ~target.excluded & ~target.region
        surround = valid & ~target.excluded & ~target.region & ~ring
        difference = _difference(data, target.color)
        contrast = EdgeContrast.of(difference, ring, surround)
        large = pool(target.region.astype(np.float32), NEAR) > POINT
        pooled = contrast.pooled(target.region, large)
        margin = pooled.margin(np.where(large, self.sharpness, self.point_sharpness), np.where(large, LARGE_FADING, self.fading))
        weak = pooled.strength < target.least * len(data)
        weak |= ~large & ~long_runs(target.region, PIECE) & (_crowd(difference, surround | ring) > self.crowd)
        margin[weak] = np.minimum(margin[weak], WEAK)
        margin = np.where(np.isnan(pooled.ratio), np.where(target.speaks, ALL_DEAD, UNDECIDED), margin)
        return np.where(target.region, np.clip(margin, 0.0, 1.0), 0.0).astype(np.float32)

    def _lost_bands(self, view: View, flat: Mask) -> "tuple[list[tuple[int, _Target]], Mask]":
        """Regions where one band is 0 or white in long runs and the others live, by band.

        Also the pixels that speak against a loss, because the other bands change with the dead one.
        """
        against = np.zeros(flat.shape, np.bool_)
        targets = []
        live = (view.data > 0) & (view.data < view.white) & view.valid
        for band in range(len(view.data)):
            others = np.delete(np.arange(len(view.data)), band)
            for color, least in ((0.0, self._least_black(view)), (view.white, self.min_white * view.white / 255)):
                dead = (view.data[band] == color) & view.valid
                if np.count_nonzero(dead) < self.min_run:
                    continue
                region = long_runs(dead & live[others].all(axis=0), self.min_run | 1)
                if not region.any():
                    continue
                calm = _undisturbed(view, region, dead, others)
                against |= region & ~calm
                region &= calm
                # Without edge or black and white in reach the whole neighborhood is dead: that speaks for itself.
                speaks = pool(flat.astype(np.float32), FAR) == 0
                targets.append((band, _Target(region, color, least, dead | flat, speaks)))
        return targets, against

    def _least_black(self, view: View) -> float:
        """Contrast that the ring of black must have: none in wider types, whose scale may be any."""
        return self.min_black * view.white / 255.0 if view.data.dtype == np.uint8 else 0.0


@dataclass(frozen=True, eq=False)
class _Target:
    """A region of one color to be tested."""

    region: Mask
    color: float
    least: float
    """Mean contrast of the ring below which nothing is reported, in units of the data."""
    excluded: Mask
    """Pixels that are neither ring nor surround."""
    speaks: Mask
    """Where the region counts as lost even if no edge is in reach."""

    def cut(self, box: tuple[slice, slice]) -> "_Target":
        """The target inside a rectangle."""
        return _Target(self.region[box], self.color, self.least, self.excluded[box], self.speaks[box])


def _all_bands(flags: Mask) -> Mask:
    return np.asarray(np.logical_and.reduce(flags))


def _difference(data: NDArray[np.generic], color: float) -> NDArray[np.floating]:
    """Difference from the color summed over bands, whole numbers, (row, col)."""
    kind = np.float32 if data.dtype == np.uint8 else np.float64
    far: NDArray[np.floating] = data.astype(kind)
    return np.asarray(np.abs(far - color).sum(axis=0))


def _crowd(difference: NDArray[np.floating], others: Mask) -> NDArray[np.floating]:
    """How many of the `others` around each pixel come much nearer to the color than usual there: (row, col)."""
    kind = difference.dtype
    mean = pool(np.where(others, difference, 0).astype(kind), AROUND) / np.maximum(pool(others.astype(kind), AROUND), 1)
    return pool((others & (difference < NEARER * mean)).astype(kind), AROUND)


def _around(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """The smallest rectangle around the True pixels, `margin` wider; None without any."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return None
    cols = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, cols[0] - margin), cols[-1] + 1 + margin),
    )


def _undisturbed(view: View, region: Mask, dead: Mask, others: NDArray[np.integer]) -> Mask:
    """Where the other bands do not change at the edge of a region by half as much as a lost band does.

    Water that is black in red is another color in green as well; a lost band leaves green alone.
    """
    box = _around(region, FAR + 2)
    result = np.ones(region.shape, np.bool_)
    if box is None:
        return result
    inner = region[box]
    ring = grown(inner, 1) & ~dead[box] & view.valid[box]
    rim = inner & grown(ring, 1)
    rest = _difference(view.data[(others, *box)], 0.0)
    kind = rest.dtype
    n_in, n_out = (pool(m.astype(kind), FAR) for m in (rim, ring))
    mean_in, mean_out = (
        pool(np.where(m, rest, 0).astype(kind), FAR) / np.maximum(n, 1) for m, n in ((rim, n_in), (ring, n_out))
    )
    change = np.abs(mean_in - mean_out)
    result[box] = (n_in == 0) | (n_out == 0) | (change <= 0.15 * np.maximum(mean_in, mean_out))
    return result
