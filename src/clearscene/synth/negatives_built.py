"""Built things that are bright but no cloud: roofs, concrete, greenhouses, roads; each mask is empty."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane, gentle, smoothstep, soft, turbulence
from clearscene.synth.cloud_optics import filled, grain, grained, tint
from clearscene.synth.cloud_shadow import dimmed
from clearscene.synth.degraded import Degraded
from clearscene.synth.negative_shapes import boxes, detail, drawn, mixed, unmarked

__all__ = ["concrete", "greenhouses", "road", "roof_edges", "white_roofs"]


def _painted(
    ground: NDArray[np.float32], alpha: Plane, value: Plane, rng: np.random.Generator, *, blue: tuple[float, float]
) -> NDArray[np.float32]:
    """A gray surface of brightness `value` (row, col) laid over the ground, with the ground's grain."""
    noise = np.float32(grain(ground)) * grained(ground.shape, rng, softness_px=float(rng.uniform(0, 0.7)))
    return mixed(ground, alpha, value * tint(len(ground), rng, blue=blue) + noise)


def _across(corners: NDArray[np.float64], height: int, width: int) -> tuple[Plane, Plane]:
    """Place of each pixel along the two sides of a rectangle, 0 to 1 inside."""
    first, second = corners[1] - corners[0], corners[3] - corners[0]
    cols = np.arange(width, dtype=np.float32)[None, :] - np.float32(corners[0, 0])
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(corners[0, 1])
    u = (cols * np.float32(first[0]) + rows * np.float32(first[1])) / np.float32(first @ first)
    v = (cols * np.float32(second[0]) + rows * np.float32(second[1])) / np.float32(second @ second)
    return u.astype(np.float32), v.astype(np.float32)


