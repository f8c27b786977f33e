"""The shared encoder and slim decoder of the two-head network, for any bands and classes; nothing is screened."""

from torch import Tensor, nn

from clearscene.training.networks.conv_blocks import grown_conv
from clearscene.training.networks.encoder import build_encoder
from clearscene.training.networks.sizes import AnySize
from clearscene.training.networks.spec import NetworkSpec
from clearscene.training.networks.two_head import STRIDES, Merging, stride_key

__all__ = ["build_slim"]


def build_slim(*, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """The network that ships with clearscene, without its screening head, which a loss of pixels would not reach."""
    spec = NetworkSpec(weights="imagenet" if pretrained else "none")
    return AnySize(_Slim(spec, n_bands, n_classes), divisor=32, encoder="encoder")


class _Slim(nn.Module):
    def __init__(self, spec: NetworkSpec, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.encoder, channels = build_encoder(spec.encoder, spec.weights, strides=STRIDES)
        grown_conv(self.encoder, n_bands)
        self.decoder = Merging(channels, spec.decoder_width)
        self.pixels = nn.Conv2d(spec.decoder_width, n_classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / 4, w / 4); h and w are multiples of 32."""
        features = {stride_key(stride): feature for stride, feature in zip(STRIDES, self.encoder(image), strict=True)}
        logits: Tensor = self.pixels(self.decoder(features))
        return logits
