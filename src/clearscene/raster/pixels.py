"""From stored bands to values and valid: nodata, alpha, masks, color tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from clearscene.raster.bands import Bands

__all__ = ["Pixels", "Recipe", "differs", "read_pixels", "recipe_of"]


@dataclass(frozen=True, eq=False)
class Pixels:
    """What a window holds."""

    data: NDArray[np.generic]
    """(band, row, col), values as stored; float values that are not finite are 0."""
    valid: NDArray[np.bool_]
    """(row, col), True where the scene has data."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """How valid pixels are told in one scene."""

    display: tuple[int, ...]
    """Bands that decide, 1-based."""
    nodata: tuple[float | None, ...]
    """Declared value of each display band."""
    alpha: int | None
    mask_bands: tuple[int, ...]
    """Bands whose GDAL mask is asked: one for a mask of the dataset, all for masks by band."""
    dtype: np.dtype[np.generic]
    """Data type of what is read: the one that holds the values of all display bands."""
    colors: NDArray[np.uint8] | None
    """Color table (4, index) of a palette scene: red, green, blue, alpha."""


def recipe_of(dataset: DatasetReader, bands: Bands) -> Recipe:
    """Find out what says which pixels of a dataset are valid."""
    deciding = bands.deciding or bands.display
    flags = dataset.mask_flag_enums[deciding[0] - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        mask_bands = deciding[:1]
    else:
        mask_bands = deciding if not flags else ()
    return Recipe(
        display=deciding,
        nodata=tuple(dataset.nodatavals[b - 1] for b in deciding),
        alpha=bands.alpha,
        mask_bands=mask_bands,
        dtype=np.result_type(*(dataset.dtypes[b - 1] for b in deciding)),
        colors=_color_table(dataset, bands.display[0]) if bands.is_palette else None,
    )


def read_pixels(
    dataset: DatasetReader,
    recipe: Recipe,
    window: Window,
    *,
    bands: Sequence[int],
    out_shape: tuple[int, int] | None = None,
    resampling: Resampling = Resampling.average,
) -> Pixels:
    """Read bands of a window, at its own size or resampled to `out_shape`.

    Law: valid depends on the display bands, alpha and masks, not on `bands`. A pixel is not valid
    where alpha or a mask is 0, where every display band holds its nodata value (GDAL's rule for a
    dataset: one band at nodata is a value, or a lost band), or where one of them is not finite.
    A resampled pixel is valid if any pixel under it is.
    """
    if recipe.colors is not None:
        resampling = Resampling.nearest  # the mean of two indices is another color
    wanted = [*dict.fromkeys((*bands, *recipe.display, *((recipe.alpha,) if recipe.alpha else ())))]
    stored = dataset.read(wanted, window=window, out_shape=out_shape, resampling=resampling, out_dtype=recipe.dtype)
    by_band = dict(zip(wanted, stored, strict=True))

    valid = _has_data([by_band[b] for b in recipe.display], recipe.nodata)
    if recipe.alpha:
        valid &= by_band[recipe.alpha] > 0
    if recipe.mask_bands:
        masks = [
            dataset.read_masks(b, window=window, out_shape=out_shape, resampling=resampling) for b in recipe.mask_bands
        ]
        valid &= np.any(masks, axis=0)

    if recipe.colors is not None:
        return _colored(stored[0], valid, recipe.colors)
    data = stored[: len(bands)] if list(bands) == wanted[: len(bands)] else np.stack([by_band[b] for b in bands])
    if data.dtype.kind == "f":
        np.nan_to_num(data, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return Pixels(data, valid)


def _has_data(display: Sequence[NDArray[np.generic]], nodata: Sequence[float | None]) -> NDArray[np.bool_]:
    """(row, col), False where all bands hold their nodata value or one is not finite."""
    has_data = np.zeros(display[0].shape, np.bool_)
    for values, empty in zip(display, nodata, strict=True):
        has_data |= differs(values, empty)
    if display[0].dtype.kind == "f":
        for values in display:
            has_data &= np.isfinite(values)
    return has_data


def differs(values: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """True where stored values are not the one that means no data; any shape. NaN and None never mean it here."""
    if nodata is None or math.isnan(nodata):  # NaN fails the test for finite values
        return np.ones(values.shape, np.bool_)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what the type cannot hold is infinite, which no value is
            return np.asarray(values != values.dtype.type(nodata))  # as stored: -3.4e38 is rounded in float32
    return np.asarray(values != int(nodata)) if nodata == int(nodata) else np.ones(values.shape, np.bool_)


def _colored(index: NDArray[np.generic], valid: NDArray[np.bool_], colors: NDArray[np.uint8]) -> Pixels:
    """Replace indices (row, col) by their colors (band, row, col)."""
    rgba = colors[:, index.astype(np.intp)]
    return Pixels(rgba[:3], valid & (rgba[3] > 0))


def _color_table(dataset: DatasetReader, band: int) -> NDArray[np.uint8]:
    """Color table as (4, index); an index without an entry is black and opaque."""
    table = np.zeros((4, 1 << (8 * np.dtype(dataset.dtypes[band - 1]).itemsize)), np.uint8)
    table[3] = 255
    for index, color in dataset.colormap(band).items():
        table[:, index] = color
    return table
