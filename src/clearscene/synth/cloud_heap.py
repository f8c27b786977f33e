"""Heaped clouds: single thick ones and fields of small ones, with the shadows that they throw."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_body import clouded, colored, depth_scale, sunlit
from clearscene.synth.cloud_field import Plane, above, billows, enlarged, gentle, smoothstep, soft, turbulence, warped
from clearscene.synth.cloud_optics import brightness, filled
from clearscene.synth.cloud_shadow import Thrown, cast, shade_strength
from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = ["cumulus", "small_cumuli"]


def _thrown(opacity: Plane, rng: np.random.Generator, azimuth_deg: float, size_px: float) -> tuple[Thrown, float]:
    """The shadow of clouds about `size_px` across and its offset in pixels; a lower sun throws farther."""
    offset = float(min(size_px * rng.uniform(0.15, 1.1), 0.3 * min(opacity.shape)))
    penumbra = float(rng.uniform(0.6, 2.5) * (1 + size_px / 250))
    shade = cast(opacity, azimuth_deg=azimuth_deg, offset_px=offset, softness_px=penumbra)
    return Thrown(shade, shade_strength(rng, float(rng.uniform(0.2, 1.0)))), offset


def cumulus(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One thick cloud or a few, from 20 px to larger than the window, often with the shadow they throw.

    Parameters: `optical_depth` of the core, `size_px`, `sun_azimuth_deg` (clockwise from the top),
    `shadow_offset_px` (0: none), `cover_fraction`.
    """
    height, width = valid.shape
    side = min(height, width)
    size = float(np.exp(rng.uniform(np.log(22), np.log(3.0 * side))))
    n = 1 + int(rng.integers(0, 1 + int(np.clip(1.2 * side / size, 0, 6))))
    density = _heaps(height, width, rng, size_px=size, n=n)
    return _heaped(data, valid, rng, density=density, size_px=size, severity=severity)


def small_cumuli(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Popcorn: many small clouds strewn over the window, often with their shadows.

    Parameters as of `cumulus`.
    """
    height, width = valid.shape
    size = float(np.exp(rng.uniform(np.log(14), np.log(max(50.0, min(height, width) / 5)))))
    field = turbulence(height, width, rng, scale_px=size * 1.3, slope=rng.uniform(2.2, 3.0))
    field += np.float32(rng.uniform(0.3, 1.0)) * gentle(height, width, rng, scale_px=size * 5)
    field += np.float32(0.22) * turbulence(height, width, rng, scale_px=size / 2, slope=1.7)
    density = (field - np.float32(above(field, float(rng.uniform(0.05, 0.35))))) * np.float32(0.6)
    return _heaped(data, valid, rng, density=density, size_px=size, severity=severity)


def _heaps(height: int, width: int, rng: np.random.Generator, *, size_px: float, n: int) -> Plane:
    """Density (row, col), positive inside `n` ragged clouds about `size_px` across."""
    envelope = _cones(height, width, rng, size_px=size_px, n=n)
    stretch, wind = float(rng.uniform(1.2, 3.0)) if rng.random() < 0.4 else 1.0, float(rng.uniform(0, 180))
    slope = float(rng.uniform(1.5, 2.2)) + (0.4 if size_px < 60 else 0)
    field = turbulence(height, width, rng, scale_px=size_px / 3, slope=slope, stretch=stretch, angle_deg=wind)
    if rng.random() < 0.6:
        field = warped(field, rng, reach_px=size_px / rng.uniform(40, 100), scale_px=size_px / 4)
    # Centers stay dense whatever the noise: each cloud is there.
    field = np.minimum(field, np.float32(1.5)) * np.float32(rng.uniform(0.25, 0.5))
    return np.asarray(envelope + field + np.float32(0.12), np.float32)


def _cones(height: int, width: int, rng: np.random.Generator, *, size_px: float, n: int) -> Plane:
    """1 at the middle of each of `n` ellipses about `size_px` across, 0 at their rims, negative outside."""
    step = int(np.clip(size_px // 12, 1, 4))  # cones are smooth: a reduced plane will do
    rows = np.arange(0, height + step, step, dtype=np.float32)[:, None]
    cols = np.arange(0, width + step, step, dtype=np.float32)[None, :]
    far = np.full((rows.size, cols.size), 1e6, np.float32)
    for _ in range(n):
        row, col = rng.uniform(-0.1, 1.1) * height, rng.uniform(-0.1, 1.1) * width
        if size_px < 60:
            row, col = np.clip(row, 0.05 * height, 0.95 * height), np.clip(col, 0.05 * width, 0.95 * width)
        reach, ratio, angle = size_px * rng.uniform(0.6, 1.0) / 2, rng.uniform(0.5, 1.0), rng.uniform(0, np.pi)
        cosine, sine = np.float32(np.cos(angle) / reach), np.float32(np.sin(angle) / reach)
        right, down = cols - np.float32(col), rows - np.float32(row)
        along, across = right * cosine + down * sine, (down * cosine - right * sine) * np.float32(1 / ratio)
        np.minimum(far, along * along + across * across, out=far)
    cones = 1 - np.sqrt(far)
    return cones[:height, :width] if step == 1 else enlarged(cones, height, width, step)


def _heaped(
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    density: Plane,
    size_px: float,
    severity: float,
) -> Degraded:
    """Clouds where `density` (row, col) is positive, lit from a side, with or without their shadow."""
    height, width = density.shape
    azimuth, scale = float(rng.uniform(0, 360)), depth_scale(rng, severity)
    inside = np.maximum(density, 0)
    core = np.asarray(cv2.pow(inside, float(rng.uniform(1.0, 2.0))), np.float32)
    depth = np.float32(scale) * core
    if rng.random() < 0.5 and size_px > 40:
        depth += _veil(density, rng, size_px=size_px)
    opacity = -np.expm1(-depth)
    relief = np.sqrt(inside)
    if rng.random() < 0.6 and size_px > 24:
        bumps = billows(height, width, rng, scale_px=max(size_px / rng.uniform(3, 8), 6.0))
        relief = relief + np.float32(rng.uniform(0.3, 1.3)) * relief * bumps
    bright = brightness(data, valid, rng, severity)
    value = sunlit(relief, core, rng, azimuth_deg=azimuth, size_px=size_px, bright=bright)
    thrown, offset = _thrown(opacity, rng, azimuth, size_px) if rng.random() < 0.6 else (None, 0.0)
    told = {"optical_depth": scale, "size_px": size_px, "sun_azimuth_deg": azimuth, "shadow_offset_px": offset}
    color = colored(value, filled(data, valid), rng, bright=bright[0])
    return clouded(data, valid, rng, opacity=opacity, color=color, parameters=told, thrown=thrown)


def _veil(density: Plane, rng: np.random.Generator, *, size_px: float) -> Plane:
    """Optical depth (row, col) of the thin wisps around clouds of this density."""
    height, width = density.shape
    near = smoothstep(-0.45, 0.5, soft(np.maximum(density, -1), size_px / 18 + 1))
    wisps = np.maximum(1 + np.float32(0.7) * gentle(height, width, rng, scale_px=size_px / 3), 0)
    return np.asarray(near * wisps * np.float32(rng.uniform(0.15, 0.7)), np.float32)
