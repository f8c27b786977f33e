"""DeepLabV3+: a dilated pyramid on a residual trunk, and a small decoder that reads the trunk once more."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.conv_blocks import PooledNorm, separable_conv, start
from clearscene.training.networks.resnet import ResNet101, ShortResNet50, take_imagenet
from clearscene.training.networks.sizes import AnySize

__all__ = ["DeepLabV3Plus", "build_deeplab_v3_plus"]

WIDTH, SHALLOW_WIDTH = 256, 48
DILATIONS = (6, 12, 18)


def build_deeplab_v3_plus(form: str, *, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """DeepLabV3+ (Chen, Zhu, Papandreou, Schroff, Adam, ECCV 2018).

    `paper`: ResNet-101 at stride 16 with a dilated last stage, separable convolutions in pyramid and decoder.
    `benchmark`: the example of the Keras documentation, which the comparison used: ResNet-50 cut inside its last
    block at stride 16, ordinary convolutions. Started from published weights, that trunk halves in the 3 x 3
    convolutions, where they were trained to; else in the 1 x 1 ones, as in Keras.
    """
    trunk: ShortResNet50 | ResNet101
    trunk = ResNet101(n_bands) if form == "paper" else ShortResNet50(n_bands, early=not pretrained)
    net = DeepLabV3Plus(trunk, n_classes, is_separable=form == "paper")
    if pretrained:
        take_imagenet(trunk, "resnet101" if form == "paper" else "resnet50")
    return AnySize(net, divisor=32, encoder="trunk")


class DeepLabV3Plus(nn.Module):
    """Pyramid at stride 16, enlarged to stride 4, joined with the shallow map, two convolutions."""

    def __init__(self, trunk: ShortResNet50 | ResNet101, n_classes: int, *, is_separable: bool) -> None:
        super().__init__()
        self.trunk = trunk
        n_shallow, n_deep = trunk.channels
        self.pyramid = _Pyramid(n_deep, is_separable)
        self.shallow = _conv(n_shallow, SHALLOW_WIDTH, 1)
        self.first = _conv(WIDTH + SHALLOW_WIDTH, WIDTH, 3, is_separable=is_separable)
        self.second = _conv(WIDTH, WIDTH, 3, is_separable=is_separable)
        self.head = nn.Conv2d(WIDTH, n_classes, 1)
        start(self, "he")

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / 4, w / 4); h and w are multiples of 32."""
        shallow, deep = self.trunk(image)
        x = functional.interpolate(self.pyramid(deep), size=shallow.shape[-2:], mode="bilinear", align_corners=False)
        x = self.second(self.first(torch.cat([x, self.shallow(shallow)], dim=1)))
        logits: Tensor = self.head(x)
        return logits


class _Pyramid(nn.Module):
    """The mean of the map, the map, and three dilated views of it, joined by a 1 x 1 convolution."""

    def __init__(self, n_in: int, is_separable: bool) -> None:
        super().__init__()
        # The example of Keras gives only this convolution a bias.
        pool = nn.Conv2d(n_in, WIDTH, 1, bias=not is_separable)
        self.pooled = nn.Sequential(pool, PooledNorm(WIDTH), nn.ReLU(inplace=True))
        self.plain = _conv(n_in, WIDTH, 1)
        self.dilated = nn.ModuleList(
            _conv(n_in, WIDTH, 3, dilation=rate, is_separable=is_separable) for rate in DILATIONS
        )
        self.joined = _conv((2 + len(DILATIONS)) * WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, h, w) to (n, 256, h, w)."""
        mean = self.pooled(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        joined: Tensor = self.joined(torch.cat([mean, self.plain(x), *(view(x) for view in self.dilated)], dim=1))
        return joined


def _conv(n_in: int, n_out: int, size: int, *, dilation: int = 1, is_separable: bool = False) -> nn.Sequential:
    """Convolution without bias, batch normalization, ReLU."""
    if is_separable:
        conv: nn.Module = separable_conv(n_in, n_out, size, bias=False, dilation=dilation)
    else:
        conv = nn.Conv2d(n_in, n_out, size, padding=dilation * (size // 2), dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))
