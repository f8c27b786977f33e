"""Pictures in display values: HRC_WHU, City-OSM, ADE20K-Outdoors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, SceneEntry, Values, is_there
from clearscene.datasets.pixels import read_bands, shape_of
from clearscene.errors import DatasetError

__all__ = ["Photos", "files_in"]

RGB = ("red", "green", "blue")
PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")


class Photos(Layout):
    """What loaders of pictures share; `find` and `codes` are theirs."""

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        shapes = shape_of(entry.files["image"]), shape_of(entry.files["labels"])
        if shapes[0] != shapes[1]:
            raise DatasetError(f"{entry.files['image']} and its mask differ in size: {shapes[0]}, {shapes[1]}.")
        return shapes[0]

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. All pixels are valid; a gray picture is gray in all three bands."""
        path = entry.files["image"]
        try:
            stored = read_bands(path, [RGB.index(name) + 1 for name in bands], window)
        except DatasetError:
            gray = read_bands(path, [1], window)  # raises again if the file is broken
            stored = np.repeat(gray, len(bands), axis=0)
        data = np.asarray(stored.astype(np.float32) * np.float32(1 / 255))
        return Values(data, np.ones(data.shape[1:], np.bool_))

    def footprint(self, entry: SceneEntry) -> None:
        """None: pictures have no place."""


def files_in(folder: Path) -> dict[str, Path]:
    """Pictures directly in a folder, by name without suffix."""
    if not folder.is_dir():
        return {}
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in PICTURES and is_there(p)}
