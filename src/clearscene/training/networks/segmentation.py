"""Networks that only segment: SegFormer and MobileNetV2 of transformers, the U-Net family of smp."""

import importlib.util
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.encoder import LITE0, LITE0_PACKAGE, lite0_weights, load_weights, read_weights
from clearscene.training.networks.hub import from_hub
from clearscene.training.networks.spec import CLASSES, UNETS, NetworkSpec
from clearscene.training.torch_ready import library

__all__ = ["Segmenter", "build_segmenter"]

WIDE = (64, 128, 320, 512)
SEGFORMERS = {
    "segformer-b0": ((2, 2, 2, 2), (32, 64, 160, 256), 256),
    "segformer-b1": ((2, 2, 2, 2), WIDE, 256),
    "segformer-b2": ((3, 4, 6, 3), WIDE, 768),
    "segformer-b3": ((3, 4, 18, 3), WIDE, 768),
    "segformer-b4": ((3, 8, 27, 3), WIDE, 768),
    "segformer-b5": ((3, 6, 40, 3), WIDE, 768),
}
"""Blocks and channels of the four stages, channels of the decoder: Xie et al., "SegFormer", NeurIPS 2021, table 6."""


class Segmenter(InspectionNetwork):
    """A network that maps the image to logits of its pixels."""

    def __init__(self, net: nn.Module, encoder: str) -> None:
        super().__init__()
        self.net, self._encoder = net, encoder

    def decode(self, image: Tensor) -> Tensor:
        """(n, 3, h, w) to (n, class, h / s, w / s); s is 1, 4 or 16 by network. Sizes are multiples of 32."""
        answer = self.net(image)
        logits: Tensor = answer if isinstance(answer, Tensor) else answer.logits
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(None, None, self.decode(image))

    def is_of_encoder(self, name: str) -> bool:
        """True for the pretrained part."""
        return name.startswith(f"net.{self._encoder}.")


def build_segmenter(spec: NetworkSpec) -> Segmenter:
    """The network that `spec.name` names.

    `spec.weights` start the encoder: `none`, a file, or `imagenet` from the package or the hub that has them; where
    that cannot be reached, a warning, and random weights.
    """
    if spec.name in UNETS:
        return Segmenter(_unet(spec), "encoder")
    net, encoder, hub = _of_transformers(spec.name)
    if spec.weights == "imagenet":
        net = from_hub(hub, lambda: type(net).from_pretrained(hub, config=net.config), lambda: net)
    elif spec.weights != "none":
        weights = {key.removeprefix(f"{encoder}."): value for key, value in read_weights(Path(spec.weights)).items()}
        load_weights(getattr(net, encoder), weights, place=spec.weights)
    if spec.name == "mobilenetv2":
        net.mobilenet_v2.conv_1x1 = nn.Identity()  # of the classifier; nothing reads it here
    return Segmenter(net, encoder)


def _of_transformers(name: str) -> tuple[Any, str, str]:
    """A network with random weights, the name of its encoder, and where published weights of that are."""
    transformers = library("transformers")
    n_classes = len(CLASSES)
    if name == "mobilenetv2":
        config = transformers.MobileNetV2Config(num_labels=n_classes, output_stride=16)
        net = transformers.MobileNetV2ForSemanticSegmentation(config)
        return net, "mobilenet_v2", "google/mobilenet_v2_1.0_224"
    depths, channels, width = SEGFORMERS[name]
    config = transformers.SegformerConfig(
        depths=list(depths), hidden_sizes=list(channels), decoder_hidden_size=width, num_labels=n_classes
    )
    return transformers.SegformerForSemanticSegmentation(config), "segformer", f"nvidia/mit-{name[-2:]}"


def _unet(spec: NetworkSpec) -> Any:
    """A decoder of smp on an encoder of timm."""
    smp = library("segmentation_models_pytorch")

    def make(weights: str | None) -> Any:
        """The network with an encoder that smp fills, or none."""
        return smp.create_model(
            UNETS[spec.name], encoder_name=f"tu-{spec.encoder}", encoder_weights=weights, classes=len(CLASSES)
        )

    is_packed = spec.encoder == LITE0 and importlib.util.find_spec(LITE0_PACKAGE) is not None
    if spec.weights == "imagenet" and not is_packed:
        return from_hub(spec.encoder, lambda: make("imagenet"), lambda: make(None))
    net = make(None)
    if spec.weights == "imagenet":
        load_weights(net.encoder.model, lite0_weights(), place=LITE0_PACKAGE)
    elif spec.weights != "none":
        load_weights(net.encoder.model, read_weights(Path(spec.weights)), place=spec.weights)
    return net
