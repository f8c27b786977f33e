"""Putting placed defects into an open raster, one window after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetWriter

from clearscene.runs import Runs
from clearscene.synth.degraded import Degraded, Levels, degrade_stored
from clearscene.synth.fitting import fitted
from clearscene.synth.kinds import BY_KIND, CAST
from clearscene.synth.placing import Area, Placement, moved
from clearscene.synth.truth import Placed

__all__ = ["Canvas", "put", "put_all"]

MOVES = 4
"""Other places that a defect is tried at when it does not show."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """An open raster that defects are put into."""

    raster: DatasetWriter
    """Open for reading and writing."""
    area: Area
    """Where it holds imagery."""
    bands: tuple[int, ...] = (1, 2, 3)
    """1-based; red, green, blue first, or one gray band."""
    levels: Levels | None = None
    """What is shown black and white; None: the range of the data type."""
    lost: tuple[float, float] | None = None
    """Stored values of lost pixels, black and white; None: the ends of the data type."""
    nodata: float | None = None
    """Declared value, which no defect may make."""


def put_all(
    canvas: Canvas, placements: Sequence[Placement], *, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Placed], dict[str, int]]:
    """Put defects into a raster; returns them, numbered from 1, and how many of each kind did not show.

    A blur of still water does not show, for one: such a defect moves to another place, a few times.
    What a defect brings with it, such as the shadow of a cloud, comes as a defect of its own behind it.
    """
    placed: list[Placed] = []
    hidden: dict[str, int] = {}
    places = list(placements)
    for k, placement in enumerate(placements):
        others = [*places[:k], *places[k + 1 :]]
        parts = _put_one(canvas, placement)
        for attempt in range(MOVES if not parts else 0):
            elsewhere = moved(placement, canvas.area, others=others, attempt=attempt)
            if elsewhere is not None and (parts := _put_one(canvas, elsewhere)):
                places[k] = elsewhere
                break
        if not parts:
            hidden[placement.kind] = hidden.get(placement.kind, 0) + 1
        placed += [
            replace(part, placement=replace(part.placement, id=len(placed) + n)) for n, part in enumerate(parts, 1)
        ]
        if progress:
            progress(k + 1, len(placements))
    return placed, hidden


def _put_one(canvas: Canvas, placement: Placement) -> list[Placed]:
    """Put one defect in; it and what it brings, with their exact pixels."""
    bands, window = list(canvas.bands), placement.window
    data, valid = canvas.raster.read(bands, window=window), canvas.area.valid(window)
    known = data if data.dtype.kind != "f" else np.where(np.isfinite(data), data, 0)
    result = put(placement, known, valid, levels=canvas.levels, lost=canvas.lost)
    if not result.mask.any():
        return []
    changed = np.where(valid, _kept_off(result.data, known, canvas.nodata), data)
    canvas.raster.write(changed, bands, window=window)
    kinds = {kind.type: kind.name for kind in CAST}
    cast = [(replace(placement, kind=kinds[name]), mask) for name, mask in result.also.items() if mask.any()]
    return [
        Placed(each, Runs.from_mask(mask, row=placement.row, col=placement.col), result.parameters)
        for each, mask in [(placement, result.mask), *cast]
    ]


def put(
    placement: Placement,
    data: NDArray[Any],
    valid: NDArray[np.bool_],
    *,
    levels: Levels | None = None,
    lost: tuple[float, float] | None = None,
) -> Degraded:
    """Put a placed defect into the stored values (band, row, col) of its window; they keep their type.

    Lost pixels are stored as `lost` (black, white), whatever is shown black and white: the ends of the
    data type unless told otherwise.
    """
    kind, rng = BY_KIND[placement.kind], np.random.default_rng(placement.seed)
    degrade = fitted(kind.degrade, kind.rim, least=kind.least)
    if kind.type != "missing":
        return degrade_stored(degrade, data, valid, rng=rng, severity=placement.severity, levels=levels)
    drawn = degrade(np.full(data.shape, 0.5, np.float32), valid, rng, placement.severity)
    whole = Levels.of(data.dtype)
    black, white = lost or (whole.black, whole.white)
    result = data.copy()
    result[drawn.data == 0] = whole.black  # of a dead band: in one band, declared nodata is a value as any other
    result[:, (drawn.data == 0).all(axis=0)] = black
    result[drawn.data == 1] = white
    return Degraded(result, drawn.mask, drawn.parameters)


def _kept_off(data: NDArray[Any], before: NDArray[Any], nodata: float | None) -> NDArray[Any]:
    """Data (band, row, col) in which no defect has made a pixel nodata in all bands: such values move by one step."""
    if nodata is None or not np.isfinite(nodata):
        return data
    shown = slice(0, 3 if len(data) >= 3 else 1)
    hit = (data[shown] == nodata).all(axis=0) & ~(before[shown] == nodata).all(axis=0)
    if hit.any():
        data = data.copy()
        toward = data.dtype.type(0 if nodata > 0 else 1)
        data[shown, hit] = (
            np.nextafter(data.dtype.type(nodata), toward)
            if data.dtype.kind == "f"
            else (nodata - 1 if nodata > 0 else nodata + 1)
        )
    return data
