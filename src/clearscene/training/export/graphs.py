"""Cut a trained network into the graphs of a model folder."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.models.model import CELLS, SCREENING
from clearscene.training.export.trace import to_onnx

__all__ = ["IMAGE", "PIXELS", "Graphs", "cut_network", "deepness_graph", "heads_of"]

IMAGE = "image"
"""Name of the input of a graph that reads the tile."""
PIXELS = "segmentation"
"""Name of the output of `model.onnx`."""


@dataclass(frozen=True)
class Heads:
    """What a network can answer."""

    screens: bool
    """It has `encode`: logits of the tile, logits of its cells or None, features by name."""
    segments: bool
    """It has `decode`."""
    shares: bool
    """`decode` reads the features of `encode`; else the image."""


@dataclass(frozen=True, eq=False)
class Graphs:
    """The graphs of a folder; None where the network has no such head."""

    screen: onnx.ModelProto | None
    model: onnx.ModelProto | None


def heads_of(network: nn.Module) -> Heads:
    """Which heads a network has, by its methods; with both, they share features unless it says otherwise."""
    screens, segments = (callable(getattr(network, name, None)) for name in ("encode", "decode"))
    return Heads(screens, segments, screens and segments and getattr(network, "shares_features", True))


def cut_network(network: nn.Module, *, n_bands: int, tile_size: int) -> Graphs:
    """The graphs of a network for tiles of one size.

    Laws: the outputs of the screen are `logits`, `cells` if there are any, and those features that the
    decoder reads and no others; a decoder that shares none reads the image.

    Raises:
        ModelError: A part of the network has no form in ONNX.
    """
    heads, image = heads_of(network), torch.zeros(1, n_bands, tile_size, tile_size)
    cells, features, decoder = None, {IMAGE: image}, None
    if heads.screens:
        with torch.no_grad():
            _, cells, found = network.eval().encode(image)  # type: ignore[operator]
        features = found if heads.shares else features
    if heads.segments:
        names = list(features)
        reader = _Decoder(network, names if heads.shares else ())
        decoder = to_onnx(reader, tuple(features.values()), inputs=names, outputs=[PIXELS])
    if not heads.screens:
        return Graphs(None, decoder)
    wanted = [port.name for port in decoder.graph.input] if decoder is not None and heads.shares else []
    outputs = [SCREENING, *([CELLS] if cells is not None else []), *wanted]
    screen = to_onnx(_Screen(network, wanted), (image,), inputs=[IMAGE], outputs=outputs)
    return Graphs(screen, decoder)


def deepness_graph(network: nn.Module, *, n_bands: int, tile_size: int, temperature: float) -> onnx.ModelProto:
    """One graph from the image (1, band, row, col) to probabilities (1, class, row, col) of the same size.

    Encoder and decoder are joined; logits are divided by `temperature` and enlarged as `models.Model` does.
    """
    image = torch.zeros(1, n_bands, tile_size, tile_size)
    return to_onnx(_Whole(network, temperature), (image,), inputs=[IMAGE], outputs=["probabilities"])


class _Screen(nn.Module):
    """Image to logits, cells and the wanted features."""

    def __init__(self, network: nn.Module, wanted: Sequence[str]) -> None:
        super().__init__()
        self.network, self.wanted = network, tuple(wanted)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(1, band, row, col) to (1, type), (1, type, cell row, cell col), features."""
        logits, cells, features = self.network.encode(image)  # type: ignore[operator]
        return (logits, *(() if cells is None else (cells,)), *(features[name] for name in self.wanted))


class _Decoder(nn.Module):
    """Features in the order of `names`, or without names the image, to logits of the pixels."""

    def __init__(self, network: nn.Module, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.network, self.names = network, tuple(names)

    def forward(self, *given: Tensor) -> Tensor:
        """To (1, class, row, col), at the size of the tile or a whole fraction of it."""
        features = dict(zip(self.names, given, strict=True)) if self.names else given[0]
        logits: Tensor = self.network.decode(features)  # type: ignore[operator]
        return logits


class _Whole(nn.Module):
    """Image to probabilities at full size."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.shares = heads_of(network).shares

    def forward(self, image: Tensor) -> Tensor:
        """(1, band, row, col) to (1, class, row, col)."""
        features = self.network.encode(image)[2] if self.shares else image  # type: ignore[operator]
        logits = self.network.decode(features) / self.temperature  # type: ignore[operator]
        full = functional.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return full.softmax(dim=1)
