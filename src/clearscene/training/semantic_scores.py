"""What a semantic training makes small, and what it measures."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clearscene.training.chips import Batch
from clearscene.training.config import TrainConfig
from clearscene.training.metrics import PixelCounts
from clearscene.training.networks.contract import Answers
from clearscene.training.networks.semantic import as_two_logits
from clearscene.training.networks.spec import SLIM

__all__ = ["SemanticCounts", "SemanticLosses", "loss_name"]

DEFAULT = "bce-dice"


def loss_name(config: TrainConfig) -> str:
    """The loss that the config names, else the one that the network was published with."""
    spec = config.network
    if config.loss.name:
        return config.loss.name
    if spec.name == SLIM:
        return DEFAULT if spec.n_logits == 1 else "cross-entropy"
    from clearscene.training.networks.catalog import card

    published = card(spec.name, spec.form).loss
    return published if spec.n_logits == 1 else "cross-entropy"


class SemanticLosses:
    """The loss of a config; the interface of `Losses`."""

    def __init__(self, config: TrainConfig) -> None:
        from clearscene.training.semantic_losses import semantic_loss

        self.name = loss_name(config)
        self.classes = config.network.classes
        self._loss: Callable[[Tensor, Tensor], Tensor] = semantic_loss(self.name)

    def __call__(self, answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, twice: as the sum, and by its name."""
        assert answers.pixels is not None
        logits = answers.pixels.float()
        if logits.shape[-2:] != batch.mask.shape[-2:]:
            logits = functional.interpolate(logits, size=batch.mask.shape[-2:], mode="bilinear", align_corners=False)
        total = self._loss(logits, batch.mask.long())
        return total, {self.name: total}


class SemanticCounts(PixelCounts):
    """Pixels by truth and answer; with two classes the second is told from a probability of a half on."""

    def summary(self) -> dict[str, float]:
        """Those of `PixelCounts`, and `dice_<class>`, NaN for a class that the truth does not hold."""
        both = np.diag(self.counts).astype(np.float64)
        total = self.counts.sum(0) + self.counts.sum(1)
        dice = np.where(self.counts.sum(1) > 0, 2 * both / np.maximum(total, 1), np.nan)
        named = {f"dice_{name}": float(value) for name, value in zip(self.names, dice, strict=True)}
        return super().summary() | named

    def add_logits(self, truth: NDArray[np.integer], logits: Tensor) -> None:
        """Count (n, row, col) against logits (n, 1 or class, row, col)."""
        self.add(truth, torch.argmax(as_two_logits(logits), dim=1).cpu().numpy())
