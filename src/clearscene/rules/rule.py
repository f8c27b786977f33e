"""What a pixel rule sees and answers: the interface that every rule shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clearscene.runs import Components

__all__ = ["Evidence", "Rule", "View"]


@dataclass(frozen=True, eq=False)
class View:
    """One window of a scene with a margin around it, as a rule sees it."""

    data: NDArray[Any]
    """(band, row, col), values as stored in the scene, display bands only (red, green, blue, or one gray)."""
    display: NDArray[np.uint8]
    """(band, row, col), the same bands after the scene-wide stretch to 8 bits."""
    valid: NDArray[np.bool_]
    """(row, col), True where the scene has data (not nodata, not collar)."""
    collar: NDArray[np.bool_]
    """(row, col), True in the collar around the scene (always invalid as well)."""
    white: float
    """The value that counts as full white in `data`: 255, or the maximum of the data type or sensor."""
    is_lossy: bool = False
    """True if the scene was compressed with loss (JPEG), so that flat regions wander by some levels."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a rule found in a view."""

    mask: NDArray[np.bool_]
    """(row, col)."""
    confidence: NDArray[np.float32]
    """(row, col), a documented margin in [0, 1]; only read where `mask` is True."""


class Rule(Protocol):
    """A detector that works on pixels, at full resolution, window by window.

    Law: `detect` answers alike for a pixel in every view that holds the pixel and `halo` pixels
    around it, so that results do not depend on how the scene was cut. Whatever needs more than the
    halo (the length of a stripe, the size of a block) is decided in `accept`, on components joined
    over the whole scene.
    """

    @property
    def name(self) -> str:
        """Key of the defect type, as `taxonomy.DefectType.name`."""
        ...

    @property
    def halo(self) -> int:
        """Pixels that `detect` needs around each pixel it answers for."""
        ...

    @property
    def reach(self) -> int:
        """Pixels within this distance of each other belong to one finding."""
        ...

    def detect(self, view: View) -> Evidence:
        """Mark the pixels that look defective."""
        ...

    def accept(self, components: Components) -> NDArray[np.bool_]:
        """Which components of the joined mask are findings, (n,)."""
        ...

    def parameters(self) -> Mapping[str, float | int | str]:
        """What the report prints: every parameter by name."""
        ...
