"""What the networks of `fusion_tables.py` say: the judge, a weakly trained pair, the shipped quality model."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from clearscene.fusion.quality import QualityModel, find_quality_model, load_quality_model
from clearscene.raster.pixels import Pixels
from clearscene.raster.stretch import Stretch
from clearscene.training.checkpoint import load_checkpoint
from clearscene.training.networks.fusion import FusionPair

WHITE = 255
"""Of the 8-bit pictures that the shipped model is asked about."""


def network(folder: Path):
    """The network of a training, or None; in the order of memory that convolutions like."""
    if not (folder / "best.pt").is_file():
        return None
    return load_checkpoint(folder)[0].to(memory_format=torch.channels_last)


def shipped_model(folder: Path | None) -> QualityModel:
    """The quality model of `clearscene fuse`.

    Raises:
        SystemExit: There is none.
    """
    found = find_quality_model(folder)
    if found is None:
        raise SystemExit("no quality model")
    return load_quality_model(found, device="cpu")


def shipped_quality(model: QualityModel, stack: np.ndarray) -> np.ndarray:
    """Quality (image, row, col) of (image, band, row, col), 0 to 1, as `clearscene fuse` asks for 8-bit pictures."""
    valid, as_it_is = np.ones(stack.shape[2:], np.bool_), Stretch("none", 0, WHITE, "uint8")
    pictures = np.rint(stack * WHITE)
    return np.stack([model.logits(Pixels(picture, valid), as_it_is, "display")[0] for picture in pictures])


class Answers:
    """Classes and qualities by trained networks; with `half` they compute in bfloat16."""

    def __init__(self, *, half: bool) -> None:
        self.half = half

    def _arithmetic(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16) if self.half else nullcontext()

    @torch.inference_mode()
    def classes(self, judge, images: np.ndarray) -> np.ndarray:
        """Class places (image, row, col) of (image, 3, row, col), by a pair's segmenter or by a semantic network."""
        given = torch.from_numpy(images.astype(np.float32)).contiguous(memory_format=torch.channels_last)
        with self._arithmetic():
            logits = judge.segmenter(given) if isinstance(judge, FusionPair) else judge.decode(2 * given - 1)
        if logits.shape[1] == 1:  # one logit of two classes, at half size
            large = functional.interpolate(logits.float(), size=given.shape[-2:], mode="bilinear")
            return (large[:, 0] > 0).numpy().astype(np.uint8)
        return logits.argmax(1).numpy().astype(np.uint8)

    @torch.inference_mode()
    def weak_quality(self, pair: FusionPair, stack: np.ndarray) -> np.ndarray:
        """Quality logits (image, row, col) of a pair."""
        given = torch.from_numpy(stack.astype(np.float32)).contiguous(memory_format=torch.channels_last)
        with self._arithmetic():
            return pair.decode(given)[:, 0].float().numpy()
