"""What is known of each semantic network before it is built. Nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NetworkCard", "Training"]


@dataclass(frozen=True)
class Training:
    """How the source trains the network."""

    input_size: int | None
    """Height and width of a chip in pixels; None where the source gives none."""
    loss: str
    """The name in `semantic_losses` that is nearest to what the source makes small; `details` says what differs."""
    optimizer: str
    """sgd, adam, adam-amsgrad or adamw."""
    lr: float | None
    """Learning rate at the start; None where the source gives none."""
    schedule: str
    """constant, plateau, poly or cosine."""
    batch: int | None
    epochs: int | None
    """The most passes over the data; None where the source counts steps or gives none."""
    details: str = ""
    """What the other fields cannot say, with its numbers."""


@dataclass(frozen=True)
class NetworkCard:
    """One form of one network: what it reads, how its source trains it, how large and how dear it is."""

    name: str
    form: str
    """`paper` as published; `benchmark` as the comparison of seed networks built it; others are told in `note`."""
    title: str
    bands: int
    """Number of bands that the source reads."""
    source: str
    """Author, title, place, year."""
    training: Training
    forms: tuple[str, ...] = ("paper",)
    """All forms of the network, this one among them."""
    parameters: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """Numbers by (form, number of bands) for one class, running statistics of batch normalization counted."""
    gflop_per_mpx: float = 0.0
    """Billions of multiplications and additions for each million pixels, at 512 x 512 with `bands` bands."""
    note: str = ""
    """Where this differs from the other form, or from the source, and why."""
    extra: str = "train"
    """The optional part of clearscene that it needs."""
    published: frozenset[tuple[str, int]] = frozenset()
    """Those of `parameters` that a source outside this project prints or that follow from its layer list."""

    @property
    def loss(self) -> str:
        """See `Training.loss`."""
        return self.training.loss

    @property
    def optimizer(self) -> str:
        """See `Training.optimizer`."""
        return self.training.optimizer

    @property
    def lr(self) -> float | None:
        """See `Training.lr`."""
        return self.training.lr

    @property
    def schedule(self) -> str:
        """See `Training.schedule`."""
        return self.training.schedule

    @property
    def input_size(self) -> int | None:
        """See `Training.input_size`."""
        return self.training.input_size

    @property
    def n_parameters(self) -> int:
        """Of this form with its own number of bands."""
        return self.parameters[self.form, self.bands]
