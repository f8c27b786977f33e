"""What `clearscene mask` says when something is wrong; one bad scene never stops a batch."""

import importlib.util
import json

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from clearscene.errors import MissingExtraError
from clearscene.masking.peers.missing import require
from clearscene.models import zoo
from tests.command import clearscene
from tests.e2e.test_mask import NAMES, TRANSFORM, run, scene_in, stored
from tests.mask_models import cloudy, level_folder
from tests.satellites import Safe
from tests.scenes import write_scene


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return level_folder(tmp_path_factory.mktemp("models") / "level")


def left(out):
    return sorted(path.name for path in out.iterdir()) if out.exists() else []


def test_a_batch_goes_on_and_says_what_failed(tmp_path, model):
    good, _ = scene_in(tmp_path)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(good.read_bytes()[:400])
    words = ["mask", broken, tmp_path / "gone.tif", good, "-o", tmp_path / "out", "--model", model, "--bands", NAMES]
    done = clearscene(*words, "--scale", "0.0001", check=2)
    assert "2 of 3 scenes failed: broken, gone" in done.stderr
    assert "hint:" in done.stderr
    assert (tmp_path / "out" / "scene_mask.tif").exists()
    assert not [name for name in left(tmp_path / "out") if name.startswith((".", "broken", "gone"))]


def test_where_all_fails_no_masks_are_named(tmp_path, model):
    done = run(tmp_path / "gone.tif", tmp_path / "out", model, check=2)
    assert "failed" in done.stdout
    assert "masks:" not in done.stdout


