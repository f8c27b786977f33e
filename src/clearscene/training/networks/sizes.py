"""Images of any size for networks that read only some: mirrored outwards before, cut back after."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.errors import TrainingError

__all__ = ["MIN_SIDE", "AnySize", "mirrored"]

MIN_SIDE = 32
"""Smallest height and width that a semantic network takes, in pixels."""


def mirrored(image: Tensor, rows: tuple[int, int], cols: tuple[int, int]) -> Tensor:
    """The image (n, band, row, col) continued on all sides as in a mirror that stands on its outermost pixel.

    `rows` and `cols` are how many to add before and after. Laws: with zeros the image itself; the inner part is the
    image; the continuation may be longer than the image, the reflection is then reflected again.
    """
    height, width = image.shape[-2:]
    if max(rows) < height and max(cols) < width:
        return functional.pad(image, (*cols, *rows), mode="reflect") if any((*rows, *cols)) else image
    down, across = _places(height, *rows), _places(width, *cols)
    return image[..., down.to(image.device), :][..., across.to(image.device)]


def _places(length: int, before: int, after: int) -> Tensor:
    """Which pixel stands at each place of the continued axis: 0 1 2 3 2 1 0 1 2 3 ..."""
    period = max(2 * (length - 1), 1)
    place = torch.arange(-before, length + after) % period
    return torch.minimum(place, period - place)


class AnySize(nn.Module):
    """A network behind one interface: (n, band, h, w) float32, h and w from 32 on, to logits (n, class, h, w).

    Laws: an image whose size fits already reaches the network as it is (with `border` 0); logits at a fraction of
    the size are enlarged bilinearly; the logits of a pixel stand where the pixel is.

    Args:
        net: Maps (n, band, H, W) to (n, class, (H - 2 border) / s, (W - 2 border) / s).
        divisor: H and W are multiples of it, plus `remainder`.
        remainder: See `divisor`.
        border: Pixels that the network takes off on each side; the image is continued by as many.
        encoder: Prefix of the parameters that may start from published weights; empty if there are none.

    Raises:
        TrainingError: The image is smaller than 32 pixels on a side.
    """

    def __init__(self, net: nn.Module, *, divisor: int, remainder: int = 0, border: int = 0, encoder: str = "") -> None:
        super().__init__()
        self.net = net
        self.divisor, self.remainder, self.border = divisor, remainder, border
        self.encoder_prefix = f"net.{encoder}." if encoder else ""

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        height, width = int(image.shape[-2]), int(image.shape[-1])
        if min(height, width) < MIN_SIDE:
            raise TrainingError(
                f"An image of {height} x {width} pixels is too small for a semantic network.",
                hint=f"Height and width must be {MIN_SIDE} pixels or more.",
            )
        rows, cols = self._margins(height), self._margins(width)
        logits: Tensor = self.net(mirrored(image, rows, cols))
        full = (height + sum(rows) - 2 * self.border, width + sum(cols) - 2 * self.border)
        if tuple(logits.shape[-2:]) != full:
            logits = functional.interpolate(logits, size=full, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]

    def _margins(self, length: int) -> tuple[int, int]:
        """Pixels to add before and after, so that the network takes the sum."""
        least = length + 2 * self.border
        return self.border, self.border + (self.remainder - least) % self.divisor

    def is_of_encoder(self, name: str) -> bool:
        """True for a parameter that may start from published weights."""
        return bool(self.encoder_prefix) and name.startswith(self.encoder_prefix)
