"""What a loader of a published layout answers: which scenes are there, their pixels, their codes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.prepared_record import Cover, Split
from clearscene.datasets.spec import DatasetSpec
from clearscene.errors import DatasetError
from clearscene.synth.overlap import footprint

__all__ = ["Layout", "Listing", "SceneEntry", "Values", "is_there", "need_folder"]

Box = tuple[float, float, float, float]
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2")


@dataclass(frozen=True)
class SceneEntry:
    """One scene of a download."""

    id: str
    group: str
    """Ground, or series of photos, that must not be in two splits."""
    files: Mapping[str, Path]
    """By what they are, as `B4` or `mask`."""
    split: Split | None = None
    """As its makers published it."""
    biome: str | None = None
    cover: Cover | None = None
    """As published; None: it is counted from the mask."""
    date: str | None = None
    """Day, ISO 8601."""
    has_shadow: bool = True
    """False where shadow was not drawn although the set labels shadow."""
    index: int = 0
    """Place in a file that holds many scenes."""


@dataclass(frozen=True)
class Listing:
    """What a folder holds."""

    entries: tuple[SceneEntry, ...]
    """Scenes that are complete, sorted by id."""
    missing: tuple[str, ...] = ()
    """What should be there and is not, one line each."""
    notes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """More counts, as `test patches`."""


@dataclass(frozen=True, eq=False)
class Values:
    """Pixels of a window."""

    data: NDArray[np.float32]
    """(band, row, col), reflectance, display values 0 to 1, or kelvin / 400."""
    valid: NDArray[np.bool_]
    """(row, col), True where all bands have data."""


class Layout(ABC):
    """A loader of one layout."""

    spec: DatasetSpec

    @abstractmethod
    def find(self, folder: Path) -> Listing:
        """List what is there; reads names and tables, no pixels.

        Raises:
            DatasetError: The folder is not there, or holds nothing of this layout.
        """

    @abstractmethod
    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """Height and width of what `image` and `codes` give, pixels."""

    @abstractmethod
    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """Pixels of a window that lies inside the shape; bands in the order asked for."""

    @abstractmethod
    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """Published codes of the whole scene (row, col)."""

    def footprint(self, entry: SceneEntry) -> Box | None:
        """Left, bottom, right, top in degrees, where the files tell."""
        path = next(iter(entry.files.values()), None)
        return None if path is None else footprint(path)

    def scene_window(self, entry: SceneEntry) -> tuple[int, int, int, int]:
        """Top, left, height and width of the scene in what `image` gives; all of it unless there is padding."""
        return (0, 0, *self.shape(entry))


def is_there(path: Path) -> bool:
    """True for a file that is not empty, so that a download that broke off at once does not count.

    Hidden files are not there: archives packed on a Mac hold a `._name` beside each file.
    """
    return not path.name.startswith(".") and path.is_file() and path.stat().st_size > 0


def need_folder(folder: Path, spec: DatasetSpec, found: Sequence[object]) -> None:
    """Refuse a folder that holds nothing of a layout.

    Raises:
        DatasetError: As said; tells what was looked for, what is there, and how the data set is had.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.", hint=f"To get {spec.title}: {spec.get}")
    if found:
        return
    there = sorted(path.name for path in folder.iterdir())
    some = ", ".join(there[:4]) or "nothing"
    packed = [name for name in there if name.endswith((".zip", ".tar.gz", ".tgz", ".tar", ".7z", ".rar"))]
    unfinished = [name for name in there if name.endswith(UNFINISHED)]
    if packed:
        hint = f"Unpack {packed[0]} first."
    elif unfinished:
        hint = f"{unfinished[0]} is a download that is not finished."
    else:
        hint = f"It should look like this:\n{spec.layout}"
    raise DatasetError(f"{folder} holds nothing of {spec.title}: it has {some}.", hint=hint)
