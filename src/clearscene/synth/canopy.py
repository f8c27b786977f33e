"""Trees: a periodic tile of shaded crowns that woods, hedges and gardens all draw from."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.noise import periodic
from clearscene.synth.village import Sun

__all__ = ["Canopy", "grow"]

TILE_M = 368.0
"""Meters after which the trees repeat; woods are smaller, and density hides the rest."""
PITCH_M = 4.6


@dataclass(frozen=True, eq=False)
class Canopy:
    """Crowns of a tile (size + margin) square; the margin repeats the first rows and columns.

    A tree stands where the wanted density at its trunk is above its `threshold`: crowns are whole
    or absent, never cut by the edge of a wood.
    """

    size: int
    color: NDArray[np.uint8]
    """(row, col, 3), shaded."""
    height: NDArray[np.uint8]
    """Quarter meters above the ground; 0 between crowns."""
    threshold: NDArray[np.uint8]
    """Of the tree that covers the pixel, 0 to 254; 255 between crowns."""
    row_step: NDArray[np.int8]
    """Rows from the pixel to the trunk."""
    col_step: NDArray[np.int8]
    """Columns from the pixel to the trunk."""

    def view(self, row: int, col: int, extent: int) -> "Canopy":
        """The tile at global (row, col), `extent` pixels square, without copying."""
        r, c = row % self.size, col % self.size
        part = (slice(r, r + extent), slice(c, c + extent))
        return Canopy(self.size, *(plane[part] for plane in self._planes()))  # type: ignore[arg-type]

    def _planes(self) -> tuple[NDArray[np.generic], ...]:
        return self.color, self.height, self.threshold, self.row_step, self.col_step


def grow(seed: int, *, resolution: float, extent: int, sun: Sun) -> Canopy:
    """Grow the tile for pixels of `resolution` meters, with a margin of `extent` pixels."""
    n = max(8, round(TILE_M / PITCH_M))
    pitch = max(3, round(PITCH_M / resolution))
    size = n * pitch
    rng = np.random.default_rng((seed, 81))
    margin = int(5.0 / resolution) + 2
    tops = np.zeros((size + 2 * margin,) * 2, np.float32)
    tree = np.full(tops.shape, -1, np.int32)
    trunks, tones, needs = _stamp(tops, tree, n, pitch, margin, resolution, rng)
    inner = (slice(margin, margin + size),) * 2
    tops, tree = tops[inner], tree[inner]
    color = _shaded(tops, tones[tree], tree, seed, resolution, sun)
    row, col = np.mgrid[0:size, 0:size]
    planes = (
        color,
        np.clip(tops * 4, 0, 255).astype(np.uint8),
        np.where(tree >= 0, needs[tree], 255).astype(np.uint8),
        np.clip(trunks[tree, 0] - row, -127, 127).astype(np.int8),
        np.clip(trunks[tree, 1] - col, -127, 127).astype(np.int8),
    )
    wrapped = [np.pad(plane, ((0, extent), (0, extent), (0, 0))[: plane.ndim], mode="wrap") for plane in planes]
    return Canopy(size, *wrapped)


def _stamp(
    tops: NDArray[np.float32],
    tree: NDArray[np.int32],
    n: int,
    pitch: int,
    margin: int,
    resolution: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.uint8]]:
    """Set crowns as domes, the higher one in front; trunks (t, 2), tones (t,), thresholds (t,)."""
    cells = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), -1).reshape(-1, 2)
    jitter = rng.uniform(0.05, 0.95, cells.shape)
    places = (cells + jitter) * pitch
    radius = rng.uniform(1.7, 3.9, len(cells)) / resolution
    height = rng.uniform(5.0, 11.5, len(cells)).astype(np.float32)
    tones = rng.normal(0, 1, len(cells)).astype(np.float32)
    needs = rng.integers(0, 255, len(cells)).astype(np.uint8)
    copies = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]) * n * pitch
    moved = (places[None] + copies[:, None]).reshape(-1, 2) + margin  # the neighbors of the tile reach into it
    kind = np.tile(np.arange(len(cells)), len(copies))
    seen = ((moved > 0) & (moved < n * pitch + 2 * margin)).all(axis=1)
    moved, kind = moved[seen], kind[seen]
    whole = np.zeros(len(cells))
    for number, (place, k) in enumerate(zip(moved, kind, strict=True)):
        whole[k] = _dome(tops, tree, place, float(radius[k]), float(height[k]), number=number, lobe=int(k))
    visible = np.bincount(tree[tree >= 0], minlength=len(moved))
    shown = np.zeros(len(cells))
    np.maximum.at(shown, kind, visible)  # the copy in the middle of the tile shows the most
    # Crowns that stand half behind others would look cut where they stand alone: they come last.
    needs = np.where(shown < 0.92 * whole, 100 + needs * 0.6, needs).astype(np.uint8)
    return np.rint(moved - margin).astype(np.int32), tones[kind], needs[kind]


def _dome(
    tops: NDArray[np.float32],
    tree: NDArray[np.int32],
    place: NDArray[np.float64],
    radius: float,
    height: float,
    *,
    number: int,
    lobe: int,
) -> int:
    """Put one crown: half an ellipsoid with a lobed outline, the higher in front; returns its pixels."""
    r0, c0 = (max(0, int(p - radius) - 1) for p in place)
    r1, c1 = (int(p + radius) + 2 for p in place)
    part = tops[r0:r1, c0:c1]
    if part.size == 0:
        return 0
    dr = (np.arange(r0, r0 + part.shape[0]) - place[0])[:, None] / radius
    dc = (np.arange(c0, c0 + part.shape[1]) - place[1])[None, :] / radius
    lobes = 1 + 0.22 * np.sin(6.2 * dr + lobe) * np.sin(5.4 * dc + 2 * lobe)
    square = (dr**2 + dc**2) * lobes
    dome = np.where(square < 1, height * (0.45 + 0.55 * np.sqrt(np.maximum(1 - square, 0))), 0).astype(np.float32)
    higher = dome > part
    part[higher] = dome[higher]
    tree[r0:r1, c0:c1][higher] = number
    return int(np.count_nonzero(dome))


def _shaded(
    tops: NDArray[np.float32],
    tones: NDArray[np.float32],
    tree: NDArray[np.int32],
    seed: int,
    resolution: float,
    sun: Sun,
) -> NDArray[np.uint8]:
    """Color of the crowns: leaves of many tones, lit from the side of the sun, dark between."""
    size = tops.shape[0]
    leaves = periodic(seed + 82, size, shortest=2.2, longest=9, slope=0.4)
    bumpy = cv2.GaussianBlur(np.pad(tops, 8, mode="wrap"), (0, 0), 0.22 / resolution)[8:-8, 8:-8] + 0.22 * leaves
    step = 1 / (2 * resolution)
    slope_x = (np.roll(bumpy, -1, 1) - np.roll(bumpy, 1, 1)) * step
    slope_y = (np.roll(bumpy, -1, 0) - np.roll(bumpy, 1, 0)) * step
    up = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    toward = sun.toward * np.cos(sun.elevation)
    light = up * (np.sin(sun.elevation) - slope_x * toward[0] - slope_y * toward[1])
    light = 0.42 + 0.72 * np.clip(light, 0, 1.05) + 0.05 * leaves
    light *= 0.72 + 0.28 * np.clip(tops / 9, 0, 1)
    base = np.array([84, 103, 64], np.float32) + tones[..., None] * np.array([8.5, 7.0, 4.0], np.float32)
    color = base * light[..., None] + np.array([2, 4, 8], np.float32)
    color[tree < 0] = np.array([58, 64, 46], np.float32)
    return np.asarray(np.clip(color, 6, 235), np.uint8)
