"""Real clouds, cut out of labeled satellite images and put over other ground.

A generated cloud has the texture of its generator; a real one has none but its own. The opacity of a
cut-out follows the brightness between that of the clear pixels and that of the thick cloud of its
image, inside what the labels call cloud, and fades to nothing at their edge.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.taxonomy import BY_NAME
from clearscene.synth.catalog import REAL_CLOUD, Generator
from clearscene.synth.chip_set import Split
from clearscene.synth.cloud import paste_cloud
from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.sources import Ground, Source, read_ground, read_labels

__all__ = ["RealClouds", "cut_out"]

CLOUD = BY_NAME["cloud"].id
LEAST = 0.03
"""Share of an image that must be cloud for a cut-out."""
FADE = 5.0
"""Pixels from the edge of the label over which the opacity rises."""


class RealClouds:
    """Draws from the clouds of labeled images of one split; `generator` has the form of all others."""

    def __init__(self, sources: Sequence[Source], split: Split) -> None:
        self._sources = [s for s in sources if s.split == split and _has_clouds(s)]
        self.generator = Generator(REAL_CLOUD, self.paste)

    @property
    def is_there(self) -> bool:
        """False if no image of the split holds clouds."""
        return bool(self._sources)

    def paste(self, data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
        """Put a cut-out over `data`: turned, enlarged up to 2 times, of a brightness that fits."""
        source = self._sources[int(rng.integers(len(self._sources)))]
        size = max(valid.shape)
        part = max(64, int(size / rng.uniform(1.0, 2.0)))
        texture, opacity = cut_out(read_ground(source, size=part, rng=rng))
        k = int(rng.integers(4))
        texture, opacity = np.rot90(texture, k, axes=(1, 2)), np.rot90(opacity, k)
        texture, opacity = _fitted(texture, valid.shape), _fitted(opacity[None], valid.shape)[0]
        bright = float(np.percentile(texture.mean(axis=0)[opacity > 0.5], 90)) if (opacity > 0.5).any() else 1.0
        ground = float(np.percentile(data.mean(axis=0)[valid], 60)) if valid.any() else 0.3
        wanted = max(ground + 0.15 + 0.35 * severity, float(rng.uniform(0.5, 1.2)))
        if len(data) != len(texture):  # a gray scene, or one with near infrared: clouds are white in all bands
            texture = texture.mean(axis=0, keepdims=True)
        texture = texture * np.float32(wanted / max(bright, 1e-3))
        return paste_cloud(data, valid, texture=texture, opacity=opacity * np.float32(0.6 + 0.4 * severity))


def cut_out(ground: Ground) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Texture (band, row, col) and opacity (row, col) in [0, 1] of the clouds in a labeled image."""
    assert ground.labels is not None
    cloud = ground.labels == CLOUD
    opacity = np.zeros(cloud.shape, np.float32)
    if not cloud.any():
        return ground.data, opacity
    gray = cv2.GaussianBlur(ground.data.min(axis=0), (0, 0), 1.0)  # clouds are white: their least band is bright
    clear = ground.labels == 0
    low = float(np.percentile(gray[clear], 75)) if clear.mean() > 0.02 else float(np.percentile(gray[cloud], 2)) * 0.8
    high = max(float(np.percentile(gray[cloud], 70)), low + 0.05)
    rise = np.clip((gray - low) / (high - low), 0, 1)
    inside = cv2.distanceTransform(cloud.astype(np.uint8), cv2.DIST_L2, 3)
    opacity = np.sqrt(rise) * np.clip(inside / FADE, 0, 1)
    return ground.data, opacity.astype(np.float32)


def _has_clouds(source: Source) -> bool:
    labels = read_labels(source)
    return labels is not None and bool(np.mean(labels == CLOUD) > LEAST)


def _fitted(data: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(band, row, col) enlarged to (row, col) of `shape`, a square cut."""
    side = max(shape)
    large = [cv2.resize(np.ascontiguousarray(band), (side, side), interpolation=cv2.INTER_CUBIC) for band in data]
    return np.clip(np.stack(large).astype(np.float32), 0, None)[:, : shape[0], : shape[1]]
