"""Clouds and shadows of satellite images: the model for cloud masks is asked beside the inspection model."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window
from shapely.geometry import box, mapping

from clearscene.inspection.result import Report
from clearscene.inspection.satellite import LEAST, SATELLITE_M, with_added
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.models import zoo
from clearscene.runs import Runs
from tests.command import clearscene
from tests.mask_models import level_folder
from tests.onnx_graphs import brightness_folder, edit_manifest
from tests.scenes import UTM, ground, write_scene

CLOUD, SHADOW = BY_NAME["cloud"].id, BY_NAME["shadow"].id
SHAPE = (150, 170)
"""A few tiles of either model."""
ROWS, COLS = np.indices(SHAPE)
IS_CLOUD = (ROWS - 50) ** 2 + (COLS - 50) ** 2 < 25**2
IS_SHADOW = (ROWS - 100) ** 2 + (COLS - 110) ** 2 < 25**2


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of shipped models that holds the one for cloud masks alone."""
    folder = tmp_path / "weights"
    level_folder(folder / "cloud-rgbn", bands=("red", "green", "blue"))
    monkeypatch.setattr(zoo, "shipped_folder", lambda: folder)
    return folder


def scene_of(folder, size, **options):
    """Dark ground with a bright cloud and a black shadow, of pixels of `size` meters."""
    data = ground(*SHAPE) // 3
    data[:, IS_CLOUD] = 225 + data[:, IS_CLOUD] % 16
    data[:, IS_SHADOW] = 5 + data[:, IS_SHADOW] % 6
    transform = Affine(size, 0, 500_000, 0, -size, 2_960_000)
    return write_scene(folder / "scene.tif", data, **{"transform": transform, **options})


def run(scene, out, *words):
    clearscene("inspect", scene, "--out", out, "--types", "cloud,shadow,missing", *words, check=0)
    report = Report.model_validate_json((out / scene.stem / "report.json").read_text(encoding="utf-8"))
    with rasterio.open(out / scene.stem / "classmap.tif") as dataset:
        return report, dataset.read(1)


def iou(found, truth):
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.usefixtures("weights")
def test_clouds_and_shadows_of_large_pixels_are_found(tmp_path):
    report, found = run(scene_of(tmp_path, SATELLITE_M), tmp_path / "out")
    assert iou(found == CLOUD, IS_CLOUD) > 0.8  # grown by the published disk of 2 px
    assert iou(found == SHADOW, IS_SHADOW) > 0.8
    types = {t.type: t for t in report.types}
    assert types["cloud"].area_px == IS_CLOUD.sum()
    assert types["shadow"].area_px == IS_SHADOW.sum()
    detector = next(d for d in report.detectors if d.kind == "model")
    assert detector.name == "model:cloud-rgbn"
    assert detector.parameters["shadow added, px"] == IS_SHADOW.sum()
    assert all(f.confidence >= LEAST for f in report.findings)
    assert {f.detector for f in report.findings} == {detector.name}


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(
    ("size", "options", "words", "looks"),
    [
        (SATELLITE_M, {}, (), True),
        (0.99 * SATELLITE_M, {}, (), False),
        (0.1, {}, ("--satellite",), True),
        (30.0, {}, ("--no-satellite",), False),
        (10.0, {"crs": None}, (), False),
        (10.0, {"crs": None}, ("--satellite",), True),
    ],
)
def test_who_is_asked(tmp_path, size, options, words, looks):
    report, _ = run(scene_of(tmp_path, size, **options), tmp_path / "out", *words)
    assert any(d.kind == "model" for d in report.detectors) == looks
    assert {t.type for t in report.types if t.inspected} == {"missing", *(["cloud", "shadow"] if looks else [])}
    assert report.options.get("satellite") == (
        {"--satellite": "yes", "--no-satellite": "no"}[words[0]] if words else None
    )


@pytest.mark.usefixtures("weights")
def test_a_model_of_ones_own_is_asked_alone(tmp_path):
    own = brightness_folder(tmp_path / "own", tile_size=64)
    scene = scene_of(tmp_path, 10.0)
    report, _ = run(scene, tmp_path / "alone", "--model", own)
    assert [d.name for d in report.detectors if d.kind == "model"] == ["model:bright"]
    both, _ = run(scene, tmp_path / "both", "--model", own, "--satellite")
    assert [d.name for d in both.detectors if d.kind == "model"] == ["model:bright", "model:cloud-rgbn"]
    added = both.detectors[-1].parameters
    for finding in both.findings:
        both_found = added[f"{finding.type} added, px"] > 0
        assert finding.detector == ("model:bright + model:cloud-rgbn" if both_found else "model:bright")


