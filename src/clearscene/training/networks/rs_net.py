"""RS-Net: a U-Net for clouds with batch normalization on the way down and plain enlargement on the way up."""

import torch
from torch import Tensor, nn

from clearscene.training.networks.conv_blocks import KERAS_EPS, start
from clearscene.training.networks.sizes import AnySize

__all__ = ["CROP", "RSNet", "build_rs_net"]

WIDTHS = (32, 64, 128, 256, 512)
MOMENTUM = 0.3
"""Share of the new batch in the running statistics; Keras calls it 0.7."""
CROP = 20
"""Pixels that the paper cuts off on each side: half the overlap of its patches."""
PAPER_DROPOUT, BENCHMARK_DROPOUT = 0.2, 0.5


def build_rs_net(form: str, *, n_bands: int, n_classes: int) -> AnySize:
    """RS-Net (Jeppesen, Jacobsen, Inceoglu, Toftegaard, Remote Sensing of Environment 229, 2019).

    `paper`: ELU, and the outermost 20 pixels are cut off; images are continued by as many, so that the answer has
    their size. `benchmark`: ReLU, nothing cut off, half of the last features dropped.
    """
    if form == "paper":
        net = RSNet(n_bands, n_classes, is_elu=True, dropout=PAPER_DROPOUT, crop=CROP)
        return AnySize(net, divisor=16, border=CROP)
    return AnySize(RSNet(n_bands, n_classes, dropout=BENCHMARK_DROPOUT), divisor=16)


class RSNet(nn.Module):
    """Batch normalization comes after the activation, and only on the way down; dropout once, before the head."""

    def __init__(self, n_bands: int, n_classes: int, *, dropout: float, is_elu: bool = False, crop: int = 0) -> None:
        super().__init__()
        pairs = list(zip((n_bands, *WIDTHS[:-1]), WIDTHS, strict=True))
        self.down = nn.ModuleList(_stage(a, b, is_elu, normalizes=True) for a, b in pairs)
        self.pool, self.enlarge = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        back = zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True)
        self.up = nn.ModuleList(_stage(deep + wide, wide, is_elu, normalizes=False) for deep, wide in back)
        self.drop, self.crop = nn.Dropout(dropout), crop
        self.head = nn.Conv2d(WIDTHS[0], n_classes, 1)
        start(self, "glorot")

    def forward(self, x: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h - 2 crop, w - 2 crop); h and w are multiples of 16."""
        skips: list[Tensor] = []
        for number, stage in enumerate(self.down):
            x = stage(self.pool(x) if number else x)
            skips.append(x)
        for stage, skip in zip(self.up, skips[-2::-1], strict=True):
            x = stage(torch.cat([self.enlarge(x), skip], dim=1))
        height, width = x.shape[-2:]
        logits: Tensor = self.head(self.drop(x)[..., self.crop : height - self.crop, self.crop : width - self.crop])
        return logits


def _stage(n_in: int, n_out: int, is_elu: bool, *, normalizes: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_from in (n_in, n_out):
        layers += [nn.Conv2d(n_from, n_out, 3, padding=1), nn.ELU() if is_elu else nn.ReLU(inplace=True)]
        layers += [nn.BatchNorm2d(n_out, eps=KERAS_EPS, momentum=MOMENTUM)] if normalizes else []
    return nn.Sequential(*layers)
