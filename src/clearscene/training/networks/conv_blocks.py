"""Convolutions with what stands beside them, and how the published codes start their weights."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "KERAS_EPS",
    "PooledNorm",
    "SlowNorm",
    "SlowPooledNorm",
    "conv_norm",
    "grown_conv",
    "separable_conv",
    "start",
    "up_conv",
]

KERAS_EPS = 1e-3
"""Added to the variance by batch normalization in Keras, where its default is left alone."""
KERAS_MOMENTUM = 0.01
"""Share of a new batch in the running statistics, in Keras 1 minus its momentum, where its default is left alone."""


def conv_norm(n_in: int, n_out: int, size: int, *, dropout: float = 0.0) -> nn.Sequential:
    """Convolution with bias, dropout if any, batch normalization as in Keras, ReLU; height and width stay."""
    layers: list[nn.Module] = [nn.Conv2d(n_in, n_out, size, padding=size // 2)]
    layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, SlowNorm(n_out), nn.ReLU(inplace=True))


def separable_conv(n_in: int, n_out: int, size: int, *, bias: bool = True, dilation: int = 1) -> nn.Sequential:
    """Depthwise convolution without bias, then a pointwise one; height and width stay."""
    padding = dilation * (size // 2)
    depthwise = nn.Conv2d(n_in, n_in, size, padding=padding, dilation=dilation, groups=n_in, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(n_in, n_out, 1, bias=bias))


def up_conv(n_in: int, n_out: int) -> nn.ConvTranspose2d:
    """Learned doubling of height and width."""
    return nn.ConvTranspose2d(n_in, n_out, 2, stride=2)


class SlowNorm(nn.BatchNorm2d):
    """Batch normalization with the slow moving mean of Keras, which does not wait for the first batches.

    Law: after n batches the running statistics are their plain mean for n of up to 100, and from then on the moving
    mean with a share of 0.01. In Keras 37 % of the start, a mean of 0 and a variance of 1, are still in them after 100
    batches, and a network that learned for minutes answers nonsense with them.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features, eps=KERAS_EPS, momentum=KERAS_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        if self.training:
            assert self.num_batches_tracked is not None
            self.momentum = max(KERAS_MOMENTUM, 1 / (1 + int(self.num_batches_tracked)))
        return super().forward(x)


class PooledNorm(nn.BatchNorm2d):
    """Batch normalization behind a global pooling.

    Law: one image alone, which has no spread, is normalized by the running statistics, also in training; else it is
    batch normalization.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, 1, 1) to the same."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            mean, var = self.running_mean, self.running_var
            return functional.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


class SlowPooledNorm(SlowNorm, PooledNorm):
    """`PooledNorm` with the moving mean of `SlowNorm`."""


def start(network: nn.Module, kind: Literal["he", "glorot"]) -> None:
    """Start the weights of all convolutions as Keras does: normal by He, or uniform by Glorot; biases are 0.

    Keras cuts its normal numbers off at two standard deviations; here they are not.
    """
    fill: Callable[[Tensor], Tensor] = nn.init.xavier_uniform_ if kind == "glorot" else _he
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            fill(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _he(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def grown_conv(network: nn.Module, n_bands: int) -> None:
    """Let the first convolution of a network for red, green and blue read `n_bands`.

    Laws: three bands change nothing; each further band starts with the mean of the three kernels, and fewer bands all
    do; all are scaled by 3 / n_bands, so that an image of equal bands gives what it gave.
    """
    first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    if n_bands == first.in_channels:
        return
    old = first.weight.detach()
    mean = old.mean(dim=1, keepdim=True)
    more = n_bands - first.in_channels
    kernels = torch.cat([old, mean.expand(-1, more, -1, -1)], dim=1) if more > 0 else mean.expand(-1, n_bands, -1, -1)
    first.weight = nn.Parameter(kernels * (first.in_channels / n_bands))
    first.in_channels = n_bands
