"""Tones: how two pictures of the same ground differ in brightness, contrast and color, and by how much.

The measure is the CIE 1976 color difference delta E in CIE Lab under D65 (CIE 15, "Colorimetry"):
about 2 is seen where two areas touch, 5 is seen at a glance, 20 is another color.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["DARKEST", "Tone", "delta_e", "fit_tone", "mixed", "random_tone"]

Bands = NDArray[np.float32]
"""(band, ...) in units of the display."""

DARKEST = 1 / 255
"""What a change of tone leaves of what is not black: a lost pixel is black, a dark one is not."""
STRONGEST = 1.6
"""Limit of the strength of a tone, so that a target out of reach ends somewhere."""


@dataclass(frozen=True, eq=False)
class Tone:
    """A change of tone: value -> value ** gamma * gain + lift, then color away from gray or toward it."""

    log_gain: Bands
    """(band,), natural logarithm."""
    lift: Bands
    """(band,), units of the display; haze lifts blue most."""
    log_gamma: float = 0.0
    """Natural logarithm."""
    saturation: float = 0.0
    """0 keeps it, -1 makes gray, 1 doubles it."""

    def scaled(self, strength: float) -> "Tone":
        """The same kind of change, `strength` times as strong; below 0 in the other direction."""
        return replace(
            self,
            log_gain=self.log_gain * np.float32(strength),
            lift=self.lift * np.float32(strength),
            log_gamma=self.log_gamma * strength,
            saturation=self.saturation * strength,
        )

    def apply(self, data: Bands) -> Bands:
        """Change values (band, ...); float32 of the same shape.

        Law: strength 0 changes nothing from 0 up; what is above `DARKEST` stays there.
        """
        shape = (-1,) + (1,) * (data.ndim - 1)
        changed = np.maximum(data, 0)
        if self.log_gamma:
            changed = cv2.pow(changed.reshape(len(data), -1), float(np.exp(self.log_gamma))).reshape(data.shape)
        changed = changed * np.exp(self.log_gain).reshape(shape) + self.lift.reshape(shape)
        if self.saturation and len(data) >= 3:
            gray = (changed[0] + changed[1] + changed[2]) / np.float32(3)
            changed[:3] += (changed[:3] - gray) * np.float32(self.saturation)
        return np.maximum(changed, np.minimum(data, np.float32(DARKEST)))


def random_tone(n_bands: int, rng: np.random.Generator) -> Tone:
    """A kind of change, of unknown strength: brighter, steeper, hazier, another cast, paler, or a mixture."""
    kind = str(
        rng.choice(["gain", "gamma", "haze", "cast", "saturation", "mixture"], p=[0.2, 0.12, 0.15, 0.23, 0.05, 0.25])
    )
    sign = float(rng.choice([-1, 1]))
    share = {name: float(rng.uniform(0.05, 0.2)) for name in ("gain", "gamma", "haze", "cast", "saturation")}
    share |= {name: float(rng.normal(0, 0.5)) for name in share} if kind == "mixture" else {kind: 1.0}
    if n_bands < 3:  # gray knows no color
        share |= {"gain": share["gain"] + share["cast"] + share["saturation"]}
    cast = rng.normal(0, 0.6, n_bands)
    haze = np.resize([0.55, 0.75, 1.0, 0.3], n_bands) if n_bands >= 3 else np.ones(n_bands)
    color = share["cast"] * (cast - cast.mean()) if n_bands >= 3 else np.zeros(n_bands)
    gain = share["gain"] + color - 0.45 * share["haze"]
    return Tone(
        log_gain=(sign * gain).astype(np.float32),
        lift=(sign * 0.4 * share["haze"] * haze).astype(np.float32),
        log_gamma=sign * 0.8 * share["gamma"],
        saturation=sign * share["saturation"],
    )


def fit_tone(tone: Tone, sample: Bands, target_delta_e: float) -> tuple[Tone, float]:
    """Scale a tone so that it changes a sample (band, n) by `target_delta_e`; returns it and what it reaches.

    Less is reached where the ground cannot change that much, such as black ground under a gain.
    """
    strength = 0.1
    for _ in range(6):
        reached = delta_e(sample, tone.scaled(strength).apply(sample))
        if abs(reached - target_delta_e) < 0.02 * target_delta_e:
            break
        strength = float(np.clip(strength * target_delta_e / max(reached, 0.05), 0.002, STRONGEST))
    fitted = tone.scaled(strength)
    return fitted, delta_e(sample, fitted.apply(sample))


def mixed(data: Bands, tone: Tone, weight: Bands, *, rng: np.random.Generator, seen: Bands | None = None) -> Bands:
    """Values (band, n) of which a share `weight` (n,) has the tone; below 0, a share has the opposite tone.

    Laws: weight 0 keeps a value; what is above `DARKEST` stays there. `seen` are values to take under
    the tone in place of `data`, such as blurred ones.
    """
    seen = data if seen is None else seen
    changed = tone.apply(seen)
    # A gain spreads stored levels apart: noise below one level closes the gaps of the histogram.
    gap = np.float32(max(0.0, float(np.exp(np.abs(tone.log_gain)).max()) - 1) / 255)
    changed += gap * (rng.random(changed.shape, np.float32) - np.float32(0.5))
    result = data + np.maximum(weight, 0) * (changed - data)
    if weight.min(initial=0) < 0:
        result += np.maximum(-weight, 0) * (tone.scaled(-1).apply(data) - data)
    return np.asarray(np.maximum(result, np.minimum(data, np.float32(DARKEST))), np.float32)


def delta_e(before: Bands, after: Bands) -> float:
    """Mean CIE 1976 color difference between two samples (band, n); the first three bands, or one gray band."""
    first, second = (_lab(sample) for sample in (before, after))
    return float(np.sqrt(((first - second) ** 2).sum(axis=-1)).mean())


def _lab(sample: Bands) -> Bands:
    """CIE Lab of sRGB values (band, n), as (n, 3)."""
    shown = sample[:3] if len(sample) >= 3 else np.repeat(sample[:1], 3, axis=0)
    pixels = np.ascontiguousarray(np.clip(shown, 0, 1).T, np.float32)[None]  # (1, n, 3)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0], np.float32)
