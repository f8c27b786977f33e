"""Size and cost of a network, counted on the network itself."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from clearscene.training.networks.catalog import build_semantic, card

__all__ = ["MEASURED_SIDE", "gflop_per_mpx", "measured", "n_parameters"]

MEASURED_SIDE = 512
"""Height and width of the image at which operations are counted, in pixels."""


def n_parameters(network: nn.Module) -> int:
    """Learned numbers and running statistics, as Keras counts them; counters of batches are left out."""
    learned = sum(parameter.numel() for parameter in network.parameters())
    return learned + sum(buffer.numel() for buffer in network.buffers() if buffer.is_floating_point())


def gflop_per_mpx(network: nn.Module, n_bands: int, *, side: int = MEASURED_SIDE) -> float:
    """Billions of multiplications and additions of convolutions and matrix products for each million pixels.

    One multiplication with its addition counts as two. A network on the device `meta` is counted without computing.
    """
    device = next(network.parameters()).device
    modes = [(part, part.training) for part in network.modules()]
    counter = FlopCounterMode(display=False)
    try:
        network.eval()
        with torch.no_grad(), counter:
            network(torch.zeros(1, n_bands, side, side, device=device))
    finally:
        for part, mode in modes:
            part.training = mode
    return counter.get_total_flops() / 1e9 / (side * side / 1e6)


def measured(name: str, *, form: str, n_bands: int) -> tuple[int, float]:
    """Parameters and GFLOP/Mpx of a network of the catalog with one class, built for that and thrown away.

    Networks are built without memory where their library allows it; YOLOv8 computes while it is built.

    Raises:
        TrainingError: There is no such network or form.
        MissingExtraError: A library that the network needs is not installed.
    """
    with torch.device("cpu" if card(name, form).extra == "yolo" else "meta"):
        network = build_semantic(name, form=form, n_bands=n_bands)
    return n_parameters(network), gflop_per_mpx(network, n_bands)
