"""CloudSEN12, as its own folders or as the numpy files of its copy on Hugging Face."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, read_bands, read_codes, shape_of
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError
from clearscene.grid import slices

__all__ = ["BY_LABEL", "HIGH", "LEVELS", "SCRIBBLE", "CloudSen12"]

Level = Literal["l1c", "l2a"]
_L2A = (
    "coastal",
    "blue",
    "green",
    "red",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "nir09",
    "swir16",
    "swir22",
)
LEVELS: Mapping[Level, tuple[str, ...]] = {"l1c": (*_L2A[:10], "cirrus", *_L2A[10:]), "l2a": _L2A}
"""Bands of the files by level, in their order."""
BY_LABEL = dict(
    zip(
        LEVELS["l1c"],
        ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"),
        strict=True,
    )
)
SIDE = 512
"""Rows and columns of a patch in the numpy files: 509, and zeros around."""

HIGH = (
    Label(0, "clear", "clear"),
    Label(1, "thick_cloud", "thick"),
    Label(2, "thin_cloud", "thin"),
    Label(3, "cloud_shadow", "shadow"),
)
SCRIBBLE = (
    Label(0, "clear", "clear"),
    Label(1, "thick_cloud", "thick"),
    Label(2, "thick_cloud", "thick"),
    Label(3, "thin_cloud", "thin"),
    Label(4, "thin_cloud", "thin"),
    Label(5, "cloud_shadow", "shadow"),
    Label(6, "cloud_shadow", "shadow"),
)
"""Core and border of each class have codes of their own."""
NOTHING = 99

LAYOUT = """\
FOLDER/
  cloudsen12_metadata.csv
  high/ROI_0001/20190212T142031_20190212T143214_T19FDF/S2L1C.tif (S2L2A.tif), labels/manual_hq.tif
  scribble/ROI_.../.../S2L1C.tif, labels/manual_sc.tif
