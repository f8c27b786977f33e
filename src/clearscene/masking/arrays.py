"""What an array in memory says of itself: values, names of its bands, size of its pixels, value of no data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from clearscene.errors import BandError, OptionError
from clearscene.grid import Grid
from clearscene.raster.bands import COMMON_NAMES
from clearscene.raster.sensors.placing import pixel_size_m

__all__ = ["ArrayFacts", "array_facts"]

BAND_AXES = ("band", "bands", "variable", "channel")
"""What the axis of the bands may be called in a DataArray."""
COLUMN_AXES = ("x", "lon", "longitude", "easting")
NODATA_KEYS = ("_FillValue", "nodata", "missing_value")
METERS = ("m", "meter", "meters", "metre", "metres")
UNEVEN = 1e-3
"""Share of a pixel by which the steps of coordinates may differ."""


@dataclass(frozen=True, eq=False)
class ArrayFacts:
    """An array as it describes itself."""

    data: NDArray[np.generic]
    """(band, row, col)."""
    bands: list[str]
    grid: Grid | None = None
    """Its place, where the coordinates of a DataArray tell."""
    pixel: tuple[float, float] | None = None
    """Length of a pixel along a row and a column, meters."""
    nodata: float | None = None


def array_facts(scene: Any, bands: Sequence[str] | Mapping[str, int] | None) -> ArrayFacts:
    """Understand a numpy array (band, row, col) or an xarray DataArray; `bands` goes before what it says.

    Of a DataArray, bands are the coordinates of their axis or, where these are no names of bands, `long_name`; no
    data is `_FillValue` or `nodata`; the size of pixels comes from evenly spaced x and y with the CRS of
    `spatial_ref` (or `epsg`), or with units of meters. xarray is not imported: a DataArray is known by what it has.

    Raises:
        OptionError: It is neither.
        BandError: Nobody says what its bands are, or a number among `bands` is not there.
    """
    if hasattr(scene, "data_vars"):
        raise OptionError(
            f"A {type(scene).__name__} has variables, not bands.",
            hint='Give one DataArray: dataset[["red", "green", "blue", "nir"]].to_dataarray("band").',
        )
    if not (hasattr(scene, "dims") and hasattr(scene, "coords")):
        data = _numbers(scene)
        return ArrayFacts(data, _names(data, bands, []))
    axis = next((name for name in scene.dims if str(name) in BAND_AXES), scene.dims[0])
    rest = [name for name in scene.dims if name != axis]
    data = _numbers(scene.transpose(axis, *rest).values)
    grid, pixel = _place(scene, rest, data.shape)
    return ArrayFacts(data, _names(data, bands, _said_names(scene, axis, len(data))), grid, pixel, _nodata(scene))


def _numbers(scene: Any) -> NDArray[np.generic]:
    if isinstance(scene, np.ndarray):
        return scene
    raise OptionError(
        f"A {type(scene).__name__} is no scene.", hint="Give a numpy array, an xarray DataArray, or a path."
    )


def _names(
    data: NDArray[np.generic], bands: Sequence[str] | Mapping[str, int] | None, said: Sequence[str]
) -> list[str]:
    """A name for every band."""
    if isinstance(bands, Mapping):
        for name, number in bands.items():
            if not 1 <= number <= len(data):
                raise BandError(
                    f"bands asks for band {number} as {name}, but an array of shape {data.shape} has {len(data)}.",
                    hint=f"Choose bands from 1 to {len(data)}.",
                )
        by_number = {number: name for name, number in bands.items()}
        return [by_number.get(place + 1, f"band_{place + 1}") for place in range(len(data))]
    names = list(bands or said)
    if not names:
        raise BandError(
            f"An array of shape {data.shape} does not say what its bands are.",
            hint='Name them in order, as bands=("red", "green", "blue", "nir").',
        )
    return names


def _said_names(scene: Any, axis: Any, n_bands: int) -> list[str]:
    """The coordinates of the bands, or `long_name` where only that holds names that we know."""
    found = [str(value) for value in np.asarray(scene.coords[axis].values).ravel()] if axis in scene.coords else []
    told = _attributes(scene).get("long_name", ())
    described = [told] if isinstance(told, str) else [str(name) for name in told]
    if len(described) == n_bands and not set(found) & set(COMMON_NAMES) and set(described) & set(COMMON_NAMES):
        return described
    return found


def _nodata(scene: Any) -> float | None:
    values = _attributes(scene)
    said = next((values[key] for key in NODATA_KEYS if values.get(key) is not None), None)
    return float(said) if isinstance(said, int | float | np.number) else None


def _place(scene: Any, rest: Sequence[Any], shape: tuple[int, ...]) -> tuple[Grid | None, tuple[float, float] | None]:
    """The grid and the size of a pixel, as far as coordinates and CRS tell."""
    if len(rest) != 2 or len(shape) != 3 or 0 in shape or str(rest[1]).lower() not in COLUMN_AXES:
        return None, None
    (down, top), (across, left) = (_steps(scene, name) for name in rest)
    if not (down and across):
        return None, None
    grid = Grid(shape[1], shape[2], Affine(across, 0, left, 0, down, top), _crs(scene))
    is_metric = all(_attributes(scene.coords[name]).get("units") in METERS for name in rest)
    return grid, pixel_size_m(grid) or ((abs(across), abs(down)) if is_metric else None)


def _steps(scene: Any, name: Any) -> tuple[float, float]:
    """Step of the centers along an axis and the outer edge of the first pixel; 0 and 0 where it is not even."""
    values = np.asarray(scene.coords[name].values) if name in scene.coords else np.empty(0)
    if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "iuf":
        return 0.0, 0.0
    steps = np.diff(values.astype(np.float64))
    step = float(steps.mean())
    if not np.isfinite(step) or np.abs(steps - step).max() > UNEVEN * abs(step):
        return 0.0, 0.0
    return step, float(values[0]) - step / 2


def _crs(scene: Any) -> CRS | None:
    """That of `spatial_ref`, as rioxarray and odc-stac write it, or of the coordinate `epsg`; None if there is none."""
    said = [_attributes(scene.coords[name]) for name in ("spatial_ref",) if name in scene.coords]
    texts = [values.get("crs_wkt") or values.get("spatial_ref") for values in said]
    codes = [np.asarray(scene.coords[name].values).ravel() for name in ("epsg", "proj:epsg") if name in scene.coords]
    texts += [f"EPSG:{int(code[0])}" for code in codes if code.size == 1 and code.dtype.kind in "iu"]
    try:
        return next((CRS.from_user_input(text) for text in texts if text), None)
    except CRSError:
        return None


def _attributes(item: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(item, "attrs", {})
    return found
