"""Shadows that belong to a scene: of buildings and of relief. Their mask is empty."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import gentle, lit, smoothstep, turbulence
from clearscene.synth.cloud_optics import filled, grained
from clearscene.synth.cloud_shadow import dimmed
from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.negative_shapes import boxes, drawn, unmarked

__all__ = ["building_shadow", "terrain_shadow"]


def building_shadow(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Sharp dark shadows along straight edges of buildings, all thrown the same way; the mask is empty.

    Parameters: `n_buildings`, `length_px`, `sun_azimuth_deg` (clockwise from the top), `light_lost`.
    """
    height, width = valid.shape
    n, azimuth = int(rng.integers(1, 14)), float(rng.uniform(0, 360))
    largest = max(20.0, min(height, width) * rng.uniform(0.1, 0.5))
    length = float(rng.uniform(0.1, 0.8) * largest)
    away = np.array([-np.sin(np.deg2rad(azimuth)), np.cos(np.deg2rad(azimuth))])  # col, row
    houses = boxes(height, width, rng, n=n, sizes_px=(10.0, largest))
    swept = [_swept(corners, away * length * rng.uniform(0.5, 1.0)) for corners in houses]
    softness = float(rng.uniform(0.4, 0.9))
    shade = drawn(height, width, swept, softness_px=softness)
    shade *= 1 - drawn(height, width, houses, softness_px=softness)
    strength = float(np.clip(0.35 + 0.45 * severity + rng.normal(0, 0.05), 0.3, 0.85))
    noise = grained(data.shape, rng, softness_px=float(rng.uniform(0.0, 0.9)))
    changed = dimmed(filled(data, valid), shade, noise, strength=strength)
    told = {"n_buildings": n, "length_px": length, "sun_azimuth_deg": azimuth, "light_lost": strength}
    return unmarked(data, changed, valid, parameters=told)


def _swept(corners: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners (n, 2) of what a polygon covers on its way along `offset`."""
    both = np.concatenate([corners, corners + offset]).astype(np.float32)
    return np.asarray(cv2.convexHull(both)[:, 0, :], np.float64)


def terrain_shadow(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Slopes of a mountain turned away from a low sun: dark flanks along ridges; the mask is empty.

    Parameters: `size_px` of the relief, `sun_azimuth_deg`, `light_lost`.
    """
    height, width = valid.shape
    size, azimuth = float(min(height, width) * rng.uniform(0.4, 1.6)), float(rng.uniform(0, 360))
    # Folded noise has sharp ridges; finer folds run down from them as spurs and gullies.
    relief = -np.abs(gentle(height, width, rng, scale_px=size))
    relief -= np.float32(rng.uniform(0.3, 0.6)) * np.abs(gentle(height, width, rng, scale_px=size / 2.5))
    relief += np.float32(0.06) * turbulence(height, width, rng, scale_px=size / 4, slope=1.8)
    light = lit(relief, azimuth, sizes_px=(1.2, max(1.5, size / 40)))
    # Brightness follows the slope all over, without the plateaus of a cloud's shadow, and breaks at ridges.
    shade = smoothstep(rng.uniform(-1.0, -0.6), rng.uniform(0.8, 1.2), -light)
    strength = float(np.clip(0.25 + 0.45 * severity + rng.normal(0, 0.05), 0.2, 0.75))
    noise = grained(data.shape, rng, softness_px=float(rng.uniform(0.0, 0.9)))
    changed = dimmed(filled(data, valid), shade, noise, strength=strength)
    changed *= 1 + np.float32(0.25 * strength) * np.maximum(light, 0)
    told = {"size_px": size, "sun_azimuth_deg": azimuth, "light_lost": strength}
    return unmarked(data, changed, valid, parameters=told)
