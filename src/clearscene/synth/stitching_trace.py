"""Stitching traces: two pictures of a mosaic whose tones do not match.

The defect is the seam, a thin band on both sides of the line; the tone of a whole side changes with
it, which `Degraded.context` tells. Each function has the signature of `Degrade`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.seam import DrawSeam, Seam, edge_taper, half_width, lengthwise_seam, random_seam, smoothstep
from clearscene.synth.tone import delta_e, fit_tone, mixed, random_tone

__all__ = ["ToneStep", "local_stitching_trace", "sheet_trace", "step_tone", "stitching_trace"]


FAINT, STRONG = 2.0, 20.0
"""Delta E at severity 0 and 1 on smooth ground."""
HIDING = 0.35
"""Rough ground hides a step below this share of the differences between its own pixels."""
CROSSING = 0.12
"""Share of windows with two seams."""
SAMPLE = 4000
"""Pixels on which a step is measured."""
TRIES = 4
ENDS = 0.02
"""A tone that fades away has ended when this share of it is left."""


def stitching_trace(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Change the tone of the picture on one side of a seam through the window, or of both in opposite ways.

    The step is sharp or feathered, keeps on to the border of the window or fades away from the seam
    (uneven light in one picture), and may come with a difference in sharpness.
    Parameters: tone_step_delta_e (mean over the ground near the seam), feather_px, fade_px (0: none),
    blur_sigma_px, angle_deg, half_width_px, form, and n_seams where there are two.
    """
    return _drawn(data, valid, rng, severity, local=False)


