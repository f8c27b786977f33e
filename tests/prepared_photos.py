"""Small prepared sets for the tests of semantic training: photos with sky, and reflectance with four bands."""

from pathlib import Path

import numpy as np

from clearscene.datasets.prepared import PreparedAbout, PreparedRecord, PreparedWriter
from tests.sky_photos import indoors, scene

__all__ = ["CONFIG", "cloud_set", "photo_set", "write_semantic_config"]

CONFIG = """
name = "tiny"
[data]
size = 64
[[data.chips]]
folder = "{folder}"
[network]
kind = "semantic"
encoder = "test_efficientnet"
weights = "none"
classes = ["other", "sky"]
decoder_width = 16
[optimizer]
lr = 1e-2
[schedule]
warmup_steps = 1
[semantic]
view = "whole"
flips = "horizontal"
area = [0.6, 1.0]
color_chance = 0.5
sky_swap_chance = 0.5
[run]
epochs = 3
batch_size = 4
workers = 0
threads = 1
tensorboard = false
"""


def photo_set(folder: Path, n: int = 10, *, classes: tuple[str, ...] = ("other", "sky")) -> Path:
    """Photos of several sizes; every fifth is indoors, every fourth for validation."""
    about = PreparedAbout("photos", ("red", "green", "blue"), classes, "display", "CC0", size=0)
    with PreparedWriter(folder, about) as writer:
        for number in range(n):
            height, width = 60 + 4 * number, 90 - 3 * number
            photo, is_sky = scene(height, width, seed=number)
            if number % 5 == 2:
                photo, is_sky = indoors(height, width, seed=number), np.zeros((height, width), bool)
            split = "val" if number % 4 == 3 else "train"
            record = PreparedRecord(f"p{number}", split, f"s{number}", "", "", 0, 0, (height, width))
            writer.add(record, photo.transpose(2, 0, 1).astype(np.float32) / 255, is_sky.astype(np.uint8))
    return folder


def cloud_set(folder: Path, n: int = 8, *, size: int = 64) -> Path:
    """Reflectance of four bands; a bright square is class 1, a brighter one class 2, the frame is to be ignored."""
    bands, classes = ("red", "green", "blue", "nir"), ("clear", "thin", "thick")
    about = PreparedAbout("clouds", bands, classes, "reflectance", "CC0", size=size)
    rng = np.random.default_rng(4)
    with PreparedWriter(folder, about) as writer:
        for number in range(n):
            image = rng.uniform(0.05, 0.15, (4, size, size)).astype(np.float32)
            mask = np.zeros((size, size), np.uint8)
            for value, top in ((1, 8), (2, 36)):
                part = np.s_[top : top + 20, 6 + number : 36 + number]
                image[:, *part] += 0.3 * value
                mask[part] = value
            mask[:2] = 255
            split = "val" if number % 4 == 3 else "train"
            writer.add(PreparedRecord(f"c{number}", split, f"s{number}", "", "", 0, 0, (size, size)), image, mask)
    return folder


def write_semantic_config(path: Path, folder: Path, *more: tuple[str, str]) -> Path:
    """A config that trains in a second or two; `more` are texts that are replaced."""
    text = CONFIG.format(folder=folder)
    for old, new in more:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path
