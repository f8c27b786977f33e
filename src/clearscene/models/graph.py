"""What every runtime offers: a loaded network with named inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph", "Port"]


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    name: str
    shape: tuple[int | None, ...]
    """None where the graph leaves a size open."""
    dtype: str
    """numpy name: float32, float16 or uint8."""


class Graph(Protocol):
    """A loaded network. `run` may be called from several threads at once."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    provider: str

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; feeds are cast to the types of the inputs, outputs to float32."""
        ...
