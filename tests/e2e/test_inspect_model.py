"""Learned types through the typed command, with small networks that call what is bright cloud."""

import numpy as np
import pytest
import rasterio

from clearscene.inspection.result import Report
from tests.command import clearscene
from tests.onnx_graphs import brightness_folder, edit_manifest
from tests.scenes import ground, write_scene


@pytest.fixture
def cloudy(tmp_path):
    """Ground with a bright round cloud, a dark shadow, and a missing block inside the cloud."""
    data = ground(301, 407)
    rows, cols = np.indices(data.shape[1:])
    cloud = (rows - 90) ** 2 + (cols - 120) ** 2 < 60**2
    shadow = (rows - 220) ** 2 + (cols - 300) ** 2 < 40**2
    data[:, cloud] = 225 + data[:, cloud] % 16
    data[:, shadow] = 5 + data[:, shadow] % 8
    data[:, 80:100, 110:130] = 0
    missing = np.zeros_like(cloud)
    missing[80:100, 110:130] = True
    return write_scene(tmp_path / "cloudy.tif", data), cloud & ~missing, shadow, missing


def run(scene, folder, *words, check=0):
    done = clearscene("inspect", scene, "--out", folder, *words, check=check)
    report = Report.model_validate_json((folder / scene.stem / "report.json").read_text(encoding="utf-8"))
    with rasterio.open(folder / scene.stem / "classmap.tif") as dataset:
        return done, report, dataset.read(1)


@pytest.mark.parametrize("screen", [True, False])
def test_cloud_and_shadow_are_found_beside_missing_pixels(tmp_path, cloudy, screen):
    scene, cloud, shadow, missing = cloudy
    model = brightness_folder(tmp_path / "model", tile_size=64, screen=screen)
    _, report, class_map = run(scene, tmp_path / "out", "--model", model)
    for type_id, truth in ((1, cloud), (2, shadow)):
        found = class_map == type_id
        assert (found & truth).sum() / (found | truth).sum() > 0.9  # grown by the published disk of 2 px
    assert (class_map[missing] == 10).all()
    types = {t.type: t for t in report.types}
    # The missing block covers the cloud in the map, but the cloud's own mask does not lose what it has.
    assert types["cloud"].inspected
    assert types["cloud"].area_px == pytest.approx(cloud.sum(), rel=0.02)
    detector = next(d for d in report.detectors if d.kind == "model")
    assert set(detector.types) >= {"cloud", "shadow"}
    assert {f.detector for f in report.findings if f.type == "cloud"} == {detector.name}


def test_regions_that_the_model_is_not_sure_of_as_a_whole_are_dropped(tmp_path, cloudy):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    edit_manifest(model, "[tiles]", "[output]\ntemperature = 12.0\n[tiles]")
    _, before, _ = run(cloudy[0], tmp_path / "before", "--model", model)
    mean = {f.type: f.confidence for f in before.findings if f.type in ("cloud", "shadow")}
    least = (mean["cloud"] + mean["shadow"]) / 2
    assert abs(mean["cloud"] - mean["shadow"]) > 0.01
    doubtful = min(mean, key=mean.__getitem__)
    for name in mean:
        edit_manifest(model, f'name = "{name}"', f'name = "{name}"\nregion_threshold = {least}')
    _, report, _ = run(cloudy[0], tmp_path / "after", "--model", model)
    found = {f.type for f in report.findings}
    assert doubtful not in found
    assert set(mean) - {doubtful} <= found


def test_types_nobody_can_find_are_named(tmp_path, cloudy):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    _, report, _ = run(cloudy[0], tmp_path / "out", "--model", model, "--types", "-stripe")
    left_out = {t.type for t in report.types if not t.inspected}
    assert "cloud" not in left_out
    assert {"stripe", "blur"} <= left_out


def test_boundary_types_have_a_length_and_no_area_fraction(tmp_path, cloudy):
    model = brightness_folder(tmp_path / "model", tile_size=64, trace_above=0.0)
    _, report, class_map = run(cloudy[0], tmp_path / "out", "--model", model)
    traces = [f for f in report.findings if f.type == "stitching_trace"]
    assert traces
    assert all(f.area_fraction == 0 and f.length_m > 0 for f in traces)
    assert (class_map == 7).any()
    assert (class_map[cloudy[1]] == 1).mean() > 0.9  # region over boundary


def test_a_gray_scene_is_not_given_to_a_model_that_needs_color(tmp_path):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    scene = write_scene(tmp_path / "pan.tif", ground(100, 110, n_bands=1))
    _, report, _ = run(scene, tmp_path / "out", "--model", model)
    cloud = next(t for t in report.types if t.type == "cloud")
    assert not cloud.inspected
    assert "red" in cloud.reason.en


def test_a_model_for_other_bands_is_not_fed_these(tmp_path, cloudy):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    edit_manifest(model, '"red", "green", "blue"', '"nir", "red", "green"')
    _, report, _ = run(cloudy[0], tmp_path / "out", "--model", model)
    cloud = next(t for t in report.types if t.type == "cloud")
    assert not cloud.inspected
    assert "nir" in cloud.reason.en


def test_a_scene_that_no_detector_can_look_at_is_not_inspected(tmp_path):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    scene = write_scene(tmp_path / "pan.tif", ground(100, 110, n_bands=1))
    _, report, class_map = run(scene, tmp_path / "out", "--model", model, "--types", "cloud")
    assert (report.score.grade, report.score.passed, report.pixels.inspected) == ("not inspected", False, 0)
    assert (class_map == 255).all()


def test_a_broken_model_is_named_before_any_scene_is_read(tmp_path, cloudy):
    model = brightness_folder(tmp_path / "model", tile_size=64)
    (model / "model.onnx").write_bytes(b"not a network")
    done = clearscene("inspect", cloudy[0], "--out", tmp_path / "out", "--model", model, check=2)
    assert "model.onnx" in done.stderr
    assert not (tmp_path / "out").exists()
