"""Stripes and saturated patches for the benchmark of the rules, drawn otherwise than what the rules were tuned on."""

import numpy as np

from clearscene.synth import overflow
from clearscene.synth.stripes import Stripe, stripe_pixels

Mask = np.ndarray
Picture = np.ndarray


def draw_noise(
    data: Picture, rng: np.random.Generator, *, angles: tuple[float, float], sign: float
) -> tuple[Picture, Mask]:
    """Stripes of one direction and polarity in 8-bit data (band, row, col); returns it and the mask (row, col).

    Law: outside the mask every value stays.
    """
    _, height, width = data.shape
    off = float(rng.uniform(*angles)) * float(rng.choice([-1.0, 1.0]))
    angle = off if rng.random() < 0.5 else (off - 90.0 if off > 0 else 90.0 + off)
    is_steep = abs(angle) > 45.0
    along, across = (height, width) if is_steep else (width, height)
    thick = int(rng.integers(1, 6))
    places = _places(across, thick, rng)
    shows = tuple(range(len(data))) if rng.random() < 0.5 else (int(rng.integers(len(data))),)
    offset, is_gain = sign * float(rng.uniform(14.0, 70.0)), bool(rng.random() < 0.5)
    is_whole = len(places) > 3 or rng.random() < 0.4
    work, mask = data.astype(np.float32), np.zeros((height, width), np.bool_)
    for place in places:
        length = along if is_whole else int(rng.integers(48, max(49, along)))
        middle = along / 2 if is_whole else float(rng.uniform(length / 2, along - length / 2))
        row, col = (middle, place) if is_steep else (place, middle)
        line = Stripe(row, col, length, thick, offset, shows, angle)
        _lay(work, mask, line, rng, is_gain=is_gain)
    noisy = np.clip(np.rint(work), 0, 255).astype(np.uint8)
    return noisy, mask


def _places(across: int, thick: int, rng: np.random.Generator) -> list[float]:
    """Where lines begin: a few at random, or a group whose distances jitter."""
    if rng.random() < 0.75:
        n = int(rng.integers(1, 4))
        return [float((k + rng.uniform(0.2, 0.8)) * across / n) for k in range(n)]
    period = int(rng.integers(4 * thick + 6, 48))
    return [start + float(rng.uniform(-0.15, 0.15)) * period for start in range(period // 2, across, period)]


def _lay(work: Picture, mask: Mask, line: Stripe, rng: np.random.Generator, *, is_gain: bool) -> None:
    """Lay one line into `work`, uneven and perhaps broken, and mark it."""
    rows, cols, along = stripe_pixels(line, height=mask.shape[0], width=mask.shape[1])
    strength = 1 + np.clip(np.cumsum(rng.normal(0, 0.01, line.length)), -0.3, 0.3)
    shows = np.ones(line.length, np.bool_)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.35 else 0):
        start = int(rng.integers(0, line.length))
        shows[start : start + int(rng.integers(4, 13))] = False
    kept = shows[along]
    rows, cols, along = rows[kept], cols[kept], along[kept]
    for band in line.bands:
        below = work[band, rows, cols]
        scale = below / 128.0 if is_gain else 1.0
        work[band, rows, cols] = below + line.offset * strength[along] * scale
    mask[rows, cols] = True


def add_overflow(data: Picture, rng: np.random.Generator) -> Picture:
    """A copy of 8-bit data (band, row, col) with saturated patches."""
    unit, valid = data.astype(np.float32) / 255, np.ones(data.shape[1:], np.bool_)
    result = overflow.saturated_patch(unit, valid, rng, float(rng.uniform(0.3, 1.0)))
    return np.rint(np.clip(result.data, 0, 1) * 255).astype(np.uint8)
