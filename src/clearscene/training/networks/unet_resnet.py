"""U-Net on ResNet-50 of segmentation-models-pytorch, as used for sky photos."""

from typing import Any

from clearscene.training.networks.conv_blocks import grown_conv
from clearscene.training.networks.hub import from_hub
from clearscene.training.networks.sizes import AnySize
from clearscene.training.torch_ready import library

__all__ = ["build_unet_resnet"]

ENCODER = "resnet50"


def build_unet_resnet(*, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """U-Net on ResNet-50; `pretrained` takes ImageNet weights where they can be reached.

    The sky work ended the network in a sigmoid and took the sigmoid again in the loss; here the answers are logits.
    """
    smp = library("segmentation_models_pytorch")

    def make(weights: str | None) -> Any:
        """The network with an encoder that smp fills, or none."""
        return smp.Unet(ENCODER, encoder_weights=weights, classes=n_classes)

    net = from_hub(ENCODER, lambda: make("imagenet"), lambda: make(None)) if pretrained else make(None)
    grown_conv(net, n_bands)
    return AnySize(net, divisor=32, encoder="encoder")
