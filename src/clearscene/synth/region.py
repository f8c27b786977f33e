"""Where a defect lies in its window: smooth random regions with a soft or a hard rim.

A region is a weight (row, col) that is exactly 0 outside its mask, so that what is laid in by it
leaves every other pixel alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = [
    "SHAPES",
    "Region",
    "draw_center",
    "draw_region",
    "laid_in",
    "linear_ramp",
    "profile",
    "ramp",
    "smooth_noise",
    "smooth_step",
    "untouched",
]

SHAPES = ("blob", "band", "half", "block", "whole")
"""Blob with a wavy outline; band through the window; one side of a line; turned rectangle; everything."""

VISIBLE = 0.05
"""Weights below this are made 0: nobody sees them, and the mask would lie."""
SMALLEST_PX = 28.0
"""Least width of a region."""

SMOOTH_CELL_PX = 12
"""Pixels that show the bumps of noise smoothly."""
TO_UNIT_DEVIATION = 3.6
"""Uniform knots in [-1, 1] have a deviation of 0.58; a cubic B-spline keeps 0.48 of it."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a window."""

    weight: Data
    """(row, col) in [0, 1]; 0 outside the mask."""
    shape: str
    """One of `SHAPES`."""

    @property
    def mask(self) -> Mask:
        """True where the weight is above 0, (row, col)."""
        return np.asarray(self.weight > 0)


def draw_region(
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    coverage: tuple[float, float] = (0.02, 0.8),
    shapes: Sequence[str] = SHAPES,
    feather_px: float = 0.0,
    interest: Data | None = None,
) -> Region:
    """Draw a region of a window of `size` (rows, columns).

    Laws: the weight is 0 outside the mask and 1 deeper than `feather_px` inside it; there is no rim
    along the sides of the window; the mask is never empty.

    Args:
        size: Rows and columns.
        rng: Where chance comes from.
        coverage: Smallest and largest share of the window, drawn evenly on a log scale (and about kept).
        shapes: Those to choose from, evenly.
        feather_px: Width of the rim, inside the outline; 0 cuts sharply.
        interest: Where the middle may lie, any size (row, col), not negative; default: anywhere.
    """
    shape = str(rng.choice(list(shapes)))
    share = float(np.exp(rng.uniform(*np.log(coverage))))
    center = draw_center(size, rng, interest)
    if shape == "whole":
        return Region(np.ones(size, np.float32), shape)
    inside = np.asarray(_depth(shape, size, share, center=center, rng=rng) > 0)
    inside[min(int(center[0]), size[0] - 1), min(int(center[1]), size[1] - 1)] = True
    return Region(ramp(inside, feather_px), shape)


def ramp(inside: Mask, width_px: float) -> Data:
    """Weights (row, col) that rise smoothly from the outline of `inside` to 1 at `width_px` within.

    A part that is too slender for that width gets a narrower rim, so that 1 is reached somewhere.
    """
    even = linear_ramp(inside, width_px)
    weight = smooth_step(even / np.float32(max(float(even.max()), 1e-6)))
    return np.where(weight < VISIBLE, np.float32(0), weight)


def linear_ramp(inside: Mask, width_px: float) -> Data:
    """Weights (row, col) that rise evenly: 0 outside, `1 / (width_px + 1)` in the outermost pixels, 1 deep within."""
    if width_px <= 0:
        return inside.astype(np.float32)
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.minimum(depth / np.float32(width_px + 1), np.float32(1)))


def smooth_step(level: Data) -> Data:
    """0 below 0, 1 above 1, and between them a cubic without kinks; any shape."""
    level = np.clip(level, np.float32(0), np.float32(1))
    return np.asarray(level * level * (3 - 2 * level))


