"""What all generated clouds share: light on their relief, color, and how they are put over a window."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.cloud_field import Plane, lit, smoothstep
from clearscene.synth.cloud_optics import MARKED, cast_of, composite, filled, grain, grained, parted, tint, visible
from clearscene.synth.cloud_shadow import MARKED_SHADE, Thrown, dimmed
from clearscene.synth.degraded import Degraded

__all__ = ["clouded", "colored", "depth_scale", "sunlit"]


def clouded(
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    opacity: Plane,
    color: NDArray[np.float32],
    parameters: Mapping[str, float | int | str],
    exponent: float = 0.0,
    thrown: Thrown | None = None,
) -> Degraded:
    """Put a cloud of raw `opacity` (row, col) and `color` (broadcast to band, row, col) over a window.

    Rims fade to nothing; what is at least `MARKED` opaque is the mask, thinner parts are context.
    `exponent` is that of wavelength in `parted`. Grain like the window's own is added where the
    ground's is covered.
    """
    ground = filled(data, valid)
    kept = visible(opacity, valid)
    bands = _drifted(parted(kept, len(data), exponent=exponent), rng)
    mask, touched = (kept >= MARKED) & valid, (kept > 0) & valid
    noise = grained(data.shape, rng, softness_px=float(rng.uniform(0.0, 0.9)))
    shadow = np.zeros_like(mask)
    below, planes = ground, {"opacity": kept}
    if thrown is not None:
        shade = thrown.shade * smoothstep(0.01, 0.1, thrown.shade)
        shade[(kept > 0.6) | ~valid] = 0
        shadow = (shade >= MARKED_SHADE) & ~mask
        touched |= shade > 0
        below = dimmed(ground, shade, noise, strength=thrown.light_lost)
        planes["light_lost"] = shade * np.float32(thrown.light_lost)
    changed = composite(below, bands, color, scatter_px=int(rng.choice((1, 3, 3, 5))))
    hidden = np.sqrt(kept * (2 - kept)) * np.float32(grain(ground) * rng.uniform(0.4, 1.3))
    noise *= hidden
    changed += noise
    result = data.copy()
    np.copyto(result, changed, where=touched)
    told = {"cover_fraction": float(mask.mean()), "opacity_max": float(kept.max())} | dict(parameters)
    also = {"shadow": shadow} if shadow.any() else {}
    return Degraded(result, mask, told, also, touched & ~mask & ~shadow, planes)


def _drifted(bands: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Sometimes move each band of opacity a little: high clouds lie apart in bands that are scanned in turn."""
    if len(bands) == 1 or rng.random() > 0.25:
        return bands
    reach, angle = rng.uniform(0.3, 2.5), rng.uniform(0, 2 * np.pi)
    height, width = bands.shape[1:]
    moved = [bands[0]]
    for step, band in enumerate(bands[1:], start=1):
        part = reach * step / (len(bands) - 1)
        move = np.array([[1, 0, part * np.cos(angle)], [0, 1, part * np.sin(angle)]], np.float32)
        moved.append(cv2.warpAffine(band, move, (width, height), borderMode=cv2.BORDER_REPLICATE))
    return np.stack(moved)


def sunlit(
    relief: Plane,
    depth: Plane,
    rng: np.random.Generator,
    *,
    azimuth_deg: float,
    size_px: float,
    bright: tuple[float, float],
) -> Plane:
    """Brightness (row, col) of a cloud with this relief; `bright` is that of thick and of thinnest parts in full light.

    Slopes that face the sun are lit, others gray; thin parts send back less light than thick ones
    (two-stream albedo, depth / (depth + const)). `depth` is relative, 1 in a core. Contrasts run from those
    of a fog to those of Sentinel-2 cumulus, whose deviation is a fifth to a third of the mean.
    """
    sizes = tuple(size for size in (1.2, size_px / 40, size_px / 16, size_px / 7) if size >= 1.2)
    light = lit(relief, azimuth_deg, sizes_px=sizes, fine=float(rng.uniform(0.2, 1.0)))
    depths = (0.05, 0.2) if rng.random() < 0.25 else (0.2, 0.6)  # fog or sculptured
    contrast, floor, half = rng.uniform(*depths), 1 - rng.uniform(*depths) * 1.3, rng.uniform(0.15, 1.5)
    thick = depth * np.float32(1 + half) / (depth + np.float32(half))
    shaded = 1 + np.float32(contrast) * np.minimum(light, np.float32(0.6))
    floor = max(floor, bright[1] / bright[0])
    return np.asarray(np.float32(bright[0]) * (np.float32(floor) + np.float32(1 - floor) * thick) * shaded)


def colored(value: Plane, data: NDArray[np.float32], rng: np.random.Generator, *, bright: float) -> NDArray[np.float32]:
    """Brightness (row, col) as color (band, row, col): dark parts are a little bluer than lit ones.

    Now and then it takes on a part of the color cast of the scene `data` (band, row, col), all of it valid.
    """
    color = value[None] * (tint(len(data), rng, blue=(-0.06, 0.10)) * cast_of(data, rng))
    if len(data) >= 3:
        gray = np.maximum(np.float32(bright) - value, 0) * np.float32(rng.uniform(0.0, 0.12))
        color[0] -= gray
        color[2] += gray
    return np.asarray(color)


def depth_scale(rng: np.random.Generator, severity: float) -> float:
    """Optical depth of a core: from 0.4, ground seen through, to 14, white."""
    return float(0.45 * 31 ** np.clip(severity + rng.normal(0, 0.08), 0, 1))
