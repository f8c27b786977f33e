"""The notes of the reader and their Chinese, kept together: each is made by the code that writes it."""

import re
from types import SimpleNamespace

import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from clearscene.inspection.notes import NOTES, note
from clearscene.raster.bands import find_bands
from clearscene.raster.georeference import grid_of

UTM = CRS.from_epsg(32648)
PLACED = Affine(2, 0, 500_000, 0, -2, 2_960_000)
NOWHERE = Affine.identity()
LOCAL = CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')


def georeference(transform=NOWHERE, *, crs=None, points=(), rpcs=None):
    """A dataset as far as its georeference goes."""
    return SimpleNamespace(transform=transform, crs=crs, gcps=(list(points), UTM), rpcs=rpcs, height=30, width=40)


def points(bend: float):
    """Ground control points on a grid, one of them moved by `bend` meters."""
    places = [(0, 0), (0, 40), (30, 0), (30, 40), (15, 20)]
    return [
        GroundControlPoint(row, col, 500_000 + 2 * col + bend * (row == 15), 2_960_000 - 2 * row) for row, col in places
    ]


CASES = {
    "no CRS": georeference(PLACED),
    "nothing": georeference(),
    "a line": georeference(Affine(1, 1, 0, 1, 1, 0)),
    "RPC": georeference(rpcs=object()),
    "points far off": georeference(points=points(90)),
    "points": georeference(points=points(0.1)),
    "wrong CRS": georeference(PLACED, crs=CRS.from_epsg(4326)),
    "site grid": georeference(PLACED, crs=LOCAL),
}


def is_chinese(text: str) -> bool:
    return re.search(r"[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}", text) is None and re.search("[一-鿿]", text) is not None


@pytest.mark.parametrize("name", CASES)
def test_notes_on_the_georeference(name):
    _, [text] = grid_of(CASES[name])
    made = note(text)
    assert made.en == text
    assert is_chinese(re.sub(r"（.*）", "", made.zh))  # in brackets: the words of PROJ


def test_the_cases_are_different_notes():
    texts = {grid_of(dataset)[1][0] for dataset in CASES.values()}
    others = 3  # points on no transform at all, bands without names, further rasters
    assert len(texts) == len(CASES) == len(NOTES) - others


def test_note_on_bands_without_names():
    dataset = SimpleNamespace(
        count=3,
        indexes=(1, 2, 3),
        descriptions=(None,) * 3,
        colorinterp=(ColorInterp.undefined,) * 3,
        name="a.tif",
        tags=lambda band=0, ns=None: {},
    )
    [text] = find_bands(dataset).notes
    assert note(text).zh == "波段没有名称；第 1、2、3 波段依次作为红、绿、蓝。"


def test_values_are_carried_over():
    _, [text] = grid_of(CASES["points far off"])
    numbers = re.findall(r"\d+\.\d|\b5\b", text)
    assert len(numbers) == 2
    assert all(number in note(text).zh for number in numbers)


def test_a_note_that_is_not_listed_stays_english():
    assert note("Something new.").zh == "Something new."
