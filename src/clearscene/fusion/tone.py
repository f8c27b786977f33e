"""Relative normalization: each image brought to the tone of a reference by one straight line a band.

One line for the whole image, so nothing inside it changes from place to place and no seam can come of it. The line is
fitted on pixels that are good in both images, robustly, because clouds, shadows and changed ground are among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.fusion.methods.method import Floats

__all__ = ["ToneLine", "Tried", "chosen", "fit_line", "fit_tone", "toned"]

FEWEST = 100
"""Good pixels in both images below which no line is fitted."""
MOST = 40_000
"""Pixels that are looked at."""
N_PAIRS = 4000
N_LEVELS = 24
"""Steps of the reference's values; what it shows seldom then counts beside what it shows everywhere."""
LEVEL_TAILS = (0.5, 99.5)
"""Percentiles between which the levels lie."""
FEWEST_OF_LEVEL = 8
ITERATIONS = 8
KEPT_DEVIATIONS = 2.5
GAINS = (0.2, 5.0)
"""A gain beyond these is no change of light."""
TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation, of normal numbers."""

Values = NDArray[np.float64]
Level = NDArray[np.intp]
"""Places of the pixels of a level."""


@dataclass(frozen=True)
class ToneLine:
    """What brings a band to the tone of the reference: value * gain + offset."""

    gain: float = 1.0
    offset: float = 0.0


def fit_line(values: NDArray[np.floating], wanted: NDArray[np.floating]) -> ToneLine | None:
    """The line from `values` to `wanted`, both (n,); None if there are too few, or no line fits.

    Two lines are tried, and the one that more pixels lie on is taken. One starts from the median slope of random pairs
    (Theil and Sen), which bears up to 29 % of outliers, in both images. The other starts from the medians of the image
    at each level of the reference: over a forest with a river, nearly all pairs are forest and noise, and their slope
    is that of the noise; it bears clouds in up to half of the image, but no clouds in the reference. Both go on by the
    reduced major axis of what lies within 2.5 deviations; unlike least squares that does not flatten when both images
    are noisy. In the second, and in the choice, a level counts as the square root of its pixels. Law: if
    wanted = a * values + b on most pixels with a in 0.2 to 5, that is found.
    """
    lines = chosen([_tried(values, wanted)])
    return None if lines is None else lines[0]


def fit_tone(image: Floats, reference: Floats, good: NDArray[np.bool_]) -> tuple[ToneLine, ...] | None:
    """A line a band from overviews (band, row, col) and where both are good (row, col); None if a band has none.

    All bands take the same one of the two lines of `fit_line`, where all have it: else colors would shift. Of more than
    40,000 pixels as many are drawn, always the same.
    """
    places = np.flatnonzero(good)
    if places.size > MOST:
        places = np.random.default_rng(0).choice(places, MOST, replace=False)
    return chosen([_tried(x.ravel()[places], y.ravel()[places]) for x, y in zip(image, reference, strict=True)])


@dataclass(frozen=True)
class Tried:
    """The lines of a band, by pairs and by levels, and how many pixels lie on each, 0 to 1."""

    lines: tuple[ToneLine | None, ToneLine | None]
    shares: tuple[float, float]

    def best(self) -> ToneLine | None:
        """The line with more pixels, or the only one."""
        order = (1, 0) if self.shares[1] > self.shares[0] else (0, 1)
        return next((self.lines[way] for way in order if self.lines[way] is not None), None)


def chosen(bands: Sequence[Tried]) -> tuple[ToneLine, ...] | None:
    """A line a band: all by pairs or all by levels, by which more pixels lie on; else the best of each band."""
    ways = [way for way in (0, 1) if all(band.lines[way] is not None for band in bands)]
    if ways:
        way = max(ways, key=lambda way: sum(band.shares[way] for band in bands))
        found = [band.lines[way] for band in bands]
    else:
        found = [band.best() for band in bands]
    lines = tuple(line for line in found if line is not None)
    return lines if len(lines) == len(bands) else None


def _tried(values: NDArray[np.floating], wanted: NDArray[np.floating]) -> Tried:
    """Both lines from `values` to `wanted`, both (n,)."""
    x, y = np.asarray(values, np.float64), np.asarray(wanted, np.float64)
    if x.size < FEWEST:
        return Tried((None, None), (0.0, 0.0))
    levels = _levels(y)
    starts = _by_pairs(x, y), _by_levels(x, y, levels)
    parts = (([np.arange(x.size)], FEWEST // 2), (levels, FEWEST_OF_LEVEL // 2))
    refined = [
        None if start is None else _refined(x, y, start, level, fewest=fewest)
        for start, (level, fewest) in zip(starts, parts, strict=True)
    ]
    one, other = (line if line is not None and GAINS[0] <= line.gain <= GAINS[1] else None for line in refined)
    return Tried((one, other), _shares(x, y, (one, other), levels))


def _shares(
    x: Values, y: Values, lines: tuple[ToneLine | None, ToneLine | None], levels: Sequence[Level]
) -> tuple[float, float]:
    """Share of the pixels on each line, levels counted by the square root of their pixels; 0 where there is no line."""
    offs = [None if line is None or not levels else _off(x, y, line) for line in lines]
    deviations = [_deviation(off, levels) for off in offs if off is not None]
    near = max(KEPT_DEVIATIONS * min(deviations, default=0.0), 1e-6 * float(np.abs(y).max()))
    weight = np.sqrt([level.size for level in levels])
    one, other = (
        0.0 if off is None else float(np.average([(off[level] <= near).mean() for level in levels], weights=weight))
        for off in offs
    )
    return one, other


def _off(x: Values, y: Values, line: ToneLine) -> Values:
    """Distance of each pixel from the line, across it: the noise of the image and that of the reference count alike."""
    return np.asarray(np.abs(y - line.gain * x - line.offset) / np.hypot(1, line.gain))


def _deviation(off: Values, levels: Sequence[Level]) -> float:
    """Of the usual level."""
    medians = np.array([np.median(off[level]) for level in levels])
    return TO_DEVIATION * _weighted_median(medians, np.sqrt([level.size for level in levels]))


def _levels(y: Values) -> list[Level]:
    """Pixels by equal steps of the reference's value; steps with few pixels are left out."""
    low, high = np.percentile(y, LEVEL_TAILS)
    if not high > low:
        return []
    inside = np.flatnonzero((y >= low) & (y <= high))
    step = np.minimum(((y[inside] - low) / (high - low) * N_LEVELS).astype(int), N_LEVELS - 1)
    order = inside[np.argsort(step, kind="stable")]
    parts = np.split(order, np.cumsum(np.bincount(step, minlength=N_LEVELS))[:-1])
    return [part for part in parts if part.size >= FEWEST_OF_LEVEL]