def local_stitching_trace(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """As `stitching_trace`, and the step is gone at the border of the window: for one part of a large scene."""
    return _drawn(data, valid, rng, severity, local=True)


def sheet_trace(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """As `local_stitching_trace`, with a seam along the window, as between two sheets of a mosaic."""
    return _seamed(data, valid, rng, severity, local=True, draw=lengthwise_seam)


@dataclass(frozen=True)
class ToneStep:
    """How the tone changes across a seam."""

    delta_e: float
    """Wanted, mean over the ground near the seam."""
    feather_px: float = 0.0
    """Width of the transition."""
    fade_px: float = 0.0
    """Distance from the seam in which the change falls to 1/e; 0 does not fade."""
    blur_sigma_px: float = 0.0
    """Blur of the changed side."""
    is_two_sided: bool = False
    """True: half of the step on each side, in opposite directions."""

    def weight(self, seam: Seam) -> Data:
        """Share of the change (row, col): 1 to 0 across the seam, or 1 to -1 if two-sided."""
        ahead = _across(seam.distance, self.feather_px)
        weight = 2 * ahead - 1 if self.is_two_sided else ahead
        if self.fade_px:
            left = np.exp(-np.abs(seam.distance) / np.float32(self.fade_px))
            weight = weight * np.maximum(left - ENDS, 0) / (1 - ENDS)
        return np.asarray(weight, np.float32)


def step_tone(
    data: Data, valid: Mask, seam: Seam, *, step: ToneStep, rng: np.random.Generator, taper: Data | None = None
) -> tuple[Data, Mask, float]:
    """Apply a step to data (band, row, col); returns the data, where it changed (row, col), and delta E reached.

    Law: where it did not change, and outside `valid`, every value stays.
    """
    weight = step.weight(seam) if taper is None else step.weight(seam) * taper
    near = valid & (np.abs(seam.distance) < 0.25 * min(valid.shape)) & (np.abs(weight) > 0.5 * np.abs(weight).max())
    flat, places = data.reshape(len(data), -1), np.flatnonzero(near)
    if len(places) == 0:
        return data.copy(), np.zeros_like(valid), 0.0
    sample = flat[:, places[:: max(1, len(places) // SAMPLE)]]
    aim = step.delta_e / 2 if step.is_two_sided else step.delta_e
    tone, reached = fit_tone(random_tone(len(data), rng), sample, aim)
    touched = valid & (np.abs(weight) > 1e-4)
    places = np.flatnonzero(touched)
    seen = flat if step.blur_sigma_px < 0.2 else _blurred(data, valid, step.blur_sigma_px).reshape(flat.shape)
    result = flat.copy()
    result[:, places] = mixed(flat[:, places], tone, weight.ravel()[places], rng=rng, seen=seen[:, places])
    return result.reshape(data.shape), touched, reached * (2 if step.is_two_sided else 1)


def _drawn(data: Data, valid: Mask, rng: np.random.Generator, severity: float, *, local: bool) -> Degraded:
    """Draw a seam; in one window in eight that is not part of a scene, two that cross or meet."""
    result = _seamed(data, valid, rng, severity, local=local)
    if local or result.context is None or rng.random() > CROSSING:
        return result
    other = _seamed(result.data, valid, rng, severity, local=local)
    if other.context is None:
        return result
    told = {**result.parameters, "n_seams": 2, "other_angle_deg": other.parameters["angle_deg"]}
    return Degraded(other.data, result.mask | other.mask, told, context=result.context | other.context)


def _seamed(
    data: Data, valid: Mask, rng: np.random.Generator, severity: float, *, local: bool, draw: DrawSeam = random_seam
) -> Degraded:
    """Draw seams until one shows."""
    height, width = valid.shape
    taper = edge_taper(height, width) if local else None
    band_px, roughness = half_width(height, width), _roughness(data, valid)
    for _ in range(TRIES):
        seam = draw(height, width, rng=rng)
        step = _random_step(min(valid.shape), rng, severity, roughness=roughness, local=local)
        result, touched, reached = step_tone(data, valid, seam, step=step, rng=rng, taper=taper)
        mask = seam.band(band_px) & valid
        if taper is not None:
            mask &= taper * reached >= min(FAINT, 0.5 * reached)
        is_long = np.count_nonzero(mask) >= 0.5 * min(valid.shape) * band_px
        if is_long and reached >= 0.5 * step.delta_e:
            return Degraded(result, mask, _told(seam, step, reached, band_px), context=touched)
    return Degraded(data.copy(), np.zeros_like(valid))


def _roughness(data: Data, valid: Mask) -> float:
    """Mean color difference between ground and ground 3 px beside it, delta E."""
    rows, apart = slice(None, None, max(1, valid.shape[0] // 60)), 3
    both = valid[rows, apart:] & valid[rows, :-apart]
    places = np.flatnonzero(both)
    first, second = (part.reshape(len(data), -1)[:, places] for part in (data[:, rows, apart:], data[:, rows, :-apart]))
    return delta_e(first, second) if first.shape[1] else 0.0


def _random_step(size: int, rng: np.random.Generator, severity: float, *, roughness: float, local: bool) -> ToneStep:
    """A step by severity, for a window of `size` px; `roughness` of the ground as `_roughness` tells it."""
    faint = float(np.clip(HIDING * roughness, FAINT, STRONG / 2))
    aim = faint * (STRONG / faint) ** severity * rng.uniform(0.9, 1.1)
    widest = (4 + 26 * severity) * min(1.0, size / 256) * max(1.0, np.sqrt(size / 256))
    return ToneStep(
        float(np.clip(aim, FAINT, STRONG)),
        feather_px=0.0 if rng.random() < 0.55 else float(rng.uniform(1, widest)),
        fade_px=size * float(rng.uniform(0.3, 1.5)) if not local and rng.random() < 0.25 else 0.0,
        blur_sigma_px=float(rng.uniform(0.4, 1.0)) if rng.random() < 0.2 else 0.0,
        is_two_sided=bool(rng.random() < 0.25),
    )


def _told(seam: Seam, step: ToneStep, reached: float, band_px: float) -> dict[str, float | int | str]:
    return {
        "tone_step_delta_e": round(reached, 2),
        "feather_px": round(step.feather_px, 2),
        "fade_px": round(step.fade_px, 1),
        "blur_sigma_px": round(step.blur_sigma_px, 2),
        "angle_deg": seam.angle_deg,
        "half_width_px": round(band_px, 2),
        "form": seam.form,
    }


def _across(distance: Data, feather_px: float) -> Data:
    """0 behind the seam and 1 ahead of it, with a smooth rise of `feather_px` between."""
    return (
        smoothstep(distance / np.float32(feather_px) + np.float32(0.5))
        if feather_px >= 0.5
        else (distance > 0).astype(np.float32)
    )


def _blurred(data: Data, valid: Mask, sigma: float) -> Data:
    """Data (band, row, col) under a Gaussian, into which nothing invalid runs."""
    if valid.all():
        return np.stack([cv2.GaussianBlur(band, (0, 0), sigma) for band in data])
    share = np.maximum(cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma), np.float32(1e-3))
    known = np.where(valid, data, np.float32(0))
    return np.stack([cv2.GaussianBlur(band, (0, 0), sigma) / share for band in known])
