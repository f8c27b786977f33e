"""Do the values look like reflectance? A warning where they look like something else."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.grid import Grid
from clearscene.raster.bands import COLORS
from clearscene.raster.pixels import Pixels
from clearscene.raster.stretch import BRIGHTEST, DARKEST

__all__ = ["value_notes"]

SAMPLE_SIZE = 64
"""Side of a sample in pixels."""
SAMPLES_A_SIDE = 4

NEGATIVE, NEGATIVE_SHARE = -0.02, 0.25


class Readable(Protocol):
    """What is needed of a scene; `ReflectanceScene` is one."""

    @property
    def grid(self) -> Grid:
        """Size and place."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of what can be read."""
        ...

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """Reflectance of a window."""
        ...


def value_notes(scene: Readable) -> list[str]:
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
            f" 0 and 1: name the scale, as --scale {_likely_scale(high)} (in Python scale=)."
        ]
    negative = float((values < NEGATIVE).mean())
    if negative > NEGATIVE_SHARE:
        return [
            f"{negative:.0%} of the values are negative: the offset may have been applied already, or the"
            " scale may not be that of this file."
        ]
    if high <= 0:
        return ["Nearly all values are 0 or less, which is no reflectance: is 0 what stands for no data here?"]
    if high < DARKEST:
        return [f"Nearly all values are below {high:.2g}, too dark for reflectance: is --scale applied twice?"]
    return []


def _likely_scale(high: float) -> str:
    """The scale that the range of the values suggests: 8 bits, or the 0.0001 that most products use."""
    return "0.004" if high <= 255 else "0.0001"


def _sample(scene: Readable) -> NDArray[np.float32]:
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
