"""Cloud-Net: residual stages, and skips that gather every shallower stage."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.conv_blocks import conv_norm, start, up_conv
from clearscene.training.networks.sizes import AnySize

__all__ = ["WIDTHS", "CloudNet", "Decoder", "Encoder", "build_cloud_net"]

STEM = 16
WIDTHS = (32, 64, 128, 256, 512)
BRIDGE = 1024
BRIDGE_DROPOUT = 0.15

MakeConv = Callable[[int, int, int, float], nn.Module]
"""Channels in and out, size of the kernel, share dropped: a convolution with its normalization and ReLU."""


def build_cloud_net(*, n_bands: int, n_classes: int) -> AnySize:
    """Cloud-Net (Mohajerani, Saeedi, "Cloud-Net", IGARSS 2019); both forms are one network."""
    return AnySize(CloudNet(n_bands, n_classes), divisor=32)


class CloudNet(nn.Module):
    """The encoder with its bridge, and the decoder."""

    def __init__(self, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(n_bands, _conv)
        self.decoder = Decoder(BRIDGE, n_classes)
        start(self, "glorot")

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h, w); h and w are multiples of 32."""
        deepest, skips = self.encoder(image)
        logits: Tensor = self.decoder(deepest, skips)
        return logits


def _conv(n_in: int, n_out: int, size: int, dropout: float) -> nn.Sequential:
    return conv_norm(n_in, n_out, size, dropout=dropout)


class Encoder(nn.Module):
    """Stem, five stages each followed by the maximum of 2 x 2, and the bridge at stride 32."""

    def __init__(self, n_bands: int, conv: MakeConv) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(n_bands, STEM, 3, padding=1), nn.ReLU(inplace=True))
        self.stages = nn.ModuleList(_Stage(width, conv) for width in WIDTHS[:-1])
        self.stages.append(_LastStage(WIDTHS[-1], conv))
        self.bridge = _Stage(BRIDGE, conv, dropout=BRIDGE_DROPOUT)
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The bridge (n, 1024, h / 32, w / 32), and the stages at strides 1, 2, 4, 8, 16."""
        x, skips = self.stem(image), []
        for stage in self.stages:
            skips.append(stage(x))
            x = self.pool(skips[-1])
        return self.bridge(x), skips


class _Stage(nn.Module):
    """Two convolutions beside a shortcut that doubles the channels: the input and a 1 x 1 convolution of it."""

    def __init__(self, width: int, conv: MakeConv, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.first, self.second = conv(width // 2, width, 3, 0.0), conv(width, width, 3, dropout)
        self.side = conv(width // 2, width // 2, 1, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width / 2, h, w) to (n, width, h, w)."""
        return functional.relu(self.second(self.first(x)) + torch.cat([x, self.side(x)], dim=1))


class _LastStage(nn.Module):
    """Three convolutions beside two shortcuts, one from the input and one from the second convolution."""

    def __init__(self, width: int, conv: MakeConv) -> None:
        super().__init__()
        self.first = conv(width // 2, width, 3, 0.0)
        self.second, self.third = conv(width, width, 3, 0.0), conv(width, width, 3, 0.0)
        self.side, self.inner = conv(width // 2, width // 2, 1, 0.0), conv(width, width, 1, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width / 2, h, w) to (n, width, h, w)."""
        middle = self.second(self.first(x))
        return functional.relu(self.third(middle) + torch.cat([x, self.side(x)], dim=1) + self.inner(middle))


class Decoder(nn.Module):
    """Five doublings; at each the gathered skips are read, and the plain skip and the enlarged map are added."""

    def __init__(self, n_deepest: int, n_classes: int) -> None:
        super().__init__()
        wide = WIDTHS[::-1]
        self.up = nn.ModuleList(up_conv(n, width) for n, width in zip((n_deepest, *wide[:-1]), wide, strict=True))
        self.merge = nn.ModuleList(_merge(width, 3 if width == WIDTHS[-1] else 2) for width in wide)
        self.head = nn.Conv2d(WIDTHS[0], n_classes, 1)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """The deepest map and the stages to logits (n, class, h, w)."""
        for level, up, merge in zip(reversed(range(len(skips))), self.up, self.merge, strict=True):
            x = up(x)
            merged = merge(torch.cat([x, gathered(skips[: level + 1])], dim=1))
            x = functional.relu(merged + skips[level] + x)
        logits: Tensor = self.head(x)
        return logits


def _merge(width: int, n_convs: int) -> nn.Sequential:
    return nn.Sequential(*(conv_norm(width if number else 2 * width, width, 3) for number in range(n_convs)))


def gathered(skips: Sequence[Tensor]) -> Tensor:
    """The last stage (n, channel, row, col) plus each shallower one, channels repeated, pixels pooled by maximum."""
    total = skips[-1]
    for steps, skip in enumerate(reversed(skips[:-1]), start=1):
        factor = 2**steps
        total = total + functional.max_pool2d(torch.cat([skip] * factor, dim=1), factor)
    return functional.relu(total)
