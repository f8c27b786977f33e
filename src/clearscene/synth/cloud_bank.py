"""Cloud shapes and cloud pictures kept for a simulation, those of training apart from those of the test.

Source: the code of seed 002 (`data_factory.py`): 30 alpha planes made beforehand, 30 photographs of clouds for
training and 10 others for the test. Here the pictures are generated, or read from a folder of photographs.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import DatasetError
from clearscene.synth.cloud_paper import paper_alpha, photograph

__all__ = ["N_TEXTURES", "CloudBank", "Part"]

Part = Literal["train", "test"]
N_ALPHAS = 30
N_TEXTURES: dict[Part, int] = {"train": 30, "test": 10}
LIGHT = 0.35
"""Mean of the ground that the generated pictures are lit for, in units of the display."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif")


class CloudBank:
    """Alpha planes (300 x 300) and pictures of cloud (3, size, size) in [0, 1], of training or of test.

    Laws: the same arguments give the same bank; no picture is in both parts; of a folder of photographs the first
    three quarters by name are of training, the others of the test.

    Raises:
        DatasetError: The folder holds fewer than two pictures, or one cannot be read.
    """

    def __init__(self, part: Part, *, size: int = 300, seed: int = 0, folder: Path | None = None) -> None:
        self.part, self.size = part, size
        self.alphas = _alphas(seed)
        made = _generated(part, size, seed) if folder is None else _photographs(folder, part, size)
        self.textures: tuple[NDArray[np.float32], ...] = made

    def alpha(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One of the planes (300, 300), flipped and turned by quarters."""
        return _turned(self.alphas[int(rng.integers(len(self.alphas)))], rng)

    def texture(self, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """One of the pictures (3, height, width), flipped and turned by quarters."""
        picture = _turned(self.textures[int(rng.integers(len(self.textures)))], rng)
        return np.stack([cv2.resize(band, (width, height), interpolation=cv2.INTER_LINEAR) for band in picture])


def _turned(planes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    turned = np.rot90(planes, int(rng.integers(4)), axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if rng.random() < 0.5 else turned)


@lru_cache(maxsize=4)
def _alphas(seed: int) -> tuple[NDArray[np.float32], ...]:
    rng = np.random.default_rng((seed, 30))
    return tuple(paper_alpha(rng) for _ in range(N_ALPHAS))


@lru_cache(maxsize=8)
def _generated(part: Part, size: int, seed: int) -> tuple[NDArray[np.float32], ...]:
    rng = np.random.default_rng((seed, list(N_TEXTURES).index(part)))
    ground, valid = np.full((3, size, size), LIGHT, np.float32), np.ones((size, size), np.bool_)
    made = (photograph(ground, valid, rng, float(rng.uniform(0.6, 1.0))) for _ in range(N_TEXTURES[part]))
    return tuple(np.clip(picture, 0, 1).astype(np.float32) for picture in made)


def _photographs(folder: Path, part: Part, size: int) -> tuple[NDArray[np.float32], ...]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if len(paths) < 2:
        raise DatasetError(f"{folder} holds {len(paths)} pictures of clouds; two or more are needed.")
    first_of_test = min(max(1, round(0.75 * len(paths))), len(paths) - 1)
    return tuple(_read(p, size) for p in (paths[:first_of_test] if part == "train" else paths[first_of_test:]))


def _read(path: Path, size: int) -> NDArray[np.float32]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DatasetError(f"{path} cannot be read.", hint="Take it out of the folder.")
    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(255)
