"""What a training of the quality network makes small, and what is measured of it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clearscene.inspection.taxonomy import NODATA
from clearscene.masking.classes import CLEAR, IDS, SHADOW, THICK, THIN
from clearscene.synth.mask_truth import CLOUD
from clearscene.training.chips import Batch
from clearscene.training.config import LossConfig
from clearscene.training.metrics import PixelCounts
from clearscene.training.networks.contract import Answers
from clearscene.training.networks.spec import MASK_CLASS_NAMES, SPOILED_NAMES
from clearscene.training.quality_chips import FAINT, LOST

__all__ = ["GOODNESS", "QualityCounts", "QualityLosses", "goodness"]

GOODNESS = {CLEAR: 0.97, THIN: 0.15, SHADOW: 0.1, FAINT: 0.25, CLOUD: 0.03, THICK: 0.01, LOST: 0.01}
"""What the sigmoid of quality should be, by what a pixel shows. The odds are the weights of `--method learned`: a
clear pixel counts 3,000 times as much as one under thick cloud, and 180 times as much as one under thin cloud."""
_IDS = {
    **dict(zip(MASK_CLASS_NAMES, IDS, strict=True)),
    "cloud": CLOUD,
    **dict(zip(SPOILED_NAMES, (FAINT, LOST), strict=True)),
}
"""Ids in the truth, by the names of `loss.class_weights`."""
_TABLE = torch.zeros(256)
for _id, _value in GOODNESS.items():
    _TABLE[_id] = _value


def goodness(mask: Tensor) -> Tensor:
    """What quality should be (float32, shape of the mask of ids); 0 where ignored."""
    return _TABLE.to(mask.device)[mask.long()]


class QualityLosses:
    """Cross-entropy of good and bad, pixels that are ignored left out; the interface of `Losses`."""

    def __init__(self, config: LossConfig, *, device: torch.device) -> None:
        self.config = config
        self.weights = torch.zeros(256, device=device)
        for name, number in _IDS.items():
            self.weights[number] = config.class_weights.get(name, 1.0)

    def __call__(self, answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and the parts before their weights.

        A pixel counts by the weight of what it shows. Laws: without a pixel that counts it is 0; weights that are all
        the same change nothing.
        """
        assert answers.pixels is not None
        logits, mask = answers.pixels[:, 0].float(), batch.mask
        if logits.shape[-2:] != mask.shape[-2:]:
            size = mask.shape[-2:]
            logits = functional.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        counted = self.weights[mask.long()]
        each = functional.binary_cross_entropy_with_logits(logits, goodness(mask), reduction="none")
        loss = (each * counted).sum() / counted.sum().clamp(min=1e-6)
        return self.config.cross_entropy * loss, {"cross_entropy": loss}


class QualityCounts(PixelCounts):
    """Pixels by truth (good, bad) and answer; the interface of `PixelCounts` for ids and logits of one channel."""

    def __init__(self) -> None:
        super().__init__(("good", "bad"))

    def add_logits(self, mask: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
        """Count ids (n, row, col) and quality logits (n, row, col)."""
        truth = np.where(mask == NODATA, NODATA, mask != CLEAR)
        self.add(truth, (logits < 0).astype(np.int64))
