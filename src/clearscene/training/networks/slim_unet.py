"""A small U-Net for photos: EfficientNet-Lite0 without its last stage, and a slim decoder to stride 2."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.errors import TrainingError
from clearscene.training.networks.encoder import create, frozen_part
from clearscene.training.networks.spec import NetworkSpec
from clearscene.training.networks.two_head import ConvNorm, separable

__all__ = ["SlimUnet"]

PROBE = 64
"""Height and width of the picture that tells the encoder's strides and channels."""


class SlimEncoder(nn.Module):
    """Stem and stages of an EfficientNet, and what the last stage of each stride says.

    The very last stage stays away: it is a quarter of the weights and adds no stride.

    Raises:
        TrainingError: The encoder is none of timm's EfficientNet family, or has no part that is to be frozen.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        body = create(spec.encoder, spec.weights, features_only=True)
        if not all(hasattr(body, part) for part in ("conv_stem", "bn1", "blocks")) or len(body.blocks) < 2:
            raise TrainingError(f"network.encoder {spec.encoder} has no stages.", hint="Use tf_efficientnet_lite0.")
        self.conv_stem, self.bn1, self.blocks = body.conv_stem, body.bn1, nn.ModuleList(list(body.blocks)[:-1])
        self._frozen = [frozen_part(self, name) for name in spec.frozen]
        self.at, self.channels = self._layout()

    def _layout(self) -> tuple[list[int], list[int]]:
        """The last stage of each stride, the finest first, and its channels."""
        sizes: dict[int, tuple[int, int]] = {}
        self.eval()
        with torch.no_grad():
            x = self.bn1(self.conv_stem(torch.zeros(1, 3, PROBE, PROBE)))
            for number, stage in enumerate(self.blocks):
                x = stage(x)
                sizes[x.shape[-1]] = (number, x.shape[1])
        self.train()
        return [number for number, _ in sizes.values()], [channels for _, channels in sizes.values()]

    def train(self, mode: bool = True) -> Any:
        """Frozen parts stay as they are in use."""
        super().train(mode)
        for part in getattr(self, "_frozen", ()):
            part.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """(n, 3, h, w) to features at strides 2, 4 ..., (n, c, ceil(h / stride), ceil(w / stride))."""
        x = self.bn1(self.conv_stem(image))
        features = []
        for number, stage in enumerate(self.blocks):
            x = stage(x)
            if number in self.at:
                features.append(x)
        return features


class SlimUnet(nn.Module):
    """Features brought to one width, added from the coarsest to the finest; the mean of the coarsest goes with them.

    That mean tells every pixel what kind of picture it is in: a white wall indoors is no sky.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.encoder = SlimEncoder(spec)
        width, channels = spec.decoder_width, self.encoder.channels
        widths = [max(8, width // 2)] + [width] * (len(channels) - 1)
        self.sides = nn.ModuleList(ConvNorm(c, w, 1) for c, w in zip(channels, widths, strict=True))
        self.mixes = nn.ModuleList(separable(w, w) for w in widths)
        self.narrow = nn.Conv2d(width, widths[0], 1)
        self.whole = nn.Sequential(nn.Conv2d(channels[-1], width, 1), nn.ReLU(inplace=True))
        self.last = separable(widths[0], widths[0])
        self.drop = nn.Dropout2d(spec.dropout)
        self.pixels = nn.Conv2d(widths[0], spec.n_logits, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, h, w) to logits (n, class, ceil(h / 2), ceil(w / 2))."""
        features = self.encoder(image)
        merged = self.whole(features[-1].mean(dim=(2, 3), keepdim=True))
        for level in reversed(range(len(features))):
            side = self.sides[level](features[level])
            if level == 0:
                merged = self.narrow(merged)
            if merged.shape[-2:] != side.shape[-2:]:
                merged = _enlarged(merged, side)
            merged = self.mixes[level](side + merged)
        logits: Tensor = self.pixels(self.drop(self.last(merged)))
        return logits


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    if small.shape[-1] == small.shape[-2] == 1:
        return small.expand(-1, -1, *like.shape[-2:])
    return functional.interpolate(small, size=like.shape[-2:], mode="bilinear", align_corners=False)
