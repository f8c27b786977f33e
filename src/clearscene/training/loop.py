"""The training itself: steps, validations, checkpoints, and a clean end whatever happens."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from clearscene.errors import TrainingError
from clearscene.training.checkpoint import BEST, LAST, Progress, read_checkpoint, write_checkpoint
from clearscene.training.chips import Batch
from clearscene.training.config import TrainConfig
from clearscene.training.course import batches_of, train_loader, val_loader
from clearscene.training.curves import draw_curves
from clearscene.training.device import Team
from clearscene.training.evaluate import check_monitor, evaluate, monitored
from clearscene.training.learner import Learner
from clearscene.training.logs import Board, Table
from clearscene.training.schedule import factor, progress
from clearscene.training.training_set import TrainingSet

__all__ = ["Outcome", "Reporter", "Trainer"]

LOG_STEPS = 20
"""Steps between rows of the table."""


class Reporter(Protocol):
    """Who is told how the training goes."""

    def step(self, done: float, text: str) -> None:
        """`done` is the share of the whole, 0 to 1."""
        ...

    def validated(self, step: int, by_set: dict[str, dict[str, float]], *, is_best: bool) -> None:
        """After each validation."""
        ...

    @property
    def stop_requested(self) -> bool:
        """True once the training should end at the next step."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    reason: str
    """done, early (no gain any more) or stopped (on request; it can go on)."""
    step: int
    best: float | None
    """The best value of `monitor`, larger being better: the loss counts with a minus."""
    best_step: int
    minutes: float
    monitor: str = ""
    """What the best checkpoint is best at, as `run.monitor` names it."""


@dataclass
class _Means:
    """Of the losses since the last row of the table."""

    sums: dict[str, float] = field(default_factory=dict)
    n: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, values: dict[str, float]) -> None:
        """Count the losses of one step."""
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.n += 1

    def now(self) -> dict[str, float]:
        """The mean of each loss."""
        return {key: value / self.n for key, value in self.sums.items()}

    def per_second(self) -> float:
        """Steps a second."""
        return self.n / max(time.monotonic() - self.began, 1e-6)


