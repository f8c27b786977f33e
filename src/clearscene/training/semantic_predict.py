"""Ask a network of a semantic training about images of any size."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clearscene.errors import BandError, TrainingError
from clearscene.sky.squaring import resized
from clearscene.training.checkpoint import load_checkpoint
from clearscene.training.config import TrainConfig
from clearscene.training.networks.contract import InspectionNetwork
from clearscene.training.semantic_chips import normalized

__all__ = ["SemanticNet", "load_semantic"]

LONGEST = 1024
"""Height and width up to which an image is looked at in one piece."""
MARGIN = 96
"""Pixels at the inner edges of a piece that its neighbor answers for."""
SMALLEST = 32


class SemanticNet:
    """A trained network, on the CPU or wherever it is sent."""

    def __init__(self, network: InspectionNetwork, config: TrainConfig, *, device: str = "cpu") -> None:
        self.network, self.config, self.device = network.to(device).eval(), config, torch.device(device)
        self.bands, self.classes = config.network.bands, config.network.classes

    def predict(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (class, row, col) of an image (band, row, col), or of the second of two classes (1, row, col).

        Values are those of `PreparedSet.image`, 0 to 1. Laws: the answer has the height and width of the image; up
        to 1024 pixels it depends on nothing but the image; larger ones are looked at in pieces that overlap.

        Raises:
            BandError: The number of bands is another.
        """
        if image.ndim != 3 or len(image) != len(self.bands):
            raise BandError(
                f"An image of shape {image.shape} has not the bands {', '.join(self.bands)}.",
                hint="Give (band, row, col).",
            )
        values = np.ascontiguousarray(image.transpose(1, 2, 0), np.float32)
        if self.config.semantic.view == "whole":
            return self._whole(values)
        return self._pieces(values)

    def _whole(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A photo (row, col, band) as the square that was learned."""
        size = self.config.data.size
        found = self._asked(resized(values, size, size))
        large = [resized(np.ascontiguousarray(plane), *values.shape[:2]) for plane in found]
        return np.asarray(np.clip(np.stack(large), 0, 1), np.float32)

    def _pieces(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = values.shape[:2]
        if max(height, width) <= LONGEST:
            return self._asked(values)
        made = np.zeros((self.config.network.n_logits, height, width), np.float32)
        for top, rows in _spans(height):
            for left, cols in _spans(width):
                found = self._asked(values[top : top + LONGEST, left : left + LONGEST])
                inner = found[:, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
                made[:, rows, cols] = inner
        return made

    def _asked(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (class, row, col) of values (row, col, band); what is very small is reflected to 32 pixels."""
        height, width = values.shape[:2]
        missing = [(0, max(0, SMALLEST - n)) for n in (height, width)]
        given = np.pad(values, (*missing, (0, 0)), "symmetric") if any(after for _, after in missing) else values
        image = torch.from_numpy(normalized(given, self.config.network))[None].to(self.device)
        with torch.inference_mode():
            logits: Tensor | None = self.network(image).pixels
            assert logits is not None
            full = functional.interpolate(logits.float(), size=image.shape[-2:], mode="bilinear", align_corners=False)
            chances = full.sigmoid() if full.shape[1] == 1 else full.softmax(dim=1)
        found: NDArray[np.float32] = chances[0, :, :height, :width].cpu().numpy()
        return found


def _spans(length: int) -> list[tuple[int, slice]]:
    """First row of each piece and the rows that it answers for. Law: the rows of all are each answered for once."""
    if length <= LONGEST:
        return [(0, slice(0, length))]
    step = LONGEST - 2 * MARGIN
    starts = [*range(0, length - LONGEST, step), length - LONGEST]
    cuts = [0, *(start + MARGIN for start in starts[1:]), length]
    return [(start, slice(*cuts[i : i + 2])) for i, start in enumerate(starts)]


def load_semantic(run_folder: Path, *, device: str = "cpu") -> SemanticNet:
    """The best network of a semantic training, from the folder that `clearscene train` wrote.

    Raises:
        TrainingError: The folder holds no training, or one of another kind.
    """
    network, config = load_checkpoint(run_folder)
    if config.network.kind != "semantic":
        raise TrainingError(
            f"{run_folder} holds a network of kind {config.network.kind!r}, not semantic.",
            hint="Name the folder of a training with network.kind = semantic.",
        )
    return SemanticNet(network, config, device=device)
