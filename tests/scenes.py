"""Small generated scenes with defects at known places, for tests that go through files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

UTM = CRS.from_epsg(32648)
TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.25, 2_960_000)
"""Unequal pixel sizes: 0.5 m along a row, 0.25 m along a column."""


@dataclass(frozen=True)
class Truth:
    """What was put into a scene."""

    data: np.ndarray
    missing: np.ndarray
    stripe: np.ndarray


def ground(height: int, width: int, *, seed: int = 0, n_bands: int = 3) -> np.ndarray:
    """Textured ground, uint8 (band, row, col): every band and pixel differs, nothing clipped, no lines."""
    rng = np.random.default_rng(seed)
    bands = []
    for band in range(n_bands):
        coarse = rng.normal(0, 1, (height // 32 + 3, width // 32 + 3))
        rows, cols = np.linspace(0, height // 32 + 1, height), np.linspace(0, width // 32 + 1, width)
        r, c = rows.astype(int), cols.astype(int)
        u, v = (rows - r)[:, None], (cols - c)[None]
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        smooth = (
            coarse[np.ix_(r, c)] * (1 - u) * (1 - v)
            + coarse[np.ix_(r, c + 1)] * (1 - u) * v
            + coarse[np.ix_(r + 1, c)] * u * (1 - v)
            + coarse[np.ix_(r + 1, c + 1)] * u * v
        )
        bands.append(110 + 12 * band + 14 * smooth + rng.normal(0, 5, (height, width)))
    return np.clip(np.rint(bands), 20, 235).astype(np.uint8)


def defective(height: int = 389, width: int = 517, *, seed: int = 0) -> Truth:
    """Ground with missing blocks, lines and pixels, and stripes of one channel."""
    data = ground(height, width, seed=seed)
    missing = np.zeros((height, width), bool)
    missing[40:61, 50:83] = True
    missing[200, 100:400] = True
    missing[300:303, 30:33] = True
    missing[[120, 250, 330], [450, 60, 500]] = True
    data[:, missing] = 0
    missing[90:110, 300:325] = True
    data[:, 90:110, 300:325] = 255
    stripe = np.zeros((height, width), bool)
    stripe[150:152, 120:360] = True
    stripe[260:360, 420:422] = True
    data[0][stripe] = np.clip(data[0][stripe].astype(int) + 60, 0, 254)
    return Truth(data, missing, stripe)


def write_scene(
    path: Path,
    data: np.ndarray,
    *,
    crs: CRS | None = UTM,
    transform: Affine | None = TRANSFORM,
    driver: str = "GTiff",
    options: dict | None = None,
) -> Path:
    """Write `data` (band, row, col) as a raster; `options` go to the driver, `nodata` included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": driver, "count": data.shape[0], "height": data.shape[1], "width": data.shape[2]}
    profile |= {"dtype": data.dtype, "crs": crs, "transform": transform}
    with rasterio.open(path, "w", **profile, **(options or {})) as dataset:
        dataset.write(data)
    return path
