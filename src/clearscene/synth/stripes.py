"""Stripe noise with exact masks: thin straight lines that a sensor or a transmission adds to a scene.

The publication that names the defect (seed of the inspection part, section 3.6) describes short,
thin lines that differ in color from the background, mostly horizontal or vertical, sometimes
diagonal, hardly ever curved, and often visible in a single band. A `Stripe` is one such line:

                 length
        +-----------------------+
        | value + offset        |  width, counted across in whole pixels, hard edges
        +-----------------------+

An angle other than 0 or 90 degrees gives a staircase: a sensor line knows no anti-aliasing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stripe", "add_stripes", "draw_stripes", "random_stripes", "repeat_stripe", "stripe_pixels"]

STEEP = 45.0
"""Degrees from which a stripe is drawn row by row instead of column by column."""


@dataclass(frozen=True)
class Stripe:
    """One straight line of noise."""

    row: float
    """Row of the middle of the stripe."""
    col: float
    """Column of the middle of the stripe."""
    length: int
    """Pixels along the axis (row or column) that lies closer to the stripe's direction."""
    width: int
    """Pixels across, counted along the other axis."""
    offset: float
    """Levels of 8 bits added to the scene: positive is bright, negative is dark."""
    bands: tuple[int, ...]
    """0-based bands that show the stripe."""
    angle: float = 0.0
    """Degrees from the row direction (east) toward rows going down, in (-90, 90]."""
    variation: float = 0.0
    """Amplitude of a slow wave of the offset along the stripe, as a fraction of the offset."""
    constant: bool = False
    """True: the stripe replaces the value by the mean below it plus the offset, instead of adding."""


def stripe_pixels(
    stripe: Stripe, *, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, columns and positions along the stripe of its pixels inside `height` x `width`, each (n,).

    Law: an axis-parallel stripe that lies inside covers exactly length x width pixels, and each
    pixel comes once.
    """
    steep = abs(stripe.angle) > STEEP
    slope = np.tan(np.deg2rad(90.0 - stripe.angle if steep else stripe.angle))
    main, cross = (stripe.row, stripe.col) if steep else (stripe.col, stripe.row)
    along = np.arange(stripe.length)
    first = int(np.floor(main - stripe.length / 2 + 0.5))
    across = np.floor(cross - stripe.width / 2 + 0.5 + slope * (along + first - main)).astype(np.int64)
    mains = np.repeat(along + first, stripe.width)
    crosses = (across[:, None] + np.arange(stripe.width)).ravel()  # (length, width) -> (n,)
    rows, cols = (mains, crosses) if steep else (crosses, mains)
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    return rows[inside], cols[inside], (mains - first)[inside]


def add_stripes(data: NDArray[np.uint8], stripes: Iterable[Stripe]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw stripes into a copy of 8-bit `data` (band, row, col); returns it and the mask (row, col).

    Law: outside the mask, and in bands that no stripe names, every value stays. Values that leave
    0..255 are clipped.
    """
    drawn, mask = draw_stripes(data.astype(np.float32), stripes)
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8), mask


def draw_stripes(
    data: NDArray[np.float32], stripes: Iterable[Stripe], *, level: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw stripes into a copy of `data` (band, row, col); returns it and the mask (row, col).

    `level` is what one level of a stripe's offset is worth in the units of `data`. Nothing is clipped.
    """
    _, height, width = data.shape
    work = data.copy()
    mask = np.zeros((height, width), np.bool_)
    for stripe in stripes:
        rows, cols, along = stripe_pixels(stripe, height=height, width=width)
        wave = 1 + stripe.variation * np.sin(2 * np.pi * along / max(stripe.length, 64))
        for band in stripe.bands:
            below = work[band, rows, cols]
            base = below.mean() if stripe.constant and len(below) else below
            work[band, rows, cols] = base + stripe.offset * level * wave
        mask[rows, cols] = True
    return work, mask


def repeat_stripe(stripe: Stripe, *, period: int, count: int) -> list[Stripe]:
    """The stripe and `count - 1` copies, each `period` pixels further across (detector striping)."""
    steep = abs(stripe.angle) > STEEP
    step = (0, period) if steep else (period, 0)
    return [replace(stripe, row=stripe.row + i * step[0], col=stripe.col + i * step[1]) for i in range(count)]


def random_stripes(
    height: int,
    width: int,
    *,
    n_bands: int,
    rng: np.random.Generator,
    offsets: tuple[float, float] = (15.0, 80.0),
    diagonal: float = 0.15,
    angles: Sequence[float] | None = None,
) -> list[Stripe]:
    """A believable set of stripes for one chip: a few short lines, a long one, or a periodic group.

    Args:
        height: Rows of the chip.
        width: Columns of the chip.
        n_bands: Bands of the chip; half of the stripes show in one band only.
        rng: Source of all chance.
        offsets: Smallest and largest absolute offset, levels; drawn evenly in the logarithm.
        diagonal: Share of stripes that are neither horizontal nor vertical.
        angles: Angles in degrees to draw from instead.
    """
    if angles is None:
        angle = float(rng.uniform(-85, 85)) if rng.random() < diagonal else float(rng.choice([0.0, 90.0]))
    else:
        angle = float(rng.choice(np.asarray(angles)))
    span = width if abs(angle) <= STEEP else height
    kind = rng.choice(["short", "long", "periodic"], p=[0.6, 0.25, 0.15])
    count = int(rng.integers(1, 6)) if kind == "short" else 1
    drawn = [_random_stripe(height, width, angle, n_bands, offsets, rng) for _ in range(count)]
    if kind == "short":
        return drawn
    full = replace(drawn[0], length=span, row=drawn[0].row, col=drawn[0].col)
    full = replace(full, row=height / 2) if abs(angle) > STEEP else replace(full, col=width / 2)
    if kind == "long":
        return [full]
    period = int(rng.integers(3 * full.width + 3, 40))
    across = height if abs(angle) <= STEEP else width
    start = replace(full, row=period / 2) if abs(angle) <= STEEP else replace(full, col=period / 2)
    return repeat_stripe(start, period=period, count=across // period)


def _random_stripe(
    height: int,
    width: int,
    angle: float,
    n_bands: int,
    offsets: tuple[float, float],
    rng: np.random.Generator,
) -> Stripe:
    """One short stripe anywhere in the chip."""
    low, high = np.log(offsets)
    n_shown = 1 if n_bands == 1 or rng.random() < 0.5 else int(rng.integers(2, n_bands + 1))
    return Stripe(
        row=float(rng.uniform(0.05, 0.95) * height),
        col=float(rng.uniform(0.05, 0.95) * width),
        length=int(rng.integers(32, max(33, min(height, width) * 3 // 4))),
        width=int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.35, 0.25, 0.15, 0.1, 0.1, 0.05])),
        offset=float(np.exp(rng.uniform(low, high)) * rng.choice([-1, 1])),
        bands=tuple(int(b) for b in rng.permutation(n_bands)[:n_shown]),
        angle=angle,
        variation=float(rng.choice([0.0, 0.15, 0.3])),
        constant=bool(rng.random() < 0.1),
    )