def _by_levels(x: Values, y: Values, levels: Sequence[Level]) -> ToneLine | None:
    """The median slope between the medians of levels; None if there are not two."""
    if len(levels) < 2:
        return None
    of_x, of_y = (np.array([np.median(values[level]) for level in levels]) for values in (x, y))
    weight = np.sqrt([level.size for level in levels])
    one, other = np.triu_indices(len(levels), 1)
    dx, dy = of_x[other] - of_x[one], of_y[other] - of_y[one]
    slopes = np.where(dx > 0, dy / np.where(dx > 0, dx, 1), GAINS[1])
    gain = float(np.clip(_weighted_median(slopes, weight[one] * weight[other] * dy), *GAINS))
    return ToneLine(gain, _weighted_median(of_y - gain * of_x, weight))


def _by_pairs(x: Values, y: Values) -> ToneLine | None:
    """The median slope of pairs that differ enough in x; None if none do, or if it does not rise."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, x.size, (2, N_PAIRS))
    dx, dy = x[other] - x[one], y[other] - y[one]
    far = np.abs(dx) > 0.25 * x.std()
    if far.sum() < FEWEST / 2:
        return None
    gain = float(np.median(dy[far] / dx[far]))
    return ToneLine(gain, float(np.median(y - gain * x))) if gain > 0 else None


def _refined(x: Values, y: Values, line: ToneLine, levels: Sequence[Level], *, fewest: int) -> ToneLine:
    """The reduced major axis of the pixels near the line, again and again."""
    for _ in range(ITERATIONS):
        off = np.abs(y - line.gain * x - line.offset)
        near = max(KEPT_DEVIATIONS * _deviation(off, levels), 1e-9 * float(np.abs(y).max()))
        parts = [level[off[level] <= near] for level in levels]
        parts = [part for part in parts if part.size >= fewest]
        if not parts:
            break
        weight = np.concatenate([np.full(part.size, part.size**-0.5) for part in parts])
        kept = np.concatenate(parts)
        weight /= weight.sum()
        middle = [float((weight * values[kept]).sum()) for values in (x, y)]
        spread = [
            float(np.sqrt((weight * (values[kept] - mean) ** 2).sum()))
            for values, mean in zip((x, y), middle, strict=True)
        ]
        if spread[0] == 0:
            break
        gain = spread[1] / spread[0]
        line = ToneLine(gain, middle[1] - gain * middle[0])
    return line


def _weighted_median(values: Values, weight: Values) -> float:
    order = np.argsort(values)
    upto = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(upto, upto[-1] / 2)])


def toned(data: Floats, lines: tuple[ToneLine, ...] | None) -> Floats:
    """Values (band, row, col) in the tone of the reference."""
    if lines is None:
        return data
    gains, offsets = (
        np.array([getattr(line, name) for line in lines], data.dtype)[:, np.newaxis, np.newaxis]
        for name in ("gain", "offset")
    )
    return np.asarray(data * gains + offsets, data.dtype)
