"""Blur: out of focus, moved during exposure, or enlarged from a coarser image.

Each function has the signature of `Degrade`. Where the ground shows no texture blur cannot be seen;
then nothing is changed and the mask is empty. Optical blur happens before the sensor adds its noise,
so noise like that of the window is added again, a little less or more; an enlarged patch has little.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import add_grain, filled, is_visible, noise_floor, texture
from clearscene.synth.region import Region, draw_region, laid_in, untouched

__all__ = ["defocus", "motion_blur", "resampling_blur"]

WEAKEST_SIGMA_PX, STRONGEST_SIGMA_PX = 1.0, 6.0
SHORTEST_MOTION_PX, LONGEST_MOTION_PX = 5.0, 28.0
WEAKEST_FACTOR, STRONGEST_FACTOR = 2.0, 6.0
ALONE = 2.5
"""How much stronger the weakest blur of a whole window is: less is what soft scenes look like all over."""
WHOLE = 0.06
"""Share of blurs that take the whole window."""
FINER = 8
"""Kernels are drawn this much finer than pixels, then averaged."""


def defocus(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Blur by a disc (as of a lens) or a Gaussian (as of the air); sigma 1 to 6 px by severity."""
    kernel = "disc" if rng.random() < 0.5 else "gauss"
    ground = filled(data, valid)
    region = _region(ground, rng)
    sigma = _between(WEAKEST_SIGMA_PX, STRONGEST_SIGMA_PX, severity, region=region) * rng.uniform(0.95, 1.05)
    if kernel == "disc":
        blurred = _filtered(ground, _disc(2 * sigma))  # the deviation of a disc is half its radius
    else:
        blurred = np.stack([cv2.GaussianBlur(band, (0, 0), sigma) for band in ground])
    told: dict[str, float | str] = {"sigma_px": round(float(sigma), 2), "kernel": kernel}
    return _laid_in(data, ground, blurred, valid, region=region, rng=rng, grain=rng.uniform(0.6, 1.1), told=told)


def motion_blur(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Blur along a line, 5 to 28 px by severity, at any angle, slightly bent."""
    angle = rng.uniform(0, 180)
    ground = filled(data, valid)
    region = _region(ground, rng)
    length = _between(SHORTEST_MOTION_PX, LONGEST_MOTION_PX, severity, region=region) * rng.uniform(0.95, 1.05)
    blurred = _filtered(ground, _trail(length, angle, bend=rng.normal(0, 0.06)))
    told = {"length_px": round(float(length), 1), "angle_deg": round(float(angle), 1)}
    return _laid_in(data, ground, blurred, valid, region=region, rng=rng, grain=rng.uniform(0.6, 1.1), told=told)


def resampling_blur(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A part that was 2 to 6 times coarser by severity, enlarged to fit into the sharp rest."""
    method = "cubic" if rng.random() < 0.6 else "linear"
    ground = filled(data, valid)
    region = _region(ground, rng)
    factor = _between(WEAKEST_FACTOR, STRONGEST_FACTOR, severity, region=region) * rng.uniform(0.95, 1.05)
    shift = rng.integers(0, round(factor) + 1, 2)
    coarse = [_coarsened(band, factor, shift=shift, method=method) for band in ground]
    told: dict[str, float | str] = {"factor": round(float(factor), 2), "method": method}
    return _laid_in(data, ground, np.stack(coarse), valid, region=region, rng=rng, grain=rng.uniform(0, 0.5), told=told)


def _between(low: float, high: float, severity: float, *, region: Region) -> float:
    """Grow from `low` to `high` by equal factors, as the eye judges blur.

    A window that is blurred as a whole starts higher: nothing sharp is there to compare with.
    """
    start = low * (ALONE if region.shape == "whole" else 1.0)
    return float(start * (high / start) ** severity)


def _region(ground: Data, rng: np.random.Generator) -> Region:
    is_seam = rng.random() < 0.4
    parts = ("half", "band", "block") if is_seam else ("blob", "blob", "band", "half")
    return draw_region(
        (ground.shape[1], ground.shape[2]),
        rng,
        coverage=(0.03, 0.8),
        shapes=("whole",) if rng.random() < WHOLE else parts,
        feather_px=float(rng.choice([0.0, 1.0, 2.0])) if is_seam else rng.uniform(3, 20),
        interest=texture(ground),
    )


def _laid_in(
    data: Data,
    ground: Data,
    blurred: Data,
    valid: Mask,
    *,
    region: Region,
    rng: np.random.Generator,
    grain: float,
    told: Mapping[str, float | str],
) -> Degraded:
    if not is_visible(ground, blurred, region.weight * valid):
        return untouched(data, valid)
    noisy = add_grain(blurred, rng, noise_floor(ground) * np.float32(grain))
    return laid_in(data, noisy, valid, weight=region.weight, parameters={**told, "region": region.shape})


def _filtered(ground: Data, kernel: Data) -> Data:
    return np.stack([cv2.filter2D(band, -1, kernel, borderType=cv2.BORDER_REFLECT_101) for band in ground])


def _disc(radius: float) -> Data:
    """A disc that sums to 1, its rim smoothed over a pixel."""
    half = int(np.ceil(radius))
    distance = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1])
    disc = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    return np.asarray(disc / disc.sum())


def _trail(length: float, angle: float, *, bend: float) -> Data:
    """The path of a point during exposure, summing to 1; `bend` is its sagitta as a share of its length."""
    half = int(np.ceil(length / 2)) + 1
    side = 2 * half + 1
    t = np.linspace(-0.5, 0.5, max(3, int(length * FINER)))
    along, across = length * t, length * bend * (1 - 4 * t * t)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    rows = along * sin + across * cos + half
    cols = along * cos - across * sin + half
    kernel = np.zeros((side + 2, side + 2))
    top, left = np.floor(rows).astype(int), np.floor(cols).astype(int)
    for down in (0, 1):  # each point is shared by the four pixels around it
        for right in (0, 1):
            share = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (cols - left))
            np.add.at(kernel, (top + down, left + right), share)
    kernel = kernel[:side, :side]
    return np.asarray(kernel / kernel.sum(), np.float32)


def _coarsened(band: Data, factor: float, *, shift: NDArray[np.int64], method: str) -> Data:
    """Shrink by `factor` and enlarge again; `shift` (2,) moves the coarse pixels against the window."""
    height, width = band.shape
    wide = cv2.copyMakeBorder(band, int(shift[0]), 8, int(shift[1]), 8, cv2.BORDER_REFLECT_101)
    size = max(2, round(wide.shape[1] / factor)), max(2, round(wide.shape[0] / factor))
    small = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(
        small, wide.shape[::-1], interpolation=cv2.INTER_CUBIC if method == "cubic" else cv2.INTER_LINEAR
    )
    return np.asarray(large[shift[0] : shift[0] + height, shift[1] : shift[1] + width])
