"""Distortion: the ground is warped, and what should be straight is bent.

Each function has the signature of `Degrade`. The moves are 0 at the outline of the region and grow
inward, so no cut shows. Nothing changes where the ground has no straight line to show them: a bent forest
looks like any other.
"""

import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import filled, is_visible, straight_lines
from clearscene.synth.region import Region, draw_region, laid_in, linear_ramp, profile, smooth_noise, untouched
from clearscene.synth.warping import warped

__all__ = ["melt", "ripple", "shear_break", "swirl"]

SMALLEST_MOVE_PX, LARGEST_MOVE_PX = 3.0, 25.0
LEAST_LINES = 0.05
"""Share of a region that straight lines must fill (mean of forest 0.002, car parks 0.02, suburbs 0.1, roads 0.6)."""
TRIES = 4
LEAST_STEEPNESS = 0.06
"""Amplitude by wavelength: lines turn by up to 20 degrees."""
SHORTEST_WAVE_PX, LONGEST_WAVE_PX = 20.0, 150.0


def ripple(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Waves across their own direction, as of a shaking camera: roads and eaves snake."""
    amplitude = _amplitude(rng, severity, valid)
    wave = _wavelength(rng, amplitude, steepness=0.22)
    angle = rng.uniform(0, 360)
    phase = _along(valid.shape, angle) / np.float32(wave) + np.float32(rng.random())
    phase += smooth_noise(valid.shape, 2 * wave, rng) * np.float32(rng.uniform(0, 0.15))
    move = np.sin(np.float32(2 * np.pi) * phase)
    rows, cols = move * np.float32(np.cos(np.deg2rad(angle))), -move * np.float32(np.sin(np.deg2rad(angle)))
    return _moved(data, valid, rng, moves=(rows, cols), amplitude=amplitude, told=_told(wave, angle))


def melt(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Uneven moves at several scales, as of a wrong surface under a roof or bridge: shapes run like wax."""
    amplitude = _amplitude(rng, severity, valid)
    wave = _wavelength(rng, amplitude, steepness=0.14)
    moves = _octaves(valid.shape, wave, rng), _octaves(valid.shape, wave, rng)
    return _moved(data, valid, rng, moves=moves, amplitude=amplitude, told=_told(wave))


def swirl(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Eddies: the ground turns around several points, without growing or shrinking."""
    amplitude = _amplitude(rng, severity, valid)
    wave = _wavelength(rng, amplitude, steepness=0.12)
    down, right = np.gradient(smooth_noise(valid.shape, wave / 2, rng))
    top = np.float32(0.8 * max(float(np.abs(down).max()), float(np.abs(right).max()), 1e-6))
    moves = np.asarray(np.clip(right / top, -1, 1)), np.asarray(np.clip(-down / top, -1, 1))  # curl of a potential
    return _moved(data, valid, rng, moves=moves, amplitude=amplitude, told=_told(wave))


def shear_break(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Lines slip along themselves, as of a line scanner whose attitude jitters: saw teeth in straight edges."""
    amplitude = _amplitude(rng, severity, valid)
    wave = _wavelength(rng, amplitude, steepness=0.4)
    angle = float(rng.choice([0.0, 90.0]) + rng.normal(0, 6))
    place = _along(valid.shape, angle + 90)
    first, last = int(np.floor(place.min())), int(np.ceil(place.max())) + 2
    count = last - first
    teeth = (np.arange(count) / wave + rng.random() + 0.15 * profile(count, wave, rng)) % 1.0
    fall = np.clip(2.5 / wave, 0.03, 0.3)  # a tooth falls back within a few lines
    saw = np.where(teeth < 1 - fall, teeth / (1 - fall), (1 - teeth) / fall) * 2 - 1
    slip = 0.75 * saw + 0.2 * profile(count, max(3.0, wave / 6), rng) + 0.02 * rng.standard_normal(count)
    move = np.interp(place, np.arange(first, last), np.clip(slip, -1, 1)).astype(np.float32)
    rows, cols = move * np.float32(np.sin(np.deg2rad(angle))), move * np.float32(np.cos(np.deg2rad(angle)))
    return _moved(data, valid, rng, moves=(rows, cols), amplitude=amplitude, told=_told(wave, angle))


def _amplitude(rng: np.random.Generator, severity: float, valid: Mask) -> float:
    """Largest move in pixels: 3 to 25 by severity, at most an eighth of the window."""
    amplitude = SMALLEST_MOVE_PX * (LARGEST_MOVE_PX / SMALLEST_MOVE_PX) ** severity * rng.uniform(0.9, 1.1)
    return float(min(amplitude, min(valid.shape) / 8))


def _wavelength(rng: np.random.Generator, amplitude: float, *, steepness: float) -> float:
    """Pixels; amplitude by wavelength stays below `steepness`, lest the ground folds, but high enough to bend lines."""
    low = min(max(SHORTEST_WAVE_PX, amplitude / steepness), LONGEST_WAVE_PX)
    high = min(max(1.5 * low, amplitude / LEAST_STEEPNESS), LONGEST_WAVE_PX)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _along(size: tuple[int, ...], angle: float) -> Data:
    """Coordinate (row, col) in pixels along a direction, in degrees from the columns' axis."""
    rows, cols = (np.arange(n, dtype=np.float32) for n in size)
    sin, cos = np.float32(np.sin(np.deg2rad(angle))), np.float32(np.cos(np.deg2rad(angle)))
    return np.asarray(np.add.outer(rows * sin, cols * cos))


def _octaves(size: tuple[int, ...], wave: float, rng: np.random.Generator) -> Data:
    """Smooth noise (row, col) in [-1, 1] of three wavelengths, the shorter the weaker."""
    parts = [smooth_noise(size, max(4.0, wave / 2 / 2**k), rng) * np.float32(0.45 * 0.4**k) for k in range(3)]
    return np.asarray(np.clip(parts[0] + parts[1] + parts[2], -1, 1))


def _told(wave: float, angle: float | None = None) -> dict[str, float | str]:
    told: dict[str, float | str] = {"wavelength_px": round(wave, 1)}
    return told if angle is None else {**told, "angle_deg": round(angle % 360, 1)}


def _moved(
    data: Data,
    valid: Mask,
    rng: np.random.Generator,
    *,
    moves: tuple[Data, Data],
    amplitude: float,
    told: dict[str, float | str],
) -> Degraded:
    """Warp a random region by `moves` (rows, columns; in [-1, 1]) times `amplitude`."""
    ground = filled(data, valid)
    region = _lined_region(ground, valid, rng, amplitude=amplitude)
    if region is None:
        return untouched(data, valid)
    reach = _envelope(region, 3.5 * amplitude) * np.float32(amplitude)
    rows, cols = (move * reach for move in moves)
    warp = warped(ground, rows=rows, cols=cols)
    if not is_visible(ground, warp, region.weight * valid):
        return untouched(data, valid)
    largest = float(np.sqrt((rows * rows + cols * cols).max()))
    parameters = {"amplitude_px": round(largest, 1), **told, "region": region.shape}
    return laid_in(data, warp, valid, weight=region.weight, parameters=parameters)


def _lined_region(ground: Data, valid: Mask, rng: np.random.Generator, *, amplitude: float) -> Region | None:
    """A region with enough straight lines in it, if a few tries find one."""
    lines = straight_lines(ground)
    smallest = min(0.8, max(0.03, (4 * amplitude) ** 2 / valid.size))
    for _ in range(TRIES):
        region = draw_region(
            (valid.shape[0], valid.shape[1]),
            rng,
            coverage=(smallest, 0.9),
            shapes=("blob", "blob", "band", "block", "half", "whole"),
            interest=lines.astype(np.float32),
        )
        inside = (region.mask & valid)[: 2 * lines.shape[0] : 2, : 2 * lines.shape[1] : 2]
        if (lines & inside).sum() > LEAST_LINES * inside.sum():
            return region
    return None


def _envelope(region: Region, taper: float) -> Data:
    """0 outside and at the outline, (row, col); steep there and 1 from `taper` pixels inward.

    Steep, so that the rim of the mask in which nothing is seen to move is thin; over so many pixels that
    nothing folds.
    """
    depth = linear_ramp(region.mask, taper)
    return np.asarray(depth * (2 - depth))
