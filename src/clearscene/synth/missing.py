"""Missing pixels: lost points, pieces of lines, whole lines, blocks and single bands.

A lost pixel is exactly 0 or exactly 255 in all bands; of a lost band, 0 in that band alone. Each
function has the signature of `Degrade`; the mask is exact.
"""

# ruff: noqa: ARG001 - one signature for all generators: some need no chance, some no severity

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clearscene.synth.degraded import Degraded

__all__ = ["black_block", "dead_band", "lost_line", "lost_pieces", "lost_points", "white_block"]

Data = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def lost_points(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Isolated pixels, 1 to 9 by severity, black or white, at least 8 px apart."""
    height, width = valid.shape
    cells = np.stack(np.meshgrid(np.arange(4, height, 12), np.arange(4, width, 12), indexing="ij"), -1).reshape(-1, 2)
    n = min(len(cells), 1 + round(8 * severity))
    if n == 0:
        return _filled(data, valid, np.zeros_like(valid), 0, {})
    places = cells[rng.choice(len(cells), n, replace=False)] + rng.integers(-2, 3, (n, 2))
    rows, cols = np.clip(places, 0, (height - 1, width - 1)).T
    mask = np.zeros_like(valid)
    mask[rows, cols] = True
    return _filled(data, valid, mask, int(rng.choice([0, 0, 255])), {"n_points": n})


def lost_pieces(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A black piece of a line through the whole window, along its long side, 1 or 2 px wide."""
    height, width = valid.shape
    thick = 1 + int(severity > 0.6)
    mask = np.zeros_like(valid)
    if width >= height:
        row = height // 2
        mask[row : row + thick] = True
    else:
        col = width // 2
        mask[:, col : col + thick] = True
    return _filled(data, valid, mask, 0, {"length": max(height, width), "width": thick})


def lost_line(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is lost: rows of the scene that never arrived."""
    return _filled(
        data, valid, np.ones_like(valid), 0, {"length": int(valid.any(axis=0).sum()), "width": valid.shape[0]}
    )


def black_block(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is black; from severity 0.5 on with a step in its outline, as of lost packets."""
    mask = np.ones_like(valid)
    if severity >= 0.5 and min(mask.shape) >= 6:
        mask[: mask.shape[0] // 3, : int(mask.shape[1] * rng.uniform(0.2, 0.5))] = False
    return _filled(data, valid, mask, 0, {"height": valid.shape[0], "width": valid.shape[1]})


def white_block(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is white, with a sharp edge."""
    return _filled(data, valid, np.ones_like(valid), 255, {"height": valid.shape[0], "width": valid.shape[1]})


def dead_band(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One band is 0 in the whole window and the others live on."""
    band = int(rng.integers(data.shape[0]))
    result = data.copy()
    result[band][valid] = 0
    return Degraded(result, valid.copy(), {"band": band + 1, "height": valid.shape[0], "width": valid.shape[1]})


def _filled(data: Data, valid: Mask, mask: Mask, level: int, parameters: Mapping[str, int]) -> Degraded:
    mask = mask & valid
    result = data.copy()
    result[:, mask] = level
    return Degraded(result, mask, {"level": level, **parameters})
