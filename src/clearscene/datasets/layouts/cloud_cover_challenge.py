"""The Sentinel-2 cloud cover challenge, also called On Cloud N, as STAC folders or as plain folders."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, read_bands, read_codes, shape_of
from clearscene.datasets.prepared_record import Split
from clearscene.datasets.spec import DatasetSpec, Label

__all__ = ["CloudCoverChallenge"]

FILES = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
COLLECTION = "ref_cloud_cover_detection_challenge_v1"
PARTS: tuple[Split, ...] = ("train", "test")

SPEC = DatasetSpec(
    name="cloud-cover-challenge",
    title="Sentinel-2 cloud cover segmentation (Radiant Earth, On Cloud N)",
    bands=("blue", "green", "red", "nir"),
    labels=(Label(0, "clear", "clear"), Label(1, "cloud", "thick")),
    ignored=(255,),
    license="CC BY 4.0; Radiant Earth Foundation 2022",
    get=f"Source Cooperative, radiantearth/{COLLECTION}; or the archives of the competition On Cloud N.",
    layout="""\
FOLDER/
  public/train_features/aabj/B02.tif, B03.tif, B04.tif, B08.tif       private/test_features/...
  public/train_labels/aabj.tif                                       private/test_labels/...
  public/train_metadata.csv (chip_id, location, datetime)
or
FOLDER/
  ref_cloud_cover_detection_challenge_v1_train_source/ref_..._train_source_aabj/B02.tif, ..., stac.json
  ref_cloud_cover_detection_challenge_v1_train_labels/ref_..._train_labels_aabj/labels.tif""",
    source="Radiant Earth Foundation, A Sentinel-2 Cloud Cover Segmentation Dataset v1, 2022; layout: torchgeo",
    expected={"scenes": 22728},
    has_published_split=True,
    notes=(
        "Seed 000 left it out of its results, for the quality of its masks.",
        "Level-2A, DN / 10000 without an offset: all chips are of 2018 to 2020.",
        "Chips of one location go to one split, where a table tells it; otherwise each chip by itself.",
        "Cloud shadow is not labeled and counts as clear.",
    ),
)


class CloudCoverChallenge(Layout):
    """Loader of the challenge."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`: the chips of whichever layout is there."""
        found: dict[tuple[Split, str], dict[str, Path]] = {}
        for part in PARTS:
            for chip, files in {**_plain(folder, part), **_stac(folder, part)}.items():
                found[part, chip] = files
        need_folder(folder, SPEC, list(found))
        places = {part: _places(folder, part) for part in PARTS}
        entries, missing = [], []
        for (part, chip), files in sorted(found.items()):
            lacking = [str(path.relative_to(folder)) for path in files.values() if not is_there(path)]
            missing += lacking
            if lacking:
                continue
            place = places[part].get(chip, {})
            day = date_in(place.get("datetime", "")) or _stac_day(files["blue"].parent)
            entries.append(SceneEntry(chip, place.get("location") or chip, files, split=part, date=day))
        return Listing(tuple(entries), tuple(missing))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(entry.files["labels"])

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where a band asked for is not 0."""
        stored = np.stack([read_bands(entry.files[name], [1], window)[0] for name in bands])
        valid = np.asarray((stored != 0).any(axis=0))
        return Values(np.asarray(stored.astype(np.float32) * np.float32(1e-4)), valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 cloud."""
        return read_codes(entry.files["labels"])


def _plain(folder: Path, part: Split) -> dict[str, dict[str, Path]]:
    """Files by chip of the layout with features and labels; the folders public and private may be left out."""
    found = {}
    for home in (folder, folder / ("public" if part == "train" else "private")):
        features, labels = home / f"{part}_features", home / f"{part}_labels"
        names = {path.name for path in features.iterdir() if path.is_dir()} if features.is_dir() else set()
        names |= {path.stem for path in labels.glob("*.tif") if path.name[0] != "."}
        for chip in names:
            bands = {name: features / chip / f"{file}.tif" for name, file in FILES.items()}
            found[chip] = {**bands, "labels": labels / f"{chip}.tif"}
    return found


def _stac(folder: Path, part: Split) -> dict[str, dict[str, Path]]:
    """Files by chip of the STAC layout."""
    source, labels = (f"{COLLECTION}_{part}_{kind}" for kind in ("source", "labels"))
    names = {p.name.removeprefix(f"{source}_") for p in (folder / source).glob(f"{source}_*") if p.is_dir()}
    names |= {p.name.removeprefix(f"{labels}_") for p in (folder / labels).glob(f"{labels}_*") if p.is_dir()}
    return {
        chip: {
            **{name: folder / source / f"{source}_{chip}" / f"{file}.tif" for name, file in FILES.items()},
            "labels": folder / labels / f"{labels}_{chip}" / "labels.tif",
        }
        for chip in names
    }


def _places(folder: Path, part: Split) -> Mapping[str, Mapping[str, str]]:
    """Location and time by chip, where there is a table."""
    name = f"{part}_metadata.csv"
    homes = (folder, folder / "public", folder / "private")
    path = next((home / name for home in homes if is_there(home / name)), None)
    if path is None:
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row.get("chip_id", ""): row for row in csv.DictReader(file)}


def _stac_day(home: Path) -> str | None:
    """The day that the Item of a chip tells."""
    for path in sorted(home.glob("*.json")):
        try:
            properties = json.loads(path.read_text(encoding="utf-8")).get("properties", {})
        except (ValueError, AttributeError):
            continue
        return date_in(str(properties.get("datetime") or ""))
    return None
