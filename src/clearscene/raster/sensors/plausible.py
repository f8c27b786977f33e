"""Do the values look like reflectance? A warning where they look like something else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.grid import Grid
from clearscene.raster.bands import COLORS
from clearscene.raster.pixels import Pixels
from clearscene.raster.stretch import BRIGHTEST, DARKEST

__all__ = ["empty_notes", "value_notes"]

SAMPLE_SIZE = 64
"""Side of a sample in pixels."""
SAMPLES_A_SIDE = 4

NEGATIVE, NEGATIVE_SHARE = -0.02, 0.25
DARKEST_OF_LANDSAT = 4500.0
"""Stored values of Landsat's Collection 2 are above it, since a reflectance of 0 is stored as 5,000 or more."""
LEAST_EMPTY, MOST_EMPTY = 0.01, 0.95
"""Share of pixels of stored zeros that looks like a rim; more is no scene, which `value_notes` tells."""


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
    low, median, high = (float(value) for value in np.percentile(values, (1, 50, 99)))
    if median > BRIGHTEST:
        return [
            f"The values (half of them above {median:.4g}) look like digital numbers, not reflectance between"
            f" 0 and 1: name the scale, as {_likely_scale(low, high)}."
        ]
    negative = float((values < NEGATIVE).mean())
    if negative > NEGATIVE_SHARE:
        return [
            f"{negative:.0%} of the values are negative: the offset may have been applied already, or the"
            " scale may not be that of this file."
        ]
    if high <= 0:
        return ["Nearly all values are 0 or less, which is no reflectance: does 0 mean no data here (--nodata 0)?"]
    if high < DARKEST:
        return [f"Nearly all values are below {high:.2g}, too dark for reflectance: is --scale applied twice?"]
    return []


def empty_notes(scene: Readable, *, zeros: Mapping[str, float]) -> list[str]:
    """A warning where pixels of stored zeros look like a rim without data, and nothing says of any that it has none.

    `zeros` says what a stored 0 reads as, by band; 16 small windows of the visible bands are looked at.
    """
    zero = np.array([zeros[name] for name in _visible(scene)], np.float32)[:, None, None]
    empty, total = 0, 0
    for pixels in _samples(scene):
        if not pixels.valid.all():
            return []
        empty += int((pixels.data == zero).all(axis=0).sum())
        total += pixels.valid.size
    if not LEAST_EMPTY * total < empty < MOST_EMPTY * total:
        return []
    return [
        f"About {empty / total:.0%} of the pixels hold 0 in all bands, and nothing says that they have no data:"
        " if 0 means that, say --nodata 0 (in Python nodata=0)."
    ]


def _likely_scale(low: float, high: float) -> str:
    """What the range of the values suggests: 8 bits, Landsat's Collection 2, or the 0.0001 that most products use."""
    if high <= 255:
        return "--scale 0.004 (in Python scale=)"
    if low < DARKEST_OF_LANDSAT:
        return "--scale 0.0001 (in Python scale=)"
    return (
        "--scale 0.00002 --offset -0.1 of Landsat's level 1, --scale 0.0000275 --offset -0.2 of its level 2,"
        " or --scale 0.0001 of most others (in Python scale=, offset=)"
    )


def _sample(scene: Readable) -> NDArray[np.float32]:
    """Valid values of the visible bands, flat."""
    parts = [pixels.data[:, pixels.valid].astype(np.float32).ravel() for pixels in _samples(scene)]
    return np.concatenate([np.empty(0, np.float32), *parts])


def _visible(scene: Readable) -> list[str]:
    return [name for name in COLORS if name in scene.bands] or [*scene.bands[:1]]


def _samples(scene: Readable) -> Iterator[Pixels]:
    """Windows of the visible bands that can be read."""
    for window in _windows(scene.grid.height, scene.grid.width):
        try:
            yield scene.read(window, bands=_visible(scene))
        except SceneError:
            continue


def _windows(height: int, width: int) -> list[Window]:
    rows, cols = _starts(height), _starts(width)
    n_rows, n_cols = min(SAMPLE_SIZE, height), min(SAMPLE_SIZE, width)
    return [Window(col, row, n_cols, n_rows) for row in rows for col in cols]


def _starts(size: int) -> list[int]:
    return sorted({int(start) for start in np.linspace(0, max(0, size - SAMPLE_SIZE), SAMPLES_A_SIDE)})
