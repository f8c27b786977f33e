"""What a network says on the validation split, gathered once for calibration and metrics."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.constraint import sigmoid
from clearscene.inspection.taxonomy import NODATA
from clearscene.models.model import enlarge
from clearscene.training.export.runner import Answers, Runner
from clearscene.training.export.samples import Sample, Samples
from clearscene.training.metrics import PixelCounts

__all__ = ["Evidence", "Screened", "gather", "screening_scores", "surround"]

DRAWN_SHARE = 0.1
"""A segmenter draws a defect if it finds this share of its pixels."""

Pool = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Logits of cells (tile, type, row, col) to logits of tiles (tile, type), as the network's head does it."""


@dataclass(frozen=True, eq=False)
class Screened:
    """Logits and labels of tiles, (tile, type); a label may be NaN."""

    logits: NDArray[np.float32]
    labels: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Answers and truth."""

    tiles: Screened | None
    """Of each chip alone, reflected to the tile."""
    cells: NDArray[np.float32] | None
    """(chip, type, row, col), the part of the tile that is the chip; None where chips differ in size."""
    sources: tuple[str, ...]
    pixel_logits: NDArray[np.float32]
    """(pixel, class), drawn at random."""
    pixel_labels: NDArray[np.uint8]
    """(pixel,), indices of classes."""
    counts: PixelCounts
    """All pixels that are not ignored, by the largest logit."""
    certainty: NDArray[np.float32]
    """(chip, class): the probability that a tenth of the class's pixels reach for it, where it is also their largest;
    0 where fewer do, NaN where the chip shows none of the class."""


def gather(
    runner: Runner,
    samples: Samples,
    *,
    classes: Mapping[int, str],
    pixels_per_chip: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Ask about every sample. Pixels whose truth is none of `classes` (names by id, in the order of the
    answers, the background first) are ignored.

    Memory: the drawn pixels and the cells; pictures are read one at a time.
    """
    notes = _Notes(classes, pixels_per_chip, rng)
    for done, sample in enumerate(samples, start=1):
        notes.add(sample, runner(sample.image))
        if progress is not None:
            progress(done, len(samples))
    return notes.evidence()


class _Notes:
    """Evidence in the making."""

    def __init__(self, classes: Mapping[int, str], per_chip: int, rng: np.random.Generator) -> None:
        self._index = np.full(256, NODATA, np.uint8)
        self._index[list(classes)] = np.arange(len(classes))
        self._n, self._per_chip, self._rng = len(classes), per_chip, rng
        self.counts = PixelCounts(tuple(classes.values()))
        self.tiles: list[NDArray[np.float32]] = []
        self.labels: list[NDArray[np.float32]] = []
        self.cells: list[NDArray[np.float32]] = []
        self.sources: list[str] = []
        self.pixels: list[NDArray[np.float32]] = []
        self.certainty: list[NDArray[np.float32]] = []
        self.truth: list[NDArray[np.uint8]] = []

    def add(self, sample: Sample, answers: Answers) -> None:
        """Note what was answered about a chip, cut to its size where it was padded."""
        self.sources.append(sample.source)
        self.labels.append(sample.labels)
        size = sample.image.shape[-1]
        height, width = sample.mask.shape
        if answers.tile is not None:
            self.tiles.append(answers.tile)
        if answers.cells is not None:
            step = size // answers.cells.shape[-1]
            self.cells.append(answers.cells[:, : -(-height // step), : -(-width // step)])
        if answers.pixels is not None:
            self._add_pixels(enlarge(answers.pixels, size)[:, :height, :width], self._index[sample.mask])

    def _add_pixels(self, logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> None:
        self.certainty.append(_certainty(logits, truth))
        y, x = np.nonzero(truth != NODATA)
        self.counts.add(truth, logits.argmax(axis=0))
        drawn = self._rng.choice(len(y), min(self._per_chip, len(y)), replace=False)
        self.pixels.append(logits[:, y[drawn], x[drawn]].T)
        self.truth.append(truth[y[drawn], x[drawn]])

    def evidence(self) -> Evidence:
        """All notes: tiles (chip, type), cells (chip, type, row, col) where sizes agree, pixels (pixel, class)."""
        same = len({cells.shape for cells in self.cells}) == 1
        return Evidence(
            tiles=Screened(np.stack(self.tiles), np.stack(self.labels)) if self.tiles else None,
            cells=np.stack(self.cells) if same else None,
            sources=tuple(self.sources),
            pixel_logits=np.concatenate(self.pixels) if self.pixels else np.zeros((0, self._n), np.float32),
            pixel_labels=np.concatenate(self.truth) if self.truth else np.zeros(0, np.uint8),
            counts=self.counts,
            certainty=np.stack(self.certainty) if self.certainty else np.zeros((0, self._n), np.float32),
        )


def _certainty(logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """See `Evidence.certainty`; logits (class, row, col), truth (row, col) indices of classes."""
    result = np.full(len(logits), np.nan, np.float32)
    for i in np.unique(truth[truth != NODATA]):
        own = logits[:, truth == i].astype(np.float64)
        powers = np.exp(own - own.max(axis=0))
        chance = np.where(own.argmax(axis=0) == i, powers[i] / powers.sum(axis=0), 0)
        result[i] = np.sort(chance)[-math.ceil(DRAWN_SHARE * chance.size)]
    return result


def surround(evidence: Evidence, pool: Pool, rng: np.random.Generator) -> Screened | None:
    """Each chip among three clean ones, two by two: the tiles that the screen meets, where defects are rare.

    Cells are joined, not pictures, so that no seam of the joining is seen; each chip's cells come from
    reflected surroundings. Clean chips of the same source are taken if there are three, else any. None where
    there are no cells or fewer than three clean chips. Law: the labels are those of the chip.
    """
    if evidence.cells is None or evidence.tiles is None:
        return None
    labels = evidence.tiles.labels
    clean = np.flatnonzero((labels == 0).all(axis=1))
    if len(clean) < 3:
        return None
    sources = np.array(evidence.sources)
    logits = np.empty_like(evidence.tiles.logits)
    for i in range(len(labels)):
        near = clean[sources[clean] == sources[i]]
        chosen = rng.choice(near if len(near) >= 3 else clean, 3, replace=False)
        four = evidence.cells[rng.permutation([i, *chosen])]
        rows = [np.concatenate([four[0], four[1]], axis=2), np.concatenate([four[2], four[3]], axis=2)]
        logits[i] = pool(np.concatenate(rows, axis=1)[None])[0]
    return Screened(logits, labels)


def screening_scores(
    screened: Screened, temperature: float, thresholds: Sequence[float] | float = 0.5
) -> dict[str, NDArray[np.float64]]:
    """`precision`, `recall`, `f1` and `false_alarms` (share of the tiles without it that are flagged), (type,).

    NaN where nothing was there to be found, or nothing was flagged.
    """
    flagged = sigmoid(screened.logits / temperature) >= np.asarray(thresholds)
    yes, no = screened.labels == 1, screened.labels == 0
    hits, alarms = (flagged & yes).sum(axis=0), (flagged & no).sum(axis=0)
    misses = (~flagged & yes).sum(axis=0)
    present = hits + misses > 0
    return {
        "precision": _ratio(hits, hits + alarms),
        "recall": _ratio(hits, hits + misses),
        "f1": np.where(present, _ratio(2 * hits, 2 * hits + alarms + misses), np.nan),
        "false_alarms": _ratio(alarms, no.sum(axis=0)),
    }


def _ratio(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
