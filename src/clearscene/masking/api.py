"""The call for Python users: an array or a scene in, a mask out, no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import BandError, OptionError
from clearscene.grid import Grid, slices
from clearscene.masking.buffer import buffered, radius_px
from clearscene.masking.classes import NODATA, legend
from clearscene.masking.engine import known_classes, mask_pieces, plan_for
from clearscene.masking.fitting import check_source, source_notes
from clearscene.masking.options import MaskOptions
from clearscene.masking.scene import Prepared, Progress, prepare_mask, silent
from clearscene.masking.source import Source, array_source
from clearscene.raster.sensors import ReflectanceScene, open_reflectance
from clearscene.raster.sensors.placing import pixel_size_m
from clearscene.raster.sensors.product import Kind

__all__ = ["MaskResult", "mask"]

BAND_AXES = ("band", "bands", "variable", "channel")
"""What the axis of the bands may be called in a DataArray."""


@dataclass(frozen=True, eq=False)
class MaskResult:
    """A mask in memory."""

    mask: NDArray[np.uint8]
    """(row, col): 0 clear, 1 thick cloud, 2 thin cloud, 3 cloud shadow, 255 nodata."""
    confidence: NDArray[np.float32]
    """Probability of each class (class, row, col), in the order of `classes`, before any buffer; 0 at nodata."""
    classes: dict[int, str]
    """Name by id."""
    percent: dict[str, float]
    """By name, of the pixels with data; all 0 without any."""
    cloud_percent: float
    notes: list[str]
    """What to know about how the models fit the scene."""
    grid: Grid

    @property
    def clear_percent(self) -> float:
        """Percentage that is clear, of the pixels with data."""
        return self.percent["clear"]


def mask(
    scene: Any,
    *,
    bands: Sequence[str] | Mapping[str, int] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    kind: Kind | None = None,
    options: MaskOptions | None = None,
    progress: Progress = silent,
) -> MaskResult:
    """Mask clouds and their shadows in an array or a scene, without writing files.

    Args:
        scene: A numpy array (band, row, col); an xarray DataArray; a path or address that `clearscene mask`
            takes; or an opened `ReflectanceScene`.
        bands: Names of an array's bands in order, or 1-based band by name. A DataArray may have them as its
            coordinates. Of a file: 1-based band by name.
        scale: Reflectance = value * scale + offset. Without both, uint8 is display color (255 is white), and
            other values are reflectance.
        offset: See `scale`.
        nodata: Value of pixels without data, in an array; what is not finite has none either.
        kind: toa or surface reflectance, or display, of an array; default toa, or display as above.
        options: Models, classes, buffer and so on; the defaults if left out. Those about files are ignored.
            `resolution` is the size of an array's pixels, for a buffer, `fine` and `wide`; without it, nobody knows it.
        progress: Called with the stage and its share that is done.

    Returns:
        Mask, probabilities and percentages, on the grid of the scene. Memory: the array, and 17 bytes a pixel.

    Raises:
        ClearsceneError: The scene cannot be read, an option does not fit, or there is no such model.
    """
    prepared = prepare_mask(options or MaskOptions())
    if isinstance(scene, ReflectanceScene):
        return _mask(scene, prepared, pixel_size_m(scene.grid), progress)
    if isinstance(scene, str | Path):
        given = _file_options(prepared.options, bands, scale, offset)
        with open_reflectance(
            scene, bands=given.bands, scale=given.scale, offset=given.offset, resolution=given.resolution
        ) as opened:
            return _mask(opened, prepared, pixel_size_m(opened.grid), progress)
    data, names = _array(scene, bands)
    source = array_source(data, names, scale=scale, offset=offset, nodata=nodata, kind=kind)
    size = prepared.options.resolution
    return _mask(source, prepared, (size, size) if size else None, progress)


def _mask(source: Source, prepared: Prepared, pixel: tuple[float, float] | None, progress: Progress) -> MaskResult:
    options, masker, grid = prepared.options, prepared.fitted_to(source, pixel).masker, source.grid
    bands = check_source(source, masker)
    radius = radius_px(grid, options.buffer_m, pixel) if options.buffer_m else None
    entries = legend(known_classes(masker, options.classes))
    class_map = np.full((grid.height, grid.width), NODATA, np.uint8)
    confidence = np.zeros((len(entries), grid.height, grid.width), np.float32)
    for piece in mask_pieces(
        source,
        masker,
        classes=len(entries),
        plan=plan_for(source, masker, options),
        progress=lambda share: progress("mask", share),
    ):
        place = slices(piece.window)
        class_map[place] = piece.class_map
        confidence[(slice(None), *place)] = np.where(piece.class_map == NODATA, np.float32(0), piece.probabilities)
    if radius is not None:
        plain = class_map.copy()
        for window, part in buffered(lambda w: plain[slices(w)], grid, radius):
            class_map[slices(window)] = part
    counts = np.bincount(class_map.ravel(), minlength=256)
    valid = max(1, int(counts[:NODATA].sum()))
    return MaskResult(
        mask=class_map,
        confidence=confidence,
        classes={entry.id: entry.name for entry in entries},
        percent={entry.name: 100 * int(counts[entry.id]) / valid for entry in entries},
        cloud_percent=100 * int(counts[1] + counts[2]) / valid,
        notes=source_notes(masker, options, bands=bands, pixel=pixel),
        grid=grid,
    )


def _file_options(
    options: MaskOptions, bands: Sequence[str] | Mapping[str, int] | None, scale: float | None, offset: float | None
) -> MaskOptions:
    """The options with what was given beside them."""
    if bands is not None and not isinstance(bands, Mapping):
        bands = {name: number for number, name in enumerate(bands, start=1)}
    return replace(
        options,
        bands=options.bands if bands is None else bands,
        scale=options.scale if scale is None else scale,
        offset=options.offset if offset is None else offset,
    )


def _array(scene: Any, bands: Sequence[str] | Mapping[str, int] | None) -> tuple[NDArray[np.generic], list[str]]:
    """An array (band, row, col) and the names of its bands.

    xarray is not imported: a DataArray is known by what it has.
    """
    found: Sequence[str] | None = None
    if hasattr(scene, "dims") and hasattr(scene, "coords"):
        axis = next((name for name in scene.dims if str(name) in BAND_AXES), scene.dims[0])
        rest = [name for name in scene.dims if name != axis]
        if axis in scene.coords:
            found = [str(value) for value in np.asarray(scene.coords[axis].values).tolist()]
        scene = scene.transpose(axis, *rest).values
    if not isinstance(scene, np.ndarray):
        raise OptionError(
            f"A {type(scene).__name__} is no scene.", hint="Give a numpy array, an xarray DataArray, or a path."
        )
    if isinstance(bands, Mapping):
        by_number = {number: name for name, number in bands.items()}
        return scene, [by_number.get(place + 1, f"band_{place + 1}") for place in range(len(scene))]
    names = bands or found
    if not names:
        raise BandError(
            f"An array of shape {scene.shape} does not say what its bands are.",
            hint='Name them in order, as bands=("red", "green", "blue", "nir").',
        )
    return scene, list(names)
