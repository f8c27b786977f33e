"""The network and all that makes it learn: averaged weights, optimizer, losses, precision."""

import copy
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clearscene.errors import TrainingError
from clearscene.training.checkpoint import mean_weights, take_fitting, take_weights
from clearscene.training.chips import Batch
from clearscene.training.config import TrainConfig
from clearscene.training.device import Arithmetic, Team
from clearscene.training.fusion_losses import FusionLosses
from clearscene.training.losses import Losses
from clearscene.training.mask_losses import MaskLosses
from clearscene.training.networks.build import build_network
from clearscene.training.networks.contract import InspectionNetwork
from clearscene.training.optimizer import Ema, build_optimizer, lerp_floats
from clearscene.training.quality_losses import QualityLosses
from clearscene.training.semantic_scores import SemanticLosses

__all__ = ["Learner"]

logger = logging.getLogger(__name__)

AnyLosses = Losses | MaskLosses | QualityLosses | SemanticLosses | FusionLosses


class Learner:
    """What one step changes. `last` is where the training leaves what it can go on from; errors say so.

    Law: `restore(state())` gives a learner that goes on as this one would, bit for bit on one device.

    Raises:
        TrainingError: The network, its first weights or the precision cannot be had.
    """

    def __init__(
        self, config: TrainConfig, *, device: torch.device, team: Team, last: Path, is_resumed: bool = False
    ) -> None:
        self.config, self.device, self.last = config, device, last
        torch.manual_seed(config.run.seed)
        spec = config.network.model_copy(update={"weights": "none"}) if is_resumed else config.network
        self.arithmetic = Arithmetic.choose(config.run, device)
        if device.type == "cpu" and config.run.threads:
            torch.set_num_threads(config.run.threads)
        self.network = _on_device(build_network(spec), device)
        start = config.run.start_from
        share = config.run.start_share
        if start and (share or not is_resumed):
            self._start_from(start)
        self._start = {key: value.clone() for key, value in self.network.state_dict().items()} if share else None
        self.ema = Ema(self.network, copy.deepcopy(self.network), config.optimizer.ema_decay)
        self.optimizer = build_optimizer(self.network, config.optimizer)
        self.scaler = self.arithmetic.scaler()
        self.losses = _losses(config, device)
        self._model = _parallel(self.network.train(), team, device)
        self._mean = torch.tensor(config.network.mean, device=device)[None, :, None, None]
        self._std = torch.tensor(config.network.std, device=device)[None, :, None, None]

    def _start_from(self, paths: Sequence[Path]) -> None:
        """Take over the mean weights of other trainings; all of them where a share of them is kept."""
        weights = mean_weights(paths)
        place = str(paths[0]) if len(paths) == 1 else f"the mean of {' and '.join(map(str, paths))}"
        if self.config.run.start_share:
            take_weights(self.network, weights, place=place)
        elif new := take_fitting(self.network, weights, place=place):
            names = ", ".join(new[:4]) + (", ..." if len(new) > 4 else "")
            logger.warning("Not in %s, so these start from random numbers: %s.", place, names)

    def prepare(self, batch: Batch) -> tuple[Tensor, Batch]:
        """The normalized image (n, band, h, w) on the device, and the rest there too."""
        moved = batch._replace(
            mask=batch.mask.to(self.device, non_blocking=True),
            labels=batch.labels.to(self.device, non_blocking=True),
            is_clean=batch.is_clean.to(self.device, non_blocking=True),
        )
        image = batch.image.to(self.device, non_blocking=True)
        if image.dtype is torch.uint8:
            image = image.float().div_(255).sub_(self._mean).div_(self._std)
        return image.contiguous(memory_format=torch.channels_last), moved

    def step(self, batches: Iterator[Batch], *, lr_factor: float, number: int) -> dict[str, float]:
        """Take `accumulate` batches and change the weights once; gives the mean losses and the learning rate.

        Raises:
            TrainingError: The loss is no number (`number`, the step, is named), or the memory does not suffice.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * lr_factor
        n = self.config.run.accumulate
        sums: dict[str, float] = {}
        for i in range(n):
            for name, value in self._backward(next(batches), is_last=i == n - 1, number=number).items():
                sums[name] = sums.get(name, 0.0) + value / n
        self._update()
        return sums | {"lr": self.config.optimizer.lr * lr_factor}

    def _backward(self, given: Batch, *, is_last: bool, number: int) -> dict[str, float]:
        image, batch = self.prepare(given)
        model = self._model
        waits = isinstance(model, DistributedDataParallel) and not is_last
        try:
            with model.no_sync() if waits else nullcontext():  # type: ignore[operator]  # of DistributedDataParallel
                with self.arithmetic.autocast():
                    answers = model(image)
                total, parts = self.losses(answers, batch)
                loss = float(total.detach())
                if not math.isfinite(loss):
                    raise self._no_number(loss, batch, number)
                scaled = self.scaler.scale(total / self.config.run.accumulate)
                scaled.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        except torch.OutOfMemoryError as error:
            size = f"{len(batch.ids)} chips of {self.config.data.size} px"
            raise TrainingError(
                f"The memory of {self.device} does not suffice for {size}.",
                hint="Lower run.batch_size and raise run.accumulate by the same factor.",
            ) from error
        return {"loss": loss, **{name: float(value.detach()) for name, value in parts.items()}}

    def _update(self) -> None:
        if self.config.optimizer.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.network)

    @torch.no_grad()
    def judged(self) -> nn.Module:
        """What is validated and kept: the mean of the last weights, mixed with those of the start by `run.start_share`.

        Of two minima that one training has led to from the other, points between them can be better than either,
        above all on images of other kinds than those trained on last (Wortsman et al. 2022, Robust fine-tuning of
        zero-shot models).
        """
        if self._start is None:
            return self.ema.network
        mixed = copy.deepcopy(self.ema.network)
        lerp_floats(mixed.state_dict(), self._start, self.config.run.start_share)
        return mixed

    def _no_number(self, loss: float, batch: Batch, number: int) -> TrainingError:
        lr = self.optimizer.param_groups[0]["lr"]
        names = ", ".join(batch.ids[:8]) + (", ..." if len(batch.ids) > 8 else "")
        return TrainingError(
            f"The loss is {loss} at step {number}, with the learning rate {lr:.3g} and the chips {names}.",
            hint=f"Look at these chips, or lower optimizer.lr and begin anew with --overwrite. {self._way_back()}",
        )

    def _way_back(self) -> str:
        if not self.last.is_file():
            return "There is no checkpoint to go on from yet."
        return f"{self.last} is from before it: --resume goes on from there, once chips that were wrong are mended."

    def state(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        return {
            "weights": self.ema.network.state_dict(),
            "network": self.network.state_dict(),
            "ema_updates": self.ema.n_updates,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            RuntimeError: It is of another network.
        """
        self.network.load_state_dict(state["network"])
        self.ema.network.load_state_dict(state["weights"])
        self.ema.n_updates = state["ema_updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        generators = state.get("random_cuda", [])
        if self.device.type == "cuda" and len(generators) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(generators)


def _losses(config: TrainConfig, device: torch.device) -> AnyLosses:
    if config.network.kind == "semantic":
        return SemanticLosses(config)
    if config.network.kind == "fusion":
        return FusionLosses(config, device=device)
    if config.network.kind == "quality":
        return QualityLosses(config.loss, device=device)
    if config.network.kind == "mask":
        return MaskLosses(config.loss, device=device)
    return Losses(config.loss, leave_out_negatives=config.data.leave_out_negatives, device=device)


def _on_device(network: InspectionNetwork, device: torch.device) -> InspectionNetwork:
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _parallel(network: InspectionNetwork, team: Team, device: torch.device) -> nn.Module:
    if team.world == 1:
        return network
    return DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)
