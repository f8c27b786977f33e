"""Networks that only screen: a classifier of timm with one logit a type."""

from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.encoder import create
from clearscene.training.networks.spec import SWINS, TYPE_NAMES, NetworkSpec

__all__ = ["Screening"]


class Screening(InspectionNetwork):
    """ResNet-50, a Swin transformer, or any other classifier of timm.

    Networks that read one size only (Swin) get the image brought to it, bilinearly; the others read it as it is.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        name = SWINS.get(spec.name, spec.name.removeprefix("timm:"))
        self.net: nn.Module = create(name, spec.weights, n_outputs=len(TYPE_NAMES))
        about = self.net.pretrained_cfg
        self.size: int | None = int(about["input_size"][-1]) if about.get("fixed_input_size") else None
        heads = about["classifier"]
        self._heads = (heads,) if isinstance(heads, str) else tuple(heads)

    def encode(self, image: Tensor) -> tuple[Tensor, None, dict[str, Tensor]]:
        """(n, 3, h, w) to tile logits (n, type); there are no cells and no features."""
        if self.size is not None and image.shape[-2:] != (self.size, self.size):
            image = functional.interpolate(image, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return self.net(image), None, {}

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(self.encode(image)[0], None, None)

    def is_of_encoder(self, name: str) -> bool:
        """True for all but the last layer."""
        return not any(name.startswith(f"net.{head}.") for head in self._heads)
