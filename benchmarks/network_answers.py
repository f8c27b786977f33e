"""What the networks that are compared say of test chips, and how that is scored."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clearscene.inspection.taxonomy import NODATA, TYPES, Group
from clearscene.synth.chip_set import ChipRecord, ChipSet
from table_text import ratio

NAMES = ("background", *(t.name for t in TYPES if t.group is Group.REGION))
TYPE_NAMES = tuple(t.name for t in TYPES)
BATCH = 8


@dataclass(frozen=True)
class Asked:
    """Chips that every network answers for."""

    chips: ChipSet
    records: list[ChipRecord]

    @property
    def labels(self) -> np.ndarray:
        """(chip, type)."""
        return np.array([[name in r.labels for name in TYPE_NAMES] for r in self.records], np.float64)


@dataclass(frozen=True, eq=False)
class Answered:
    """What one network says of them."""

    confusion: np.ndarray | None
    """(chip, truth class, answered class): background and region types; None if it does not segment."""
    logits: np.ndarray | None
    """(chip, type); None if it does not screen."""


def ask(run: Path, asked: Asked) -> Answered:
    """The answers of the best checkpoint of a training to some chips, read whole, in batches."""
    import torch
    from torch.nn import functional

    from clearscene.training.checkpoint import load_checkpoint
    from clearscene.training.chips import Chip, ValChips, collate
    from clearscene.training.networks.spec import CLASSES

    network, config = load_checkpoint(run)
    data = ValChips([Chip(asked.chips, record) for record in asked.records])
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (config.network.mean, config.network.std))
    matrices, logits = [], []
    ids = np.array(CLASSES)
    for start in range(0, len(data), BATCH):
        batch = collate([data[i] for i in range(start, min(start + BATCH, len(data)))])
        with torch.inference_mode():
            answers = network((batch.image.float() / 255 - mean) / std)
        if answers.tile is not None:
            logits.append(answers.tile.numpy())
        if answers.pixels is not None:
            size = batch.mask.shape[-2:]
            whole = functional.interpolate(answers.pixels, size=size, mode="bilinear", align_corners=False)
            best = ids[whole.argmax(1).numpy()]
            matrices += [confusion(t, b) for t, b in zip(batch.mask.numpy(), best, strict=True)]
    return Answered(np.array(matrices) if matrices else None, np.concatenate(logits) if logits else None)


def confusion(truth: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Pixels by true (row) and answered (col) class of two arrays of ids: background and the region types.

    Boundary types count as background; pixels of stripe and missing, and 255, are left out.
    """
    known = ~np.isin(truth, [NODATA, 9, 10])
    n = len(NAMES)
    pairs = [np.where(ids[known] < n, ids[known], 0).astype(np.intp) for ids in (truth, best)]
    return np.bincount(pairs[0] * n + pairs[1], minlength=n * n).reshape(n, n).astype(np.float64)


def ious(matrices: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """IoU (draw, class); NaN for a class that is not there."""
    pooled = np.einsum("dc,cij->dij", draws.astype(np.float64), matrices)
    hit, true, found = np.diagonal(pooled, axis1=1, axis2=2), pooled.sum(axis=2), pooled.sum(axis=1)
    return np.where(true > 0, ratio(hit, true + found - hit), np.nan)


def f1s(logits: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """F1 (draw, type), called from a probability of 0.5 on; NaN for a type that no chip shows."""
    called, shows = (logits >= 0).astype(np.float64), (labels > 0).astype(np.float64)
    hit, total = draws @ (called * shows), draws @ called + draws @ shows
    return np.where(draws @ shows > 0, ratio(2 * hit, total), np.nan)


def mean_of(values: np.ndarray) -> np.ndarray:
    """Mean over the second axis of what is there, (draw,); NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


Measure = Callable[[Answered, Asked, np.ndarray], np.ndarray]
"""Numbers by draw (draw,), or by draw and class (draw, class); all NaN where the network has no such head."""


def all_ious(answered: Answered, asked: Asked, draws: np.ndarray) -> np.ndarray:  # noqa: ARG001 - see Measure
    if answered.confusion is None:
        return np.full((len(draws), len(NAMES)), np.nan)
    return ious(answered.confusion, draws)


def all_f1s(answered: Answered, asked: Asked, draws: np.ndarray) -> np.ndarray:
    if answered.logits is None:
        return np.full((len(draws), len(TYPE_NAMES)), np.nan)
    return f1s(answered.logits, asked.labels, draws)


def only_defects(answered: Answered, asked: Asked) -> tuple[Answered, Asked]:
    """The chips with defects alone, as the seed's table 5 has it."""
    chosen = [i for i, record in enumerate(asked.records) if record.labels]
    matrices = None if answered.confusion is None else answered.confusion[chosen]
    logits = None if answered.logits is None else answered.logits[chosen]
    return Answered(matrices, logits), Asked(asked.chips, [asked.records[i] for i in chosen])
