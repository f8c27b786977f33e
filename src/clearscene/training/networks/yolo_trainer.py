"""What ultralytics' trainer is told, and what is done beside it: the end, the count of steps, bfloat16 on CPUs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from clearscene.training.device import Arithmetic
from clearscene.training.networks.yolo_options import EPOCHS, OPTIMIZERS, InstanceTraining

__all__ = ["Follower", "arguments"]

AMP: dict[str, bool | str] = {"auto": True, "float32": False, "float16": True, "bfloat16": "bf16"}
"""Our names of a precision, and ultralytics', which has none but float32 on CPUs."""
AUGMENTS = ("mosaic", "fliplr", "hsv_h", "hsv_s", "hsv_v", "scale", "translate")


def arguments(chosen: InstanceTraining, work: Path, *, device: str) -> dict[str, Any]:
    """For ultralytics: what is not named is its default, as in the comparison.

    `device` is cpu or cuda. With an optimizer of one's own each batch is a step, as for other networks, and biases warm
    up like all else: ultralytics begins with a rate of 0.1 for them, which is meant for SGD.
    """
    own: dict[str, Any] = {}
    if chosen.optimizer:
        own = {"nbs": chosen.batch_size, "warmup_bias_lr": 0.0}
    if chosen.lr is not None:
        own["lr0"] = chosen.lr
    if not chosen.augment:
        own |= dict.fromkeys(AUGMENTS, 0)
    return {
        "project": str(work.resolve()),
        "name": "run",
        "exist_ok": True,
        "epochs": chosen.epochs or EPOCHS,
        "time": None if chosen.max_minutes is None else chosen.max_minutes / 60,
        "imgsz": chosen.size,
        "batch": chosen.batch_size,
        "patience": chosen.patience,
        "optimizer": OPTIMIZERS[chosen.optimizer],
        "seed": chosen.seed,
        "device": None if chosen.device == "auto" else chosen.device.replace("cuda:", "").replace("cuda", "0"),
        "amp": device != "cpu" and AMP[chosen.precision],
        "workers": 0,
        "plots": False,
        "verbose": False,
        **own,
    }


class Follower:
    """Stands beside a training of ultralytics.

    Args:
        epochs: The most there may be; ultralytics forgets them where it has a time, and fits its epochs to that.
        arithmetic: In which numbers the network computes on a CPU.
        tell: Called after each epoch with its name, and the share that is done.
    """

    def __init__(self, epochs: int | None, arithmetic: Arithmetic, tell: Callable[[str, float], None]) -> None:
        self.epochs, self.arithmetic, self.tell = epochs, arithmetic, tell
        self.steps: dict[int, int] = {}
        """By epoch, from 1: how often the weights had been changed at its end."""

    def on_train_start(self, trainer: Any) -> None:
        """Let the network compute in half the bits; its copy that is validated and kept does not."""
        if self.arithmetic.device.type != "cpu" or self.arithmetic.dtype is torch.float32:
            return
        whole = trainer.model.forward

        def forward(
            given: torch.Tensor | dict[str, Any],
        ) -> Any:  # its losses, or its answers in lists and dictionaries
            """As before, but for pixels (n, band, row, col) in fewer bits; what comes out is float32."""
            if isinstance(given, dict):  # a batch with its labels: it comes back here with the pixels
                return whole(given)
            with self.arithmetic.autocast():
                return as_float32(whole(given))

        trainer.model.forward = forward

    def on_train_epoch_end(self, trainer: Any) -> None:
        """An epoch is over, but not yet validated."""
        self.steps[trainer.epoch + 1] = trainer.ema.updates
        self.tell(f"epoch {trainer.epoch + 1}", min(1.0, (trainer.epoch + 1) / max(trainer.epochs, 1)))

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """It is validated, and where there is a time the epochs are fitted to it: no more than were chosen."""
        if self.epochs and trainer.epochs > self.epochs:
            trainer.epochs = trainer.args.epochs = self.epochs  # the rate is computed from it anew in each epoch


def as_float32(found: Any) -> Any:
    """What a network gives, in whatever lists and dictionaries, with all floats as float32."""
    if isinstance(found, torch.Tensor):
        return found.float() if found.is_floating_point() else found
    if isinstance(found, dict):
        return {key: as_float32(value) for key, value in found.items()}
    return type(found)(as_float32(value) for value in found) if isinstance(found, list | tuple) else found
