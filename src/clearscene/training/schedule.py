"""How far a training is, and how fast it learns there."""

import math

from clearscene.training.config import ScheduleConfig

__all__ = ["factor", "progress"]


def progress(step: int, n_steps: int, *, seconds: float = 0.0, max_minutes: float | None = None) -> float:
    """Share of the training that is done, 0 to 1: by steps, or by time where that is further."""
    by_time = seconds / (60 * max_minutes) if max_minutes else 0.0
    return min(1.0, max(step / max(n_steps, 1), by_time))


def factor(step: int, done: float, config: ScheduleConfig, *, n_plateaus: int = 0) -> float:
    """What the learning rate is multiplied by: a linear warm-up times a cosine from 1 to `final`, or halvings.

    Of the kind plateau `config.factor` once for each of `n_plateaus` instead of the cosine, of constant 1.

    Laws: in (0, 1]; with the cosine `final` at `done` 1; after the warm-up it never grows.
    """
    warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
    if config.parts:
        return float(warm * 0.5 ** min(int(done * config.parts), config.parts - 1))
    if config.kind != "cosine":
        return warm * max(config.factor**n_plateaus if config.kind == "plateau" else 1.0, 1e-6)
    cosine = config.final + (1 - config.final) * (1 + math.cos(math.pi * done)) / 2
    return warm * max(cosine, 1e-6)