def test_a_truncated_scene_leaves_nothing(tmp_path, model):
    data, _ = cloudy(400, 500)
    good = write_scene(tmp_path / "cut.tif", stored(data), crs=CRS.from_epsg(32632), transform=TRANSFORM)
    content = good.read_bytes()
    good.write_bytes(content[: len(content) // 2])
    done = run(good, tmp_path / "out", model, check=2)
    assert "cannot be read" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.count("cut.tif") == 1
    assert left(tmp_path / "out") == []


def test_a_row_is_one_line_where_no_terminal_is(tmp_path, model):
    name = "a_name_that_is_longer_than_a_terminal_is_wide_" * 3
    scene, _ = scene_in(tmp_path, name)
    done = run(scene, tmp_path / "out", model)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(name)]
    assert len(row.split()) == 8


def test_a_missing_band_file_is_named(tmp_path, model):
    safe = Safe(left_out=("B03",)).write(tmp_path)
    done = clearscene("mask", safe, "-o", tmp_path / "out", "--model", model, check=2)
    assert "B03" in done.stderr


def test_a_missing_nir_file_is_an_error_for_a_model_that_needs_it(tmp_path, model):
    safe = Safe(left_out=("B08",)).write(tmp_path)
    done = clearscene("mask", safe, "-o", tmp_path / "out", "--model", model, check=2)
    assert "lacks nir, which level reads" in done.stderr
    assert "--bands" not in done.stderr  # which a product refuses


def test_what_is_no_mask_is_not_among_the_models_that_are_named(tmp_path, model, monkeypatch):
    weights = tmp_path / "weights"
    level_folder(weights / "cloudy")
    level_folder(weights / "else", task="inspection")
    monkeypatch.setattr(zoo, "shipped_folder", lambda: weights)
    scene, _ = scene_in(tmp_path)
    done = clearscene("mask", scene, "-o", tmp_path / "out", "--model", "nobody", check=2)
    assert "Models here: cloudy, ukis-4b, ukis-6b, s2cloudless, omnicloudmask." in done.stderr


def test_a_product_refuses_bands_and_scale_in_one_sentence(tmp_path, model):
    safe = Safe().write(tmp_path)
    done = run(safe, tmp_path / "out", model, check=2)
    assert "--bands, --scale do not fit" in done.stderr


def test_a_value_without_data_and_what_values_are_can_be_told(tmp_path, model):
    values = stored(cloudy()[0])
    values[:, :, :25] = 0
    values[0, 30, 40] = 0
    scene = write_scene(tmp_path / "rim.tif", values, crs=CRS.from_epsg(32632), transform=TRANSFORM)
    words = ("mask", scene, "-o", tmp_path / "out", "--model", model, "--scale", "0.0001", "--bands", NAMES)
    clearscene(*words, "--nodata", "0", "--kind", "surface", check=0)
    with rasterio.open(tmp_path / "out/rim_mask.tif") as source:
        mask = source.read(1)
    assert (mask[:, :25] == 255).all()
    assert not (mask[:, 25:] == 255).any()
    record = json.loads((tmp_path / "out/rim_mask.json").read_text())
    assert record["scene"]["kind"] == "surface"
    assert record["options"]["nodata"] == "0"
    done = clearscene(*words, "--kind", "l2a", check=2)
    assert "--kind 'l2a' is not known" in done.stderr
    done = run(Safe().write(tmp_path), tmp_path / "out", model, "--nodata", "0", check=2)
    assert "--nodata" in done.stderr


def test_the_path_is_named_once(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    words = ("mask", scene, "-o", tmp_path / "out", "--model", model, "--scale", "0.0001")
    done = clearscene(*words, "--bands", "red=1,green=2,blue=3,nir=9", check=2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.count("scene.tif") == 1


def test_a_raster_of_nothing_is_not_called_dark(tmp_path, model):
    scene = write_scene(tmp_path / "zero.tif", np.zeros((4, 67, 91), np.uint16), transform=TRANSFORM)
    done = run(scene, tmp_path / "out", model, check=0)
    assert "0 or less" in done.stderr
    assert "applied twice" not in done.stderr


def test_a_small_scene_is_uncertain(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    assert "under 96 x 96 px, are uncertain" in run(scene, tmp_path / "out", model).stderr


def test_two_packages_that_are_not_there_are(monkeypatch):
    monkeypatch.setattr("clearscene.masking.peers.missing.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="needs s2cloudless and lightgbm, which are not installed"):
        require("s2cloudless", "lightgbm", name="s2cloudless", install="s2cloudless")


def test_digital_numbers_passed_as_reflectance_are_a_warning(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    every = ("mask", scene, "-o", tmp_path / "out", "--model", model, "--bands", NAMES)
    assert "--scale 0.0001" in clearscene(*every, check=0).stderr


def test_pixels_that_the_model_does_not_know_are_a_note(tmp_path, model):
    data, _ = cloudy()
    fine = TRANSFORM * TRANSFORM.scale(0.05)
    scene = write_scene(tmp_path / "fine.tif", stored(data), crs=CRS.from_epsg(32632), transform=fine)
    assert "use --resolution 10" in run(scene, tmp_path / "out", model).stderr


def test_a_scene_without_data(tmp_path, model):
    scene, _ = scene_in(tmp_path, empty=np.ones((67, 91), bool))
    done = run(scene, tmp_path / "out", model, "--vector", "gpkg", "--fail-under", 1, check=1)
    assert "holds no data" in done.stderr


def test_a_scene_of_one_pixel(tmp_path, model):
    scene = write_scene(tmp_path / "dot.tif", stored(cloudy()[0][:, :1, :1]), transform=TRANSFORM)
    run(scene, tmp_path / "out", model, check=0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--classes", 5), "--classes 5"),
        (("--tta", 8), "--tta 8"),
        (("--buffer", -1), "--buffer -1"),
        (("--buffer", 1e6), "wider than the scene"),
        (("--vector", "shp"), "--vector 'shp'"),
        (("--scale", 0), "--scale 0"),
        (("--offset", "nan"), "--offset nan"),
        (("--offset", "inf"), "--offset inf"),
        (("--workers", 0), "--workers 0"),
        (("--fail-under", "nan"), "--fail-under nan"),
        (("--fail-under", 150), "--fail-under 150"),
        (("--fail-under", -1), "--fail-under -1"),
        (("--model", "omniclodmask"), "Did you mean omnicloudmask"),
        (("--memory-limit", 599), "Give it 600 or more"),
        (("--model", "nobody"), "no model 'nobody'"),
        (("--memory-limit", 100), "--memory-limit 100"),
        (("--device", "abacus"), "--device 'abacus'"),
        (("--resolution", 1), "--resolution 1 is finer"),
    ],
)
def test_wrong_options(tmp_path, model, words, says):
    scene, _ = scene_in(tmp_path)
    done = run(scene, tmp_path / "out", model, *words, check=2)
    assert says in done.stderr
    assert "hint:" in done.stderr
    assert left(tmp_path / "out") == []


def test_a_buffer_without_crs(tmp_path, model):
    scene = write_scene(tmp_path / "plain.tif", stored(cloudy()[0]), crs=None, transform=TRANSFORM)
    assert "no CRS" in run(scene, tmp_path / "out", model, "--buffer", 30, check=2).stderr


def test_a_model_for_something_else(tmp_path, model):
    other = level_folder(tmp_path / "other", task="inspection")
    scene, _ = scene_in(tmp_path)
    done = clearscene("mask", scene, "-o", tmp_path / "out", "--model", other, check=2)
    assert "no cloud mask" in done.stderr


def test_models_of_different_tiles(tmp_path, model):
    other = level_folder(tmp_path / "other", tile_size=64)
    scene, _ = scene_in(tmp_path)
    assert "cannot be averaged" in run(scene, tmp_path / "out", model, "--model", other, check=2).stderr


def test_no_shipped_model(tmp_path):
    scene, _ = scene_in(tmp_path)
    done = clearscene("mask", scene, "-o", tmp_path / "out", check=2)
    assert "no model 'cloud-rgbn'" in done.stderr


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ukis-4b", "ukis_csmask"),
        ("ukis-6b", "ukis_csmask"),
        ("s2cloudless", "s2cloudless"),
        ("omnicloudmask", "omnicloudmask"),
    ],
)
def test_a_peer_that_is_not_installed_is_named_with_the_command(tmp_path, monkeypatch, name, module):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "clearscene.masking.peers.missing.find_spec", lambda wanted: None if wanted == module else real(wanted)
    )
    scene, _ = scene_in(tmp_path)
    done = clearscene("mask", scene, "-o", tmp_path / "out", "--model", name, "--device", "cpu", check=2)
    assert module in done.stderr
    assert "pip install" in done.stderr


def test_an_empty_folder_and_a_pattern_without_a_match(tmp_path, model):
    for word in (tmp_path, tmp_path / "*.tif"):
        done = clearscene("mask", word, "-o", tmp_path / "out", "--model", model, check=2)
        assert "hint:" in done.stderr


def test_an_output_folder_that_is_a_file(tmp_path, model):
    scene, _ = scene_in(tmp_path)
    (tmp_path / "out").write_text("in the way")
    assert "cannot be written" in run(scene, tmp_path / "out", model, check=2).stderr
