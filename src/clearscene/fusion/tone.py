"""Relative normalization: each image brought to the tone of a reference by one straight line a band.

One line for the whole image, so nothing inside it changes from place to place and no seam can come of it. The line is
fitted on pixels that are good in both images, robustly, because clouds, shadows and changed ground are among them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.methods.method import Floats

__all__ = ["ToneLine", "fit_line", "fit_tone", "toned"]

FEWEST = 100
"""Good pixels in both images below which no line is fitted."""
N_PAIRS = 4000
ITERATIONS = 8
KEPT_DEVIATIONS = 2.5
GAINS = (0.2, 5.0)
"""A gain beyond these is no change of light."""
TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation, of normal numbers."""


@dataclass(frozen=True)
class ToneLine:
    """What brings a band to the tone of the reference: value * gain + offset."""

    gain: float = 1.0
    offset: float = 0.0


def fit_line(values: NDArray[np.floating], wanted: NDArray[np.floating]) -> ToneLine | None:
    """The line from `values` to `wanted`, both (n,); None if there are too few, or no line fits.

    It starts from the median slope of random pairs (Theil and Sen), which bears up to 29 % of outliers, and goes
    on by the reduced major axis of what lies within 2.5 deviations; unlike least squares that does not flatten
    when both images are noisy. Law: if wanted = a * values + b on most pixels with a in 0.2 to 5, that is found.
    """
    x, y = np.asarray(values, np.float64), np.asarray(wanted, np.float64)
    if x.size < FEWEST:
        return None
    gain = _median_slope(x, y)
    if gain is None:
        return None
    offset = float(np.median(y - gain * x))
    for _ in range(ITERATIONS):
        off = np.abs(y - gain * x - offset)
        deviation = TO_DEVIATION * float(np.median(off))
        kept = off <= max(KEPT_DEVIATIONS * deviation, 1e-9 * float(np.abs(y).max()))
        x_kept, y_kept = x[kept], y[kept]
        if x_kept.size < FEWEST / 2 or x_kept.std() == 0:
            break
        gain = float(y_kept.std() / x_kept.std())
        offset = float(y_kept.mean() - gain * x_kept.mean())
    return ToneLine(gain, offset) if GAINS[0] <= gain <= GAINS[1] else None


def _median_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Median slope of pairs that differ enough in x; None if none do, or if it does not rise."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, x.size, (2, N_PAIRS))
    dx, dy = x[other] - x[one], y[other] - y[one]
    far = np.abs(dx) > 0.25 * x.std()
    if far.sum() < FEWEST / 2:
        return None
    slope = float(np.median(dy[far] / dx[far]))
    return slope if slope > 0 else None


def fit_tone(image: Floats, reference: Floats, good: NDArray[np.bool_]) -> tuple[ToneLine, ...] | None:
    """A line a band from overviews (band, row, col) and where both are good (row, col); None if a band has none."""
    lines = [fit_line(x[good], y[good]) for x, y in zip(image, reference, strict=True)]
    return None if any(line is None for line in lines) else tuple(line for line in lines if line is not None)


def toned(data: Floats, lines: tuple[ToneLine, ...] | None) -> Floats:
    """Values (band, row, col) in the tone of the reference."""
    if lines is None:
        return data
    gains, offsets = (
        np.array([getattr(line, name) for line in lines], data.dtype)[:, np.newaxis, np.newaxis]
        for name in ("gain", "offset")
    )
    return np.asarray(data * gains + offsets, data.dtype)
