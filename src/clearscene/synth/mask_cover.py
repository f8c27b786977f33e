"""Put clouds, shadows and harmless things over clear reflectance, so that near infrared stays sensible.

The generators work on values of 0 to 1 and take reflectance as it is: a cloud is as bright in near infrared as in
red (give or take 3 %), a veil of optical depth d lets exp(-d) of the ground through, and a shadow takes most from
near infrared. What is scattered below, the path radiance, lies between ground and sensor whatever the light on the
ground: it is taken off before and put back after, so that a shadow darkens blue less than near infrared.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.synth import cloud, cloud_shadow, negatives
from clearscene.synth.catalog import REAL_CLOUD, Generator
from clearscene.synth.cloud_optics import grained
from clearscene.synth.cloud_shadow import cast, dimmed, shade_strength
from clearscene.synth.degraded import Degraded
from clearscene.synth.mask_truth import TAUGHT_CLOUD, Cover
from clearscene.synth.real_clouds import cut_out
from clearscene.synth.reflectance import Piece
from clearscene.synth.sources import Ground

__all__ = ["CLOUDS", "HARMLESS", "SHADOWS", "chosen", "paste_real", "put_cover", "put_harmless", "weighted"]

Unit = NDArray[np.float32]

PATH = (0.03, 0.05, 0.08, 0.015)
"""Most reflectance of a clear sky itself in red, green, blue and near infrared."""

CLOUDS: tuple[Generator, ...] = (
    Generator("cloud.cumulus", cloud.cumulus, 2.0),
    Generator("cloud.small_cumuli", cloud.small_cumuli, 1.5),
    Generator("cloud.stratus", cloud.stratus),
    Generator("cloud.thin_cloud", cloud.thin_cloud, 2.5),
    Generator("cloud.haze", cloud.haze, 0.6),
    Generator("cloud.whole_cover", cloud.whole_cover, 0.5),
)
SHADOWS: tuple[Generator, ...] = (Generator("shadow.cloud_shadow", cloud_shadow.cloud_shadow),)
HARMLESS: tuple[Generator, ...] = (
    Generator("lookalike.snow", negatives.snow),
    Generator("lookalike.sand", negatives.sand),
    Generator("lookalike.ploughed_field", negatives.ploughed_field, 0.5),
    Generator("lookalike.water_glint", negatives.water_glint, 0.7),
    Generator("lookalike.surf", negatives.surf, 0.7),
    Generator("lookalike.overbright", negatives.overbright, 0.7),
    Generator("lookalike.white_roofs", negatives.white_roofs),
    Generator("lookalike.concrete", negatives.concrete, 0.7),
    Generator("lookalike.greenhouses", negatives.greenhouses, 0.7),
    Generator("lookalike.building_shadow", negatives.building_shadow, 0.5),
    Generator("lookalike.terrain_shadow", negatives.terrain_shadow, 0.5),
    Generator("lookalike.open_water", negatives.open_water),
)
VEILS = ("cloud.thin_cloud", "cloud.haze")
FAINT, STRONG = (0.0, 0.8), (0.15, 1.0)
"""Severity of veils, whose densest parts have an optical depth of 0.3 to 2, and of all else."""
GRAYEST = 0.45
"""Harmless things are as bright as the generators make them for a display, times this to 1."""


def weighted(entries: Sequence[Generator], weights: dict[str, float]) -> list[Generator]:
    """The generators with the weights of a recipe; those of weight 0 are left out.

    Raises:
        OptionError: A weight is for a generator that there is not.
    """
    known = {entry.name for entry in (*CLOUDS, *SHADOWS, *HARMLESS)}
    if unknown := sorted(set(weights) - known):
        raise OptionError(f"generators names {unknown[0]}, which there is not.", hint=f"They are {sorted(known)}.")
    scaled = [Generator(e.name, e.degrade, e.weight * weights.get(e.name, 1.0)) for e in entries]
    return [entry for entry in scaled if entry.weight > 0]


def chosen(entries: Sequence[Generator], rng: np.random.Generator) -> Generator:
    """One of the generators, by weight."""
    weights = np.array([entry.weight for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


def put_cover(piece: Piece, cover: Cover, entry: Generator, rng: np.random.Generator) -> Piece:
    """Put a generated cloud or shadow over a piece and note it in `cover`."""
    path = _path_radiance(piece)
    severity = rng.uniform(*(FAINT if entry.name in VEILS else STRONG))
    result = entry.degrade(piece.data - path, piece.valid, rng, float(severity))
    return _noted(piece, cover, result, path)


def put_harmless(piece: Piece, entry: Generator, rng: np.random.Generator) -> Piece:
    """Put something bright or dark into a piece that is neither cloud nor shadow."""
    unit = np.float32(rng.uniform(GRAYEST, 1.0))
    changed = entry.degrade(piece.data / unit, piece.valid, rng, float(rng.random())).data * unit
    return Piece(changed, piece.valid, None)


def paste_real(piece: Piece, cover: Cover, cut: Piece, rng: np.random.Generator) -> Piece:
    """Put the clouds of a labeled piece over another, with the shadow that they would throw.

    The shadow falls away from a sun at a random azimuth, the same for all clouds of the piece.
    """
    assert cut.labels is not None
    labels = np.where(cut.labels == TAUGHT_CLOUD, np.uint8(1), np.where(cut.labels == 0, np.uint8(0), np.uint8(255)))
    texture, opacity = cut_out(Ground(cut.data, cut.valid, labels, is_reflectance=True))
    texture = _with_bands(texture, len(piece.data)) * np.float32(np.exp(rng.uniform(np.log(0.7), np.log(1.3))))
    shadowed = piece
    if rng.random() < 0.75:
        shadowed = _shadow_of(opacity, piece, cover, rng)
    result = cloud.paste_cloud(shadowed.data, piece.valid, texture=texture, opacity=opacity)
    return _noted(shadowed, cover, result, np.float32(0))


def _shadow_of(opacity: Unit, piece: Piece, cover: Cover, rng: np.random.Generator) -> Piece:
    """The piece in the shadow of clouds of this opacity (row, col), which is noted in `cover`."""
    azimuth, offset = float(rng.uniform(0, 360)), float(np.exp(rng.uniform(np.log(6), np.log(70))))
    shade = cast(opacity, azimuth_deg=azimuth, offset_px=offset, softness_px=float(rng.uniform(0.6, 3.0)))
    shade *= 1 - cv2.GaussianBlur(opacity, (0, 0), 1.0)  # what falls on the cloud itself is not seen
    shade[~piece.valid] = 0
    strength, path = shade_strength(rng, float(rng.uniform(0.2, 1.0))), _path_radiance(piece)
    noise = grained(piece.data.shape, rng, softness_px=float(rng.uniform(0.0, 0.9)))
    data = dimmed(piece.data - path, shade, noise, strength=strength) + path
    cover.add(None, shade * np.float32(strength))
    return Piece(np.asarray(data, np.float32), piece.valid, None)


def _noted(piece: Piece, cover: Cover, result: Degraded, path: Unit | np.float32) -> Piece:
    cover.add(result.planes.get("opacity"), result.planes.get("light_lost"))
    return Piece(np.asarray(result.data + path, np.float32), piece.valid, None)


def _path_radiance(piece: Piece) -> Unit:
    """(band, 1, 1): what even the darkest pixels send, but never more than `PATH`."""
    inside = piece.data[:, piece.valid][:, ::7] if piece.valid.any() else np.zeros((len(piece.data), 1), np.float32)
    darkest = np.percentile(inside, 1, axis=1) * 0.8
    most = np.array(PATH[: len(piece.data)])
    return np.asarray(np.clip(darkest, 0, most), np.float32)[:, None, None]


def _with_bands(texture: Unit, n_bands: int) -> Unit:
    """A cloud's color in as many bands; near infrared that is not known is that of red."""
    return texture[:n_bands] if n_bands <= len(texture) else np.concatenate([texture, texture[:1]])


REAL = REAL_CLOUD
"""Name of pasted clouds in the parameters of a chip."""
