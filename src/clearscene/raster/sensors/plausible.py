"""Do the values look like reflectance? A warning where they look like something else."""

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.raster.bands import COLORS
from clearscene.raster.sensors.reflectance import ReflectanceScene
from clearscene.raster.stretch import BRIGHTEST, DARKEST

__all__ = ["value_notes"]

SAMPLE_SIZE = 64
"""Side of a sample in pixels."""
SAMPLES_A_SIDE = 4

NEGATIVE, NEGATIVE_SHARE = -0.02, 0.25


def value_notes(scene: ReflectanceScene) -> list[str]:
    """Warnings about the values of a scene, from 16 small windows of its visible bands.

    Law: reflectance between 0 and 1 gives none; the same values by 10,000 give one that names
    --scale 0.0001. What cannot be read is left to the run to tell.
    """
    values = _sample(scene)
    if values.size == 0:
        return []
    median, high = (float(value) for value in np.percentile(values, (50, 99)))
    if median > BRIGHTEST:
        return [
            f"The values (half of them above {median:.4g}) look like digital numbers, not reflectance between"
            f" 0 and 1: name the scale, as --scale {_likely_scale(high)}."
        ]
    negative = float((values < NEGATIVE).mean())
    if negative > NEGATIVE_SHARE:
        return [
            f"{negative:.0%} of the values are negative: the offset may have been applied already, or the"
            " scale may not be that of this file."
        ]
    if high < DARKEST:
        return [f"Nearly all values are below {high:.2g}, too dark for reflectance: is --scale applied twice?"]
    return []


def _likely_scale(high: float) -> str:
    """The scale that the range of the values suggests: 8 bits, or the 0.0001 that most products use."""
    return "0.004" if high <= 255 else "0.0001"


def _sample(scene: ReflectanceScene) -> NDArray[np.float32]:
    """Valid values of the visible bands, flat."""
    bands = [name for name in COLORS if name in scene.bands] or [*scene.bands[:1]]
    parts: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    for window in _windows(scene.grid.height, scene.grid.width):
        try:
            pixels = scene.read(window, bands=bands)
        except SceneError:
            continue
        parts.append(pixels.data[:, pixels.valid].astype(np.float32).ravel())
    return np.concatenate(parts)


def _windows(height: int, width: int) -> list[Window]:
    rows, cols = _starts(height), _starts(width)
    n_rows, n_cols = min(SAMPLE_SIZE, height), min(SAMPLE_SIZE, width)
    return [Window(col, row, n_cols, n_rows) for row in rows for col in cols]


def _starts(size: int) -> list[int]:
    return sorted({int(start) for start in np.linspace(0, max(0, size - SAMPLE_SIZE), SAMPLES_A_SIDE)})
