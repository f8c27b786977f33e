"""Stripe noise in a window: short colored lines, long ones, periodic groups, diagonals.

Each function has the signature of `Degrade`; the lines themselves are those of `stripes`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Degraded
from clearscene.synth.stripes import Stripe, add_stripes, repeat_stripe

__all__ = ["diagonal_stripe", "long_stripe", "periodic_stripes", "short_stripes"]

Data = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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


def _offset(rng: np.random.Generator, severity: float) -> float:
    """Levels: 22 to 75 by severity, of either sign."""
    return float(rng.choice([-1.0, 1.0]) * (22 + 53 * severity))


def _striped(data: Data, valid: Mask, stripes: Sequence[Stripe], period: int | None = None) -> Degraded:
    drawn, mask = add_stripes(data, stripes)
    mask &= valid
    first = stripes[0]
    told: dict[str, float | int | str] = {
        "n_lines": len(stripes),
        "width": first.width,
        "offset": round(first.offset, 1),
        "angle": round(first.angle, 1),
        "bands": ",".join(str(b + 1) for b in sorted({b for s in stripes for b in s.bands})),
    }
    told |= {} if period is None else {"period": period}
    return Degraded(np.where(mask, drawn, data), mask, told)
