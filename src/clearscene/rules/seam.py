"""The seam rule: long lines across which the tone steps, while the ground goes on as if nothing was there.

A mosaic shows its seams as steps in tone. So do walls, roads, shores and the edges of fields; but
there the ground itself is another on each side. At a seam whatever crosses it - a hedge, a furrow,
the grain of a wood - is seen on both sides in step, only lighter or darker, and the step has one
color all along. The rule looks for such lines in a reduced picture of the whole scene, because a
seam shows by its length: over a stretch as long as a tile it drowns in the texture of the ground.

Own method; seed of the inspection part, table 1 (stitching trace), says what is to be found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.rules.seam_steps import BLOCK, Sheared, Steps, measure_steps, shear, sides_agree
from clearscene.stream import ordered_map

__all__ = ["SeamRule", "Seams"]

Mask = NDArray[np.bool_]
"""(row, col)."""
Plane = NDArray[np.float32]
"""(row, col)."""

SLOPES = 16
"""Directions between a row and a diagonal."""
LARGEST = 1280
"""Rows or columns of the picture in which seams are looked for, at most."""
BESIDE = 2
"""Starts by which places of one line may differ: half a step of direction, over half a stretch."""


@dataclass(frozen=True, eq=False)
class Seams:
    """Where a picture shows seams."""

    mask: Mask
    """(row, col), bands of 5 px along the seams."""
    confidence: Plane
    """(row, col): share of the stretch around a place that shows the step, in one color. 0 where there is none."""


@dataclass(frozen=True)
class SeamRule:
    """Find stitching traces: steps in tone along straight lines, or lines that are straight piece by piece.

    Laws: turning or mirroring the picture turns or mirrors what is found, but for the places that the
    blocks of columns cut otherwise; a gain or an offset of the whole picture that clips nothing
    hardly changes it; what is not valid has no say.

    A seam is found where the step is clear against the ground (`min_sureness`, `min_contrast`) and the
    ground goes on across it, over most of a stretch of `stretch` blocks. How faint it may be depends on
    the ground; `benchmarks/seam_rule.py` measures it. Seams that wind all the time, are feathered over
    more than some pixels of the picture, or cross ground without any texture, are mostly missed.
    """

    window: int = 32
    """Blocks of 4 px of the picture over which a step is averaged."""
    stretch: int = 48
    """Blocks over which a seam has to show."""
    min_cover: float = 0.5
    """Share of the stretch that has to show the step, in one color."""
    min_step: float = 1.5
    """Levels of 255, over brightness and both color differences."""
    min_sureness: float = 6.0
    """Step by its error."""
    min_contrast: float = 2.8
    """Sureness by that of the parallel lines nearby."""
    min_correlation: float = 0.3
    """Of the brightness along both sides."""
    min_variety: float = 0.35
    """Spread of the ground that both sides share, by the step."""
    max_roughness: float = 2.0
    """Variance across the line by that beside it."""
    max_slant: float = 0.7
    """Slopes beside the line by the step."""
    min_carry: float = 0.4
    """Share of the step that is left between wide strips beside the line."""
    max_carry: float = 1.8
    """Where it grows beyond this away from the line, the line is only the rim of something."""
    name: str = field(default="stitching_trace", init=False)

    @property
    def shortest(self) -> int:
        """Pixels of the picture below which nothing can be told: the stretch has to fit in."""
        return self.stretch * BLOCK

    def parameters(self) -> Mapping[str, float | int | str]:
        """What the report prints: every parameter by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @staticmethod
    def reduction(height: int, width: int) -> int:
        """How many pixels of a scene make one of the picture, in rows and columns: a power of two."""
        factor = 1
        while max(height, width) > LARGEST * factor:
            factor *= 2
        return factor

    def find(self, display: NDArray[np.uint8], valid: Mask, *, workers: int = 1) -> Seams:
        """Look for seams in a picture.

        Args:
            display: (band, row, col), red, green and blue, or one gray, as displayed.
            valid: (row, col).
            workers: Threads; each holds about 90 bytes a pixel.
        """
        mask, confidence = np.zeros(valid.shape, np.bool_), np.zeros(valid.shape, np.float32)
        if max(valid.shape) < self.shortest or not valid.any():
            return Seams(mask, confidence)
        tones = _tones(display, valid)
        columns = (np.ascontiguousarray(np.moveaxis(tones, 0, 1)), tones)  # of the picture, and of the one turned
        slopes = np.arange(-SLOPES, SLOPES + 1) / SLOPES
        todo = [(0, float(m)) for m in slopes] + [(1, float(m)) for m in slopes[1:-1]]
        todo = [(turned, m) for turned, m in todo if len(columns[turned]) >= self.shortest]

        def one(direction: tuple[int, float]) -> tuple[NDArray[np.intp], NDArray[np.intp], Plane]:
            turned, slope = direction
            first, second, cover = self._along(columns[turned], slope)
            return (second, first, cover) if turned else (first, second, cover)

        for rows, cols, cover in ordered_map(one, todo, workers=workers):
            inside = (rows >= 0) & (rows < valid.shape[0]) & (cols >= 0) & (cols < valid.shape[1])
            np.maximum.at(confidence, (rows[inside], cols[inside]), cover[inside])
        mask = (confidence > 0) & valid
        confidence[~mask] = 0
        return Seams(mask, confidence)

    def _along(self, columns: Plane, slope: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Plane]:
        """Rows, columns and cover of the pixels on seams of one direction, (n,) each."""
        view = shear(columns, slope)
        steps = measure_steps(view, self.window)
        blocks, starts = self._places(view, steps)
        band, cover = self._stretches(steps, blocks, starts)
        blocks, starts = np.nonzero(band)
        cols = blocks[:, None] * BLOCK + np.arange(BLOCK)
        rows = starts[:, None] + view.first_start + np.round(slope * cols).astype(np.intp)
        value = np.broadcast_to(cover[blocks, starts][:, None], cols.shape)
        return rows.ravel(), cols.ravel(), np.asarray(value.ravel(), np.float32)

    def _places(self, view: Sheared, steps: Steps) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Blocks and starts where the step is clear, steepest, and of the kind that a seam makes."""
        blocks, starts = np.nonzero((steps.sureness > self.min_sureness) & (steps.contrast > self.min_contrast))
        if len(blocks) >= self.min_cover * self.stretch:
            peak = cv2.dilate(steps.sureness, np.ones((1, 5), np.uint8))
            size = np.sqrt((steps.step[blocks, starts] ** 2).sum(axis=-1))
            clear = (steps.sureness[blocks, starts] >= peak[blocks, starts]) & (size > self.min_step)
            blocks, starts = blocks[clear], starts[clear]
        if len(blocks) < self.min_cover * self.stretch:
            return blocks[:0], starts[:0]
        found = sides_agree(view, steps, blocks, starts, self.window)
        good = (found.correlation > self.min_correlation) & (found.roughness < self.max_roughness)
        good &= found.variety > self.min_variety
        good &= (found.slant < self.max_slant) & (found.carry > self.min_carry) & (found.carry < self.max_carry)
        return blocks[good], starts[good]

    def _stretches(self, steps: Steps, blocks: NDArray[np.intp], starts: NDArray[np.intp]) -> tuple[Mask, Plane]:
        """The bands (block, start) of the stretches that are covered by places of one color, and how well."""
        shape = steps.sureness.shape
        band, cover = np.zeros(shape, np.bool_), np.zeros(shape, np.float32)
        if len(blocks) < self.min_cover * self.stretch:
            return band, cover
        left, right = max(0, int(starts.min()) - 3 * BESIDE), int(starts.max()) + 3 * BESIDE + 1
        color = np.zeros((shape[0], right - left, 3), np.float32)
        step = steps.step[blocks, starts]
        color[blocks, starts - left] = step / np.sqrt((step**2).sum(axis=1, keepdims=True))
        summed = cv2.boxFilter(
            color, -1, (2 * BESIDE + 1, self.stretch), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        share = np.sqrt((summed**2).sum(axis=-1)) / self.stretch
        around = cv2.dilate(share, np.ones((self.stretch + 1, 1), np.uint8))
        kept = np.zeros(around.shape, np.uint8)
        kept[blocks, starts - left] = around[blocks, starts - left] >= self.min_cover
        wide = cv2.dilate(kept, np.ones((1, 2 * BESIDE + 1), np.uint8))
        gap = np.ones((self.stretch // 2 + 1, 1), np.uint8)
        joined = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, gap, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        band[:, left:right] = joined[:, : shape[1] - left] > 0
        cover[:, left:right] = np.clip(around, self.min_cover, 1)[:, : shape[1] - left]
        return band, cover


def _tones(display: NDArray[np.uint8], valid: Mask) -> Plane:
    """(row, col, 4): brightness, red - green, green - blue, and 1 where valid."""
    data = display.astype(np.float32)
    red, green, blue = data[:3] if len(data) >= 3 else (data[0],) * 3
    tones = np.stack([(red + 2 * green + blue) / 4, red - green, green - blue, np.ones_like(red)], axis=-1)
    return np.asarray(tones * valid[..., None], np.float32)
