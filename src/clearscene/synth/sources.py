"""Where the ground of chips comes from: folders of images, by scene and split, in units of the display."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import ClearsceneError, DatasetError
from clearscene.grid import slices
from clearscene.inspection.taxonomy import NODATA
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.stretch import REFLECTANCE_WHITE
from clearscene.synth.chip_set import IDS, Split
from clearscene.synth.recipe import ChipsRecipe, SourceSpec

__all__ = ["Ground", "Source", "find_sources", "read_ground", "read_labels", "shape_of", "split_of"]

SUFFIXES = {".tif", ".tiff", ".jpg", ".jpeg", ".png", ".jp2", ".vrt"}
REFLECTANCE_SCALE = 10_000.0
"""Stored 16-bit values to reflectance where nothing else is said, as of Sentinel-2."""
CACHED, KEPT = 4096, 512 * 512
"""Images kept in memory, of as many pixels at most; from a larger one, windows are read."""
LEAST_VALID, PLACES = 0.5, 8
"""Share of a window that should be valid, and places that are tried for one."""


@dataclass(frozen=True)
class Source:
    """One image that chips are cut from."""

    path: Path
    scene: str
    """Key of the scene that it belongs to, under the name of its folder."""
    split: Split
    weight: float
    labels: Path | None = None


@dataclass(frozen=True, eq=False)
class Ground:
    """A piece of an image."""

    data: NDArray[np.float32]
    """(band, row, col): red, green, blue in units of the display; above 1 is headroom."""
    valid: NDArray[np.bool_]
    """(row, col)."""
    labels: NDArray[np.uint8] | None
    """(row, col) ids, where the source has labels."""
    is_reflectance: bool
    """True: 1 is a reflectance of 0.3558, and values may be above."""


def find_sources(recipe: ChipsRecipe) -> list[Source]:
    """All images of a recipe, in the order of their names.

    Law: two images of one scene are in one split, whatever else the recipe holds.

    Raises:
        DatasetError: A folder holds no image, or a file does not fit its `group`.
    """
    found = [source for spec in recipe.sources for source in _of_folder(spec, recipe)]
    splits: dict[str, Split] = {}
    for source in found:
        if splits.setdefault(source.scene, source.split) != source.split:
            raise DatasetError(f"The scene {source.scene} would be in two splits.", hint="See `split` in the recipe.")
    return found


def split_of(scene: str, recipe: ChipsRecipe) -> Split:
    """The split of a scene: by a digest of its key and the seed, so that new scenes move no old one."""
    seed = recipe.seed if recipe.split_seed is None else recipe.split_seed
    digest = hashlib.sha256(f"{seed}:{scene}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < recipe.test:
        return "test"
    return "val" if place < recipe.test + recipe.val else "train"


def _of_folder(spec: SourceSpec, recipe: ChipsRecipe) -> list[Source]:
    if not spec.folder.is_dir():
        raise DatasetError(f"{spec.folder} is not a folder.", hint="--source names a folder of images.")
    paths = sorted(p for p in spec.folder.glob(spec.include) if p.suffix.lower() in SUFFIXES)
    paths = [p for p in paths if not (spec.exclude and re.search(spec.exclude, p.name))]
    if spec.labels is not None:
        labels = spec.labels
        paths = [p for p in paths if labels not in p.parents and _label_path(p, labels).is_file()]
    if not paths:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DatasetError(f"{spec.folder} holds no image ({kinds}) that fits.", hint="See include, exclude, labels.")
    weight = spec.weight / len(paths)
    scenes = [f"{spec.folder.name}/{_scene_key(p, spec)}" for p in paths]
    return [
        Source(p, scene, spec.split or split_of(scene, recipe), weight, spec.labels)
        for p, scene in zip(paths, scenes, strict=True)
    ]


def _scene_key(path: Path, spec: SourceSpec) -> str:
    key = path.stem
    if spec.group:
        found = re.search(spec.group, path.stem)
        if found is None:
            raise DatasetError(f"{path} does not fit group = {spec.group!r}.", hint="Mend the pattern, or exclude it.")
        key = "-".join(part for part in found.groups() if part) or found[0]
    if spec.block:
        key = re.sub(r"(\d+)(?!.*\d)", lambda number: str(int(number[0]) // spec.block), key)
    return key


def _label_path(path: Path, folder: Path) -> Path:
    return folder / f"{path.stem}.png"


def read_ground(source: Source, *, size: int, rng: np.random.Generator) -> Ground:
    """A window of `size` x `size` px at a random place of an image.

    An image smaller than the window is enlarged by reflection. Bands are red, green and blue; a gray
    image gives three equal ones. A place at which less than half is valid is drawn again, a few times.

    Raises:
        DatasetError: The image or its labels cannot be read.
    """
    height, width = shape_of(source)
    for _ in range(PLACES):
        top, left = (int(rng.integers(0, max(1, n - size + 1))) for n in (height, width))
        window = Window(left, top, min(size, width - left), min(size, height - top))
        stored, valid = _read_part(source.path, window, is_kept=height * width <= KEPT)
        if valid.mean() >= LEAST_VALID:
            break
    is_reflectance = stored.dtype != np.uint8
    white = REFLECTANCE_SCALE * REFLECTANCE_WHITE if is_reflectance else 255.0
    data = np.stack([_filled_up(band, size) for band in stored.astype(np.float32) * np.float32(1 / white)])
    classes = read_labels(source)
    labels = None if classes is None else _filled_up(classes[slices(window)], size)
    return Ground(data, _filled_up(valid, size), labels, is_reflectance)


def read_labels(source: Source) -> NDArray[np.uint8] | None:
    """The ids (row, col) of all of an image, 255 for those that there are not; None if it has no labels.

    Raises:
        DatasetError: The image or its labels cannot be read, or do not fit.
    """
    return None if source.labels is None else _read_labels(source.path, source.labels)


def shape_of(source: Source) -> tuple[int, int]:
    """Rows and columns of an image.

    Raises:
        DatasetError: The image cannot be read.
    """
    return _shape(source.path)


def _filled_up(plane: NDArray[Any], size: int) -> NDArray[Any]:
    """Reflect (row, col) at its lower and right edge until it has `size` rows and columns."""
    missing = [(0, max(0, size - n)) for n in plane.shape]
    return np.pad(plane, missing, mode="symmetric") if any(after for _, after in missing) else plane


@contextmanager
def _opened(path: Path) -> Iterator[Scene]:
    try:
        with open_scene(path) as scene:
            yield scene
    except ClearsceneError as error:
        raise DatasetError(
            f"{path} cannot be read as ground for chips: {error.message}", hint=error.hint or "Mend it, or exclude it."
        ) from error


@cache
def _shape(path: Path) -> tuple[int, int]:
    with _opened(path) as scene:
        return scene.grid.height, scene.grid.width


def _read_part(path: Path, window: Window, *, is_kept: bool) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Stored values (3, row, col) and valid (row, col) of a window; from memory, if the image is kept there."""
    if not is_kept:
        return _read(path, window)
    data, valid = _read_whole(path)
    return data[:, *slices(window)], valid[slices(window)]


@lru_cache(maxsize=CACHED)
def _read_whole(path: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    height, width = _shape(path)
    return _read(path, Window(0, 0, width, height))


def _read(path: Path, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    with _opened(path) as scene:
        pixels = scene.read(window)
    data = np.repeat(pixels.data, 3, axis=0) if len(pixels.data) == 1 else pixels.data[:3]
    if data.dtype not in (np.uint8, np.uint16, np.int16):
        raise DatasetError(
            f"{path} holds {data.dtype} values; ground for chips has 8 or 16 bits.", hint="Convert it, or exclude it."
        )
    return data, pixels.valid


@lru_cache(maxsize=CACHED)
def _read_labels(path: Path, folder: Path) -> NDArray[np.uint8]:
    shape = _shape(path)
    mask = cv2.imread(str(_label_path(path, folder)), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.shape != shape:
        raise DatasetError(
            f"{_label_path(path, folder)} does not fit {path}: {None if mask is None else mask.shape} against {shape}.",
            hint="A mask has one band, 8 bits, and the size of its image.",
        )
    return np.where(np.isin(mask, sorted(IDS)), mask, NODATA).astype(np.uint8)
