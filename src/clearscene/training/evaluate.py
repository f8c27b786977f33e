"""Measure a network on the validation chips, batch by batch."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from clearscene.errors import TrainingError
from clearscene.training.chips import Batch, segmentation_truth
from clearscene.training.config import TrainConfig
from clearscene.training.fusion_losses import FusionCounts, FusionLosses
from clearscene.training.losses import Losses
from clearscene.training.mask_losses import MaskLosses
from clearscene.training.mask_metrics import REGIONS, MaskCounts
from clearscene.training.metrics import PixelCounts, TileScores
from clearscene.training.networks.contract import Answers
from clearscene.training.networks.spec import CLASS_NAMES, MASK_CLASS_NAMES, TYPE_NAMES
from clearscene.training.quality_losses import QualityCounts, QualityLosses
from clearscene.training.semantic_scores import SemanticCounts, SemanticLosses

__all__ = ["check_monitor", "evaluate", "metric_names", "monitored"]

Prepare = Callable[[Batch], tuple[torch.Tensor, Batch]]
"""Brings a batch to the device: the normalized image, and the rest."""


@torch.no_grad()
def evaluate(
    network: nn.Module,
    batches: Iterable[Batch],
    prepare: Prepare,
    *,
    losses: Losses | MaskLosses | QualityLosses | SemanticLosses | FusionLosses,
    autocast: Callable[[], AbstractContextManager[object]],
) -> dict[str, float]:
    """All metrics of one set by name: `loss` and its parts, and those of `metrics`.

    Pixel logits are enlarged to the chip before the class is read off, as inference does it.
    """
    was_training = network.training
    network.eval()
    tiles = TileScores(TYPE_NAMES)
    pixels = _counts(losses)
    sums: dict[str, float] = {}
    n_chips = 0
    for given in batches:
        image, batch = prepare(given)
        with autocast():
            answers: Answers = network(image)
        total, parts = losses(answers, batch)
        n = len(batch.ids)
        for name, value in {"loss": total, **{f"loss_{k}": v for k, v in parts.items()}}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * n
        n_chips += n
        _count(answers, batch, pixels, tiles)
    network.train(was_training)
    result = {name: value / n_chips for name, value in sums.items()}
    result |= tiles.summary() if tiles.labels else {}
    return result | (pixels.summary() if pixels.counts.any() else {})


def _counts(losses: Losses | MaskLosses | QualityLosses | SemanticLosses | FusionLosses) -> PixelCounts | MaskCounts:
    if isinstance(losses, FusionLosses):
        return FusionCounts(losses.classes)
    if isinstance(losses, SemanticLosses):
        return SemanticCounts(losses.classes)
    if isinstance(losses, QualityLosses):
        return QualityCounts()
    return MaskCounts() if isinstance(losses, MaskLosses) else PixelCounts(CLASS_NAMES)


def _count(answers: Answers, batch: Batch, pixels: PixelCounts | MaskCounts, tiles: TileScores) -> None:
    if answers.tile is not None:
        tiles.add(batch.labels.cpu().numpy(), answers.tile.float().cpu().numpy())
    if isinstance(pixels, FusionCounts):
        pixels.add_answers(answers, batch)
    elif answers.pixels is not None:
        size = batch.mask.shape[-2:]
        logits = functional.interpolate(answers.pixels.float(), size=size, mode="bilinear", align_corners=False)
        if isinstance(pixels, SemanticCounts):
            pixels.add_logits(batch.mask.cpu().numpy(), logits)
            return
        if isinstance(pixels, QualityCounts):
            pixels.add_logits(batch.mask.cpu().numpy(), logits[:, 0].cpu().numpy())
            return
        truth = batch.mask if isinstance(pixels, MaskCounts) else segmentation_truth(batch.mask)
        pixels.add(truth.cpu().numpy(), logits.argmax(1).cpu().numpy())


def metric_names(config: TrainConfig) -> list[str]:
    """What `run.monitor` may be: the metrics of this kind of network."""
    spec = config.network
    names = ["both"] if spec.kind == "two-head" else []
    if spec.screens:
        names += ["accuracy", "macro_f1", "mean_average_precision"]
        names += [f"{metric}_{name}" for metric in ("f1", "ap") for name in TYPE_NAMES]
    if spec.kind == "mask":
        names += ["miou", "miou_with_background", "pixel_accuracy"]
        names += [f"iou_{name}" for name in (*REGIONS, *MASK_CLASS_NAMES[1:3])]
    elif spec.kind == "semantic":
        names += ["miou", "miou_with_background", "pixel_accuracy"]
        names += [f"{metric}_{name}" for metric in ("iou", "dice") for name in spec.classes]
    elif spec.kind == "fusion":
        names += ["miou", "fwiou", "pixel_accuracy", *(f"iou_{name}" for name in spec.classes)]
    elif spec.kind == "quality":
        names += ["miou", "miou_with_background", "pixel_accuracy", "iou_good", "iou_bad"]
    elif spec.segments:
        names += ["miou", "miou_with_background", "pixel_accuracy", *(f"iou_{name}" for name in CLASS_NAMES)]
    return [*names, "loss"]


def check_monitor(config: TrainConfig) -> str:
    """The metric that decides which checkpoint is the best: `both` is the mean of `miou` and `macro_f1`.

    Raises:
        TrainingError: The config names one that this kind of network does not have.
    """
    chosen = config.run.monitor
    if not chosen:
        return {"two-head": "both", "screening": "macro_f1"}.get(config.network.kind, "miou")
    names = metric_names(config)
    if chosen not in names:
        raise TrainingError(f"run.monitor: there is no metric {chosen!r}.", hint=f"There are {', '.join(names)}.")
    return chosen


def monitored(by_set: Mapping[str, Mapping[str, float]], monitor: str) -> float:
    """The one number by which checkpoints are compared, larger is better: the mean over the sets.

    The loss counts with a minus. A set that cannot show the metric (no chip with a defect) does not count.
    """
    values = [_one(metrics, monitor) for metrics in by_set.values()]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _one(metrics: Mapping[str, float], monitor: str) -> float:
    if monitor == "both":
        both = [value for key in ("miou", "macro_f1") if not np.isnan(value := _one(metrics, key))]
        return float(np.mean(both)) if both else float("nan")
    value = metrics.get(monitor, float("nan"))
    return -value if monitor == "loss" else value
