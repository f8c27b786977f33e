"""Stitching misalignment: two pictures of a mosaic that do not lie on each other, so that lines break at the seam.

The defect is the seam, a thin band on both sides of the line; both pictures are moved, which
`Degraded.context` tells. Each function has the signature of `Degrade`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.seam import DrawSeam, Seam, edge_taper, half_width, lengthwise_seam, random_seam, smoothstep
from clearscene.synth.stitching_trace import ToneStep, step_tone

__all__ = ["local_misalignment", "misalignment", "sheet_misalignment"]


SMALLEST, LARGEST = 0.7, 25.0
"""Pixels of offset at severity 0 and 1."""
TRIES = 8
GROWTH = 0.06
"""How much severity each further try adds: what cannot be seen is moved farther."""
VISIBLE = 0.035
"""Change of brightness, units of the display, that one pixel in ten at the seam must reach for a break to be seen."""
STANDS_OUT = 1.25
"""Mean slope of brightness across the seam, against that of the ground beside it, from which a person sees a line."""
BOTH = 3.0
"""Delta E from which a tone step at the seam is a stitching trace as well."""


def misalignment(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Move the pictures on the two sides of a seam against each other, along the seam, across it or between.

    The offset is shared by both sides in parts of pixels, or one side moves by whole pixels: either
    way both sides are equally sharp. It may vary a little along the seam, and a tone step may come
    with it; from delta E 3 on that is a stitching trace too (`also`).
    Ground without texture shows no break, and one of crowns or gravel no line: after a few tries the mask is
    empty and nothing changes.
    Parameters: offset_px, shift_angle_deg (direction of the offset against the seam), angle_deg,
    half_width_px, blend_px, tone_step_delta_e (0: none), form.
    """
    return _drawn(data, valid, rng, severity, local=False)


def local_misalignment(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """As `misalignment`, and the offset falls to 0 at the border of the window: for one part of a large scene."""
    return _drawn(data, valid, rng, severity, local=True)


def sheet_misalignment(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """As `local_misalignment`, with a seam along the window, as between two sheets of a mosaic."""
    return _drawn(data, valid, rng, severity, local=True, draw=lengthwise_seam)


@dataclass(frozen=True)
class _Shift:
    """How far the side ahead of the seam moves against the side behind it."""

    rows: float
    cols: float
    is_shared: bool
    """True: each side moves by half."""
    blend_px: float
    """Width over which the two pictures are mixed."""

    @property
    def offset_px(self) -> float:
        """Length."""
        return float(np.hypot(self.rows, self.cols))


def _drawn(
    data: Data, valid: Mask, rng: np.random.Generator, severity: float, *, local: bool, draw: DrawSeam = random_seam
) -> Degraded:
    """Draw seams until a break is seen."""
    height, width = valid.shape
    known = data if valid.all() else np.where(valid, data, np.float32(0))
    reliable = np.asarray(cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8)), np.uint8)
    band_px = half_width(height, width)
    for attempt in range(TRIES):
        seam = draw(height, width, rng=rng)
        shift, turn = _random_shift(seam, min(height, width), rng, min(1.0, severity + GROWTH * attempt))
        share = edge_taper(height, width) if local else _wavering(height, width, rng)
        moved, touched = _moved(known, reliable, seam, shift=shift, share=share)
        touched &= valid
        mask = seam.band(band_px) & valid
        if local:
            mask &= share * shift.offset_px >= min(2 * SMALLEST, 0.5 * shift.offset_px)
        is_long = np.count_nonzero(mask) >= 0.5 * min(valid.shape) * band_px
        if not (
            is_long and _shows(moved - known, mask & touched, shift) and _stands_out(moved, reliable > 0, seam, mask)
        ):
            continue
        result = np.where(touched, moved, data)
        result, touched, reached = _with_tone(
            result, valid, touched, seam=seam, rng=rng, taper=share if local else None
        )
        told = _told(seam, shift, turn, reached=reached, band_px=band_px)
        also = {"stitching_trace": mask.copy()} if reached >= BOTH else {}
        return Degraded(result, mask, told, also, touched)
    return Degraded(data.copy(), np.zeros_like(valid))


def _random_shift(seam: Seam, size: int, rng: np.random.Generator, severity: float) -> tuple[_Shift, float]:
    """An offset by severity, and its direction against the seam in degrees."""
    largest = min(LARGEST, 0.12 * size)
    offset = SMALLEST * (largest / SMALLEST) ** severity * rng.uniform(0.9, 1.1)
    offset = float(np.clip(offset, SMALLEST, largest))
    turn = float(rng.choice([0.0, 180.0, 90.0, -90.0, 360.0], p=[0.25, 0.25, 0.1, 0.1, 0.3]))
    turn = float(rng.uniform(-180, 180)) if turn == 360.0 else turn
    angle = np.deg2rad(seam.angle_deg + turn)
    rows, cols = offset * float(np.sin(angle)), offset * float(np.cos(angle))
    is_shared = bool(offset < 3 or rng.random() < 0.5)
    if not is_shared:
        rows, cols = float(np.round(rows)), float(np.round(cols))
    blend = float(rng.uniform(1.5, 6)) if rng.random() < 0.25 else 0.0
    return _Shift(rows, cols, is_shared, min(blend, offset)), turn


