"""Decks: clouds that cover much of a window or all of it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_body import clouded, colored, depth_scale, sunlit
from clearscene.synth.cloud_field import Plane, above, billows, gentle, turbulence, warped
from clearscene.synth.cloud_optics import brightness, filled
from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = ["stratus", "whole_cover"]


def stratus(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A large deck with holes, 40 to 95 % of the window, flat or in rolls.

    Parameters: `optical_depth`, `size_px` (largest patterns), `angle_deg` of the rolls, `sun_azimuth_deg`,
    `cover_fraction`.
    """
    height, width = valid.shape
    size, angle = float(min(height, width) * rng.uniform(0.25, 1.5)), float(rng.uniform(0, 180))
    field = turbulence(
        height, width, rng, scale_px=size / 2, slope=rng.uniform(1.5, 2.3), stretch=rng.uniform(1, 3), angle_deg=angle
    )
    if rng.random() < 0.5:
        field = warped(field, rng, reach_px=size / rng.uniform(40, 100), scale_px=size / 4)
    density = (field - np.float32(above(field, float(rng.uniform(0.4, 0.95))))) * np.float32(0.5)
    return _decked(data, valid, rng, density=density, told=(size, angle), severity=severity)


def whole_cover(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window under cloud, ground hidden or just guessed; parameters as of `stratus`."""
    height, width = valid.shape
    size, angle = float(min(height, width) * rng.uniform(0.15, 1.2)), float(rng.uniform(0, 180))
    field = turbulence(
        height, width, rng, scale_px=size, slope=rng.uniform(1.5, 2.1), stretch=rng.uniform(1, 3), angle_deg=angle
    )
    density = np.maximum(np.float32(1.0) + np.float32(rng.uniform(0.1, 0.45)) * field, np.float32(0.35))
    return _decked(data, valid, rng, density=density, told=(size, angle), severity=max(severity, 0.15))


def _decked(
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    density: Plane,
    told: tuple[float, float],
    severity: float,
) -> Degraded:
    """A deck where `density` (row, col) is positive; `told` is its size in pixels and its angle."""
    height, width = density.shape
    azimuth, scale = float(rng.uniform(0, 360)), depth_scale(rng, severity)
    inside = np.maximum(density, 0)
    core = np.asarray(cv2.pow(inside, float(rng.uniform(0.8, 1.4))), np.float32)
    depth = np.float32(scale) * core
    bright = brightness(data, valid, rng, severity)
    patches = 1 + np.float32(rng.uniform(0.0, 0.14)) * gentle(height, width, rng, scale_px=told[0])
    relief = inside
    if rng.random() < 0.6:
        bumps = billows(height, width, rng, scale_px=max(told[0] / rng.uniform(3, 12), 6.0))
        bumps *= np.float32(rng.uniform(0.3, 1.5))
        relief, core = inside + bumps, core * (np.float32(0.7) + bumps * np.float32(0.6))
    value = sunlit(relief, core, rng, azimuth_deg=azimuth, size_px=told[0], bright=bright) * patches
    color = colored(value, filled(data, valid), rng, bright=bright[0])
    parameters = {"optical_depth": scale, "size_px": told[0], "angle_deg": told[1], "sun_azimuth_deg": azimuth}
    return clouded(data, valid, rng, opacity=-np.expm1(-depth), color=color, parameters=parameters)
