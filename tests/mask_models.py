"""Small models for cloud masks whose answer can be computed by hand, and scenes to mask.

The level model looks at the mean of red, green and blue: shadow below 0.05, clear up to 0.3, thin cloud
up to 0.5, thick cloud above.
"""

from pathlib import Path

import numpy as np
from onnx import helper

from tests.onnx_graphs import port, save, tensor

STEEPNESS = 200.0

MANIFEST = """
name = "{name}"
version = "0.1.0"
task = "cloud_mask"
license = "Apache-2.0"
[input]
bands = {bands}
normalization = "{normalization}"
scale = 1.0
ground_sample_distance_m = [10, 60]
[tiles]
tile_size = {tile_size}
"""

CLASSES = {0: "clear", 1: "thick_cloud", 2: "thin_cloud", 3: "cloud_shadow"}
LINES = {0: (0, 0), 1: (2, -0.8), 2: (1, -0.3), 3: (-1, 0.05)}
"""Slope and offset of each class's logit over the mean of red, green and blue."""

RGBN = ("red", "green", "blue", "nir")


def level_folder(
    folder: Path,
    *,
    tile_size: int = 32,
    ids: tuple[int, ...] = (0, 1, 2, 3),
    bands: tuple[str, ...] = RGBN,
    normalization: str = "fixed",
    coarse: int = 1,
    pattern: np.ndarray | None = None,
    task: str = "cloud_mask",
) -> Path:
    """A model folder; `coarse` answers at a part of the size, `pattern` (row, col) is added to the thick logit."""
    kernel, bias = np.zeros((len(ids), len(bands), 1, 1), np.float32), np.zeros(len(ids), np.float32)
    for place, class_id in enumerate(ids):
        slope, shift = LINES[class_id]
        kernel[place, :3] = STEEPNESS * slope / 3
        bias[place] = STEEPNESS * shift
    weights = [tensor("kernel", kernel), tensor("bias", bias)]
    nodes = [helper.make_node("Conv", ["image", "kernel", "bias"], ["lines"])]
    last = "lines"
    if coarse > 1:
        nodes.append(
            helper.make_node("AveragePool", [last], ["pooled"], kernel_shape=[coarse, coarse], strides=[coarse, coarse])
        )
        last = "pooled"
    if pattern is not None:
        added = np.zeros((1, len(ids), *pattern.shape), np.float32)
        added[0, ids.index(1)] = pattern
        weights.append(tensor("pattern", added))
        nodes.append(helper.make_node("Add", [last, "pattern"], ["patterned"]))
        last = "patterned"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    size = tile_size // coarse
    save(
        folder / "model.onnx",
        nodes,
        [port("image", [1, len(bands), tile_size, tile_size])],
        [port("logits", [1, len(ids), size, size])],
        weights,
    )
    text = MANIFEST.format(name=folder.name, bands=list(bands), tile_size=tile_size, normalization=normalization)
    text += "".join(f'[[classes]]\nid = {i}\nname = "{CLASSES[i]}"\n' for i in ids)
    (folder / "model.toml").write_text(text.replace('task = "cloud_mask"', f'task = "{task}"'), encoding="utf-8")
    (folder / "card.md").write_text("# A test model\n", encoding="utf-8")
    return folder


def cloudy(height: int = 67, width: int = 91, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (4, row, col) with clouds and shadows at known places, and the class map (row, col)."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    truth[height // 5 : height // 2, width // 6 : width // 3] = 1
    truth[height // 2 : height * 2 // 3, width // 2 : width * 3 // 4] = 2
    truth[height * 3 // 4 : height * 7 // 8, width // 8 : width // 4] = 3
    level = np.array([0.15, 0.7, 0.4, 0.02])[truth]
    bands = [level * (0.96 + 0.02 * band) for band in range(3)]
    bands.append(level * np.array([2.0, 0.9, 1.1, 2.0])[truth])
    noise = rng.uniform(0.985, 1.015, (4, height, width))
    return (np.stack(bands) * noise).astype(np.float32), truth
