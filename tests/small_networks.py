"""Networks small enough for tests, with the interface of the real ones, and chips to ask them about."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from clearscene.models.manifest import InputSpec
from clearscene.synth.chip_set import ChipRecord, ChipSet, ChipWriter
from clearscene.training.export.manifest_file import Answering
from clearscene.training.export.options import Trained

TYPES = ("cloud", "shadow", "stripe")
CLASS_IDS = (0, 1, 2)
INPUT = InputSpec(bands=("red", "green", "blue"), mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
ANSWERING = Answering(INPUT, TYPES, CLASS_IDS)


class Body(nn.Module):
    """Features at strides 4 and 16, with what the tracer and the optimizer have to deal with."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.second = nn.Sequential(nn.Conv2d(8, 12, 4, stride=4), nn.BatchNorm2d(12), nn.ReLU())

    def forward(self, image):
        missing = [(-size) % 4 + 2 for size in image.shape[-2:]]  # shape arithmetic, as TensorFlow's padding has it
        padded = functional.pad(image, (0, missing[1], 0, missing[0]), value=0.0)
        fine = self.first(padded)
        return fine, self.second(fine)


class TwoHeads(nn.Module):
    """Both heads on one body; one feature is never read."""

    def __init__(self):
        super().__init__()
        self.body, self.cells = Body(), nn.Conv2d(12, len(TYPES), 1)
        self.mix, self.pixels = nn.Conv2d(20, 16, 3, padding=1), nn.Conv2d(16, len(CLASS_IDS), 1)

    def encode(self, image):
        fine, coarse = self.body(image)
        cells = self.cells(coarse)
        return pool(cells), cells, {"fine": fine, "coarse": coarse, "unread": coarse * 2}

    def decode(self, features):
        wide = functional.interpolate(features["coarse"], size=features["fine"].shape[-2:], mode="bilinear")
        return self.pixels(torch.relu(self.mix(torch.cat([features["fine"], wide], dim=1))))


class Screens(nn.Module):
    """Only the whole tile; no cells."""

    def __init__(self):
        super().__init__()
        self.body, self.head = Body(), nn.Linear(12, len(TYPES))

    def encode(self, image):
        return self.head(self.body(image)[1].mean(dim=(2, 3))), None, {}


class Segments(nn.Module):
    """Only the pixels, from the image."""

    def __init__(self):
        super().__init__()
        self.body, self.pixels = Body(), nn.Conv2d(8, len(CLASS_IDS), 1)

    def decode(self, image):
        return self.pixels(self.body(image)[0])


def pool(cells, temperature=0.5):
    return temperature * torch.logsumexp(cells.flatten(2) / temperature, dim=2)


def pool_arrays(cells):
    return pool(torch.from_numpy(cells)).numpy()


def made(kind, seed=3):
    """A network whose normalization has seen something, so that joining it with the convolutions shows."""
    torch.manual_seed(seed)
    network = kind()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def make_chips(folder: Path, *, n=12, height=48, width=40, split="val", seed=5) -> ChipSet:
    """Gray noise; every second chip has a bright square (cloud), every third a dark one (shadow)."""
    rng, writer = np.random.default_rng(seed), ChipWriter(folder)
    for i in range(n):
        image = rng.integers(90, 150, (3, height, width)).astype(np.uint8)
        mask, labels = np.zeros((height, width), np.uint8), []
        for type_id, name, level, every in ((1, "cloud", 230, 2), (2, "shadow", 15, 3)):
            if i % every == 0:
                row, col = rng.integers(0, height - 16), rng.integers(0, width - 16)
                image[:, row : row + 16, col : col + 16] = level + rng.integers(-9, 9, (3, 16, 16))
                mask[row : row + 16, col : col + 16] = type_id
                labels.append(name)
        mask[0, 0] = 255
        names = {"image": f"images/{i:03d}.png", "mask": f"masks/{i:03d}.png"}
        writer.add(ChipRecord(f"{i:03d}", split, **names, labels=tuple(labels), source=f"scene {i % 2}"), image, mask)
    return ChipSet.open(folder)


def trained(kind, chips, seed=3):
    """What an export starts from."""
    network = made(kind, seed)
    answering = Answering(
        INPUT,
        TYPES if hasattr(network, "encode") else (),
        CLASS_IDS if hasattr(network, "decode") else CLASS_IDS[:1],
    )
    record = {"seed": 17, "code": {"version": "0.1.0"}}
    return Trained(network, answering, (chips,), "Tiny", pool_arrays if kind is TwoHeads else None, record)


def binary_loss(logits, labels):
    """Oracle: the mean binary cross-entropy, one by one."""
    pairs = zip(np.ravel(logits).tolist(), np.ravel(labels).tolist(), strict=True)
    return sum(math.log1p(math.exp(-z)) if y else math.log1p(math.exp(z)) for z, y in pairs) / np.size(labels)
