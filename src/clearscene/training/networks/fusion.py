"""The networks of weakly supervised fusion: how good each pixel of each image is, and what the fused image shows.

Source: seed 002, weakly supervised fusion of multiple overhead images (Rafique, Blanton, Jacobs, CVPR Workshops 2019),
equations 1 and 2, and its published code, whose U-Net of a quarter of the usual width this is.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.spec import NetworkSpec

__all__ = ["FusionPair", "QualityNetwork", "QuarterUnet", "fused"]

WIDTHS = (16, 32, 64, 128, 128)
"""Channels on the way down, from full size to a sixteenth of it."""
UP_WIDTHS = (64, 32, 16, 16)
"""Channels on the way up."""
STEM_WIDTH = 16
RGB = 3


class QuarterUnet(nn.Module):
    """(n, band, h, w) to (n, n_out, h, w), of any height and width from 16 pixels on.

    Each step is two convolutions of 3 x 3 with bias, batch normalization and ReLU. With 3 bands and 1 or 3 outputs
    it has the published 839,777 or 839,811 parameters.
    """

    def __init__(self, n_bands: int, n_out: int) -> None:
        super().__init__()
        self.first = _double(n_bands, WIDTHS[0])
        self.down = nn.ModuleList(_double(n_in, width) for n_in, width in pairwise(WIDTHS))
        sides = WIDTHS[-2::-1]
        below = (WIDTHS[-1], *UP_WIDTHS)
        self.up = nn.ModuleList(
            _double(n_below + n_side, width) for n_below, n_side, width in zip(below, sides, UP_WIDTHS, strict=False)
        )
        self.last = nn.Conv2d(UP_WIDTHS[-1], n_out, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (n, class, row, col) at the size of the image (n, band, row, col)."""
        features = [self.first(image)]
        for step in self.down:
            features.append(step(functional.max_pool2d(features[-1], 2)))
        x = features.pop()
        for step in self.up:
            side = features.pop()
            x = step(torch.cat([side, _enlarged(x, side)], dim=1))
        logits: Tensor = self.last(x)
        return logits


def _double(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)),
        *(nn.Conv2d(n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)),
    )


def _enlarged(x: Tensor, side: Tensor) -> Tensor:
    """Twice as large, then padded to the size of the side: pooling drops an odd last row or column."""
    height, width = x.shape[-2:]
    x = functional.interpolate(x, size=(2 * height, 2 * width), mode="bilinear", align_corners=True)
    rows, cols = side.shape[-2] - 2 * height, side.shape[-1] - 2 * width
    if rows or cols:
        x = functional.pad(x, (cols // 2, cols - cols // 2, rows // 2, rows - rows // 2))
    return x


def fused(images: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of images by the softmax of their quality (equations 1 and 2), and the shares.

    `images` (n, image, band, h, w), `quality` (n, image, h, w); gives (n, band, h, w) and (n, image, h, w). Laws: the
    shares of a pixel sum to 1; the order of the images changes nothing but that of the shares (up to rounding). Both
    are of float32 whatever the precision of the networks, so that what is not spoiled keeps its value.
    """
    share = quality.float().softmax(dim=1)
    return (share[:, :, None] * images).sum(dim=1), share


class FusionPair(InspectionNetwork):
    """Any number of red, green, blue images of one place, one after the other as channels, to classes of the place.

    One quality network judges each image by itself; their mean by its softmax is what the other network segments.
    Trained from labels of the place alone, it learns what spoils an image. `decode` is the quality of one image:
    what an export writes.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.quality = QuarterUnet(RGB, 1)
        self.segmenter = QuarterUnet(RGB, len(spec.classes))

    def decode(self, image: Tensor) -> Tensor:
        """Quality logits (n, 1, h, w) of single images (n, 3, h, w), values 0 to 1."""
        logits: Tensor = self.quality(image)
        return logits

    def fuse(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Fused (n, 3, h, w) and shares (n, image, h, w) of stacks (n, image * 3, h, w)."""
        n, channels, height, width = image.shape
        images = image.reshape(n, channels // RGB, RGB, height, width)
        quality = self.decode(images.flatten(0, 1)).reshape(n, channels // RGB, height, width)
        return fused(images, quality)

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`; the classes of the fused image, and that image. One image is fused with nothing."""
        result = image if image.shape[1] == RGB else self.fuse(image)[0]
        return Answers(None, None, self.segmenter(result), result)


class QualityNetwork(InspectionNetwork):
    """Red, green, blue, nir of one image to one logit a pixel: how likely it shows the ground as it is.

    `half` works on features of half the size, which is four times as fast and answers at half the size; `full` is the
    published network with a fourth band.
    """

    def __init__(self, spec: NetworkSpec, *, n_bands: int = 4) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        if spec.name == "half":
            stem = nn.Conv2d(n_bands, STEM_WIDTH, 4, stride=2, padding=1)
            self.stem = nn.Sequential(stem, nn.BatchNorm2d(STEM_WIDTH), nn.ReLU(inplace=True))
        self.body = QuarterUnet(STEM_WIDTH if spec.name == "half" else n_bands, 1)

    def decode(self, image: Tensor) -> Tensor:
        """(n, 4, h, w) to (n, 1, h, w), or half of that size."""
        logits: Tensor = self.body(self.stem(image))
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(None, None, self.decode(image))
