"""HRC_WHU: high-resolution pictures with clouds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.layout import Listing, SceneEntry, is_there, need_folder
from clearscene.datasets.layouts.photos import Photos, files_in
from clearscene.datasets.pixels import read_codes
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec, Label

__all__ = ["HrcWhu"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")

SPEC = DatasetSpec(
    name="hrc-whu",
    title="HRC_WHU",
    bands=("red", "green", "blue"),
    labels=(Label(0, "clear", "clear"), Label(1, "cloud", "thick"), Label(255, "cloud", "thick")),
    ignored=(),
    license="for academic use; its makers say no more. Cite Li and others 2019",
    get="its repository dr-lizhiwei/HRC_WHU names the download; the folders img_dir and ann_dir are those of the"
    " copy that segmentation tools use.",
    layout="""\
FOLDER/
  img_dir/train/vegetation_1.tif (or .png, .jpg), img_dir/test/...
  ann_dir/train/vegetation_1.tif, ann_dir/test/...
  train.txt, test.txt      (names of files; if they are there, nothing may be missing of them)""",
    source="Li and others, ISPRS Journal of Photogrammetry and Remote Sensing 150, 2019; layout: XavierJiezou/cloudseg",
    scaling="display",
    expected={"scenes": 150},
    has_published_split=True,
    notes=(
        "Display values of 0.5 to 15 m from many sensors, no reflectance.",
        "Cloud is 1 or 255 in the masks; shadow and thin cloud are not labeled.",
        "The land cover that a name starts with is kept as biome.",
    ),
)


class HrcWhu(Photos):
    """Loader of HRC_WHU."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`."""
        entries, missing = [], []
        for split in SPLITS:
            images, masks = files_in(folder / "img_dir" / split), files_in(folder / "ann_dir" / split)
            for name in sorted({*images, *masks, *_listed(folder / f"{split}.txt")}):
                missing += [f"img_dir/{split}/{name}.*"] if name not in images else []
                missing += [f"ann_dir/{split}/{name}.*"] if name not in masks else []
                if name in images and name in masks:
                    cover = name.split("_")[0].lower()
                    files = {"image": images[name], "labels": masks[name]}
                    entries.append(SceneEntry(name, name, files, split=split, biome=cover))
        need_folder(folder, SPEC, [*entries, *missing])
        return Listing(tuple(sorted(entries, key=lambda entry: entry.id)), tuple(missing))

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 or 255 cloud."""
        return read_codes(entry.files["labels"])


def _listed(path: Path) -> set[str]:
    if not is_there(path):
        return set()
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return {Path(line.strip()).stem for line in lines if line.strip()}
