"""What an export measured, as one record: printed, put into the card and the manifest, kept beside the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.constraint import sigmoid
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.training.calibrate import Reliability
from clearscene.training.export.calibration import PixelCalibration, ScreenCalibration, sampled_iou
from clearscene.training.export.evidence import Evidence, Screened, screening_scores
from clearscene.training.export.parity import Parity

__all__ = ["Measured", "Scores", "score"]


@dataclass(frozen=True)
class Scores:
    """Accuracy on the validation split; a name is missing where the split holds none of it."""

    n_chips: int
    iou: dict[str, float] = field(default_factory=dict)
    """By class, the background among them; pooled over all pixels, by the largest logit."""
    iou_with_thresholds: dict[str, float] = field(default_factory=dict)
    """The same over the pixels drawn for calibration, with the thresholds applied."""
    threshold: dict[str, float] = field(default_factory=dict)
    """Probability from which on a tile is flagged, by type; where the split holds no example, 0.5."""
    n_tiles: dict[str, int] = field(default_factory=dict)
    """Tiles with each type: how much the numbers of the screen rest on."""
    precision: dict[str, float] = field(default_factory=dict)
    """Of the screen, by type, at its thresholds; recall, f1 and false_alarms likewise."""
    recall: dict[str, float] = field(default_factory=dict)
    f1: dict[str, float] = field(default_factory=dict)
    false_alarms: dict[str, float] = field(default_factory=dict)
    recall_of_drawn: dict[str, float] = field(default_factory=dict)
    """Recall of the screen among the tiles in which the segmenter draws the type, if it is asked."""
    f1_at_half: dict[str, float] = field(default_factory=dict)
    """Of the screen, by type, where a tile is flagged from a probability of 0.5 on."""
    clean_flagged: float | None = None
    """Share of the tiles without any defect that are flagged for a type that is then segmented: what the screen
    does not save. None without clean tiles or without a segmenter."""

    @property
    def mean_iou(self) -> float | None:
        """Over the classes that are there, without the background."""
        values = [value for name, value in self.iou.items() if name != "background"]
        return float(np.mean(values)) if values else None

    @property
    def macro_f1(self) -> float | None:
        """Mean of `f1_at_half` over the types that are there."""
        return float(np.mean(list(self.f1_at_half.values()))) if self.f1_at_half else None


@dataclass(frozen=True)
class Measured:
    """Everything that an export found out."""

    precision: str
    n_parameters: int
    sizes: dict[str, int]
    """Bytes by file."""
    parity: dict[str, Parity]
    """By runtime."""
    scores: Scores
    screen: ScreenCalibration | None
    pixels: PixelCalibration | None
    speed: dict[str, dict[str, float]]
    """Mpx/s by runtime and file."""
    float_scores: Scores | None = None
    """Of the float32 graphs, where the precision is lower and changes the arithmetic."""
    float_speed: dict[str, dict[str, float]] = field(default_factory=dict)

    def accuracy(self) -> dict[str, float]:
        """For the manifest: measured on the validation split of the training's own data set."""
        found = {f"val.iou.{name}": value for name, value in self.scores.iou.items()}
        if self.scores.mean_iou is not None:
            found["val.mean_iou"] = self.scores.mean_iou
        for key in ("recall", "precision", "f1_at_half"):
            found |= {f"val.screen_{key}.{name}": value for name, value in getattr(self.scores, key).items()}
        return {name: round(value, 4) for name, value in found.items()}

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "precision": self.precision,
            "parameters": self.n_parameters,
            "bytes": self.sizes,
            "parity": {runtime: vars(parity) for runtime, parity in self.parity.items()},
            "validation": vars(self.scores),
            "validation_float32": vars(self.float_scores) if self.float_scores else None,
            "screen": _screen_record(self.screen),
            "pixels": _pixel_record(self.pixels),
            "speed_mpx_s": self.speed,
            "speed_mpx_s_float32": self.float_speed or None,
        }


