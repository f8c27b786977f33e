"""Which weights of one network another one can start from."""

from torch import Tensor, nn

__all__ = ["MOST_NEW", "fitting_weights"]

MOST_NEW = 0.1
"""Share of a network's own weights that may be missing; with more it is another network."""


def fitting_weights(network: nn.Module, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Those of `weights` that the network has by the same name in the same shape, and the names of its own without one.

    Law: both together name each weight of the network once, the second in the network's order.
    """
    own = network.state_dict()
    fitting = {key: value for key, value in weights.items() if key in own and own[key].shape == value.shape}
    return fitting, [key for key in own if key not in fitting]
