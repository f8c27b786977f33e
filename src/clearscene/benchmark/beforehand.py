"""What can be known to be wrong before hours of training: names of models, their folders, and how they are trained."""

from collections.abc import Iterable, Mapping, Sequence

from clearscene.benchmark.evaluate import Target
from clearscene.benchmark.network_facts import wanted_of_run
from clearscene.benchmark.suite import ModelEntry, Suite
from clearscene.benchmark.trained import training_values
from clearscene.datasets.prepared import PreparedSet
from clearscene.datasets.prepared_record import Split
from clearscene.errors import ClearsceneError, OptionError
from clearscene.masking.choose import PEERS
from clearscene.models.zoo import find_model
from clearscene.training.networks.spec import RGB
from clearscene.training.networks.yolo_options import InstanceTraining

__all__ = ["check_model", "check_models"]

LEARNED: tuple[Split, ...] = ("train", "val")
"""Splits that a training sees."""


def check_models(suite: Suite, targets: Mapping[str, Target], models: Iterable[ModelEntry]) -> None:
    """See that all models are there; all that are not are named at once.

    A package that is not installed is no mistake here: it costs the cells of its models only.

    Raises:
        OptionError: There is no such network, form, shipped model, peer or folder; or a network cannot be trained as
            the suite says.
    """
    found: list[tuple[str, ClearsceneError]] = []
    for model in models:
        try:
            check_model(suite, model, targets)
        except ClearsceneError as error:
            found.append((model.name, error))
    if found:
        said = " ".join(f"Model {name}: {error.message}" for name, error in found)
        raise OptionError(f"Nothing was trained. {said}", hint=found[0][1].hint)


def check_model(suite: Suite, model: ModelEntry, targets: Mapping[str, Target]) -> None:
    """See that one model is there.

    Raises:
        ClearsceneError: It is not, or cannot be trained as the suite says.
    """
    if model.peer:
        if model.peer not in PEERS:
            raise OptionError(f"There is no peer {model.peer!r}.", hint=f"There are {', '.join(PEERS)}.")
    elif model.model:
        find_model(model.model)
    elif model.run is not None:
        wanted_of_run(model.run)
    else:
        _check_training(suite, model, targets)


def _check_training(suite: Suite, model: ModelEntry, targets: Mapping[str, Target]) -> None:
    from clearscene.training.config import parse_config  # needs no torch, yet a while to be read

    for entry in suite.sets:
        if entry.train:
            prepared = targets[entry.name].prepared
            _check_splits(entry.name, prepared)
            values = training_values(suite, model, entry, prepared=prepared)
            if model.is_of_instances:
                InstanceTraining(**values["instances"]).check()
                _check_colors(entry.name, prepared.bands)
            else:
                parse_config(values, place=f"[training] of {model.name}")


def _check_splits(name: str, prepared: PreparedSet) -> None:
    empty = [split for split in LEARNED if not prepared.records(split)]
    if empty:
        raise OptionError(
            f"set {name} has no chips in {' and '.join(empty)}, so nothing can be trained on it.",
            hint="Set train = false for this set, or prepare it with other --shares.",
        )


def _check_colors(name: str, bands: Sequence[str]) -> None:
    lacking = [band for band in RGB if band not in bands]
    if lacking:
        raise OptionError(
            f"set {name} has no {', '.join(lacking)}, which YOLOv8 reads as form instances.",
            hint='Set train = false for this set, or use form = "semantic".',
        )
