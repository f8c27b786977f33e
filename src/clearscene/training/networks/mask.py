"""The networks of cloud masks and of quality: an encoder of pictures that also looks at near infrared, fine edges."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from clearscene.errors import TrainingError
from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.encoder import build_encoder
from clearscene.training.networks.spec import MASK_CLASS_NAMES, NetworkSpec
from clearscene.training.networks.two_head import STRIDES, ConvNorm, Merging, separable, start_rare, stride_key

__all__ = ["CloudMask", "SlimQuality"]

N_BANDS, SIDE_WIDTH = 4, 24
QUALITY_STRIDES = (4, 8, 16)


class FourBandNetwork(InspectionNetwork):
    """Red, green, blue, nir to `n_out` logits a pixel, from the features of an encoder at `strides`.

    The encoder sees red, green and blue, as its weights were made for; a small stem of its own sees all four bands
    and is added at stride 4. It starts at 0, so that the first answers are those of the pretrained weights, and the
    early stages of the encoder can stay frozen: no gradient has to pass through them to reach near infrared. At
    stride 2 the stem's own features finish what the decoder says: clouds and shadows of a few pixels. Stages of the
    encoder beyond the last stride are left out.

    Raises:
        TrainingError: The encoder is none of timm's EfficientNet family.
    """

    def __init__(self, spec: NetworkSpec, *, n_out: int, strides: tuple[int, ...] = STRIDES) -> None:
        super().__init__()
        self.encoder, channels = build_encoder(spec.encoder, spec.weights, strides=strides, frozen=spec.frozen)
        body = self._body
        if not all(hasattr(body, part) for part in ("conv_stem", "bn1", "blocks")):
            raise TrainingError(
                f"network.encoder {spec.encoder} cannot take a fourth band.", hint="Use tf_efficientnet_lite0."
            )
        self._joins = {entry["module"]: int(entry["reduction"]) for entry in body.feature_info}
        last = max(int(name.rpartition(".")[2]) for name, stride in self._joins.items() if stride in strides)
        body.blocks = body.blocks[: last + 1]
        self.side = SideStem(channels[strides[0]])
        self.decoder = Merging(channels, spec.decoder_width)
        self.refine = Refinement(spec.decoder_width, n_out, dropout=spec.dropout)

    @property
    def _body(self) -> Any:
        return self.encoder.body

    def decode(self, image: Tensor) -> Tensor:
        """(n, 4, h, w) to (n, class, h / 2, w / 2)."""
        body = self._body
        fine, joined = self.side(image)
        x = body.bn1(body.conv_stem(image[:, :3]))
        features: dict[str, Tensor] = {}
        for number, block in enumerate(body.blocks):
            x = block(x)
            stride = self._joins.get(f"blocks.{number}")
            if stride == self.decoder.strides[0]:
                x = x + joined
            if stride in self.decoder.strides:
                features[stride_key(stride)] = x
        logits: Tensor = self.refine(self.decoder(features), fine)
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(None, None, self.decode(image))


class CloudMask(FourBandNetwork):
    """Red, green, blue, nir to logits of clear, thick cloud, thin cloud, shadow. Raises: see `FourBandNetwork`."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, n_out=len(MASK_CLASS_NAMES))
        start_rare(self.refine.pixels)


class SlimQuality(FourBandNetwork):
    """Red, green, blue, nir of one image to one logit a pixel: how likely it shows the ground as it is.

    It can start from the weights of a `CloudMask`, which it is but for the last stages of the encoder and the last
    layer. Raises: see `FourBandNetwork`.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec, n_out=1, strides=QUALITY_STRIDES)


class SideStem(nn.Module):
    """Four bands to features at stride 2, and at stride 4 in the width of the encoder, 0 at the start."""

    def __init__(self, n_out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(N_BANDS, SIDE_WIDTH, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(SIDE_WIDTH),
            nn.ReLU(inplace=True),
        )
        last = nn.BatchNorm2d(n_out)
        nn.init.zeros_(last.weight)
        self.second = nn.Sequential(
            nn.Conv2d(SIDE_WIDTH, 2 * SIDE_WIDTH, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * SIDE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * SIDE_WIDTH, n_out, 1, bias=False),
            last,
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 4, h, w) to (n, 24, h / 2, w / 2) and (n, n_out, h / 4, w / 4)."""
        fine = self.first(image)
        return fine, self.second(fine)


class Refinement(nn.Module):
    """Features at stride 4 and 2 to logits at stride 2."""

    def __init__(self, width: int, n_out: int, *, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(width, SIDE_WIDTH, 1)
        self.near = ConvNorm(SIDE_WIDTH, SIDE_WIDTH, 1)
        self.mix = nn.Sequential(separable(SIDE_WIDTH, SIDE_WIDTH), separable(SIDE_WIDTH, SIDE_WIDTH))
        self.drop = nn.Dropout2d(dropout)
        self.pixels = nn.Conv2d(SIDE_WIDTH, n_out, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(n, width, h / 4, w / 4) and (n, 24, h / 2, w / 2) to (n, class, h / 2, w / 2)."""
        size = fine.shape[-2:]
        enlarged = functional.interpolate(self.narrow(coarse), size=size, mode="bilinear", align_corners=False)
        logits: Tensor = self.pixels(self.drop(self.mix(enlarged + self.near(fine))))
        return logits
