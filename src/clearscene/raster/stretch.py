"""One stretch a scene: from stored values to the 8 bits that models, rules and people look at."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.raster.scene import Scene

__all__ = [
    "BRIGHTEST",
    "DARKEST",
    "REFLECTANCE_WHITE",
    "Stretch",
    "check_reflectance",
    "reflectance_line",
    "scene_stretch",
]

REFLECTANCE_WHITE = 0.3558
"""Reflectance shown as white: that of Sentinel-2's true color image (DN 3558 of 10,000)."""

BRIGHTEST, DARKEST = 2.0, 0.002
"""Of reflectance. No ground or cloud reflects much more than a white Lambertian surface; low sun on a slope may double
it. A scene that is darker throughout has been scaled twice: open water at the top of the atmosphere is above 0.01."""

TAILS = (0.5, 99.5)
"""Percentiles shown as black and as white."""

SAMPLE_SIZE = 128
SAMPLES_A_SIDE = 16
"""Scenes up to 2048 x 2048 px are sampled whole; larger ones by 16 x 16 windows of 128 px."""

SENTINEL2_SCALE = ("QUANTIFICATION_VALUE", "BOA_QUANTIFICATION_VALUE")
SENTINEL2_OFFSET_DN = -1000
"""Added to the values of Sentinel-2 products since processing baseline 04.00."""


