"""DeepLabV3 of torchvision, as used for sky photos."""

from typing import Any

from torch import Tensor, nn

from clearscene.training.networks.conv_blocks import PooledNorm, grown_conv
from clearscene.training.networks.hub import from_hub
from clearscene.training.networks.sizes import AnySize
from clearscene.training.torch_ready import library

__all__ = ["build_deeplab_v3"]

COCO = "COCO_WITH_VOC_LABELS_V1"
DEEP = 2048
"""Channels of ResNet-50's last stage."""


def build_deeplab_v3(*, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """DeepLabV3 (Chen, Papandreou, Schroff, Adam, 2017) with ResNet-50 at stride 8, head and all by torchvision.

    `pretrained` takes torchvision's weights of COCO where they can be reached, with a new head.
    """
    net = _with_weights() if pretrained else _network()
    deeplab = library("torchvision.models.segmentation.deeplabv3")
    net.classifier = deeplab.DeepLabHead(DEEP, n_classes)
    net.classifier[0].convs[-1][2] = PooledNorm(net.classifier[0].convs[-1][2].num_features)
    net.aux_classifier = None
    grown_conv(net, n_bands)
    return AnySize(_Pixels(net), divisor=8, encoder="net.backbone")


def _network() -> Any:
    models = library("torchvision.models.segmentation")
    return models.deeplabv3_resnet50(weights=None, weights_backbone=None)


def _with_weights() -> Any:
    models = library("torchvision.models.segmentation")
    weights = models.DeepLabV3_ResNet50_Weights[COCO]
    return from_hub("deeplabv3_resnet50", lambda: models.deeplabv3_resnet50(weights=weights), _network)


class _Pixels(nn.Module):
    """Of the answers by name, the one for pixels."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h, w)."""
        logits: Tensor = self.net(image)["out"]
        return logits
