"""The stripe rule: thin straight lines that a sensor or a transmission added to the scene.

The search itself is in `stripe_lines` (along rows and columns) and `stripe_oblique` (all other
directions); the published method is in `stripe_paper`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.rules.rule import Evidence, View
from clearscene.rules.stripe_lines import FLANK, Criteria, Lines, find_lines
from clearscene.rules.stripe_oblique import SlantedPixels, find_slanted
from clearscene.rules.stripe_paper import paper_stripes
from clearscene.runs import Components

__all__ = ["StripeRule"]

STRAIGHT = (
    Criteria(length=32, min_offset=5.0, min_agreement=0.75),
    Criteria(length=96, min_offset=3.0, min_agreement=0.35, min_contrast=4.5),
)
"""Along rows and columns: the longer the window, the weaker a line may be."""
SLANTED = Criteria(length=24, min_offset=10.0, min_agreement=0.8)
"""In other directions, where every column has to show the line."""
SHORT = 32.0
"""Pixels of length at which a finding needs twice the confidence of an endless one."""
STRIP = 384
"""Rows searched at a time; strips overlap, so that the result is the same with any number."""
LEVELS = 255
"""Steps of confidence: whole numbers add up alike in every cut of the scene."""


@dataclass(frozen=True)
class StripeRule:
    """Find stripe noise: hard-edged straight lines of constant width and even offset.

    Law: in the default mode `detect` answers alike for a pixel in every view that holds the pixel
    and `halo` pixels around it. In paper mode it looks at blocks of 512 px from the corner of the
    view, as published, and so depends on the cut.

    Finds lines 1 to 6 px wide and 32 px long or more, bright and dark, in one band or all, in any
    direction. How weak they may be depends on the ground; `benchmarks/stripe_rule.py` measures it.
    Lines on the ground are told apart by their soft edges, uneven sides and varying contrast, not
    by their direction. JPEG with halved color smears lines in one band: most of those are missed.
    A line along the very border of the scene, or wider than the gap to the next, is not found.

    Confidence is the mean of two margins, each 0 at the threshold and 1 for a perfect line: how
    many columns agree, and how hard and balanced the edges are; averaged over the windows in which
    a pixel was found. In paper mode it is 1.

    Source: seed of the inspection part, section 3.6; the default mode is our own.
    """

    mode: Literal["default", "paper"] = "default"
    """`paper` is the published method, for comparison."""
    saturate: bool = True
    """Paper mode: raise the saturation first."""
    straight: tuple[Criteria, ...] = STRAIGHT
    """Criteria for lines along rows and columns; a line passes if it meets one of them."""
    slanted: Criteria | None = SLANTED
    """Criteria for lines in other directions; None leaves them out."""
    min_length: int = 24
    """Shortest finding in rows or columns, pixels, over the whole scene."""
    min_margin: float = 0.2
    """Confidence below which a piece of a line is not even looked at: it could hang on to a real stripe."""
    min_confidence: float = 0.25
    """Mean confidence an endless finding needs; one of 32 px needs twice as much."""
    name: str = field(default="stripe", init=False)
    reach: int = field(default=3, init=False)

    def __post_init__(self) -> None:
        if self.mode not in ("default", "paper"):
            raise OptionError(f"Stripe mode {self.mode!r} does not exist.", hint='Use "default" or "paper".')

    @property
    def halo(self) -> int:
        """Pixels that `detect` needs around each pixel: the longest window and its flanks."""
        every = (*self.straight, *((self.slanted,) if self.slanted else ()))
        return 0 if self.mode == "paper" else max(c.length + c.max_width + FLANK + 1 for c in every)

    def detect(self, view: View) -> Evidence:
        """Mark pixels on lines; dead pixels (black or white in all bands) belong to `missing`."""
        if self.mode == "paper":
            mask = paper_stripes(view.display, saturate=self.saturate) & view.valid
            return Evidence(mask, mask.astype(np.float32))
        planes = _planes(view.display)
        mask, confidence = self._search(planes, view.valid)
        upright = [np.asarray(cv2.transpose(p), np.int16) for p in planes]  # numpy needs six times as long
        other, level = self._search(upright, np.ascontiguousarray(view.valid.T))
        mask |= other.T
        np.maximum(confidence, level.T, out=confidence)
        dead = (view.data == 0).all(axis=0) | (view.data == view.white).all(axis=0)
        return Evidence(mask & view.valid & ~dead, confidence)

    def _search(
        self, planes: list[NDArray[np.int16]], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Mask and confidence of lines within 45 degrees of the rows."""
        height = valid.shape[0]
        mask, confidence = np.zeros(valid.shape, np.bool_), np.zeros(valid.shape, np.float32)
        margin = self._rows_needed
        for top in range(0, height, STRIP):
            first, last = max(0, top - margin), min(height, top + STRIP + margin)
            found = self._search_strip([p[first:last] for p in planes], valid[first:last])
            for target, part in zip((mask, confidence), found, strict=True):
                target[top : top + STRIP] = part[top - first : top - first + STRIP]
        return mask, confidence

    @property
    def _rows_needed(self) -> int:
        """Rows to either side of a pixel that a search along the rows looks at."""
        across = max(c.max_width for c in self.straight) + FLANK + 1
        return max(across, self.slanted.length + self.slanted.max_width + FLANK + 1 if self.slanted else 0)

    def _search_strip(
        self, planes: list[NDArray[np.int16]], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `_search`, for a strip of rows that fits into the cache of a core."""
        canvas = _Canvas(valid.shape)
        for plane in planes:
            for criteria in self.straight:
                for lines in find_lines(plane, valid, criteria):
                    canvas.draw(lines.take(lines.confidences >= self.min_margin))
        slanted = find_slanted(planes, valid, self.slanted) if self.slanted else []
        return canvas.result([part.take(part.confidences >= self.min_margin) for part in slanted])

    def accept(self, components: Components) -> NDArray[np.bool_]:
        """Keep what is long enough, and the surer the shorter it is, (n,).

        Elongation was required window by window: a component may be a grid of stripes.
        """
        if self.mode == "paper":
            return np.ones(components.n, np.bool_)
        rows, cols = components.bottoms - components.tops, components.rights - components.lefts
        extent = np.maximum(rows, cols)
        needed = self.min_confidence * (1 + SHORT / np.maximum(extent, 1))
        return np.asarray((extent >= self.min_length) & (components.confidences >= needed))

    def parameters(self) -> Mapping[str, float | int | str]:
        """Every parameter by name."""
        if self.mode == "paper":
            return {"mode": self.mode, "saturate": str(self.saturate).lower()}
        found: dict[str, float | int | str] = {"mode": self.mode}
        named = [(f"straight_{c.length}", c) for c in self.straight]
        for name, criteria in [*named, *([("slanted", self.slanted)] if self.slanted else [])]:
            found |= {f"{name}_{key}": value for key, value in vars(criteria).items()}
        return found | {k: getattr(self, k) for k in ("min_length", "min_margin", "min_confidence")}


def _planes(display: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """Brightness and two color differences, (row, col) each; the gray band alone where there is no color.

    A stripe in one band stands out in a difference, where the texture of the ground cancels. The
    brightness has the weights of JPEG in sixteenths: only there do edges stay hard in a lossy scene.
    """
    data = display.astype(np.int16)
    if len(data) < 3:
        return [data[0]]
    red, green, blue = data[:3]
    return [(5 * red + 9 * green + 2 * blue) >> 4, red - green, green - blue]


class _Canvas:
    """Collects pieces of lines and tells how sure each pixel is."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        # Changes of the sums from one column to the next, so that a piece costs two additions.
        self._count = np.zeros((shape[0], shape[1] + 1), np.int32)
        self._level = np.zeros((shape[0], shape[1] + 1), np.int32)

    def draw(self, lines: Lines) -> None:
        """Add pieces of lines along the rows."""
        level = np.rint(LEVELS * lines.confidences).astype(np.int32)
        for step in range(int(lines.widths.max(initial=0))):
            on = lines.widths > step
            rows = lines.rows[on] + step
            for cols, sign in ((lines.starts[on], 1), (lines.stops[on], -1)):
                np.add.at(self._count, (rows, cols), sign)
                np.add.at(self._level, (rows, cols), sign * level[on])

    def result(self, slanted: list[SlantedPixels]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Pixels on any piece, and their mean confidence over the pieces, (row, col) each."""
        used = np.flatnonzero(self._count.any(axis=1))
        count, level = (np.zeros((len(d), d.shape[1] - 1), np.int32) for d in (self._count, self._level))
        count[used] = np.cumsum(self._count[used], axis=1)[:, :-1]
        level[used] = np.cumsum(self._level[used], axis=1)[:, :-1]
        for part in slanted:
            inside = part.rows < len(count)
            rows, cols = part.rows[inside], part.cols[inside]
            np.add.at(count, (rows, cols), 1)
            np.add.at(level, (rows, cols), np.rint(LEVELS * part.confidences[inside]).astype(np.int32))
        return count > 0, (level / (LEVELS * np.maximum(count, 1))).astype(np.float32)
