"""What can be chosen of a training of YOLOv8-seg on instances; it is checked without torch and ultralytics."""

from dataclasses import dataclass

from clearscene.errors import TrainingError

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
    """With `epochs` the end, whichever comes first; the rate falls over `epochs`."""
    size: int = 256
    batch_size: int = 16
    optimizer: str = ""
    """Empty: ultralytics chooses it, and the rate."""
    lr: float | None = None
    patience: int = 50
    augment: bool = True
    pretrained: bool = False
    max_val_chips: int | None = None
    threads: int | None = None
    device: str = "auto"
    """Auto, cpu, cuda or cuda:N."""
    seed: int = 0

    def check(self) -> None:
        """See that everything chosen counts.

        Raises:
            TrainingError: The optimizer is unknown to ultralytics, or `lr` is set and `optimizer` is not: ultralytics
                chooses both then, and ignores the rate.
        """
        known = ", ".join(name for name in OPTIMIZERS if name)
        if self.optimizer not in OPTIMIZERS:
            raise TrainingError(f"YOLOv8 is not trained with {self.optimizer!r} here.", hint=f"Use {known}, or none.")
        if self.lr is not None and not self.optimizer:
            raise TrainingError(
                f"lr = {self.lr:g} has no effect: without `optimizer` ultralytics chooses the rate of YOLOv8 itself.",
                hint=f"Set `optimizer` to one of {known}, or leave `lr` out.",
            )
