"""Write a prepared set: all of it appears at once, or nothing."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

from clearscene import __version__
from clearscene.atomic import output_error
from clearscene.datasets.prepared_record import (
    CHIPS,
    FULL,
    IGNORE,
    PREPARED,
    SPLITS,
    PreparedRecord,
    Scaling,
    chips_digest,
    record_line,
    set_digest,
    split_digest,
)
from clearscene.errors import DatasetError, OutputError
from clearscene.raster.gdal import GDAL_ERRORS, no_place_needed

__all__ = ["PreparedAbout", "PreparedWriter"]

OWN = {PREPARED, CHIPS, "images", "masks"}


@dataclass(frozen=True)
class PreparedAbout:
    """What `prepared.json` will say of a set, apart from what the chips themselves say."""

    dataset: str
    bands: tuple[str, ...]
    classes: tuple[str, ...]
    scaling: Scaling
    license: str
    size: int = 256
    """Pixels along the side of each chip; 0 where chips have sizes of their own."""
    overlap: int = 64
    seed: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)
    """More entries, as how the scenes were split."""


class PreparedWriter:
    """Writes a set in a `with` block; the folder appears at the end of it, and only if nothing was raised.

    Laws: what is read from the set is what was added, to half a stored step; two writings of the same chips
    have the same digests; another pixel, mask, class or band gives another `digest`.

    Raises:
        DatasetError: The folder is there already: without `overwrite`, or it holds more than a set.
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path | str, about: PreparedAbout, *, overwrite: bool = False) -> None:
        self.folder, self.about = Path(folder), about
        _check_target(self.folder, overwrite=overwrite)
        self._part = self.folder.with_name(f".{self.folder.name}.{uuid4().hex[:8]}.part")
        self._records: dict[str, PreparedRecord] = {}
        self._split_of: dict[str, str] = {}
        self._content = hashlib.sha256()

    def __enter__(self) -> Self:
        try:
            (self._part / "images").mkdir(parents=True)
            (self._part / "masks").mkdir()
        except OSError as error:
            raise output_error(error, self.folder) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def add(self, record: PreparedRecord, image: NDArray[np.float32], mask: NDArray[np.uint8]) -> PreparedRecord:
        """Write a chip; returns its record with the paths of its pictures.

        Args:
            record: `image` and `mask` may be empty.
            image: (band, row, col), as `PreparedSet.image` gives it; what is no number is stored as 0.
            mask: (row, col), places in `classes`, 255 to be ignored.

        Raises:
            DatasetError: The chip does not fit the set, its id is taken, or its scene is in another split.
            OutputError: The disk is full or the folder cannot be written.
        """
        self._check(record, image, mask)
        named = replace(record, image=f"images/{record.id}.tif", mask=f"masks/{record.id}.png")
        full = FULL[self.about.scaling]
        dtype = np.uint16 if self.about.scaling == "reflectance" else np.uint8
        scaled = np.nan_to_num(image, posinf=np.inf, neginf=0.0) * np.float32(full)
        stored = np.rint(np.clip(scaled, 0, np.iinfo(dtype).max)).astype(dtype)
        try:
            _write_tif(self._part / named.image, stored)
            encoded = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
            (self._part / named.mask).write_bytes(encoded.tobytes())
        except (OSError, *GDAL_ERRORS) as error:
            raise output_error(error, self.folder) from error
        for part in (f"{record.id} {stored.shape}".encode(), stored.tobytes(), mask.tobytes()):
            self._content.update(part)
        self._records[record.id] = named
        self._split_of[record.scene] = record.split
        return named

    def _check(self, record: PreparedRecord, image: NDArray[np.float32], mask: NDArray[np.uint8]) -> None:
        side, place = self.about.size, f"Chip {record.id} of {self.folder}"
        expected = (side, side) if side else mask.shape
        if image.shape != (len(self.about.bands), *expected) or mask.shape != expected or mask.dtype != np.uint8:
            raise DatasetError(
                f"{place} has an image {image.shape} and a {mask.dtype} mask {mask.shape}; not {expected}."
            )
        if ((mask >= len(self.about.classes)) & (mask != IGNORE)).any():
            raise DatasetError(f"{place}: a value of its mask is none of {len(self.about.classes)} classes.")
        if record.id in self._records or "/" in record.id:
            raise DatasetError(f"{place}: its id is taken or is no file name.", hint="Give each chip an id of its own.")
        if record.split not in SPLITS or self._split_of.get(record.scene, record.split) != record.split:
            earlier = self._split_of.get(record.scene)
            raise DatasetError(
                f"{place} is of split {record.split!r}, its scene {record.scene} of {earlier!r}.",
                hint="All chips of a scene go to one split: train, val or test.",
            )

    def _finish(self) -> None:
        if not self._records:
            raise DatasetError(
                f"No chip was made for {self.folder}.", hint="See what `clearscene datasets check` says."
            )
        records = list(self._records.values())
        content = "".join(record_line(record) for record in records).encode()
        counts = Counter(record.split for record in records)
        about, listed = self.about, chips_digest(content)
        reading = {
            "bands": list(about.bands),
            "classes": list(about.classes),
            "scaling": about.scaling,
            "size": about.size,
        }
        info = {
            "format": 1,
            "dataset": about.dataset,
            **reading,
            "overlap": about.overlap,
            "seed": about.seed,
            "list": listed,
            "digest": set_digest(listed, self._content.hexdigest(), reading),
            "split_digest": split_digest(records),
            "license": about.license,
            "counts": {split: counts.get(split, 0) for split in SPLITS},
            "scenes": {split: len({r.scene for r in records if r.split == split}) for split in SPLITS},
            **about.notes,
            "clearscene": __version__,
        }
        try:
            (self._part / CHIPS).write_bytes(content)
            text = json.dumps(info, indent=1, ensure_ascii=False) + "\n"
            (self._part / PREPARED).write_text(text, encoding="utf-8")
            self._move()
        except OSError as error:
            raise output_error(error, self.folder) from error

    def _move(self) -> None:
        """Put the finished set in its place; an earlier set goes away only then."""
        if not self.folder.exists():
            self._part.rename(self.folder)
            return
        old = self._part.with_suffix(".old")
        self.folder.rename(old)
        self._part.rename(self.folder)
        shutil.rmtree(old)


def _check_target(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file.", hint="Write to another folder.")
    there = {path.name for path in folder.iterdir()}
    if there - OWN:
        raise DatasetError(
            f"{folder} holds {sorted(there - OWN)[0]}, which is of no prepared set.", hint="Write to another folder."
        )
    if there and not overwrite:
        raise DatasetError(f"{folder} is there already.", hint="Use --overwrite, or write to another folder.")


def _write_tif(path: Path, stored: NDArray[np.uint16 | np.uint8]) -> None:
    count, height, width = stored.shape
    with (
        no_place_needed(),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=count,
            dtype=stored.dtype.name,
            compress="deflate",
            zlevel=1,
            predictor=2,
            interleave="band",
            photometric="MINISBLACK",
        ) as dataset,
    ):
        dataset.write(stored)
