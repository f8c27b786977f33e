"""What is no defect but looks like one: smooth ground, colorful roofs, the softness of compression.

Each function has the signature of `Degrade`; its mask is always empty, and `context` tells where values
differ. They stand against blur and spectral overflow in training.
"""

# ruff: noqa: ARG001 - one signature for all generators

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import add_grain, filled, noise_floor
from clearscene.synth.region import draw_region, smooth_noise

__all__ = ["colorful_roofs", "jpeg_softening", "soft_ground", "soft_image"]

GROUNDS: tuple[tuple[tuple[float, float, float], str], ...] = (
    ((0.24, 0.34, 0.36), "water"),
    ((0.13, 0.20, 0.25), "water"),
    ((0.36, 0.38, 0.30), "water"),
    ((0.40, 0.46, 0.26), "field"),
    ((0.30, 0.38, 0.20), "field"),
    ((0.62, 0.55, 0.40), "field"),
    ((0.50, 0.42, 0.33), "field"),
    ((0.56, 0.56, 0.55), "paved"),
)
ROOFS: tuple[tuple[float, float, float], ...] = (
    (0.72, 0.16, 0.12),  # red steel
    (0.80, 0.33, 0.20),  # tiles
    (0.12, 0.30, 0.72),  # blue steel
    (0.16, 0.48, 0.80),
    (0.10, 0.50, 0.30),  # green steel, sports grounds
    (0.90, 0.74, 0.14),  # yellow awnings
)
SHADOW = 0.45
FINER = 4
"""Roofs are drawn this many times finer than pixels, so that their edges are as soft as real ones."""


def soft_ground(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A field, a pond or a square without texture, in the tones of the window and with its noise.

    It is smooth by nature: sharp at its border, and next to sharp ground.
    """
    ground = filled(data, valid)
    size = (valid.shape[0], valid.shape[1])
    color, kind = GROUNDS[int(rng.integers(len(GROUNDS)))]
    shapes = ("block", "half", "band") if kind != "water" else ("blob", "half", "band")
    region = draw_region(size, rng, coverage=(0.03, 0.7), shapes=shapes, feather_px=rng.uniform(0.8, 2.5))
    means = ground[:3].mean(axis=(1, 2))
    level = float(np.clip(means.mean() * rng.uniform(0.65, 1.15), 0.08, 0.6))
    share = rng.uniform(0.25, 0.7)  # the rest of the tone is that of the window: its light and its camera
    shade = 1 + np.float32(rng.uniform(0.01, 0.06)) * smooth_noise(size, rng.uniform(25, 120), rng)
    if kind == "field":
        shade = shade * _furrows(size, rng)
    shade = shade + np.float32(rng.uniform(0, 0.015)) * smooth_noise(size, rng.uniform(1.2, 3), rng)
    own = np.asarray(color) / np.mean(color) if len(data) >= 3 else np.ones(len(means))
    tones = level * (share * own + (1 - share) * means / max(float(means.mean()), 1e-6))
    tones = np.append(tones, np.full(max(0, len(data) - 3), level))
    smooth = np.stack([shade * np.float32(tone) for tone in tones])
    smooth = add_grain(smooth, rng, noise_floor(ground) * np.float32(rng.uniform(0.8, 1.2)))
    return _shown(data, valid, smooth, region.weight)


def colorful_roofs(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One to twelve roofs of red, blue or green steel, tiles or awnings: gables, ribs, shadow and noise.

    Severity makes them larger and purer in color. A window of fewer than three bands shows them gray.
    """
    ground = filled(data, valid)
    size = (valid.shape[0], valid.shape[1])
    angle, sun = rng.uniform(0, 180), rng.uniform(0, 360)
    bright = np.float32(np.clip(np.quantile(ground[:3], 0.8) / 0.6, 0.4, 1.3))
    result, weight = ground.copy(), np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 13))):
        result, weight = _with_roof(result, weight, rng, angle=angle, sun=sun, bright=bright, severity=severity)
    noisy = add_grain(result, rng, noise_floor(ground))
    return _shown(data, valid, noisy, weight)


