"""Bright surfaces of nature that are no cloud, painted into real ground; each mask is empty.

They keep the texture of the ground or bring a sharp one of their own, so that brightness alone does not
tell a cloud. Severity makes them brighter.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane, above, gentle, places, smoothstep, turbulence
from clearscene.synth.cloud_optics import filled, grain, grained, tint
from clearscene.synth.degraded import Degraded
from clearscene.synth.negative_shapes import detail, luma, mixed, unmarked

__all__ = ["overbright", "ploughed_field", "sand", "snow", "surf", "water_glint"]

_SAND = ((1.0, 0.90, 0.74), (1.0, 0.93, 0.82), (0.98, 0.86, 0.70), (1.0, 0.80, 0.62))
_SOIL = ((1.0, 0.84, 0.66), (1.0, 0.78, 0.60), (0.95, 0.90, 0.78), (0.86, 0.90, 0.66))
_WATER = ((0.30, 0.55, 0.62), (0.20, 0.32, 0.42), (0.35, 0.50, 0.45), (0.15, 0.25, 0.40))


def _color(shades: tuple[tuple[float, ...], ...], n_bands: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One of the colors, a little varied, as (band, 1, 1); further bands repeat red."""
    red, green, blue = np.array(shades[int(rng.integers(len(shades)))]) * rng.normal(1, 0.03, 3)
    bands = [red, green, blue] + [red] * max(n_bands - 3, 0)
    return np.array(bands[:n_bands] if n_bands > 1 else [green], np.float32)[:, None, None]


def snow(data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float) -> Degraded:
    """Patches of snow with sharp ragged edges: bright, a little blue, the ground's texture shining through.

    Dark things of the ground (trees, rocks, walls) stand out of it. Parameters: `cover_fraction`, `brightness`.
    """
    height, width = valid.shape
    ground = filled(data, valid)
    plane, fine = luma(ground), detail(ground)
    size = min(height, width) * rng.uniform(0.08, 0.6)
    field = turbulence(height, width, rng, scale_px=size, slope=rng.uniform(1.2, 1.7))
    field += np.float32(rng.uniform(1.5, 5.0)) * (fine - 1)
    field += np.float32(rng.uniform(0.0, 1.5)) * (plane - plane.mean()) / np.float32(plane.std() + 1e-3)
    level = above(field, float(rng.uniform(0.15, 0.9)))
    alpha = smoothstep(level, level + rng.uniform(0.1, 0.5), field) * np.float32(rng.uniform(0.75, 1.0))
    bright = float(rng.uniform(0.6, 0.8) + 0.35 * severity)
    relief = 1 + np.float32(rng.uniform(0.0, 0.07)) * gentle(height, width, rng, scale_px=size / 2)
    texture = (fine - 1) * np.float32(rng.uniform(0.3, 0.9)) + 1
    color = np.float32(bright) * relief * texture * tint(len(data), rng, blue=(0.0, 0.10))
    told = {"cover_fraction": float((alpha > 0.5).mean()), "brightness": bright}
    return unmarked(data, mixed(ground, alpha, color), valid, parameters=told)


def sand(data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float) -> Degraded:
    """Bare bright ground: warm, grainy, sometimes rippled, with an irregular border.

    Parameters: `cover_fraction`, `brightness`, `ripple_px` (0: none).
    """
    height, width = valid.shape
    ground = filled(data, valid)
    size = min(height, width) * rng.uniform(0.2, 1.0)
    field = turbulence(height, width, rng, scale_px=size, slope=rng.uniform(1.6, 2.4))
    field += np.float32(rng.uniform(0.0, 2.5)) * (detail(ground) - 1)
    level = above(field, float(rng.uniform(0.2, 1.0)))
    alpha = smoothstep(level, level + rng.uniform(0.1, 0.7), field) * np.float32(rng.uniform(0.6, 0.95))
    bright = float(rng.uniform(0.55, 0.75) + 0.35 * severity)
    fine = 1 + np.float32(rng.uniform(0.02, 0.08)) * turbulence(height, width, rng, scale_px=size / 4, slope=1.1)
    ripple = float(rng.uniform(4, 16)) if rng.random() < 0.4 else 0.0
    if ripple:
        fine += np.float32(rng.uniform(0.02, 0.07)) * _furrows(height, width, rng, period_px=ripple, wander=0.6)
    color = np.float32(bright) * fine * detail(ground) * _color(_SAND, len(data), rng)
    told = {"cover_fraction": float((alpha > 0.5).mean()), "brightness": bright, "ripple_px": ripple}
    return unmarked(data, mixed(ground, alpha, color), valid, parameters=told)


def _furrows(height: int, width: int, rng: np.random.Generator, *, period_px: float, wander: float) -> Plane:
    """Parallel waves (row, col) in [-1, 1] of random direction; `wander` bends them, in periods."""
    rows, cols = places(height, width)
    angle = rng.uniform(0, np.pi)
    across = rows * np.float32(np.cos(angle) / period_px) + cols * np.float32(np.sin(angle) / period_px)
    across += np.float32(wander) * gentle(height, width, rng, scale_px=12 * period_px)
    return np.asarray(np.sin(across * np.float32(2 * np.pi)))


