"""Networks that give every pixel of a prepared set its class: our slim one, and those of the catalog."""

import torch
from torch import Tensor, nn

from clearscene.training.networks.contract import Answers, InspectionNetwork
from clearscene.training.networks.slim_unet import SlimUnet
from clearscene.training.networks.spec import SLIM, NetworkSpec

__all__ = ["Semantic", "as_two_logits"]


class Semantic(InspectionNetwork):
    """A network of any make behind one interface; two classes are one logit, whose sigmoid is the second class."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.net = _network(spec)

    def decode(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / s, w / s); s is 1, or 2 of the slim network."""
        logits: Tensor = self.net(image)
        return logits

    def forward(self, image: Tensor) -> Answers:
        """See `InspectionNetwork`."""
        return Answers(None, None, self.decode(image))

    def is_of_encoder(self, name: str) -> bool:
        """True for the part that may start from pretrained weights."""
        published = getattr(self.net, "is_of_encoder", None)  # networks of the catalog say it themselves
        return name.startswith("net.encoder.") if published is None else bool(published(name.removeprefix("net.")))


def as_two_logits(logits: Tensor) -> Tensor:
    """One logit (n, 1, h, w) as those of two classes. Law: the softmax of what is returned is the sigmoid."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def _network(spec: NetworkSpec) -> nn.Module:
    if spec.name == SLIM:
        return SlimUnet(spec)
    from clearscene.training.networks.catalog import build_semantic

    pretrained = spec.weights == "imagenet"
    return build_semantic(
        spec.name, form=spec.form, n_bands=len(spec.bands), n_classes=spec.n_logits, pretrained=pretrained
    )
