"""What the screen of a tile says bears on its segmentation: equation 3 and its readings.

Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET Image Processing
2023, section 3.5.1, equation 3. With `z` the screening logit of a type, `s` its segmentation logits
and H the step function::

    s' = s + alpha * z * H(t - z)                                                              (3)

As printed this compares a logit with t = 0.5, so that 0 < z < 0.5 *raises* the type that is to be
lowered, and a large alpha forces it everywhere. The authors' program compares the probability
sigmoid(z) with t. The default here (`safe`) is a form that can only lower::

    s' = s - alpha * max(0, logit(t) - z)

It is 0 at the threshold, so nothing jumps there, and at t = 0.5 it is what the authors' program does.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError

__all__ = ["AbsoluteMode", "Constraint", "Mode", "Space", "constrain", "sigmoid"]


class Mode(StrEnum):
    """Which reading of equation 3."""

    SAFE = "safe"
    """Lowered by how far the type stays under the threshold; never raised. The default."""
    ABSOLUTE = "absolute"
    """A type under the threshold is excluded outright; see `AbsoluteMode`."""
    RELATIVE = "relative"
    """z is added at any threshold; raises types that the screen is sure of, as the paper warns."""
    INTERMEDIATE = "intermediate"
    """Equation 3 with min(z, 0) for z: under the threshold alpha * min(z, 0) is added; never raised."""
    PAPER_CODE = "paper_code"
    """Equation 3 to the letter, threshold as a probability (the program) or a logit (the print)."""
    OFF = "off"
    """The segmentation stands as it is."""


class Space(StrEnum):
    """What the threshold is compared with."""

    PROBABILITY = "probability"
    LOGIT = "logit"


class AbsoluteMode(StrEnum):
    """What becomes of a pixel whose best type is excluded."""

    BACKGROUND = "background"
    """Background, as the paper says."""
    NEXT_BEST = "next_best"
    """The best class that is not excluded, which is the limit alpha to infinity."""


@dataclass(frozen=True)
class Constraint:
    """A reading of equation 3 and its numbers.

    Raises:
        OptionError: A number lies out of range.
    """

    mode: Mode = Mode.SAFE
    alpha: float = 1.0
    """Strength, finite and at least 0; 0 changes nothing. Not used by `absolute` and `relative`."""
    threshold: float = 0.5
    """Where a type counts as absent; 0.5 as a probability is 0 as a logit."""
    threshold_space: Space = Space.PROBABILITY
    absolute_mode: AbsoluteMode = AbsoluteMode.BACKGROUND

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise OptionError(
                f"constraint: alpha {self.alpha} must be finite and not negative.",
                hint="For an infinite alpha use mode 'absolute'.",
            )
        if self.threshold_space is Space.PROBABILITY and not 0 <= self.threshold < 1:
            raise OptionError(
                f"constraint: threshold {self.threshold} is not a probability from 0 to below 1.",
                hint="For a threshold on logits set threshold_space to 'logit'.",
            )
        if math.isnan(self.threshold) or (self.mode is Mode.SAFE and self.threshold == math.inf):
            raise OptionError(
                f"constraint: threshold {self.threshold} cannot be used by mode '{self.mode}'.",
                hint="For the relative constraint use mode 'relative'.",
            )

    @property
    def logit(self) -> float:
        """The threshold as a logit, -inf for a probability of 0."""
        if self.threshold_space is Space.LOGIT:
            return self.threshold
        return math.log(self.threshold / (1 - self.threshold)) if self.threshold else -math.inf

    def shifts(self, screening: NDArray[np.floating]) -> NDArray[np.float32]:
        """What is added to the segmentation logits of each type, (type,); -inf excludes it.

        Laws: never positive for `safe`, `intermediate` and `absolute`; 0 from the threshold on in
        all modes but `relative`.
        """
        z = np.asarray(screening, np.float64)
        below = z < self.logit
        match self.mode:
            case Mode.SAFE:
                shift = -self.alpha * np.maximum(self.logit - z, 0.0)
            case Mode.INTERMEDIATE:
                shift = np.where(below, self.alpha * np.minimum(z, 0.0), 0.0)
            case Mode.PAPER_CODE:
                shift = np.where(below, self.alpha * z, 0.0)
            case Mode.RELATIVE:
                shift = z
            case Mode.ABSOLUTE:
                shift = np.where(below, -np.inf, 0.0)
            case Mode.OFF:
                shift = np.zeros_like(z)
        return shift.astype(np.float32)


def constrain(
    logits: NDArray[np.float32], screening: NDArray[np.floating], constraint: Constraint
) -> NDArray[np.float32]:
    """Segmentation logits (class, row, col) of a tile, adjusted by its screening logits (class - 1,).

    Class 0 is the background and is never lowered; `screening[i]` belongs to class i + 1. Excluded
    classes come back as -inf, everything else is finite. Law: where all classes are excluded, the
    background is the best class of every pixel.
    """
    shift = np.concatenate([np.zeros(1, np.float32), constraint.shifts(screening)])
    excluded = np.isneginf(shift)
    if not shift.any():
        return logits
    if not excluded.any():
        return np.asarray(logits + shift[:, None, None], np.float32)
    adjusted = np.where(excluded[:, None, None], -np.inf, logits + np.where(excluded, 0, shift)[:, None, None])
    if constraint.mode is Mode.ABSOLUTE and constraint.absolute_mode is AbsoluteMode.BACKGROUND:
        best = logits.argmax(axis=0)
        # where an excluded class was best, the background takes over its logit and so its rank
        adjusted[0] = np.where(excluded[best], logits.max(axis=0), adjusted[0])
    return adjusted.astype(np.float32, copy=False)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of logits of any shape, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(logits, np.float64) / 2)))
