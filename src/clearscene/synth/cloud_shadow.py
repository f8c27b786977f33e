"""Shadows of clouds: cast by a cloud of the window, or by one outside it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane, above, places, smoothstep, soft, turbulence, warped
from clearscene.synth.cloud_optics import filled, grain, grained
from clearscene.synth.degraded import Data, Degraded, Mask

__all__ = ["MARKED_SHADE", "Thrown", "cast", "cloud_shadow", "dimmed", "shade_strength"]

MARKED_SHADE = 0.2
"""Share of the sun's disc hidden from which a pixel is counted as shadow; the rest of a penumbra is context."""
_DEPTH = {0: 1.0, 1: 0.95, 2: 0.85}
"""Loss of light by band against red: the blue sky still lights a shadow, hardly the near infrared."""


@dataclass(frozen=True, eq=False)
class Thrown:
    """A shadow on the ground of a window."""

    shade: Plane
    """(row, col) in [0, 1]: share of the sun's disc that is hidden."""
    light_lost: float
    """Share of the light that is lost where the whole disc is hidden."""


def shade_strength(rng: np.random.Generator, severity: float) -> float:
    """Share of the light that a full shadow takes away, 0.22 to 0.75."""
    return float(np.clip(0.25 + 0.45 * severity + rng.normal(0, 0.05), 0.22, 0.75))


def dimmed(
    ground: NDArray[np.float32], shade: Plane, noise: NDArray[np.float32], *, strength: float
) -> NDArray[np.float32]:
    """Ground (band, row, col) with its light reduced by `strength` times `shade` (row, col) in [0, 1].

    The noise of the darker ground is brought back to what fewer photons give: its variance falls as the
    light, not as the light squared; `noise` (band, row, col), as of `grained`, is scaled to that. Law: where
    shade is 0 each value stays, bit by bit.
    """
    result = np.empty_like(ground)
    lost = np.float32(strength) * shade
    spread = np.sqrt(np.maximum(lost - lost * lost, 0)) * np.float32(grain(ground))
    for band, values in enumerate(ground):
        depth = _DEPTH.get(band, 1.0) if len(ground) > 1 else 0.95
        result[band] = values * (1 - np.float32(depth) * lost) + spread * noise[band]
    return result


def cast(opacity: Plane, *, azimuth_deg: float, offset_px: float, softness_px: float) -> Plane:
    """Shade (row, col) in [0, 1] thrown by a cloud of this opacity, away from a sun at `azimuth_deg`.

    The azimuth is counted clockwise from the top. Clouds outside the window are taken as the mirror image
    of those inside, so that shadows reach in from every border.
    """
    down, right = np.cos(np.deg2rad(azimuth_deg)) * offset_px, -np.sin(np.deg2rad(azimuth_deg)) * offset_px
    height, width = opacity.shape
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(opacity, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.clip(soft(np.asarray(moved, np.float32), max(softness_px, 0.3)), 0, 1)


def cloud_shadow(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The shadow of a cloud that stands outside the window: ragged, soft at the rim, bluish and dark.

    Parameters: `light_lost` (share, red), `penumbra_px`, `cover_fraction`.
    """
    height, width = valid.shape
    shade, penumbra = _thrown(height, width, rng)
    shade = shade * smoothstep(0.01, 0.1, shade)
    shade[~valid] = 0
    mask = shade >= MARKED_SHADE
    strength = shade_strength(rng, severity)
    noise = grained(data.shape, rng, softness_px=float(rng.uniform(0.0, 0.9)))
    result = data.copy()
    np.copyto(result, dimmed(filled(data, valid), shade, noise, strength=strength), where=shade > 0)
    told = {"light_lost": strength, "penumbra_px": penumbra, "cover_fraction": float(mask.mean())}
    planes = {"light_lost": shade * np.float32(strength)}
    return Degraded(result, mask, told, context=(shade > 0) & ~mask, planes=planes)


def _thrown(height: int, width: int, rng: np.random.Generator) -> tuple[Plane, float]:
    """Shade of one cloud or a few, always somewhere in the window; and the width of its rim."""
    side = min(height, width)
    size = float(np.exp(rng.uniform(np.log(32), np.log(3.0 * side))))
    field = turbulence(height, width, rng, scale_px=size / 2, slope=rng.uniform(1.7, 2.6))
    field = warped(field, rng, reach_px=size / 45, scale_px=size / 4)
    rows, cols = places(height, width)
    row, col = rng.uniform(0.1, 0.9) * height, rng.uniform(0.1, 0.9) * width
    far = np.sqrt((rows - np.float32(row)) ** 2 + (cols - np.float32(col)) ** 2) * np.float32(2 / size)
    density = field * np.float32(0.5) - far * np.float32(1.6)
    level = above(density, float(min(0.6, rng.uniform(0.25, 0.5) * size**2 / (height * width))))
    penumbra = float(rng.uniform(0.8, 3.0) * (1 + size / 200))
    sharp = smoothstep(level, level + rng.uniform(0.15, 0.6), density)
    return np.clip(soft(sharp, penumbra), 0, 1), penumbra
