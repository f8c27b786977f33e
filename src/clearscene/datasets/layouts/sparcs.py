"""SPARCS: 80 cuts of Landsat-8 scenes, from USGS or from Oregon State University."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.landsat_values import landsat_values
from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, landsat_place, read_bands, read_codes, shape_of
from clearscene.datasets.spec import DatasetSpec, Label

__all__ = ["Sparcs"]

BANDS = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22", "cirrus", "lwir11", "lwir12")
"""Order in `_data.tif`: bands 1 to 7, 9, 10, 11; there is no panchromatic band."""

SPEC = DatasetSpec(
    name="sparcs",
    title="SPARCS cloud validation data",
    bands=BANDS,
    usual_bands=("blue", "green", "red", "nir"),
    labels=(
        Label(4, "land", "clear"),
        Label(2, "water", "clear"),
        Label(3, "snow_ice", "clear"),
        Label(6, "flooded", "clear"),
        Label(5, "cloud", "thick"),
        Label(0, "cloud_shadow", "shadow"),
        Label(1, "cloud_shadow_over_water", "shadow"),
    ),
    ignored=(),
    license="US public domain (USGS); cite Hughes and Hayes 2014",
    get="USGS, SPARCS validation data, l8cloudmasks.zip (folder sending/); or Oregon State University,"
    " sparcs_data_L8.zip. Unpack either.",
    layout="""\
FOLDER/ (or FOLDER/sending/)
  LC81480352013195LGN00_32_data.tif, _mtl.txt, and _mask.png (USGS) or _labels.tif (Oregon State)""",
    source="Hughes and Hayes, Remote Sensing 6, 2014; Foga and others 2017; layout as its users' loaders read it",
    expected={"scenes": 80},
    notes=(
        "Users of the download from Oregon State report 78 complete pairs.",
        "Without an _mtl.txt reflectance is not corrected for the height of the sun.",
        "Clouds are not divided into thick and thin.",
    ),
)


class Sparcs(Layout):
    """Loader of both downloads of SPARCS."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`. A scene is known by any of its files."""
        ends = ("_data.tif", "_mask.png", "_labels.tif")
        found = {p.name.removesuffix(e): p.parent for e in ends for p in _files(folder, f"*{e}")}
        need_folder(folder, SPEC, list(found))
        entries, missing, n_flat = [], [], 0
        for scene, home in sorted(found.items()):
            data = home / f"{scene}_data.tif"
            labels = [path for end in ends[1:] if is_there(path := home / f"{scene}{end}")]
            lacking = ([] if is_there(data) else [data.name]) + ([] if labels else [f"{scene}_mask.png or _labels.tif"])
            missing += [f"{scene}: {name}" for name in lacking]
            if lacking:
                continue
            files = {"data": data, "labels": labels[0]}
            mtl = home / f"{scene}_mtl.txt"
            if is_there(mtl):
                files["MTL"] = mtl
            else:
                n_flat += 1
            entries.append(SceneEntry(scene, landsat_place(scene) or scene, files, date=date_in(scene)))
        notes = [f"{n_flat} scenes have no MTL file: not corrected for the height of the sun."] if n_flat else []
        return Listing(tuple(entries), tuple(missing), tuple(notes))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(entry.files["labels"])

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where no band asked for is 0."""
        values = _values(entry.files.get("MTL"))
        stored = read_bands(entry.files["data"], [BANDS.index(name) + 1 for name in bands], window)
        valid = np.asarray((stored != 0).all(axis=0))
        data = np.stack([values.convert(name, band) for name, band in zip(bands, stored, strict=True)])
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 shadow, 1 shadow over water, 2 water, 3 snow or ice, 4 land, 5 cloud, 6 flooded."""
        return read_codes(entry.files["labels"])


_values = lru_cache(maxsize=4)(landsat_values)


def _files(folder: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(folder.rglob(pattern)) if is_there(path)] if folder.is_dir() else []
