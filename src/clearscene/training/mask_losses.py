"""What a training for cloud masks makes small, where some cloud is known to be cloud and no more."""

import torch
from torch import Tensor
from torch.nn import functional

from clearscene.inspection.taxonomy import NODATA
from clearscene.masking.classes import CLEAR, SHADOW, THICK, THIN
from clearscene.synth.mask_truth import CLOUD
from clearscene.training.chips import Batch
from clearscene.training.config import LossConfig
from clearscene.training.networks.contract import Answers
from clearscene.training.networks.spec import MASK_CLASS_NAMES

__all__ = ["MaskLosses", "partly_known_loss", "region_dice"]


def partly_known_loss(logits: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of pixels; of `CLOUD` the chance is that of thick and thin together.

    `logits` (n, 4, row, col), `mask` (n, row, col) ids, 255 ignored, `weights` (4,) by class; `CLOUD` has the mean
    weight of its two. Laws: without `CLOUD` it is the weighted cross-entropy; without a pixel that counts it is 0.
    """
    logs = functional.log_softmax(logits, dim=1)
    either = torch.logsumexp(logs[:, [THICK, THIN]], dim=1, keepdim=True)
    logs = torch.cat([logs, either], dim=1)  # (n, 5, row, col): the last is `CLOUD`
    weights = torch.cat([weights, weights[[THICK, THIN]].mean()[None]])
    truth = mask.long()
    total = functional.nll_loss(logs, truth, weight=weights, ignore_index=NODATA, reduction="sum")
    return total / weights[truth[truth != NODATA]].sum().clamp(min=1)


def region_dice(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - the mean Dice coefficient of clear, cloud of any kind, and shadow, over all pixels of the batch together.

    As `losses.dice_loss`, of logits (n, class, row, col) and mask (n, row, col); a region that the batch does not hold
    does not count.
    """
    counted = (mask != NODATA).float()
    chances = logits.softmax(1)
    is_cloud = (mask == THICK) | (mask == THIN) | (mask == CLOUD)
    regions = (
        (chances[:, CLEAR], mask == CLEAR),
        (chances[:, THICK] + chances[:, THIN], is_cloud),
        (chances[:, SHADOW], mask == SHADOW),
    )
    losses = []
    for chance, truth in regions:
        true = truth.float()
        if true.sum() > 0:
            losses.append(1 - 2 * (chance * true).sum() / (chance * counted + true).sum())
    return torch.stack(losses).mean() if losses else logits.sum() * 0


class MaskLosses:
    """Cross-entropy and Dice of a config, as a weighted sum and by name; the interface of `Losses`."""

    def __init__(self, config: LossConfig, *, device: torch.device) -> None:
        self.config = config
        weights = [config.class_weights.get(name, 1.0) for name in MASK_CLASS_NAMES]
        self.weights = torch.tensor(weights, device=device)

    def __call__(self, answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and the parts before their weights."""
        assert answers.pixels is not None
        step = self.config.pixel_step
        logits, mask = answers.pixels.float(), batch.mask[:, ::step, ::step]
        if logits.shape[-2:] != mask.shape[-2:]:
            logits = functional.interpolate(logits, size=mask.shape[-2:], mode="bilinear", align_corners=False)
        parts = {}
        if self.config.cross_entropy:
            parts["cross_entropy"] = partly_known_loss(logits, mask, self.weights)
        if self.config.dice:
            parts["dice"] = region_dice(logits, mask)
        weighted = [getattr(self.config, name) * value for name, value in parts.items()]
        return torch.stack(weighted).sum(), parts
