"""Where two pictures of a mosaic meet: a line through a window that cuts it into two sides.

The line is the graph of a piecewise linear function in a frame that is turned over the window, so
that both sides are known everywhere:

        ahead (distance > 0)
    ----+                 +-----
         \\________________/          bends; in a corner the line turns once, by about 90 degrees
        behind (distance < 0)
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["MIDDLE", "DrawSeam", "Seam", "edge_taper", "half_width", "lengthwise_seam", "random_seam", "smoothstep"]

Plane = NDArray[np.float32]
"""(row, col)."""

MIDDLE = 0.25
"""Share of the shorter side of a window in which a lengthwise seam keeps."""


@dataclass(frozen=True, eq=False)
class Seam:
    """A seam in a window."""

    distance: Plane
    """(row, col) pixels to the line: above 0 on one side of it, below 0 on the other, never 0."""
    angle_deg: float
    """Direction of the line as a whole, from the row direction (east) toward rows going down, in (-90, 90]."""
    form: str
    """straight, bent, corner or winding."""

    def band(self, half_width_px: float) -> NDArray[np.bool_]:
        """Pixels (row, col) at most `half_width_px` from the line."""
        return np.asarray(np.abs(self.distance) <= half_width_px)

    def flipped(self) -> "Seam":
        """The same line with its sides exchanged."""
        return Seam(-self.distance, self.angle_deg, self.form)


class DrawSeam(Protocol):
    """Draws a seam into a window of that height and width."""

    def __call__(self, height: int, width: int, *, rng: np.random.Generator) -> Seam:
        """Both sides are present."""
        ...


def half_width(height: int, width: int) -> float:
    """Half the width in pixels of the band that marks a seam: 4 in a window of 256 px, 11 in one of 2048 px."""
    return float(np.clip(4.0 * np.sqrt(min(height, width) / 256), 2.0, 16.0))


def random_seam(height: int, width: int, *, rng: np.random.Generator, form: str | None = None) -> Seam:
    """Draw a seam that goes through the middle part of a window, at any angle; two in five lie along rows or columns.

    Law: both sides are present in windows of 16 px and more.
    """
    form = form or str(rng.choice(["straight", "bent", "corner", "winding"], p=[0.4, 0.3, 0.15, 0.15]))
    angle = float(rng.choice([0.0, 90.0]) if rng.random() < 0.4 else rng.uniform(-90, 90))
    middle = np.array([height, width]) * (0.5 + rng.uniform(-0.24, 0.24, 2))
    turn = 45.0 if form == "corner" else 0.0
    along, across = _frame(height, width, middle, angle + turn)
    if form == "straight":
        distance = np.where(across == 0, np.float32(1e-3), across)
    else:
        knots, heights = _line(form, float(np.hypot(height, width)), min(height, width), rng)
        distance = _signed_distance(across > np.interp(along, knots, heights))
    seam = Seam(distance.astype(np.float32), _half_turn(angle), form)
    return seam.flipped() if rng.random() < 0.5 else seam


def lengthwise_seam(height: int, width: int, *, rng: np.random.Generator) -> Seam:
    """Draw a seam along the longer side of a window, straight or bent a little, as between two sheets of a mosaic.

    Law: it keeps in the `MIDDLE` of the window.
    """
    form = str(rng.choice(["straight", "bent"], p=[0.7, 0.3]))
    long, short = max(height, width), min(height, width)
    steepest = float(np.rad2deg(np.arctan(0.3 * MIDDLE * short / long)))
    angle = (0.0 if width >= height else 90.0) + float(rng.uniform(-steepest, steepest))
    middle = np.array([height, width]) / 2 + rng.uniform(-0.15, 0.15) * MIDDLE * short
    along, across = _frame(height, width, middle, angle)
    if form == "bent":
        across -= np.interp(along, *_bends(long, long, steepest, rng)).astype(np.float32)
    distance = np.where(across == 0, np.float32(1e-3), across).astype(np.float32)
    seam = Seam(distance, _half_turn(angle), form)
    return seam.flipped() if rng.random() < 0.5 else seam


def smoothstep(values: Plane) -> Plane:
    """0 below 0, 1 above 1, and a smooth rise between (3 t^2 - 2 t^3)."""
    t = np.clip(values, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def edge_taper(height: int, width: int, *, share: float = 0.3) -> Plane:
    """Weights (row, col) that rise from 0 at the edge of a window to 1 over `share` of its shorter side."""
    reach = max(1.0, share * min(height, width))
    rows = smoothstep(np.minimum(np.arange(height), np.arange(height)[::-1]).astype(np.float32) / reach)
    cols = smoothstep(np.minimum(np.arange(width), np.arange(width)[::-1]).astype(np.float32) / reach)
    return np.asarray(np.outer(rows, cols), np.float32)


def _frame(height: int, width: int, middle: NDArray[np.float64], angle_deg: float) -> tuple[Plane, Plane]:
    """Pixels along and across a line at `angle_deg` through `middle` (row, col), two (row, col) planes."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    rows = (np.arange(height) + 0.5 - middle[0]).astype(np.float32)
    cols = (np.arange(width) + 0.5 - middle[1]).astype(np.float32)
    along = np.add.outer(rows * np.float32(sin), cols * np.float32(cos))
    across = np.add.outer(rows * np.float32(cos), cols * np.float32(-sin))
    return along, across


def _line(
    form: str, reach: float, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots along (n,) and heights across (n,) of a line through (0, 0), `reach` pixels to both sides."""
    if form == "corner":
        left, right = np.tan(np.deg2rad(45 + (rng.uniform(-20, 20, 2) if rng.random() < 0.4 else np.zeros(2))))
        return np.array([-reach, 0.0, reach]), np.array([-reach * left, 0.0, -reach * right])
    if form == "winding":
        knots = np.arange(-reach, reach + 1, size * rng.uniform(0.05, 0.12))
        heights = rng.normal(0, 1, len(knots)) * size * rng.uniform(0.012, 0.04)
        heights += np.cumsum(rng.normal(0, size * 0.02, len(knots)))
        return knots, heights - np.interp(0.0, knots, heights)
    return _bends(reach, size, 38.0, rng)


def _bends(
    reach: float, size: float, steepest_deg: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots and heights of a line through (0, 0) of two to four straight pieces, none of them steeper than this."""
    n_bends = int(rng.integers(1, 4))
    knots = np.sort(np.concatenate([[-reach, reach], rng.uniform(-0.4, 0.4, n_bends) * size]))
    slopes = np.tan(np.deg2rad(rng.uniform(-steepest_deg, steepest_deg, n_bends + 1)))
    heights = np.concatenate([[0.0], np.cumsum(np.diff(knots) * slopes)])
    return knots, heights - np.interp(0.0, knots, heights)


def _signed_distance(ahead: NDArray[np.bool_]) -> Plane:
    """Pixels to the border between True and False (row, col), above 0 where True."""
    inside, outside = (cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (ahead, ~ahead))
    return np.asarray(np.where(ahead, inside - 0.5, 0.5 - outside), np.float32)


def _half_turn(angle_deg: float) -> float:
    """The direction of a line in (-90, 90]."""
    return round(90.0 - (90.0 - angle_deg) % 180.0, 2)
