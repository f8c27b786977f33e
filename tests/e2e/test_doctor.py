"""`clearscene doctor` and `clearscene models`, as typed."""

import json
import subprocess
import sys

import pytest

from clearscene.cli import doctor, models
from tests.onnx_graphs import brightness_folder


def clearscene(*args):
    return subprocess.run(
        [sys.executable, "-m", "clearscene", *map(str, args)], capture_output=True, text=True, check=False
    )


def test_doctor_json_holds_what_the_libraries_say():
    import onnxruntime
    import rasterio

    done = clearscene("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["raster"]["GDAL"] == rasterio.__gdal_version__
    assert report["raster"]["COG"] is True
    assert report["vector"]["GPKG"] is True
    assert report["networks"]["ONNX Runtime providers"] == onnxruntime.get_available_providers()
    assert report["outputs"]["temporary folder is writable"] is True
    assert isinstance(report["warnings"], list)


def test_doctor_warns_of_two_runtimes_and_says_how_to_mend_it(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "1.2.3" if "onnxruntime-gpu" in name else real(name))
    (warning,) = [w for w in doctor.warnings_of(doctor.diagnose()) if "onnxruntime" in w]
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu" in warning


def test_doctor_survives_a_broken_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # import raises ImportError
    report = doctor.diagnose()
    assert "ImportError" in report["networks"]["error"] or "ModuleNotFound" in report["networks"]["error"]
    assert report["raster"]["GDAL"]
    assert any(w.startswith("networks:") for w in doctor.warnings_of(report))


@pytest.mark.parametrize(("section", "name", "text"), [("raster", "JP2OpenJPEG", "GDAL lacks the drivers JP2OpenJPEG")])
def test_doctor_names_missing_drivers(section, name, text):
    report = doctor.diagnose()
    report[section][name] = False
    assert any(text in w for w in doctor.warnings_of(report))


def test_doctor_for_people(capsys):
    doctor.command(as_json=False)
    out = capsys.readouterr().out
    for word in ("python", "GDAL", "ONNX Runtime providers", "cores", "memory GB", "browser for --pdf"):
        assert word in out


def test_models_lists_a_folder_of_ones_own(tmp_path):
    brightness_folder(tmp_path / "云 model", reductions=(1, 4))
    done = clearscene("models", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = [r for r in json.loads(done.stdout) if not r["is_shipped"]]
    assert record["manifest"]["name"] == "bright"
    assert record["folder"].endswith("云 model")
    table = clearscene("models", tmp_path)
    assert "bright" in table.stdout
    assert "1:1, 1:4" in table.stdout


def test_models_of_a_broken_folder_is_an_error(tmp_path):
    (brightness_folder(tmp_path / "m") / "model.toml").write_text("name = 3")
    done = clearscene("models", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "model.toml" in done.stderr


def test_models_without_any_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("clearscene.models.zoo.shipped_folder", lambda: tmp_path / "weights")
    models.command(None, as_json=False)
    assert capsys.readouterr().out.startswith("No models")
    models.command(None, as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    models.command([brightness_folder(tmp_path / "mine", screen=False)], as_json=False)
    assert "segments every tile" in capsys.readouterr().out
