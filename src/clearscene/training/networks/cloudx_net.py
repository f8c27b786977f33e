"""CloudX-Net: Cloud-Net with separable convolutions on the way down and a spatial pyramid behind the bridge."""

import torch
from torch import Tensor, nn

from clearscene.training.networks.cloud_net import BRIDGE, Decoder, Encoder
from clearscene.training.networks.conv_blocks import SlowNorm, SlowPooledNorm, separable_conv, start
from clearscene.training.networks.sizes import AnySize

__all__ = ["CloudXNet", "build_cloudx_net"]

BRANCH = 256
DILATIONS = (6, 12, 18)


def build_cloudx_net(*, n_bands: int, n_classes: int) -> AnySize:
    """CloudX-Net (Kanu et al., Remote Sensing Applications: Society and Environment 20, 2020).

    Both forms are one network. The published one pools over a window that its input size fixes; that window is the
    whole map, which is what is pooled here at every size.
    """
    return AnySize(CloudXNet(n_bands, n_classes), divisor=32)


class CloudXNet(nn.Module):
    """The stem and the decoder are those of Cloud-Net."""

    def __init__(self, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(n_bands, _conv)
        self.pyramid = _Pyramid(BRIDGE)
        self.decoder = Decoder((2 + len(DILATIONS)) * BRANCH, n_classes)
        start(self, "glorot")

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h, w); h and w are multiples of 32."""
        deepest, skips = self.encoder(image)
        logits: Tensor = self.decoder(self.pyramid(deepest), skips)
        return logits


def _conv(n_in: int, n_out: int, size: int, dropout: float) -> nn.Sequential:
    drop = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(separable_conv(n_in, n_out, size), *drop, SlowNorm(n_out), nn.ReLU(inplace=True))


class _Pyramid(nn.Module):
    """The mean of the map, the map, and three dilated views of it, 256 channels each, side by side."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        norm = SlowPooledNorm(BRANCH)
        self.pooled = nn.Sequential(separable_conv(n_in, BRANCH, 1, bias=False), norm, nn.ReLU(inplace=True))
        self.plain = _pointwise(n_in)
        self.dilated = nn.ModuleList(nn.Sequential(*_depthwise(n_in, rate), _pointwise(n_in)) for rate in DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, h, w) to (n, 1280, h, w)."""
        mean = self.pooled(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return torch.cat([mean, self.plain(x), *(branch(x) for branch in self.dilated)], dim=1)


def _pointwise(n_in: int) -> nn.Sequential:
    return nn.Sequential(separable_conv(n_in, BRANCH, 1, bias=False), SlowNorm(BRANCH), nn.ReLU(inplace=True))


def _depthwise(n: int, rate: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(n, n, 3, padding=rate, dilation=rate, groups=n, bias=False)
    return conv, SlowNorm(n), nn.ReLU(inplace=True)
