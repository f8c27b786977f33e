"""Temperatures and thresholds of an exported model, from what it says on the validation split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.constraint import sigmoid
from clearscene.training.calibrate import (
    Reliability,
    class_threshold,
    fit_sigmoid_temperature,
    fit_softmax_temperature,
    recall_threshold,
    sigmoid_reliability,
    softmax_reliability,
    softmax_rows,
)
from clearscene.training.export.evidence import Evidence, Pool, Screened, surround
from clearscene.training.export.settings import CalibrationSettings

__all__ = ["PixelCalibration", "ScreenCalibration", "calibrate_pixels", "calibrate_screen", "sampled_iou"]


@dataclass(frozen=True, eq=False)
class ScreenCalibration:
    """What was found for the screening head."""

    temperature: float
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
    thresholds: tuple[float, ...]
    """By class; the background, the first, has none (0)."""
    before: Reliability
    after: Reliability


def calibrate_screen(
    evidence: Evidence, settings: CalibrationSettings, *, pool: Pool | None, rng: np.random.Generator
) -> ScreenCalibration | None:
    """Fit the temperature, then the highest thresholds that keep the recall; None without such a head."""
    if evidence.tiles is None:
        return None
    around = surround(evidence, pool, rng) if pool is not None and settings.tiles == "surrounded" else None
    tiles = around or evidence.tiles
    temperature = round(fit_sigmoid_temperature(tiles.logits, tiles.labels), 4)
    chances = sigmoid(tiles.logits / temperature)
    columns = range(chances.shape[1])
    return ScreenCalibration(
        temperature=temperature,
        thresholds=tuple(recall_threshold(chances[:, i], tiles.labels[:, i], settings.recall) for i in columns),
        screened=tiles,
        is_surrounded=around is not None,
        before=sigmoid_reliability(tiles.logits, tiles.labels, 1.0),
        after=sigmoid_reliability(tiles.logits, tiles.labels, temperature),
    )


def calibrate_pixels(evidence: Evidence, settings: CalibrationSettings) -> PixelCalibration | None:
    """Fit the temperature, then a threshold a class by the rule of the settings; None without a segmenter."""
    logits, truth = evidence.pixel_logits, evidence.pixel_labels
    if not len(truth):
        return None
    temperature = round(fit_softmax_temperature(logits, truth), 4)
    chances = softmax_rows(logits, temperature)
    best = chances.argmax(axis=1)
    wanted = settings.precision if settings.class_rule == "precision" else None
    thresholds = [0.0]
    for i in range(1, chances.shape[1]):
        mine, n_truth = best == i, int((truth == i).sum())
        found = class_threshold(chances[mine, i], truth[mine] == i, n_truth, precision=wanted)
        thresholds.append(found if n_truth else 0.0)
    before, after = (softmax_reliability(logits, truth, t) for t in (1.0, temperature))
    return PixelCalibration(temperature, tuple(thresholds), before, after)


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
