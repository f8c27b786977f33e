"""What a training makes small.

Equations (1) and (2) of Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET Image
Processing 2023, in their corrected readings: in (1) the sigmoid is of the network's output and the label is the
other one; in (2) the softmax runs over the classes, pixels of 255 are left out, and the mean is over the pixels
that count, without the further 1 / C that is printed.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from clearscene.inspection.taxonomy import NODATA, TYPES
from clearscene.training.chips import Batch, segmentation_truth
from clearscene.training.config import LossConfig
from clearscene.training.networks.contract import Answers
from clearscene.training.networks.spec import CLASS_NAMES, TYPE_NAMES

__all__ = ["Losses", "cell_truth", "dice_loss", "focal_loss", "lovasz_loss", "tile_loss"]


def tile_loss(logits: Tensor, labels: Tensor, positive_weights: Tensor | None = None) -> Tensor:
    """Multi-label binary cross-entropy, eq. (1): the mean over types and tiles. Labels below 0 do not count.

    `logits` and `labels` (n, type), `positive_weights` (type,). Law: without a label that counts it is 0.
    """
    known = (labels >= 0).float()
    each = functional.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0), pos_weight=positive_weights, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def cell_truth(mask: Tensor, rows: int, cols: int, *, full_share: float) -> tuple[Tensor, Tensor]:
    """How much each cell shows each type, and how much of the cell counts.

    `mask` uint8 (n, row, col); gives (n, type, rows, cols) and (n, 1, rows, cols), both 0 to 1. A cell shows a
    type in full from `full_share` of its pixels that count on, below that in proportion.
    """
    ids = torch.tensor([t.id for t in TYPES], device=mask.device, dtype=mask.dtype)
    shown = (mask[:, None] == ids[None, :, None, None]).float()  # (n, type, row, col)
    counts = (mask != NODATA).float()[:, None]
    share = functional.adaptive_avg_pool2d(shown, (rows, cols))
    weight = functional.adaptive_avg_pool2d(counts, (rows, cols))
    return (share / weight.clamp(min=1e-6) / full_share).clamp(max=1), weight


def cell_loss(logits: Tensor, mask: Tensor, *, full_share: float) -> Tensor:
    """Binary cross-entropy of the cells (n, type, row, col), the mean over all that counts."""
    truth, weight = cell_truth(mask, *logits.shape[-2:], full_share=full_share)
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * weight).sum() / (weight.sum() * logits.shape[1]).clamp(min=1)


def focal_loss(logits: Tensor, truth: Tensor, *, gamma: float, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy times `(1 - p) ** gamma` of the true class; the mean over the pixels that count.

    Logits (n, class, row, col), truth (n, row, col) with 255 ignored, weights (class,).

    Lin, Goyal, Girshick, He and Dollar, "Focal Loss for Dense Object Detection", ICCV 2017, eq. 5. Law: with
    gamma 0 it is cross-entropy.
    """
    each = functional.cross_entropy(logits, truth, weight=weights, ignore_index=NODATA, reduction="none")
    with torch.no_grad():
        chance = logits.softmax(1).gather(1, truth.where(truth != NODATA, 0)[:, None])[:, 0]
    return (each * (1 - chance) ** gamma).sum() / _weight_of(truth, weights).clamp(min=1)


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - the mean Dice coefficient of the classes that the batch holds, over all its pixels together.

    Logits (n, class, row, col), truth (n, row, col) with 255 ignored.

    Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, with the plain sum below the bar.
    """
    counted = (truth != NODATA)[:, None].float()
    chances = logits.softmax(1) * counted
    true = _one_hot(truth, logits.shape[1])
    both, total = (chances * true).sum((0, 2, 3)), (chances + true).sum((0, 2, 3))
    present = (true.sum((0, 2, 3)) > 0).float()
    return ((1 - 2 * both / total.clamp(min=1e-6)) * present).sum() / present.sum().clamp(min=1)


def lovasz_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """The Lovasz extension of 1 - IoU, the mean over the classes that the batch holds.

    Logits (n, class, row, col), truth (n, row, col) with 255 ignored.

    Berman, Rannen Triki and Blaschko, "The Lovasz-Softmax loss", CVPR 2018, eq. 8 and algorithm 1.
    """
    counts = (truth != NODATA).flatten()
    chances = logits.softmax(1).movedim(1, -1).flatten(0, -2)[counts]  # (pixel, class)
    classes = truth.flatten()[counts]
    losses = []
    for index in torch.unique(classes).tolist():
        is_class = (classes == index).float()
        errors, order = (is_class - chances[:, index]).abs().sort(descending=True)
        losses.append(errors @ _lovasz_gradient(is_class[order]))
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def _lovasz_gradient(is_class: Tensor) -> Tensor:
    """How 1 - IoU grows with each further wrong pixel, in the order of the errors."""
    total = is_class.sum()
    jaccard = 1 - (total - is_class.cumsum(0)) / (total + (1 - is_class).cumsum(0))
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


class Losses:
    """All losses of a config, as a weighted sum and by name."""

    def __init__(self, config: LossConfig, *, leave_out_negatives: bool, device: torch.device) -> None:
        self.config, self.leave_out_negatives = config, leave_out_negatives
        self.positive = _vector(config.positive_weights, TYPE_NAMES, device)
        self.classes = _vector(config.class_weights, CLASS_NAMES, device)

    def __call__(self, answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and the parts before their weights."""
        config, parts = self.config, {}
        if answers.tile is not None and config.tile:
            parts["tile"] = tile_loss(answers.tile.float(), batch.labels, self.positive)
        if answers.cells is not None and config.cells:
            parts["cells"] = cell_loss(answers.cells.float(), batch.mask, full_share=config.cell_full_share)
        if answers.pixels is not None:
            parts |= self._pixels(answers.pixels.float(), batch)
        weighted = [getattr(config, name) * value for name, value in parts.items()]
        return torch.stack(weighted).sum(), parts

    def _pixels(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        config, step = self.config, self.config.pixel_step
        truth = segmentation_truth(batch.mask[:, ::step, ::step])  # (n, row, col)
        if self.leave_out_negatives:
            truth = truth.where(~batch.is_clean[:, None, None], NODATA)
        if logits.shape[-2:] != truth.shape[-2:]:
            logits = functional.interpolate(logits, size=truth.shape[-2:], mode="bilinear", align_corners=False)
        parts = {}
        if config.cross_entropy:
            parts["cross_entropy"] = pixel_loss(logits, truth, self.classes)
        if config.dice:
            parts["dice"] = dice_loss(logits, truth)
        if config.lovasz:
            parts["lovasz"] = lovasz_loss(logits, truth)
        if config.focal:
            parts["focal"] = focal_loss(logits, truth, gamma=config.focal_gamma, weights=self.classes)
        return parts


def pixel_loss(logits: Tensor, truth: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of the pixels, eq. (2): the weighted mean over those that are not 255.

    `logits` (n, class, row, col), `truth` int64 (n, row, col). Law: without a pixel that counts it is 0.
    """
    total = functional.cross_entropy(logits, truth, weight=weights, ignore_index=NODATA, reduction="sum")
    return total / _weight_of(truth, weights).clamp(min=1)


def _weight_of(truth: Tensor, weights: Tensor | None) -> Tensor:
    """Sum of the weights of the pixels that count."""
    counted = truth != NODATA
    return counted.sum() if weights is None else weights[truth[counted]].sum()


def _one_hot(truth: Tensor, n_classes: int) -> Tensor:
    """(n, class, row, col); all 0 where ignored."""
    return (truth[:, None] == torch.arange(n_classes, device=truth.device)[None, :, None, None]).float()


def _vector(weights: Mapping[str, float], names: Sequence[str], device: torch.device) -> Tensor | None:
    if not weights:
        return None
    return torch.tensor([weights.get(name, 1.0) for name in names], device=device)
