"""Ground of four times the width at a quarter of the resolution, laid together from many images.

Wide clouds and seams of kilometers are seen at the reduced scale of an inspection, and the images at
hand are small. Pieces are joined with wide soft edges and matched in tone, so that the joints are
none that a seam detector should learn.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.sources import Ground, Source, read_ground, shape_of

__all__ = ["REDUCTION", "reduced_ground"]

REDUCTION = 4
PITCH, BLEND = 64, 24
"""Pixels from piece to piece, and pixels over which neighbors pass into each other."""


def reduced_ground(source: Source, near: Sequence[Source], *, size: int, rng: np.random.Generator) -> Ground:
    """Ground of `size` x `size` px that covers four times as many meters a side as `source` would.

    An image that is large enough is simply reduced; otherwise pieces of `near` (images of the same
    kind and split) are laid side by side. Law: a pixel is valid if all pixels that it is made of are.
    """
    whole = read_ground(source, size=REDUCTION * size, rng=rng) if _is_large(source, REDUCTION * size) else None
    if whole is not None:
        return Ground(_reduced(whole.data), _whole_cells(whole.valid), None, whole.is_reflectance, whole.is_gray)
    pieces_a_side = -(-size // PITCH)
    total = np.zeros((3, pieces_a_side * PITCH + BLEND, pieces_a_side * PITCH + BLEND), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    valid = np.ones(total.shape[1:], np.bool_)
    taper = _taper(PITCH + BLEND)
    tone: NDArray[np.float32] | None = None
    is_gray = True
    for row in range(pieces_a_side):
        for col in range(pieces_a_side):
            chosen = source if row == col == 0 else near[int(rng.integers(len(near)))]
            ground = read_ground(chosen, size=REDUCTION * (PITCH + BLEND), rng=rng)
            is_gray &= ground.is_gray
            piece, tone = _toned(_reduced(ground.data), tone)
            part = (slice(row * PITCH, row * PITCH + PITCH + BLEND), slice(col * PITCH, col * PITCH + PITCH + BLEND))
            total[:, *part] += piece * taper
            weight[part] += taper
            valid[part] &= _whole_cells(ground.valid)
    half = BLEND // 2
    inner = slice(half, half + size)
    joined, valid = (total / weight)[:, inner, inner], valid[inner, inner]
    return Ground(np.ascontiguousarray(joined), np.ascontiguousarray(valid), None, ground.is_reflectance, is_gray)


def _toned(
    piece: NDArray[np.float32], tone: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A piece (3, row, col) brought half-way to the mean tone (3,) of the first, which is returned too."""
    mean = piece.mean(axis=(1, 2))
    if tone is None:
        return piece, mean
    gain = np.clip(np.sqrt((tone + 0.02) / (mean + 0.02)), 0.6, 1.6)
    return piece * gain[:, None, None], tone


def _reduced(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every 4 x 4 pixels averaged."""
    size = (data.shape[2] // REDUCTION, data.shape[1] // REDUCTION)
    return np.stack([cv2.resize(band, size, interpolation=cv2.INTER_AREA) for band in data])


def _whole_cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True where all 4 x 4 pixels are valid, (row, col)."""
    rows, cols = (length // REDUCTION for length in valid.shape)
    return np.asarray(valid.reshape(rows, REDUCTION, cols, REDUCTION).all(axis=(1, 3)))


def _taper(size: int) -> NDArray[np.float32]:
    """Weight (size, size): 1 inside, falling to almost 0 over `BLEND` pixels at each edge."""
    ramp = np.clip((np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5) / BLEND, 0, 1)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.outer(smooth, smooth).astype(np.float32) + np.float32(1e-4)


def _is_large(source: Source, size: int) -> bool:
    return bool(min(shape_of(source)) >= size)
