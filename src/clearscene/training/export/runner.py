"""Ask a network about tiles, the same way whether it is a module of torch or graphs of ONNX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clearscene.models.graph import Graph
from clearscene.models.model import CELLS, SCREENING
from clearscene.models.session import Device, available_devices, load_graph
from clearscene.training.export.graphs import heads_of

__all__ = ["Answers", "GraphRunner", "Runner", "TorchRunner", "cpu_devices"]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says about one tile; None where it has no such head. No temperature is applied."""

    tile: NDArray[np.float32] | None
    """(type,)."""
    cells: NDArray[np.float32] | None
    """(type, row, col)."""
    pixels: NDArray[np.float32] | None
    """(class, row, col), as small as the network leaves them."""


class Runner(Protocol):
    """A network that can be asked."""

    def __call__(self, image: NDArray[np.float32]) -> Answers:
        """Answers to a normalized tile (1, band, row, col)."""
        ...


class TorchRunner:
    """The trained module itself: the reference."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self._heads = network.eval(), heads_of(network)

    def __call__(self, image: NDArray[np.float32]) -> Answers:
        """See `Runner`."""
        tile = cells = pixels = None
        with torch.inference_mode():
            given = torch.from_numpy(image)
            if self._heads.screens:
                tile, cells, features = self.network.encode(given)  # type: ignore[operator]
                given = features if self._heads.shares else given
            if self._heads.segments:
                pixels = self.network.decode(given)  # type: ignore[operator]
        return Answers(*(None if t is None else t[0].float().numpy() for t in (tile, cells, pixels)))


class GraphRunner:
    """The graphs of a folder, as inference runs them."""

    def __init__(self, folder: Path, *, device: Device = Device.CPU, threads: int = 1) -> None:
        def load(name: str) -> Graph | None:
            """A graph of the folder, if it is there."""
            path = folder / name
            return load_graph(path, device=device, threads=threads) if path.is_file() else None

        self.screen, self.model = load("screen.onnx"), load("model.onnx")

    def __call__(self, image: NDArray[np.float32]) -> Answers:
        """See `Runner`."""
        features = self.encode(image) if self.screen is not None else {}
        tile, cells = features.pop(SCREENING, None), features.pop(CELLS, None)
        pixels = self.decode(image, features) if self.model is not None else None
        return Answers(*(None if part is None else part[0] for part in (tile, cells, pixels)))

    def encode(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Outputs of `screen.onnx` by name."""
        assert self.screen is not None
        return self.screen.run({self.screen.inputs[0].name: image})

    def decode(self, image: NDArray[np.float32], features: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The output of `model.onnx`."""
        assert self.model is not None
        (pixels,) = self.model.run({port.name: features.get(port.name, image) for port in self.model.inputs}).values()
        return pixels


def cpu_devices() -> tuple[Device, ...]:
    """Runtimes of the CPU that are installed; models are made for all of them."""
    return tuple(device for device in (Device.CPU, Device.OPENVINO) if device in available_devices())
