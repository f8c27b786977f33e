"""What a training of the fusion pair makes small, and what is measured of it.

Source: seed 002, equation 3, where p and S have changed places: here each pixel counts `-alpha * log p` of its true
class. The published code gives `nn.CrossEntropyLoss` the output of a softmax, so that a second one follows and flattens
the gradients; mode `code` does so too.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clearscene.datasets.prepared import IGNORE
from clearscene.training.chips import Batch
from clearscene.training.config import TrainConfig
from clearscene.training.metrics import PixelCounts
from clearscene.training.networks.contract import Answers

__all__ = ["FusionCounts", "FusionLosses"]


class FusionLosses:
    """Cross-entropy of the fused image's classes, weighted by class; the interface of `Losses`."""

    def __init__(self, config: TrainConfig, *, device: torch.device) -> None:
        self.classes = config.network.classes
        self.flattens = config.fusion.mode == "code"
        weights = [config.fusion.class_weights.get(name, 1.0) for name in self.classes]
        self.weights = torch.tensor(weights, device=device)

    def __call__(self, answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, twice: as the sum, and by its name."""
        assert answers.pixels is not None
        logits = answers.pixels.float()
        given = logits.softmax(dim=1) if self.flattens else logits
        truth = batch.mask.long()
        total = functional.cross_entropy(given, truth, weight=self.weights, ignore_index=IGNORE, reduction="sum")
        loss = total / self.weights[truth[truth != IGNORE]].sum().clamp(min=1)
        return loss, {"cross_entropy": loss}


class FusionCounts(PixelCounts):
    """Pixels by truth and answer, and how far the fused images are from the clean ones.

    Law: counts of parts add up to those of the whole.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.apart, self.n_values = 0.0, 0

    def add_answers(self, answers: Answers, batch: Batch) -> None:
        """Count a batch."""
        assert answers.pixels is not None
        self.add(batch.mask.cpu().numpy(), answers.pixels.float().argmax(dim=1).cpu().numpy())
        if answers.fused is not None and batch.clean is not None:
            self.add_fused(answers.fused.float().cpu().numpy(), batch.clean.cpu().numpy())

    def add_fused(self, fused: NDArray[np.floating], clean: NDArray[np.floating]) -> None:
        """Count fused and clean images of one shape."""
        self.apart += float(np.abs(fused - clean).sum())
        self.n_values += fused.size

    def summary(self) -> dict[str, float]:
        """`pixel_accuracy`, `miou` over all classes, `fwiou` by frequency, `iou_<class>`, `l1` a channel."""
        iou, shown = self.iou(), self.counts.sum(1)
        known = shown > 0
        base = super().summary()
        return {
            **base,
            "miou": base["miou_with_background"],
            "fwiou": float((iou[known] * shown[known]).sum() / max(int(shown.sum()), 1)),
            "l1": self.apart / self.n_values if self.n_values else float("nan"),
        }
