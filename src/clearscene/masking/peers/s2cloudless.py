"""s2cloudless (Sentinel Hub, CC BY-SA 4.0): gradient-boosted trees on ten bands of Sentinel-2 Level-1C.

Only the model is taken from its package, which is not imported. A pixel is cloud where its probability,
averaged over a disk of 4 pixels, reaches 0.4, as its authors advise; it knows no thin cloud and no shadow.
Grow its clouds with --buffer.
"""

from dataclasses import dataclass
from importlib.metadata import version
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.masking.augmentation import LookCount
from clearscene.masking.classes import CLEAR, IDS, THICK
from clearscene.masking.masker import Origin, Planes, Traits
from clearscene.masking.peers.missing import package_folder, require
from clearscene.raster.sensors.product import Kind

__all__ = ["S2Cloudless", "load_s2cloudless", "shifted"]

NAME = "s2cloudless"
MODEL = "pixel_s2_cloud_detector_lightGBM_v0.1.txt"
BANDS = ("coastal", "blue", "red", "rededge071", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22")
"""B01, B02, B04, B05, B08, B8A, B09, B10, B11, B12: the order that it expects."""
THRESHOLD = 0.4
AVERAGE_OVER = 4
TILE_SIZE, OVERLAP = 512, 16


@dataclass(frozen=True, eq=False)
class S2Cloudless:
    """Its detector as a masker."""

    booster: Any
    """The trees, of LightGBM."""
    traits: Traits
    lock: Any

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`; it looks at single pixels, which nothing turns."""
        return ()

    def probabilities(
        self,
        planes: Planes,
        valid: NDArray[np.bool_],
        *,
        kind: Kind,  # noqa: ARG002  # part of the protocol; it has one model for all
    ) -> NDArray[np.float32]:
        """See `Masker`. What it says is shifted so that its threshold becomes one half."""
        pixels = np.stack([planes[name].ravel() for name in BANDS], axis=1)
        with self.lock:  # the trees use threads of their own
            found = np.asarray(self.booster.predict(pixels), np.float32).reshape(valid.shape)
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * AVERAGE_OVER + 1,) * 2).astype(np.float32)
        smooth = cv2.filter2D(found, -1, disk / disk.sum(), borderType=cv2.BORDER_REFLECT)
        cloud = shifted(np.clip(smooth, 0, 1), THRESHOLD)
        full = np.zeros((len(IDS), *valid.shape), np.float32)
        full[CLEAR], full[THICK] = 1 - cloud, cloud
        return full


def shifted(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Probabilities of any shape moved along the odds so that `threshold` becomes 0.5. Law: 0, 1 and the order stay."""
    up, down = probability * (1 - threshold), (1 - probability) * threshold
    return np.asarray(up / (up + down), np.float32)


def load_s2cloudless() -> S2Cloudless:
    """The detector with the model of its package.

    Raises:
        MissingExtraError: s2cloudless is not installed.
        ModelError: Its package has no model of the name that we know.
    """
    require("s2cloudless", "lightgbm", name=NAME, install="s2cloudless")
    from lightgbm import Booster  # optional, and slow to import

    model = package_folder("s2cloudless") / "models" / MODEL
    if not model.is_file():
        raise ModelError(f"s2cloudless {version(NAME)} has no {MODEL}.", hint="pip install s2cloudless==1.7.3")
    link = "https://github.com/sentinel-hub/sentinel2-cloud-detector"
    traits = Traits(
        origins=(Origin(NAME, version(NAME), "CC-BY-SA-4.0", "LightGBM", link),),
        bands=BANDS,
        tile_size=TILE_SIZE,
        network_size=TILE_SIZE,
        classes=frozenset((CLEAR, THICK)),
        overlap=OVERLAP,
        pixel_range_m=(10.0, 160.0),
        kinds=frozenset(("toa",)),
    )
    return S2Cloudless(Booster(model_file=str(model)), traits, Lock())
