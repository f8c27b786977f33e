"""KappaSet: Sentinel-2 sub-tiles as netCDF, one file with all bands and the label."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.pixels import date_in, mgrs_tile, read_bands, shape_of
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError
from clearscene.raster.gdal import GDAL_ERRORS, open_quietly, reason_of
from clearscene.raster.sensors.sentinel2 import BANDS as SENTINEL

__all__ = ["KappaSet"]

SPEC = DatasetSpec(
    name="kappaset",
    title="KappaSet",
    bands=tuple(SENTINEL),
    usual_bands=("red", "green", "blue", "nir"),
    labels=(
        Label(1, "clear", "clear"),
        Label(4, "cloud", "thick"),
        Label(3, "semi_transparent_cloud", "thin"),
        Label(2, "cloud_shadow", "shadow"),
    ),
    ignored=(0, 5),
    license="CC BY 4.0; KappaZeta 2022",
    get="Zenodo, record 7100327, kappaset.zip; unpack it.",
    layout="FOLDER/**/*.nc      512 x 512, variables B01 ... B8A ... B12 and Label",
    source="Domnich and others, Remote Sensing 13, 2021; layout: Zenodo 7100327",
    expected={"scenes": 9251},
    notes=(
        "How reflectance is stored was not verified: floating numbers are taken as reflectance, whole numbers as"
        " reflectance x 10000; look at the values of a file before numbers are compared.",
        "A tile goes to one split, where the file name tells it (T31TFJ); otherwise each file by itself.",
    ),
)
UNTURNED = {"GDAL_NETCDF_BOTTOMUP": "NO"}
"""Rows stay in the order of the file."""


class KappaSet(Layout):
    """Loader of KappaSet."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`."""
        paths = [path for path in sorted(folder.rglob("*.nc")) if path.name[0] != "."] if folder.is_dir() else []
        need_folder(folder, SPEC, paths)
        entries, missing = [], []
        for path in paths:
            if not is_there(path):
                missing.append(f"{path.relative_to(folder)} (empty)")
                continue
            tile = mgrs_tile(path.stem) or path.stem
            entries.append(SceneEntry(path.stem, tile, {"file": path}, date=date_in(path.stem)))
        return Listing(tuple(entries), tuple(missing))

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(_variable(entry, "Label"))

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where all bands hold a number and one is not 0."""
        with rasterio.Env(**UNTURNED):
            stored = [read_bands(_variable(entry, SENTINEL[name].label), [1], window)[0] for name in bands]
        data = np.stack([band.astype(np.float32) for band in stored])
        if stored[0].dtype.kind in "ui":
            data *= np.float32(1e-4)
        valid = np.asarray(np.isfinite(data).all(axis=0) & (data != 0).any(axis=0))
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 undefined, 1 clear, 2 shadow, 3 semi-transparent, 4 cloud, 5 missing."""
        with rasterio.Env(**UNTURNED):
            return np.asarray(read_bands(_variable(entry, "Label"), [1])[0]).astype(np.uint8)

    def footprint(self, entry: SceneEntry) -> None:
        """None: the files were not seen to tell it."""


def _variable(entry: SceneEntry, name: str) -> str:
    """GDAL's name of a variable of a file.

    Raises:
        DatasetError: The file has no such variable, or is broken.
    """
    path = entry.files["file"]
    address = f'NETCDF:"{path}":{name}'
    try:
        with open_quietly(address):
            return address
    except GDAL_ERRORS as error:
        raise DatasetError(f"{path} has no variable {name}: {reason_of(error)}.", hint="Download it again.") from error
