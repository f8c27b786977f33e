"""A training from its config to its folder.

::

    OUT/
      config.toml     the config in full, defaults and overrides included
      run.json        seed, digests of the data, code, machine, and how it ended
      train.csv       losses by step        val.csv   metrics by validation and set of chips
      curves.png      both, drawn           tensorboard/
      best.pt         the best network      last.pt   what `--resume` goes on from
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clearscene.atomic import output_error, replacing
from clearscene.errors import OutputError, TrainingError
from clearscene.training.checkpoint import BEST, LAST, read_checkpoint
from clearscene.training.config import TrainConfig, parse_config
from clearscene.training.course import open_sets
from clearscene.training.device import Team, choose_device
from clearscene.training.export.toml_text import to_toml
from clearscene.training.loop import Outcome, Reporter, Trainer
from clearscene.training.networks.yolo_instances import INSTANCES
from clearscene.training.record import RECORD, describe_run, write_record

__all__ = ["train"]

CONFIG = "config.toml"
FILES = (CONFIG, RECORD, "train.csv", "val.csv", "curves.png", BEST, LAST, INSTANCES)

FREE = frozenset(
    {"run.workers", "run.threads", "run.device", "run.save_minutes", "run.tensorboard", "run.patience"}
    | {"run.start_from", "run.epochs", "run.max_minutes", "run.validate_every", "data.max_val_chips"}
    | {"name", "network.weights"}
)
"""Keys that may change when a training goes on."""


def train(
    config: TrainConfig, out: Path, reporter: Reporter, *, resume: bool = False, overwrite: bool = False
) -> Outcome:
    """Train, and leave everything in `out`.

    Raises:
        TrainingError: The config does not fit the machine, the data or the checkpoint; there is none to resume from;
            or the loss is no number.
        DatasetError: A set of chips is missing, empty or broken.
        OutputError: `out` holds a training and neither `resume` nor `overwrite` is given, or cannot be written.
    """
    team = Team.of_environment()
    device = choose_device(config.run.device, local_rank=team.local_rank)
    sets = open_sets(config.data, config.network)
    if resume:
        _check_same(config, read_checkpoint(_begun(out))["config"], place=out / LAST)
    with _together(team, device):
        if team.leads:
            _make_folder(out, resume=resume, overwrite=overwrite)
        team.largest(0.0, device)  # the others wait for the folder
        trainer = Trainer(config, sets, out, device=device, team=team, resume=resume)
        record = describe_run(config, sets, device, world=team.world)
        if team.leads:
            with replacing(out / CONFIG) as part:
                part.write_text(to_toml(config.model_dump(mode="json")), encoding="utf-8")
            write_record(out / RECORD, record)
        outcome = trainer.run(reporter)
        if team.leads:
            ended = {"ended": datetime.now(UTC).isoformat(timespec="seconds"), "outcome": asdict(outcome)}
            write_record(out / RECORD, record | ended)
    return outcome


def _begun(out: Path) -> Path:
    """The checkpoint to go on from.

    Raises:
        TrainingError: There is none.
    """
    if (out / LAST).is_file():
        return out / LAST
    if not any((out / name).exists() for name in FILES):
        raise TrainingError(
            f"{out} holds no training to go on with.",
            hint="Begin one without --resume, or name the folder of the interrupted one with --out.",
        )
    best = f", or from its best network with run.start_from = {str(out / BEST)!r} into another folder"
    raise TrainingError(
        f"{out} holds a training that ended before its first checkpoint to go on from: there is no {LAST}.",
        hint=f"Begin anew with --overwrite{best if (out / BEST).is_file() else ''}; run.save_minutes says how often"
        " one is written.",
    )


@contextmanager
def _together(team: Team, device: Any) -> Iterator[None]:
    team.join(device)
    try:
        yield
    except BaseException:  # the others may hang: nobody is waited for
        team.leave()
        raise
    team.leave(waits=True)


def _make_folder(out: Path, *, resume: bool, overwrite: bool) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = [name for name in FILES if (out / name).exists()]
        if there and not resume and not overwrite:
            raise OutputError(f"{out} holds a training already.", hint="Use --resume, --overwrite or another --out.")
        if overwrite and not resume:
            for name in there:
                (out / name).unlink()
            shutil.rmtree(out / "tensorboard", ignore_errors=True)
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, out) from error


def _check_same(config: TrainConfig, before: Mapping[str, Any], *, place: Path) -> None:
    """A training goes on as what it was; the chips themselves are compared by their digests.

    Raises:
        TrainingError: The config differs in keys that decide what is learned.
    """
    new, old = _flat(_deciding(config)), _flat(_deciding(parse_config(before, place=str(place))))
    free = FREE - {"run.start_from"} if config.run.start_share else FREE  # a share of these weights is kept to the end
    changed = sorted(key for key in new.keys() | old.keys() if new.get(key) != old.get(key) and key not in free)
    if changed:
        key = changed[0]
        raise TrainingError(
            f"{place} was trained with {key} = {old.get(key)!r}, the config says {new.get(key)!r}"
            f"{f' ({len(changed)} keys differ)' if len(changed) > 1 else ''}.",
            hint="Resume with the config that it began with, or start anew with --overwrite.",
        )


def _deciding(config: TrainConfig) -> dict[str, Any]:
    """The config without the places of its chips; older checkpoints hold paths with `..`."""
    values = config.model_dump(mode="json")
    values["run"]["start_from"] = [os.path.normpath(path) for path in values["run"]["start_from"]]
    for entry, written in zip(config.data.chips, values["data"]["chips"], strict=True):
        written.update(folder="", name=entry.title)
    return values


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