def ploughed_field(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """A bare or pale field with furrows in one direction, between straight borders.

    Parameters: `period_px`, `brightness`, `cover_fraction`.
    """
    height, width = valid.shape
    ground = filled(data, valid)
    period = float(np.exp(rng.uniform(np.log(2.5), np.log(14))))
    waves = _furrows(height, width, rng, period_px=period, wander=rng.uniform(0, 0.25))
    rows, cols = places(height, width)
    alpha = np.full((height, width), rng.uniform(0.6, 0.95), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        angle = rng.uniform(0, 2 * np.pi)
        beyond = (rows - rng.uniform(0.2, 0.8) * height) * np.sin(angle) + (cols - width / 2) * np.cos(angle)
        alpha *= smoothstep(-0.8, 0.8, beyond.astype(np.float32) + np.float32(0.25 * min(height, width)))
    bright = float(rng.uniform(0.35, 0.6) + 0.35 * severity)
    clods = 1 + np.float32(rng.uniform(0.02, 0.10)) * turbulence(height, width, rng, scale_px=2 * period, slope=1.0)
    color = (1 + np.float32(rng.uniform(0.04, 0.20)) * waves) * clods * _color(_SOIL, len(data), rng)
    color = color * detail(ground) * np.float32(bright)
    told = {"period_px": period, "brightness": bright, "cover_fraction": float((alpha > 0.3).mean())}
    return unmarked(data, mixed(ground, alpha, color), valid, parameters=told)


def _water(ground: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Rippled water (band, row, col) as bright as the darker half of the ground, with its grain."""
    height, width = ground.shape[1:]
    size = rng.uniform(3, 14)
    waves = turbulence(
        height, width, rng, scale_px=size, slope=2.0, stretch=rng.uniform(1, 4), angle_deg=rng.uniform(0, 180)
    )
    waves = np.float32(rng.uniform(0.01, 0.08)) * waves
    waves += np.float32(0.08) * gentle(height, width, rng, scale_px=min(height, width) / 2)
    bright = float(np.quantile(ground[:, ::8, ::8], 0.3)) + rng.uniform(0.1, 0.4)
    noise = np.float32(grain(ground)) * grained(ground.shape, rng, softness_px=0.5)
    return np.asarray(np.float32(bright) * (1 + waves) * _color(_WATER, len(ground), rng) + noise)


def water_glint(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """Water with the glitter of the sun: crowded bright specks on one side, single ones on the other.

    Parameters: `speck_px`, `brightness`.
    """
    height, width = valid.shape
    ground = filled(data, valid)
    speck = float(rng.uniform(1.5, 6))
    waves = turbulence(
        height, width, rng, scale_px=speck, slope=2.2, stretch=rng.uniform(1, 3.5), angle_deg=rng.uniform(0, 180)
    )
    crowd = np.float32(rng.uniform(0.6, 1.2)) * gentle(height, width, rng, scale_px=min(height, width))
    glint = smoothstep(1.0, rng.uniform(1.8, 3.5), waves + crowd)
    bright = float(0.6 + 0.6 * severity)
    sheen = np.float32(0.2) * smoothstep(-0.5, 2.0, crowd)
    water = _water(ground, rng)
    changed = water + (glint + sheen) * (np.float32(bright) - water)
    return unmarked(data, changed, valid, parameters={"speck_px": speck, "brightness": bright})


def surf(data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float) -> Degraded:
    """A shore: water on one side, lacy white foam in lines along it, wet sand, then the ground.

    Parameters: `n_lines`, `brightness`, `angle_deg` of the shore.
    """
    height, width = valid.shape
    ground, side = filled(data, valid), min(height, width)
    rows, cols = places(height, width)
    angle = float(rng.uniform(0, 360))
    out = (rows - height / 2) * np.sin(np.deg2rad(angle)) + (cols - width / 2) * np.cos(np.deg2rad(angle))
    out = out.astype(np.float32) + np.float32(rng.uniform(-0.2, 0.25) * side)
    out += np.float32(side * rng.uniform(0.02, 0.07)) * gentle(height, width, rng, scale_px=side * 0.7)
    lace = turbulence(height, width, rng, scale_px=rng.uniform(6, 25), slope=rng.uniform(1.3, 1.9))
    out += np.float32(2.0) * lace
    n, foam, at = int(rng.integers(1, 5)), np.zeros((height, width), np.float32), 0.0
    for _ in range(n):
        broad = rng.uniform(2, side * 0.04 + 3)
        band = cv2.exp(-np.square((out - np.float32(at)) / np.float32(broad)))
        wander = np.float32(rng.uniform(0.3, 0.9)) * gentle(height, width, rng, scale_px=side / 2)
        foam = np.maximum(foam, smoothstep(0.25, 0.9, band * (1 + np.float32(0.45) * lace + wander)))
        at += rng.uniform(0.04, 0.18) * side
    wet = smoothstep(-rng.uniform(4, 40), 0, out)
    beach = np.float32(rng.uniform(0.5, 0.8)) * detail(ground) * _color(_SAND, len(data), rng)
    changed = mixed(mixed(ground, wet, beach), smoothstep(-2, 2, out), _water(ground, rng))
    bright = float(0.7 + 0.35 * severity)
    changed = mixed(
        changed, foam, np.float32(bright) * (1 + np.float32(0.06) * lace) * tint(len(data), rng, blue=(0, 0.06))
    )
    return unmarked(data, changed, valid, parameters={"n_lines": n, "brightness": bright, "angle_deg": angle})


def overbright(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """A scene exposed or stretched too far: all of it brighter, bright parts beyond white.

    Parameters: `gain`, `gamma`.
    """
    gain, gamma = float(1.1 + 1.2 * severity + rng.uniform(0, 0.2)), float(rng.uniform(0.75, 1.0))
    ground = np.maximum(filled(data, valid), 0)
    changed = np.float32(gain) * cv2.pow(ground.reshape(len(data), -1), gamma).reshape(data.shape)
    return unmarked(data, changed, valid, parameters={"gain": gain, "gamma": gamma})
