"""How a cloud or a shadow mixes with the ground below: opacity, color, grain of the sensor."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane, smoothstep
from clearscene.synth.degraded import Data, Mask

__all__ = ["MARKED", "brightness", "cast_of", "composite", "filled", "grain", "grained", "parted", "tint", "visible"]

MARKED = 0.22
"""Opacity from which a pixel is counted as cloud; thinner rims are seen by nobody and called context."""
_RIM = (0.004, 0.05)
"""Opacities between which a rim fades to nothing."""
_MOST_GRAIN = 0.014
_WAVELENGTH_UM = (0.66, 0.56, 0.48, 0.84)
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def visible(opacity: Plane, valid: NDArray[np.bool_]) -> Plane:
    """Opacity (row, col) whose thinnest rims fade to exactly 0, and which is 0 where not valid.

    Law: from 0.05 on opacity stays as it is.
    """
    kept = opacity * smoothstep(*_RIM, opacity)
    if not valid.all():
        kept[~valid] = 0
    return kept


def parted(opacity: Plane, n_bands: int, *, exponent: float) -> NDArray[np.float32]:
    """Opacity of each band (band, row, col) where optical depth goes as wavelength to the power `-exponent`.

    Law: exponent 0 gives the same plane in every band; the green band always keeps the plane given.
    """
    if n_bands == 1 or exponent == 0:
        return np.asarray(np.broadcast_to(opacity, (n_bands, *opacity.shape)), np.float32)
    log_clear = np.log1p(-np.minimum(opacity, np.float32(0.9999)))
    powers = [(_WAVELENGTH_UM[min(band, 3)] / _WAVELENGTH_UM[1]) ** -exponent for band in range(n_bands)]
    return np.stack([opacity if power == 1 else -np.expm1(log_clear * np.float32(power)) for power in powers])


def filled(data: Data, valid: Mask) -> NDArray[np.float32]:
    """`data` (band, row, col), its invalid pixels replaced by the mean of the valid ones of their band."""
    if valid.all():
        return data
    result = data.copy()
    for band in result:
        band[~valid] = band[valid].mean() if valid.any() else 0
    return result


def composite(
    ground: NDArray[np.float32], opacity: NDArray[np.float32], color: NDArray[np.float32], *, scatter_px: int = 1
) -> NDArray[np.float32]:
    """Ground seen through a cloud: `(1 - opacity) * ground + opacity * color`, (band, row, col).

    `opacity` is (row, col) or (band, row, col), `color` anything that broadcasts. A `scatter_px` over 1 blurs
    the ground over as many pixels, the more the thicker the cloud. Law: where opacity is 0 each value
    stays, bit by bit.
    """
    opacity = np.broadcast_to(opacity, ground.shape)
    if scatter_px > 1:
        blurred = np.stack([cv2.blur(band, (scatter_px, scatter_px)) for band in ground])
        blurred -= ground
        blurred *= opacity
        ground = ground + blurred
    mixed = np.subtract(color, ground)
    mixed *= opacity
    mixed += ground
    return mixed


def grain(data: NDArray[np.float32]) -> float:
    """Deviation of pixel noise, from the smoother tenth of the blocks of a window (band, row, col).

    J. Immerkaer, "Fast noise variance estimation", CVIU 1996: the mean absolute answer of a kernel that
    is blind to planes and edges; taken block by block because ground has texture of its own, and never
    more than `_MOST_GRAIN`, because leaves and gravel are texture everywhere.
    """
    answer = np.abs(cv2.filter2D(data.mean(axis=0), -1, _NOISE_KERNEL))
    height, width = answer.shape
    blocks = cv2.resize(answer, (max(1, width // 16), max(1, height // 16)), interpolation=cv2.INTER_AREA)
    return min(float(np.quantile(blocks, 0.1) * np.sqrt(np.pi / 2) / 6), _MOST_GRAIN)


def grained(shape: tuple[int, ...], rng: np.random.Generator, *, softness_px: float) -> NDArray[np.float32]:
    """Noise (band, row, col) of unit deviation, mostly common to the bands, slightly blurred."""
    plane = rng.standard_normal(shape[1:], np.float32)
    if softness_px > 0.3:
        plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), softness_px))
        plane *= np.float32(1 / max(float(cv2.meanStdDev(plane)[1][0, 0]), 1e-6))
    result = np.empty(shape, np.float32)
    for band, noise in enumerate(result):
        # A rolled copy of the same plane serves as the band's own part.
        noise[:] = np.roll(plane, (11 + 7 * band, 5 + 13 * band), (0, 1))
        cv2.addWeighted(noise, 0.51, plane, 0.86, 0, dst=noise)
    return result


def cast_of(data: Data, rng: np.random.Generator) -> NDArray[np.float32]:
    """How a scene colors what is white, (band, 1, 1): mostly not at all, now and then a part of its own cast."""
    if len(data) < 3 or rng.random() > 0.3:
        return np.ones((len(data), 1, 1), np.float32)
    means = np.maximum(data[:, ::5, ::5].mean(axis=(1, 2)), 0.02)
    cast = np.clip((means / means[:3].mean()) ** rng.uniform(0.05, 0.35), 0.8, 1.25)
    cast[3:] = 1
    return np.asarray(cast, np.float32)[:, None, None]


def tint(n_bands: int, rng: np.random.Generator, *, blue: tuple[float, float]) -> NDArray[np.float32]:
    """Color of a white thing under a hazy sky, (band, 1, 1) of mean about 1.

    `blue` bounds how much the blue band lies above the red one; green and nir vary by a percent or two.
    """
    lean = rng.uniform(*blue)
    green, nir = rng.normal(0, 0.012), rng.normal(0, 0.03)
    color = [1 - lean / 2, 1 + green, 1 + lean / 2] + [1 - lean / 2 + nir] * max(n_bands - 3, 0)
    return np.array(color[:n_bands] if n_bands > 1 else [1.0], np.float32)[:, None, None]


def brightness(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> tuple[float, float]:
    """Brightness of the sunlit part of a cloud above this ground and of its thinnest part, in units of the display.

    A dark scene was stretched for the cloud's sake or not: from a little above the ground's own bright
    parts to beyond white. A cloud always stands out from the mean of the ground, more so if severe; what
    is thin shows less of its color, but not a darker one than the ground has.
    """
    sample = data[:3, ::5, ::5][:, valid[::5, ::5]]
    middle, high = np.quantile(sample, (0.5, 0.95)) if sample.size else (0.3, 0.5)
    lowest = max(0.33, middle + 0.12 + 0.13 * severity, 0.75 * high)
    bright = float(rng.triangular(lowest, max(lowest, 0.8) + 0.04, max(lowest + 0.1, 1.08)))
    return bright, min(float(middle) + 0.07, bright)
