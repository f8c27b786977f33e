"""Small sets of chips for the tests of training: every band and pixel differs, a defect is a tinted rectangle."""

from pathlib import Path

import numpy as np

from clearscene.inspection.taxonomy import TYPES
from clearscene.synth.chip_set import ChipRecord, ChipWriter

__all__ = ["chip", "make_chips", "write_config"]


def chip(number: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Image (3, row, col), mask (row, col) and labels; every fourth chip is clean."""
    rng = np.random.default_rng(number)
    rows, cols = np.mgrid[0:height, 0:width] / max(height, width)
    image = 90 + 50 * np.stack([np.sin(5 * rows + cols), np.cos(4 * cols), np.sin(3 * (rows + cols))])
    image += rng.normal(0, 5, image.shape)
    mask = np.zeros((height, width), np.uint8)
    if number % 4 == 0:
        return image.clip(0, 255).astype(np.uint8), mask, ()
    kind = TYPES[number % len(TYPES)]
    top, left = rng.integers(0, height // 3), rng.integers(0, width // 3)
    part = np.s_[top : top + height // 2, left : left + width // 2]
    mask[part] = kind.id
    tint = np.array([kind.id * 53 % 256, kind.id * 97 % 256, kind.id * 151 % 256])[:, None, None]
    image[:, *part] = 0.3 * image[:, *part] + 0.7 * tint
    return image.clip(0, 255).astype(np.uint8), mask, (kind.name,)


def make_chips(folder: Path, n: int = 20, *, size: tuple[int, int] = (64, 64), val_every: int = 5) -> Path:
    """A set of `n` chips; every `val_every`-th is for validation."""
    writer = ChipWriter(folder)
    for number in range(n):
        image, mask, labels = chip(number, *size)
        key, split = f"chip{number:03d}", "train" if number % val_every else "val"
        paths = f"images/{key}.png", f"masks/{key}.png"
        record = ChipRecord(key, split, *paths, labels, dict.fromkeys(labels, 0.5), f"scene{number}")
        writer.add(record, image, mask)
    writer.describe({"seed": 0})
    return folder


CONFIG = """
name = "{name}"

[data]
size = 64

[[data.chips]]
folder = "{chips}"

[network]
encoder = "test_efficientnet"
weights = "none"
dropout = 0.1

[optimizer]
lr = 3e-3

[schedule]
warmup_steps = 2

[run]
epochs = 2
batch_size = 4
workers = 0
threads = 1
tensorboard = false
"""


def write_config(path: Path, chips: Path, *, name: str = "tiny") -> Path:
    """A config that trains in a second."""
    path.write_text(CONFIG.format(name=name, chips=chips))
    return path
