"""One encoder, two heads: a screen that names types by tile and cell, and a slim decoder for the pixels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.encoder import build_encoder
from clearscene.training.networks.spec import CLASSES, TYPE_NAMES, NetworkSpec

__all__ = [
    "STRIDES",
    "ConvNorm",
    "Merging",
    "SlimDecoder",
    "TwoHead",
    "separable",
    "smooth_maximum",
    "start_rare",
    "stride_key",
]

STRIDES = (4, 8, 16, 32)
RARE = 0.01
"""Chance that a cell or pixel holds a type, where the heads start: the first steps need not unlearn alarms."""


def smooth_maximum(cells: Tensor, temperature: float) -> Tensor:
    """Logits of tiles (n, type) from those of their cells (n, type, row, col).

    `t log(sum(exp(z / t)))`. Laws: not below the largest cell, above it by at most `t log(number of cells)`;
    order is irrelevant; a tile of four times the area that shows nothing new gains at most `1.4 t`.
    """
    return temperature * torch.logsumexp(cells.float().flatten(2) / temperature, dim=2)


class ConvNorm(nn.Sequential):
    """Convolution, batch normalization, ReLU."""

    def __init__(self, n_in: int, n_out: int, size: int, *, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, size, padding=size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


def separable(n_in: int, n_out: int) -> nn.Sequential:
    """3 x 3 in each channel, then 1 x 1 across them."""
    return nn.Sequential(ConvNorm(n_in, n_in, 3, groups=n_in), ConvNorm(n_in, n_out, 1))


def reducing(n_in: int, n_out: int) -> nn.Sequential:
    """As `separable`, at half the height and width."""
    first = nn.Conv2d(n_in, n_in, 3, stride=2, padding=1, groups=n_in, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(n_in), nn.ReLU(inplace=True), ConvNorm(n_in, n_out, 1))


class ScreenHead(nn.Module):
    """Features at strides 4 to 32 to logits of cells of 16 pixels and of the tile.

    A seam or a weak blur is told by pixels side by side, of which strides 16 and 32 keep little: the fine
    features go the way down once more, through few channels of their own.
    """

    def __init__(self, channels: dict[int, int], spec: NetworkSpec) -> None:
        super().__init__()
        width, fine, n_types = spec.screen_width, spec.screen_width // 2, len(TYPE_NAMES)
        self.temperature = spec.temperature
        self.fine = nn.Sequential(ConvNorm(channels[4], fine // 2, 3), reducing(fine // 2, fine))
        self.middle = ConvNorm(channels[8], fine, 1)
        self.down = nn.Sequential(separable(fine, fine), reducing(fine, width))
        self.near, self.coarse = ConvNorm(channels[16], width, 1), ConvNorm(channels[32], width, 1)
        self.mix = separable(width, width)
        self.drop = nn.Dropout2d(spec.dropout)
        self.cells = nn.Conv2d(width, n_types, 1)
        self.scale, self.shift = nn.Parameter(torch.ones(n_types)), nn.Parameter(torch.zeros(n_types))
        nn.init.constant_(self.cells.bias, math.log(RARE / (1 - RARE)))  # type: ignore[arg-type]

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(n, type) and (n, type, row, col)."""
        at_4, at_8, at_16, at_32 = (features[stride_key(stride)] for stride in STRIDES)
        down = self.down(self.fine(at_4) + self.middle(at_8))
        near = self.near(at_16)
        cells = self.cells(self.drop(self.mix(near + down + _enlarged(self.coarse(at_32), near))))
        # a defect that fills a part of one cell flags the tile all the same: the tile has its own scale and shift
        return smooth_maximum(cells, self.temperature) * self.scale + self.shift, cells


class Merging(nn.Module):
    """Features at the strides of `channels`, each brought to one width, enlarged and added from the last one on."""

    def __init__(self, channels: dict[int, int], width: int) -> None:
        super().__init__()
        self.strides = tuple(sorted(channels))
        self.sides = nn.ModuleDict({stride_key(s): ConvNorm(channels[s], width, 1) for s in self.strides})
        self.mixes = nn.ModuleDict({stride_key(s): separable(width, width) for s in self.strides})

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """To (n, width, row, col) at the smallest stride."""
        merged: Tensor | None = None
        for stride in reversed(self.strides):
            side = self.sides[stride_key(stride)](features[stride_key(stride)])
            merged = self.mixes[stride_key(stride)](side if merged is None else side + _enlarged(merged, side))
        assert merged is not None
        return merged


class SlimDecoder(Merging):
    """Merged features, and what they say of each pixel."""

    def __init__(self, channels: dict[int, int], spec: NetworkSpec) -> None:
        super().__init__(channels, spec.decoder_width)
        self.drop = nn.Dropout2d(spec.dropout)
        self.pixels = nn.Conv2d(spec.decoder_width, len(CLASSES), 1)
        start_rare(self.pixels)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """To (n, class, h / 4, w / 4)."""
        logits: Tensor = self.pixels(self.drop(super().forward(features)))
        return logits


def start_rare(pixels: nn.Conv2d) -> None:
    """Set the biases so that the first answers are background almost for sure."""
    n_classes = pixels.out_channels
    start = torch.full((n_classes,), math.log(RARE))
    start[0] = math.log(1 - RARE * (n_classes - 1))
    with torch.no_grad():
        pixels.bias.copy_(start)  # type: ignore[union-attr]


class TwoHead(InspectionNetwork):
    """The default network.

    Law: `decode` reads nothing but the features, so that it can run later, or not at all.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.encoder, channels = build_encoder(spec.encoder, spec.weights, strides=STRIDES, frozen=spec.frozen)
        self.screen = ScreenHead(channels, spec)
        self.decoder = SlimDecoder(channels, spec)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """(n, 3, h, w) to tile logits (n, type), cell logits (n, type, h / 16, w / 16), features by name."""
        features = {stride_key(stride): feature for stride, feature in zip(STRIDES, self.encoder(image), strict=True)}
        tile, cells = self.screen(features)
        return tile, cells, features

    def decode(self, features: dict[str, Tensor]) -> Tensor:
        """Features to pixel logits (n, class, h / 4, w / 4)."""
        logits: Tensor = self.decoder(features)
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        tile, cells, features = self.encode(image)
        return Answers(tile, cells, self.decode(features))


def stride_key(stride: int) -> str:
    """Name of the features at a stride."""
    return f"stride_{stride}"


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    """`small` at the height and width of `like`."""
    return functional.interpolate(small, size=like.shape[-2:], mode="bilinear", align_corners=False)
