"""Photos with a known sky, files with EXIF, and a model for them whose answer can be computed by hand."""

import struct
from pathlib import Path

import cv2
import numpy as np
from onnx import helper

from tests.onnx_graphs import port, save, tensor

SIZE = 64
STEEPNESS = 20.0

MANIFEST = """
name = "{name}"
version = "0.1.0"
task = "{task}"
license = "Apache-2.0"
[input]
bands = ["red", "green", "blue"]
scale = 255
[tiles]
tile_size = 64
[[classes]]
id = 0
name = "other"
[[classes]]
id = 1
name = "{last}"
"""


def blue_model(folder: Path, *, name: str = "blue", task: str = "sky", last: str = "sky") -> Path:
    """A model folder that calls a pixel sky by how much blue exceeds red, 0.3 of full white being even chances."""
    kernel = np.zeros((2, 3, 1, 1), np.float32)
    kernel[1, :, 0, 0] = -STEEPNESS, 0, STEEPNESS
    weights = [tensor("kernel", kernel), tensor("bias", np.array([0, -0.3 * STEEPNESS], np.float32))]
    nodes = [helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"])]
    sizes = [port("image", [1, 3, SIZE, SIZE])], [port("logits", [1, 2, SIZE, SIZE])]
    save(folder / "model.onnx", nodes, *sizes, weights)
    (folder / "model.toml").write_text(MANIFEST.format(name=name, task=task, last=last))
    return folder


def scene(height: int = 120, width: int = 180, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A photo (row, col, red-green-blue) and its sky (row, col): blue above a brown ridge; all pixels differ a bit."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width]
    is_sky = rows < height * (0.45 + 0.15 * np.sin(7 * cols / width))
    photo = np.where(is_sky[..., None], (70, 130, 225), (120, 90, 60)) + rng.integers(-12, 13, (height, width, 3))
    return photo.astype(np.uint8), is_sky


def indoors(height: int = 100, width: int = 140, *, seed: int = 2) -> np.ndarray:
    """A photo without any sky."""
    rng = np.random.default_rng(seed)
    return (np.array([150, 120, 90]) + rng.integers(-20, 21, (height, width, 3))).astype(np.uint8)


def write_photo(path: Path, photo: np.ndarray, *, orientation: int = 0) -> Path:
    """Write red, green, blue by the suffix; JPEGs take an EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = cv2.imencode(path.suffix.lower(), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])[1].tobytes()
    if orientation and content[:2] == b"\xff\xd8":
        content = content[:2] + exif_segment(orientation) + content[2:]
    path.write_bytes(content)
    return path


def exif_segment(orientation: int, order: str = "<") -> bytes:
    """APP1 with one directory of two entries."""
    tiff = exif_tiff(orientation, order)
    return b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff


def exif_tiff(orientation: int, order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    width = struct.pack(f"{order}HHII", 0x0100, 4, 1, 77)
    turn = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(f"{order}H", 2) + width + turn + struct.pack(f"{order}I", 0)


def read_gray(path: Path) -> np.ndarray:
    """A mask as its bytes are, not turned."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None, path
    return found
