"""The trunk of DeepLabV3+: a residual network that gives a shallow and a deep map."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.conv_blocks import grown_conv
from clearscene.training.networks.encoder import create, load_weights

__all__ = ["Bottleneck", "ResNet101", "ShortResNet50", "take_imagenet"]

EXPANSION = 4


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolution beside a shortcut; its parts are named as timm and torchvision name them.

    `inner` is the map behind the 3 x 3 convolution. The first convolution halves the size where `early`, as in the
    residual networks of Keras; else the second does, as in those of torch.
    """

    def __init__(
        self, n_in: int, width: int, *, stride: int = 1, dilation: int = 1, early: bool = False, bias: bool = False
    ) -> None:
        super().__init__()
        n_out = EXPANSION * width
        first, second = (stride, 1) if early else (1, stride)
        self.conv1, self.bn1 = nn.Conv2d(n_in, width, 1, stride=first, bias=bias), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=dilation, dilation=dilation, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, n_out, 1, bias=bias), nn.BatchNorm2d(n_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=bias), nn.BatchNorm2d(n_out))

    def inner(self, x: Tensor) -> Tensor:
        """(n, n_in, h, w) to (n, width, h / stride, w / stride)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)))

    def outer(self, x: Tensor, inner: Tensor) -> Tensor:
        """The answer of the block from its input and its inner map, all (n, channel, row, col)."""
        aside = x if self.downsample is None else self.downsample(x)
        return functional.relu(self.bn3(self.conv3(inner)) + aside)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, h, w) to (n, 4 width, h / stride, w / stride)."""
        return self.outer(x, self.inner(x))


class _Trunk(nn.Module):
    """The stem, which both share: a quarter of height and width, 64 channels."""

    def __init__(self, n_bands: int, *, bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_bands, 64, 7, stride=2, padding=3, bias=bias)
        self.bn1, self.maxpool = nn.BatchNorm2d(64), nn.MaxPool2d(3, stride=2, padding=1)

    def stem(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to (n, 64, h / 4, w / 4)."""
        x: Tensor = self.maxpool(functional.relu(self.bn1(self.conv1(image))))
        return x


class ShortResNet50(_Trunk):
    """ResNet-50 up to the 3 x 3 convolution of the last block at stride 16, and nothing behind it.

    The shallow map is that of the 3 x 3 convolution of the last block at stride 4: 64 and 256 channels.
    """

    channels = (64, 256)

    def __init__(self, n_bands: int, *, early: bool) -> None:
        super().__init__(n_bands, bias=True)
        self.layer1 = _layer(64, 64, 3, stride=1, early=early, bias=True)
        self.layer2 = _layer(256, 128, 4, stride=2, early=early, bias=True)
        self.layer3 = _layer(512, 256, 6, stride=2, early=early, bias=True)
        last = self.layer3[-1]
        last.conv3, last.bn3 = nn.Identity(), nn.Identity()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(n, band, h, w) to (n, 64, h / 4, w / 4) and (n, 256, h / 16, w / 16)."""
        x = self.stem(image)
        for block in list(self.layer1)[:-1]:
            x = block(x)
        shallow = self.layer1[-1].inner(x)  # type: ignore[operator]
        x = self.layer2(self.layer1[-1].outer(x, shallow))  # type: ignore[operator]
        for block in list(self.layer3)[:-1]:
            x = block(x)
        return shallow, self.layer3[-1].inner(x)  # type: ignore[operator]


class ResNet101(_Trunk):
    """ResNet-101 whose last stage is dilated by 2 instead of halved: 256 and 2048 channels at strides 4 and 16."""

    channels = (256, 2048)

    def __init__(self, n_bands: int) -> None:
        super().__init__(n_bands, bias=False)
        self.layer1, self.layer2 = _layer(64, 64, 3, stride=1), _layer(256, 128, 4, stride=2)
        self.layer3, self.layer4 = _layer(512, 256, 23, stride=2), _layer(1024, 512, 3, stride=1, dilation=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(n, band, h, w) to (n, 256, h / 4, w / 4) and (n, 2048, h / 16, w / 16)."""
        shallow = self.layer1(self.stem(image))
        return shallow, self.layer4(self.layer3(self.layer2(shallow)))


def _layer(
    n_in: int, width: int, n_blocks: int, *, stride: int, dilation: int = 1, early: bool = False, bias: bool = False
) -> nn.Sequential:
    first = Bottleneck(n_in, width, stride=stride, dilation=dilation, early=early, bias=bias)
    rest = (Bottleneck(EXPANSION * width, width, dilation=dilation, bias=bias) for _ in range(n_blocks - 1))
    return nn.Sequential(first, *rest)


def take_imagenet(trunk: ShortResNet50 | ResNet101, name: str) -> None:
    """Start a trunk from the published weights of timm's `name`, where the hub can be reached; biases become 0."""
    donor = create(name, "imagenet")
    grown_conv(donor, trunk.conv1.in_channels)
    zeros = {key: torch.zeros_like(value) for key, value in trunk.state_dict().items() if key.endswith(".bias")}
    load_weights(trunk, zeros | donor.state_dict(), place=name)
