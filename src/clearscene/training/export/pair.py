"""A screening network and a segmenter of their own, as one model: the separate pair of the published system."""

from typing import Any

import torch
from torch import Tensor, nn

from clearscene.models.manifest import InputSpec

__all__ = ["Pair"]


class Pair(nn.Module):
    """Screens with one network and segments with another, which share nothing.

    The image is normalized for the screen; for the segmenter it is turned into what that one was trained
    with. Law: both answer as they do alone.
    """

    shares_features = False

    def __init__(self, screen: nn.Module, segmenter: nn.Module, *, given: InputSpec, wanted: InputSpec) -> None:
        super().__init__()
        self.screen, self.segmenter = screen, segmenter
        mean, std = _columns(given)
        wanted_mean, wanted_std = _columns(wanted)
        self.register_buffer("factor", std / wanted_std)
        self.register_buffer("offset", (mean - wanted_mean) / wanted_std)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor | None, dict[str, Any]]:
        """See `InspectionNetwork`."""
        tile, cells, _ = self.screen.encode(image)  # type: ignore[operator]
        return tile, cells, {}

    def decode(self, image: Tensor) -> Tensor:
        """See `InspectionNetwork`."""
        logits: Tensor = self.segmenter.decode(image * self.factor + self.offset)  # type: ignore[operator]
        return logits


def _columns(spec: InputSpec) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (1, band, 1, 1), of values from 0 to 1."""
    n = len(spec.bands)
    pairs = ((spec.mean, 0.0), (spec.std, 1.0))
    mean, std = (torch.tensor(values or (default,) * n).reshape(1, n, 1, 1) for values, default in pairs)
    return mean, std
