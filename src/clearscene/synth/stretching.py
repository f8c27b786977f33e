"""Stretching blur pattern: ground pulled into streaks where the elevation model is wrong or steep.

When an image is projected on a slope that faces away from the camera, or over the edge of a roof or
bridge, a few pixels must cover much ground: they are drawn out along the slope. Each function has the
signature of `Degrade`; nothing changes where the streaks could not be seen.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import filled, is_visible, luminance, texture
from clearscene.synth.region import draw_center, laid_in, profile, smooth_noise, smooth_step, untouched
from clearscene.synth.warping import warped

__all__ = ["edge_streaks", "slope_streaks", "stretching"]

LEAST_STRETCH, MOST_STRETCH = 4.0, 20.0
STEP = 0.5
"""Pixels between the entries of a profile along the ridge."""
FAINTEST = 0.05
"""Weights below this are made 0."""

Box = tuple[slice, slice]


@dataclass(frozen=True)
class _Ridge:
    """Where streaks begin, and how they run."""

    row: float
    col: float
    angle: float
    """Degrees from the columns' axis, growing toward higher rows: where the streaks run to."""
    half: float
    """Half of its length, pixels."""
    length: float
    """Of the streaks, pixels."""
    bend: float
    """Deviation of the ridge from a straight line, pixels."""
    jag: float
    """Deviation from streak to streak, pixels."""

    def axes(self, box: Box) -> tuple[Data, Data]:
        """Coordinates along the streaks and across them, each (row, col) in pixels from the middle."""
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        rows = np.arange(box[0].start, box[0].stop) - self.row
        cols = np.arange(box[1].start, box[1].stop) - self.col
        along = np.add.outer(rows * sin, cols * cos).astype(np.float32)
        return along, np.add.outer(rows * cos, -cols * sin).astype(np.float32)

    def box(self, size: tuple[int, ...]) -> Box:
        """The part of a window of `size` that holds all streaks; empty if they lie outside."""
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        slack = 4 * (self.bend + self.jag) + 2
        along = np.array([-slack, -slack, self.length + slack, self.length + slack])
        across = np.array([-self.half, self.half, -self.half, self.half])
        rows, cols = self.row + along * sin + across * cos, self.col + along * cos - across * sin
        first = [int(np.clip(np.floor(line.min()), 0, n)) for line, n in zip((rows, cols), size, strict=True)]
        last = [int(np.clip(np.ceil(line.max()) + 1, 0, n)) for line, n in zip((rows, cols), size, strict=True)]
        return slice(first[0], last[0]), slice(first[1], last[1])


