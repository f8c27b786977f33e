"""What a training left in its folder, as an export wants it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clearscene.errors import TrainingError
from clearscene.masking.normalize import BANDS as MASK_BANDS
from clearscene.models.manifest import InputSpec
from clearscene.synth.chip_set import ChipSet
from clearscene.training.checkpoint import BEST, load_checkpoint
from clearscene.training.config import TrainConfig
from clearscene.training.export.evidence import Pool
from clearscene.training.export.graphs import heads_of
from clearscene.training.export.manifest_file import Answering
from clearscene.training.export.options import SemanticLook, Trained
from clearscene.training.export.pair import Pair
from clearscene.training.networks.contract import InspectionNetwork
from clearscene.training.networks.semantic import as_two_logits
from clearscene.training.networks.spec import CLASSES, MASK_CLASS_NAMES, TYPE_NAMES, NetworkSpec
from clearscene.training.networks.two_head import TwoHead, smooth_maximum
from clearscene.training.record import RECORD
from clearscene.training.training_set import SemanticSet

__all__ = ["load_trained", "pair_up"]

BANDS = ("red", "green", "blue")


def load_trained(run_folder: Path, chips: Sequence[Path] = ()) -> Trained:
    """The best network of a training, its record, and the chips to measure it with.

    `chips` are sets of chips; without any, the sets that the training was judged by.

    Raises:
        TrainingError: The folder holds no training, or its record cannot be read.
        DatasetError: A set of chips is not there any more.
    """
    if not (run_folder / BEST).is_file():
        raise TrainingError(
            f"{run_folder} holds no {BEST}, so it is no folder of a training that has validated.",
            hint="Name the folder that `clearscene train` wrote.",
        )
    network, config = load_checkpoint(run_folder)
    spec = config.network
    sets = tuple(_open(folder, spec) for folder in chips or _judged(config))
    return Trained(
        network=TwoLogits(network) if spec.kind == "semantic" else network,
        answering=_answering(spec, sets),
        sets=sets,
        architecture=spec.encoder if spec.name == "slim" else spec.name.removeprefix("timm:"),
        semantic=SemanticLook(spec, config.semantic.view) if spec.kind == "semantic" else None,
        pool=_pool_of(network),
        record=_summary(_read(run_folder / RECORD)),
    )


def pair_up(screen: Trained, segmenter: Trained) -> Trained:
    """One model of two trainings: the first screens, the second segments. The chips are those of the second.

    Raises:
        TrainingError: One of them has not that head.
    """
    for trained, head, has in (
        (screen, "screening", screen.answering.types),
        (segmenter, "segmentation", segmenter.answering.class_ids[1:]),
    ):
        if not has:
            raise TrainingError(f"{trained.architecture} has no {head} head.", hint="Name the runs the other way.")
    given, wanted = screen.answering.input, segmenter.answering.input
    return Trained(
        network=Pair(screen.network, _Segmenter(segmenter.network), given=given, wanted=wanted),
        answering=Answering(given, screen.answering.types, segmenter.answering.class_ids),
        sets=segmenter.sets,
        architecture=f"{screen.architecture} and {segmenter.architecture}",
        pool=screen.pool,
        record={"screen": screen.record, "segmenter": segmenter.record},
    )


class _Segmenter(nn.Module):
    """The segmenting half of a network, whether it shares features or not."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.shares = network, heads_of(network).shares

    def decode(self, image: Tensor) -> Tensor:
        """(n, band, row, col) to (n, class, row, col)."""
        logits: Tensor = self.network.decode(self.network.encode(image)[2] if self.shares else image)  # type: ignore[operator]
        return logits


class TwoLogits(nn.Module):
    """A semantic network with a logit for each class, though it was trained with one for two."""

    def __init__(self, network: InspectionNetwork) -> None:
        super().__init__()
        self.network = network

    def decode(self, image: Tensor) -> Tensor:
        """(n, band, row, col) to (n, class, row, col)."""
        return as_two_logits(self.network.decode(image))  # type: ignore[operator]  # all that segment have it


def _answering(spec: NetworkSpec, sets: Sequence[ChipSet | SemanticSet]) -> Answering:
    if spec.kind == "semantic":
        is_display = all(isinstance(one, SemanticSet) and one.is_display for one in sets)
        given = InputSpec(bands=spec.bands, mean=spec.mean, std=spec.std, scale=255.0 if is_display else 1.0)
        return Answering(given, (), tuple(range(len(spec.classes))), "semantic", spec.classes)
    if spec.kind == "mask":
        ids = tuple(range(len(MASK_CLASS_NAMES)))
        return Answering(InputSpec(bands=MASK_BANDS, normalization="bright_level", scale=1.0), (), ids, "cloud_mask")
    if spec.kind == "quality":
        return Answering(InputSpec(bands=MASK_BANDS, normalization="bright_level", scale=1.0), (), (), "quality")
    if spec.kind == "fusion":
        return Answering(InputSpec(bands=BANDS), (), (), "quality")
    return Answering(
        input=InputSpec(bands=BANDS, mean=spec.mean, std=spec.std),
        types=TYPE_NAMES if spec.screens else (),
        class_ids=CLASSES if spec.segments else CLASSES[:1],
    )


def _open(folder: Path, spec: NetworkSpec) -> ChipSet | SemanticSet:
    return SemanticSet.open(folder, spec) if spec.kind in ("fusion", "semantic") else ChipSet.open(folder)


def _judged(config: TrainConfig) -> list[Path]:
    judged = [entry.folder for entry in config.data.chips if entry.is_judged]
    return judged or [entry.folder for entry in config.data.chips]


def _pool_of(network: InspectionNetwork) -> Pool | None:
    """How tiles come from cells, for the network that says it by cells."""
    if not isinstance(network, TwoHead):
        return None
    head = network.screen

    def pool(cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cell logits (n, type, row, col) to tile logits (n, type)."""
        with torch.inference_mode():
            tiles = smooth_maximum(torch.from_numpy(cells), head.temperature) * head.scale + head.shift
        return tiles.numpy()

    return pool


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{path} is not JSON: {error}.") from error
    return record


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What belongs on a card; the whole of it stays beside the run, with the names of folders that are in it."""
    keys = ("started", "ended", "seed", "code", "hardware", "packages", "outcome")
    data = {
        entry["name"]: {key: entry[key] for key in ("digest", "n_chips", "splits") if key in entry}
        for entry in record.get("data", ())
    }
    summary: dict[str, Any] = {key: record[key] for key in keys if key in record}
    network = record.get("config", {}).get("network", {})
    shown = {key: value for key, value in network.items() if key in ("kind", "name", "encoder")}
    return summary | ({"data": data} if data else {}) | ({"network": shown} if shown else {})
