"""Spectral overflow: patches of saturated red, yellow, green or blue.

A band that overflows is stored at its limit, or wraps around to dark; a lost gain or a broken block
stains a part of the image. Each function has the signature of `Degrade`; windows of fewer than three
bands have no color and stay as they are, with an empty mask.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import filled, luminance
from clearscene.synth.region import draw_region, laid_in, smooth_noise, smooth_step, untouched

__all__ = ["color_stain", "saturated_patch", "wrapped"]

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.0, 0.0),
    "yellow": (1.0, 1.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}
"""Bands (red, green, blue) that overflow, by the color that results."""
LEAST_DELTA_E = 5.0
"""Mean color difference (CIE 1976) below which a patch is not seen, and not put in."""

LEAST_PIXELS = 40
"""Smaller patches are not put in."""


def saturated_patch(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The bright pixels of a region run over in one or two bands, ragged as the ground is.

    By severity, the bands are pushed to their limit and beyond, and the others sink.
    """
    if len(data) < 3:
        return untouched(data, valid)
    ground = filled(data, valid)
    color = str(rng.choice(list(COLORS)))
    region = _region(valid, rng)
    bright = np.asarray(cv2.GaussianBlur(luminance(ground), (0, 0), rng.uniform(0.4, 1.6)))
    bright = bright + smooth_noise(bright.shape, rng.uniform(20, 80), rng) * np.float32(0.3 * bright.std())
    floor, top = np.quantile(bright[region > 0], [1 - rng.uniform(0.15, 0.9), 0.98])
    level = (bright - np.float32(floor)) / np.float32(max(float(top - floor), 1e-3))
    soft = np.float32(rng.uniform(0.1, 0.5))
    weight = _cut(region * smooth_step(level / soft))
    lift = np.float32(0.07 + 0.85 * severity)
    sink = np.float32(0.03 + rng.uniform(0.4, 0.85) * severity)
    later = np.float32(rng.choice([0.0, rng.uniform(0.1, 0.6)]))  # green runs over after red: a yellow core, a red rim
    changed = ground.copy()
    for band, is_over in enumerate(COLORS[color]):
        value = ground[band]
        if is_over:
            share = smooth_step((level - later) / soft) if band == 1 and color == "yellow" else np.float32(1)
            changed[band] = np.maximum(value, np.minimum(value + lift * share, 1))
        else:
            changed[band] = value * (1 - sink)
    return _laid_in(data, ground, changed, valid, weight=weight, told={"color": color, "lift": float(lift)})


def wrapped(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One or two bands wrap around: values over a limit start again from dark, in unreal colors.

    By severity, more of the range wraps, down from the brightest pixels.
    """
    if len(data) < 3:
        return untouched(data, valid)
    ground = filled(data, valid)
    region = _region(valid, rng)
    if not (region > 0.5).any():
        return untouched(data, valid)
    bands = [int(band) for band in rng.permutation(3)[: 1 + int(rng.random() < 0.4)]]
    share = 0.08 + 0.6 * severity * rng.uniform(0.7, 1.0)
    changed = ground.copy()
    over = np.zeros(valid.shape, bool)
    for band in bands:
        limit = np.float32(max(float(np.quantile(ground[band][region > 0.5], 1 - share)), 0.05))
        wraps = ground[band] >= limit
        changed[band] = np.where(wraps, np.maximum(ground[band] / limit - 1, 0) % 1, ground[band])
        over |= wraps
    weight = ((region > 0.5) & over).astype(np.float32)
    told: dict[str, float | str] = {"bands": ",".join(str(band + 1) for band in sorted(bands)), "share": float(share)}
    return _laid_in(data, ground, changed, valid, weight=weight, told=told)


def color_stain(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A stain or a patchwork of blocks with a strong tint, under which the ground still shows."""
    if len(data) < 3:
        return untouched(data, valid)
    ground = filled(data, valid)
    color = str(rng.choice(list(COLORS)))
    region = _blocks(valid, rng) if rng.random() < 0.5 else _region(valid, rng)
    strength = np.float32(0.12 + 0.7 * severity)
    bright = luminance(ground)
    level = np.float32(rng.uniform(0.5, 1.0))
    changed = ground.copy()
    for band, share in enumerate(COLORS[color]):
        stained = bright * np.float32(0.3 + 0.4 * share) + np.float32(0.45 * share) * level
        changed[band] = ground[band] + strength * (stained - ground[band])
    return _laid_in(data, ground, changed, valid, weight=_cut(region), told={"color": color, "tint": float(strength)})


def _region(valid: Mask, rng: np.random.Generator) -> Data:
    region = draw_region(
        (valid.shape[0], valid.shape[1]),
        rng,
        coverage=(0.02, 0.7),
        shapes=("blob", "blob", "blob", "band", "block", "half", "whole"),
        feather_px=float(rng.choice([0.0, rng.uniform(2, 40)])),
    )
    return region.weight


def _blocks(valid: Mask, rng: np.random.Generator) -> Data:
    """Weights (row, col) of square blocks of 8 to 32 px that lie together, as of a broken code stream."""
    side = int(rng.choice([8, 16, 32]))
    coarse = -(-valid.shape[0] // side) + 1, -(-valid.shape[1] // side) + 1
    region = draw_region((coarse[0] * side, coarse[1] * side), rng, coverage=(0.02, 0.4), shapes=("blob", "band"))
    share = cv2.resize(region.weight, coarse[::-1], interpolation=cv2.INTER_AREA)
    share += rng.uniform(-0.3, 0.3, coarse).astype(np.float32)
    chosen = (share >= min(0.5, float(share.max()))) * rng.uniform(0.6, 1.0, coarse).astype(np.float32)
    top, left = rng.integers(0, side, 2)
    blocks = np.repeat(np.repeat(chosen, side, axis=0), side, axis=1)
    return np.ascontiguousarray(blocks[top : top + valid.shape[0], left : left + valid.shape[1]])


def _cut(weight: Data) -> Data:
    return np.where(weight < 0.1, np.float32(0), weight)


def _laid_in(
    data: Data, ground: Data, changed: Data, valid: Mask, *, weight: Data, told: Mapping[str, float | str]
) -> Degraded:
    mask = (weight > 0) & valid
    result = laid_in(data, changed, valid, weight=weight, parameters=told)
    if mask.sum() < LEAST_PIXELS or (difference := _delta_e(ground, result.data, mask)) < LEAST_DELTA_E:
        return untouched(data, valid)
    parameters = {key: round(value, 2) if isinstance(value, float) else value for key, value in told.items()}
    return Degraded(result.data, result.mask, {**parameters, "tone_step_delta_e": round(difference, 1)})


def _delta_e(before: Data, after: Data, mask: Mask) -> float:
    """Mean color difference CIE 1976 within the mask, as displayed."""
    pair = [np.clip(d[:3, mask], 0, 1).T[None].astype(np.float32) for d in (before, after)]
    first, second = (cv2.cvtColor(np.ascontiguousarray(d), cv2.COLOR_RGB2LAB) for d in pair)
    return float(np.sqrt(((first - second) ** 2).sum(axis=-1)).mean())
