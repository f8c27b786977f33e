"""Truth of chips for cloud masks: from a teacher's labels, and from what was put over clear ground."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.masking.classes import CLEAR, NODATA, SHADOW, THICK, THIN
from clearscene.synth.reflectance import Piece

__all__ = ["CLOUD", "THICK_FROM", "THIN_FROM", "Cover", "taught"]

CLOUD = 4
"""In the truth of chips only: cloud of which nobody said whether it is thick or thin."""

Plane = NDArray[np.float32]

THIN_FROM = 0.10
"""Opacity from which a cloud counts; fainter veils, down to `FAINT`, are to be ignored."""
THICK_FROM = 0.62
"""Opacity from which cloud is thick: an optical depth of 1, a third of the ground's contrast is left."""
FAINT = 0.04
RIM_FROM, RIM_PX = 0.3, 3
"""The rim of a thick cloud, so opaque and this many pixels wide at most, is a part of it, as people draw it."""
FRAY_PX = 8
"""Fainter than `RIM_FROM` and this close to thick cloud, nobody agrees where the cloud ends: to be ignored."""
SHADOW_FROM, PENUMBRA = 0.10, 0.03
"""Share of the light that is lost in what counts as shadow, and below which nothing is lost; between is ignored."""
SEEN_CLOUD, SEEN_SHADOW = 0.025, 0.004
"""Change of reflectance, the largest of all bands, without which nobody could tell that something is there."""

BRIGHT, PALE = 0.42, 0.20
"""A teacher knows no thin cloud: its cloud is thick where the least band (red, green, blue) is above the first, thin
where it is below the second; between, it is cloud of either kind."""
TAUGHT_CLOUD, TAUGHT_SHADOW = 1, 2
DARK = 0.85
"""A taught shadow is believed where it is darker than this share of the median of what is clear."""
LEAST_CLOUD, LEAST_CLEAR = 0.03, 0.02
"""Shares of a piece that must be cloud and clear for its shadows to be believed."""


def taught(piece: Piece) -> NDArray[np.uint8]:
    """Ids of `masking.classes` (row, col) from a teacher's labels 0 clear, 1 cloud, 2 shadow.

    A shadow is believed where it is clearly darker than what is clear, in near infrared if there is one, else in red;
    it is ignored elsewhere, and in a piece that shows no cloud to throw it or nothing clear to compare with.
    """
    assert piece.labels is not None
    least = cv2.GaussianBlur(piece.data[:3].min(axis=0), (0, 0), 1.0)
    mask = np.full(piece.labels.shape, NODATA, np.uint8)
    mask[piece.labels == 0] = CLEAR
    cloud = piece.labels == TAUGHT_CLOUD
    mask[cloud] = CLOUD
    mask[cloud & (least >= BRIGHT)] = THICK
    mask[cloud & (least <= PALE)] = THIN
    clear = (piece.labels == 0) & piece.valid
    if clear.mean() > LEAST_CLEAR and cloud.mean() > LEAST_CLOUD:
        light = piece.data[3] if len(piece.data) > 3 else piece.data[0]
        dark = cv2.GaussianBlur(light, (0, 0), 1.0) < DARK * np.median(light[clear])
        mask[(piece.labels == TAUGHT_SHADOW) & dark] = SHADOW
    mask[~piece.valid] = NODATA
    return mask


@dataclass(eq=False)
class Cover:
    """What lies over clear ground, so far."""

    ground: NDArray[np.float32]
    """(band, row, col): reflectance before anything was put over it."""
    opacity: Plane = field(init=False)
    """(row, col) in [0, 1], of all clouds together."""
    light_lost: Plane = field(init=False)
    """(row, col) in [0, 1], in the deepest shadow."""

    def __post_init__(self) -> None:
        self.opacity = np.zeros(self.ground.shape[1:], np.float32)
        self.light_lost = np.zeros(self.ground.shape[1:], np.float32)

    def add(self, opacity: Plane | None, light_lost: Plane | None) -> None:
        """Note one more cloud or shadow."""
        if opacity is not None:
            self.opacity = 1 - (1 - self.opacity) * (1 - opacity)
        if light_lost is not None:
            self.light_lost = np.maximum(self.light_lost, light_lost)

    def mask(self, data: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Ids of `masking.classes` (row, col) of the finished reflectance `data` (band, row, col).

        Laws: thick goes before shadow, shadow before thin, thin before clear; without cover all that is valid is clear;
        what changes the ground by nothing that can be seen is ignored.
        """
        thick, changed = self._thick(), np.abs(data - self.ground).max(axis=0)
        mask = np.full(valid.shape, CLEAR, np.uint8)
        mask[(self.opacity > FAINT) | (self.light_lost > PENUMBRA)] = NODATA
        mask[self.opacity >= THIN_FROM] = THIN
        mask[(mask == THIN) & (self.opacity < RIM_FROM) & self._near_core(FRAY_PX)] = NODATA
        mask[self.light_lost >= SHADOW_FROM] = SHADOW
        mask[thick] = THICK
        cloudy = (mask == THICK) | (mask == THIN)
        mask[cloudy & (changed < SEEN_CLOUD)] = NODATA
        mask[(mask == SHADOW) & (changed < SEEN_SHADOW)] = NODATA
        mask[~valid] = NODATA
        return mask

    def _thick(self) -> NDArray[np.bool_]:
        """Thick cloud with its narrow rim."""
        return (self.opacity >= THICK_FROM) | (self._near_core(RIM_PX) & (self.opacity >= RIM_FROM))

    def _near_core(self, reach_px: int) -> NDArray[np.bool_]:
        """Within this many pixels of where cloud is thick."""
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1, 2 * reach_px + 1))
        return cv2.dilate((self.opacity >= THICK_FROM).astype(np.uint8), kernel).astype(np.bool_)