def smooth_noise(size: tuple[int, ...], cell_px: float, rng: np.random.Generator) -> Data:
    """Smooth noise (row, col) of about zero mean and unit deviation; its bumps are about 2 cells wide.

    Random knots every cell, joined by lines and averaged twice over a cell: about a cubic B-spline.
    Cells of many pixels are drawn smaller and enlarged. Time does not depend on the cell.
    """
    smaller = max(1, int(cell_px // SMOOTH_CELL_PX))
    cell = cell_px / smaller
    rows, cols = (-(-n // smaller) + 2 for n in size)
    knots = tuple(int(np.ceil(n / cell)) + 5 for n in (rows, cols))
    grid = rng.uniform(-1, 1, knots).astype(np.float32)
    wide = cv2.resize(grid, (round(knots[1] * cell), round(knots[0] * cell)), interpolation=cv2.INTER_LINEAR)
    for _ in range(2):
        wide = cv2.blur(wide, (max(1, round(cell)), max(1, round(cell))))
    top, left = (int(2 * cell + rng.uniform(0, cell)) for _ in range(2))
    noise = np.asarray(wide[top : top + rows, left : left + cols], np.float32) * np.float32(TO_UNIT_DEVIATION)
    if smaller > 1:
        large = cols * smaller, rows * smaller
        noise = np.asarray(cv2.resize(noise, large, interpolation=cv2.INTER_CUBIC), np.float32)
    return np.ascontiguousarray(noise[: size[0], : size[1]])


def profile(length: int, cell_px: float, rng: np.random.Generator) -> Data:
    """Smooth noise along a line, (length,), of about zero mean and unit deviation."""
    return np.asarray(smooth_noise((1, length), cell_px, rng)[0])


def laid_in(
    data: Data, changed: Data, valid: Mask, *, weight: Data, parameters: Mapping[str, float | int | str]
) -> Degraded:
    """Blend `changed` into `data` (band, row, col) by `weight` (row, col), in valid pixels alone."""
    mask = np.asarray((weight > 0) & valid)
    result = data.copy()
    for band, new in zip(result, changed, strict=True):
        np.copyto(band, band + weight * (new - band), where=mask)
    return Degraded(result, mask, parameters)


def untouched(data: Data, valid: Mask) -> Degraded:
    """The window as it is: nothing could be shown in it."""
    return Degraded(data.copy(), np.zeros_like(valid))


def draw_center(size: tuple[int, int], rng: np.random.Generator, interest: Data | None) -> tuple[float, float]:
    """A place (row, col) in a window of `size`, likelier where `interest` (row, col; any size) is high."""
    place = rng.random(3)
    if interest is None or not interest.sum() > 0:
        return float(place[0] * size[0]), float(place[1] * size[1])
    total = np.cumsum(interest, dtype=np.float64)
    cell = min(int(np.searchsorted(total, place[2] * total[-1])), interest.size - 1)
    row, col = np.unravel_index(cell, interest.shape)
    return (
        float((row + place[0]) / interest.shape[0] * size[0]),
        float((col + place[1]) / interest.shape[1] * size[1]),
    )


def _depth(
    shape: str, size: tuple[int, int], share: float, *, center: tuple[float, float], rng: np.random.Generator
) -> Data:
    """Pixels (row, col) inside the outline of a shape, about; negative outside."""
    height, width = size
    angle = rng.uniform(0, 2 * np.pi)
    rows = (np.arange(height) - center[0]).astype(np.float32)
    cols = (np.arange(width) - center[1]).astype(np.float32)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = np.add.outer(rows * sin, cols * cos)
    across = np.add.outer(rows * cos, -cols * sin)
    side = max(SMALLEST_PX, np.sqrt(share * height * width))
    long = side * np.sqrt(rng.uniform(1, 2.5))
    wide = max(SMALLEST_PX, side**2 / long)
    if shape == "block":
        return np.asarray(np.minimum(long / 2 - np.abs(along), wide / 2 - np.abs(across)))
    wave = smooth_noise(size, max(12.0, rng.uniform(0.15, 0.5) * side), rng)
    if shape == "blob":
        radius = np.hypot(along / np.float32(long), across / np.float32(wide)) * np.float32(np.sqrt(np.pi))
        return np.asarray((1 - radius + np.float32(rng.uniform(0.1, 0.35)) * wave) * np.float32(wide / 2))
    bent = across if rng.random() < 0.5 else across + wave * np.float32(0.08 * side)
    if shape == "band":
        return np.asarray(np.float32(max(SMALLEST_PX, share * min(size)) / 2) - np.abs(bent))
    return np.asarray(bent - np.float32(np.quantile(bent[::4, ::4], 1 - share)))  # a half lies wherever its share asks
