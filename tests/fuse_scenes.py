"""Stacks of images of one place with holes and clouds at known places, and a quality model that is told by hand."""

from pathlib import Path

import numpy as np
from affine import Affine
from onnx import helper
from rasterio.crs import CRS

from tests.onnx_graphs import port, save, tensor
from tests.scenes import ground, write_scene

UTM = CRS.from_epsg(32633)
TRANSFORM = Affine(10, 0, 600_000, 0, -10, 5_000_000)
HEIGHT, WIDTH = 83, 109

MANIFEST = """
name = "{name}"
version = "0.1.0"
task = "{task}"
license = "Apache-2.0"
[input]
bands = {bands}
normalization = "{normalization}"
scale = {scale}
[tiles]
tile_size = {tile_size}
"""


def dates(number: int, *, seed: int = 0, dtype: str = "uint8") -> np.ndarray:
    """`number` images (image, band, row, col) of one ground, each a little brighter and with noise of its own."""
    rng = np.random.default_rng(seed)
    plain = ground(HEIGHT, WIDTH, seed=seed).astype(float)
    stack = plain[None] + 3 * np.arange(number)[:, None, None, None] + rng.normal(0, 2, (number, *plain.shape))
    if np.dtype(dtype).kind == "f":
        return (stack / 255).astype(dtype)
    factor = 1 if dtype == "uint8" else 40
    return np.clip(np.rint(stack * factor), 1, np.iinfo(dtype).max).astype(dtype)


def clouds(number: int) -> np.ndarray:
    """Where each image is cloudy (image, row, col): boxes that leave every pixel clear in some image if number > 2."""
    mask = np.zeros((number, HEIGHT, WIDTH), bool)
    for place in range(number):
        top, left = 7 + 11 * place, 5 + 17 * place
        mask[place, top : top + 30, left : left + 40] = True
    return mask


def clouded(stack: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The stack with bright clouds."""
    result = stack.copy()
    bright = 250 if stack.dtype == np.uint8 else 0.98 if stack.dtype.kind == "f" else 10_000
    result[np.broadcast_to(mask[:, None], stack.shape)] = bright
    return result


def write_dates(
    folder: Path, stack: np.ndarray, *, options: dict | None = None, transform: Affine = TRANSFORM, crs: CRS = UTM
) -> list[Path]:
    """One file an image, named by dates in order."""
    return [
        write_scene(folder / f"2024-0{place + 1}-15.tif", image, crs=crs, transform=transform, options=options)
        for place, image in enumerate(stack)
    ]


def write_masks(folder: Path, masks: np.ndarray) -> Path:
    """Cloud masks with the names that `clearscene mask` gives them."""
    for place, mask in enumerate(masks):
        path = folder / f"2024-0{place + 1}-15_mask.tif"
        write_scene(path, mask[None].astype(np.uint8), crs=UTM, transform=TRANSFORM, options={"nodata": 255})
    return folder


def quality_folder(
    folder: Path,
    *,
    bands: tuple[str, ...] = ("red", "green", "blue"),
    tile_size: int = 32,
    slope: float = -40.0,
    bias: float = 0.0,
    task: str = "quality",
    normalization: str = "fixed",
) -> Path:
    """A model whose quality is `bias` and `slope` times the mean of the bands: dark is good."""
    kernel = np.full((1, len(bands), 1, 1), slope / len(bands), np.float32)
    save(
        folder / "model.onnx",
        [helper.make_node("Conv", ["image", "kernel", "bias"], ["quality"])],
        [port("image", [1, len(bands), tile_size, tile_size])],
        [port("quality", [1, 1, tile_size, tile_size])],
        [tensor("kernel", kernel), tensor("bias", np.array([bias], np.float32))],
    )
    text = MANIFEST.format(
        name=folder.name, task=task, bands=list(bands), normalization=normalization, scale=255, tile_size=tile_size
    )
    (folder / "model.toml").write_text(text, encoding="utf-8")
    (folder / "card.md").write_text("# A test model\n", encoding="utf-8")
    return folder
