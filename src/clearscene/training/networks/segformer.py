"""SegFormer of transformers, for any number of bands and classes."""

from typing import Any

from torch import Tensor, nn

from clearscene.training.networks.conv_blocks import grown_conv
from clearscene.training.networks.hub import from_hub
from clearscene.training.networks.segmentation import SEGFORMERS
from clearscene.training.networks.sizes import AnySize
from clearscene.training.torch_ready import library

__all__ = ["build_segformer"]


def build_segformer(name: str, *, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """SegFormer-B0 to -B5 (Xie et al., "SegFormer", NeurIPS 2021); logits at a quarter of the size, enlarged.

    `pretrained` takes the encoder's ImageNet weights where they can be reached.
    """
    transformers = library("transformers")
    depths, channels, width = SEGFORMERS[name]
    config = transformers.SegformerConfig(
        depths=list(depths), hidden_sizes=list(channels), decoder_hidden_size=width, num_labels=n_classes
    )
    net: Any = transformers.SegformerForSemanticSegmentation(config)
    if pretrained:
        hub = f"nvidia/mit-{name[-2:]}"
        net = from_hub(hub, lambda: type(net).from_pretrained(hub, config=config), lambda: net)
    grown_conv(net, n_bands)
    return AnySize(_Pixels(net), divisor=32, encoder="net.segformer")


class _Pixels(nn.Module):
    """The logits of its answer."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / 4, w / 4)."""
        logits: Tensor = self.net(image).logits
        return logits
