"""What is seen in a training, and in which order."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from clearscene.errors import DatasetError, TrainingError
from clearscene.synth.chip_set import ChipSet, Split
from clearscene.training.chips import Batch, Chip, Failure, Place, TrainChips, ValChips, collate
from clearscene.training.config import DataConfig, RunConfig, TrainConfig
from clearscene.training.fusion_chips import FusionTrainChips, FusionValChips, collate_places
from clearscene.training.mask_chips import MaskTrainChips, MaskValChips, collate_masks
from clearscene.training.networks.spec import NetworkSpec
from clearscene.training.quality_chips import QualityTrainChips, QualityValChips
from clearscene.training.semantic_chips import (
    SemanticChip,
    SemanticTrainChips,
    SemanticValChips,
    collate_semantic,
)
from clearscene.training.training_set import SemanticSet, TrainingSet

__all__ = ["Course", "batches_of", "open_sets", "train_loader", "val_loader"]

Loader = DataLoader[Any]
"""Of batches, or of the first failure."""
AnyChip = Chip | SemanticChip


def open_sets(config: DataConfig, spec: NetworkSpec) -> Sequence[TrainingSet]:
    """The sets of chips that a config names: prepared sets for semantic networks, else chips of ours.

    Raises:
        DatasetError: A folder holds no set, or one for another product, or with other bands or classes.
    """
    if spec.kind in ("semantic", "fusion"):
        if any(entry.exclude for entry in config.chips):
            raise DatasetError("exclude is for sets of chips that `clearscene synth chips` made.", hint="Leave it out.")
        return [SemanticSet.open(entry.folder, spec) for entry in config.chips]
    product = spec.product
    sets = [ChipSet.open(entry.folder).without(entry.exclude) for entry in config.chips]
    for one in sets:
        if one.product != product:
            raise DatasetError(
                f"{one.folder} holds chips for {one.product}; this network is for {product}.",
                hint="Set network.kind to mask for chips of a recipe with product = mask, and only for them.",
            )
    return sets


class Course(Sampler[list[Place]]):
    """The batches of a whole training from one step on.

    Laws: the order depends on the seed and the epoch alone, so a training that goes on sees what it would have
    seen; processes that share a training see different chips; in an epoch each chip is seen as often as its
    weight says, rounded up or down by chance, but for what is cut or repeated to fill the last step.
    """

    def __init__(self, repeats: NDArray[np.float64], run: RunConfig, *, rank: int = 0, world: int = 1) -> None:
        self.repeats, self.run, self.rank, self.world = repeats, run, rank, world
        self.start = 0
        self.per_step = run.batch_size * run.accumulate * world
        self.steps_per_epoch = max(1, round(float(repeats.sum())) // self.per_step)

    @property
    def n_steps(self) -> int:
        """Steps of the whole training."""
        return self.run.epochs * self.steps_per_epoch

    def __len__(self) -> int:
        return max(0, self.n_steps - self.start) * self.run.accumulate

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Numbers of the chips of an epoch in their order, (n,), cut or repeated to whole steps."""
        rng = np.random.default_rng([self.run.seed, epoch])
        whole = np.floor(self.repeats)
        counts = (whole + (rng.random(len(whole)) < self.repeats - whole)).astype(np.intp)
        chips = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        if not len(chips):  # few chips of small weight
            chips = rng.permutation(np.flatnonzero(self.repeats))
        return np.resize(chips, self.steps_per_epoch * self.per_step)

    def __iter__(self) -> Iterator[list[Place]]:
        size = self.run.batch_size
        for epoch in range(self.start // self.steps_per_epoch, self.run.epochs):
            order = self.order(epoch)
            first = max(0, self.start - epoch * self.steps_per_epoch) * self.per_step
            for begin in range(first + self.rank * size, len(order), size * self.world):
                yield [Place(epoch, position, int(order[position])) for position in range(begin, begin + size)]


def train_loader(
    sets: Sequence[TrainingSet], config: TrainConfig, *, start: int = 0, rank: int = 0, world: int = 1
) -> tuple[Loader, Course]:
    """Batches of the training split from step `start` on, and the course that they follow.

    Raises:
        DatasetError: No set has chips for training, or all have weight 0.
    """
    chips = [_chip(one, record) for one in sets for record in one.records("train")]
    if not chips:
        raise _no_chips(sets, "train")
    course = Course(_repeats(chips, sets, config.data), config.run, rank=rank, world=world)
    course.start = start
    return _loader(_varied(chips, config), config.run, course), course


def _chip(one: TrainingSet, record: Any) -> AnyChip:
    if isinstance(one, SemanticSet):
        return SemanticChip(one, record)
    assert isinstance(one, ChipSet)
    return Chip(one, record)


def _varied(chips: Any, config: TrainConfig) -> Dataset[Any]:
    """Chips (of the kind that the network reads) as they are seen in training."""
    size, seed, kind = config.data.size, config.run.seed, config.network.kind
    if kind == "semantic":
        return SemanticTrainChips(chips, config.semantic, config.network, size=size, seed=seed)
    if kind == "fusion":
        batch_size = config.run.batch_size
        return FusionTrainChips(chips, config.fusion, size=size, seed=seed, batch_size=batch_size)
    if kind == "quality":
        return QualityTrainChips(chips, config.mask, config.fusion, size=size, seed=seed)
    if kind == "mask":
        return MaskTrainChips(chips, config.mask, size=size, seed=seed)
    return TrainChips(chips, config.augment, size=size, seed=seed)


def _repeats(chips: Sequence[AnyChip], sets: Sequence[TrainingSet], config: DataConfig) -> NDArray[np.float64]:
    """How often each chip is seen in an epoch; the number of all stays when the share of clean ones is set."""
    weights = {id(one): entry.weight for one, entry in zip(sets, config.chips, strict=True)}
    repeats = np.array([weights[id(chip.chips)] for chip in chips])
    total = float(repeats.sum())
    if total == 0:
        raise DatasetError("All sets of chips have weight 0.", hint="Give one of [[data.chips]] a weight.")
    if config.clean_share is not None:
        is_clean = np.array([chip.is_clean for chip in chips])
        for group, share in ((is_clean, config.clean_share), (~is_clean, 1 - config.clean_share)):
            now = float(repeats[group].sum())
            if share and not now:
                kind = "without" if group is is_clean else "with"
                raise DatasetError(f"data.clean_share is {config.clean_share}, but there are no chips {kind} defects.")
            repeats[group] *= share * total / max(now, 1e-9)
    return repeats


def val_loader(chips: TrainingSet, config: TrainConfig, *, split: Split = "val") -> Loader:
    """Batches of one set's split, in the order of the ids.

    Raises:
        DatasetError: The split is empty.
    """
    records = chips.records(split)
    if not records:
        raise _no_chips([chips], split)
    limit = config.data.max_val_chips
    if limit is not None and len(records) > limit:
        records = [records[i] for i in np.linspace(0, len(records) - 1, limit).round().astype(int)]
    return _loader(_plain([_chip(chips, record) for record in records], config), config.run, None)


def _plain(chips: Any, config: TrainConfig) -> Dataset[Any]:
    """Chips (of the kind that the network reads) as they are validated."""
    kind = config.network.kind
    if kind == "semantic":
        return SemanticValChips(chips, config.semantic, config.network, size=config.data.size)
    if kind == "fusion":
        return FusionValChips(chips, config.fusion, size=config.data.size)
    if kind == "quality":
        return QualityValChips(chips)
    return MaskValChips(chips) if kind == "mask" else ValChips(chips)


def batches_of(loader: Loader) -> Iterator[Batch]:
    """The batches of a loader, errors of its processes included.

    Raises:
        DatasetError: A chip cannot be read or holds what it may not.
        TrainingError: A reading process ended.
    """
    try:
        for batch in loader:
            if isinstance(batch, Failure):
                raise batch.error
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"A process that reads chips ended: {' '.join(str(error).split()):.200}",
            hint="It may lack memory: set run.workers = 0, or lower run.batch_size.",
        ) from error


