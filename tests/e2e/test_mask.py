"""`clearscene mask` from the typed command to the reopened files."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pystac
import pystac.validation
import pytest
import rasterio
from rasterio.crs import CRS

from clearscene.masking.result import read_report
from clearscene.models import zoo
from tests.command import clearscene
from tests.mask_models import cloudy, level_folder
from tests.onnx_graphs import edit_manifest
from tests.satellites import Safe
from tests.scenes import write_scene

TRANSFORM = rasterio.Affine(10, 0, 600_000, 0, -10, 5_000_040)
NAMES = "red=1,green=2,blue=3,nir=4"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return level_folder(tmp_path_factory.mktemp("models") / "level")


def stored(data, empty=None):
    """Reflectance as uint16 by 10,000, with 0 where `empty`."""
    result = np.rint(data * 10_000).astype(np.uint16)
    if empty is not None:
        result[:, empty] = 0
    return result


def scene_in(folder: Path, name="scene", *, seed=0, empty=None):
    data, truth = cloudy(seed=seed)
    options = {} if empty is None else {"nodata": 0}
    path = write_scene(
        folder / f"{name}.tif", stored(data, empty), crs=CRS.from_epsg(32632), transform=TRANSFORM, options=options
    )
    return path, truth


def run(scene, out, model, *words, check=0):
    every = ("mask", scene, "--out", out, "--model", model, "--bands", NAMES, "--scale", "0.0001")
    every += () if "--classes" in words else ("--classes", "4")
    return clearscene(*every, "--device", "cpu", "--workers", "1", *words, check=check)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.fixture(scope="module")
def everything(tmp_path_factory, model):
    """One run with all that can be written, for the tests that only look."""
    folder = tmp_path_factory.mktemp("everything")
    empty = np.zeros((67, 91), bool)
    empty[:9, 70:] = True
    scene, truth = scene_in(folder, empty=empty)
    truth[empty] = 255
    done = run(scene, folder / "out", model, "--confidence", "--vector", "gpkg")
    return folder / "out", truth, done, scene


def test_the_mask_is_the_truth_on_the_grid_of_the_scene(everything):
    out, truth, _, scene = everything
    with rasterio.open(out / "scene_mask.tif") as dataset, rasterio.open(scene) as source:
        assert np.array_equal(dataset.read(1), truth)
        assert (dataset.crs, dataset.transform, dataset.shape) == (source.crs, source.transform, source.shape)
        assert (dataset.dtypes, dataset.nodata, dataset.count) == (("uint8",), 255, 1)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.colormap(1)[1] == (245, 245, 245, 255)
        assert dataset.tags(1)["CLASS_2"] == "thin cloud"
        tags = dataset.tags()
    valid = truth != 255
    for class_id, name in enumerate(("CLEAR", "THICK_CLOUD", "THIN_CLOUD", "CLOUD_SHADOW")):
        assert float(tags[f"{name}_PERCENT"]) == pytest.approx(100 * (truth[valid] == class_id).mean(), abs=1e-3)
    assert float(tags["NODATA_PERCENT"]) == pytest.approx(100 * (~valid).mean(), abs=1e-3)


def test_files_are_those_of_the_record_and_no_others(everything):
    out, *_ = everything
    report = read_report(out / "scene_mask.json")
    aside = {"scene_mask.tif.aux.xml"}
    assert {path.name for path in out.iterdir()} == {*report.files.values()} | aside
    assert set(report.files.values()) == {
        "scene_mask.tif",
        "scene_confidence.tif",
        "scene_mask.gpkg",
        "scene_mask.qml",
        "scene_mask.stac.json",
        "scene_mask.json",
    }


def test_category_names_are_beside_the_mask(everything):
    out, *_ = everything
    names = ElementTree.parse(out / "scene_mask.tif.aux.xml").findall(".//Category")
    assert [name.text for name in names[:4]] == ["clear", "thick cloud", "thin cloud", "cloud shadow"]


def test_confidence_is_a_band_a_class_in_percent(everything):
    out, truth, *_ = everything
    with rasterio.open(out / "scene_confidence.tif") as dataset:
        percent = dataset.read().astype(int)
        assert dataset.descriptions == ("clear", "thick_cloud", "thin_cloud", "cloud_shadow")
    assert (percent[:, truth == 255] == 255).all()
    valid = truth != 255
    assert np.abs(percent[:, valid].sum(axis=0) - 100).max() <= 2
    assert np.array_equal(percent[:, valid].argmax(axis=0), truth[valid])


def test_polygons_cover_what_is_marked(everything):
    out, truth, *_ = everything
    frame = pyogrio.raw.read(out / "scene_mask.gpkg", layer="mask")
    columns = dict(zip(frame[0]["fields"], frame[3], strict=True))
    assert set(columns["class"]) == {"thick_cloud", "thin_cloud", "cloud_shadow"}
    for class_id in (1, 2, 3):
        area = columns["area_px"][columns["class_id"] == class_id].sum()
        assert area == (truth == class_id).sum()
    np.testing.assert_allclose(columns["area_m2"], columns["area_px"] * 100.0, rtol=2e-3)
    assert (columns["confidence"] > 0.9).all()
    with closing(sqlite3.connect(out / "scene_mask.gpkg")) as database:
        (style,) = database.execute("SELECT styleQML FROM layer_styles").fetchone()
    assert 'attr="class"' in style


def test_the_style_lies_beside_the_raster(everything):
    out, *_ = everything
    entries = ElementTree.parse(out / "scene_mask.qml").findall(".//paletteEntry")
    assert [e.get("label") for e in entries] == ["thick cloud", "thin cloud", "cloud shadow"]


def test_the_item_is_stac_and_says_how_much_is_cloud(everything):
    out, truth, *_ = everything
    item = pystac.Item.from_file(str(out / "scene_mask.stac.json"))
    valid = truth != 255
    cloud = 100 * np.isin(truth[valid], (1, 2)).mean()
    assert item.properties["eo:cloud_cover"] == pytest.approx(cloud, abs=0.01)
    classes = item.assets["mask"].extra_fields["classification:classes"]
    assert [entry["value"] for entry in classes] == [0, 1, 2, 3, 255]
    assert classes[4]["nodata"]
    assert item.properties["proj:code"] == "EPSG:32632"
    assert any(link.rel == "processing-expression" for link in item.links)
    for asset in item.assets.values():
        assert (out / asset.href.removeprefix("./")).is_file() or Path(asset.href).is_file()
    west, south, east, north = item.bbox
    assert 10.2 < west < east < 10.3
    assert 45.1 < south < north < 45.2


@pytest.mark.parametrize("has_crs", [True, False])
def test_items_pass_the_schemas_of_stac(everything, tmp_path, model, has_crs):
    """The core schemas come with pystac; those of extensions are only on the web."""
    out = everything[0]
    if not has_crs:
        out = tmp_path / "out"
        plain = write_scene(tmp_path / "scene.tif", stored(cloudy(seed=0)[0]), crs=None)
        run(plain, out, model)
    item = json.loads((out / "scene_mask.stac.json").read_text())
    assert (item["geometry"] is not None) == has_crs
    checked = item | {"stac_extensions": []}
    assert pystac.validation.validate_dict(checked, stac_version="1.1.0")
    broken = checked | {"properties": {**item["properties"], "datetime": "yesterday"}}
    with pytest.raises(pystac.STACValidationError):
        pystac.validation.validate_dict(broken, stac_version="1.1.0")


def test_items_keep_the_rules_of_their_extensions(everything):
    """Types and ranges as eo 1.1, classification 2.0, projection 2.0 and processing 1.2 say."""
    item = json.loads((everything[0] / "scene_mask.stac.json").read_text())
    properties, classes = item["properties"], item["assets"]["mask"]["classification:classes"]
    assert [url.split("/")[3:5] for url in item["stac_extensions"]] == [
        ["eo", "v1.1.0"],
        ["classification", "v2.0.0"],
        ["projection", "v2.0.0"],
        ["processing", "v1.2.0"],
    ]
    assert 0 <= properties["eo:cloud_cover"] <= 100
    assert len(classes) == len({entry["value"] for entry in classes}) > 1
    for entry in classes:
        assert isinstance(entry["value"], int)
        assert re.fullmatch(r"[0-9A-Za-z_-]+", entry["name"])
        assert re.fullmatch(r"[0-9A-F]{6}", entry.get("color_hint", "FFFFFF"))
    assert sum(entry.get("percentage", 0) for entry in classes) == pytest.approx(100, abs=0.01)
    assert re.fullmatch(r"EPSG:\d+", properties["proj:code"])
    assert len(properties["proj:shape"]) == 2
    assert len(properties["proj:transform"]) == 6
    assert all(isinstance(value, str) for value in properties["processing:software"].values())
    assert isinstance(properties["processing:lineage"], str)


def test_the_record_says_what_it_cost(everything):
    out, _, done, _ = everything
    report = read_report(out / "scene_mask.json")
    assert report.cost.seconds > 0
    assert report.cost.seconds_per_mpx == pytest.approx(report.cost.seconds / (67 * 91 / 1e6), rel=0.2)
    assert report.cost.peak_memory_mb > 10
    assert "s/Mpx" in done.stdout
    assert "peak MB" in done.stdout
    assert report.models[0].name == "level"


def test_three_and_two_classes(tmp_path, model):
    scene, truth = scene_in(tmp_path)
    for classes in (3, 2):
        run(scene, tmp_path / str(classes), model, "--classes", classes)
        found = read(tmp_path / str(classes) / "scene_mask.tif")[0]
        expected = np.where(truth == 2, 1, truth)
        assert np.array_equal(found, np.where(expected == 3, 0, expected) if classes == 2 else expected)


def test_a_buffer_in_meters_grows_clouds_and_shadows(tmp_path, model):
    scene, truth = scene_in(tmp_path)
    run(scene, tmp_path / "out", model, "--buffer", 30)
    found = read(tmp_path / "out" / "scene_mask.tif")[0]
    rows, cols = np.nonzero(truth)
    near = np.zeros(truth.shape, bool)
    for dr in range(-3, 4):
        for dc in range(-3, 4):
            if dr * dr + dc * dc <= 9:
                near[np.clip(rows + dr, 0, 66), np.clip(cols + dc, 0, 90)] = True
    assert np.array_equal(found != 0, near)
    assert np.array_equal(found[truth != 0], truth[truth != 0])
    report = read_report(tmp_path / "out" / "scene_mask.json")
    assert report.shares[0].pixels == (found == 0).sum()
    assert not list((tmp_path / "out").glob("plain*"))
    cloud = 100 * np.isin(truth, (1, 2)).mean()  # of the scene, as it was before it grew
    assert report.cloud_percent == pytest.approx(cloud)
    item = json.loads((tmp_path / "out" / "scene_mask.stac.json").read_text())
    assert item["properties"]["eo:cloud_cover"] == pytest.approx(cloud, abs=0.01)
    assert "grown by 30 m" in item["properties"]["description"]
    classes = item["assets"]["mask"]["classification:classes"]
    assert sum(entry["count"] for entry in classes if entry["value"] in (1, 2)) == np.isin(found, (1, 2)).sum()


def test_of_a_scene_without_data_the_item_says_no_cloud_cover(tmp_path, model):
    scene, _ = scene_in(tmp_path, empty=np.ones((67, 91), bool))
    run(scene, tmp_path / "out", model)
    item = json.loads((tmp_path / "out" / "scene_mask.stac.json").read_text())
    assert "eo:cloud_cover" not in item["properties"]
    assert pystac.validation.validate_dict(item | {"stac_extensions": []}, stac_version="1.1.0")


def test_an_item_across_the_antimeridian_is_cut_there(tmp_path, model):
    transform = rasterio.Affine(100, 0, 355_000, 0, -100, 7_200_000)
    scene = write_scene(tmp_path / "scene.tif", stored(cloudy()[0]), crs=CRS.from_epsg(32601), transform=transform)
    run(scene, tmp_path / "out", model)
    item = json.loads((tmp_path / "out" / "scene_mask.stac.json").read_text())
    assert item["geometry"]["type"] == "MultiPolygon"
    assert item["bbox"][0] > 179 > -179 > item["bbox"][2]
    assert pystac.validation.validate_dict(item | {"stac_extensions": []}, stac_version="1.1.0")


@pytest.mark.parametrize("option", ["--fast", "--fine"])
def test_other_resolutions_keep_the_grid(tmp_path, model, option):
    scene, truth = scene_in(tmp_path)
    run(scene, tmp_path / "out", model, option)
    found = read(tmp_path / "out" / "scene_mask.tif")[0]
    assert found.shape == truth.shape
    assert (found == truth).mean() > 0.95
    assert read_report(tmp_path / "out" / "scene_mask.json").options[option[2:]] == "yes"


@pytest.mark.usefixtures("shipped_model")
def test_pixels_of_30_m_are_looked_at_at_twice_the_resolution(tmp_path):
    transform = TRANSFORM * TRANSFORM.scale(3)
    scene = write_scene(tmp_path / "scene.tif", stored(cloudy()[0]), crs=CRS.from_epsg(32632), transform=transform)
    chances = {}
    for option in ((), ("--fine",), ("--no-fine",)):
        out = tmp_path / "-".join(("out", *option))
        words = ("--bands", NAMES, "--scale", "0.0001", "--confidence", "--device", "cpu", "--workers", "1", *option)
        clearscene("mask", scene, "--out", out, *words, check=0)
        chances[option] = read(out / "scene_confidence.tif")
        report = read_report(out / "scene_mask.json")
        assert any("--no-fine" in note for note in report.notes) == (not option)
        assert report.options.get("fine") == ({"--fine": "yes", "--no-fine": "no"}[option[0]] if option else None)
    assert np.array_equal(chances[()], chances["--fine",])
    assert not np.array_equal(chances[()], chances["--no-fine",])


@pytest.fixture
def shipped_level(tmp_path, monkeypatch):
    """The level model in place of the shipped one."""
    folder = tmp_path / "weights"
    level_folder(folder / "cloud-rgbn", normalization="bright_level")
    monkeypatch.setattr(zoo, "shipped_folder", lambda: folder)


@pytest.mark.usefixtures("shipped_level")
@pytest.mark.parametrize(("meters", "is_wide"), [(10, True), (20, True), (7.6, True), (7.4, False), (26, False)])
def test_pixels_of_8_to_25_m_get_a_wide_look(tmp_path, meters, is_wide):
    transform = TRANSFORM * TRANSFORM.scale(meters / 10)
    scene = write_scene(tmp_path / "scene.tif", stored(cloudy()[0][:3]), crs=CRS.from_epsg(32632), transform=transform)
    chances = {}
    for option in ("", "--wide", "--no-wide"):
        out = tmp_path / f"out{option}"
        words = ("--bands", "red=1,green=2,blue=3", "--scale", "0.0001", "--confidence", "--device", "cpu")
        clearscene("mask", scene, "--out", out, *words, *([option] if option else []), check=0)
        chances[option] = read(out / "scene_confidence.tif")
        report = read_report(out / "scene_mask.json")
        assert report.options.get("wide") == {"": None, "--wide": "yes", "--no-wide": "no"}[option]
        assert (report.wide > 1) == (option == "--wide" or (not option and is_wide))
    assert not np.array_equal(chances["--wide"], chances["--no-wide"])
    assert np.array_equal(chances[""], chances["--wide" if is_wide else "--no-wide"])


@pytest.mark.usefixtures("shipped_level")
def test_a_wide_look_at_30_m_goes_with_a_fine_one(tmp_path):
    transform = TRANSFORM * TRANSFORM.scale(3)
    scene = write_scene(tmp_path / "scene.tif", stored(cloudy()[0]), crs=CRS.from_epsg(32632), transform=transform)
    chances = []
    for option in ((), ("--wide",), ("--wide", "--no-fine")):
        out = tmp_path / "-".join(("out", *option))
        words = ("--bands", NAMES, "--scale", "0.0001", "--confidence", "--device", "cpu", *option)
        clearscene("mask", scene, "--out", out, *words, check=0)
        chances.append(read(out / "scene_confidence.tif"))
    assert not any(np.array_equal(chances[a], chances[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_a_model_of_ones_own_gets_no_wide_look_unless_asked(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    chances = []
    for option in ((), ("--no-wide",), ("--wide",), ("--wide", "--fast"), ("--wide", "--fine")):
        out = tmp_path / "-".join(("out", *option))
        run(scene, out, model, "--confidence", *option)
        chances.append(read(out / "scene_confidence.tif"))
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])
    assert all((part.sum(axis=0) >= 98).all() for part in chances)  # percent, rounded


def test_half_and_twice_the_resolution_do_not_go_together(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    done = run(scene, tmp_path / "out", model, "--fast", "--fine", check=2)
    assert "Choose one of them" in done.stderr


def test_looking_again_is_counted_and_helps(tmp_path):
    pattern = np.zeros((32, 32), np.float32)
    pattern[3:20:4, 2:21:5] = 200.0  # single pixels of thick cloud, always at the same places of a tile
    ragged = level_folder(tmp_path / "ragged", pattern=pattern)
    scene, truth = scene_in(tmp_path)
    run(scene, tmp_path / "plain", ragged)
    done = run(scene, tmp_path / "again", ragged, "--tta", 7)
    wrong = {name: (read(tmp_path / name / "scene_mask.tif")[0] != truth).sum() for name in ("plain", "again")}
    assert wrong["again"] < wrong["plain"] / 4
    looks = read_report(tmp_path / "again" / "scene_mask.json").looks
    assert looks.tiles_again == looks.tiles > 0
    assert looks.looks > looks.tiles
    assert looks.isolated_after < looks.isolated_before
    assert "tiles were looked at again" in done.stdout
    done = run(scene, tmp_path / "both", ragged, "--model", ragged, "--tta", 1)
    both = read_report(tmp_path / "both" / "scene_mask.json").looks
    assert (both.models, both.tiles) == (2, 2 * looks.tiles)
    assert f"of {2 * looks.tiles} tiles (2 models, {looks.tiles} each) were" in done.stdout


def test_two_models_are_averaged(tmp_path, model):
    other = level_folder(tmp_path / "three", ids=(0, 1, 3))
    scene, truth = scene_in(tmp_path)
    run(scene, tmp_path / "out", model, "--model", other)
    report = read_report(tmp_path / "out" / "scene_mask.json")
    assert [m.name for m in report.models] == ["level", "three"]
    found = read(tmp_path / "out" / "scene_mask.tif")[0]
    assert np.array_equal(found[truth != 2], truth[truth != 2])


@pytest.mark.usefixtures("shipped_level")
def test_the_shipped_model_twice_or_by_its_folder_looks_as_it_does_by_itself(tmp_path):
    scene = write_scene(tmp_path / "scene.tif", stored(cloudy()[0]), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    words = ("--bands", NAMES, "--scale", "0.0001", "--confidence", "--device", "cpu")
    chances = []
    for models in ((), ("cloud-rgbn", "cloud-rgbn"), (tmp_path / "weights" / "cloud-rgbn",)):
        out = tmp_path / f"out{len(chances)}"
        named = [word for model in models for word in ("--model", model)]
        clearscene("mask", scene, "--out", out, *words, *named, check=0)
        assert read_report(out / "scene_mask.json").wide > 1
        chances.append(read(out / "scene_confidence.tif"))
    assert np.array_equal(chances[0], chances[1])
    assert np.array_equal(chances[0], chances[2])


def test_a_model_without_thin_cloud_makes_a_mask_of_three_classes(tmp_path):
    three = level_folder(tmp_path / "three", ids=(0, 1, 3))
    scene, _ = scene_in(tmp_path)
    done = run(scene, tmp_path / "out", three)
    assert "knows 3 classes, not 4" in done.stderr
    with rasterio.open(tmp_path / "out" / "scene_mask.tif") as dataset:
        assert dataset.tags(1)["CLASS_1"] == "cloud"


def test_a_scene_without_nir_is_masked_by_a_model_that_can(tmp_path):
    model = level_folder(tmp_path / "bright", normalization="bright_level")
    data, truth = cloudy()
    scene = write_scene(tmp_path / "rgb.tif", stored(data[:3]), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    done = clearscene("mask", scene, "-o", tmp_path / "out", "--model", model, "--scale", "0.0001", check=0)
    assert "no nir" in done.stderr
    assert read(tmp_path / "out" / "rgb_mask.tif")[0].shape == truth.shape


def test_what_is_finished_is_skipped_unless_overwritten(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    run(scene, tmp_path / "out", model, "--vector", "gpkg")
    before = (tmp_path / "out" / "scene_mask.json").read_bytes()
    assert "was done" in run(scene, tmp_path / "out", model, "--vector", "gpkg").stdout
    done = run(scene, tmp_path / "out", model)
    assert "was masked with other options" in done.stderr
    assert (tmp_path / "out" / "scene_mask.json").read_bytes() == before
    run(scene, tmp_path / "out", model, "--overwrite")
    assert (tmp_path / "out" / "scene_mask.json").read_bytes() != before
    assert not (tmp_path / "out" / "scene_mask.gpkg").exists()  # of the older run, not made by this one


def test_a_mask_of_an_older_model_is_told(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    run(scene, tmp_path / "out", model)
    edit_manifest(model, 'version = "0.1.0"', 'version = "0.2.0"')
    done = run(scene, tmp_path / "out", model)
    assert "was masked by another version of the model level" in done.stderr


def test_a_mask_that_lost_a_file_is_made_again(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    run(scene, tmp_path / "out", model)
    (tmp_path / "out" / "scene_mask.tif").unlink()
    assert "was done" not in run(scene, tmp_path / "out", model).stdout
    assert (tmp_path / "out" / "scene_mask.tif").exists()


def test_two_scenes_of_one_name_and_masks_are_no_scenes(tmp_path, model):
    for folder in ("one", "two"):
        scene_in(tmp_path / folder)
    out = tmp_path / "one"  # beside a scene
    every = ("mask", tmp_path / "one", tmp_path / "two", "-o", out, "--model", model, "--bands", NAMES)
    clearscene(*every, "--scale", "0.0001", check=0)
    assert {p.name for p in out.glob("*_mask.tif")} == {"scene_mask.tif", "scene-2_mask.tif"}
    done = clearscene(*every, "--scale", "0.0001", check=0)
    assert done.stdout.count("was done") == 2


def test_fail_under_is_the_clear_percentage(tmp_path, model):
    scene, truth = scene_in(tmp_path)
    clear = 100 * (truth == 0).mean()
    run(scene, tmp_path / "out", model, "--fail-under", clear - 1, check=0)
    done = run(scene, tmp_path / "out", model, "--fail-under", clear + 1, check=1)
    assert "1 of 1 scenes are less than" in done.stderr


def test_the_products_own_quality_band_is_compared(tmp_path, model):
    safe = Safe(level="L2A").write(tmp_path)
    done = clearscene("mask", safe, "-o", tmp_path / "out", "--model", model, "--qa", "--workers", 1, check=0)
    stem = safe.name.removesuffix(".SAFE")
    report = read_report(tmp_path / "out" / f"{stem}_mask.json")
    assert report.agreement.qa == "SCL"
    assert report.scene.sensor == "sentinel-2-l2a"
    assert report.agreement.compared + report.agreement.unknown == report.valid_pixels
    assert np.sum(report.agreement.table) == report.agreement.compared
    assert "the mask beside SCL" in done.stdout
    with (
        rasterio.open(tmp_path / "out" / f"{stem}_qa.tif") as qa,
        rasterio.open(tmp_path / "out" / f"{stem}_mask.tif") as found,
    ):
        assert (qa.transform, qa.shape) == (found.transform, found.shape)
        assert (qa.read(1) != 255).sum() == report.agreement.compared
        assert sum(qa.colormap(1)[0][:3]) > 600  # both clear is pale, not black
    labels = ElementTree.parse(tmp_path / "out" / f"{stem}_qa.qml").findall(".//paletteEntry")
    assert labels[0].get("label") == "both clear"
    assert report.files["qa_style"] == f"{stem}_qa.qml"
    item = json.loads((tmp_path / "out" / f"{stem}_mask.stac.json").read_text())
    assert item["properties"]["datetime"].startswith("2023-07-16")


def test_qa_of_a_plain_raster_is_a_note(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    assert "no quality band" in run(scene, tmp_path / "out", model, "--qa").stderr


def test_another_resolution(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    run(scene, tmp_path / "out", model, "--resolution", 20)
    with rasterio.open(tmp_path / "out" / "scene_mask.tif") as dataset:
        assert (dataset.shape, dataset.res) == ((34, 46), (20, 20))
