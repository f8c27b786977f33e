"""Rows of the tables: anything that turns an image into a probability, whoever made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.classes import needed, summed
from clearscene.benchmark.masker_row import load_masker_row
from clearscene.benchmark.network_facts import Wanted, facts_of, is_of_instances, wanted_of_run
from clearscene.benchmark.onnx_row import load_onnx_row
from clearscene.benchmark.results import Model
from clearscene.benchmark.sky_row import load_sky_row
from clearscene.benchmark.suite import ModelEntry
from clearscene.errors import MissingExtraError, ModelError
from clearscene.masking.choose import PEERS
from clearscene.models.zoo import find_model
from clearscene.raster.sensors.product import Kind
from clearscene.sky.model import SKY
from clearscene.training.networks.spec import RGB

__all__ = ["Row", "SemanticRow", "folder_of", "load_row", "row_facts"]


class Row(Protocol):
    """What the benchmark asks of a model."""

    @property
    def name(self) -> str:
        """In the tables."""
        ...

    @property
    def is_whole(self) -> bool:
        """True if it must see whole scenes, as photos are: chips are put together for it first."""
        ...

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        """The bands that it reads of those offered.

        Raises:
            BandError: One that it needs is not offered.
        """
        ...

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        """Probability (row, col) of what is looked for, 0 to 1, of an image (band, row, col) of these bands."""
        ...


@dataclass(frozen=True, eq=False)
class SemanticRow:
    """A semantic network of `clearscene train`."""

    name: str
    net: Any
    """What `load_semantic` gives: bands, classes, predict."""
    positive: tuple[str, ...]
    is_whole: bool = False
    """As it was trained: `semantic.view` of its config."""

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        """See `Row`."""
        return needed(self.name, self.net.bands, offered)

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        """See `Row`."""
        order = [list(bands).index(name) for name in self.net.bands]
        found = self.net.predict(image[order])
        return summed(found, tuple(self.net.classes), self.positive, what=self.name)


def load_row(
    entry: ModelEntry, *, run: Path | None, positive: tuple[str, ...], kind: Kind, device: str, threads: int
) -> Row:
    """The model of an entry; `run` is the folder of its training, `positive` what the set looks for.

    Raises:
        ClearsceneError: It cannot be loaded, or what it needs is not installed.
    """
    wanted = entry.positive or positive
    if run is not None:
        return _semantic(entry.name, run, wanted, device=device, threads=threads)
    if entry.peer:
        if entry.peer not in PEERS:
            raise ModelError(f"There is no peer {entry.peer!r}.", hint=f"There are {', '.join(PEERS)}.")
        return load_masker_row(entry.name, entry.peer, kind=kind, device=device, threads=threads)
    info = find_model(entry.model)
    if info.manifest.task == "cloud_mask":
        return load_masker_row(entry.name, entry.model, kind=kind, device=device, threads=threads)
    if info.manifest.task == SKY:
        return load_sky_row(entry.name, info.folder, positive=wanted, device=device, threads=threads)
    return load_onnx_row(entry.name, info.folder, positive=wanted, device=device, threads=threads)


def _semantic(name: str, run: Path, positive: tuple[str, ...], *, device: str, threads: int) -> SemanticRow:
    try:
        import torch  # an extra; it comes only with trained networks

        from clearscene.training.device import choose_device
        from clearscene.training.networks.yolo_instances import INSTANCES, InstanceNet
        from clearscene.training.semantic_predict import load_semantic
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "clearscene":
            raise
        raise MissingExtraError(
            f"{name} needs {error.name}, which is not installed.",
            hint='Install it with: pip install "clearscene[train]"',
        ) from error
    torch.set_num_threads(threads)
    if is_of_instances(run):
        return SemanticRow(name, InstanceNet(run / INSTANCES, device=device), positive)
    net = load_semantic(run, device=str(choose_device(device)))
    return SemanticRow(name, net, positive, is_whole=net.config.semantic.view == "whole")


def folder_of(entry: ModelEntry, run: object) -> Path | None:
    """Where the weights of an entry lie; None where that is not known.

    `run` is the folder of its training; anything else, as the error that it ended with, says that there is none.
    """
    if isinstance(run, Path) or not entry.model:
        return run if isinstance(run, Path) else None
    try:
        return find_model(entry.model).folder
    except ModelError:  # its cells say so
        return None


def row_facts(entry: ModelEntry, *, bands: tuple[str, ...], n_classes: int) -> Model:
    """What the tables say of a model besides what was measured; what cannot be known is left open.

    `bands` and `n_classes` are those of a network that is trained here.

    Raises:
        ModelError: There is no such model.
        ResultError: The folder of a run holds none.
    """
    if entry.peer:
        return Model(name=entry.name, kind="peer", source=entry.peer)
    if entry.model:
        info = find_model(entry.model)
        manifest = info.manifest
        return Model(
            name=entry.name,
            kind="model",
            source=f"{manifest.name} {manifest.version}",
            bands=tuple(manifest.input.bands),
            size_mb=info.size_bytes / 1e6,
        )
    if entry.run is not None:
        return facts_of(entry.name, "run", wanted_of_run(entry.run))
    if entry.is_of_instances:  # the whole network, whatever the set has
        whole = facts_of(entry.name, "network", Wanted(entry.network, "paper", RGB, 1))
        return whole.model_copy(update={"source": f"{entry.network}, form {entry.form}"})
    return facts_of(entry.name, "network", Wanted(entry.network, entry.form, bands, n_classes))
