"""Missing pixels: black or white points, blocks and wedges, dropped lines, lost bands.

Black and white alone say little: cameras clip deep shadow to 0 and roofs, surf and cloud to 255.
What they clip has passed a lens, so its edge takes a pixel or more to fade. What a sensor, a disk or
a link lost has no such edge (`missing_edge`).

    8-bit scene compressed with loss  -> nearly black or white, flat, hard-edged (`missing_lossy`)
    any other scene                   -> exactly black or white (`missing_exact`),
                                         or so in one band alone (`missing_band`)

Every pixel gets a confidence from the edges around it; `accept` then judges each component as one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.rules import missing_exact, missing_lossy
from clearscene.rules.missing_band import lost_bands
from clearscene.rules.missing_edge import FAR, grown
from clearscene.rules.missing_exact import ExactEdge, Target, is_wide, raise_score
from clearscene.rules.missing_lossy import LossyEdge, score_lossy
from clearscene.rules.rule import Evidence, View
from clearscene.runs import Components

__all__ = ["MODES", "MissingRule"]

MODES = ("default", "paper")

Mask = NDArray[np.bool_]
"""(row, col)."""

CERTAIN = 0.5
"""Confidence from which on a pixel stays, whatever is around it."""

KEPT = 0.25
"""Confidence from which on a pixel of a wide region stays, for `accept` to judge the region as one."""

SETTLED = 0.6
"""Confidence of exact black or white within 24 px, beside which no trace of an earlier compression is looked for."""

SURPLUS = 0.05
"""Confidence above 0.5 that the pixels along the outline of a finding have on average."""

COLLAR_MARGIN = 8
"""Pixels beside a collar where nothing is reported: compression leaves dots of black or white there."""


@dataclass(frozen=True)
class MissingRule:
    """Finds pixels that hold no picture.

    Default mode marks, among valid pixels,
    - points, blocks, lines and wedges of exact black or exact white in all bands with an edge
      as hard as loss makes it,
    - the same in one band, `min_run` pixels long or more, where the other bands go on undisturbed (lost band),
    - in 8-bit scenes compressed with loss instead blocks and wedges of 64 px or more and lines of 25 px
      or more that are flat and nearly black or white; points and lost bands do not survive there,
    - in other 8-bit scenes also such blocks of 400 px or more, as traces of an earlier compression with loss.
    Nothing is reported within 8 px of a collar.

    `mode="paper"` marks [0, 0, 0] and [255, 255, 255] directly, with confidence 1, as published
    (Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET Image
    Processing 2023, section 3.6).

    Confidence: 1 where the ring is as different as its surround and no part of it faded, 0 where it is
    no different, 0.5 at the threshold (`sharpness` and its kin, `fading`) and where no edge is in reach.
    """

    mode: str = "default"
    """`default` or `paper`."""
    sharpness: float = 0.7
    """Contrast of the ring over that of its surround, from which on an edge is hard."""
    point_sharpness: float = 0.5
    """The same for points, whose ring of 8 pixels varies more."""
    lossy_sharpness: float = 0.8
    """The same in scenes compressed with loss, where dark and bright things that are not quite black or white count."""
    fading: float = 0.33
    """Share of the ring of a point that may be nearer to the color than to its surround."""
    lossy_fading: float = 0.23
    """Share of any ring that may be nearer to the color than to the ground usual there, after loss."""
    company: int = 1
    """Pixels within 8 of a point that may come as near to its color as 0.3 of what is usual there."""
    min_black: float = 8.0
    """Levels of 255 that the ring of black must have on average (8-bit scenes)."""
    min_lossy_black: float = 24.0
    """The same in scenes compressed with loss."""
    min_white: float = 30.0
    """Levels of 255 that the ring of white must lack on average."""
    min_run: int = 17
    """Pixels in a row or column that a lost band takes at least, an odd number."""
    name: str = "missing"
    reach: int = 3

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise OptionError(f"Mode {self.mode!r} of the missing rule is unknown.", hint=f"Use one of {MODES}.")
        if self.min_run < 1 or self.min_run % 2 == 0:
            raise OptionError(
                f"min_run {self.min_run} of the missing rule is not an odd number.", hint="Use 17, for example."
            )

    @property
    def halo(self) -> int:
        """Pixels that `detect` needs around each pixel."""
        if self.mode == "paper":
            return 0
        return max(missing_lossy.REACH, missing_exact.REACH + self.min_run)

    def detect(self, view: View) -> Evidence:
        """Mark missing pixels."""
        is_lossy = view.is_lossy and view.data.dtype == np.uint8 and self.mode == "default"
        if is_lossy:
            return _off_collar(view, self._detect_lossy(view))
        black = _in_all_bands(view.data == 0) & view.valid
        white = _in_all_bands(view.data == view.white) & view.valid
        if self.mode == "paper":
            mask = black | white
            return Evidence(mask, mask.astype(np.float32))
        return _off_collar(view, self._detect_exact(view, black, white))

    def accept(self, components: Components) -> Mask:
        """Drop components that no edge speaks for, (n,).

        Undecided pixels (the middle of large blocks) have confidence 0.5, so they do not vote. What
        the others lie above 0.5 in sum must reach 0.05 for each pixel along the outline.
        """
        if self.mode == "paper":
            return np.ones(components.n, np.bool_)
        surplus = components.weights - CERTAIN * components.areas
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
            "lossy_sharpness": self.lossy_sharpness,
            "fading": self.fading,
            "lossy_fading": self.lossy_fading,
            "company": self.company,
            "min_black": self.min_black,
            "min_lossy_black": self.min_lossy_black,
            "min_white": self.min_white,
            "min_run": self.min_run,
        }

    def _detect_lossy(self, view: View) -> Evidence:
        score = self._score_lossy(view)
        return Evidence(score >= KEPT, score)

    def _score_lossy(self, view: View) -> NDArray[np.float32]:
        score = np.zeros(view.valid.shape, np.float32)
        for is_white, least in ((False, self.min_lossy_black), (True, self.min_white)):
            edge = LossyEdge(self.lossy_sharpness, self.lossy_fading, least, view.is_lossy)
            np.maximum(score, score_lossy(view.data, view.valid, is_white=is_white, edge=edge), out=score)
        return score

    def _detect_exact(self, view: View, black: Mask, white: Mask) -> Evidence:
        score, flat = np.zeros(view.valid.shape, np.float32), black | white
        edge = ExactEdge(self.sharpness, self.point_sharpness, self.fading, self.company)
        least = self._least_black(view), self.min_white * view.white / 255.0
        mask = never = np.zeros(flat.shape, np.bool_)
        if flat.any():
            for region, color, contrast in ((black, 0.0, least[0]), (white, view.white, least[1])):
                target = Target(region, color, contrast, flat, never)
                raise_score(score, view.data, view.valid, target=target, edge=edge)
            mask = is_wide(flat) & (score >= KEPT)
        if len(view.data) > 1:
            targets, against = lost_bands(view, flat, least=least, min_run=self.min_run)
            for band, target in targets:
                raise_score(score, view.data[band : band + 1], view.valid, target=target, edge=edge)
            # With confidence 0, these vote in `accept` against the component they belong to.
            mask = mask | against
        if view.data.dtype == np.uint8:
            traces = self._score_lossy(view)
            traces[_is_near(score >= SETTLED)] = 0
            np.maximum(score, traces, out=score)
        return Evidence(mask | (score >= CERTAIN), score)

    def _least_black(self, view: View) -> float:
        """Contrast that the ring of black must have: none in wider types, whose scale may be any."""
        return self.min_black * view.white / 255.0 if view.data.dtype == np.uint8 else 0.0


def _is_near(mask: Mask) -> Mask:
    """Pixels with any of the mask within `FAR`."""
    return grown(mask, FAR) if mask.any() else mask


def _in_all_bands(flags: Mask) -> Mask:
    return np.asarray(np.logical_and.reduce(flags))


def _off_collar(view: View, evidence: Evidence) -> Evidence:
    """The evidence without what lies beside the collar."""
    if not view.collar.any():
        return evidence
    rim = grown(view.collar, COLLAR_MARGIN)
    return Evidence(evidence.mask & ~rim, np.where(rim, np.float32(0), evidence.confidence))
