"""U-Net in two forms: as Ronneberger et al. drew it, and the small one of the comparison of cloud networks."""

import torch
from torch import Tensor, nn

from clearscene.training.networks.conv_blocks import start, up_conv
from clearscene.training.networks.sizes import AnySize

__all__ = ["PAPER_BORDER", "UNet", "build_unet"]

PAPER_WIDTHS = (64, 128, 256, 512, 1024)
PAPER_BORDER = 92
"""Pixels that the convolutions without padding take off on each side: (572 - 388) / 2."""
PAPER_DROPOUT = (0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0)
"""The paper drops "at the end of the contracting path" and gives no share: here half, in its two deepest stages."""

SMALL_WIDTHS = (16, 32, 64, 128, 256)
SMALL_DROPOUT = (0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1)
"""Between the two convolutions of each stage, on the way down and up."""


def build_unet(form: str, *, n_bands: int, n_classes: int) -> AnySize:
    """U-Net.

    `paper`: Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, figure 1: widths 64 to 1024, convolutions without
    padding, images continued by mirroring. `benchmark`: widths 16 to 256, padded convolutions, dropout inside each
    stage. Neither has batch normalization.
    """
    if form == "paper":
        net = UNet(n_bands, n_classes, widths=PAPER_WIDTHS, dropout=PAPER_DROPOUT, padding=0)
        return AnySize(net, divisor=16, remainder=12, border=PAPER_BORDER)
    net = UNet(n_bands, n_classes, widths=SMALL_WIDTHS, dropout=SMALL_DROPOUT, padding=1)
    return AnySize(net, divisor=16)


class UNet(nn.Module):
    """Two convolutions a stage, maximum of 2 x 2 on the way down, learned doubling on the way up.

    Law: with `padding` 0 the skip is cut to the middle that the deeper stages still see.
    """

    def __init__(
        self, n_bands: int, n_classes: int, *, widths: tuple[int, ...], dropout: tuple[float, ...], padding: int
    ) -> None:
        super().__init__()
        pairs = list(zip((n_bands, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(_stage(a, b, drop, padding) for (a, b), drop in zip(pairs, dropout, strict=False))
        self.pool = nn.MaxPool2d(2)
        back = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(up_conv(deep, wide) for deep, wide in back)
        drops = dropout[len(widths) :]
        self.merge = nn.ModuleList(_stage(2 * b, b, drop, padding) for (_, b), drop in zip(back, drops, strict=True))
        self.head = nn.Conv2d(widths[0], n_classes, 1)
        start(self, "he")

    def forward(self, x: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h, w); without padding h and w shrink by 184."""
        skips: list[Tensor] = []
        for number, stage in enumerate(self.down):
            x = stage(self.pool(x) if number else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = up(x)
            x = merge(torch.cat([_middle(skip, x), x], dim=1))
        logits: Tensor = self.head(x)
        return logits


def _stage(n_in: int, n_out: int, dropout: float, padding: int) -> nn.Sequential:
    first, second = nn.Conv2d(n_in, n_out, 3, padding=padding), nn.Conv2d(n_out, n_out, 3, padding=padding)
    drop = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(first, nn.ReLU(inplace=True), *drop, second, nn.ReLU(inplace=True))


def _middle(skip: Tensor, like: Tensor) -> Tensor:
    """The middle of `skip` at the height and width of `like`."""
    height, width = like.shape[-2:]
    top, left = (skip.shape[-2] - height) // 2, (skip.shape[-1] - width) // 2
    return skip[..., top : top + height, left : left + width]
