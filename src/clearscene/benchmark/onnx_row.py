"""Any other model folder as a row: its classes that are looked for, added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.classes import needed, summed
from clearscene.grid import slices
from clearscene.models.model import Model, softmax
from clearscene.models.session import Device
from clearscene.stream import Answer, plan_stream, stream
from clearscene.tiling import Tile, TileGrid, TileSpec

__all__ = ["OnnxRow", "load_onnx_row"]

MEMORY_LIMIT = 4_000_000_000
DISPLAY_WHITE = np.float32(255)
"""White of display values, which models for photos expect; prepared sets have 1."""
DISPLAY_TASKS = ("inspection", "quality", "fusion")


@dataclass(frozen=True, eq=False)
class OnnxRow:
    """A model folder, read tile by tile and blended."""

    name: str
    model: Model
    positive: tuple[str, ...]
    is_whole: ClassVar[bool] = False

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        """See `Row`."""
        return needed(self.name, self.model.manifest.input.bands, offered)

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        """See `Row`."""
        manifest = self.model.manifest
        order = [list(bands).index(name) for name in manifest.input.bands]
        full = DISPLAY_WHITE if manifest.task in DISPLAY_TASKS else np.float32(1)
        pixels, size = image[order] * full, manifest.tiles.tile_size
        names = tuple(entry.name for entry in manifest.classes)
        n_classes = max(2, len(names))

        def infer(tile: Tile) -> Answer:
            """The model's answer to one tile: probabilities (class, row, col)."""
            rows, cols = slices(tile.window)
            part = pixels[:, rows, cols]
            seen = self.model.prepare(part, np.ones(part.shape[1:], np.bool_))
            logits = self.model.segment(seen)[:, : part.shape[1], : part.shape[2]]
            return Answer(_probabilities(logits))

        spec = TileSpec(size, manifest.tiles.overlap)
        tiles = TileGrid(image.shape[1], image.shape[2], spec)
        plan = plan_stream(image.shape[2], [spec], n_classes=n_classes, workers=1, memory_limit=MEMORY_LIMIT)
        found = np.zeros((n_classes, *image.shape[1:]), np.float32)
        for piece in stream(tiles, infer, fill=(1.0, *(0.0,) * (n_classes - 1)), plan=plan):
            found[(slice(None), *slices(piece.window))] = piece.values
        return found[1] if len(names) < 2 else summed(found, names, self.positive, what=self.name)


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(class, row, col) that sum to 1; one logit is that of the second of two classes."""
    if len(logits) == 1:
        logits = np.concatenate([np.zeros_like(logits), logits])
    return softmax(logits)


def load_onnx_row(name: str, folder: Path, *, positive: tuple[str, ...], device: str, threads: int) -> OnnxRow:
    """A model folder of ours.

    Raises:
        ModelError: It is broken.
    """
    return OnnxRow(name, Model.load(folder, device=Device(device), threads=threads), positive)
