"""Networks trained for a benchmark: an entry and a set as the config of `clearscene train`."""

import json
import math
from collections.abc import Callable
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearscene.benchmark.classes import positive_of
from clearscene.benchmark.results import Curve, Training
from clearscene.benchmark.suite import ModelEntry, SetEntry, Suite
from clearscene.datasets.prepared import PreparedSet
from clearscene.errors import MissingExtraError
from clearscene.training.stopping import Stopping

__all__ = ["Quiet", "read_training", "train_entry", "training_values"]

MOST_POINTS = 400
"""Of a curve; more are thinned out evenly."""


def training_values(suite: Suite, model: ModelEntry, entry: SetEntry, *, prepared: PreparedSet) -> dict[str, Any]:
    """The config of a training, as `parse_config` takes it. What nobody has set is what the network's source says.

    Of instances what `InstanceTraining` takes, below the key `instances`.
    """
    from clearscene.training.networks.catalog import card

    if model.is_of_instances:
        return {"instances": _of_instances(suite, model, entry, prepared)}
    known = card(model.network, model.form)
    chosen = model.training.over(suite.training)
    optimizer = chosen.optimizer or _known(known.optimizer, OPTIMIZERS)
    lr = chosen.lr or (known.lr if optimizer == known.optimizer else None)  # a rate for SGD is none for Adam
    values: dict[str, dict[str, Any]] = {
        "data": {
            "chips": [{"folder": str(entry.folder), "name": entry.name}],
            "size": chosen.size,
            "max_val_chips": chosen.max_val_chips,
            "clean_share": chosen.clean_share,
        },
        "network": {
            "kind": "semantic",
            "name": model.network,
            "form": model.form,
            "bands": list(model.bands or prepared.bands),
            "classes": list(prepared.classes),
            "weights": "imagenet" if chosen.pretrained else "none",
        },
        "loss": {"name": chosen.loss or _loss(known.loss, len(prepared.classes))},
        "optimizer": {"name": optimizer, "lr": lr},
        "schedule": {
            "kind": chosen.schedule or _known(known.schedule, SCHEDULES),
            "warmup_steps": chosen.warmup_steps,
        },
        "run": {
            "seed": suite.seed if chosen.seed is None else chosen.seed,
            "epochs": chosen.epochs or known.training.epochs,
            "max_minutes": chosen.max_minutes,
            "batch_size": chosen.batch_size or known.training.batch,
            "patience": chosen.patience,
            "threads": chosen.threads,
            "device": chosen.device,
            "precision": chosen.precision,
            "tensorboard": False,
        },
    }
    if chosen.augment is not None:
        values["semantic"] = {"flips": "all" if chosen.augment else "none"}
    return {name: _given(section) for name, section in values.items()}


def _of_instances(suite: Suite, model: ModelEntry, entry: SetEntry, prepared: PreparedSet) -> dict[str, Any]:
    chosen = model.training.over(suite.training)
    positive = positive_of(prepared.classes, entry.positive, entry.ignored, place=f"set {entry.name}")
    same = ("epochs", "max_minutes", "size", "batch_size", "optimizer", "lr", "patience", "augment", "pretrained")
    values = {key: getattr(chosen, key) for key in (*same, "max_val_chips", "threads", "device", "precision", "seed")}
    return {"seed": suite.seed, **_given(values), "folder": str(entry.folder), "positive": positive}


OPTIMIZERS = ("adamw", "adam", "adam-amsgrad")
SCHEDULES = ("cosine", "plateau", "constant")
OF_TWO_CLASSES = ("bce", "soft-jaccard", "dice", "bce-dice", "filtered-jaccard")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {key: value for key, value in values.items() if value is not None}


def _known(name: str, names: tuple[str, ...]) -> str | None:
    """A name that the trainer has; None where it must take its own."""
    return name if name in names else None


def _loss(name: str, n_classes: int) -> str:
    """The loss of the source, or cross-entropy where it knows two classes only."""
    return "cross-entropy" if n_classes > 2 and name in OF_TWO_CLASSES else name


@dataclass
class Quiet:
    """Follows a training; see `Reporter` of the loop."""

    tell: Callable[[str, float], None]
    stopping: Stopping

    @property
    def stop_requested(self) -> bool:
        """See `Reporter`."""
        return self.stopping.is_asked

    def step(self, done: float, text: str) -> None:
        """See `Reporter`."""
        self.tell(text, done)

    def validated(self, step: int, by_set: dict[str, dict[str, float]], *, is_best: bool) -> None:
        """See `Reporter`."""


def train_entry(values: dict[str, Any], out: Path, *, resume: bool, tell: Callable[[str, float], None]) -> None:
    """Train into a folder, or go on where an interrupted training of the same config ended.

    Raises:
        MissingExtraError: torch is not installed.
        ClearsceneError: As `train`.
        KeyboardInterrupt: Ctrl-C or SIGTERM; but for instances, a checkpoint of the step in hand is written before.
    """
    from clearscene.training.config import parse_config

    config = None if "instances" in values else parse_config(values, place=str(out))
    try:
        from clearscene.training.checkpoint import LAST
        from clearscene.training.networks.yolo_training import InstanceTraining, train_instances
        from clearscene.training.run import train
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "clearscene":
            raise
        raise MissingExtraError(
            f"Training needs {error.name}, which is not installed.",
            hint='Install it with: pip install "clearscene[train]"',
        ) from error
    if config is None:
        train_instances(InstanceTraining(**values["instances"]), out, tell=tell)
        return
    with Stopping() as stopping:
        goes_on = resume and (out / LAST).is_file()  # not if it was killed before its first checkpoint
        outcome = train(config, out, Quiet(tell, stopping), resume=goes_on, overwrite=not goes_on)
    if outcome.reason == "stopped":
        raise KeyboardInterrupt


def read_training(model: str, train_set: str, folder: Path) -> Training:
    """What a finished training says of itself; its curves come from its tables."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    outcome, hardware = record.get("outcome", {}), record.get("hardware", {})
    return Training(
        model=model,
        train_set=train_set,
        status="done",
        folder=folder.name,
        minutes=outcome.get("minutes"),
        steps=outcome.get("step"),
        reason=str(outcome.get("reason", "")),
        best=outcome.get("best"),
        device=str(hardware.get("gpu") or hardware.get("device", "")),
        train_loss=_curve(folder / "train.csv"),
        val_loss=_curve(folder / "val.csv"),
    )


def _curve(path: Path) -> Curve:
    """The column `loss` of a table of a training."""
    if not path.is_file():
        return Curve()
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row.get("step"), row.get("loss")) for row in DictReader(stream)]
    points = [(float(step), float(loss)) for step, loss in rows if step and loss]
    known = [(step, loss) for step, loss in points if math.isfinite(loss)]
    kept = known[:: max(1, math.ceil(len(known) / MOST_POINTS))]
    return Curve(steps=tuple(step for step, _ in kept), values=tuple(loss for _, loss in kept))
