"""PixBox: single pixels of Sentinel-2 and Landsat-8 products, judged by experts."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.layout import is_there, need_folder
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.errors import DatasetError

__all__ = ["SPECS", "PixBoxPoints", "read_points"]

CLEAR, CLOUD, SHADOW, NEITHER = 0, 1, 2, 255


@dataclass(frozen=True)
class Columns:
    """What the columns of a collection mean; a column of one name means another thing in the other one."""

    cloud: str
    is_cloud: frozenset[int]
    not_cloud: frozenset[int]
    """Codes that are in neither are counted for nothing."""
    shadow: str
    is_shadow: frozenset[int]
    not_shadow: frozenset[int]


COLUMNS: Mapping[str, Columns] = {
    "pixbox-s2": Columns(
        "CLOUD_CHARACTERISTICS_ID",
        frozenset({2, 3, 4, 5, 6, 8, 9, 10, 11, 12}),
        frozenset({0, 1, 7}),
        "SHADOW_ID",
        frozenset({3}),
        frozenset({0, 1, 2, 4}),
    ),
    "pixbox-l8": Columns(
        "PIXEL_SURFACE_TYPE_ID",
        frozenset({0, 1}),
        frozenset({2, 3, 4, 5, 6, 7, 11, 12}),
        "CLOUD_SHADOW_ID",
        frozenset({1}),
        frozenset({0}),
    ),
}
PLACE = ("PRODUCT_ID", "PIXEL_Y", "PIXEL_X")


def _spec(name: str, title: str, record: str, expected: Mapping[str, int]) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=title,
        bands=(),
        labels=(
            Label(CLEAR, "clear", "clear"),
            Label(CLOUD, "cloud", "thick"),
            Label(SHADOW, "cloud_shadow", "shadow"),
        ),
        ignored=(NEITHER,),
        license="CC BY 4.0; Paperin, Wevers, Stelzer, Brockmann 2021",
        get=f"Zenodo, record {record}: the table of pixels; the products themselves are a download of their own.",
        layout="FOLDER/**/*.csv with the columns PRODUCT_ID, PIXEL_X, PIXEL_Y and those of the classes",
        source=f"Brockmann Consult, PixBox, Zenodo {record}; layout: loaders of its users",
        expected=expected,
        kind="points",
        notes=(
            "Cloud and shadow are asked apart: a pixel can be both, and is clear only where both are denied.",
            "Points are compared with a mask on the product's own grid; chips are not cut from them.",
        ),
    )


SPECS = {
    "pixbox-s2": _spec("pixbox-s2", "PixBox Sentinel-2 (CMIX)", "5036991", {"points": 17351, "products": 29}),
    "pixbox-l8": _spec("pixbox-l8", "PixBox Landsat-8 (CMIX)", "5040271", {"points": 18830, "products": 11}),
}


@dataclass(frozen=True, eq=False)
class PixBoxPoints:
    """Judged pixels; all arrays are of one length."""

    product: NDArray[np.int64]
    """Number of the product."""
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    """From 0, on the grid of the product that the experts looked at."""
    is_cloud: NDArray[np.bool_]
    is_shadow: NDArray[np.bool_]
    is_clear: NDArray[np.bool_]
    """Both cloud and shadow were denied; not the complement of the other two."""

    def __len__(self) -> int:
        return len(self.product)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """(n,): 0 clear, 1 cloud (over shadow where both), 2 shadow, 255 neither affirmed nor denied."""
        codes = np.full(len(self), NEITHER, np.uint8)
        codes[self.is_clear], codes[self.is_shadow], codes[self.is_cloud] = CLEAR, SHADOW, CLOUD
        return codes

    def of_product(self, product: int) -> "PixBoxPoints":
        """The points of one product."""
        here = self.product == product
        return PixBoxPoints(
            self.product[here],
            self.row[here],
            self.col[here],
            self.is_cloud[here],
            self.is_shadow[here],
            self.is_clear[here],
        )

    def sample(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What a mask (row, col) of the product's grid says at each point.

        Raises:
            DatasetError: A point lies outside of the mask: it is on another grid.
        """
        height, width = mask.shape
        outside = (self.row < 0) | (self.row >= height) | (self.col < 0) | (self.col >= width)
        if outside.any():
            raise DatasetError(
                f"{int(outside.sum())} of {len(self)} points lie outside of a mask of {height} x {width} px.",
                hint="Give the mask on the grid that the points were taken on.",
            )
        return np.asarray(mask[self.row, self.col])


def read_points(folder: Path, name: str) -> PixBoxPoints:
    """Read the table of a collection, `pixbox-s2` or `pixbox-l8`, from its folder or file.

    Raises:
        DatasetError: There is no table, it lacks a column, or a value is no whole number.
    """
    columns = COLUMNS[name]
    needed = (*PLACE, columns.cloud, columns.shadow)
    paths = [folder] if folder.is_file() else [p for p in sorted(folder.rglob("*.csv")) if is_there(p)]
    if not paths:
        need_folder(folder, SPECS[name], paths)
    heads = {path: _head(path) for path in paths}
    path = next((path for path in paths if set(needed) <= set(heads[path][0])), None)
    if path is None:
        lacking = sorted(set(needed) - set(heads[paths[0]][0]))
        raise DatasetError(
            f"{paths[0]} has no column {', '.join(lacking)}.", hint=f"Is it the table of {SPECS[name].title}?"
        )
    table = _columns(path, heads[path][1], needed)
    cloud, shadow = table[columns.cloud], table[columns.shadow]
    denied = np.isin(cloud, list(columns.not_cloud)) & np.isin(shadow, list(columns.not_shadow))
    return PixBoxPoints(
        table["PRODUCT_ID"],
        table["PIXEL_Y"],
        table["PIXEL_X"],
        np.isin(cloud, list(columns.is_cloud)),
        np.isin(shadow, list(columns.is_shadow)),
        denied,
    )


def _head(path: Path) -> tuple[list[str], str]:
    """Names of the columns, and what divides them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline().strip()
    mark = max(",;\t|", key=line.count)
    return [word.strip().strip('"') for word in line.split(mark)], mark


def _columns(path: Path, mark: str, names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {key.strip(): value for key, value in row.items() if key} for row in csv.DictReader(file, delimiter=mark)
        ]
    try:
        return {name: np.array([int(float(row[name])) for row in rows], np.int64) for name in names}
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path} holds what is no number: {error}.", hint="Download it again.") from error