def _collate(data: Dataset[Any]) -> Callable[[Any], Batch | Failure]:
    if isinstance(data, SemanticTrainChips | SemanticValChips):
        return collate_semantic
    if isinstance(data, FusionTrainChips | FusionValChips):
        return collate_places
    is_mask = isinstance(data, MaskTrainChips | MaskValChips | QualityTrainChips | QualityValChips)
    return collate_masks if is_mask else collate


def _loader(data: Dataset[Any], run: RunConfig, course: Course | None) -> Loader:
    return DataLoader(
        data,
        batch_size=1 if course is not None else run.batch_size,
        batch_sampler=course,
        num_workers=run.workers,
        collate_fn=_collate(data),
        worker_init_fn=_one_thread,
        multiprocessing_context=_CONTEXT if run.workers else None,
        prefetch_factor=4 if run.workers else None,
        generator=torch.Generator(),  # its own: starting to read must not move the random numbers of the network
    )


_CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""How workers start: a plain fork of a process with threads of many libraries can abort in the child."""


def _one_thread(_: int) -> None:
    """A worker leaves the cores to the network, and Ctrl-C to the process that it serves."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_training, daemon=True).start()


def _end_with_training() -> None:
    """End a worker with the process that it serves, even a killed one: the fork server, which it keeps, tells none."""
    training = multiprocessing.parent_process()
    if training is not None:
        training.join()
        os._exit(1)


def _no_chips(sets: Sequence[TrainingSet], split: str) -> DatasetError:
    places = ", ".join(str(one.folder) for one in sets)
    return DatasetError(
        f"{places}: none of the {sum(map(len, sets))} chips is of the split {split!r}.",
        hint=f"Chips need `split: {split}` in chips.jsonl; more scenes give every split some.",
    )