def stretching(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Streaks down a slope or, less often, off an edge that is in the image."""
    streaks = slope_streaks if rng.random() < 0.65 else edge_streaks
    return streaks(data, valid, rng, severity)


def slope_streaks(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Streaks of 15 to 150 px, by chance and severity, down one to three neighboring slopes with long bent ridges."""
    row, col = draw_center((valid.shape[0], valid.shape[1]), rng, texture(filled(data, valid)))
    half = _log_uniform(rng, 35, max(45.0, 0.9 * max(valid.shape)))
    length = min(_log_uniform(rng, 15 + 30 * severity, 60 + 90 * severity), 0.6 * max(valid.shape))
    first = _Ridge(
        row, col, rng.uniform(0, 360), half, length, bend=half * rng.uniform(0.03, 0.15), jag=rng.uniform(0.5, 3)
    )
    ridges = [first]
    for _ in range(int(rng.choice(3, p=[0.6, 0.25, 0.15]))):
        away = first.length * rng.uniform(1.0, 2.5)
        turn = rng.uniform(0, 2 * np.pi)
        place = {"row": row + away * np.sin(turn), "col": col + away * np.cos(turn)}
        scale = rng.uniform(0.4, 1.0)
        other = replace(first, **place, angle=first.angle + rng.normal(0, 20), half=max(25.0, half * scale))
        ridges.append(replace(other, length=max(15.0, first.length * scale)))
    return _pulled(data, valid, ridges, rng=rng, severity=severity)


def edge_streaks(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Streaks off a straight edge that is in the image, as off a roof or a bridge: 20 to 90 px long."""
    row, col, angle = _strong_edge(filled(data, valid), rng)
    half = _log_uniform(rng, 20 + 15 * severity, 100)
    length = min(_log_uniform(rng, 20 + 15 * severity, 45 + 45 * severity), 0.6 * max(valid.shape))
    ridge = _Ridge(row, col, angle, half, length, bend=rng.uniform(0, 2), jag=rng.uniform(0, 1.5))
    return _pulled(data, valid, [ridge], rng=rng, severity=severity)


def _pulled(data: Data, valid: Mask, ridges: list[_Ridge], *, rng: np.random.Generator, severity: float) -> Degraded:
    """Draw out the ground behind the ridges, one after the other."""
    stretch = LEAST_STRETCH * (MOST_STRETCH / LEAST_STRETCH) ** severity * rng.uniform(0.9, 1.1)
    ground = filled(data, valid)
    weights, count = np.zeros(valid.shape, np.float32), 0
    for ridge in ridges:
        weight, streaks = _streaked(ground, ridge, rng, stretch=float(stretch))
        if is_visible(ground, streaks, weight * valid):
            ground = ground + weight * (streaks - ground)
            weights, count = np.maximum(weights, weight), count + 1
    if count == 0:
        return untouched(data, valid)
    first = ridges[0]
    told: dict[str, float | int | str] = {
        "length_px": round(first.length, 1),
        "stretch_factor": round(float(stretch), 1),
        "angle_deg": round(first.angle % 360, 1),
        "ridge_px": round(2 * first.half, 1),
        "n_ridges": count,
    }
    return laid_in(data, ground, valid, weight=(weights > 0).astype(np.float32), parameters=told)


def _streaked(ground: Data, ridge: _Ridge, rng: np.random.Generator, *, stretch: float) -> tuple[Data, Data]:
    """Weights (row, col) and streaks (band, row, col): what is seen there lies `stretch` times closer to the ridge."""
    weight, rows, cols = (np.zeros(ground.shape[1:], np.float32) for _ in range(3))
    box = ridge.box(weight.shape)
    if weight[box].size == 0:
        return weight, ground
    along, across = ridge.axes(box)
    begin, reach = _ends(ridge, across, rng)
    beyond = along - begin
    weight[box] = _fading(beyond, reach, rng)
    pull = np.maximum(beyond, 0) * np.float32(1 - 1 / stretch)
    sway = smooth_noise(beyond.shape, rng.uniform(12, 40), rng) * np.float32(rng.uniform(0.5, 2))
    sway *= np.clip(beyond / 25, 0, 1)
    cos, sin = np.float32(np.cos(np.deg2rad(ridge.angle))), np.float32(np.sin(np.deg2rad(ridge.angle)))
    rows[box] = (sway * cos - pull * sin) * (weight[box] > 0)
    cols[box] = (-sway * sin - pull * cos) * (weight[box] > 0)
    return weight, warped(ground, rows=rows, cols=cols)


def _ends(ridge: _Ridge, across: Data, rng: np.random.Generator) -> tuple[Data, Data]:
    """Where the streak of each pixel (row, col) begins, and how long it is; length 0 off the ridge's ends."""
    count = int(2 * ridge.half / STEP) + 2
    slow, fast = ridge.half * rng.uniform(0.25, 0.8) / STEP, rng.uniform(1.5, 4) / STEP
    share = np.linspace(-1, 1, count, dtype=np.float32)
    begins = ridge.bend * profile(count, max(4.0, slow), rng) + ridge.jag * profile(count, fast, rng)
    ragged = 0.8 + 0.2 * profile(count, max(4.0, slow / 2), rng) + 0.12 * profile(count, fast, rng)
    reaches = ridge.length * np.sqrt(np.maximum(1 - share * share, 0)) * np.clip(ragged, 0.2, 1)
    place = (across + np.float32(ridge.half)) / np.float32(STEP)
    low = np.clip(place, 0, count - 2).astype(np.int32)
    part = np.clip(place - low, 0, 1)
    found = [line[low] + part * (line[low + 1] - line[low]) for line in (begins, reaches)]
    is_off = (place < 0) | (place > count - 1)
    return np.asarray(found[0], np.float32), np.where(is_off, 0, found[1]).astype(np.float32)


def _fading(beyond: Data, reach: Data, rng: np.random.Generator) -> Data:
    """Weights (row, col): 1 at the ridge, falling to 0 over the far part of each streak."""
    left = 1 - beyond / np.maximum(reach, np.float32(1e-3))
    weight = smooth_step(np.asarray(left / np.float32(rng.uniform(0.15, 0.5)), np.float32))
    is_streak = (beyond > 0) & (reach > 2) & (weight >= FAINTEST)
    return np.where(is_streak, weight, np.float32(0))


def _strong_edge(ground: Data, rng: np.random.Generator) -> tuple[float, float, float]:
    """A place (row, col) on one of the strongest edges, and a direction in degrees square to it."""
    soft = cv2.GaussianBlur(luminance(ground), (0, 0), 2)
    down, right = cv2.Sobel(soft, -1, 0, 1), cv2.Sobel(soft, -1, 1, 0)
    step = max(1, int(np.sqrt(soft.size / 4096)))
    strength = cv2.magnitude(right[::step, ::step].copy(), down[::step, ::step].copy())
    places = np.flatnonzero(strength >= np.quantile(strength, 0.97))
    place = np.unravel_index(int(rng.choice(places)), strength.shape)
    row, col = int(place[0]) * step, int(place[1]) * step
    angle = np.rad2deg(np.arctan2(down[row, col], right[row, col])) + rng.choice([0.0, 180.0]) + rng.normal(0, 8)
    return float(row), float(col), float(angle)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))
