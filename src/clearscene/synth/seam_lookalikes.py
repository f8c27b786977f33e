"""What looks like a seam of a mosaic and is none: borders of fields, and light that drifts over a scene.

Hard negatives: the mask is empty, and `Degraded.context` tells where values changed. Each function has
the signature of `Degrade`.
"""

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import add_grain, filled, luminance, noise_floor
from clearscene.synth.seam import Seam, random_seam, smoothstep
from clearscene.synth.tone import DARKEST, fit_tone, mixed, random_tone

__all__ = ["field_border", "illumination_drift"]

Parameters = dict[str, float | int | str]

SAMPLE = 4000
EDGE = 0.03
"""Change of brightness by pixel, units of the display, from which an edge is strong."""
MOST_BUSY = 0.08
"""Share of strong edges above which the ground is no field."""
DETAIL = 0.02
"""Deviation of the detail that a crop takes over from the ground."""


def field_border(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Grow another crop on one side of a straight line: another color, rows, patches, and a verge between.

    Unlike at a seam, nothing on the ground goes on across the line; where houses and roads stand, no
    field is made and nothing changes. Parameters: delta_e of the color, angle_deg of the border,
    row_period_px and row_angle_deg of the crop, verge_px (0: none).
    """
    known = filled(data, valid)
    if not valid.any() or _busy(known) > MOST_BUSY:
        return Degraded(data.copy(), np.zeros_like(valid))
    seam = random_seam(*valid.shape, rng=rng, form=str(rng.choice(["straight", "straight", "corner"])))
    ragged = np.float32(rng.uniform(0.3, 1.2)) * _soft(valid.shape, rng.uniform(3, 9), rng)
    distance = np.asarray(seam.distance + ragged, np.float32)
    weight = smoothstep(np.asarray(distance / np.float32(rng.uniform(1, 4)) + np.float32(0.5), np.float32))
    crop, told = _crop(known, valid, rng, 6.0 + 16.0 * severity)
    changed = known + weight * (crop - known)
    verge_px = float(rng.uniform(2, 9)) if rng.random() < 0.6 else 0.0
    if verge_px:
        line = smoothstep((np.float32(verge_px / 2) - np.abs(distance)) / np.float32(2) + np.float32(0.5))
        tone = np.float32(rng.choice([-1, 1]) * rng.uniform(0.1, 0.35))
        changed *= 1 + tone * line * (1 + np.float32(0.3) * _soft(valid.shape, rng.uniform(6, 20), rng))
    touched = valid & (np.abs(changed - known).max(axis=0) > 0)
    result = np.where(touched, np.maximum(changed, np.minimum(data, np.float32(DARKEST))), data)
    return Degraded(result, np.zeros_like(valid), told | _named(seam, verge_px), context=touched)


def illumination_drift(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Let tone drift smoothly over the whole window, by 4 to 20 delta E and without a step: vignettes, sun, haze."""
    weight = _drift(*valid.shape, rng=rng)
    sample = data[:, valid]
    aim = 4.0 * 5.0**severity
    if sample.shape[1] == 0:
        return Degraded(data.copy(), np.zeros_like(valid))
    tone, reached = fit_tone(random_tone(len(data), rng), sample[:, :: max(1, sample.shape[1] // SAMPLE)], aim / 2)
    result = data.copy()
    result[:, valid] = mixed(sample, tone, weight[valid], rng=rng)
    return Degraded(result, np.zeros_like(valid), {"drift_delta_e": round(2 * reached, 2)}, context=valid.copy())


def _drift(height: int, width: int, *, rng: np.random.Generator) -> Data:
    """A polynomial of second degree over the window (row, col), from -1 to 1."""
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    a, b, c, d, e = rng.normal(0, [0.8, 0.8, 0.5, 0.5, 0.4]).astype(np.float32)
    drift = a * x + b * y + c * x * x + d * y * y + e * x * y
    low, high = float(drift.min()), float(drift.max())
    return np.asarray((2 * drift - low - high) / max(high - low, 1e-6), np.float32)


def _busy(known: Data) -> float:
    """Share of the window (band, row, col) that lies on strong edges: houses, roads, cars."""
    gray = cv2.GaussianBlur(luminance(known), (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(gray, -1, 1, 0, scale=0.125), cv2.Sobel(gray, -1, 0, 1, scale=0.125))
    return float((slope > EDGE).mean())


def _crop(known: Data, valid: Mask, rng: np.random.Generator, delta_e: float) -> tuple[Data, Parameters]:
    """A crop that covers the whole window: its own color and rows, the grain of the ground, little of its detail."""
    broad = np.stack([cv2.GaussianBlur(band, (0, 0), 0.05 * min(valid.shape)) for band in known])
    detail = known - broad
    keep = np.float32(min(rng.uniform(0.2, 0.7), DETAIL / max(float(detail.std()), 1e-6)))
    middle = known[:, valid].mean(axis=1)
    flat = middle[:, None, None] + np.float32(rng.uniform(0.05, 0.25)) * (broad - middle[:, None, None])
    tone, reached = fit_tone(random_tone(len(known), rng), middle[:, None], delta_e)
    period, angle = float(rng.uniform(3, 16)), float(rng.uniform(-90, 90))
    rows = float(rng.choice([0.0, 1.0]) * rng.uniform(0.02, 0.08)) * _rows(valid.shape, period, angle, rng)
    patches = 1 + rows + np.float32(rng.uniform(0.02, 0.1)) * _soft(valid.shape, 0.12 * min(valid.shape), rng)
    crop = add_grain(tone.apply(flat) * patches + keep * detail, rng, (1 - keep) * noise_floor(known))
    return crop, {"delta_e": round(reached, 1), "row_period_px": round(period, 1), "row_angle_deg": round(angle, 1)}


def _rows(shape: tuple[int, int], period: float, angle: float, rng: np.random.Generator) -> Data:
    """Crop rows (row, col): a wave across a direction, a little bent and of changing height."""
    turn = 2 * np.pi / period
    rows = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(turn * np.cos(np.deg2rad(angle)))
    cols = np.arange(shape[1], dtype=np.float32) * np.float32(-turn * np.sin(np.deg2rad(angle)))
    bend, height = _soft(shape, 0.2 * min(shape), rng), _soft(shape, 0.1 * min(shape), rng)
    return np.asarray(np.sin(rows + cols + bend) * (1 + np.float32(0.4) * height), np.float32)


def _soft(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> Data:
    """Smooth noise (row, col) of about unit deviation with a wavelength of some `cell` pixels."""
    size = tuple(int(length / max(cell, 1.0)) + 3 for length in shape)
    grid = rng.normal(0, 1.2, size).astype(np.float32)
    return np.asarray(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _named(seam: Seam, verge_px: float) -> Parameters:
    return {"angle_deg": seam.angle_deg, "verge_px": round(verge_px, 1), "form": seam.form}
