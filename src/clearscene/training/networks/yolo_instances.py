"""YOLOv8-seg trained on instances with ultralytics' own tools: labels for that, and its answers joined.

The way of the comparison (BenchCloudVision): clouds become polygons, the network learns instances, and the masks of
its instances are joined to one. The labels need no torch and no ultralytics.
"""

import importlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import TrainingError

__all__ = ["INSTANCES", "LEAST_CONFIDENCE", "InstanceNet", "joined", "label_lines", "mend_suppression"]

INSTANCES = "instances.pt"
"""Name of a trained file in the folder of its training."""

MIN_AREA = 50.0
"""Polygons of this area in pixels and smaller are dropped, as in the comparison."""
LEAST_CONFIDENCE = 0.25
"""Of an instance, as in the comparison."""


def label_lines(is_cloud: NDArray[np.bool_], *, min_area: float = MIN_AREA) -> list[str]:
    """Outer outlines of clouds (row, col) as lines of a YOLO label file: class 0, then x y from 0 to 1.

    As in the comparison holes are filled and clouds of `min_area` pixels or fewer are dropped: what a network learns
    from these labels is not what the mask says. Law: every number is from 0 to 1, and a line has three points or more.
    """
    height, width = is_cloud.shape
    outlines, _ = cv2.findContours(is_cloud.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    lines = []
    for outline in outlines:
        if len(outline) >= 3 and cv2.contourArea(outline) > min_area:
            points = outline[:, 0] / (width, height)
            lines.append(" ".join(["0", *(f"{value:.6f}" for value in points.ravel())]))
    return lines


def joined(chances: NDArray[np.float32], masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each pixel the highest confidence of the instances that hold it.

    `chances` (instance,), `masks` (instance, row, col), both 0 to 1, to float32 (row, col). Laws: no instance gives 0;
    with masks of 0 and 1, the pixels from a confidence c on are the union of the masks of instances from c on.
    """
    if not len(chances):
        return np.zeros(masks.shape[1:], np.float32)
    highest: NDArray[np.float32] = (chances[:, None, None] * masks).max(axis=0)
    return highest


class InstanceNet:
    """A trained YOLOv8-seg file behind the interface of semantic networks.

    The file is a pickle, which can run code when it is loaded: load only files that you or people you trust made.

    Args:
        file: What ultralytics' training wrote, `best.pt`.
        device: Where it answers: auto, cpu, cuda or cuda:N.
        least: Instances below this confidence are left out.

    Raises:
        TrainingError: There is no such file or device.
        MissingExtraError: ultralytics is not installed.
    """

    bands = ("red", "green", "blue")
    classes = ("clear", "cloud")

    def __init__(self, file: Path, *, device: str = "auto", least: float = LEAST_CONFIDENCE) -> None:
        from clearscene.training.device import choose_device
        from clearscene.training.networks.yolo import ultralytics

        if not file.is_file():
            raise TrainingError(f"{file} does not exist.", hint="Name the best.pt of a training of ultralytics.")
        self.device = str(choose_device(device))
        self.model: Any = ultralytics("models").YOLO(str(file))
        mend_suppression()
        self.least = least

    def predict(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Red, green, blue (band, row, col) of 0 to 1 to the probability of cloud, float32 (1, row, col)."""
        height, width = image.shape[1:]
        levels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
        pixels = np.ascontiguousarray(levels[::-1].transpose(1, 2, 0))  # ultralytics reads blue, green, red
        size = [-(-side // 32) * 32 for side in (height, width)]
        (found,) = self.model.predict(
            pixels, imgsz=size, conf=self.least, retina_masks=True, verbose=False, device=self.device
        )
        if found.masks is None:
            return np.zeros((1, height, width), np.float32)
        chances, masks = (part.cpu().numpy().astype(np.float32) for part in (found.boxes.conf, found.masks.data))
        return joined(chances, masks)[None]


def mend_suppression() -> None:
    """Let ultralytics drop double boxes where torchvision has no operators, as beside a CPU build of torch."""
    from clearscene.training.networks.yolo import ultralytics

    torchvision: Any = importlib.import_module("torchvision")
    if not torchvision.extension._has_ops():
        torchvision.ops.nms = ultralytics("utils.nms").TorchNMS.nms
