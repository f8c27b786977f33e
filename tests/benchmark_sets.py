"""Prepared sets of generated images, and models that need no training, for the tests of the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.classes import needed
from clearscene.benchmark.results import Curve, Model, Training
from clearscene.benchmark.run import Makers
from clearscene.datasets.prepared import PreparedAbout, PreparedRecord, PreparedWriter
from clearscene.errors import ModelError

SHAPE = (44, 60)
"""Of a scene; not a multiple of the chips."""
CHIP, STRIDE = 32, 24
BIOMES = ("Barren", "Water")
COVERS = ("clear", "mid", "cloudy")


def scene_of(number: int, n_bands: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A scene (band, row, col) in which every band and pixel differs, and its cloud, brighter by 0.3."""
    rng = np.random.default_rng(number)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    middle = rng.uniform(10, 34), rng.uniform(15, 45)
    cloud = ((rows - middle[0]) ** 2 + (cols - middle[1]) ** 2 < (8 + 2 * (number % 4)) ** 2).astype(np.uint8)
    ground = 0.05 + 0.002 * rows + 0.001 * cols + rng.normal(0, 0.1, SHAPE)
    bands = np.stack([ground + 0.3 * cloud + 0.01 * band for band in range(n_bands)])
    return np.clip(bands, 0.001, 1).astype(np.float32), cloud


def make_set(
    folder: Path,
    *,
    name: str = "Made",
    bands: Sequence[str] = ("red", "green", "blue"),
    n_scenes: int = 6,
    fill_cols: int = 0,
) -> Path:
    """Write a set with chips that overlap and stick out of their scenes; every third scene is for the test.

    The first `fill_cols` columns of each scene are fill; chips of nothing else are left out.
    """
    about = PreparedAbout(name, tuple(bands), ("clear", "cloud"), "reflectance", "CC0-1.0", size=CHIP, overlap=8)
    with PreparedWriter(folder, about) as writer:
        for number in range(n_scenes):
            image, cloud = scene_of(number, len(bands))
            image[:, :, :fill_cols], cloud[:, :fill_cols] = 0, 255
            for record, chip, mask in chips_of(number, image, cloud):
                if (mask != 255).any() or not fill_cols:
                    writer.add(record, chip, mask)
    return folder


def chips_of(number: int, image: NDArray[np.float32], cloud: NDArray[np.uint8]):
    """Chips with padding on the left and above, as of a scene in the middle of its canvas."""
    split = ("train", "val", "test")[number % 3]
    for row in range(-4, SHAPE[0], STRIDE):
        for col in range(-6, SHAPE[1], STRIDE):
            rows, cols = np.arange(row, row + CHIP), np.arange(col, col + CHIP)
            inside = ((rows >= 0) & (rows < SHAPE[0]))[:, None] & ((cols >= 0) & (cols < SHAPE[1]))
            at = np.ix_(np.clip(rows, 0, SHAPE[0] - 1), np.clip(cols, 0, SHAPE[1] - 1))
            mask = np.where(inside, cloud[at], 255).astype(np.uint8)
            chip = np.where(inside, np.stack([band[at] for band in image]), 0).astype(np.float32)
            name = f"s{number}"
            record = PreparedRecord(
                id=f"{name}_{row + 4}_{col + 6}", split=split, scene=name, image="", mask="", row=row, col=col,
                scene_shape=SHAPE, biome=BIOMES[number % 2], cover=COVERS[number // 2 % 3],
            )  # fmt: skip
            yield record, chip, mask


@dataclass(frozen=True)
class BrightRow:
    """Calls bright pixels cloud; `error` is raised instead of an answer."""

    name: str
    bands: tuple[str, ...] = ("red", "green")
    slope: float = 20.0
    error: str = ""
    is_whole: bool = False

    def reads(self, offered: Sequence[str]) -> tuple[str, ...]:
        return needed(self.name, self.bands, offered)

    def probability(self, image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
        if self.error:
            raise ModelError(self.error)
        assert tuple(bands) == self.bands
        return (1 / (1 + np.exp(-self.slope * (image.mean(axis=0) - 0.3)))).astype(np.float32)


class FakeMakers:
    """Makers that count what they were asked for; `broken` names models that fail."""

    def __init__(self, *, broken: Sequence[str] = (), untrainable: Sequence[str] = ()) -> None:
        self.loaded: list[str] = []
        self.trained: list[str] = []
        self.broken, self.untrainable = broken, untrainable

    def makers(self) -> Makers:
        return Makers(lambda *_: None, self.load, self.facts, self.values, self.train, self.read)

    def load(self, entry, *, run, positive, kind, device, threads):
        self.loaded.append(entry.name)
        error = "it answers nonsense" if entry.name in self.broken else ""
        return BrightRow(entry.name, slope=20.0 if entry.network == "unet" else 4.0, error=error)

    def facts(self, entry, *, bands, n_classes):
        return Model(name=entry.name, kind="network" if entry.network else "peer", bands=bands, parameters=1234567)

    def values(self, suite, model, entry, *, prepared):
        return {"network": model.network, "seed": suite.seed}

    def train(self, values, out, *, resume, tell):
        if values["network"] in self.untrainable:
            raise ModelError("there are no chips to learn from", hint="Add some.")
        self.trained.append(values["network"])
        tell("epoch 1", 0.5)
        out.mkdir(parents=True, exist_ok=True)

    def read(self, model, train_set, folder):
        curve = Curve(steps=(1, 2, 3), values=(0.9, 0.5, 0.3))
        return Training(
            model=model, train_set=train_set, status="done", minutes=0.5, steps=3, train_loss=curve, val_loss=curve
        )


class Follower:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def stage(self, text, share):
        assert 0 <= share <= 1

    def finished(self, what, error):
        self.told.append((what, error))