def _wavering(height: int, width: int, rng: np.random.Generator) -> Data:
    """Share of the offset (row, col): 1, or a little less toward one corner and more toward another."""
    if rng.random() < 0.6:
        return np.ones((height, width), np.float32)
    corners = rng.uniform(0.7, 1.0, (2, 2)).astype(np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _moved(known: Data, reliable: NDArray[np.uint8], seam: Seam, *, shift: _Shift, share: Data) -> tuple[Data, Mask]:
    """Both pictures moved and joined at the seam; data (band, row, col) and where it may differ (row, col)."""
    ahead = seam.distance > 0
    parts = (0.5, -0.5) if shift.is_shared else (1.0, 0.0)
    if shift.blend_px < 0.5:
        amount = share * np.where(ahead, np.float32(parts[0]), np.float32(parts[1]))
        return _sampled(known, reliable, amount, shift)
    first, can_first = _sampled(known, reliable, share * np.float32(parts[0]), shift)
    second, can_second = _sampled(known, reliable, share * np.float32(parts[1]), shift)
    weight = smoothstep(seam.distance / np.float32(shift.blend_px) + np.float32(0.5))
    return second + weight * (first - second), (can_first | (weight == 0)) & (can_second | (weight == 1))


def _sampled(known: Data, reliable: NDArray[np.uint8], amount: Data, shift: _Shift) -> tuple[Data, Mask]:
    """Data moved by `amount` (row, col) times the shift, and where the source was reliable."""
    height, width = amount.shape
    cols = np.arange(width, dtype=np.float32) - amount * np.float32(shift.cols)
    rows = np.arange(height, dtype=np.float32)[:, None] - amount * np.float32(shift.rows)
    moved = np.stack(
        [cv2.remap(band, cols, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101) for band in known]
    )
    could = cv2.remap(reliable, cols, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101) > 0
    return np.maximum(moved, np.float32(min(0.0, float(known.min())))), could & (amount != 0)


def _shows(change: Data, where: Mask, shift: _Shift) -> bool:
    """True if the ground at the seam has enough texture for the break to be seen, beyond its noise."""
    if not where.any():
        return False
    gray = cv2.GaussianBlur(np.asarray(change[:3].mean(axis=0), np.float32), (0, 0), 0.8)
    at_seam = float(np.quantile(np.abs(gray[where]), 0.9))  # of one side: half of the break if both sides move
    return at_seam * (2 if shift.is_shared else 1) >= VISIBLE


def _stands_out(moved: Data, valid: Mask, seam: Seam, mask: Mask) -> bool:
    """True if the seam is a line of its own: among crowns or gravel, two pictures meet and nobody can tell."""
    gray = cv2.GaussianBlur(np.asarray(moved[:3].mean(axis=0), np.float32), (0, 0), 0.7)
    away = np.abs(seam.distance)
    right, down, col, row = (
        cv2.Sobel(plane, cv2.CV_32F, *axes, ksize=1) for plane in (gray, seam.distance) for axes in ((1, 0), (0, 1))
    )
    slope = np.abs(down * row + right * col) / np.maximum(cv2.magnitude(row, col), np.float32(1e-6))
    at, beside = mask & valid & (away < 1.3), valid & (away > 4) & (away < 16)
    if not (at.any() and beside.any()):
        return False
    return bool(slope[at].mean() >= STANDS_OUT * slope[beside].mean())


def _with_tone(
    data: Data, valid: Mask, touched: Mask, *, seam: Seam, rng: np.random.Generator, taper: Data | None
) -> tuple[Data, Mask, float]:
    """Two in five seams have a tone step as well, most of them a mild one; with a taper, only mild ones."""
    kind = rng.random()
    if kind < 0.6:
        return data, touched, 0.0
    is_mild = kind < 0.85 or taper is not None
    aim = float(rng.uniform(1.0, 2.0) if is_mild else rng.uniform(BOTH * 1.2, 9.0))
    toned, changed, reached = step_tone(data, valid, seam, step=ToneStep(aim), rng=rng, taper=taper)
    return toned, touched | changed, reached


def _told(seam: Seam, shift: _Shift, turn: float, *, reached: float, band_px: float) -> dict[str, float | int | str]:
    return {
        "offset_px": round(shift.offset_px, 2),
        "shift_angle_deg": round(turn, 1),
        "angle_deg": seam.angle_deg,
        "blend_px": round(shift.blend_px, 2),
        "tone_step_delta_e": round(reached, 2),
        "half_width_px": round(band_px, 2),
        "form": seam.form,
    }
