"""Stripe noise in a window: short colored lines, long ones, periodic groups, diagonals.

Each function has the signature of `Degrade`; the lines themselves are those of `stripes`. A stripe
leaves a pixel neither black nor white that was not: that would be a lost one.
"""

from collections.abc import Sequence

import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.stripes import Stripe, draw_stripes, random_stripes, repeat_stripe

__all__ = ["chip_stripes", "diagonal_stripe", "long_stripe", "periodic_stripes", "short_stripes"]


LEVEL = 1 / 255
"""One level of 8 bits in units of the display."""
FAINT, STRONG = 8.0, 90.0
"""Levels of the offset at severity 0 and 1 on smooth ground, for chips."""
TRIES = 4


def short_stripes(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One to four short thin lines, each in a single band and so colored."""
    height, width = valid.shape
    n = min(1 + round(3 * severity), max(1, height // 16))
    bearing = float(rng.choice([0.0, 90.0]))
    span, across = (width, height) if bearing == 0 else (height, width)
    stripes = []
    for k in range(n):
        length = max(6, int(span * rng.uniform(0.5, 0.95)))
        along = rng.uniform(length / 2, span - length / 2)
        side = (k + 0.5) * across / n
        row, col = (side, along) if bearing == 0 else (along, side)
        band = (int(rng.integers(data.shape[0])),)
        stripes.append(Stripe(row, col, length, int(rng.integers(1, 4)), _offset(rng, severity), band, bearing))
    return _striped(data, valid, stripes)


def long_stripe(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A dark or bright line through the whole window, along its long side, in all bands."""
    height, width = valid.shape
    bearing = 0.0 if width >= height else 90.0
    thick = max(1, min(valid.shape) // 2)
    bands = tuple(range(data.shape[0]))
    stripe = Stripe(height / 2, width / 2, max(valid.shape), thick, _offset(rng, severity), bands, bearing, 0.15)
    return _striped(data, valid, [stripe])


def periodic_stripes(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A group of parallel lines at equal distance, as of an array with bad detectors."""
    height, width = valid.shape
    period = int(rng.integers(14, 24))
    thick = int(rng.integers(1, 3))
    bands = tuple(range(data.shape[0])) if rng.random() < 0.5 else (int(rng.integers(data.shape[0])),)
    first = Stripe(thick / 2 + 2, width / 2, width, thick, _offset(rng, severity), bands)
    count = max(1, (height - thick - 2) // period)
    return _striped(data, valid, repeat_stripe(first, period=period, count=count), period=period)


def diagonal_stripe(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One line at an angle, in one band or in all."""
    height, width = valid.shape
    angle = float(rng.choice([-1, 1]) * rng.uniform(15, 75))
    slope = np.tan(np.deg2rad(min(abs(angle), 90 - abs(angle))))
    length = max(6, int(min(height, width, min(height, width) / max(slope, 0.05)) * 0.9))
    bands = tuple(range(data.shape[0])) if rng.random() < 0.4 else (int(rng.integers(data.shape[0])),)
    stripe = Stripe(height / 2, width / 2, length, int(rng.integers(2, 4)), _offset(rng, severity), bands, angle)
    return _striped(data, valid, [stripe])


def chip_stripes(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Any believable set of stripes: short lines, one long line or a periodic group, at any angle, in one band or more.

    The offset goes from 8 to 90 levels by severity; rough ground, which hides a faint line, starts higher.
    """
    faint = float(np.clip(0.6 * _roughness(data, valid) / LEVEL, FAINT, STRONG / 3))
    offset = faint * (STRONG / faint) ** severity
    for _ in range(TRIES):
        stripes = random_stripes(
            *valid.shape, n_bands=len(data), rng=rng, offsets=(0.85 * offset, 1.15 * offset), diagonal=0.25
        )
        result = _striped(data, valid, stripes)
        if result.mask.any():
            break
    return result


def _roughness(data: Data, valid: Mask) -> float:
    """Mean change of brightness from a valid row to the next, of 32 rows."""
    rows = np.unique(np.linspace(0, valid.shape[0] - 2, 32).astype(int))
    both = valid[rows] & valid[rows + 1]
    change = np.abs(data[:, rows] - data[:, rows + 1]).mean(axis=0)
    return float(change[both].mean()) if both.any() else 0.0


def _offset(rng: np.random.Generator, severity: float) -> float:
    """Levels: 22 to 75 by severity, of either sign."""
    return float(rng.choice([-1.0, 1.0]) * (22 + 53 * severity))


def _striped(data: Data, valid: Mask, stripes: Sequence[Stripe], period: int | None = None) -> Degraded:
    drawn, mask = draw_stripes(data, stripes, level=LEVEL)
    lowest, highest = np.minimum(data, np.float32(LEVEL)), np.maximum(data, np.float32(1 - LEVEL))
    drawn = np.clip(drawn, lowest, highest)
    mask &= valid
    first = stripes[0]
    told: dict[str, float | int | str] = {
        "n_lines": len(stripes),
        "width_px": first.width,
        "offset_levels": round(first.offset, 1),
        "angle_deg": round(first.angle, 1),
        "bands": ",".join(str(b + 1) for b in sorted({b for s in stripes for b in s.bands})),
    }
    told |= {} if period is None else {"period_px": period}
    return Degraded(np.where(mask, drawn, data), mask, told)
