"""The cells of one model on one set: counted together, measured by each card, with the chips that are drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from clearscene.atomic import output_error, replacing
from clearscene.benchmark.card import Card
from clearscene.benchmark.evaluate import Counted, Target, count
from clearscene.benchmark.judge import best_threshold, judge
from clearscene.benchmark.overlays import choose_chips, draw_overlay, picture_of
from clearscene.benchmark.results import Cell, Picture
from clearscene.benchmark.rows import Row
from clearscene.benchmark.suite import SetEntry, key_of
from clearscene.datasets.prepared import Split
from clearscene.errors import BandError, ClearsceneError, DatasetError, OptionError

__all__ = ["PICTURES", "Job", "judge_row", "write_picture"]

PICTURES = "pictures"


@dataclass(frozen=True, eq=False)
class Job:
    """A model and a set, before anything is known."""

    model: str
    train_set: str | None
    entry: SetEntry
    target: Target
    out: Path
    seed: int
    n_pictures: int
    keys: Mapping[str, str]
    """Digest by name of the card."""

    def cell_id(self, protocol: str) -> str:
        """Name of a cell, fit for a file."""
        trained = key_of(self.train_set) if self.train_set else "as-is"
        return "--".join((key_of(self.model), trained, key_of(self.entry.name), protocol))

    def failed(self, card: Card, error: ClearsceneError) -> Cell:
        """The cell of a card that came to nothing."""
        return Cell(
            id=self.cell_id(card.name),
            key=self.keys[card.name],
            model=self.model,
            train_set=self.train_set,
            test_set=self.entry.name,
            protocol=card.name,
            status="failed",
            error=error.message,
            hint=error.hint,
        )


def judge_row(row: Row, job: Job, cards: Sequence[Card], *, tell: Callable[[float], None]) -> list[Cell]:
    """One cell a card, in their order; a card that does not fit the set or the model fails alone.

    Raises:
        ClearsceneError: The model or a chip fails.
        OutputError: A picture cannot be written.
    """
    refused = {card.name: error for card in cards if (error := _refusal(row, job, card))}
    fitting = [card for card in cards if card.name not in refused]
    if not fitting:
        return [job.failed(card, refused[card.name]) for card in cards]
    split: Split | None = None if job.entry.split == "all" else job.entry.split
    chips = choose_chips(job.target, split, job.n_pictures)
    drawn = frozenset(record.id for record in chips)
    counted = count(row, job.target, fitting, split=split, drawn=drawn, progress=tell)
    thresholds = _held_out_thresholds(row, job, fitting)
    cells = []
    for card in cards:
        if card.name in refused:
            cells.append(job.failed(card, refused[card.name]))
            continue
        cells.append(_cell(job, card, counted[card.name], thresholds.get(card.name), has_pictures=card is fitting[0]))
    return cells


def _refusal(row: Row, job: Job, card: Card) -> ClearsceneError | None:
    """Why a card cannot judge this model on this set; None if it can."""
    if card.split_digest and card.split_digest != job.target.prepared.split_digest:
        return _other_split(job, card)
    if card.threshold.rule == "best-iou-on-val":
        if job.entry.split in ("val", "all"):
            return OptionError(
                f"{card.name} looks for its threshold on the val split, and {job.entry.name} is judged on"
                f" {job.entry.split!r}, which holds it.",
                hint='Set split = "test" of the set, or use a card with a fixed threshold.',
            )
        if not job.target.prepared.records("val"):
            return DatasetError(
                f"{card.name} looks for its threshold on the val split, and {job.entry.name} has none.",
                hint="Prepare the set with a share for val, or use a card with a fixed threshold.",
            )
    try:
        row.reads(job.target.offered(card))
    except BandError as error:
        return error
    return None


def _other_split(job: Job, card: Card) -> DatasetError:
    return DatasetError(
        f"{job.entry.name} is split as {job.target.prepared.split_digest[:12]}…; the card {card.name} is for"
        f" {card.split_digest[:12]}….",
        hint="Prepare the set with the seed and shares of the card, or use another card.",
    )


def _held_out_thresholds(row: Row, job: Job, cards: Sequence[Card]) -> dict[str, float]:
    """The threshold of each card that looks for it on the validation split."""
    looking = [card for card in cards if card.threshold.rule == "best-iou-on-val"]
    if not looking:
        return {}
    counted = count(row, job.target, looking, split="val")
    return {card.name: best_threshold(card, list(counted[card.name].tallies.values())) for card in looking}


def _cell(job: Job, card: Card, counted: Counted, threshold: float | None, *, has_pictures: bool) -> Cell:
    records = job.target.prepared.records()
    judged = judge(card, counted, records, threshold=threshold, seed=job.seed)
    return Cell(
        id=job.cell_id(card.name),
        key=job.keys[card.name],
        model=job.model,
        train_set=job.train_set,
        test_set=job.entry.name,
        protocol=card.name,
        status="done",
        threshold=judged.threshold,
        n_scenes=len(judged.scenes),
        n_chips=counted.n_chips,
        n_pixels=judged.n_pixels,
        metrics=judged.metrics,
        by_biome=judged.by_biome,
        by_cover=judged.by_cover,
        scenes=judged.scenes,
        seconds=counted.seconds,
        cpu_seconds=counted.cpu_seconds,
        seconds_per_mpx=counted.seconds_per_mpx,
        bands=counted.bands,
        pictures=_pictures(job, counted, judged.threshold) if has_pictures else (),
    )


def _pictures(job: Job, counted: Counted, threshold: float) -> tuple[Picture, ...]:
    """Draw the samples of a cell, the image alone once for all models."""
    folder = job.out / PICTURES / key_of(job.entry.name)
    trained = key_of(job.train_set) if job.train_set else "as-is"
    found = []
    for sample in counted.samples:
        plain = picture_of(job.target, sample.record)
        name = key_of(sample.record.id)
        write_picture(folder / f"{name}.png", plain)
        path = folder / f"{key_of(job.model)}--{trained}--{name}.png"
        write_picture(path, draw_overlay(plain, sample, threshold))
        relative = path.relative_to(job.out).as_posix()
        found.append(Picture(chip=sample.record.id, scene=sample.record.scene, path=relative))
    return tuple(found)


def write_picture(path: Path, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Write a picture (row, col, 3) in red, green, blue as PNG.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path.parent) from error
    encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1]
    with replacing(path) as part:
        part.write_bytes(encoded.tobytes())
