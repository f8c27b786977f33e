"""What every network is to the loop, to the evaluation and to the export."""

from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["Answers", "InspectionNetwork"]


class Answers(NamedTuple):
    """Logits of one batch; None where the network has no such head."""

    tile: Tensor | None
    """(n, type), for whole tiles."""
    cells: Tensor | None
    """(n, type, ceil(h / 16), ceil(w / 16))."""
    pixels: Tensor | None
    """(n, class, ceil(h / s), ceil(w / s)), with s = 4 unless the network says otherwise."""
    fused: Tensor | None = None
    """(n, band, h, w), of a network that fuses images: what it made of them."""


class InspectionNetwork(nn.Module):
    """A network for inspection.

    One that screens has `encode(image) -> (tile, cells or None, features by name)`; one that segments has
    `decode(features)`, of the features if it also screens, else of the image (n, 3, h, w). The image is
    normalized float32; height and width may be any from 32 pixels on.
    """

    def forward(self, image: Tensor) -> Answers:
        """All heads at once for images (n, band, row, col), for training."""
        raise NotImplementedError

    def is_of_encoder(self, name: str) -> bool:
        """True for a parameter that may start from pretrained weights."""
        return name.startswith("encoder.")