@dataclass(frozen=True)
class Stretch:
    """A straight line from stored values to 0-255.

    Law: `low` and all below becomes 0, `high` and all above 255; it never falls in between. What is
    not valid becomes 0. With the method "none" values are returned untouched, invalid ones too.
    """

    method: str
    """"none", "bits", "reflectance", "percentiles", or "empty" if the scene has no valid pixel."""
    low: float
    high: float
    dtype: str

    def apply(self, data: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Stretch data (band, row, col) whose valid pixels are (row, col); uint8 of the same shape."""
        if self.method == "none":
            return np.asarray(data, np.uint8)
        shown = self._table[_as_index(data)] if self._table is not None else self._scale(data)
        if valid is not None and not valid.all():
            shown *= valid
        return shown

    def record(self) -> dict[str, float | str]:
        """What the report prints."""
        if self.method == "none":
            return {"method": "none"}
        return {"method": self.method, "low": self.low, "high": self.high}

    @cached_property
    def _table(self) -> NDArray[np.uint8] | None:
        """Answers for all values of a type of 8 or 16 bits, by their bits as an unsigned number."""
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "iu" or dtype.itemsize > 2:
            return None
        index = np.arange(1 << (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}")
        return self._scale(index.view(dtype))

    def _scale(self, data: NDArray[np.generic]) -> NDArray[np.uint8]:
        """The line itself; what is not a number becomes 0."""
        is_exact = data.dtype.itemsize <= (4 if data.dtype.kind == "f" else 2)
        scaled: NDArray[Any] = data.astype(np.float32 if is_exact else np.float64)
        np.clip(scaled, self.low, self.high, out=scaled)
        scaled -= self.low
        scaled *= 255.0 / (self.high - self.low)
        shown: NDArray[np.uint8] = np.rint(np.nan_to_num(scaled, copy=False)).astype(np.uint8)
        return shown


def scene_stretch(
    scene: Scene,
    *,
    collar_mask: Callable[[Window], NDArray[np.bool_]] | None = None,
    reflectance: tuple[float, float] | None = None,
) -> Stretch:
    """The stretch of a scene, always the same for the same file.

    `reflectance`, a scale and an offset, goes before all else. 8 bits stay untouched. Where metadata
    say how values become reflectance (scale and offset, a unit, Sentinel-2's product tags),
    reflectance 0 to 0.3558 is shown, so that clouds do not darken the land. Otherwise percentiles 0.5
    to 99.5 of the valid pixels, all display bands together, so that colors keep their balance;
    `collar_mask` gives (row, col), True where a pixel does not count. Reads at most 4.2 Mpx.
    """
    if reflectance is not None:
        return Stretch("reflectance", *_shown_range(*reflectance), scene.dtype)
    if scene.dtype == "uint8" and scene.white == 255:
        return Stretch("none", 0.0, 255.0, scene.dtype)
    if scene.dtype == "uint8":
        return Stretch("bits", 0.0, scene.white, scene.dtype)
    fixed = _reflectance_range(scene)
    if fixed is not None:
        return Stretch("reflectance", *fixed, scene.dtype)
    sample = _sample(scene, collar_mask)
    if sample.size == 0:
        return Stretch("empty", 0.0, scene.white, scene.dtype)
    low, high = (float(value) for value in np.percentile(sample, TAILS, overwrite_input=True))
    return Stretch("percentiles", low, high if high > low else low + 1.0, scene.dtype)


def _reflectance_range(scene: Scene) -> tuple[float, float] | None:
    """Stored values of reflectance 0 and of `REFLECTANCE_WHITE`, if metadata give them."""
    line = reflectance_line(scene)
    return None if line is None else _shown_range(*line)


def _shown_range(factor: float, offset: float) -> tuple[float, float]:
    """Stored values that are shown as black and as white."""
    return (0.0 - offset) / factor, (REFLECTANCE_WHITE - offset) / factor


def check_reflectance(scene: Scene, scale: float, offset: float) -> None:
    """Refuse a scale and an offset by which the values of a scene are no reflectance. Reads at most 4.2 Mpx.

    Raises:
        OptionError: Half of them are above 2, as digital numbers are; or nearly all are black; or whole numbers are, up
            to the largest that the file can hold.
    """
    sample = _sample(scene, None).astype(np.float64) * scale + offset
    if sample.size == 0:
        return
    median, high = (float(value) for value in np.nanpercentile(sample, (50, 99)))
    most = math.inf if np.dtype(scene.dtype).kind == "f" else scale * scene.white + offset
    if median > BRIGHTEST:
        what = f"half of them are above {median:.3g}"
    elif high < DARKEST:
        what = f"nearly all are below {high:.2g}"
    elif most < REFLECTANCE_WHITE:
        what = f"the brightest that {scene.dtype} can hold is {most:.2g}"
    else:
        return
    given = f"--scale {scale:g}" + (f" --offset {offset:g}" if offset else "")
    raise OptionError(
        f"{given} does not make reflectance, 0 to 1, of the values: {what}.",
        hint="Leave --scale out for pictures of 8 bits; most products have 0.0001, some with --offset -0.1.",
    )


def reflectance_line(scene: Scene) -> tuple[float, float] | None:
    """Factor and offset from stored values to reflectance, if the file's metadata give them."""
    return _tagged_line(scene) or _sentinel2_line(scene)


def _tagged_line(scene: Scene) -> tuple[float, float] | None:
    """Factor and offset of the band tags, if what they give can only be reflectance.

    Nothing says that a scale leads to reflectance, but the range does: the largest value of the
    type must come out between 1 and 10, the offset within 0.5. Sentinel-2 (0.0001), Landsat 8 and 9
    (0.00002 - 0.1; 0.0000275 - 0.2) and MODIS (0.0001) do so; heights and temperatures do not.
    """
    factor, offset = scene.scale_offset
    if "reflectance" in scene.tags["units"].lower():
        return factor, offset
    if (factor, offset) == (1.0, 0.0) or np.dtype(scene.dtype).kind == "f":
        return None
    brightest = factor * float(np.iinfo(scene.dtype).max) + offset
    return (factor, offset) if 1.0 <= brightest <= 10.0 and abs(offset) <= 0.5 else None


def _sentinel2_line(scene: Scene) -> tuple[float, float] | None:
    """Factor and offset by the product tags that GDAL's Sentinel-2 driver passes on."""
    tags = scene.tags
    quantification = next((tags[key] for key in SENTINEL2_SCALE if key in tags), None)
    if quantification is None:
        return None
    try:
        factor, baseline = 1.0 / float(quantification), float(tags.get("PROCESSING_BASELINE", 0))
    except (ValueError, ZeroDivisionError):
        return None
    return factor, SENTINEL2_OFFSET_DN * factor if baseline >= 4.0 else 0.0


def _sample(scene: Scene, collar_mask: Callable[[Window], NDArray[np.bool_]] | None) -> NDArray[Any]:
    """Valid values of all display bands in the sample windows, flat."""
    dtype = np.float32 if np.dtype(scene.dtype).kind == "f" else scene.dtype
    nodata = None if scene.nodata is None or math.isnan(scene.nodata) else scene.nodata
    parts: list[NDArray[Any]] = [np.empty(0, dtype)]
    for window in _sample_windows(scene.grid.height, scene.grid.width):
        pixels, _ = scene.read_safely(window)
        counts = pixels.valid if collar_mask is None else pixels.valid & ~collar_mask(window)
        values = pixels.data[:, counts].astype(dtype, copy=False).ravel()
        parts.append(values if nodata is None else values[values != nodata])
    return np.concatenate(parts)


def _sample_windows(height: int, width: int) -> Iterator[Window]:
    """Windows spread evenly, or side by side where the scene is small."""
    for row, n_rows in _spans(height):
        for col, n_cols in _spans(width):
            yield Window(col, row, n_cols, n_rows)


def _spans(size: int) -> list[tuple[int, int]]:
    """Start and length of the samples along one side."""
    if size <= SAMPLE_SIZE * SAMPLES_A_SIDE:
        return [(start, min(SAMPLE_SIZE, size - start)) for start in range(0, size, SAMPLE_SIZE)]
    starts = np.linspace(0, size - SAMPLE_SIZE, SAMPLES_A_SIDE).astype(int).tolist()
    return [(start, SAMPLE_SIZE) for start in starts]


def _as_index(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """The bits of 8- or 16-bit numbers as unsigned numbers."""
    return data.view(f"u{data.dtype.itemsize}")
