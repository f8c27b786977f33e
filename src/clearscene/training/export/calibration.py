"""Temperatures and thresholds of an exported model, from what it says on the validation split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.constraint import sigmoid
from clearscene.inspection.taxonomy import BY_NAME, DefectType, Group
from clearscene.training.calibrate import (
    Reliability,
    class_threshold,
    false_alarm_threshold,
    fit_sigmoid_temperature,
    fit_softmax_temperature,
    recall_threshold,
    sigmoid_reliability,
    softmax_reliability,
    softmax_rows,
)
from clearscene.training.export.evidence import Evidence, Pool, Screened, surround
from clearscene.training.export.settings import CalibrationSettings

__all__ = [
    "EVEN_ODDS",
    "PixelCalibration",
    "ScreenCalibration",
    "calibrate_pixels",
    "calibrate_screen",
    "drawn",
    "sampled_iou",
]

EVEN_ODDS = 0.5


@dataclass(frozen=True, eq=False)
class ScreenCalibration:
    """What was found for the screening head."""

    temperature: float
    """What is used: the fitted one, or 1 where that would make the calibration error larger."""
    fitted: float
    thresholds: tuple[float | None, ...]
    """By type; None where the split holds no example."""
    screened: Screened
    """The tiles that were used."""
    is_surrounded: bool
    """Those tiles are chips among clean ones."""
    before: Reliability
    after: Reliability


@dataclass(frozen=True, eq=False)
class PixelCalibration:
    """What was found for the segmenter."""

    temperature: float
    """What is used: the fitted one, or 1 where that would make the calibration error larger."""
    fitted: float
    thresholds: tuple[float, ...]
    """By class; the background, the first, has none (0)."""
    before: Reliability
    after: Reliability


def calibrate_screen(
    evidence: Evidence,
    settings: CalibrationSettings,
    *,
    types: Sequence[str],
    pool: Pool | None,
    rng: np.random.Generator,
    counted: NDArray[np.bool_] | None = None,
) -> ScreenCalibration | None:
    """Fit the temperature, then choose a threshold for each of `types`; None without such a head.

    Only examples that are `counted` (chip, type) decide the thresholds for the recall; default all.
    """
    if evidence.tiles is None:
        return None
    around = surround(evidence, pool, rng) if pool is not None and settings.tiles == "surrounded" else None
    tiles = around or evidence.tiles
    fitted = round(fit_sigmoid_temperature(tiles.logits, tiles.labels), 4)
    temperature, before, after = _kept(fitted, lambda t: sigmoid_reliability(tiles.logits, tiles.labels, t))
    chances = sigmoid(tiles.logits / temperature)
    labels = tiles.labels if counted is None else np.where((tiles.labels == 1) & ~counted, np.nan, tiles.labels)
    return ScreenCalibration(
        temperature=temperature,
        fitted=fitted,
        thresholds=tuple(
            _screen_threshold(BY_NAME[name], chances[:, i], labels[:, i], settings) for i, name in enumerate(types)
        ),
        screened=tiles,
        is_surrounded=around is not None,
        before=before,
        after=after,
    )


def _kept(fitted: float, curve: Callable[[float], Reliability]) -> tuple[float, Reliability, Reliability]:
    """The temperature to use, and what `curve` says without and with it.

    The cross-entropy that a temperature is fitted by can fall while the calibration error rises: then it is 1.
    """
    before, after = curve(1.0), curve(fitted)
    return (fitted, before, after) if after.error <= before.error else (1.0, before, before)


def _screen_threshold(
    kind: DefectType, chances: NDArray[np.floating], labels: NDArray[np.floating], settings: CalibrationSettings
) -> float | None:
    """Region and pixel types: what keeps the recall; boundary types: what keeps false alarms rare.

    A few examples that the screen is sure of say little about the others, so a threshold for the recall never
    exceeds even odds.
    """
    if kind.group is Group.BOUNDARY:
        return false_alarm_threshold(chances, labels, settings.boundary_false_alarms)
    found = recall_threshold(chances, labels, settings.recall)
    return None if found is None else min(found, EVEN_ODDS)


def calibrate_pixels(
    evidence: Evidence, settings: CalibrationSettings, *, names: Sequence[str]
) -> PixelCalibration | None:
    """Fit the temperature, then a threshold a class by the rule of the settings; None without a segmenter."""
    logits, truth = evidence.pixel_logits, evidence.pixel_labels
    if not len(truth):
        return None
    fitted = round(fit_softmax_temperature(logits, truth), 4)
    temperature, before, after = _kept(fitted, lambda t: softmax_reliability(logits, truth, t))
    chances = softmax_rows(logits, temperature)
    best = chances.argmax(axis=1)
    wanted = settings.precision if settings.class_rule == "precision" else None
    thresholds = [0.0]
    for i in range(1, chances.shape[1]):
        mine, n_truth = best == i, int((truth == i).sum())
        found = class_threshold(chances[mine, i], truth[mine] == i, n_truth, precision=wanted)
        thresholds.append(settings.class_thresholds.get(names[i], found if n_truth else 0.0))
    return PixelCalibration(temperature, fitted, tuple(thresholds), before, after)


def drawn(
    evidence: Evidence, calibration: PixelCalibration, *, types: Sequence[str], names: Sequence[str]
) -> NDArray[np.bool_]:
    """Where the segmenter draws a type if it is asked: (chip, type).

    It gives the type to a tenth of its pixels or more, as sure as the class threshold wants. True for types that are
    none of the classes `names`, and where a chip shows no pixel of the type: nothing is known against them.
    """
    result = np.ones((len(evidence.certainty), len(types)), np.bool_)
    for i, name in enumerate(types):
        if name in names:
            place = list(names).index(name)
            certainty = evidence.certainty[:, place]
            result[:, i] = np.isnan(certainty) | ((certainty > 0) & (certainty >= calibration.thresholds[place]))
    return result


def sampled_iou(evidence: Evidence, calibration: PixelCalibration) -> list[float]:
    """IoU by class over the drawn pixels with the thresholds applied; NaN without truth.

    Below its threshold a class gives way to the background, as in `inspection.scale`.
    """
    chances = softmax_rows(evidence.pixel_logits, calibration.temperature)
    best = chances.argmax(axis=1)
    enough = chances.max(axis=1) >= np.asarray(calibration.thresholds)[best]
    answer, truth = np.where(enough, best, 0), evidence.pixel_labels
    return [_iou(answer == i, truth == i) for i in range(chances.shape[1])]


def _iou(answer: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((answer & truth).sum() / (answer | truth).sum()) if truth.any() else float("nan")
