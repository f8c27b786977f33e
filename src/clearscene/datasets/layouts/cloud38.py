"""38-Cloud and 95-Cloud: Landsat-8 scenes cut into patches, one folder a band.

The patches of a scene lie side by side in rows and columns and are put together here, so that chips of any size are
cut from whole scenes. Around a scene its makers put zeros, as much before as after, odd ones after: scene truths
(`Entire_scene_gts`) lie that far inside.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.landsat_values import landsat_values
from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, landsat_place, read_bands, read_codes, shape_of
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError

__all__ = ["Cloud38"]

BANDS = ("red", "green", "blue", "nir")
NAME = re.compile(r"(?:red|green|blue|nir|gt)_patch_(?P<n>\d+)_(?P<row>\d+)_by_(?P<col>\d+)_(?P<scene>.+)\.tif", re.I)
LISTED = re.compile(r"patch_(?P<n>\d+)_(?P<row>\d+)_by_(?P<col>\d+)_(?P<scene>.+)", re.I)
TRUTH = "edited_corrected_gts_"
NOTHING = 255
KEPT = 192
"""Patches in memory, 57 MB: four bands of two rows of a scene."""
CLEAR, CLOUD = 0, 1


@dataclass(frozen=True)
class Part:
    """A folder of patches."""

    home: str
    """Below the folder of the download."""
    sub: str
    """Folder of a band, with `{}` for it."""
    split: Split
    listed: str = ""
    """Table of the patches that it should hold."""


TRAINING = Part("38-Cloud_training", "train_{}", "train", "training_patches_38-Cloud.csv")
TEST = Part("38-Cloud_test", "test_{}", "test", "test_patches_38-Cloud.csv")
ADDITIONAL = Part("95-cloud_training_only_additional_to38-cloud", "train_{}_additional_to38cloud", "train")

_NOTES = (
    "There is no MTL file: reflectance is not corrected for the height of the sun.",
    "Cloud shadow is not labeled and counts as clear.",
    "The published protocol thresholds at 12/255 and takes the mean of 20 scenes; see the card 38cloud-official.",
)

SPEC_38 = DatasetSpec(
    name="38-cloud",
    title="38-Cloud",
    bands=BANDS,
    labels=(Label(CLEAR, "clear", "clear"), Label(CLOUD, "cloud", "thick")),
    ignored=(),
    license="as its makers say: for research; cite Mohajerani and Saeedi 2019",
    get="its repository SorourMo/38-Cloud-A-Cloud-Segmentation-Dataset names the download, about 13 GB; also on Kaggle",
    layout="""\
FOLDER/
  38-Cloud_training/train_red, train_green, train_blue, train_nir, train_gt
      /red_patch_12_3_by_4_LC08_L1TP_002053_20160520_20170324_01_T1.TIF
    training_patches_38-Cloud.csv
  38-Cloud_test/test_red, test_green, test_blue, test_nir,
    Entire_scene_gts/edited_corrected_gts_LC08_....TIF, test_patches_38-Cloud.csv""",
    source="Mohajerani and Saeedi, IGARSS 2019; layout: the repository of 38-Cloud",
    expected={"training patches": 8400, "test patches": 9201, "scenes": 38},
    has_published_split=True,
    notes=_NOTES,
)
SPEC_95 = DatasetSpec(
    name="95-cloud",
    title="95-Cloud",
    bands=BANDS,
    labels=SPEC_38.labels,
    ignored=(),
    license="as its makers say: for research; cite Mohajerani and Saeedi 2021",
    get="its repository SorourMo/95-Cloud-An-Extension-to-38-Cloud-Dataset names the download of the 57 additional"
    " scenes; put 38-Cloud beside them for all 95",
    layout="""\
