"""Fitting a defect into its window of a scene: it shows, and the border of the window does not."""

import cv2
import numpy as np

from clearscene.synth.degraded import Data, Degrade, Degraded, Mask
from clearscene.synth.kinds import Rim
from clearscene.synth.seam import edge_taper, smoothstep

__all__ = ["fitted"]

TRIES = 16
MARKED = 0.3
"""Share of a defect from which a pixel is counted as a part of it."""
FAINTEST = 0.02
"""Share of a defect below which nothing of it is left."""


def fitted(degrade: Degrade, rim: Rim, *, least: float = 0.0) -> Degrade:
    """A generator that tries again until the defect shows, keeps the rule of its rim and covers enough.

    Laws: those of `Degrade`; but for `Rim.OPEN` nothing changes along the border of the window. If no
    try covers `least` of the window, the largest defect is taken; if none shows, the mask is
    empty and nothing changed.
    """

    def fit(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
        best, most = Degraded(data.copy(), np.zeros_like(valid)), 0
        for _ in range(TRIES):
            result = _within(data, degrade(data, valid, rng, severity), rim, rng)
            area = int(np.count_nonzero(result.mask))
            if area > most:
                best, most = result, area
            if most > least * valid.size:
                break
        return best

    return fit


def _within(data: Data, result: Degraded, rim: Rim, rng: np.random.Generator) -> Degraded:
    """The defect as its rim allows it; with an empty mask if it does not."""
    if rim is Rim.OPEN or not _reaches_border(result):
        return result
    return _faded(data, result, rng) if rim is Rim.FADE else Degraded(data.copy(), np.zeros_like(result.mask))


def _reaches_border(result: Degraded) -> bool:
    """True if a first or last row or column of the window is touched."""
    planes = [result.mask, *result.also.values(), *([] if result.context is None else [result.context])]
    return any(bool(side.any()) for plane in planes for side in (plane[0], plane[-1], plane[:, 0], plane[:, -1]))


def _faded(data: Data, result: Degraded, rng: np.random.Generator) -> Degraded:
    """The defect under a smooth blob that is 0 at the border of the window; where it is faint it is context."""
    weight = _blob(*result.mask.shape, rng=rng)
    changed = np.where(weight == 1, result.data, data + weight * (result.data - data))
    seen, touched = weight >= MARKED, result.mask.copy()
    for plane in (*result.also.values(), *([] if result.context is None else [result.context])):
        touched |= plane
    mask, also = result.mask & seen, {name: plane & seen for name, plane in result.also.items()}
    for plane in (mask, *also.values()):
        touched &= ~plane
    return Degraded(np.where(weight > 0, changed, data), mask, result.parameters, also, touched & (weight > 0))


def _blob(height: int, width: int, *, rng: np.random.Generator) -> Data:
    """Weights (row, col): 1 over most of a window, ragged toward the border, 0 along it."""
    rows = np.abs(np.linspace(-1, 1, height, dtype=np.float32))[:, None] ** 3
    cols = np.abs(np.linspace(-1, 1, width, dtype=np.float32)) ** 3
    far = np.cbrt(rows + cols)  # between a circle and a rectangle
    noise = np.zeros((height, width), np.float32)
    for cells, strength in ((5, 0.10), (11, 0.06), (25, 0.03)):
        grid = rng.normal(0, strength, (cells, cells)).astype(np.float32)
        noise += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    weight = smoothstep((np.float32(0.93) - far + noise) / np.float32(0.38)) * edge_taper(height, width, share=0.12)
    return np.where(weight < FAINTEST, np.float32(0), weight)
