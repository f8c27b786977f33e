"""The small parts of a review: tiles in pixels, shapes, kappa, cells of the walk, who may ask."""

import math

import pytest
import shapely
from sklearn.metrics import cohen_kappa_score

from clearscene.errors import OptionError, VectorError
from clearscene.grid import Grid
from clearscene.review.agreement import Verdicts, agreement, cohens_kappa
from clearscene.review.guard import Guard
from clearscene.review.pyramid import TILE_SIZE, Pyramid
from clearscene.review.shapes import areal, read_shape, split_shape, to_geojson
from clearscene.review.walk import default_cell
from tests.review_runs import area_of, square

GRID = Grid(300, 410)


@pytest.mark.parametrize("shape", [(389, 517), (256, 256), (1, 1), (257, 100), (60_000, 60_001)])
def test_every_level_covers_the_scene_and_keeps_its_scale(shape):
    pyramid = Pyramid(*shape)
    assert pyramid.resolution(pyramid.n_levels - 1) == 1
    assert pyramid.tile(0, 0, 0) is not None
    assert pyramid.tile(0, 1, 0) is None
    assert pyramid.tile(0, 0, 1) is None
    for level in range(min(3, pyramid.n_levels)):
        resolution = pyramid.resolution(level)
        side = TILE_SIZE * resolution
        n_rows, n_cols = math.ceil(shape[0] / side), math.ceil(shape[1] / side)
        tiles = [pyramid.tile(level, col, row) for row in range(n_rows) for col in range(n_cols)]
        assert all(tile.window.width in (tile.width * resolution, shape[1]) for tile in tiles)
        assert all(tile.window.height in (tile.height * resolution, shape[0]) for tile in tiles)
        covered = sum(tile.window.width * tile.window.height for tile in tiles)
        lost = [length % resolution if length > resolution else 0 for length in shape]
        assert covered == (shape[0] - lost[0]) * (shape[1] - lost[1]) or resolution > min(shape) // TILE_SIZE
        assert covered > (shape[0] - resolution) * (shape[1] - resolution)
        assert pyramid.tile(level, n_cols, 0) is None


@pytest.mark.parametrize("place", [(-1, 0, 0), (99, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_no_tile_outside_of_the_pyramid(place):
    assert Pyramid(389, 517).tile(*place) is None


def test_a_bow_tie_is_mended_and_cut_to_the_scene():
    tie = {"type": "Polygon", "coordinates": [[[0, 0], [20, 20], [20, 0], [0, 20], [0, 0]]]}
    assert read_shape(tie, GRID).area == 200
    assert read_shape(square(400, 290), GRID).area == 10 * 10


@pytest.mark.parametrize(
    "geojson",
    [
        {},
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, float("nan")], [1, 0], [0, 0]]]},
        {"type": "Polygon", "coordinates": "x"},
        {"type": "Polygon"},
        square(1000, 1000),
    ],
)
def test_what_is_no_polygon_in_the_scene_is_refused(geojson):
    with pytest.raises(VectorError):
        read_shape(geojson, GRID)


def test_a_split_keeps_the_area_and_gives_the_larger_part_first():
    shape = shapely.MultiPolygon([shapely.box(0, 0, 30, 10), shapely.box(100, 0, 110, 10)])
    parts = split_shape(shape, [(10, -5), (10, 15)])
    assert [part.area for part in parts] == [200 + 100, 100]
    with pytest.raises(VectorError, match="does not cut"):
        split_shape(shape, [(50, -5), (50, 15)])
    with pytest.raises(VectorError, match="line"):
        split_shape(shape, [(50, -5)])


def test_geojson_is_a_multipolygon_with_its_holes():
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 4, 4))
    written = to_geojson(areal(ring))
    assert written["type"] == "MultiPolygon"
    assert area_of(written) == 96


def test_kappa_is_that_of_scikit_learn():
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15 + [("c", "b")] * 2
    one, two = zip(*pairs, strict=True)
    assert cohens_kappa(pairs) == pytest.approx(cohen_kappa_score(one, two), abs=1e-12)
    assert cohens_kappa([(b, a) for a, b in pairs]) == pytest.approx(cohens_kappa(pairs))
    assert cohens_kappa([]) is None
    assert cohens_kappa([("a", "a")] * 3) == 1


def test_an_agreement_lists_what_differs_and_what_one_has_drawn():
    here, there = shapely.box(0, 0, 10, 10), shapely.box(50, 50, 60, 60)
    first = Verdicts("Li", {1: "accepted:cloud", 2: "rejected"}, [("cloud", here), ("blur", there)])
    second = Verdicts("Wang", {1: "accepted:cloud", 2: "accepted:blur"}, [("cloud", shapely.box(1, 0, 11, 10))])
    found = agreement(first, second, {1: (0, 0, 1, 1), 2: (5, 5, 9, 9), 3: (7, 7, 8, 8)})
    assert (found.n, found.n_agreed, found.n_undecided) == (2, 1, 1)
    assert [(d.id, d.first, d.second) for d in found.disagreements] == [
        (2, "rejected", "accepted:blur"),
        (None, "added:blur", "-"),
    ]


@pytest.mark.parametrize(("size", "cell"), [((389, 517), 256), ((10_000, 9_000), 512), ((60_000, 60_000), 2560)])
def test_cells_fit_the_scene(size, cell):
    assert default_cell(*size) == cell


def scope(path="/api/state", method="GET", query="", **headers):
    named = {name.replace("_", "-"): value for name, value in ({"host": "127.0.0.1:8000"} | headers).items()}
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "path": path, "method": method, "query_string": query.encode(), "headers": pairs}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (scope(), "no_token"),
        (scope(query="token=wrong"), "no_token"),
        (scope(query="token=secret"), None),
        (scope(authorization="Bearer secret"), None),
        (scope(authorization="Basic secret"), "no_token"),
        (scope(cookie="clearscene_review_8000=secret"), None),
        (scope(cookie="clearscene_review_9000=secret"), "no_token"),
        (scope(query="token=secret", host="evil.example:8000"), "foreign_host"),
        (scope(query="token=secret", host="127.0.0.1"), "foreign_host"),
        (scope(query="token=secret", host="localhost:8000"), None),
        (scope(query="token=secret", origin="http://evil.example"), "foreign_origin"),
        (scope(query="token=secret", origin="null"), "foreign_origin"),
        (scope(query="token=secret", origin="http://127.0.0.1:8000"), None),
        (scope(method="POST", query="token=secret"), "no_header"),
        (scope(method="POST", query="token=secret", x_clearscene_review="1"), None),
        (scope(query="token=ä"), "no_token"),
    ],
)
def test_who_may_ask(asked, code):
    guard = Guard(None, token="secret", port=8000, refuse=None)
    refusal = guard._refusal(asked)
    assert (refusal.code if refusal else None) == code


def test_cells_outside_and_far_too_many_are_refused():
    import sqlite3
    from contextlib import closing

    from clearscene.review.walk import set_cell

    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(OptionError, match="too small"):
        set_cell(database, 16, height=10_000, width=10_000)
