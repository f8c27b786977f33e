"""The cloud of seed 002: a ragged disc of photographed cloud, here of generated texture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_body import sunlit
from clearscene.synth.cloud_field import Plane, billows, perlin, places, turbulence
from clearscene.synth.cloud_optics import MARKED, brightness, composite, filled, tint, visible
from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = ["paper_alpha", "paper_cloud", "photograph"]

_SIDE = 300
"""Pixels of the square in which the alpha plane is made, as published with the code of the seed."""


def paper_alpha(rng: np.random.Generator) -> Plane:
    """Alpha (300, 300) float32 in [0, 1] by the recipe of seed 002 (its code, `data_factory.py`).

    With R half the side: 1 inside 0.5 R, falling to 0.8 at 0.6 R, 0.8 up to 0.65 R, falling to 0 at R;
    times Perlin noise of five periods plus 1, clipped to [0, 1]; blurred with sigma 5 px; flipped and
    turned by quarters at random.
    """
    rows, cols = places(_SIDE, _SIDE)
    middle = (_SIDE - 1) / 2
    radius = np.hypot(rows - middle, cols - middle) / (_SIDE / 2)
    disc = np.interp(radius, (0.5, 0.6, 0.65, 1.0), (1.0, 0.8, 0.8, 0.0)).astype(np.float32)
    alpha = disc * np.clip(perlin(_SIDE, _SIDE, rng, periods=5) + 1, 0, 1)
    alpha = np.rot90(cv2.GaussianBlur(alpha, (0, 0), 5), int(rng.integers(4)))
    return np.ascontiguousarray(alpha[:, ::-1] if rng.random() < 0.5 else alpha)


def paper_cloud(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One cloud by the recipe of seed 002: alpha stretched to an aspect of 0.5 to 2, turned by up to 45 degrees.

    The seed mixes in photographs of clouds; here the texture is generated. `severity` scales alpha from
    0.4 to 1. Parameters: `size_px` (root of the area of the box), `angle_deg`, `cover_fraction`.
    """
    height, width = valid.shape
    share, ratio, angle = rng.uniform(0.1, 0.6), rng.uniform(0.5, 2.0), float(rng.uniform(-45, 45))
    wide = np.sqrt(share * height * width / ratio)
    turn = np.deg2rad(angle)
    scale = np.diag([wide / _SIDE, wide * ratio / _SIDE])
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ scale
    center = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    move = np.column_stack([linear, center - linear @ np.full(2, _SIDE / 2)])
    alpha = cv2.warpAffine(paper_alpha(rng), move, (width, height), flags=cv2.INTER_LINEAR, borderValue=0)
    kept = visible(np.asarray(alpha * np.float32(0.4 + 0.6 * severity)), valid)
    result, mask, touched = data.copy(), kept >= MARKED, kept > 0
    np.copyto(result, composite(filled(data, valid), kept, photograph(data, valid, rng, severity)), where=touched)
    told = {"size_px": float(wide * np.sqrt(ratio)), "angle_deg": angle, "cover_fraction": float(mask.mean())}
    return Degraded(result, mask, told, context=touched & ~mask)


def photograph(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> NDArray[np.float32]:
    """What stands for a photograph of cloud: (band, row, col), cloud all over."""
    height, width = valid.shape
    size = float(min(height, width) * rng.uniform(0.2, 0.8))
    relief = turbulence(height, width, rng, scale_px=size / 2, slope=1.9)
    relief += 2 * billows(height, width, rng, scale_px=size / 4)
    bright = brightness(data, valid, rng, severity)
    depth = np.maximum(relief + 3, np.float32(0.5))
    value = sunlit(relief, depth, rng, azimuth_deg=float(rng.uniform(0, 360)), size_px=size, bright=bright)
    return np.asarray(value[None] * tint(len(data), rng, blue=(-0.06, 0.10)))
