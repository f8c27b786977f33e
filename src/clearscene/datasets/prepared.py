"""A prepared set: a published data set as chips of one form, whatever its download looks like.

::

    FOLDER/
      prepared.json      bands, classes, size, digests, license: how the chips are to be read
      chips.jsonl        one line a chip
      images/<id>.tif    uint16, reflectance x 10,000, or uint8, display values of photos
      masks/<id>.png     uint8, place of the class in `classes`; 255 is to be ignored

The folder appears when all of it is there: a set that was interrupted is no set.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.prepared_record import (
    CHIPS,
    FULL,
    IGNORE,
    PREPARED,
    SPLITS,
    THERMAL_FULL,
    Cover,
    PreparedRecord,
    Scaling,
    Split,
    chips_digest,
    split_digest,
)
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter
from clearscene.errors import BandError, DatasetError
from clearscene.raster.gdal import GDAL_ERRORS, open_quietly, reason_of

__all__ = [
    "CHIPS",
    "FULL",
    "IGNORE",
    "PREPARED",
    "SPLITS",
    "THERMAL_FULL",
    "Cover",
    "PreparedAbout",
    "PreparedRecord",
    "PreparedSet",
    "PreparedWriter",
    "Scaling",
    "Split",
    "split_digest",
]

AGAIN = "Prepare it again: `clearscene datasets prepare NAME FOLDER --out OUT --overwrite`."


class PreparedSet:
    """A prepared set that is read.

    Law: `records` gives the chips in the order in which they were written, so that equal sets are read alike.
    """

    def __init__(self, folder: Path, records: tuple[PreparedRecord, ...], info: Mapping[str, Any]) -> None:
        self.folder, self._records, self.info = folder, records, info
        self.bands: tuple[str, ...] = tuple(info["bands"])
        self.classes: tuple[str, ...] = tuple(info["classes"])
        self.size = int(info["size"])
        """Pixels along the side of a chip; 0 where chips have sizes of their own."""
        self.scaling: Scaling = info["scaling"]
        self.digest, self.split_digest = str(info["digest"]), str(info["split_digest"])

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Read the list of chips; pictures are read when they are asked for.

        Raises:
            DatasetError: The folder holds no set, a half one, or a list that was changed afterwards.
        """
        folder = Path(folder)
        info = _read_info(folder)
        if not (folder / CHIPS).is_file():
            raise DatasetError(f"{folder} has a {PREPARED} and no {CHIPS}: half of the set is missing.", hint=AGAIN)
        content = (folder / CHIPS).read_bytes()
        if chips_digest(content) != info.get("list", info["digest"]):  # before `list`, `digest` was of the list alone
            raise DatasetError(
                f"{folder / CHIPS} is not the list of chips that {PREPARED} was written for.", hint=AGAIN
            )
        records = tuple(_records(content, str(folder / CHIPS)))
        if not records:
            raise DatasetError(f"{folder} holds no chips.", hint=AGAIN)
        return cls(folder, records, info)

    def __len__(self) -> int:
        return len(self._records)

    def records(self, split: Split | None = None) -> list[PreparedRecord]:
        """The chips of a split, or all of them."""
        return [record for record in self._records if split in (None, record.split)]

    def scenes(self, split: Split | None = None) -> list[str]:
        """Names of the scenes of a split, sorted."""
        return sorted({record.scene for record in self.records(split)})

    def image(self, record: PreparedRecord, bands: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Values (band, row, col), reflectance or display values, both 0 to 1; bands in the order asked for.

        Reflectance may pass 1 over bright clouds. Thermal bands are kelvin / 400.

        Raises:
            BandError: The set has no such band.
            DatasetError: The picture is missing or broken, or has other bands.
        """
        wanted = self.bands if bands is None else tuple(bands)
        unknown = [name for name in wanted if name not in self.bands]
        if unknown:
            raise BandError(f"{self.folder} has no band {unknown[0]!r}.", hint=f"It has {', '.join(self.bands)}.")
        path = self.folder / record.image
        try:
            with open_quietly(path) as dataset:
                if dataset.count != len(self.bands):
                    raise DatasetError(f"{path} has {dataset.count} bands, not {len(self.bands)}.", hint=AGAIN)
                stored = dataset.read([self.bands.index(name) + 1 for name in wanted])
        except GDAL_ERRORS as error:
            raise DatasetError(f"{path} cannot be read: {reason_of(error)}.", hint=AGAIN) from error
        values: NDArray[np.float32] = stored.astype(np.float32)
        values *= np.float32(1 / FULL[self.scaling])
        return values

    def mask(self, record: PreparedRecord) -> NDArray[np.uint8]:
        """Places in `classes` (row, col); 255 is to be ignored.

        Raises:
            DatasetError: The mask is missing or broken, or holds what is no class.
        """
        path = self.folder / record.mask
        try:
            mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        except (OSError, cv2.error) as error:
            raise DatasetError(f"{path} cannot be read: {error}.", hint=AGAIN) from error
        if mask is None or mask.dtype != np.uint8 or mask.ndim != 2:
            raise DatasetError(f"{path} is not a mask of 8 bits.", hint=AGAIN)
        n_wrong = int(((mask >= len(self.classes)) & (mask != IGNORE)).sum())
        if n_wrong:
            raise DatasetError(
                f"{path} holds {n_wrong} pixels of no class; there are {len(self.classes)}.",
                hint=f"Values are 0 to {len(self.classes) - 1}, and {IGNORE}.",
            )
        return np.asarray(mask, np.uint8)


def _read_info(folder: Path) -> dict[str, Any]:
    path = folder / PREPARED
    if not path.is_file():
        raise DatasetError(
            f"{folder} holds no {PREPARED}, so it is no prepared set.",
            hint="Make one: `clearscene datasets prepare NAME FOLDER --out OUT`.",
        )
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        missing = {"format", "bands", "classes", "size", "scaling", "digest", "split_digest"} - set(info)
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{path} is not JSON: {error}.", hint=AGAIN) from error
    if missing:
        raise DatasetError(f"{path} has no {', '.join(sorted(missing))}.", hint=AGAIN)
    if info["format"] != 1 or info["scaling"] not in FULL:
        raise DatasetError(f"{path} is of format {info['format']!r}, scaling {info['scaling']!r}.", hint=AGAIN)
    return dict(info)


def _records(content: bytes, place: str) -> list[PreparedRecord]:
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            found.append(_record(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise DatasetError(f"{place}, line {number}: not a chip: {error}.", hint=AGAIN) from error
    return found


def _record(entry: dict[str, Any]) -> PreparedRecord:
    if entry.get("split") not in SPLITS:
        raise ValueError(f"there is no split {entry.get('split')!r}")
    for name in ("scene_shape", "footprint", "kept"):
        if entry.get(name) is not None:
            entry[name] = tuple(entry[name])
    return PreparedRecord(**entry)
