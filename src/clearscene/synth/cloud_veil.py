"""Thin clouds and haze: the ground is seen through, paler and bluer."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_body import clouded
from clearscene.synth.cloud_field import Plane, above, gentle, places, smoothstep, turbulence, warped
from clearscene.synth.cloud_optics import brightness, cast_of, filled, tint
from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = ["haze", "thin_cloud"]


def thin_cloud(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Cirrus: streaks and wisps drawn out along the wind, ground visible through them.

    Parameters: `optical_depth` of the densest parts, `size_px`, `angle_deg` of the streaks, `cover_fraction`.
    """
    height, width = valid.shape
    size, angle = float(min(height, width) * rng.uniform(0.25, 1.8)), float(rng.uniform(0, 180))
    wide = turbulence(
        height, width, rng, scale_px=size / 2, slope=rng.uniform(2.0, 2.8), stretch=rng.uniform(1, 3), angle_deg=angle
    )
    fine = turbulence(
        height, width, rng, scale_px=size / 5, slope=rng.uniform(1.5, 2.2), stretch=rng.uniform(2, 8), angle_deg=angle
    )
    if rng.random() < 0.7:
        fine = warped(fine, rng, reach_px=size / rng.uniform(25, 80), scale_px=size / 3)
    rise = np.maximum(wide - np.float32(above(wide, float(rng.uniform(0.2, 0.9)))), 0)
    fibers = cv2.exp(fine * np.float32(rng.uniform(0.15, 0.7)))
    depth = np.asarray(rise * fibers * np.float32(rng.uniform(0.5, 0.9)), np.float32)
    depth = 1.6 * np.tanh(depth / np.float32(1.6))
    return _veiled(data, valid, rng, depth=depth, told=(size, angle), severity=severity)


def haze(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A smooth veil of low contrast over the whole window or a part of it.

    Parameters as of `thin_cloud`; `angle_deg` is the direction toward which the veil thins.
    """
    height, width = valid.shape
    size, angle = float(min(height, width) * rng.uniform(0.4, 1.5)), float(rng.uniform(0, 360))
    field = gentle(height, width, rng, scale_px=size / 2)
    whole = rng.random() < 0.5
    if whole:
        depth = np.maximum(1 + np.float32(0.22) * field, np.float32(0.5))
    else:
        rows, cols = places(height, width)
        ramp = (rows - height / 2) * np.sin(np.deg2rad(angle)) + (cols - width / 2) * np.cos(np.deg2rad(angle))
        field = field * np.float32(0.6) - ramp.astype(np.float32) * np.float32(rng.uniform(1.0, 3.0) / size)
        depth = smoothstep(0, rng.uniform(1.0, 2.5), field - np.float32(above(field, float(rng.uniform(0.25, 0.8)))))
    return _veiled(data, valid, rng, depth=np.asarray(depth, np.float32), told=(size, angle), severity=severity)


def _veiled(
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    depth: Plane,
    told: tuple[float, float],
    severity: float,
) -> Degraded:
    """A veil of relative `depth` (row, col), about 1 at its densest; `told` is its size and angle."""
    scale = float(0.28 + 1.1 * severity**1.3 + rng.uniform(0, 0.1))
    bright, _ = brightness(data, valid, rng, severity)
    color = np.float32(bright) * tint(len(data), rng, blue=(-0.04, 0.16)) * cast_of(filled(data, valid), rng)
    exponent = float(rng.uniform(0.0, 1.3))
    parameters = {"optical_depth": scale, "size_px": told[0], "angle_deg": told[1], "angstrom_exponent": exponent}
    opacity = -np.expm1(-np.float32(scale) * depth)
    return clouded(data, valid, rng, opacity=opacity, color=color, parameters=parameters, exponent=exponent)
