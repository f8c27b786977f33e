"""AdamW with the weights in their groups, and the mean of the weights that it passes through."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clearscene.training.config import OptimizerConfig
from clearscene.training.networks.contract import InspectionNetwork

__all__ = ["Ema", "build_optimizer", "lerp_floats"]


def build_optimizer(network: InspectionNetwork, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Groups by part (encoder or heads) and by decay: norms and biases do not decay.

    Each group holds `base_lr`, which the schedule multiplies.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((network.is_of_encoder(name), parameter.ndim > 1), []).append(parameter)
    options = []
    for (is_of_encoder, decays), parameters in groups.items():
        lr = config.lr * (config.encoder_lr_factor if is_of_encoder else 1.0)
        decay = config.weight_decay if decays else 0.0
        options.append({"params": parameters, "lr": lr, "base_lr": lr, "weight_decay": decay})
    if config.name == "adamw":
        return torch.optim.AdamW(options)
    return torch.optim.Adam(options, amsgrad=config.name == "adam-amsgrad")


class Ema:
    """The mean of the last weights, in which later ones count more.

    Laws: with decay 0 it is the network itself; weights that stay as they are, are their own mean. The decay starts
    low, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, copy: nn.Module, decay: float) -> None:
        copy.load_state_dict(network.state_dict())
        self.network, self.decay, self.n_updates = copy.requires_grad_(False), decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights as they are now; counters of batch normalization are copied."""
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates)) if self.decay else 0.0
        self.n_updates += 1
        own, other = self.network.state_dict(), network.state_dict()
        for key in own.keys() - lerp_floats(own, other, 1 - decay):
            own[key].copy_(other[key])


def lerp_floats(own: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float) -> set[str]:
    """Move what is no integer of one state towards another in place, all the way by share 1; gives its keys."""
    floats = [key for key, value in own.items() if value.is_floating_point()]
    torch._foreach_lerp_([own[key] for key in floats], [other[key] for key in floats], share)
    return set(floats)
