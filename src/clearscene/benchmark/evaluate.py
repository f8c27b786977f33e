"""One model over the images of one set: what it says, counted by several protocols at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.card import Card, Fill
from clearscene.benchmark.classes import binary_truth
from clearscene.benchmark.rows import Row
from clearscene.benchmark.stitch import Answered, cut_out, mosaic, stitched
from clearscene.benchmark.tally import Tally
from clearscene.datasets.prepared import IGNORE, PreparedRecord, PreparedSet, Split
from clearscene.errors import DatasetError, ModelError

__all__ = ["Counted", "Sample", "Target", "count"]

EIGHT_BITS = np.float32(255)


@dataclass(frozen=True, eq=False)
class Target:
    """A set and how its classes become two."""

    name: str
    prepared: PreparedSet
    positive: tuple[str, ...]
    ignored: tuple[str, ...]

    def records(self, split: Split | None) -> list[PreparedRecord]:
        """Chips of a split, scene by scene.

        Raises:
            DatasetError: There are none.
        """
        records = sorted(self.prepared.records(split), key=lambda r: (r.scene, r.row, r.col, r.id))
        if not records:
            raise DatasetError(
                f"{self.name} has no chips in {split or 'any split'}.", hint="Set `split`, or prepare it again."
            )
        return records

    def offered(self, card: Card) -> tuple[str, ...]:
        """The bands that a card lets a model read."""
        return tuple(name for name in self.prepared.bands if not card.bands or name in card.bands)

    def truth(self, record: PreparedRecord, *, fill: Fill = "ignore") -> NDArray[np.uint8]:
        """0, 1, or 255 (row, col); what has no label is 255, or 0 with `fill` clear."""
        mask = self.prepared.mask(record)
        truth = binary_truth(mask, self.prepared.classes, self.positive, ignored=self.ignored)
        return np.where(mask == IGNORE, np.uint8(0), truth) if fill == "clear" else truth


@dataclass(frozen=True, eq=False)
class Sample:
    """What a model says of a chip that will be drawn."""

    record: PreparedRecord
    probability: NDArray[np.float32]
    truth: NDArray[np.uint8]


@dataclass
class Counted:
    """What one card has counted."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    """By scene."""
    bands: tuple[str, ...] = ()
    n_chips: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all threads."""
    n_timed: int = 0
    """Pixels of the chips that were timed."""
    samples: list[Sample] = field(default_factory=list)

    @property
    def seconds_per_mpx(self) -> float | None:
        """Of the model alone; None where nothing was timed."""
        return self.seconds / self.n_timed * 1e6 if self.n_timed else None


def count(
    row: Row,
    target: Target,
    cards: Sequence[Card],
    *,
    split: Split | None,
    drawn: frozenset[str] = frozenset(),
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Counted]:
    """Ask a model about every chip of a split; by name of the card what was counted.

    Cards that let the model see the same values share one pass. Chips whose ids are in `drawn` are kept as samples.
    Memory: the chips of one scene.

    Raises:
        ClearsceneError: The model needs bands that are not there or not allowed, or answers nonsense; or a chip
            cannot be read.
    """
    found: dict[str, Counted] = {}
    passes: dict[tuple[tuple[str, ...], bool], list[Card]] = {}
    for card in cards:
        bands = row.reads(target.offered(card))
        is_cut = card.scaling == "8-bit" and target.prepared.scaling != "display"  # photos have 8 bits as they are
        passes.setdefault((bands, is_cut), []).append(card)
    for number, ((bands, is_cut), group) in enumerate(passes.items()):
        part = _Pass(row, target, tuple(group), bands, is_8_bit=is_cut, drawn=drawn)
        for share in part.run(target.records(split)):
            progress((number + share) / len(passes))
        found |= part.found
    return found


