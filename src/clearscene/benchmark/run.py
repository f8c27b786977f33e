"""A benchmark from its suite to its folder. What is finished is kept; what fails is reported, and the rest goes on.

::

    OUT/
      results.json      everything that was measured; see `results_schema`
      report.html       tables, curves and overlays on one page
      tables/CARD/      Markdown, CSV and LaTeX
      figures/          curves of the losses, overlays
      trained/SET/MODEL the trainings
      cells/            one file for each finished cell, so that a run goes on where it ended
      pictures/         overlays, chip by chip
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from clearscene import __version__
from clearscene.atomic import output_error
from clearscene.benchmark.beforehand import check_models
from clearscene.benchmark.card import Card
from clearscene.benchmark.classes import positive_of
from clearscene.benchmark.evaluate import Target
from clearscene.benchmark.hardware import describe_hardware
from clearscene.benchmark.judging import Job, judge_row
from clearscene.benchmark.keeping import digest, is_trained, kept_cell, read_key, weights_of, write_key
from clearscene.benchmark.results import RESULTS, Cell, JudgedSet, Model, Results, Training, write_json
from clearscene.benchmark.rows import Row, folder_of, load_row, row_facts
from clearscene.benchmark.suite import ModelEntry, SetEntry, Suite, key_of
from clearscene.benchmark.trained import read_training, train_entry, training_values
from clearscene.datasets.prepared import PreparedSet
from clearscene.errors import ClearsceneError, OutputError
from clearscene.raster.sensors.product import Kind

__all__ = ["Follower", "Makers", "run_suite"]

logger = logging.getLogger(__name__)

CELLS, TRAINED = "cells", "trained"


class Follower(Protocol):
    """Who is told how a run goes."""

    def stage(self, text: str, share: float) -> None:
        """What is done at the moment, and how much of it, 0 to 1."""
        ...

    def finished(self, what: str, error: str) -> None:
        """A training or the cells of a model are there; `error` is empty unless they failed."""
        ...


@dataclass(frozen=True)
class Makers:
    """Where models come from; others in tests."""

    check: Callable[..., None] = check_models
    load: Callable[..., Row] = load_row
    facts: Callable[..., Model] = row_facts
    values: Callable[..., dict[str, Any]] = training_values
    train: Callable[..., None] = train_entry
    read: Callable[[str, str, Path], Training] = read_training


@dataclass
class _Run:
    """A run under way."""

    suite: Suite
    out: Path
    follower: Follower
    makers: Makers
    targets: dict[str, Target] = field(default_factory=dict)
    trainings: list[Training] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)


def run_suite(
    suite: Suite, out: Path, follower: Follower, *, overwrite: bool = False, makers: Makers | None = None
) -> Results:
    """Train and judge everything that the suite names, and leave `results.json` in `out`.

    Laws: a cell or training that was finished with the same data, settings and card is not made again; a failure
    costs its own cells only. `results.json` is written after every model, so that an interruption loses little.

    Raises:
        ClearsceneError: A set cannot be read, or does not hold what the suite says; or there is no such model. Both are
            found before anything is trained or written.
        OutputError: `out` cannot be written.
    """
    began = perf_counter()
    run = _Run(suite, out, follower, makers or Makers())
    for entry in suite.sets:
        run.targets[entry.name] = _target(entry)
    run.makers.check(suite, run.targets, suite.expanded())
    try:
        (out / CELLS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error
    for model in suite.expanded():
        run.models.append(_facts(run, model))
        for train_set, source in _sources(run, model, overwrite=overwrite):
            trained_on = next((entry for entry in suite.sets if entry.name == train_set), None)
            for entry in suite.sets:
                if entry.test and model.fits(entry, trained_on):
                    run.cells += _cells(run, model, train_set, source=source, entry=entry, overwrite=overwrite)
        results = _results(run, perf_counter() - began)
        write_json(results, out / RESULTS)
    return results


def _target(entry: SetEntry) -> Target:
    prepared = PreparedSet.open(entry.folder)
    positive = positive_of(prepared.classes, entry.positive, entry.ignored, place=f"set {entry.name}")
    return Target(entry.name, prepared, positive, entry.ignored)


def _facts(run: _Run, model: ModelEntry) -> Model:
    first = next((run.targets[entry.name].prepared for entry in run.suite.sets if entry.train), None)
    bands = model.bands or (first.bands if first else ())
    n_classes = 1 if first is None or len(first.classes) == 2 else len(first.classes)
    try:
        return run.makers.facts(model, bands=bands, n_classes=n_classes)
    except ClearsceneError:  # what is wrong with it shows in its cells
        kind = next(key for key in ("network", "run", "model", "peer") if getattr(model, key))
        return Model.model_validate({"name": model.name, "kind": kind})


def _sources(
    run: _Run, model: ModelEntry, *, overwrite: bool
) -> Iterator[tuple[str | None, Path | ClearsceneError | None]]:
    """Set and folder of each training of a model; a model that is there already comes once, without a set."""
    if not model.is_trained_here:
        yield None, model.run
        return
    for entry in run.suite.sets:
        if entry.train:
            yield entry.name, _trained(run, model, entry, overwrite=overwrite)


def _trained(run: _Run, model: ModelEntry, entry: SetEntry, *, overwrite: bool) -> Path | ClearsceneError:
    """The folder of a finished training, or why there is none."""
    folder = run.out / TRAINED / key_of(entry.name) / key_of(model.name)
    what = f"{model.name} on {entry.name}"
    prepared = run.targets[entry.name].prepared
    try:
        values = run.makers.values(run.suite, model, entry, prepared=prepared)
        key = digest([values, prepared.digest])
        if not overwrite and is_trained(folder, key):
            run.trainings.append(run.makers.read(model.name, entry.name, folder))
            return folder
        resume = not overwrite and read_key(folder) == key
        write_key(folder, key, is_done=False)
        run.makers.train(
            values, folder, resume=resume, tell=lambda text, share: run.follower.stage(f"train {what}: {text}", share)
        )
        write_key(folder, key, is_done=True)
        run.trainings.append(run.makers.read(model.name, entry.name, folder))
    except OutputError:
        raise
    except Exception as error:
        failure = _failure(error, what)
        run.trainings.append(
            Training(model=model.name, train_set=entry.name, status="failed", error=failure.message, hint=failure.hint)
        )
        run.follower.finished(f"train {what}", failure.message)
        return failure
    run.follower.finished(f"train {what}", "")
    return folder


def _cells(
    run: _Run,
    model: ModelEntry,
    train_set: str | None,
    *,
    source: Path | ClearsceneError | None,
    entry: SetEntry,
    overwrite: bool,
) -> list[Cell]:
    """The cells of a model on a set, one a card; finished ones are read."""
    target, cards = run.targets[entry.name], run.suite.cards
    trained = read_key(source) if isinstance(source, Path) and train_set else ""
    facts = next(found for found in run.models if found.name == model.name).model_dump(mode="json")
    made = [model.model_dump(mode="json"), facts, trained, weights_of(folder_of(model, source))]
    decides = [*made, entry.model_dump(mode="json"), target.prepared.digest]
    job = Job(
        model=model.name,
        train_set=train_set,
        entry=entry,
        target=target,
        out=run.out,
        seed=run.suite.seed,
        n_pictures=run.suite.pictures,
        keys={card.name: digest([*decides, run.suite.seed, card.model_dump(mode="json")]) for card in cards},
    )
    kept = (
        {}
        if overwrite
        else {card.name: cell for card in cards if (cell := kept_cell(_cell_path(job, card.name), job.keys[card.name]))}
    )
    missing = [card for card in cards if card.name not in kept]
    if missing:
        for cell in _judge(run, job, model, source=source, cards=missing):
            kept[cell.protocol] = cell
            write_json(cell, _cell_path(job, cell.protocol))
    return [kept[card.name] for card in cards]


def _judge(
    run: _Run, job: Job, model: ModelEntry, *, source: Path | ClearsceneError | None, cards: Sequence[Card]
) -> list[Cell]:
    what = f"{model.name}{f' of {job.train_set}' if job.train_set else ''} on {job.entry.name}"
    try:
        if isinstance(source, ClearsceneError):
            raise source
        row = run.makers.load(
            model,
            run=source,
            positive=job.target.positive,
            kind=_kind(job.entry, job.target.prepared),
            device=run.suite.device,
            threads=run.suite.threads,
        )
        cells = judge_row(row, job, cards, tell=lambda share: run.follower.stage(f"judge {what}", share))
    except OutputError:
        raise
    except Exception as error:
        failure = _failure(error, what)
        run.follower.finished(f"judge {what}", failure.message)
        return [job.failed(card, failure) for card in cards]
    errors = [cell.error for cell in cells if cell.error]
    run.follower.finished(f"judge {what}", errors[0] if errors else "")
    return cells


def _kind(entry: SetEntry, prepared: PreparedSet) -> Kind:
    return "display" if prepared.scaling == "display" else entry.kind or "toa"


def _failure(error: Exception, what: str) -> ClearsceneError:
    """An error as users read it; a fault of ours must not cost the rest of the run."""
    if isinstance(error, ClearsceneError):
        return error
    if isinstance(error, MemoryError):
        return ClearsceneError("There was not enough memory.", hint="Use a smaller batch_size or size.")
    logger.exception("unexpected error in %s", what)
    return ClearsceneError(
        f"Unexpected {type(error).__name__}: {error}",
        hint="This is a fault in clearscene: please report it with the lines above.",
    )


def _cell_path(job: Job, protocol: str) -> Path:
    return job.out / CELLS / f"{job.cell_id(protocol)}.json"


def _results(run: _Run, seconds: float) -> Results:
    suite = run.suite
    return Results(
        name=suite.name,
        title=suite.title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        clearscene=__version__,
        seed=suite.seed,
        hardware=describe_hardware(suite.device, suite.threads),
        protocols=suite.cards,
        sets=tuple(_judged_set(entry, run.targets[entry.name]) for entry in suite.sets),
        models=tuple(run.models),
        trainings=tuple(run.trainings),
        cells=tuple(run.cells),
    )


def _judged_set(entry: SetEntry, target: Target) -> JudgedSet:
    prepared = target.prepared
    return JudgedSet(
        name=entry.name,
        dataset=str(prepared.info.get("dataset", "")),
        digest=prepared.digest,
        split_digest=prepared.split_digest,
        bands=prepared.bands,
        classes=prepared.classes,
        positive=target.positive,
        counts=dict(prepared.info.get("counts", {})),
        license=str(prepared.info.get("license", "")),
        split=entry.split,
        is_trained_on=entry.train,
        is_judged=entry.test,
    )
