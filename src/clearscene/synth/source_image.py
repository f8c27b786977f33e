"""One image as ground: how its values become those of the display, and where it holds imagery."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.errors import ClearsceneError, DatasetError
from clearscene.inspection.viewer import scan_collar
from clearscene.raster.collar import Collar
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.stretch import REFLECTANCE_WHITE, reflectance_line

__all__ = ["AS_THE_FILE_SAYS", "Radiometry", "SourceImage", "image_of", "opened"]

SENTINEL2 = 1e-4
"""Stored 16-bit values to reflectance where nothing is said."""
BRIGHTEST_GROUND = 1.2
"""Reflectance that half of an image cannot exceed: snow and cloud reach 1."""
SAMPLE = 256
"""Rows and columns of the sample by which an assumption is checked."""


@dataclass(frozen=True)
class Radiometry:
    """What a recipe says of the values of a source; None where it says nothing."""

    white: float | None = None
    """Stored value of full white, of images that are no reflectance."""
    scale: float | None = None
    """Reflectance is value * scale + offset."""
    offset: float = 0.0


AS_THE_FILE_SAYS = Radiometry()


@dataclass(frozen=True, eq=False)
class SourceImage:
    """What is known of an image before its pixels are read."""

    height: int
    width: int
    black: float
    """Stored value that becomes 0."""
    white: float
    """Stored value that becomes 1."""
    is_reflectance: bool
    collar: Collar
    """Black or white surround that no metadata declare."""

    def display(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Values in units of the display, any shape; below 0 and above 1 as they come."""
        return (stored.astype(np.float32) - np.float32(self.black)) * np.float32(1 / (self.white - self.black))


@cache
def image_of(path: Path, radiometry: Radiometry) -> SourceImage:
    """Learn how to read an image. Reads all of it once, for its collar.

    The range of the display is, the first that applies: `white` of the recipe; 8 bits, or as many as the file
    declares; `scale` and `offset` of the recipe; what the metadata give as reflectance; reflectance x 10,000, as
    of Sentinel-2. The last is refused where half of the pixels would reflect more than 1.2.

    Raises:
        DatasetError: The image cannot be read, has neither 8 nor 16 bits, or cannot be reflectance x 10,000.
    """
    with opened(path) as scene:
        if scene.dtype not in ("uint8", "uint16", "int16"):
            raise DatasetError(
                f"{path} holds {scene.dtype} values; ground for chips has 8 or 16 bits.",
                hint="Convert it, or exclude it.",
            )
        black, white, is_reflectance = _range(scene, radiometry)
        return SourceImage(scene.grid.height, scene.grid.width, black, white, is_reflectance, scan_collar(scene))


@contextmanager
def opened(path: Path) -> Iterator[Scene]:
    """The image, with errors that say what it was read for."""
    try:
        with open_scene(path) as scene:
            yield scene
    except DatasetError:
        raise
    except ClearsceneError as error:
        raise DatasetError(
            f"{path} cannot be read as ground for chips: {error.message}", hint=error.hint or "Mend it, or exclude it."
        ) from error


def _range(scene: Scene, given: Radiometry) -> tuple[float, float, bool]:
    """Stored values of black and of white, and whether white is a reflectance."""
    if given.white is not None:
        return 0.0, given.white, False
    if scene.dtype == "uint8" or (given.scale is None and scene.white < np.iinfo(scene.dtype).max):
        return 0.0, scene.white, False
    declared = (given.scale, given.offset) if given.scale is not None else reflectance_line(scene)
    if declared is None:
        _check_reflectance(scene)
    factor, offset = declared or (SENTINEL2, 0.0)
    return -offset / factor, (REFLECTANCE_WHITE - offset) / factor, True


def _check_reflectance(scene: Scene) -> None:
    height, width = scene.grid.height, scene.grid.width
    shape = (min(height, SAMPLE), min(width, SAMPLE))
    pixels = scene.read(Window(0, 0, width, height), out_shape=shape, resampling=Resampling.nearest)
    values = pixels.data[:, pixels.valid].astype(np.float32)
    middle = float(np.median(values)) if values.size else 0.0
    if middle * SENTINEL2 > BRIGHTEST_GROUND:
        raise DatasetError(
            f"{scene.path}: half of the values are above {middle:.0f}, so they are not reflectance x 10,000, which is "
            "what 16 bits are taken for where nothing is said.",
            hint="Say in [[sources]] `white` (stored value of full white) or `scale` (reflectance by stored value).",
        )
