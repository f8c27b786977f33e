"""From what was counted to the numbers of a cell: threshold, metrics with intervals, groups, scenes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clearscene.benchmark.card import Card
from clearscene.benchmark.evaluate import Counted
from clearscene.benchmark.intervals import Estimate, estimate
from clearscene.benchmark.metrics import METRICS, Sums, measure
from clearscene.benchmark.results import Number, Scene
from clearscene.benchmark.tally import Tally, joined
from clearscene.datasets.prepared import PreparedRecord

__all__ = ["Judged", "best_threshold", "judge"]


@dataclass(frozen=True, eq=False)
class Judged:
    """The numbers of a cell."""

    threshold: float
    metrics: dict[str, Number]
    by_biome: dict[str, dict[str, Number]]
    by_cover: dict[str, dict[str, Number]]
    scenes: tuple[Scene, ...]
    n_pixels: int


def judge(
    card: Card, counted: Counted, records: Sequence[PreparedRecord], *, threshold: float | None, seed: int
) -> Judged:
    """Measure what a card has counted; `threshold` was found elsewhere, or None as the card says.

    Every metric is measured, whatever the columns of the card: the tables choose.
    """
    tallies = counted.tallies
    if threshold is None:
        is_fixed = card.threshold.rule == "fixed"
        threshold = card.threshold.value if is_fixed else best_threshold(card, list(tallies.values()))
    of_scene = {record.scene: record for record in records}
    scenes = sorted(tallies)
    return Judged(
        threshold=threshold,
        metrics=_numbers(card, [tallies[scene] for scene in scenes], threshold, seed=seed),
        by_biome=_groups(card, tallies, threshold, group_of=lambda scene: of_scene[scene].biome, seed=seed),
        by_cover=_groups(card, tallies, threshold, group_of=lambda scene: of_scene[scene].cover, seed=seed),
        scenes=tuple(_scenes(scenes, tallies, of_scene, threshold)),
        n_pixels=sum(tally.n_pixels for tally in tallies.values()),
    )


def best_threshold(card: Card, tallies: Sequence[Tally]) -> float:
    """The candidate with the best IoU pooled over all scenes; of equal ones the lowest."""
    candidates = card.threshold.candidates
    values = []
    for threshold in candidates:
        sums = joined(tallies, threshold)
        values.append(float(measure("iou", sums.weighted(np.ones((1, len(tallies)), np.int64)))[0]))
    known = [value if math.isfinite(value) else -1.0 for value in values]
    return candidates[int(np.argmax(known))]


def _numbers(card: Card, tallies: Sequence[Tally], threshold: float, *, seed: int) -> dict[str, Number]:
    found = estimate(joined(tallies, threshold), tuple(METRICS), pooling=card.pooling, seed=seed)
    return {name: _number(entry) for name, entry in found.items()}


def _groups(
    card: Card,
    tallies: Mapping[str, Tally],
    threshold: float,
    *,
    group_of: Callable[[str], str | None],
    seed: int,
) -> dict[str, dict[str, Number]]:
    """Metrics of the scenes of each group; scenes of no group are left out."""
    by_group: dict[str, list[Tally]] = {}
    for scene in sorted(tallies):
        if group := group_of(scene):
            by_group.setdefault(group, []).append(tallies[scene])
    return {group: _numbers(card, by_group[group], threshold, seed=seed) for group in sorted(by_group)}


def _scenes(
    names: Sequence[str], tallies: Mapping[str, Tally], of_scene: Mapping[str, PreparedRecord], threshold: float
) -> list[Scene]:
    sums: Sums = joined([tallies[name] for name in names], threshold)
    values = {metric: measure(metric, sums) for metric in METRICS}
    found = []
    for i, name in enumerate(names):
        tp, fp, fn, tn = (int(n) for n in sums.confusion[i])
        metrics = {metric: _finite(float(column[i])) for metric, column in values.items()}
        record = of_scene[name]
        found.append(
            Scene(scene=name, biome=record.biome, cover=record.cover, tp=tp, fp=fp, fn=fn, tn=tn, metrics=metrics)
        )
    return found


def _number(entry: Estimate) -> Number:
    return Number(value=_finite(entry.value), low=_finite(entry.low), high=_finite(entry.high))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
