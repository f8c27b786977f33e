"""Size and work of a network for the tables, counted on the network itself."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearscene.benchmark.results import Model
from clearscene.errors import ClearsceneError, ResultError

__all__ = ["Wanted", "facts_of", "is_of_instances", "wanted_of_run"]

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Wanted:
    """A network as it is built."""

    network: str
    form: str
    bands: tuple[str, ...]
    n_classes: int
    """Logits; 1 for two classes."""


def wanted_of_run(folder: Path) -> Wanted:
    """The network that a training folder holds.

    Raises:
        ResultError: The folder holds no training of a semantic network.
    """
    spec = _config(folder)["network"]
    classes = spec.get("classes", ("clear", "cloud"))
    n_classes = 1 if len(classes) == 2 else len(classes)
    return Wanted(str(spec.get("name", "")), str(spec.get("form", "paper")), tuple(spec.get("bands", ())), n_classes)


def is_of_instances(folder: Path) -> bool:
    """True if a training folder holds YOLOv8 trained on instances; its config says so, not files that lie there.

    Raises:
        ResultError: The folder holds no training of a semantic network.
    """
    return "instances" in _config(folder)


def _config(folder: Path) -> dict[str, Any]:
    """The config of a training, with its section `network`."""
    path = folder / "config.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return values | {"network": dict(values["network"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path} is no config of a training: {error}.", hint="Name the --out folder of `clearscene train`."
        ) from error


def facts_of(name: str, kind: str, wanted: Wanted) -> Model:
    """Parameters with running statistics, their size as float32, and GFLOP per million pixels.

    Without torch, or without a library that the network needs, what the catalog knows; else they stay open.
    """
    count, work = _measured(wanted) or _catalogued(wanted)
    return Model.model_validate(
        {
            "name": name,
            "kind": kind,
            "source": f"{wanted.network}, form {wanted.form}",
            "bands": wanted.bands,
            "parameters": count,
            "size_mb": None if count is None else count * FLOAT_BYTES / 1e6,
            "gflop_per_mpx": work,
        }
    )


def _measured(wanted: Wanted) -> tuple[int, float] | None:
    """Counted on a network without memory; None where it cannot be built like that."""
    try:
        import torch  # an extra

        from clearscene.training.networks.catalog import build_semantic, card
        from clearscene.training.networks.measure import gflop_per_mpx, n_parameters

        # YOLOv8 computes while it is built
        with torch.device("cpu" if card(wanted.network, wanted.form).extra == "yolo" else "meta"):
            network = build_semantic(
                wanted.network, form=wanted.form, n_bands=len(wanted.bands), n_classes=wanted.n_classes
            )
        return n_parameters(network), gflop_per_mpx(network, len(wanted.bands))
    except (ModuleNotFoundError, NotImplementedError, RuntimeError, ClearsceneError):
        return None


def _catalogued(wanted: Wanted) -> tuple[int | None, float | None]:
    from clearscene.training.networks.catalog import card

    try:
        known = card(wanted.network, wanted.form)
    except ClearsceneError:
        return None, None
    count = known.parameters.get((wanted.form, len(wanted.bands))) if wanted.n_classes == 1 else None
    return count, known.gflop_per_mpx or None
