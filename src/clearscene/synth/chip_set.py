"""Chips on disk: pictures, masks and what is known of each, for training and for tests.

::

    DATASET/
      dataset.json       how it was made: the recipe, the version, the scenes by split
      chips.jsonl        one line a chip, appended as chips are finished
      images/<id>.png    8 bits, red, green, blue, or one gray band; for masks 16 bits, with near infrared
      masks/<id>.png     8 bits, one type a pixel by the ids of the taxonomy; 255 is to be ignored

A chip is in the set when its line is; a line is written after both of its pictures.
"""

import errno
import hashlib
import json
import os
import re
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.atomic import output_error, replacing
from clearscene.errors import DatasetError
from clearscene.inspection.taxonomy import BY_NAME, NODATA

try:
    import fcntl
except ImportError:  # not on Windows: there two writers are not told apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["CHIPS", "DATASET", "IDS", "SPLITS", "ChipRecord", "ChipSet", "ChipWriter", "Split", "read_about"]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

CHIPS, DATASET, LOCK = "chips.jsonl", "dataset.json", ".lock"
IDS = frozenset({0, NODATA, *(t.id for t in BY_NAME.values())})
"""Values that a mask may hold."""


@dataclass(frozen=True)
class ChipRecord:
    """One line of `chips.jsonl`."""

    id: str
    split: Split
    image: str
    """Path below the folder of the set."""
    mask: str
    """Path below the folder of the set."""
    labels: tuple[str, ...] = ()
    """Names of the types that the chip holds, those that another type covers included; empty: clean."""
    severity: Mapping[str, float] = field(default_factory=dict)
    """0 to 1 by type name."""
    source: str = ""
    """Scene that it was cut from; a scene is in one split only."""
    text_en: str = ""
    text_zh: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What was done, by type name, in the units that the keys name."""

    @property
    def undecided(self) -> tuple[str, ...]:
        """Names of types of which nobody has said whether the chip holds them: `undecided` of the parameters."""
        return tuple(self.parameters.get("undecided", ()))

    @property
    def is_clean(self) -> bool:
        """True if it shows no defect and no cloud, for sure."""
        return not self.labels and not self.undecided


class ChipSet:
    """A set of chips that is read.

    Law: `records` gives the chips in the order of their ids, whatever the order of their making.
    """

    def __init__(self, folder: Path, records: tuple[ChipRecord, ...], about: Mapping[str, Any]) -> None:
        self.folder, self._records, self.about = folder, records, about

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Read the list of chips; pictures are read when they are asked for.

        Raises:
            DatasetError: The folder holds no set, an empty one, or a line that is not a chip.
        """
        folder = Path(folder)
        if not (folder / CHIPS).is_file():
            raise DatasetError(
                f"{folder} holds no {CHIPS}, so it is no set of chips.",
                hint="Make one with `clearscene synth chips --source FOLDER --out DATASET`.",
            )
        records = tuple(sorted(_read_lines(folder / CHIPS), key=lambda record: record.id))
        if not records:
            raise DatasetError(f"{folder} holds no chips.", hint="Finish it: run `clearscene synth chips` again.")
        return cls(folder, records, read_about(folder))

    def without(self, sources: str) -> Self:
        """The set without chips of a source whose name the regular expression finds; an empty one finds none.

        Raises:
            DatasetError: No chip is left.
        """
        if not sources:
            return self
        kept = tuple(record for record in self._records if not re.search(sources, record.source))
        if not kept:
            raise DatasetError(f"{self.folder}: exclude = {sources!r} leaves no chip.", hint="Name fewer sources.")
        return type(self)(self.folder, kept, self.about)

    def __len__(self) -> int:
        return len(self._records)

    def records(self, split: Split | None = None) -> list[ChipRecord]:
        """The chips of a split, or all of them."""
        return [record for record in self._records if split in (None, record.split)]

    @property
    def product(self) -> str:
        """What its masks are about: `inspection` or `mask`."""
        recipe = self.about.get("recipe")
        return str(recipe.get("product", "inspection")) if isinstance(recipe, dict) else "inspection"

    def reflectance(self, record: ChipRecord) -> NDArray[np.uint16]:
        """Reflectance x 10,000 (row, col, band) of red, green, blue, nir, of a set for masks.

        Raises:
            DatasetError: The picture is missing or broken, or has not four bands of 16 bits.
        """
        path = self.folder / record.image
        image = _decoded(path, cv2.IMREAD_UNCHANGED, np.uint16)
        if image.ndim != 3 or image.shape[2] != 4:
            raise DatasetError(f"{path} has not the four bands of a chip for masks.", hint="Make the chip again.")
        return np.ascontiguousarray(image[..., [2, 1, 0, 3]])

    def image(self, record: ChipRecord) -> NDArray[np.uint8]:
        """Display values (band, row, col).

        Raises:
            DatasetError: The picture is missing or broken.
        """
        image = _decoded(self.folder / record.image, cv2.IMREAD_UNCHANGED)
        return image[None] if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1].transpose(2, 0, 1))

    def mask(self, record: ChipRecord) -> NDArray[np.uint8]:
        """Type ids (row, col); 0 is background, 255 is to be ignored.

        Raises:
            DatasetError: The mask is missing or broken, or holds an unknown id.
        """
        mask = _decoded(self.folder / record.mask, cv2.IMREAD_UNCHANGED)
        shown = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))  # many times faster than np.unique
        unknown = sorted(set(shown.tolist()) - IDS)
        if mask.ndim != 2 or unknown:
            raise DatasetError(
                f"{self.folder / record.mask} holds the values {unknown[:8]}, which are no types of defects."
                if mask.ndim == 2
                else f"{self.folder / record.mask} has {mask.shape[-1]} bands; a mask has one.",
                hint="Values are 0 (background), 1 to 10 (the types), 255 (ignored).",
            )
        return mask

    def digest(self) -> str:
        """SHA-256 of the list of chips in the order of their ids: equal lists, equal digests."""
        lines = (json.dumps(asdict(record), sort_keys=True) for record in self._records)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class ChipWriter:
    """Adds chips to a set, one after the other.

    Laws: an interruption loses at most the chip in hand; `done` holds what is already there; a second
    writer on the same folder is refused while the first lives, and then nothing is cleared. With
    `overwrite` a set that is there is taken out; what else lies in the folder stays.

    Raises:
        OutputError: The folder cannot be written.
        DatasetError: Another process is writing into it, or what is there is no set.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder = folder
        try:
            (folder / "images").mkdir(parents=True, exist_ok=True)
            (folder / "masks").mkdir(exist_ok=True)
            weakref.finalize(self, os.close, _locked(folder))
            if overwrite:
                _clear_set(folder)
            self._mend()
        except OSError as error:
            raise output_error(error, folder) from error
        self.done = {record.id for record in _read_lines(folder / CHIPS)} if (folder / CHIPS).is_file() else set()

    def add(self, record: ChipRecord, image: NDArray[np.uint8 | np.uint16], mask: NDArray[np.uint8]) -> None:
        """Write both pictures, (band, row, col) and (row, col), then the line.

        Raises:
            OutputError: The disk is full or the folder cannot be written.
        """
        order = [2, 1, 0, *range(3, len(image))]  # as OpenCV has them
        bgr = image[0] if len(image) == 1 else np.ascontiguousarray(image[order].transpose(1, 2, 0))
        _encode(self.folder / record.image, bgr)
        _encode(self.folder / record.mask, mask)
        line = json.dumps(asdict(record), ensure_ascii=False) + "\n"
        try:
            with (self.folder / CHIPS).open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise output_error(error, self.folder / CHIPS) from error
        self.done.add(record.id)

    def describe(self, about: Mapping[str, Any]) -> None:
        """Write `dataset.json`."""
        with replacing(self.folder / DATASET) as part:
            part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _mend(self) -> None:
        """Cut off the last line if it was not finished."""
        path = self.folder / CHIPS
        if not path.is_file():
            return
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)


def _locked(folder: Path) -> int:
    """Open a file that one writer at a time can hold; the lock ends when it is closed, or with the process."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    if fcntl is None:
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise DatasetError(
            f"Another process is making chips in {folder}.", hint="Wait for it, or write to another folder."
        ) from error
    return handle


