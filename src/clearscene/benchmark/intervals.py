"""Numbers of many scenes as one, with an interval that scenes drawn again give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.metrics import Sums, measure

__all__ = ["DRAWS", "FEWEST_SCENES", "Estimate", "Pooling", "estimate", "scene_draws"]

DRAWS = 1000
FEWEST_SCENES = 5
"""For an interval. Of four scenes 35 different sets can be drawn, of two three: their spread says nothing."""
Pooling = Literal["pixels", "scenes"]


@dataclass(frozen=True)
class Estimate:
    """A number and the middle 95 % of what it is when scenes are drawn again; NaN where not defined."""

    value: float
    low: float
    high: float


def scene_draws(n_scenes: int, *, seed: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """How often each scene counts, (draw, scene). Law: each row draws as many scenes as there are."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_scenes, np.full(n_scenes, 1 / n_scenes), draws).astype(np.int64)


def estimate(
    sums: Sums, names: Sequence[str], *, pooling: Pooling, seed: int, draws: int = DRAWS
) -> dict[str, Estimate]:
    """Metrics over scenes, (scene, ...) sums, by name.

    `pixels` adds up the sums of all scenes; `scenes` takes the mean of the scenes where the metric is defined.
    With fewer than `FEWEST_SCENES` of the scenes that it is made of the interval is NaN.
    """
    n_scenes = len(sums.confusion)
    whole = np.ones((1, n_scenes), np.int64)
    is_few = n_scenes < FEWEST_SCENES
    drawn = np.zeros((0, n_scenes), np.int64) if is_few else scene_draws(n_scenes, seed=seed, draws=draws)
    values = _values(sums, names, np.concatenate([whole, drawn]), pooling)
    return {name: _estimate(float(found[0]), found[1:]) for name, found in values.items()}


def _values(
    sums: Sums, names: Sequence[str], weights: NDArray[np.int64], pooling: Pooling
) -> dict[str, NDArray[np.float64]]:
    """Each metric (draw,) of scenes counted as often as `weights` (draw, scene) says."""
    if pooling == "pixels":
        pooled = sums.weighted(weights)
        return {name: measure(name, pooled) for name in names}
    found = {}
    for name in names:
        by_scene = measure(name, sums)
        known = np.isfinite(by_scene)
        total = weights @ np.where(known, by_scene, 0.0)
        count = weights @ known.astype(np.float64)
        found[name] = np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)
        if known.sum() < FEWEST_SCENES:
            found[name][1:] = np.nan
    return found


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))
