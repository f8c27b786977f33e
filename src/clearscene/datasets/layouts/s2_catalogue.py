"""Sentinel-2 Cloud Mask Catalogue: 513 sub-scenes as numpy arrays."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyogrio
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from pyproj import CRS, Transformer
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, mgrs_tile, open_array
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError
from clearscene.grid import slices
from clearscene.raster.sensors.sentinel2 import BANDS as SENTINEL

__all__ = ["S2Catalogue"]

NOTHING = 255

SPEC = DatasetSpec(
    name="s2-cloud-mask-catalogue",
    title="Sentinel-2 Cloud Mask Catalogue",
    bands=tuple(SENTINEL),
    usual_bands=("red", "green", "blue", "nir"),
    labels=(Label(0, "clear", "clear"), Label(1, "cloud", "thick"), Label(2, "cloud_shadow", "shadow")),
    ignored=(NOTHING,),
    license="CC BY 4.0; Francis and others 2020",
    get="Zenodo, record 4172871, about 15 GB: subscenes.zip, masks.zip, shapefiles.zip, classification_tags.csv;"
    " unpack them into one folder.",
    layout="""\
FOLDER/
  subscenes/S2A_MSIL1C_20180101T..._T53HLD_....npy     1022 x 1022 x 13, float32, reflectance at 20 m
  masks/<same name>.npy                                1022 x 1022 x 3, bool: clear, cloud, shadow
  classification_tags.csv, shapefiles/""",
    source="Francis, Mrziglod, Sidiropoulos, Muller 2020, Zenodo 4172871; layout: its readme, loaders of its users",
    expected={"scenes": 513},
    notes=(
        "In 89 scenes shadow was not drawn (shadows_marked 0): with 3 classes they are left out.",
        "The groups of classification_tags.csv tell how scenes were labeled; they are no split.",
        "Clouds are not divided into thick and thin.",
    ),
)


class S2Catalogue(Layout):
    """Loader of the catalogue."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`. The tags name all scenes; without them, what is there is taken."""
        tags = _tags(folder / "classification_tags.csv")
        there = {p.stem for sub in ("subscenes", "masks") for p in (folder / sub).glob("*.npy") if is_there(p)}
        need_folder(folder, SPEC, [*tags, *there])
        entries, missing = [], [] if tags else ["classification_tags.csv (tells where shadow was not drawn)"]
        for scene in sorted({*tags, *there}):
            files = {"image": folder / "subscenes" / f"{scene}.npy", "mask": folder / "masks" / f"{scene}.npy"}
            lacking = [f"{path.parent.name}/{path.name}" for path in files.values() if not is_there(path)]
            missing += lacking
            if not lacking:
                shape = next(iter(sorted((folder / "shapefiles").rglob(f"{scene}.shp"))), None)
                entries.append(
                    SceneEntry(
                        scene,
                        mgrs_tile(scene) or scene,
                        files | ({"place": shape} if shape else {}),
                        date=date_in(scene),
                        has_shadow=tags.get(scene, "0") == "1",
                    )
                )
        return Listing(tuple(entries), tuple(missing))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        height, width = open_array(entry.files["mask"]).shape[:2]
        return int(height), int(width)

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where all bands hold a number and one is not 0."""
        stored = open_array(entry.files["image"])
        if stored.ndim != 3 or stored.shape[2] != len(SPEC.bands):
            raise DatasetError(f"{entry.files['image']} has the shape {stored.shape}, not rows, columns, 13 bands.")
        rows, cols = slices(window)
        chosen = stored[rows, cols][..., [SPEC.bands.index(name) for name in bands]]
        data = np.ascontiguousarray(chosen.transpose(2, 0, 1).astype(np.float32))
        valid = np.asarray(np.isfinite(data).all(axis=0) & (data != 0).any(axis=0))
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 clear, 1 cloud, 2 shadow, 255 where the mask says none or more than one."""
        mask = open_array(entry.files["mask"])
        if mask.ndim != 3 or mask.shape[2] != 3:
            raise DatasetError(f"{entry.files['mask']} has the shape {mask.shape}, not rows, columns, 3 classes.")
        is_one = mask.astype(np.bool_).sum(axis=2) == 1
        return np.where(is_one, mask.argmax(axis=2), NOTHING).astype(np.uint8)

    def footprint(self, entry: SceneEntry) -> tuple[float, float, float, float] | None:
        """See `Layout`: the bounds of the scene's shapefile."""
        path = entry.files.get("place")
        if path is None:
            return None
        try:
            info = pyogrio.read_info(path, force_total_bounds=True)
        except DataSourceError:
            return None
        if info["crs"] is None or info["total_bounds"] is None:
            return None
        turn = Transformer.from_crs(CRS.from_user_input(info["crs"]), "EPSG:4326", always_xy=True)
        left, bottom, right, top = turn.transform_bounds(*info["total_bounds"])
        return left, bottom, right, top


def _tags(path: Path) -> dict[str, str]:
    """`shadows_marked` by scene."""
    if not is_there(path):
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["scene"]: row.get("shadows_marked", "0").split(".")[0] for row in csv.DictReader(file)}