FOLDER/
  95-cloud_training_only_additional_to38-cloud/train_red_additional_to38cloud, ..., train_gt_additional_to38cloud
  38-Cloud_training, 38-Cloud_test      as in 38-Cloud; if they are not there, only the additional scenes are read""",
    source="Mohajerani and Saeedi, IEEE JSTARS 14, 2021; layout: the repository of 95-Cloud and loaders of its users",
    expected={"training patches": 34701, "test patches": 9201, "scenes": 95},
    has_published_split=True,
    notes=(*_NOTES, "The test scenes are those of 38-Cloud."),
)


@dataclass
class _Scene:
    """What was found of a scene: the folder of patches, and the patches by row and column, counted from 0."""

    part: Part
    home: Path
    patches: dict[tuple[int, int], str] = field(default_factory=dict)

    @cached_property
    def side(self) -> int:
        """Pixels along the side of a patch: 384 in the published files."""
        return shape_of(self.path("red", next(iter(self.patches.values()))))[0]

    def path(self, kind: str, name: str) -> Path:
        """The file of a patch: a band, or `gt`."""
        return self.home / self.part.sub.format(kind) / f"{kind}_{name}"


class Cloud38(Layout):
    """Loader of 38-Cloud, or of 95-Cloud."""

    def __init__(self, spec: DatasetSpec, parts: Sequence[Part]) -> None:
        self.spec, self._parts = spec, parts
        self._scenes: dict[str, _Scene] = {}

    @classmethod
    def of_38(cls) -> "Cloud38":
        """The loader of 38-Cloud."""
        return cls(SPEC_38, (TRAINING, TEST))

    @classmethod
    def of_95(cls) -> "Cloud38":
        """The loader of 95-Cloud."""
        return cls(SPEC_95, (ADDITIONAL, TRAINING, TEST))

    def find(self, folder: Path) -> Listing:
        """See `Layout`. A patch counts where all its bands are there, in training also its truth."""
        homes = {part.home: _home(folder, part) for part in self._parts}
        need_folder(folder, self.spec, [home for home in homes.values() if home])
        missing: list[str] = []
        counts: dict[str, int] = {}
        entries = []
        self._scenes = {}
        for part in self._parts:
            home = homes[part.home]
            if home is None:
                missing += [f"{part.home}/"] if part is self._parts[0] or self.spec is SPEC_38 else []
                continue
            lacking, n = self._take(part, home)
            missing += lacking
            key = "training patches" if part.split == "train" else "test patches"
            counts[key] = counts.get(key, 0) + n
        for scene in sorted(self._scenes):
            found = self._scenes[scene]
            truth = self._truth(scene)
            if found.part.split == "test" and truth is None:
                missing.append(f"{found.part.home}/Entire_scene_gts/{TRUTH}{scene}.TIF")
                continue
            entries.append(self._entry(scene, found, truth))
        return Listing(tuple(entries), tuple(missing), counts=counts)

    def _take(self, part: Part, home: Path) -> tuple[list[str], int]:
        """Note the patches of a folder; returns what is missing, and how many are whole."""
        names: dict[str, set[str]] = defaultdict(set)
        kinds = [*BANDS, "gt"] if part.split == "train" else [*BANDS]
        for kind in kinds:
            sub = home / part.sub.format(kind)
            for path in sub.iterdir() if sub.is_dir() else ():
                if NAME.fullmatch(path.name) and is_there(path):
                    names[path.name.split("_", 1)[1]].add(kind)
        wanted = {*names, *_listed(home / part.listed if part.listed else None)}
        missing, n = [], 0
        for name in sorted(wanted):
            lacking = [kind for kind in kinds if kind not in names.get(name, set())]
            if lacking:
                missing.append(f"{part.home}/{part.sub.format(lacking[0])}/{lacking[0]}_{name}")
                continue
            found = NAME.fullmatch(f"red_{name}")
            assert found is not None
            scene = self._scenes.setdefault(found["scene"], _Scene(part, home))
            scene.patches[int(found["row"]) - 1, int(found["col"]) - 1] = name
            n += 1
        return missing, n

    def _truth(self, scene: str) -> Path | None:
        home = self._scenes[scene].home / "Entire_scene_gts"
        names = (f"{TRUTH}{scene}{end}" for end in (".TIF", ".tif"))
        return next((path for name in names if is_there(path := home / name)), None)

    def _entry(self, scene: str, found: _Scene, truth: Path | None) -> SceneEntry:
        files = {"red": found.path("red", next(iter(found.patches.values())))} | ({"truth": truth} if truth else {})
        return SceneEntry(scene, landsat_place(scene) or scene, files, split=found.part.split, date=date_in(scene))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`: that of all patches put together, the zeros around the scene included."""
        scene = self._scenes[entry.id]
        rows, cols = zip(*scene.patches, strict=True)
        return (max(rows) + 1) * scene.side, (max(cols) + 1) * scene.side

    def scene_window(self, entry: SceneEntry) -> tuple[int, int, int, int]:
        """See `Layout`: where the scene lies among the zeros, by the size of its truth."""
        height, width = self.shape(entry)
        if "truth" not in entry.files:
            return 0, 0, height, width
        rows, cols = shape_of(entry.files["truth"])
        if rows > height or cols > width:
            raise DatasetError(f"{entry.id}: its patches cover {height} x {width} px of {rows} x {cols}.")
        return (height - rows) // 2, (width - cols) // 2, rows, cols

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where a band is not 0, and its patch is there."""
        values = landsat_values(None)
        stored = np.stack([self._window(entry, band, window, 0) for band in bands])
        valid = np.asarray((stored != 0).any(axis=0))
        data = np.stack([values.convert(name, band) for name, band in zip(bands, stored, strict=True)])
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 cloud, 255 outside. In the files 1 and 255 are both cloud."""
        shape = self.shape(entry)
        if self._scenes[entry.id].part.split == "train":
            window = Window(0, 0, shape[1], shape[0])
            stored, outside = self._window(entry, "gt", window, -1), -1
            return np.where(stored == outside, NOTHING, np.minimum(stored, 1)).astype(np.uint8)
        top, left, height, width = self.scene_window(entry)
        codes = np.full(shape, NOTHING, np.uint8)
        codes[top : top + height, left : left + width] = np.minimum(read_codes(entry.files["truth"]), 1)
        return codes

    def _window(self, entry: SceneEntry, kind: str, window: Window, empty: int) -> NDArray[np.int32]:
        """Stored values of a window over the patches; `empty` where there is no patch."""
        scene = self._scenes[entry.id]
        side = scene.side
        top, left, height, width = (round(v) for v in (window.row_off, window.col_off, window.height, window.width))
        result = np.full((height, width), empty, np.int32)
        for (row, col), name in scene.patches.items():
            y, x = row * side, col * side
            y0, y1, x0, x1 = max(y, top), min(y + side, top + height), max(x, left), min(x + side, left + width)
            if y0 < y1 and x0 < x1:
                part = _patch(scene.path(kind, name))[y0 - y : y1 - y, x0 - x : x1 - x]
                result[y0 - top : y1 - top, x0 - left : x1 - left] = part
        return result


@lru_cache(maxsize=KEPT)
def _patch(path: Path) -> NDArray[np.integer]:
    """A whole patch: chips that overlap want it several times."""
    return np.asarray(read_bands(path, [1])[0])


def _home(folder: Path, part: Part) -> Path | None:
    """The folder of a part: below the one given, or that one itself."""
    places: Iterable[Path] = (folder / part.home, folder) if folder.name == part.home else (folder / part.home,)
    return next((place for place in places if place.is_dir()), None)


def _listed(table: Path | None) -> set[str]:
    """Names of files, without the band, that a table of patches asks for."""
    if table is None or not is_there(table):
        return set()
    with table.open(encoding="utf-8-sig", newline="") as file:
        words = [word.strip() for row in csv.reader(file) for word in row]
    return {f"{word}.TIF" for word in words if LISTED.fullmatch(word)}
