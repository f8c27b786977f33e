"""Generated ground with roofs and roads, and still water, in units of the display."""

import cv2
import numpy as np


def town(height: int, width: int, *, bands: int = 3, seed: int = 1) -> np.ndarray:
    """Float32 (band, row, col) in about 0.1 to 0.9: straight edges, fine texture, noise; every band differs."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:height, 0:width]
    blocks = rng.uniform(0.15, 0.8, (height // 24 + 2, width // 31 + 2))
    plane = blocks[(rows + cols // 9) // 24, np.minimum((cols + rows // 13) // 31, blocks.shape[1] - 1)]
    plane = plane + np.where((rows + cols // 9) % 24 < 4, 0.15, 0.0)
    fine = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 1.0)
    sheet = [plane * (1 - 0.12 * k) + 0.05 * k + 0.06 * fine for k in range(bands)]
    noise = rng.normal(0, 0.004, (bands, height, width))
    return np.clip(np.stack(sheet) + noise, 0.02, 0.98).astype(np.float32)


def calm(height: int, width: int, *, bands: int = 3, seed: int = 1) -> np.ndarray:
    """Still water: one tone a band and the noise of a sensor, float32 (band, row, col)."""
    rng = np.random.default_rng(seed)
    tones = np.linspace(0.25, 0.4, bands)[:, None, None]
    return (tones + rng.normal(0, 0.006, (bands, height, width))).astype(np.float32)