class _Pass:
    """One look at all chips with the same values, for the cards that agree on them."""

    def __init__(
        self,
        row: Row,
        target: Target,
        cards: tuple[Card, ...],
        bands: tuple[str, ...],
        *,
        is_8_bit: bool,
        drawn: frozenset[str],
    ) -> None:
        self._row, self._target, self._cards, self._bands = row, target, cards, bands
        self._is_8_bit, self._drawn = is_8_bit, drawn
        self._is_warm = False
        self.found = {card.name: Counted(bands=bands) for card in cards}

    def run(self, records: Sequence[PreparedRecord]) -> Iterator[float]:
        """Count scene by scene; yields how much is done."""
        by_scene: dict[str, list[PreparedRecord]] = {}
        for record in records:
            by_scene.setdefault(record.scene, []).append(record)
        n_done = 0
        for scene, of_scene in by_scene.items():
            answers: list[Answered] = []
            for asked in [of_scene] if self._row.is_whole else [[record] for record in of_scene]:
                answers += self._answers(asked)
                n_done += len(asked)
                yield n_done / len(records)
            for card in self._cards:
                self._count(card, scene, of_scene, answers)

    def _answers(self, records: Sequence[PreparedRecord]) -> list[Answered]:
        """What the model says of a chip, or of the chips of a scene when they are put together for it."""
        if not self._row.is_whole:
            (record,) = records
            return [self._kept(record, self._asked(self._image(record), record))]
        images = [((record.row, record.col), self._image(record)) for record in records]
        whole = self._asked(mosaic(images, records[0].scene_shape), records[0])
        pairs = zip(records, images, strict=True)
        return [self._kept(record, cut_out(whole, place, image.shape[1:])) for record, (place, image) in pairs]

    def _image(self, record: PreparedRecord) -> NDArray[np.float32]:
        image = self._target.prepared.image(record, self._bands)
        return np.floor(np.clip(image, 0, 1) * EIGHT_BITS) / EIGHT_BITS if self._is_8_bit else image

    def _asked(self, image: NDArray[np.float32], record: PreparedRecord) -> NDArray[np.float32]:
        """The answer of the model, timed."""
        if not self._is_warm:
            self._row.probability(image, self._bands)
            self._is_warm = True
        started, worked = perf_counter(), process_time()
        probability = self._row.probability(image, self._bands)
        seconds, cpu_seconds = perf_counter() - started, process_time() - worked
        _check(self._row, probability, image.shape[1:], record)
        for counted in self.found.values():
            counted.seconds += seconds
            counted.cpu_seconds += cpu_seconds
            counted.n_timed += probability.size
        return probability

    def _kept(self, record: PreparedRecord, probability: NDArray[np.float32]) -> Answered:
        truth = self._target.truth(record)
        for counted in self.found.values():
            counted.n_chips += 1
            if record.id in self._drawn:
                counted.samples.append(Sample(record, probability, truth))
        return Answered(record.row, record.col, probability, truth)

    def _count(self, card: Card, scene: str, records: Sequence[PreparedRecord], answers: Sequence[Answered]) -> None:
        tally = Tally(card.threshold.candidates, card.boundary_tolerance_px)
        if card.fill == "clear":
            pairs = zip(records, answers, strict=True)
            answers = [replace(answer, truth=self._target.truth(record, fill="clear")) for record, answer in pairs]
        if card.stitching == "scene":
            tally.add(*stitched(answers, records[0].scene_shape, crop_center=card.center_crop, fill=card.fill))
        else:
            for answer in answers:
                tally.add(answer.probability, answer.truth)
        self.found[card.name].tallies[scene] = tally


def _check(row: Row, probability: NDArray[np.float32], shape: tuple[int, ...], record: PreparedRecord) -> None:
    if probability.shape != shape or not np.isfinite(probability).all():
        said = f"has shape {probability.shape}, not {shape}" if probability.shape != shape else "is not all finite"
        raise ModelError(f"{row.name}: its answer to chip {record.id} {said}.", hint="The model is broken.")
