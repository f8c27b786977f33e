"""What every defect generator takes and gives: one signature for all types, one door for all bit depths."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Data", "Degrade", "Degraded", "Levels", "Mask", "degrade_stored"]

Data = NDArray[np.float32]
"""A window (band, row, col) in units of the display, 0 shown black and 1 white; or a plane (row, col) beside it."""
Mask = NDArray[np.bool_]
"""(row, col), True where a window is valid, or where a defect is."""


@dataclass(frozen=True, eq=False)
class Degraded:
    """A window after a defect was put in."""

    data: NDArray[Any]
    """(band, row, col), of the type that was given."""
    mask: NDArray[np.bool_]
    """(row, col), True where the defect is; never where the window was not valid."""
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    """What was done, in units that the keys name: `sigma_px`, `optical_depth`, `angle_deg`."""
    also: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Masks (row, col) of other types that come with it, by type name: a cloud brings its shadow."""
    context: NDArray[np.bool_] | None = None
    """(row, col), True where values may differ too although no defect is there: the side of a mosaic
    that has another tone, of which only the seam is the defect. None: nowhere."""
    planes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Planes (row, col) in [0, 1] that the masks were cut from: `opacity` of a cloud, `light_lost` in a shadow."""


class Degrade(Protocol):
    """Puts one defect into a window.

    Laws: the input is not changed; outside `mask`, the masks of `also` and `context` every value stays;
    each mask is a part of `valid`; the same `rng` state gives the same result.
    """

    def __call__(
        self, data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
    ) -> Degraded:
        """Degrade `data` (band, row, col) where `valid` (row, col); `severity` in [0, 1].

        Values are in units of the display: 0 is shown black, 1 white, more is headroom of the sensor.
        Bands are red, green, blue and any more; a single band is gray.
        """
        ...


@dataclass(frozen=True)
class Levels:
    """Which stored values are shown black and white, and which can be stored at all.

    Law: `to_stored(to_unit(x))` is `x` for stored integers of 8 and 16 bits between `lowest` and `highest`;
    those of 32 bits are rounded to the 24 that a float32 holds.
    """

    black: float
    white: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, dtype: np.dtype[Any], *, black: float | None = None, white: float | None = None) -> "Levels":
        """The levels of a data type; floats run from 0 to 1 unless `black` and `white` are named."""
        if dtype.kind == "f":
            return cls(black or 0.0, 1.0 if white is None else white, -np.inf, np.inf)
        limits = np.iinfo(dtype)
        low, high = float(max(limits.min, 0)), float(limits.max)
        return cls(low if black is None else black, high if white is None else white, low, high)

    def to_unit(self, data: NDArray[Any]) -> NDArray[np.float32]:
        """Stored values (any shape) in units of the display."""
        return ((data.astype(np.float64) - self.black) / (self.white - self.black)).astype(np.float32)

    def to_stored(self, unit: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Units of the display (any shape) as stored values, rounded and clipped to what the type holds."""
        values = np.clip(unit.astype(np.float64) * (self.white - self.black) + self.black, self.lowest, self.highest)
        return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)


def degrade_stored(
    degrade: Degrade,
    data: NDArray[Any],
    valid: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    severity: float,
    levels: Levels | None = None,
) -> Degraded:
    """Put a defect into stored values (band, row, col) of any real type; `data` keeps its type.

    Law: outside the masks and the context every stored value stays, bit by bit.
    """
    levels = levels or Levels.of(data.dtype)
    unit = degrade(levels.to_unit(data), valid, rng, severity)
    touched = unit.mask.copy()
    for mask in (*unit.also.values(), *([] if unit.context is None else [unit.context])):
        touched |= mask
    result = data.copy()
    result[:, touched] = levels.to_stored(unit.data[:, touched], data.dtype)
    return Degraded(result, unit.mask, unit.parameters, unit.also, unit.context, unit.planes)
