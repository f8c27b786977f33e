"""CloudSEN12+: the .taco files, read through the package tacoreader."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.layouts.cloudsen12 import HIGH, LEVELS
from clearscene.datasets.pixels import date_in, read_bands, shape_of
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec
from clearscene.errors import DatasetError, MissingExtraError
from clearscene.synth.overlap import footprint

__all__ = ["CloudSen12Plus"]

NOTHING = 99
SPLITS: Mapping[str, Split] = {"train": "train", "validation": "val", "val": "val", "test": "test"}
COLUMNS = ("tortilla:id", "tortilla:data_split", "label_type", "roi_id")

SPEC = DatasetSpec(
    name="cloudsen12-plus",
    title="CloudSEN12+, high-quality labels, Level-1C",
    bands=LEVELS["l1c"],
    usual_bands=("red", "green", "blue", "nir"),
    labels=HIGH,
    ignored=(NOTHING,),
    license="CC0 1.0; cite Aybar and others 2024",
    get="tacofoundation/cloudsen12 on Hugging Face: all files cloudsen12-l1c.*.part.taco into one folder. Reading"
    " them needs: pip install tacoreader",
    layout="FOLDER/\n  cloudsen12-l1c.0000.part.taco, cloudsen12-l1c.0001.part.taco, ...",
    source="Aybar and others, Data in Brief 56, 2024; layout: the card of the data set, loaders of its users",
    has_published_split=True,
    notes=(
        "Only samples with label_type `high` are read, those of 509 x 509 and of 2000 x 2000 pixels.",
        "The replica stands in for tacoreader: the real package and files were never read.",
    ),
)


class CloudSen12Plus(Layout):
    """Loader of CloudSEN12+."""

    spec = SPEC

    def __init__(self) -> None:
        self._samples: Any = None

    def find(self, folder: Path) -> Listing:
        """See `Layout`.

        Raises:
            MissingExtraError: tacoreader is not installed.
        """
        parts = [path for path in sorted(folder.glob("*.taco")) if is_there(path)] if folder.is_dir() else []
        need_folder(folder, SPEC, parts)
        self._samples = _reader().load([str(path) for path in parts])
        lacking = [name for name in COLUMNS if name not in self._samples.columns]
        if lacking:
            raise DatasetError(
                f"The files in {folder} have no column {lacking[0]}: they are of another release.",
                hint=f"They have {', '.join(map(str, self._samples.columns[:12]))}.",
            )
        entries = []
        for i in range(len(self._samples)):
            row = self._samples.iloc[i]
            if row["label_type"] != "high":
                continue
            name, split = str(row["tortilla:id"]), SPLITS.get(str(row["tortilla:data_split"]))
            entries.append(SceneEntry(name, str(row["roi_id"]), {}, split=split, date=date_in(name), index=i))
        return Listing(tuple(sorted(entries, key=lambda entry: entry.id)))

    def _path(self, entry: SceneEntry, item: int) -> str:
        """Where GDAL reads the image, 0, or the labels, 1, of a sample."""
        return str(self._samples.read(entry.index).read(item))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(self._path(entry, 1))

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where no band asked for is 0."""
        stored = read_bands(self._path(entry, 0), [SPEC.bands.index(name) + 1 for name in bands], window)
        valid = np.asarray((stored > 0).all(axis=0))
        data = np.asarray(stored.astype(np.float32) * np.float32(1e-4))
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 thick, 2 thin, 3 shadow, 99 none."""
        return np.asarray(read_bands(self._path(entry, 1), [1])[0]).astype(np.uint8)

    def footprint(self, entry: SceneEntry) -> tuple[float, float, float, float] | None:
        """See `Layout`."""
        return footprint(self._path(entry, 0))


def _reader() -> ModuleType:
    """The package that reads .taco files: newer releases keep the reader of these files under `v1`.

    Raises:
        MissingExtraError: It is not installed.
    """
    for name in ("tacoreader.v1", "tacoreader"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, "load"):
            return module
    raise MissingExtraError("tacoreader is not installed, which reads .taco files.", hint="pip install tacoreader")
