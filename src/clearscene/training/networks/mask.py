"""The network of cloud masks: an encoder of pictures that also looks at near infrared, and the slim decoder."""

from typing import Any

from torch import Tensor, nn

from clearscene.errors import TrainingError
from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.encoder import build_encoder
from clearscene.training.networks.spec import MASK_CLASS_NAMES, NetworkSpec
from clearscene.training.networks.two_head import STRIDES, SlimDecoder, stride_key

__all__ = ["CloudMask"]

N_BANDS, SIDE_WIDTH = 4, 16


class CloudMask(InspectionNetwork):
    """Red, green, blue, nir to logits of clear, thick cloud, thin cloud, shadow.

    The encoder sees red, green and blue, as its weights were made for; a small stem of its own sees all four bands
    and is added at stride 4. It starts at 0, so that the first answers are those of the pretrained weights, and the
    early stages of the encoder can stay frozen: no gradient has to pass through them to reach near infrared.

    Raises:
        TrainingError: The encoder is none of timm's EfficientNet family.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.encoder, channels = build_encoder(spec.encoder, spec.weights, strides=STRIDES, frozen=spec.frozen)
        body = self._body
        if not all(hasattr(body, part) for part in ("conv_stem", "bn1", "blocks")):
            raise TrainingError(
                f"network.encoder {spec.encoder} cannot take a fourth band.", hint="Use tf_efficientnet_lite0."
            )
        self._joins = {entry["module"]: int(entry["reduction"]) for entry in body.feature_info}
        self.side = _side_stem(channels[STRIDES[0]])
        self.decoder = SlimDecoder(channels, spec, n_classes=len(MASK_CLASS_NAMES))

    @property
    def _body(self) -> Any:
        return self.encoder.body

    def decode(self, image: Tensor) -> Tensor:
        """(n, 4, h, w) to (n, class, h / 4, w / 4)."""
        body = self._body
        x = body.bn1(body.conv_stem(image[:, :3]))
        features: dict[str, Tensor] = {}
        for number, block in enumerate(body.blocks):
            x = block(x)
            stride = self._joins.get(f"blocks.{number}")
            if stride == STRIDES[0]:
                x = x + self.side(image)
            if stride in STRIDES:
                features[stride_key(stride)] = x
        logits: Tensor = self.decoder(features)
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(None, None, self.decode(image))


def _side_stem(n_out: int) -> nn.Sequential:
    """Four bands to features at stride 4, 0 at the start."""
    first = nn.Conv2d(N_BANDS, SIDE_WIDTH, 3, stride=2, padding=1, bias=False)
    second = nn.Conv2d(SIDE_WIDTH, 2 * SIDE_WIDTH, 3, stride=2, padding=1, bias=False)
    last = nn.BatchNorm2d(n_out)
    nn.init.zeros_(last.weight)
    return nn.Sequential(
        *(first, nn.BatchNorm2d(SIDE_WIDTH), nn.ReLU(inplace=True)),
        *(second, nn.BatchNorm2d(2 * SIDE_WIDTH), nn.ReLU(inplace=True)),
        *(nn.Conv2d(2 * SIDE_WIDTH, n_out, 1, bias=False), last),
    )
