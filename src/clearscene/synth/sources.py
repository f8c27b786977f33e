"""Where the ground of chips comes from: folders of images, by scene and split, in units of the display."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import DatasetError
from clearscene.grid import slices
from clearscene.inspection.taxonomy import NODATA
from clearscene.synth.chip_set import IDS, Split
from clearscene.synth.recipe import ChipsRecipe, SourceSpec
from clearscene.synth.source_image import AS_THE_FILE_SAYS, Radiometry, SourceImage, image_of, opened

__all__ = [
    "Ground",
    "Source",
    "Splitting",
    "find_sources",
    "label_path",
    "read_ground",
    "read_labels",
    "shape_of",
    "sources_of",
    "split_of",
]

SUFFIXES = {".tif", ".tiff", ".jpg", ".jpeg", ".png", ".jp2", ".vrt"}
CACHED, KEPT = 4096, 512 * 512
"""Images kept in memory, of as many pixels at most; from a larger one, windows are read."""
LEAST_VALID, PLACES = 0.5, 8
"""Share of a window that should be valid, and places that are tried for one."""


class Splitting(Protocol):
    """What of a recipe decides the split of a scene."""

    @property
    def seed(self) -> int:
        """Of the recipe."""

    @property
    def split_seed(self) -> int | None:
        """Of the splits; None: the same."""

    @property
    def test(self) -> float:
        """Share of the scenes."""

    @property
    def val(self) -> float:
        """Share of the scenes."""


@dataclass(frozen=True)
class Source:
    """One image that chips are cut from."""

    path: Path
    scene: str
    """Key of the scene that it belongs to, under the name of its folder."""
    split: Split
    weight: float
    labels: Path | None = None
    radiometry: Radiometry = AS_THE_FILE_SAYS
    """What the recipe says of its values."""


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
    is_gray: bool = False
    """True: the image has one band, so the three are equal and stay so."""


def find_sources(recipe: ChipsRecipe) -> list[Source]:
    """All images of a recipe, in the order of their names.

    Law: two images of one scene are in one split, whatever else the recipe holds.

    Raises:
        DatasetError: A folder holds no image, or a file does not fit its `group`.
    """
    found = [source for spec in recipe.sources for source in sources_of(spec, recipe)]
    splits: dict[str, Split] = {}
    for source in found:
        if splits.setdefault(source.scene, source.split) != source.split:
            raise DatasetError(f"The scene {source.scene} would be in two splits.", hint="See `split` in the recipe.")
    _check_names(recipe)
    return found


def _check_names(recipe: ChipsRecipe) -> None:
    """Two folders of one name would make one scene of two."""
    named: dict[str, Path] = {}
    for spec in recipe.sources:
        if spec.name:
            continue
        folder = spec.folder.resolve()
        other = named.setdefault(folder.name, folder)
        if other != folder:
            raise DatasetError(
                f"{other} and {folder} have one name, so scenes of the two would be taken for one another.",
                hint="Give one of them a `name` in the recipe, or both the same one if they show the same scenes.",
            )


def split_of(scene: str, recipe: Splitting) -> Split:
    """The split of a scene: by a digest of its key and the seed, so that new scenes move no old one."""
    seed = recipe.seed if recipe.split_seed is None else recipe.split_seed
    digest = hashlib.sha256(f"{seed}:{scene}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < recipe.test:
        return "test"
    return "val" if place < recipe.test + recipe.val else "train"


def sources_of(spec: SourceSpec, recipe: Splitting) -> list[Source]:
    """The images of one `[[sources]]`, in the order of their names.

    Raises:
        DatasetError: The folder holds no image, or a file does not fit its `group`.
    """
    if not spec.folder.is_dir():
        raise DatasetError(f"{spec.folder} is not a folder.", hint="--source names a folder of images.")
    paths = sorted(p for p in spec.folder.glob(spec.include) if p.suffix.lower() in SUFFIXES)
    paths = [p for p in paths if not (spec.exclude and re.search(spec.exclude, p.name))]
    if spec.labels is not None:
        labels = spec.labels
        paths = [p for p in paths if labels not in p.parents and label_path(p, labels).is_file()]
    if not paths:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DatasetError(f"{spec.folder} holds no image ({kinds}) that fits.", hint="See include, exclude, labels.")
    weight = spec.weight / len(paths)
    scenes = [f"{spec.name or spec.folder.name}/{_scene_key(p, spec)}" for p in paths]
    radiometry = Radiometry(spec.white, spec.scale, spec.offset)
    return [
        Source(p, scene, spec.split or split_of(scene, recipe), weight, spec.labels, radiometry)
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


def label_path(path: Path, folder: Path) -> Path:
    """Where the labels of an image lie."""
    return folder / f"{path.stem}.png"


def read_ground(source: Source, *, size: int, rng: np.random.Generator) -> Ground:
    """A window of `size` x `size` px at a random place of an image.

    An image smaller than the window is enlarged by reflection. Bands are red, green and blue; a gray
    image gives three equal ones. A place at which less than half is valid is drawn again, a few times.

    Raises:
        DatasetError: The image or its labels cannot be read.
    """
    image = _image(source)
    for _ in range(PLACES):
        top, left = (int(rng.integers(0, max(1, n - size + 1))) for n in (image.height, image.width))
        window = Window(left, top, min(size, image.width - left), min(size, image.height - top))
        stored, valid = _read_part(source.path, window, image)
        if valid.mean() >= LEAST_VALID:
            break
    shown = image.display(stored)
    data = np.stack([_filled_up(band, size) for band in (np.repeat(shown, 3, axis=0) if len(shown) == 1 else shown)])
    classes = read_labels(source)
    labels = None if classes is None else _filled_up(classes[slices(window)], size)
    return Ground(data, _filled_up(valid, size), labels, image.is_reflectance, len(shown) == 1)


def read_labels(source: Source) -> NDArray[np.uint8] | None:
    """The ids (row, col) of all of an image, 255 for those that there are not; None if it has no labels.

    Raises:
        DatasetError: The image or its labels cannot be read, or do not fit.
    """
    if source.labels is None:
        return None
    return _read_labels(source.path, source.labels, shape_of(source))


def shape_of(source: Source) -> tuple[int, int]:
    """Rows and columns of an image.

    Raises:
        DatasetError: The image cannot be read.
    """
    image = _image(source)
    return image.height, image.width


def _image(source: Source) -> SourceImage:
    return image_of(source.path, source.radiometry)


def _filled_up(plane: NDArray[Any], size: int) -> NDArray[Any]:
    """Reflect (row, col) at its lower and right edge until it has `size` rows and columns."""
    missing = [(0, max(0, size - n)) for n in plane.shape]
    return np.pad(plane, missing, mode="symmetric") if any(after for _, after in missing) else plane


def _read_part(path: Path, window: Window, image: SourceImage) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Stored values (1 or 3, row, col) and valid (row, col) of a window; from memory, if the image is kept there."""
    if image.height * image.width > KEPT:
        data, valid = _read(path, window)
    else:
        data, valid = _read_whole(path, image.height, image.width)
        data, valid = data[:, *slices(window)], valid[slices(window)]
    return data, valid & ~image.collar.mask(window)


@lru_cache(maxsize=CACHED)
def _read_whole(path: Path, height: int, width: int) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    return _read(path, Window(0, 0, width, height))


def _read(path: Path, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    with opened(path) as scene:
        pixels = scene.read(window)
    return pixels.data[: 1 if len(pixels.data) == 1 else 3], pixels.valid


@lru_cache(maxsize=CACHED)
def _read_labels(path: Path, folder: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    mask = cv2.imread(str(label_path(path, folder)), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.shape != shape:
        raise DatasetError(
            f"{label_path(path, folder)} does not fit {path}: {None if mask is None else mask.shape} against {shape}.",
            hint="A mask has one band, 8 bits, and the size of its image.",
        )
    return np.where(np.isin(mask, sorted(IDS)), mask, NODATA).astype(np.uint8)