def white_roofs(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """Bright flat and gabled roofs with ridges, small things on top and a narrow shadow.

    Parameters: `n_buildings`, `brightness`, `sun_azimuth_deg` (clockwise from the top).
    """
    height, width = valid.shape
    ground = filled(data, valid)
    n, azimuth = int(rng.integers(1, 16)), float(rng.uniform(0, 360))
    roofs = boxes(height, width, rng, n=n, sizes_px=(10.0, max(24.0, min(height, width) * rng.uniform(0.15, 0.8))))
    bright, softness = float(rng.uniform(0.65, 0.85) + 0.3 * severity), float(rng.uniform(0.4, 0.8))
    alpha = drawn(height, width, roofs, softness_px=softness)
    value = np.full((height, width), bright, np.float32)
    for corners in roofs:
        inside = drawn(height, width, [corners], softness_px=softness) > 0.02
        u, _ = _across(corners, height, width)
        tone = rng.uniform(0.8, 1.05) * (1 + rng.uniform(-0.06, 0.06) * u)
        if rng.random() < 0.6:  # a ridge along the middle: one half turns from the sun
            tone = tone * (1 - rng.uniform(0.04, 0.25) * smoothstep(0.49, 0.51, u))
        np.copyto(value, (bright * tone).astype(np.float32), where=inside)
    value *= _clutter(roofs, height, width, rng)
    value *= 1 + np.float32(0.4) * (detail(ground) - 1)
    away = np.array([-np.sin(np.deg2rad(azimuth)), np.cos(np.deg2rad(azimuth))]) * rng.uniform(2, 9)
    shade = drawn(height, width, [corners + away for corners in roofs], softness_px=softness)
    noise = grained(ground.shape, rng, softness_px=0.5)
    ground = dimmed(ground, shade, noise, strength=float(rng.uniform(0.3, 0.7)))
    changed = _painted(ground, alpha, value, rng, blue=(-0.08, 0.08))
    told = {"n_buildings": n, "brightness": bright, "sun_azimuth_deg": azimuth}
    return unmarked(data, changed, valid, parameters=told)


def _clutter(roofs: list[NDArray[np.float64]], height: int, width: int, rng: np.random.Generator) -> Plane:
    """Vents, hatches and seams on roofs as a factor (row, col), mostly 1."""
    items = []
    for corners in roofs:
        for _ in range(int(rng.integers(0, 6))):
            u, v, size = rng.uniform(0.1, 0.85), rng.uniform(0.1, 0.85), rng.uniform(0.02, 0.12, 2)
            base = corners[0] + u * (corners[1] - corners[0]) + v * (corners[3] - corners[0])
            first, second = size[0] * (corners[1] - corners[0]), size[1] * (corners[3] - corners[0])
            items.append(np.array([base, base + first, base + first + second, base + second]))
    return 1 - np.float32(rng.uniform(0.1, 0.5)) * drawn(height, width, items, softness_px=0.6)


def concrete(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """A yard of pale concrete: joints in a grid, stains, straight borders.

    Parameters: `joint_px`, `brightness`, `cover_fraction`.
    """
    height, width = valid.shape
    ground, side = filled(data, valid), min(height, width)
    yard = boxes(height, width, rng, n=int(rng.integers(1, 4)), sizes_px=(side * 0.3, side * 1.6))
    alpha = drawn(height, width, yard, softness_px=0.6) * np.float32(rng.uniform(0.8, 1.0))
    u, v = _across(yard[0], height, width)
    joint = float(rng.uniform(8, 40))
    lines = [np.abs(plane * reach / joint % 1 - 0.5) for plane, reach in zip((u, v), _reach(yard[0]), strict=True)]
    groove = smoothstep(0.5 - 1.2 / joint, 0.5, np.maximum(*lines).astype(np.float32))
    stains = np.float32(rng.uniform(0.02, 0.08)) * turbulence(height, width, rng, scale_px=side / 6, slope=1.4)
    bright = float(rng.uniform(0.5, 0.7) + 0.35 * severity)
    value = np.float32(bright) * (1 + stains) * (1 - np.float32(rng.uniform(0.0, 0.2)) * groove)
    value *= 1 + np.float32(0.2) * (detail(ground) - 1)
    told = {"joint_px": joint, "brightness": bright, "cover_fraction": float((alpha > 0.4).mean())}
    changed = _painted(ground, alpha, value, rng, blue=(-0.12, 0.04))
    return unmarked(data, changed, valid, parameters=told)


def _reach(corners: NDArray[np.float64]) -> tuple[float, float]:
    """Lengths in pixels of the two sides of a rectangle."""
    return float(np.hypot(*(corners[1] - corners[0]))), float(np.hypot(*(corners[3] - corners[0])))


def greenhouses(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """Rows of glass or plastic: long bright bars side by side, dark gaps, some with a glare.

    Parameters: `period_px`, `brightness`, `cover_fraction`.
    """
    height, width = valid.shape
    ground, side = filled(data, valid), min(height, width)
    blocks = boxes(height, width, rng, n=int(rng.integers(1, 4)), sizes_px=(side * 0.25, side * 1.2))
    period, bright = float(rng.uniform(4, 22)), float(rng.uniform(0.6, 0.75) + 0.35 * severity)
    alpha = drawn(height, width, blocks, softness_px=0.6) * np.float32(rng.uniform(0.75, 1.0))
    u, _ = _across(blocks[0], height, width)
    bars = u * np.float32(_reach(blocks[0])[0] / period)
    tones = rng.uniform(0.8, 1.12, 4096).astype(np.float32)[np.floor(bars).astype(np.int64) % 4096]
    profile = np.abs(bars % 1 - np.float32(0.5)) * 2  # 0 in the middle of a bar, 1 in the gap
    value = np.float32(bright) * tones * (1 - np.float32(rng.uniform(0.2, 0.7)) * smoothstep(0.6, 1.0, profile))
    value *= 1 + np.float32(0.05) * gentle(height, width, rng, scale_px=side / 4)
    value = soft(value, 0.6)
    told = {"period_px": period, "brightness": bright, "cover_fraction": float((alpha > 0.4).mean())}
    return unmarked(data, _painted(ground, alpha, value, rng, blue=(0.0, 0.12)), valid, parameters=told)


def _curve(height: int, width: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Points (n, 1, 2) of a smooth line across the window, in sixteenths of a pixel."""
    side, angle = np.hypot(height, width), rng.uniform(0, 2 * np.pi)
    t = np.linspace(-0.7, 0.7, 64) * side
    bend = rng.uniform(-0.15, 0.15) * side * np.sin(t / side * rng.uniform(1, 6) + rng.uniform(0, 6))
    shift = rng.uniform(-0.35, 0.35) * min(height, width)
    col = width / 2 + t * np.cos(angle) - (bend + shift) * np.sin(angle)
    row = height / 2 + t * np.sin(angle) + (bend + shift) * np.cos(angle)
    return np.asarray(np.rint(np.stack([col, row], axis=1) * 16)[:, None, :], np.int32)


def road(data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float) -> Degraded:
    """Pale roads and tracks: lines of even width, straight or bent, some with marks.

    Parameters: `width_px`, `n_roads`, `brightness`.
    """
    height, width = valid.shape
    ground = filled(data, valid)
    n, broad = int(rng.integers(1, 4)), int(rng.integers(2, 22))
    surface, marks = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    for _ in range(n):
        points = _curve(height, width, rng)
        cv2.polylines(surface, [points], False, 255, broad, cv2.LINE_AA, 4)
        if broad > 8:
            cv2.polylines(marks, [points], False, 255, 1, cv2.LINE_AA, 4)
    alpha = soft(surface.astype(np.float32) / np.float32(255), float(rng.uniform(0.4, 0.9)))
    bright = float(rng.uniform(0.45, 0.65) + 0.35 * severity)
    wear = turbulence(height, width, rng, scale_px=30, slope=1.7)
    value = np.float32(bright) * (1 + np.float32(rng.uniform(0.02, 0.08)) * wear)
    value += marks.astype(np.float32) * np.float32(rng.uniform(-0.1, 0.2) / 255)
    value *= 1 + np.float32(0.2) * (detail(ground) - 1)
    changed = _painted(ground, alpha * np.float32(0.95), value, rng, blue=(-0.2, 0.03))
    return unmarked(data, changed, valid, parameters={"width_px": broad, "n_roads": n, "brightness": bright})


def roof_edges(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """Bright rims around rectangles: parapets, curbs, walls; the ground inside stays.

    Parameters: `width_px`, `n_buildings`, `brightness`.
    """
    height, width = valid.shape
    ground = filled(data, valid)
    n, broad = int(rng.integers(2, 16)), int(rng.integers(1, 5))
    plane = np.zeros((height, width), np.uint8)
    for corners in boxes(height, width, rng, n=n, sizes_px=(12.0, max(30.0, min(height, width) * 0.5))):
        cv2.polylines(plane, [np.rint(corners * 16).astype(np.int32)], True, 255, broad, cv2.LINE_AA, 4)
    alpha = soft(plane.astype(np.float32) / np.float32(255), 0.5)
    bright = float(0.65 + 0.4 * severity)
    value = np.float32(bright) * (1 + np.float32(0.5) * (detail(ground) - 1))
    changed = _painted(ground, alpha, value, rng, blue=(-0.08, 0.08))
    return unmarked(data, changed, valid, parameters={"width_px": broad, "n_buildings": n, "brightness": bright})
