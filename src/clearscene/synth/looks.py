"""How ground is shown: bright and dark, as orthophotos and as stretched satellite scenes.

A detector sees 8-bit display values. In an orthophoto ground is mid-gray and clouds saturate; in a
satellite scene stretched by percentiles or by reflectance, ground is dark. A look is drawn for each
chip before a defect goes in, and the chip is finished after it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.raster.stretch import TAILS
from clearscene.synth.sources import Ground

__all__ = ["Look", "draw_look", "finish"]

Unit = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """How one chip is shown."""

    gain: float
    gamma: float
    balance: tuple[float, float, float]
    """Gain of red, green and blue against their mean."""
    is_stretched: bool
    """True: percentiles of the finished chip become black and white."""
    quality: int
    """JPEG quality; 0: no compression."""

    def apply(self, data: Unit) -> Unit:
        """Ground (band, row, col) as it is shown, before a defect."""
        shown = np.power(np.maximum(data, 0.0), np.float32(self.gamma)) * np.float32(self.gain)
        return np.asarray(shown * np.asarray(self.balance, np.float32)[:, None, None])


def draw_look(ground: Ground, rng: np.random.Generator, *, jpeg: float) -> Look:
    """A look at random: satellite ground keeps its reflectance or is stretched, aerial ground may be darkened.

    Law: gray ground stays gray.
    """
    kind = rng.random()
    balance = tuple(float(v) for v in np.exp(rng.normal(0.0, 0.04, 3)))
    if ground.is_gray:
        balance = (1.0, 1.0, 1.0)
    quality = int(rng.integers(70, 96)) if rng.random() < jpeg else 0
    if ground.is_reflectance:
        gain = 1.0 if kind < 0.5 else float(np.exp(rng.uniform(np.log(0.35), np.log(1.5))))
        return Look(gain, 1.0, (balance[0], balance[1], balance[2]), bool(rng.random() < 0.4), quality)
    gain, gamma = 1.0, 1.0
    if 0.5 <= kind < 0.75:  # as of a satellite
        gain, gamma = float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.9, 1.6))
    elif kind >= 0.75:
        gain, gamma = float(rng.uniform(0.7, 1.35)), float(rng.uniform(0.65, 1.3))
    return Look(gain, gamma, (balance[0], balance[1], balance[2]), bool(rng.random() < 0.1), quality)


def finish(data: Unit, valid: NDArray[np.bool_], look: Look) -> NDArray[np.uint8]:
    """The chip as it is stored: stretched if the look says so, clipped to 8 bits, compressed; (band, row, col)."""
    if look.is_stretched and valid.any():
        low, high = np.percentile(data[:, valid][:, ::7], TAILS)
        data = (data - np.float32(low)) / np.float32(max(high - low, 0.02))
    shown = np.rint(np.clip(data, 0.0, 1.0) * 255).astype(np.uint8)
    if look.quality:
        shown = _compressed(shown, look.quality)
    shown[:, ~valid] = 0
    return shown


def _compressed(shown: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """What is left after JPEG."""
    bgr = np.ascontiguousarray(shown[::-1].transpose(1, 2, 0))
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1].transpose(2, 0, 1), np.uint8)
