"""`clearscene synth scene`: the files reopened, and the truth checked against the clean scene."""

import json

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
from typer.testing import CliRunner

from clearscene.cli.synth import app, parse_defects, parse_size
from clearscene.errors import OptionError, OutputError, ResultError
from clearscene.inspection.taxonomy import TYPES
from clearscene.synth.kinds import BY_KIND
from clearscene.synth.matching import found_against_placed
from clearscene.synth.scene import SceneSpec, make_scene
from clearscene.synth.truth import read_truth

HEIGHT, WIDTH = 731, 1093
PLACE = {"row": 2, "col": 3, "height": 40, "width": 50}
DEFECT = {"id": 1, "kind": next(iter(BY_KIND)), **PLACE, "severity": 0.5, "seed": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth 场景")
    command = ["scene", "--size", f"{WIDTH}x{HEIGHT}", "--seed", "5", "--quiet"]
    result = CliRunner().invoke(app, [*command, "--out", str(folder / "scene.tif")])
    assert result.exit_code == 0, result.output
    make_scene(SceneSpec(HEIGHT, WIDTH, seed=5, defects=frozenset()), folder / "clean.tif")
    return folder


def read(path):
    with rasterio.open(path) as raster:
        return raster.read()


def test_the_scene_is_a_georeferenced_cog(folder):
    with rasterio.open(folder / "scene.tif") as raster:
        assert (raster.height, raster.width, raster.count) == (HEIGHT, WIDTH, 3)
        assert raster.crs.to_epsg() == 4547
        assert raster.res == (0.25, 0.25)
        assert raster.nodata is None
        assert raster.overviews(1)
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert sorted(p.name for p in folder.glob("scene*")) == [
        "scene.tif", "scene_truth.gpkg", "scene_truth.json", "scene_truth.tif",
    ]  # fmt: skip


def test_the_scene_differs_from_the_clean_one_exactly_in_the_truth(folder):
    scene, clean, truth = read(folder / "scene.tif"), read(folder / "clean.tif"), read(folder / "scene_truth.tif")[0]
    changed = (scene != clean).any(axis=0)
    placed = np.isin(truth, (9, 10))
    assert not (changed & ~placed).any()
    # A bright stripe over what is saturated already leaves no trace: nearly all, not all.
    assert changed[placed].mean() > 0.98
    collar = truth == 255
    assert 0.02 < collar.mean() < 0.3
    assert len(np.unique(scene[:, collar])) == 1
    assert collar[0, 0] or collar[0, -1]


def test_polygons_are_the_class_map(folder):
    truth = read(folder / "scene_truth.tif")[0]
    meta, _, wkb, (ids, type_ids, areas) = pyogrio.raw.read(
        folder / "scene_truth.gpkg", layer="truth", columns=["id", "type_id", "area_px"]
    )
    import shapely

    shapes = shapely.from_wkb(wkb)
    assert shapely.is_valid(shapes).all()
    with rasterio.open(folder / "scene_truth.tif") as raster:
        drawn = rasterio.features.rasterize(
            zip(shapes, type_ids, strict=True), truth.shape, transform=raster.transform, dtype=np.uint8
        )
    assert np.array_equal(drawn, np.where(truth == 255, 0, truth))
    assert np.allclose(shapely.area(shapes) / 0.0625, areas)
    assert len(set(ids)) == len(ids)
    assert meta["crs"] == "EPSG:4547"


def test_the_record_tells_every_placement(folder):
    document = json.loads((folder / "scene_truth.json").read_text(encoding="utf-8"))
    truth = read(folder / "scene_truth.tif")[0]
    assert document["seed"] == 5
    for entry in document["defects"]:
        part = truth[entry["row"] : entry["row"] + entry["height"], entry["col"] : entry["col"] + entry["width"]]
        assert (part == entry["type_id"]).sum() == entry["area_px"]
    assert read_truth(folder / "scene.tif").counts().keys() == {"missing", "stripe"}


@pytest.mark.parametrize("name", ["scene_truth.tif", "scene_truth.gpkg"])
def test_the_truth_finds_itself(folder, name):
    matches = found_against_placed(folder / name, read_truth(folder / "scene.tif"))
    assert [m.type for m in matches] == ["stripe", "missing"]
    for match in matches:
        assert match.placed == match.found > 0
        assert (match.missed, match.false, match.iou, match.precision, match.recall) == (0, 0, 1.0, 1.0, 1.0)


def test_findings_are_counted_by_hand(folder, tmp_path):
    truth = read_truth(folder / "scene.tif")
    with rasterio.open(truth.class_map) as raster:
        classes, profile = raster.read(1), {**raster.profile, "driver": "GTiff"}
    lost = next(p for p in truth.placements if p.kind == "black_block")
    found = np.where(classes == 10, 10, 0).astype(np.uint8)
    found[lost.row : lost.row + lost.height, lost.col : lost.col + lost.width] = 0
    free = np.argwhere(classes[100:-100, 100:-100] == 0)
    # A false block of 4 x 5 px where nothing was placed within 20 px.
    row, col = next(
        (r + 100, c + 100) for r, c in free[::997] if (classes[r + 80 : r + 124, c + 80 : c + 125] == 0).all()
    )
    found[row : row + 4, col : col + 5] = 10
    with rasterio.open(tmp_path / "found.tif", "w", **profile) as raster:
        raster.write(found, 1)
    stripe, missing = found_against_placed(tmp_path / "found.tif", truth)
    assert (stripe.found, stripe.false, stripe.iou) == (0, 0, 0.0)
    assert stripe.missed == stripe.placed
    assert (missing.missed, missing.false) == (1, 1)
    shared, all_placed = (found[classes == 10] == 10).sum(), (classes == 10).sum()
    assert missing.iou == pytest.approx(shared / (all_placed + 20))


def test_tolerance_forgives_a_dilation_and_nothing_else(folder, tmp_path):
    import scipy.ndimage

    truth = read_truth(folder / "scene.tif")
    with rasterio.open(truth.class_map) as raster:
        classes, profile = raster.read(1), {**raster.profile, "driver": "GTiff"}
    disk = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
    grown = scipy.ndimage.binary_dilation(classes == 10, disk).astype(np.uint8) * 10
    with rasterio.open(tmp_path / "found.tif", "w", **profile) as raster:
        raster.write(grown, 1)
    strict = found_against_placed(tmp_path / "found.tif", truth)[1]
    loose = found_against_placed(tmp_path / "found.tif", truth, tolerance=2)[1]
    assert strict.iou < 0.95
    assert loose.iou == 1.0
    assert found_against_placed(tmp_path / "found.tif", truth, tolerance=1)[1].iou < 1.0


def test_sixteen_bits_hold_the_same_picture(folder, tmp_path):
    spec = SceneSpec(HEIGHT, WIDTH, seed=5, dtype="uint16")
    make_scene(spec, tmp_path / "wide.tif")
    wide, narrow = read(tmp_path / "wide.tif"), read(folder / "scene.tif")
    assert wide.dtype == np.uint16
    assert np.array_equal(np.rint(wide / 257).astype(np.uint8), narrow)
    assert (wide[narrow == 0] == 0).all()
    assert (wide[narrow == 255] == 65535).all()
    assert len(np.unique(wide)) > 10_000


def test_without_collar_and_defects(tmp_path):
    truth = make_scene(SceneSpec(201, 330, has_collar=False, defects=frozenset()), tmp_path / "plain.tif")
    assert truth.counts() == {}
    assert (read(truth.class_map) == 0).all()
    assert pyogrio.read_info(truth.polygons, layer="truth")["features"] == 0
    assert found_against_placed(truth.class_map, truth) == []


def test_all_ten_types_with_what_they_cast(tmp_path):
    types = frozenset(t.name for t in TYPES)
    truth = make_scene(SceneSpec(HEIGHT, WIDTH, seed=5, defects=types), tmp_path / "ten.tif")
    make_scene(SceneSpec(HEIGHT, WIDTH, seed=5, defects=frozenset()), tmp_path / "clean.tif")
    scene, clean, classes = read(truth.scene), read(tmp_path / "clean.tif"), read(truth.class_map)[0]
    windows = np.zeros(classes.shape, bool)
    for p in truth.placements:
        windows[p.row : p.row + p.height, p.col : p.col + p.width] = True
    changed = (scene != clean).any(axis=0)
    assert not (changed & ~windows).any()
    assert not changed[classes == 255].any()
    document = json.loads(truth.record.read_text(encoding="utf-8"))
    lacking = {**document["found_no_room"], **document["did_not_show"]}
    assert types - truth.counts().keys() <= {BY_KIND[kind].type for kind in lacking}
    assert len(truth.counts()) >= 5
    for match in found_against_placed(truth.class_map, truth):
        assert (match.missed, match.false, match.iou) == (0, 0, 1.0)


@pytest.mark.parametrize("size", ["", "100", "10x", "axb", "-3x4"])
def test_a_wrong_size_is_told(size):
    with pytest.raises(OptionError, match="not a size"):
        parse_size(size)


def test_options_are_checked(tmp_path, folder):
    assert parse_size("300x200") == (300, 200)
    assert parse_defects("none") == frozenset()
    with pytest.raises(OptionError, match="too small"):
        SceneSpec(10, 400)
    with pytest.raises(OptionError, match="float32"):
        SceneSpec(100, 400, dtype="float32")
    with pytest.raises(OptionError, match="png"):
        make_scene(SceneSpec(100, 400), tmp_path / "scene.png")
    with pytest.raises(OptionError, match="30"):
        make_scene(SceneSpec(100, 400, resolution=30), tmp_path / "scene.tif")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        make_scene(SceneSpec(100, 400), tmp_path / "file" / "scene.tif")
    with pytest.raises(ResultError, match="nowhere"):
        read_truth(tmp_path / "nowhere.tif")
    for wrong in ('"a"', '[{"id": 1}]', "[3]", "null", "[[]]"):
        (tmp_path / "wrong_truth.json").write_text(f'{{"defects": {wrong}}}')
        with pytest.raises(ResultError, match=r"wrong\.tif cannot be read from wrong_truth\.json"):
            read_truth(tmp_path / "wrong.tif")
    for document in ("[]", "3", '{"defects": [' + json.dumps(DEFECT | {"kind": "fog"}) + "]}"):
        (tmp_path / "wrong_truth.json").write_text(document)
        with pytest.raises(ResultError, match=r"wrong\.tif cannot be read"):
            read_truth(tmp_path / "wrong.tif")
    (tmp_path / "wrong_truth.json").write_text('{"defects": [' + json.dumps(DEFECT | {"row": "x"}) + "]}")
    with pytest.raises(ResultError, match="row"):
        read_truth(tmp_path / "wrong.tif")
    other = make_scene(SceneSpec(100, 400, defects=frozenset()), tmp_path / "other.tif")
    with pytest.raises(ResultError, match="400 x 100"):
        found_against_placed(other.class_map, read_truth(folder / "scene.tif"))
    assert not list(tmp_path.glob(".clearscene-*"))
