"""What can be chosen of a training of YOLOv8-seg on instances; it is checked without torch and ultralytics."""

from dataclasses import dataclass
from typing import get_args

from clearscene.errors import TrainingError
from clearscene.training.config import Precision

__all__ = ["EPOCHS", "OPTIMIZERS", "InstanceTraining"]

EPOCHS = 300
OPTIMIZERS = {"": "auto", "adam": "Adam", "adamw": "AdamW"}
"""Ours and ultralytics' names."""


@dataclass(frozen=True)
class InstanceTraining:
    """What can be chosen; the rest is ultralytics' own."""

    folder: str
    """Of the prepared set."""
    positive: tuple[str, ...]
    """Classes that make up the instances."""
    epochs: int | None = None
    """None: as many as fit into `max_minutes`, or 300."""
    max_minutes: float | None = None
    """With `epochs` the end, whichever comes first; the rate falls over what of the two is less."""
    size: int = 256
    batch_size: int = 16
    optimizer: str = ""
    """Empty: ultralytics chooses it and the rate, and gathers 64 chips for a step. Set: each batch is a step."""
    lr: float | None = None
    patience: int = 50
    augment: bool = True
    pretrained: bool = False
    max_val_chips: int | None = None
    threads: int | None = None
    device: str = "auto"
    """Auto, cpu, cuda or cuda:N."""
    precision: Precision = "auto"
    """Of the network; losses are float32 on CPUs. Auto: float32 on CPUs, ultralytics' own choice elsewhere."""
    seed: int = 0

    def check(self) -> None:
        """See that everything chosen counts.

        Raises:
            TrainingError: The optimizer or precision is unknown, or `lr` is set and `optimizer` is not: ultralytics
                chooses both then, and ignores the rate.
        """
        if self.precision not in (names := get_args(Precision)):
            raise TrainingError(f"There is no precision {self.precision!r}.", hint=f"Use {', '.join(names)}.")
        known = ", ".join(name for name in OPTIMIZERS if name)
        if self.optimizer not in OPTIMIZERS:
            raise TrainingError(f"YOLOv8 is not trained with {self.optimizer!r} here.", hint=f"Use {known}, or none.")
        if self.lr is not None and not self.optimizer:
            raise TrainingError(
                f"lr = {self.lr:g} has no effect: without `optimizer` ultralytics chooses the rate of YOLOv8 itself.",
                hint=f"Set `optimizer` to one of {known}, or leave `lr` out.",
            )
