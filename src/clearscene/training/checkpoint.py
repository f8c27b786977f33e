"""What a training leaves on disk to go on from, and what an export starts from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from clearscene.atomic import replacing
from clearscene.errors import TrainingError
from clearscene.training.config import TrainConfig, parse_config
from clearscene.training.networks.build import build_network
from clearscene.training.networks.contract import InspectionNetwork
from clearscene.training.networks.fitting import MOST_NEW, fitting_weights

__all__ = [
    "BEST",
    "LAST",
    "Progress",
    "load_checkpoint",
    "mean_weights",
    "read_checkpoint",
    "take_fitting",
    "take_weights",
    "write_checkpoint",
]

BEST, LAST = "best.pt", "last.pt"
FORMAT = 1


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    """Steps that are done."""
    seconds: float = 0.0
    """Time spent, earlier calls included."""
    best: float | None = None
    """The best value of the monitored metric."""
    best_step: int = 0
    n_worse: int = 0
    """Validations since the best one."""
    n_flat: int = 0
    """The same, since the learning rate was last made smaller on a plateau."""
    n_plateaus: int = 0
    owes_validation: bool = False
    """It was interrupted before the validation of this step."""
    is_done: bool = False

    def is_better(self, value: float) -> bool:
        """True if `value` exceeds the best so far, or is the first that is a number."""
        return self.best is None or (math.isnan(self.best) and not math.isnan(value)) or value > self.best


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write it whole or not at all.

    Raises:
        OutputError: The disk is full or the folder cannot be written; the old checkpoint is as it was.
    """
    with replacing(path) as part, part.open("wb") as file:
        noting = _Noting(file)
        try:
            torch.save({"format": FORMAT, **content}, noting)  # type: ignore[arg-type]  # it only writes
        except RuntimeError as error:
            raise noting.error or error from error


class _Noting:
    """A file that remembers the error of the disk, which torch's writer hides behind one of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """As the file does."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """As the file does."""
        self._file.flush()


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read one; nothing in the file is executed.

    Raises:
        TrainingError: It is missing, broken, or of another kind.
    """
    if not path.is_file():
        raise TrainingError(f"{path} does not exist.", hint="A training leaves best.pt and last.pt in its folder.")
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch.load raises what its unpickler raises
        raise TrainingError(f"{path} cannot be read: {str(error).splitlines()[0]:.200}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TrainingError(f"{path} is no checkpoint of clearscene, format {FORMAT}.")
    return content


def load_checkpoint(path: Path) -> tuple[InspectionNetwork, TrainConfig]:
    """The network of a checkpoint, on the CPU and ready to answer, and the config that it was trained by.

    `path` is a checkpoint, or a folder of a training: then its best one. The weights are the averaged ones.

    Raises:
        TrainingError: It is missing, broken, or its weights do not fit its config.
    """
    path = path / BEST if path.is_dir() else path
    content = read_checkpoint(path)
    config = parse_config(content["config"], place=str(path))
    network = build_network(config.network.model_copy(update={"weights": "none"}))
    take_weights(network, content["weights"], place=path)
    return network.eval(), config


def mean_weights(paths: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the weights of checkpoints of one network; integers, which count, are those of the first.

    Of trainings that began from the same weights the mean is often better than any (Wortsman et al. 2022, Model
    soups). Its batch normalization is that of none, until it has been trained on.

    Raises:
        TrainingError: One is missing or broken, or they are of different networks.
    """
    first, *others = (read_checkpoint(path)["weights"] for path in paths)
    for path, weights in zip(paths[1:], others, strict=True):
        if {key: value.shape for key, value in weights.items()} != {key: value.shape for key, value in first.items()}:
            raise TrainingError(
                f"{path} is of another network than {paths[0]}.", hint="run.start_from takes the mean of one network's."
            )
    return {
        key: torch.stack([value, *(weights[key] for weights in others)]).mean(dim=0)
        if value.is_floating_point()
        else value
        for key, value in first.items()
    }


def take_weights(network: nn.Module, weights: dict[str, Tensor], *, place: Path | str) -> None:
    """Load weights that must fit.

    Raises:
        TrainingError: They do not.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"{place} does not fit the network of its config: {reason:.300}") from error


def take_fitting(network: nn.Module, weights: dict[str, Tensor], *, place: Path | str) -> list[str]:
    """Load the weights that the network has in the same shape; gives the names of its own that it starts without.

    So a network can start from one that answers something else.

    Raises:
        TrainingError: More than a tenth of its own are not there, or others than the last ones: it is another network.
    """
    own = list(network.state_dict())
    fitting, new = fitting_weights(network, weights)
    if len(new) > MOST_NEW * len(own) or new != own[len(own) - len(new) :]:
        raise TrainingError(
            f"{place} does not fit the network of this config: {len(new)} of {len(own)} weights are not there in the"
            f" same shape, such as {new[0]}.",
            hint="run.start_from takes a checkpoint of the same network, or of one that differs in its last layers.",
        )
    network.load_state_dict(fitting, strict=False)
    return new
