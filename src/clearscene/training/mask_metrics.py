"""What is measured of a cloud mask in training: IoU of cloud and shadow, and of thick and thin where they are known."""

import numpy as np
from numpy.typing import NDArray

from clearscene.masking.classes import SHADOW, THICK, THIN
from clearscene.synth.mask_truth import CLOUD
from clearscene.training.metrics import PixelCounts
from clearscene.training.networks.spec import MASK_CLASS_NAMES

__all__ = ["REGIONS", "MaskCounts"]

REGIONS = ("clear", "cloud", "shadow")
_REGION = np.full(256, 255, np.uint8)
_REGION[[0, THICK, THIN, CLOUD, SHADOW]] = [0, 1, 1, 1, 2]


class MaskCounts:
    """Pixels by truth and answer; the interface of `PixelCounts`. Law: counts of parts add up to those of the whole."""

    def __init__(self) -> None:
        self.regions, self.classes = PixelCounts(REGIONS), PixelCounts(MASK_CLASS_NAMES)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Pixels (truth, answer) of the regions."""
        return self.regions.counts

    def add(self, truth: NDArray[np.integer], answer: NDArray[np.integer]) -> None:
        """Count ids of one shape; 255 is not counted, and `CLOUD` only as cloud."""
        self.regions.add(_REGION[truth], _REGION[answer])
        self.classes.add(truth, answer)

    def summary(self) -> dict[str, float]:
        """Those of the regions, `miou` being that of cloud and shadow, and `iou_thick_cloud`, `iou_thin_cloud`."""
        classes = self.classes.summary()
        return self.regions.summary() | {f"iou_{name}": classes[f"iou_{name}"] for name in MASK_CLASS_NAMES[1:3]}
