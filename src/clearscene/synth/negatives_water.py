"""Dark water that is no shadow, in reflectance: lakes, rivers and the sea seen from above."""

import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import above, gentle, smoothstep, turbulence
from clearscene.synth.cloud_optics import filled, grain, grained
from clearscene.synth.degraded import Degraded
from clearscene.synth.negative_shapes import mixed, unmarked

__all__ = ["open_water"]

_CLEAREST = np.array([0.020, 0.030, 0.050, 0.006], np.float32)
"""Reflectance at the top of the atmosphere of deep clear water, red, green, blue, near infrared; some is the sky's."""
_MUDDIEST = np.array([0.130, 0.120, 0.105, 0.060], np.float32)
"""Of water full of silt or algae."""


def open_water(
    data: NDArray[np.float32], valid: NDArray[np.bool_], rng: np.random.Generator, severity: float
) -> Degraded:
    """A lake, a winding river or a shore: smooth, with a sharp bank, darker the longer the wave; severity muddies it.

    Bands are red, green, blue and near infrared, which is darkest; further bands are as dark. Parameters:
    `cover_fraction`, `silt` (0: clearest, 1: muddiest), `form`.
    """
    height, width = valid.shape
    ground, side = filled(data, valid), min(height, width)
    form = str(rng.choice(["lakes", "river", "shore"]))
    if form == "river":
        bed = np.abs(gentle(height, width, rng, scale_px=side * rng.uniform(0.4, 1.2)))
        bed += np.float32(0.03) * turbulence(height, width, rng, scale_px=side / 6, slope=1.8)
        share = float(rng.uniform(0.04, 0.25))
        field = -bed
    else:
        size = side * (rng.uniform(0.1, 0.5) if form == "lakes" else rng.uniform(1.0, 2.0))
        field = turbulence(height, width, rng, scale_px=size, slope=rng.uniform(1.7, 2.4))
        share = float(rng.uniform(0.05, 0.5) if form == "lakes" else rng.uniform(0.3, 1.0))
    level = above(field, share)
    bank = float(np.std(field)) * rng.uniform(0.005, 0.06)
    alpha = smoothstep(level - bank, level + bank, field)
    silt = float(np.clip(severity * rng.uniform(0.3, 1.0), 0, 1))
    drift = np.clip(silt + 0.15 * gentle(height, width, rng, scale_px=side / 2), 0, 1).astype(np.float32)
    n_bands = len(data)
    bands = [*range(min(n_bands, 4)), *[3] * max(n_bands - 4, 0)]
    clearest, muddiest = _CLEAREST[bands, None, None], _MUDDIEST[bands, None, None]
    color = clearest + drift * (muddiest - clearest)
    color = color * np.float32(np.exp(rng.normal(0, 0.15))) + np.float32(grain(ground)) * grained(
        ground.shape, rng, softness_px=0.5
    )
    told: dict[str, float | int | str] = {"cover_fraction": float((alpha > 0.5).mean()), "silt": silt, "form": form}
    return unmarked(data, mixed(ground, alpha, np.maximum(color, np.float32(1e-3))), valid, parameters=told)