def jpeg_softening(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window compressed with loss (quality 90 to 60 by severity) and softened by at most 0.6 px."""
    ground = filled(data, valid)
    sigma = rng.uniform(0.2, 0.6)
    soft = np.stack([cv2.GaussianBlur(band, (0, 0), sigma) for band in ground])
    shown = np.rint(np.clip(soft, 0, 1) * 255).astype(np.uint8)
    quality = round(90 - 30 * severity)
    decoded = _compressed(shown, quality).astype(np.float32) / 255
    headroom = soft - np.clip(soft, 0, 1)
    result = _shown(data, valid, decoded + headroom, np.ones(valid.shape, np.float32))
    return Degraded(result.data, result.mask, {"quality": quality, "sigma_px": round(sigma, 2)}, context=result.context)


def soft_image(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window evenly soft, as scenes of many cameras and all enlarged ones are: sigma 0.5 to 1.8 px.

    That is a property of the scene and no defect: blur is told by what is sharp beside it.
    """
    ground = filled(data, valid)
    sigma = 0.5 + 1.3 * severity
    soft = np.stack([cv2.GaussianBlur(band, (0, 0), sigma) for band in ground])
    grainy = add_grain(soft, rng, noise_floor(ground) * np.float32(rng.uniform(0, 1)))
    result = _shown(data, valid, grainy, np.ones(valid.shape, np.float32))
    return Degraded(result.data, result.mask, {"sigma_px": round(sigma, 2)}, context=result.context)


def _shown(data: Data, valid: Mask, changed: Data, weight: Data) -> Degraded:
    context = (weight > 0) & valid
    result = data.copy()
    for band, new in zip(result, changed, strict=True):
        np.copyto(band, band + weight * (new - band), where=context)
    return Degraded(result, np.zeros_like(valid), context=context)


def _furrows(size: tuple[int, int], rng: np.random.Generator) -> Data:
    """Faint lines of a sown field, (row, col) around 1."""
    angle = rng.uniform(0, np.pi)
    place = np.add.outer(np.arange(size[0]) * np.sin(angle), np.arange(size[1]) * np.cos(angle))
    depth = rng.choice([0.0, rng.uniform(0.005, 0.025)])
    return np.asarray(1 + depth * np.sin(2 * np.pi * place / rng.uniform(4, 14)), np.float32)


def _with_roof(
    ground: Data,
    weight: Data,
    rng: np.random.Generator,
    *,
    angle: float,
    sun: float,
    bright: np.float32,
    severity: float,
) -> tuple[Data, Data]:
    """Put one roof and its shadow on the ground; returns the ground and where it changed so far."""
    height, width = weight.shape
    long = rng.uniform(8, 16 + 50 * severity)
    wide = max(6.0, long * rng.uniform(0.35, 0.9))
    row, col = rng.uniform(0, height), rng.uniform(0, width)
    turn = np.deg2rad(angle + rng.choice([0.0, 90.0]) + rng.normal(0, 3))
    cast = rng.uniform(2, 6)
    reach = int(long + wide + cast + 4)
    rows = slice(max(0, int(row) - reach), min(height, int(row) + reach))
    cols = slice(max(0, int(col) - reach), min(width, int(col) + reach))
    size = rows.stop - rows.start, cols.stop - cols.start
    place = row - rows.start, col - cols.start
    corners = _corners(long, wide, turn)
    sunward = np.array([np.cos(np.deg2rad(sun)), np.sin(np.deg2rad(sun))])
    roof = _drawn(size, corners + place)
    shadow = np.maximum(_drawn(size, corners + place + sunward * cast) - roof, 0)
    tint = _roof_tint(size, place, turn, sunward=sunward, rng=rng)
    color = np.asarray(ROOFS[int(rng.integers(len(ROOFS)))])
    purity = rng.uniform(0.35, 0.7) + 0.3 * severity
    color = (color.mean() + (color - color.mean()) * purity) * rng.uniform(0.7, 1.1)
    part = ground[:, rows, cols]
    for band, plane in enumerate(part):
        tone = color[band] if len(part) >= 3 and band < 3 else color.mean()
        plane *= 1 - shadow * np.float32(1 - SHADOW)
        plane += roof * (tint * bright * np.float32(tone) - plane)
    weight[rows, cols] = np.maximum(weight[rows, cols], ((roof > 0) | (shadow > 0)).astype(np.float32))
    return ground, weight


def _corners(long: float, wide: float, turn: float) -> NDArray[np.float64]:
    """Corners (4, 2) as (row, col) around the middle."""
    along = np.array([np.sin(turn), np.cos(turn)]) * long / 2
    across = np.array([np.cos(turn), -np.sin(turn)]) * wide / 2
    return np.stack([along + across, along - across, -along - across, -along + across])


def _drawn(size: tuple[int, int], corners: NDArray[np.float64]) -> Data:
    """Share of each pixel (row, col) that a polygon covers."""
    fine = np.zeros((size[0] * FINER, size[1] * FINER), np.uint8)
    cv2.fillPoly(fine, [np.rint(corners[:, ::-1] * FINER).astype(np.int32)], 255)
    return np.asarray(cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def _roof_tint(
    size: tuple[int, int],
    place: tuple[float, float],
    turn: float,
    *,
    sunward: NDArray[np.float64],
    rng: np.random.Generator,
) -> Data:
    """Brightness (row, col) of a gable with ribs: the side toward the sun is brighter."""
    rows, cols = np.arange(size[0]) - place[0], np.arange(size[1]) - place[1]
    across = np.add.outer(rows * np.cos(turn), -cols * np.sin(turn)).astype(np.float32)
    along = np.add.outer(rows * np.sin(turn), cols * np.cos(turn)).astype(np.float32)
    facing = float(sunward @ np.array([np.cos(turn), -np.sin(turn)]))  # the shadow falls this way
    gable = 1 - np.float32(rng.uniform(0, 0.3) * facing) * np.clip(across, -1, 1)
    ribs = np.float32(rng.uniform(0, 0.06)) * np.sin(along * np.float32(2 * np.pi / rng.uniform(2.5, 6)))
    stains = np.float32(rng.uniform(0.02, 0.08)) * smooth_noise(size, rng.uniform(3, 10), rng)
    return np.asarray(gable + ribs + stains, np.float32)


def _compressed(shown: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Bands (band, row, col) after JPEG: three together as color, any others one by one."""
    n_color = 3 if len(shown) >= 3 else 0
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    groups = [shown[:n_color].transpose(1, 2, 0)[..., ::-1]] if n_color else []
    groups += [band[..., None] for band in shown[n_color:]]
    decoded = []
    for group in groups:
        _, code = cv2.imencode(".jpg", np.ascontiguousarray(group), options)
        pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR_RGB if group.shape[-1] == 3 else cv2.IMREAD_GRAYSCALE))
        decoded.append(pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None])
    return np.concatenate(decoded).astype(np.uint8)
