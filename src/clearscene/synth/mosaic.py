"""Ground of four times the width at a quarter of the resolution, laid together from many images.

Wide clouds and seams of kilometers are seen at the reduced scale of an inspection, and the images at
hand are small. Pieces are joined with wide soft edges and matched in tone, so that the joints are
none that a seam detector should learn.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.sources import Ground, Source, read_ground, read_image

__all__ = ["REDUCTION", "reduced_ground"]

REDUCTION = 4
PITCH, BLEND = 64, 24
"""Pixels from piece to piece, and pixels over which neighbors pass into each other."""


def reduced_ground(source: Source, near: Sequence[Source], *, size: int, rng: np.random.Generator) -> Ground:
    """Ground of `size` x `size` px that covers four times as many meters a side as `source` would.

    An image that is large enough is simply reduced; otherwise pieces of `near` (images of the same
    kind and split) are laid side by side.
    """
    whole = read_ground(source, size=REDUCTION * size, rng=rng) if _is_large(source, REDUCTION * size) else None
    if whole is not None:
        return Ground(_reduced(whole.data), np.ones((size, size), np.bool_), None, whole.is_reflectance)
    pieces_a_side = -(-size // PITCH)
    total = np.zeros((3, pieces_a_side * PITCH + BLEND, pieces_a_side * PITCH + BLEND), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    taper = _taper(PITCH + BLEND)
    tone: NDArray[np.float32] | None = None
    is_reflectance = False
    for row in range(pieces_a_side):
        for col in range(pieces_a_side):
            chosen = source if row == col == 0 else near[int(rng.integers(len(near)))]
            piece, is_reflectance, tone = _piece(chosen, tone, rng)
            part = (slice(row * PITCH, row * PITCH + PITCH + BLEND), slice(col * PITCH, col * PITCH + PITCH + BLEND))
            total[:, *part] += piece * taper
            weight[part] += taper
    half = BLEND // 2
    joined = (total / weight)[:, half : half + size, half : half + size]
    return Ground(np.ascontiguousarray(joined), np.ones((size, size), np.bool_), None, is_reflectance)


def _piece(
    source: Source, tone: NDArray[np.float32] | None, rng: np.random.Generator
) -> tuple[NDArray[np.float32], bool, NDArray[np.float32]]:
    """A reduced piece (3, row, col) brought half-way to the mean tone (3,) of the first, which is returned too."""
    ground = read_ground(source, size=REDUCTION * (PITCH + BLEND), rng=rng)
    piece = _reduced(ground.data)
    mean = piece.mean(axis=(1, 2))
    if tone is None:
        return piece, ground.is_reflectance, mean
    gain = np.clip(np.sqrt((tone + 0.02) / (mean + 0.02)), 0.6, 1.6)
    return piece * gain[:, None, None], ground.is_reflectance, tone


def _reduced(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every 4 x 4 pixels averaged."""
    size = (data.shape[2] // REDUCTION, data.shape[1] // REDUCTION)
    return np.stack([cv2.resize(band, size, interpolation=cv2.INTER_AREA) for band in data])


def _taper(size: int) -> NDArray[np.float32]:
    """Weight (size, size): 1 inside, falling to almost 0 over `BLEND` pixels at each edge."""
    ramp = np.clip((np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5) / BLEND, 0, 1)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.outer(smooth, smooth).astype(np.float32) + np.float32(1e-4)


def _is_large(source: Source, size: int) -> bool:
    return bool(min(read_image(source).valid.shape) >= size)
