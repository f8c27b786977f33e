"""City-OSM: aerial pictures of cities with buildings and roads drawn from OpenStreetMap."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.layout import Listing, SceneEntry, is_there, need_folder
from clearscene.datasets.layouts.folders import decode_colors
from clearscene.datasets.layouts.photos import Photos
from clearscene.datasets.spec import DatasetSpec, Label

__all__ = ["CityOsm"]

NAME = re.compile(r"(?P<id>(?P<city>[a-z]+?)_?\d+)_(?P<kind>image|labels)\.png", re.I)
COLORS = ((255, 255, 255), (255, 0, 0), (0, 0, 255))
"""Background, building, road; any other color is background, as its users take it."""

SPEC = DatasetSpec(
    name="city-osm",
    title="City-OSM",
    bands=("red", "green", "blue"),
    labels=(Label(0, "background"), Label(1, "building"), Label(2, "road")),
    ignored=(),
    license="labels OpenStreetMap ODbL; images Google, for research: see the record. Cite Kaiser and others 2017",
    get="Zenodo, record 1154821; unpack the archives of the cities.",
    layout="FOLDER/**/berlin1_image.png, berlin1_labels.png",
    source="Kaiser and others, IEEE TGRS 55, 2017; layout: Zenodo 1154821",
    scaling="display",
    notes=(
        "The city is kept as biome.",
        "Labels are drawn by color: red building, blue road, everything else background; nothing is resampled.",
    ),
)


class CityOsm(Photos):
    """Loader of City-OSM."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`."""
        found: dict[str, dict[str, Path]] = {}
        for path in sorted(folder.rglob("*.png")) if folder.is_dir() else []:
            match = NAME.fullmatch(path.name)
            if match and is_there(path):
                found.setdefault(match["id"], {})[match["kind"].lower()] = path
        need_folder(folder, SPEC, list(found))
        entries, missing = [], []
        for name, files in sorted(found.items()):
            lacking = [kind for kind in ("image", "labels") if kind not in files]
            missing += [f"{name}_{kind}.png" for kind in lacking]
            if not lacking:
                city = re.split(r"_?\d", name)[0].lower()
                pair = {"image": files["image"], "labels": files["labels"]}
                entries.append(SceneEntry(name, name, pair, biome=city))
        return Listing(tuple(entries), tuple(missing))

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 background, 1 building, 2 road."""
        return decode_colors(entry.files["labels"], COLORS, other=0)