or (the copy on Hugging Face)
FOLDER/train, val, test/
  L1C_B1.dat ... L1C_B8A.dat ... L1C_B12.dat, LABEL_manual_hq.dat (512 x 512 patches), metadata.csv"""


def _spec(name: str, level: Level, labels: tuple[Label, ...], what: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=f"CloudSEN12, {what}, Level-{level[1:].upper()}",
        bands=LEVELS[level],
        usual_bands=("red", "green", "blue", "nir"),
        labels=labels,
        ignored=(NOTHING,),
        license="CC0 1.0 by the paper (one copy says CC BY-NC); cite Aybar and others 2022",
        get="Hugging Face, csaybar/CloudSEN12-high (or -scribble): the folders train, val, test; or the folders by"
        " region of interest of the first release.",
        layout=LAYOUT,
        source="Aybar and others, Scientific Data 9, 782, 2022; layout: the repository of CloudSEN12, its copies",
        expected={"scenes": 10000},
        has_published_split=True,
        notes=(
            "The five dates of a region of interest go to one split.",
            "Values are DN / 10000 without an offset: all are of 2018 to 2020, or harmonized.",
        ),
    )


class CloudSen12(Layout):
    """Loader of one kind of label and one level."""

    def __init__(self, name: str, *, level: Level = "l1c", is_scribble: bool = False) -> None:
        self.spec = _spec(
            name, level, SCRIBBLE if is_scribble else HIGH, "scribble labels" if is_scribble else "high-quality labels"
        )
        self._level = level
        self._kind, self._label = ("scribble", "manual_sc") if is_scribble else ("high", "manual_hq")

    def find(self, folder: Path) -> Listing:
        """See `Layout`: whichever of the two layouts is there."""
        packed = [path for split in ("train", "val", "test") if is_there(path := folder / split / "metadata.csv")]
        rows = _table(folder / "cloudsen12_metadata.csv")
        home = next((path for path in (folder / self._kind, folder) if any(path.glob("ROI_*"))), None)
        need_folder(folder, self.spec, [*packed, *rows, *([home] if home else [])])
        if packed:
            return self._find_packed(packed)
        if not rows:
            return Listing((), ("cloudsen12_metadata.csv",))
        return self._find_folders(home or folder / self._kind, rows)

    def _find_folders(self, home: Path, rows: Sequence[Mapping[str, str]]) -> Listing:
        wanted = [row for row in rows if row.get("label_type") == self._kind]
        codes = {row.get("test", "").split(".")[0] for row in wanted}
        splits: dict[str, Split] = (
            {"0": "train", "1": "val", "2": "test"} if "2" in codes else {"0": "train", "1": "test"}
        )
        entries, missing = [], []
        for row in wanted:
            roi, product = row.get("roi_id", ""), row.get("s2_id_gee") or row.get("s2_id", "")
            files = {
                "image": home / roi / product / f"S2{self._level.upper()}.tif",
                "labels": home / roi / product / "labels" / f"{self._label}.tif",
            }
            lacking = [path for path in files.values() if not is_there(path)]
            missing += [str(path.relative_to(home.parent)) for path in lacking]
            if not lacking:
                split = splits.get(row.get("test", "").split(".")[0])
                entries.append(SceneEntry(f"{roi}_{product}", roi, files, split=split, date=date_in(product)))
        return Listing(tuple(sorted(entries, key=lambda entry: entry.id)), tuple(missing))

    def _find_packed(self, tables: Sequence[Path]) -> Listing:
        entries: list[SceneEntry] = []
        missing, notes = [], []
        for table in tables:
            home, split = table.parent, table.parent.name
            rows = _table(table)
            names = [f"{self._level.upper()}_{BY_LABEL[band]}.dat" for band in self.spec.bands]
            label = f"LABEL_{self._label}.dat"
            sizes = {name: 2 * SIDE * SIDE * len(rows) for name in names} | {label: SIDE * SIDE * len(rows)}
            bad = [f"{split}/{name}" for name in (*names, label) if not is_there(home / name)]
            bad += [
                f"{split}/{name} ({(home / name).stat().st_size} of {size} bytes)"
                for name, size in sizes.items()
                if is_there(home / name) and (home / name).stat().st_size != size
            ]
            missing += bad
            if bad:
                continue
            files = {band: home / name for band, name in zip(self.spec.bands, names, strict=True)}
            files["labels"] = home / label
            entries += [_packed_entry(row, i, files, split) for i, row in enumerate(rows)]
        absent = [name for name in ("train", "val", "test") if name not in {table.parent.name for table in tables}]
        notes += [f"There is no folder {', '.join(absent)}: that part is not read."] if absent else []
        return Listing(tuple(entries), tuple(missing), tuple(notes))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(entry.files["labels"]) if "image" in entry.files else (SIDE, SIDE)

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where no band asked for is 0."""
        if "image" in entry.files:
            stored = read_bands(entry.files["image"], [self.spec.bands.index(name) + 1 for name in bands], window)
        else:
            rows, cols = slices(window)
            stored = np.stack([_mapped(entry.files[name], "<i2", entry.index)[rows, cols] for name in bands])
        valid = np.asarray((stored > 0).all(axis=0))
        data = np.asarray(stored.astype(np.float32) * np.float32(1e-4))
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 thick, 2 thin, 3 shadow, 99 none; scribbles 0 to 6."""
        if "image" in entry.files:
            return read_codes(entry.files["labels"])
        return np.array(_mapped(entry.files["labels"], "u1", entry.index))

    def footprint(self, entry: SceneEntry) -> tuple[float, float, float, float] | None:
        """See `Layout`; the numpy files tell none."""
        return super().footprint(entry) if "image" in entry.files else None


def _packed_entry(row: Mapping[str, str], index: int, files: Mapping[str, Path], split: str) -> SceneEntry:
    roi, product = row.get("roi_id") or f"{split}-{index}", row.get("s2_id_gee") or row.get("s2_id") or str(index)
    published: Any = split
    return SceneEntry(f"{roi}_{product}", roi, files, split=published, date=date_in(product), index=index)


def _mapped(path: Path, dtype: str, index: int) -> NDArray[Any]:
    """One patch of a numpy file without a header, mapped and not loaded."""
    try:
        return np.memmap(path, dtype, "r", offset=index * SIDE * SIDE * np.dtype(dtype).itemsize, shape=(SIDE, SIDE))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} ends before patch {index}: {error}.", hint="Download it again.") from error


def _table(path: Path) -> list[dict[str, str]]:
    if not is_there(path):
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
