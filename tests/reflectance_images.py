"""Small images of reflectance, chips for cloud masks, and a config that trains on them in seconds."""

from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.transform import from_origin

from clearscene.synth.chip_set import ChipRecord, ChipWriter

__all__ = ["RECIPE", "ground", "make_mask_chips", "write_image", "write_mask_config"]

RECIPE = """
product = "mask"
n = {n}
size = 64
seed = 5
val = 0.4
labeled = 0.3
{more}

[[sources]]
folder = "clear"
bands = ["blue", "green", "red", "nir"]

[[sources]]
folder = "rgb"
scale = 1.37e-3
split = "train"

[[sources]]
folder = "cloudy"
labels = "labels"
bands = ["blue", "green", "red", "nir"]
split = "train"
"""


def ground(seed: int, height: int = 90, width: int = 110) -> np.ndarray:
    """Reflectance (4, row, col) of red, green, blue, nir: vegetation, soil and noise; every pixel differs."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:height, 0:width] / 30.0
    green = 0.5 + 0.5 * np.sin(rows + seed) * np.cos(1.3 * cols)
    bands = np.stack([0.12 - 0.07 * green, 0.1 - 0.02 * green, 0.09 - 0.02 * green, 0.2 + 0.15 * green])
    return (bands + rng.normal(0, 0.003, bands.shape)).clip(0.005).astype(np.float32)


def write_image(path: Path, reflectance: np.ndarray, *, west: float | None = None) -> Path:
    """A GeoTIFF of blue, green, red, nir, reflectance x 10,000; with a place if `west` (meters) is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.rint(reflectance[[2, 1, 0, 3]] * 10_000).astype(np.uint16)
    place = {"transform": from_origin(west or 0, 5_000_000, 10, 10)} | ({} if west is None else {"crs": "EPSG:32633"})
    shape = {"height": stored.shape[1], "width": stored.shape[2], "count": len(stored), "dtype": "uint16"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as target:
        target.write(stored)
    return path


def write_sources(folder: Path, *, n: int = 6) -> Path:
    """Clear images, pictures, and cloudy images with labels, as `RECIPE` names them."""
    for i in range(n):
        write_image(folder / "clear" / f"clear_{i}.tif", ground(i), west=500_000 + 5_000 * i)
        (folder / "rgb").mkdir(exist_ok=True)
        picture = (ground(50 + i)[:3] * 900).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / "rgb" / f"picture_{i}.png"), picture[::-1].transpose(1, 2, 0))
        cloudy, labels = ground(20 + i), np.zeros((90, 110), np.uint8)
        cloudy[:, 20:50, 30 : 60 + i] += 0.6
        labels[20:50, 30 : 60 + i] = 1
        cloudy[:, 60:80, 40:80] *= np.array([0.6, 0.6, 0.7, 0.5], np.float32)[:, None, None]
        labels[60:80, 40:80] = 2
        labels[:3] = 255
        write_image(folder / "cloudy" / f"cloudy_{i}.tif", cloudy)
        (folder / "labels").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "labels" / f"cloudy_{i}.png"), labels)
    return folder


def make_mask_chips(folder: Path, n: int = 12, *, size: int = 64) -> Path:
    """A set of `n` chips: bright squares are thick, pale ones thin, dark ones shadow; every fourth validates."""
    writer = ChipWriter(folder)
    for number in range(n):
        data, mask = ground(number, size, size), np.zeros((size, size), np.uint8)
        for place, (value, gain, number_of_class) in enumerate(((0.7, 0.1, 1), (0.15, 0.6, 2), (0.0, 0.4, 3))):
            part = np.s_[4 + 20 * place : 20 + 20 * place, 5 + number % 8 : 40]
            data[:, *part] = data[:, *part] * gain + value
            mask[part] = number_of_class
        mask[:2], mask[30:34, 50:60] = 255, 4
        key = f"chip{number:03d}"
        record = ChipRecord(
            *(key, "val" if number % 4 == 0 else "train", f"images/{key}.png", f"masks/{key}.png"),
            labels=("cloud", "shadow"),
            source=f"scene{number}",
            parameters={"nir": number % 3 != 0},
        )
        stored = np.rint(data * 10_000).astype(np.uint16)
        writer.add(
            record,
            stored if record.parameters["nir"] else stored * np.array([1, 1, 1, 0], np.uint16)[:, None, None],
            mask,
        )
    writer.describe({"recipe": {"product": "mask"}})
    return folder


CONFIG = """
name = "masks"

[data]
size = 64

[[data.chips]]
folder = "{chips}"

[network]
kind = "mask"
encoder = "test_efficientnet"
weights = "none"

[loss]
dice = 0.5

[optimizer]
lr = 3e-3

[run]
epochs = 2
batch_size = 4
workers = 0
threads = 1
tensorboard = false
"""


def write_mask_config(path: Path, chips: Path) -> Path:
    """A config that trains in seconds."""
    path.write_text(CONFIG.format(chips=chips))
    return path
