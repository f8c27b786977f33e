"""Any set of images and masks in two folders, or beside each other, as a small TOML file describes it."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, read_bands, read_codes, shape_of
from clearscene.datasets.prepared_record import IGNORE, Split
from clearscene.datasets.spec import DatasetSpec, Label, Meaning
from clearscene.errors import DatasetError
from clearscene.models.wrong_keys import describe_errors

__all__ = ["Folders", "FoldersConfig", "read_config"]

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".bmp")
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


class ClassConfig(BaseModel):
    """One class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    codes: tuple[int, ...] = Field(description="Values in the masks that mean it.", min_length=1)
    cloud: Meaning | None = Field(default=None, description="What it is on a cloud mask, for --classes 2, 3 and 4.")


class FoldersConfig(BaseModel):
    """What `dataset.toml` says. Paths are glob patterns below the folder; names pair by what `*` stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    license: str = "as its makers say"
    source: str = "own"
    images: str = Field(default="img_dir/**/*", description="Pattern of the images; one * stands for the name.")
    labels: str = Field(default="ann_dir/**/*", description="Pattern of the masks.")
    bands: tuple[str, ...] = Field(default=("red", "green", "blue"), min_length=1, description="As in the images.")
    scaling: Literal["reflectance", "display"] = "display"
    scale: float | None = Field(default=None, description="Factor; default 1/255 for display, 1/10000 for others.")
    offset: float = 0.0
    nodata: float | None = Field(default=None, description="Stored value that means no data where all bands have it.")
    threshold: int | None = Field(default=None, description="Masks from this value on are 1, below 0: soft masks.")
    classes: tuple[ClassConfig, ...] = Field(min_length=2)
    ignored: tuple[int, ...] = (IGNORE,)
    prefix: tuple[str, ...] = Field(default=(), description="Only names that start with one of these.")
    group: str = Field(default="", description="Regular expression; its first group is what stays in one split.")
    biome: str = Field(default="", description="Regular expression; its first group is the biome.")
    verified: str = "not recorded"

    @model_validator(mode="after")
    def _check(self) -> Self:
        for pattern in (self.images, self.labels):
            if pattern.replace("**", "").count("*") != 1:
                raise ValueError(f"the pattern {pattern!r} needs one * for the name")
        for text in (self.group, self.biome):
            if text and re.compile(text).groups < 1:
                raise ValueError(f"the expression {text!r} needs a group in parentheses")
        codes = [code for entry in self.classes for code in entry.codes]
        if len(set(codes)) < len(codes):
            raise ValueError("a code stands for two classes")
        return self

    def spec(self) -> DatasetSpec:
        """What is known of the set."""
        taken = {code for entry in self.classes for code in entry.codes}
        return DatasetSpec(
            name=self.name,
            title=self.title or self.name,
            bands=self.bands,
            labels=tuple(Label(code, entry.name, entry.cloud) for entry in self.classes for code in entry.codes),
            ignored=tuple(code for code in self.ignored if code not in taken),
            license=self.license,
            get="it is yours, or its makers say",
            layout=f"FOLDER/\n  {self.images}\n  {self.labels}",
            source=self.source,
            scaling=self.scaling,
            verified=self.verified,
            has_published_split=True,
            notes=("A folder named train, val or test below the patterns is the published split.",),
        )


class Folders(Layout):
    """Loader of images and masks that pair by name."""

    def __init__(self, config: FoldersConfig) -> None:
        self.config, self.spec = config, config.spec()
        full = 255.0 if config.scaling == "display" else 10_000.0
        self._scale = 1 / full if config.scale is None else config.scale

    def find(self, folder: Path) -> Listing:
        """See `Layout`. An image without a mask, or a mask without an image, is missing its other half."""
        images = _named(folder, self.config.images, self.config.prefix)
        labels = _named(folder, self.config.labels, self.config.prefix)
        need_folder(folder, self.spec, [*images, *labels])
        entries, missing = [], []
        for key in sorted({*images, *labels}):
            if key not in images or key not in labels:
                there = images.get(key) or labels[key]
                kind = "mask" if key in images else "image"
                missing.append(f"the {kind} of {there.relative_to(folder)}")
                continue
            entries.append(self._entry(key, images[key], labels[key], folder))
        return Listing(tuple(entries), tuple(missing))

    def _entry(self, key: str, image: Path, labels: Path, folder: Path) -> SceneEntry:
        parts = image.relative_to(folder).parts[:-1]
        split = next((SPLIT_NAMES[part.lower()] for part in parts if part.lower() in SPLIT_NAMES), None)
        group, biome = _first(self.config.group, key) or key, _first(self.config.biome, key)
        files = {"image": image, "labels": labels}
        return SceneEntry(key, group, files, split=split, biome=biome, date=date_in(key))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        shapes = {name: shape_of(path) for name, path in entry.files.items()}
        if shapes["image"] != shapes["labels"]:
            raise DatasetError(f"{entry.files['image']} and its mask differ in size: {shapes}.")
        return shapes["image"]

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is not valid where all bands asked for hold the nodata value."""
        path = entry.files["image"]
        stored = read_bands(path, [self.spec.bands.index(name) + 1 for name in bands], window)
        valid = np.ones(stored.shape[1:], np.bool_)
        if self.config.nodata is not None:
            valid = np.asarray((stored != self.config.nodata).any(axis=0))
        data = stored.astype(np.float32) * np.float32(self._scale) + np.float32(self.config.offset)
        valid &= np.isfinite(data).all(axis=0)
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: stored values, or 0 and 1 by the threshold."""
        codes = read_codes(entry.files["labels"])
        return codes if self.config.threshold is None else (codes >= self.config.threshold).astype(np.uint8)


def read_config(path: Path) -> FoldersConfig:
    """Read a `dataset.toml`.

    Raises:
        DatasetError: It is not there, is no TOML, or has a wrong key or value; names it.
    """
    try:
        return FoldersConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", hint="Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        known = ", ".join(FoldersConfig.model_fields)
        wrong = describe_errors(error, "the file", FoldersConfig)
        raise DatasetError(f"{path}: {wrong}.", hint=f"Keys are {known}.") from error


def _named(folder: Path, pattern: str, prefix: tuple[str, ...]) -> dict[str, Path]:
    """Files of a pattern by their name: what the * stands for, without the suffix.

    Raises:
        DatasetError: Two files have one name.
    """
    star = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", r"(?P<name>[^/]*)")
    shape = re.compile(star + r"(?:\.\w+)?" if "." not in pattern.rsplit("*", 1)[1] else star)
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(pattern)) if folder.is_dir() else []:
        match = shape.fullmatch(path.relative_to(folder).as_posix())
        if match is None or path.suffix.lower() not in SUFFIXES or not is_there(path):
            continue
        name = match["name"].removesuffix(path.suffix)
        if prefix and not name.startswith(prefix):
            continue
        if name in found:
            raise DatasetError(f"{found[name]} and {path} have one name.", hint="Make the pattern narrower.")
        found[name] = path
    return found


def _first(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text) if pattern else None
    return None if match is None else match[1]


def decode_colors(path: Path, colors: Sequence[tuple[int, int, int]], other: int) -> NDArray[np.uint8]:
    """Place (row, col) of each pixel's color, red, green, blue, in a list; `other` where it is none of them.

    Raises:
        DatasetError: The picture cannot be read.
    """
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"{path} is no picture that can be read.", hint="Copy or download it again.")
    codes = np.full(image.shape[:2], other, np.uint8)
    for place, color in enumerate(colors):
        codes[(image == color[::-1]).all(axis=2)] = place
    return codes