def test_a_result_of_an_older_model_is_told(tmp_path, weights):
    scene = scene_of(tmp_path, 10.0)
    run(scene, tmp_path / "out")
    edit_manifest(weights / "cloud-rgbn", 'version = "0.1.0"', 'version = "0.2.0"')
    again = clearscene("inspect", scene, "--out", tmp_path / "out", "--types", "cloud,shadow,missing", check=0)
    assert "was inspected by another version of the model cloud-rgbn" in again.stderr


def test_a_result_from_before_the_second_model_is_told(tmp_path, weights):
    own = brightness_folder(weights / "bright", tile_size=64)
    scene = scene_of(tmp_path, 10.0)
    words = ("inspect", scene, "--out", tmp_path / "out", "--types", "cloud,shadow,missing")
    hidden = weights.rename(tmp_path / "hidden")
    (weights / "bright").mkdir(parents=True)
    for file in (hidden / "bright").iterdir():
        (weights / "bright" / file.name).write_bytes(file.read_bytes())
    clearscene(*words, check=0)
    assert "was inspected" not in clearscene(*words, check=0).stderr
    shutil.rmtree(weights)
    hidden.rename(weights)
    assert own.is_dir()
    assert "was inspected without the model for cloud masks" in clearscene(*words, check=0).stderr


def shaded(folder, size):
    """Ground with three shadows: black, black to a half, and dark ground that the inspection model takes for one."""
    data = np.full((3, *SHAPE), 90, np.uint8) + ground(*SHAPE) % 16
    dark, half, doubtful = (np.zeros(SHAPE, np.bool_) for _ in range(3))
    dark[10:40, 20:60], half[60:90, 100:150], doubtful[100:140, 10:70] = True, True, True
    data[:, dark | half] = 5 + data[:, dark | half] % 4
    data[:, 75:90, 100:150] = data[:, doubtful] = 0
    data[:, 75:90, 100:150] += 24 + np.arange(50, dtype=np.uint8) % 5
    data[:, doubtful] = 24 + np.arange(doubtful.sum(), dtype=np.uint8) % 5
    transform = Affine(size, 0, 500_000, 0, -size, 2_960_000)
    return write_scene(folder / "scene.tif", data, transform=transform), dark, half, doubtful


def test_a_shadow_that_the_second_model_does_not_see_at_all_is_dropped(tmp_path, weights):
    """Of finer pixels; a region is kept whole or not at all, and nobody is asked with --no-satellite."""
    brightness_folder(weights / "bright", tile_size=64)
    scene, dark, half, doubtful = shaded(tmp_path, 0.5)
    report, found = run(scene, tmp_path / "out")
    assert (found[dark | half] == SHADOW).all()
    assert (found[doubtful] == 0).all()
    own, other = (d for d in report.detectors if d.kind == "model")
    assert (own.name, other.name, other.types) == ("model:bright", "model:cloud-rgbn", ["shadow"])
    assert other.parameters["shadow dropped, px"] == doubtful.sum()
    assert {f.detector for f in report.findings} == {"model:bright"}
    alone, found = run(scene, tmp_path / "alone", "--no-satellite")
    assert (found[dark | half | doubtful] == SHADOW).all()
    assert [d.name for d in alone.detectors if d.kind == "model"] == ["model:bright"]


def test_a_shadow_from_before_the_second_opinion_is_told(tmp_path, weights):
    brightness_folder(weights / "bright", tile_size=64)
    scene, *_ = shaded(tmp_path, 0.5)
    words = ("inspect", scene, "--out", tmp_path / "out", "--types", "cloud,shadow,missing")
    hidden = (weights / "cloud-rgbn").rename(tmp_path / "hidden")
    clearscene(*words, check=0)
    hidden.rename(weights / "cloud-rgbn")
    assert "was inspected without the model for cloud masks" in clearscene(*words, check=0).stderr
    clearscene(*words, "--overwrite", check=0)
    assert "was inspected" not in clearscene(*words, check=0).stderr