def score(
    evidence: Evidence,
    screen: ScreenCalibration | None,
    pixels: PixelCalibration | None,
    *,
    types: Sequence[str],
    counted: NDArray[np.bool_] | None = None,
) -> Scores:
    """Accuracy of the answers at the calibration's temperatures and thresholds; `counted` (chip, type) by `drawn`."""
    found: dict[str, Mapping[str, float]] = {}
    clean_flagged, n_tiles = None, dict.fromkeys(types, 0)
    if screen is not None:
        limits = [0.5 if value is None else value for value in screen.thresholds]
        at_limits = screening_scores(screen.screened, screen.temperature, limits)
        found["threshold"] = dict(zip(types, limits, strict=True))
        found |= {key: _named(values, types) for key, values in at_limits.items()}
        if counted is not None:
            only = np.where((screen.screened.labels == 1) & ~counted, np.nan, screen.screened.labels)
            among = screening_scores(Screened(screen.screened.logits, only), screen.temperature, limits)
            found["recall_of_drawn"] = _named(among["recall"], types)
        n_tiles = dict(zip(types, (screen.screened.labels == 1).sum(axis=0).tolist(), strict=True))
        segmented = [name in evidence.counts.names and BY_NAME[name].group is Group.REGION for name in types]
        clean_flagged = _clean_flagged(screen, np.array(limits)[segmented], np.array(segmented))
        found["f1_at_half"] = _named(screening_scores(screen.screened, screen.temperature)["f1"], types)
    if pixels is not None:
        classes = evidence.counts.names
        found["iou"] = _named(evidence.counts.iou(), classes)
        found["iou_with_thresholds"] = _named(np.array(sampled_iou(evidence, pixels)), classes)
    named = {key: dict(values) for key, values in found.items()}
    return Scores(len(evidence.sources), n_tiles=n_tiles, clean_flagged=clean_flagged, **named)


def _clean_flagged(
    screen: ScreenCalibration, limits: NDArray[np.float64], segmented: NDArray[np.bool_]
) -> float | None:
    is_clean = (screen.screened.labels == 0).all(axis=1)
    if not is_clean.any() or not segmented.any():
        return None
    chances = sigmoid(screen.screened.logits[is_clean][:, segmented] / screen.temperature)
    return round(float((chances >= limits).any(axis=1).mean()), 5)


def _named(values: NDArray[np.float64], names: Sequence[str]) -> dict[str, float]:
    """By name, without what could not be measured."""
    pairs = zip(names, values.tolist(), strict=True)
    return {name: round(value, 5) for name, value in pairs if not np.isnan(value)}


def _screen_record(screen: ScreenCalibration | None) -> dict[str, Any] | None:
    if screen is None:
        return None
    return {
        "temperature": screen.temperature,
        "fitted_temperature": screen.fitted,
        "thresholds": list(screen.thresholds),
        "tiles": "each chip among three clean ones" if screen.is_surrounded else "each chip alone, reflected",
        "reliability": _curves(screen.before, screen.after),
    }


def _pixel_record(pixels: PixelCalibration | None) -> dict[str, Any] | None:
    if pixels is None:
        return None
    return {
        "temperature": pixels.temperature,
        "fitted_temperature": pixels.fitted,
        "thresholds": list(pixels.thresholds),
        "reliability": _curves(pixels.before, pixels.after),
    }


def _curves(before: Reliability, after: Reliability) -> dict[str, Any]:
    return {name: _curve(curve) for name, curve in (("before", before), ("after", after))}


def _curve(curve: Reliability) -> dict[str, Any]:
    """Empty bins are null."""

    def listed(values: NDArray[np.float64]) -> list[float | None]:
        """Values (bin,) as JSON has them."""
        return [None if np.isnan(value) else round(value, 6) for value in values.tolist()]

    return {
        "expected_calibration_error": round(curve.error, 6),
        "counts": curve.counts.tolist(),
        "confidence": listed(curve.confidence),
        "frequency": listed(curve.frequency),
    }
