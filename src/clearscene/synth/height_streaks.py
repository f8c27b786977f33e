"""Streaks that follow heights: crowns and roofs pulled about because the elevation model is wrong at every one of them.

Rectification moves a pixel by its height, along the line to the nadir. Where heights of a wood are coarse, noisy or of
another date, neighbors are moved by different lengths: what lies on a flank that falls away is drawn out into streaks,
or shown twice, and what lies beside it gets a grain of waves. The function has the signature of `Degrade`.
"""

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.grain import VISIBLE_CHANGE, filled, is_visible, luminance, noise_floor, texture
from clearscene.synth.region import draw_region, laid_in, linear_ramp, smooth_noise, smooth_step, untouched
from clearscene.synth.warping import warped

__all__ = ["height_streaks"]

SHORTEST_MOVE_PX, LONGEST_MOVE_PX = 6.0, 26.0
LEAST_SLOPE, MOST_SLOPE = 0.8, 2.0
"""Longest move by the width of a flank; from 1 on a flank that falls away is drawn out without end, or shown twice."""
DRAWN_OUT = 0.7
"""Chance that nothing is shown twice: what would be is streaks."""
PATCH_PX = 11
"""Ground between two crowns that is too narrow to be told from them; also over how much a change is seen."""
STILL_PX = 0.3
"""Moves below it are none."""


def height_streaks(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Streaks and grain along one direction at every crown of a region; moves of about 6 to 26 px by severity.

    Nothing changes where they could not be seen. Parameters: `move_px`, the longest, with roughness two fifths more at
    most; `flank_px`, the width of a flank; `angle_deg`, their direction, from the columns' axis; `cover_fraction`.
    """
    ground = filled(data, valid)
    size = (valid.shape[0], valid.shape[1])
    longest = SHORTEST_MOVE_PX * (LONGEST_MOVE_PX / SHORTEST_MOVE_PX) ** severity * rng.uniform(0.9, 1.1)
    longest = float(min(longest, min(size) / 6))
    flank, angle = longest / rng.uniform(LEAST_SLOPE, MOST_SLOPE), rng.uniform(0, 360)
    region = draw_region(
        size, rng, coverage=(0.08, 1.0), shapes=("blob", "blob", "half", "whole"), interest=texture(ground)
    )
    moves = _moves(luminance(ground), longest, flank=flank, angle=angle, rng=rng)
    moves *= linear_ramp(region.mask, 2 * longest)
    turn = np.deg2rad(angle)
    warp = warped(ground, rows=moves * np.float32(np.sin(turn)), cols=moves * np.float32(np.cos(turn)))
    weight = _seen(ground, warp, moves)
    if not is_visible(ground, warp, weight * valid):
        return untouched(data, valid)
    told: dict[str, float | int | str] = {
        "move_px": round(float(moves[weight > 0].max()), 1),
        "flank_px": round(flank, 1),
        "angle_deg": round(angle, 1),
        "cover_fraction": round(float((weight > 0).mean()), 3),
    }
    return laid_in(data, warp, valid, weight=weight, parameters=told)


def _moves(bright: Data, longest: float, *, flank: float, angle: float, rng: np.random.Generator) -> Data:
    """How far each pixel (row, col) looks along `angle`, 0 to about `longest` pixels."""
    height, width = bright.shape
    side = int(np.ceil(np.hypot(height, width))) + 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    along = cv2.warpAffine(bright, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)  # columns run along `angle`
    moves = _heights(np.asarray(along), flank, rng) * np.float32(longest)
    if rng.random() < DRAWN_OUT:
        place = np.arange(side, dtype=np.float32)
        furthest = np.maximum.accumulate(place + moves, axis=1) - place
        moves += np.float32(rng.uniform(0.85, 1.0)) * (furthest - moves)
    back = cv2.warpAffine(moves, turn, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(back, np.float32)


def _heights(bright: Data, flank: float, rng: np.random.Generator) -> Data:
    """Heights (row, col) from 0 to about 1: bumps with flanks of so many pixels, some as the ground is bright or dark.

    A little roughness of a few pixels lies on them, as of an elevation model by matching.
    """
    bumps = smooth_noise(bright.shape, max(4.0, flank * rng.uniform(0.7, 1.2)), rng)
    seen = cv2.GaussianBlur(bright, (0, 0), max(2.0, flank / 2))
    seen = (seen - float(seen.mean())) / np.float32(max(float(seen.std()), 1e-6))
    share = np.float32(rng.uniform(0, 0.7))
    field = (1 - share) * bumps + share * np.float32(rng.choice([-1, 1])) * seen
    high = smooth_step(np.asarray((field + np.float32(rng.uniform(0.1, 1.0))) / np.float32(1.6)))
    rough = smooth_noise(bright.shape, rng.uniform(2.5, 6), rng) * np.float32(rng.uniform(0.02, 0.10))
    return np.asarray(np.clip(high + rough * (high > 0), 0, None), np.float32)


def _seen(ground: Data, warp: Data, moves: Data) -> Data:
    """1 where pixels moved and the brightness of their patch changed enough, and in narrow gaps there; 0 elsewhere."""
    change = cv2.blur(np.abs(luminance(warp) - luminance(ground)), (PATCH_PX, PATCH_PX))
    least = 2 * VISIBLE_CHANGE + 0.8 * float(noise_floor(ground[:3]).mean())
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (PATCH_PX, PATCH_PX))
    seen = ((change > least) & (moves > STILL_PX)).astype(np.uint8)
    closed = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, kernel)
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel).astype(np.float32)
