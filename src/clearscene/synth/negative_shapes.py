"""What hard negatives have in common: drawn shapes, texture kept from the ground, an empty mask."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane
from clearscene.synth.degraded import Degraded

__all__ = ["boxes", "detail", "drawn", "luma", "mixed", "unmarked"]

_SHIFT = 4  # cv2 takes corners in sixteenths of a pixel


def luma(data: NDArray[np.float32]) -> Plane:
    """Mean of the visible bands, (row, col)."""
    return np.asarray(data[:3].mean(axis=0, dtype=np.float32))


def detail(data: NDArray[np.float32], *, size_px: float = 6.0) -> Plane:
    """The ground's own texture: brightness against its surroundings, about 1, between 0.5 and 1.6."""
    plane = luma(data)
    wide = cv2.GaussianBlur(plane, (0, 0), size_px)
    return np.asarray(np.clip((plane + np.float32(0.04)) / (wide + np.float32(0.04)), 0.5, 1.6))


def mixed(data: NDArray[np.float32], alpha: Plane, color: NDArray[np.float32]) -> NDArray[np.float32]:
    """`color` (broadcast to band, row, col) over `data` with weight `alpha` (row, col)."""
    return np.asarray(data + alpha * (color - data))


def unmarked(
    data: NDArray[np.float32],
    changed: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    parameters: Mapping[str, float | int | str],
) -> Degraded:
    """`changed` where valid, with an empty mask: what was added is no defect, all of it is context."""
    result = data.copy()
    np.copyto(result, changed, where=valid)
    return Degraded(result, np.zeros_like(valid), parameters, context=valid.copy())


def boxes(
    height: int, width: int, rng: np.random.Generator, *, n: int, sizes_px: tuple[float, float]
) -> list[NDArray[np.float64]]:
    """Corners (4, 2: col, row) of `n` rectangles, most of them parallel to one another as in a town."""
    angle = rng.uniform(0, np.pi / 2)
    found = []
    for _ in range(n):
        turn = angle + (rng.uniform(0, np.pi) if rng.random() < 0.15 else rng.integers(2) * np.pi / 2)
        long = np.exp(rng.uniform(*np.log(sizes_px)))
        half = np.array([long, long * rng.uniform(0.35, 1.0)]) / 2
        axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ axes
        found.append(corners + np.array([rng.uniform(0, width), rng.uniform(0, height)]))
    return found


def drawn(height: int, width: int, polygons: list[NDArray[np.float64]], *, softness_px: float = 0.5) -> Plane:
    """Cover (row, col) in [0, 1] of convex polygons, smooth at their edges as a lens leaves them."""
    plane = np.zeros((height, width), np.uint8)
    for corners in polygons:
        points = np.rint(corners * 2**_SHIFT).astype(np.int32)
        cv2.fillConvexPoly(plane, points, 255, cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.GaussianBlur(plane.astype(np.float32) * np.float32(1 / 255), (0, 0), softness_px))
