"""The call for Python users: an array or a scene in, a mask out, no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.grid import Grid, slices
from clearscene.masking.arrays import array_facts
from clearscene.masking.buffer import buffered, radius_px
from clearscene.masking.classes import NODATA, legend
from clearscene.masking.describe import NO_DATA
from clearscene.masking.engine import known_classes, mask_pieces, plan_for
from clearscene.masking.fitting import check_source, source_notes
from clearscene.masking.options import MaskOptions
from clearscene.masking.scene import Prepared, Progress, opened, prepare_mask, silent
from clearscene.masking.source import ArraySource, array_source
from clearscene.raster.sensors import ReflectanceScene
from clearscene.raster.sensors.placing import pixel_size_m
from clearscene.raster.sensors.plausible import value_notes
from clearscene.raster.sensors.product import Kind

__all__ = ["MaskResult", "mask"]


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
    """Of the pixels with data, thick and thin cloud together, before any buffer."""
    notes: list[str]
    """What to know about the scene, and about how the models fit it."""
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
            coordinates or `long_name`. Of a file: 1-based band by name.
        scale: Reflectance = value * scale + offset. Without both, uint8 is display color (255 is white), and
            other values are reflectance.
        offset: See `scale`.
        nodata: Value of pixels without data, in all bands; by itself the `_FillValue` or `nodata` of a DataArray. What
            is not finite, or masked in a numpy masked array, has none either. Of a raster, beside what it says itself.
        kind: toa or surface reflectance, or display, of an array or raster; default toa, or display as above.
        options: Models, classes, buffer and so on; the defaults if left out. Those about what is written are ignored.
            `resolution` is the size of an array's pixels, for a buffer, `fine` and `wide`; without it, a DataArray's
            is that of its x and y, if they are even and their CRS or their unit is known, and nobody knows that of
            others.
        progress: Called with the stage and its share that is done.

    Returns:
        Mask, probabilities and percentages, on the grid of the scene. Memory: the array, and 17 bytes a pixel.

    Raises:
        ClearsceneError: The scene cannot be read, an option does not fit, or there is no such model.
    """
    told = _told(options, bands, {"scale": scale, "offset": offset, "nodata": nodata, "kind": kind})
    if isinstance(scene, ReflectanceScene):
        _refuse_given(told)
        return _mask(scene, prepare_mask(told), pixel_size_m(scene.grid), progress)
    if isinstance(scene, str | Path):
        prepared = prepare_mask(told)
        with opened(scene, told) as file:
            return _mask(file, prepared, pixel_size_m(file.grid), progress)
    facts = array_facts(scene, told.bands if bands is None or isinstance(bands, Mapping) else bands)
    source = array_source(
        facts.data,
        facts.bands,
        scale=told.scale,
        offset=told.offset,
        nodata=facts.nodata if told.nodata is None else told.nodata,
        grid=facts.grid,
        kind=told.kind,
    )
    size = told.resolution
    return _mask(source, prepare_mask(told), (size, size) if size else facts.pixel, progress)


def _mask(
    source: ReflectanceScene | ArraySource, prepared: Prepared, pixel: tuple[float, float] | None, progress: Progress
) -> MaskResult:
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
    before = np.bincount(class_map.ravel(), minlength=256)
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
        cloud_percent=100 * int(before[1] + before[2]) / valid,
        notes=[
            *_notes(source),
            *source_notes(masker, options, bands=bands, pixel=pixel, n_pixels=grid.n_pixels),
            *([] if counts[:NODATA].any() else [NO_DATA]),
        ],
        grid=grid,
    )


def _notes(source: ReflectanceScene | ArraySource) -> list[str]:
    """What to know about the scene itself: of an opened scene as it was found on opening."""
    if isinstance(source, ReflectanceScene) or source.kind == "display":
        return [*source.notes]
    return [*source.notes, *value_notes(source)]


def _told(
    options: MaskOptions | None,
    bands: Sequence[str] | Mapping[str, int] | None,
    given: Mapping[str, Any],
) -> MaskOptions:
    """The options with what was given beside them, checked alike."""
    options = MaskOptions() if options is None else options
    if not isinstance(options, MaskOptions):
        raise OptionError(
            f"options is a {type(options).__name__}, not MaskOptions.",
            hint="Write options=clearscene.MaskOptions(classes=4).",
        )
    if isinstance(bands, str):
        raise OptionError(f"bands={bands!r} is one text.", hint='Name bands in order, as bands=("red", "green").')
    if bands is not None and not isinstance(bands, Mapping):
        bands = {name: number for number, name in enumerate(bands, start=1)}
    return replace(
        options,
        bands=options.bands if bands is None else bands,
        **{name: value for name, value in given.items() if value is not None},
    )


def _refuse_given(told: MaskOptions) -> None:
    """Refuse what says how to read, of a scene that was opened with all that there is to say."""
    names = [f"{name}=" for name in ("bands", "scale", "offset", "nodata", "kind") if getattr(told, name) is not None]
    if names:
        does = "does" if len(names) == 1 else "do"
        raise OptionError(
            f"{', '.join(names)} {does} not fit an opened scene, which says so itself.",
            hint=f"Leave out {' and '.join(names)}.",
        )
