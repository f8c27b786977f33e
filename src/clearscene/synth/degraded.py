"""What every defect generator takes and gives: one signature for all types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Degrade", "Degraded"]


@dataclass(frozen=True, eq=False)
class Degraded:
    """A window after a defect was put in."""

    data: NDArray[np.uint8]
    """(band, row, col)."""
    mask: NDArray[np.bool_]
    """(row, col), True where the defect is; never where the window was not valid."""
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    """What was done, in pixels, levels and degrees."""


class Degrade(Protocol):
    """Puts one defect into a window.

    Laws: the input is not changed; outside `mask` every value stays; `mask` is a part of `valid`;
    the same `rng` state gives the same result.
    """

    def __call__(
        self, data: NDArray[np.uint8], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
    ) -> Degraded:
        """Degrade `data` (band, row, col) where `valid` (row, col); `severity` in [0, 1]."""
        ...