def test_without_a_shadow_the_second_model_is_not_asked(tmp_path, weights):
    brightness_folder(weights / "bright", tile_size=64)
    scene = write_scene(
        tmp_path / "scene.tif", ground(*SHAPE) // 2 + 60, transform=Affine(0.5, 0, 500_000, 0, -0.5, 2_960_000)
    )
    report, _ = run(scene, tmp_path / "out")
    assert [d.name for d in report.detectors if d.kind == "model"] == ["model:bright"]


def test_a_scene_that_may_be_of_a_satellite_gets_a_hint(tmp_path, weights):
    brightness_folder(weights / "bright", tile_size=64)
    for crs, words, is_told in ((None, (), True), (None, ("--satellite",), False), (UTM, (), False)):
        report, _ = run(scene_of(tmp_path, 10.0, crs=crs), tmp_path / "out", "--overwrite", *words)
        hints = [note for note in report.scene.notes if "--satellite looks for" in note.en]
        assert len(hints) == is_told
        assert all(note.zh != note.en for note in hints)


@pytest.mark.usefixtures("weights")
def test_what_was_added_is_counted_where_it_was_inspected(tmp_path):
    scene = scene_of(tmp_path, SATELLITE_M)
    left = box(500_000, 2_960_000 - 150 * SATELLITE_M, 500_000 + 80 * SATELLITE_M, 2_960_000)
    aoi = tmp_path / "aoi.geojson"
    aoi.write_text(json.dumps({**mapping(left), "crs": {"type": "name", "properties": {"name": "EPSG:32648"}}}))
    report, _ = run(scene, tmp_path / "out", "--aoi", aoi)
    detector = next(d for d in report.detectors if d.kind == "model")
    area = {t.type: t.area_px for t in report.types}
    assert area["shadow"] == 0
    assert (detector.parameters["cloud added, px"], detector.parameters["shadow added, px"]) == (area["cloud"], 0)


def test_asking_for_what_is_not_there_is_an_error(tmp_path, weights):
    scene = scene_of(tmp_path, 10.0)
    done = clearscene("inspect", scene, "--out", tmp_path, "--satellite", "--types", "stripe", check=2)
    assert "--types names neither" in done.stderr
    shutil.rmtree(weights)
    done = clearscene("inspect", scene, "--out", tmp_path, "--satellite", check=2)
    assert "the model cloud-rgbn is not installed" in done.stderr


@pytest.mark.usefixtures("weights")
def test_a_gray_scene_is_not_looked_at(tmp_path):
    report, _ = run(write_scene(tmp_path / "gray.tif", ground(*SHAPE)[:1]), tmp_path / "out", "--satellite")
    assert not any(d.kind == "model" for d in report.detectors)


@pytest.mark.usefixtures("weights")
def test_near_infrared_is_read_where_it_is(tmp_path, weights):
    level_folder(weights / "cloud-rgbn", bands=("red", "green", "blue", "nir"))
    data = np.concatenate([ground(*SHAPE) // 3, ground(*SHAPE, seed=3)[:1] // 3])
    data[:, IS_SHADOW] = 5 + data[:, IS_SHADOW] % 6
    scene = write_scene(tmp_path / "four.tif", data, transform=Affine(10, 0, 500_000, 0, -10, 2_960_000))
    report, found = run(scene, tmp_path / "out", "--bands", "red=1,green=2,blue=3,nir=4")
    detector = next(d for d in report.detectors if d.kind == "model")
    assert detector.parameters["bands"] == "red, green, blue, nir"
    assert iou(found == SHADOW, IS_SHADOW) > 0.8


masks = st.tuples(*[st.integers(0, 2**24 - 1)] * 4)


def as_runs(number):
    return Runs.from_mask(np.array([number >> bit & 1 for bit in range(24)], bool).reshape(4, 6))


@given(masks)
def test_what_is_added_takes_nothing_away(numbers):
    one, two, three, four = map(as_runs, numbers)
    first = {CLOUD: one, SHADOW: two.difference(one)}
    second = {CLOUD: three, SHADOW: four.difference(three)}
    joint, added = with_added(first, second)
    whole = Window(0, 0, 6, 4)
    before, after = ({k: v.to_mask(whole) for k, v in found.items()} for found in (first, joint))
    assert all((after[k] >= before[k]).all() for k in before)
    assert not (after[CLOUD] & after[SHADOW]).any()
    assert added == {k: int(after[k].sum() - before[k].sum()) for k in before}
    assert with_added(first, {CLOUD: Runs.empty()})[0][SHADOW] is first[SHADOW]
