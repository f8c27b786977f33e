"""ADE20K-Outdoors: photos, of whose 150 classes sky is kept."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.layout import Listing, SceneEntry, need_folder
from clearscene.datasets.layouts.photos import Photos, files_in
from clearscene.datasets.pixels import read_codes
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError

__all__ = ["Ade20kOutdoors"]

SKY, LAST = 3, 150
"""Number of sky in the masks, where 0 is everything without a class, and the last number."""
PARTS: dict[str, Split] = {"training": "train", "validation": "val"}

SPEC = DatasetSpec(
    name="ade20k-outdoors",
    title="ADE20K-Outdoors, sky",
    bands=("red", "green", "blue"),
    labels=(Label(0, "other"), Label(1, "sky")),
    ignored=(),
    license="images: research terms of ADE20K; annotations BSD-3-Clause. Cite Zhou and others 2017",
    get="Kaggle, residentmario/ade20k-outdoors; unpack it. The full ADE20K benchmark release has the same folders.",
    layout="""\
FOLDER/
  images/training/ADE_train_00000001.jpg, images/validation/...
  annotations/training/ADE_train_00000001.png (numbers 0 to 150), annotations/validation/...""",
    source="Zhou and others, Scene Parsing through ADE20K, CVPR 2017; layout: the data set on Kaggle",
    scaling="display",
    has_published_split=True,
    notes=(
        "Seed 003 splits the training folder 60/20/20 by photo: --shares 60/20/20.",
        "Masks that were colored (training_binary) are not read; the numbered ones are.",
    ),
)


class Ade20kOutdoors(Photos):
    """Loader of ADE20K-Outdoors."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`."""
        entries, missing = [], []
        for part, split in PARTS.items():
            images, masks = files_in(folder / "images" / part), files_in(folder / "annotations" / part)
            for name in sorted({*images, *masks}):
                missing += [f"images/{part}/{name}.jpg"] if name not in images else []
                missing += [f"annotations/{part}/{name}.png"] if name not in masks else []
                if name in images and name in masks:
                    files = {"image": images[name], "labels": masks[name]}
                    entries.append(SceneEntry(name, name, files, split=split))
        need_folder(folder, SPEC, [*entries, *missing])
        return Listing(tuple(sorted(entries, key=lambda entry: entry.id)), tuple(missing))

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 1 sky, 0 everything else."""
        numbers = read_codes(entry.files["labels"])
        if numbers.max(initial=0) > LAST:
            raise DatasetError(
                f"{entry.files['labels']} holds the number {numbers.max()}; the last class is {LAST}.",
                hint="Use the annotations as published, not masks that were made from them.",
            )
        return np.asarray((numbers == SKY).astype(np.uint8))