def _clear_set(folder: Path) -> None:
    """Take a set out of a folder: its own files, and nothing else that lies there."""
    if not (folder / DATASET).is_file() and not (folder / CHIPS).is_file():
        return
    for path in (*folder.glob("images/*.png"), *folder.glob("masks/*.png"), folder / CHIPS, folder / DATASET):
        path.unlink(missing_ok=True)


def _read_lines(path: Path) -> Iterator[ChipRecord]:
    # by "\n" alone: `splitlines` also breaks at U+2028, which JSON may hold and a file name too
    for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        if not line and number == 1:
            return  # an empty file
        try:
            entry = json.loads(line)
            entry["labels"] = tuple(entry.get("labels", ()))
            record = ChipRecord(**entry)
        except (ValueError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}, line {number}: not a chip: {error}.") from error
        _check(record, f"{path}, line {number}")
        yield record


def _check(record: ChipRecord, place: str) -> None:
    unknown = [name for name in record.labels if name not in BY_NAME]
    if unknown:
        raise DatasetError(f"{place}: there is no type {unknown[0]!r}.", hint=f"The types are {', '.join(BY_NAME)}.")
    if record.split not in SPLITS:
        raise DatasetError(f"{place}: there is no split {record.split!r}.", hint="The splits are train, val, test.")


def read_about(folder: Path) -> dict[str, Any]:
    """What `dataset.json` says; empty if there is none.

    Raises:
        DatasetError: It is not JSON.
    """
    path = folder / DATASET
    try:
        about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}.", hint="Make the set again with --overwrite.") from error
    return about if isinstance(about, dict) else {}


def _decoded(path: Path, flags: int, dtype: type[np.uint8 | np.uint16] = np.uint8) -> NDArray[Any]:
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint="Make the chip again.") from error
    if image is None or image.dtype != dtype:
        bits = 8 * np.dtype(dtype).itemsize
        raise DatasetError(f"{path} is not a picture of {bits} bits.", hint="Make the chip again.")
    return np.asarray(image)


def _encode(path: Path, image: NDArray[np.uint8 | np.uint16]) -> None:
    encoded = cv2.imencode(path.suffix, image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    with replacing(path) as part:
        part.write_bytes(encoded.tobytes())