class Trainer:
    """One training, from the config or from where it was interrupted.

    Law: a training that was interrupted and resumed ends with the weights of one that was not (on one device,
    in one precision, without `max_minutes`).

    Raises:
        TrainingError: The device, the precision, the metric or the checkpoint do not fit.
        DatasetError: A split is empty.
    """

    def __init__(
        self,
        config: TrainConfig,
        sets: Sequence[TrainingSet],
        out: Path,
        *,
        device: torch.device,
        team: Team,
        resume: bool,
    ) -> None:
        self.config, self.out, self.device, self.team = config, out, device, team
        self.digests = {entry.title: one.digest() for entry, one in zip(config.data.chips, sets, strict=True)}
        self.monitor = check_monitor(config)
        is_resumed = resume and (out / LAST).is_file()
        self.learner = Learner(config, device=device, team=team, last=out / LAST, is_resumed=is_resumed)
        self.progress = self._restored() if is_resumed else Progress()
        start = self.progress.step
        self.loader, self.course = train_loader(sets, config, start=start, rank=team.rank, world=team.world)
        judged = [(entry.title, one) for entry, one in zip(config.data.chips, sets, strict=True) if entry.is_judged]
        self.val_loaders = {title: val_loader(one, config) for title, one in judged}
        self._began = time.monotonic() - self.progress.seconds
        if team.leads:
            self.table, self.val_table = (Table(out / name, up_to_step=start) for name in ("train.csv", "val.csv"))
            folder = out / "tensorboard"
            self.board = Board(folder, is_wanted=config.run.tensorboard, purge_step=start or None)

    def run(self, reporter: Reporter) -> Outcome:
        """Train to the end, or until the reporter asks to stop; a checkpoint to resume from is left."""
        if not self.progress.is_done:
            reason = self._go(reporter)
            self.progress.is_done = reason != "stopped"
            self._save()
            if self.team.leads:
                self.board.close()
        else:
            reason = "done"
        state = self.progress
        return Outcome(reason, state.step, state.best, state.best_step, state.seconds / 60, self.monitor)

    def _go(self, reporter: Reporter) -> str:
        batches, means, last_saved = batches_of(self.loader), _Means(), time.monotonic()
        every = max(1, round(self.config.run.validate_every * self.course.steps_per_epoch))
        while True:
            if self.progress.owes_validation and not self._validate(reporter):
                return "stopped"
            if self._share() >= 1:
                return "done"
            if self._is_hopeless():
                return "early"
            means.add(self._step(batches))
            if self.team.leads:
                means = self._tell(means, reporter)
            self.progress.owes_validation = self.progress.step % every == 0 or self._share() >= 1
            if self._is_asked_to_stop(reporter):
                return "stopped"
            if time.monotonic() - last_saved > 60 * self.config.run.save_minutes:
                self._save()
                last_saved = time.monotonic()

    def _share(self) -> float:
        """How much of the training is done, the same in all processes."""
        limit = self.config.run.max_minutes
        self.progress.seconds = time.monotonic() - self._began
        share = progress(self.progress.step, self.course.n_steps, seconds=self.progress.seconds, max_minutes=limit)
        return self.team.largest(share, self.device) if limit else share

    def _step(self, batches: Iterator[Batch]) -> dict[str, float]:
        number = self.progress.step
        lr_factor = factor(number, self._share(), self.config.schedule, n_plateaus=self.progress.n_plateaus)
        losses = self.learner.step(batches, lr_factor=lr_factor, number=number)
        self.progress.step += 1
        return losses

    def _tell(self, means: _Means, reporter: Reporter) -> _Means:
        """Show the step; every few steps write a row and start new means."""
        step, run, values = self.progress.step, self.config.run, means.now()
        chips_per_s = means.per_second() * self.course.per_step
        share = progress(step, self.course.n_steps, seconds=self.progress.seconds, max_minutes=run.max_minutes)
        reporter.step(share, f"step {step}, loss {values['loss']:.3f}, {chips_per_s:.1f} chips/s")
        if step % LOG_STEPS and step != self.course.n_steps:
            return means
        values["chips_per_s"] = chips_per_s
        epoch, minutes = step / self.course.steps_per_epoch, self.progress.seconds / 60
        self.table.add({"step": step, "epoch": epoch, "minutes": minutes, **values})
        self.board.add("train", values, step)
        return _Means()

    def _is_asked_to_stop(self, reporter: Reporter) -> bool:
        """True in all processes if any was asked to stop."""
        return self.team.largest(float(reporter.stop_requested), self.device) > 0

    def _is_hopeless(self) -> bool:
        patience = self.config.run.patience
        return patience is not None and self.progress.n_worse >= patience

    def _validate(self, reporter: Reporter) -> bool:
        """Measure the averaged weights and keep them if they are the best; False if asked to stop meanwhile."""
        value, is_measured = self.team.first(lambda: self._measure(reporter), self.device)
        if not is_measured:
            return False
        if self.progress.is_better(value):
            self.progress.best, self.progress.best_step, self.progress.n_worse = value, self.progress.step, 0
            self.progress.n_flat = 0
        else:
            self.progress.n_worse += 1
            self.progress.n_flat += 1
        if self.progress.n_flat >= self.config.schedule.patience:
            self.progress.n_plateaus, self.progress.n_flat = self.progress.n_plateaus + 1, 0
        self.progress.owes_validation = False
        return True

    def _measure(self, reporter: Reporter) -> tuple[float, float]:
        """The monitored value, and 1; or 0 for both when asked to stop."""
        by_set: dict[str, dict[str, float]] = {}
        learner = self.learner
        network = learner.judged()
        try:
            for title, loader in self.val_loaders.items():
                by_set[title] = evaluate(
                    network,
                    _until_asked(batches_of(loader), lambda: reporter.stop_requested),
                    learner.prepare,
                    losses=learner.losses,
                    autocast=learner.arithmetic.autocast,
                )
        except _StopAskedError:
            return 0.0, 0.0
        value = monitored(by_set, self.monitor)
        is_best = self.progress.is_better(value)
        if is_best:
            self._keep(network, value, by_set)
        self._note(value, by_set)
        reporter.validated(self.progress.step, by_set, is_best=is_best)
        return value, 1.0

    def _note(self, value: float, by_set: dict[str, dict[str, float]]) -> None:
        step = self.progress.step
        for title, metrics in by_set.items():
            self.val_table.add({"step": step, "set": title, "monitored": value, **metrics})
            self.board.add(f"val/{title}", metrics, step)
        draw_curves(self.out / "curves.png", self.table.rows, self.val_table.rows, monitor=self.monitor)

    def _keep(self, network: nn.Module, value: float, by_set: dict[str, dict[str, float]]) -> None:
        content = {
            "config": self.config.model_dump(mode="json"),
            "weights": network.state_dict(),
            "step": self.progress.step,
            "monitor": self.monitor,
            "value": value,
            "metrics": by_set,
        }
        write_checkpoint(self.out / BEST, content)

    def _save(self) -> None:
        """Leave a checkpoint to resume from."""
        if self.team.leads:
            about = {"config": self.config.model_dump(mode="json"), "digests": self.digests}
            write_checkpoint(self.out / LAST, {**about, **self.learner.state(), "progress": asdict(self.progress)})

    def _restored(self) -> Progress:
        path = self.out / LAST
        content = read_checkpoint(path)
        before = content.get("digests", self.digests)
        changed = [title for title, digest in self.digests.items() if before.get(title) != digest]
        if changed:
            raise TrainingError(
                f"{path}: the chips of {changed[0]!r} are not those that the training began with.",
                hint="Bring the old chips back, or start anew with --overwrite.",
            )
        try:
            self.learner.restore(content)
            return Progress(**content["progress"])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise TrainingError(f"{path} does not fit this training: {reason:.300}") from error


class _StopAskedError(Exception):
    """The wish to stop, on its way out of a validation."""


def _until_asked(batches: Iterator[Batch], is_asked: Callable[[], bool]) -> Iterator[Batch]:
    for batch in batches:
        if is_asked():
            raise _StopAskedError
        yield batch
