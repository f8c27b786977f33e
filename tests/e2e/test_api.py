"""The names that Python users import."""

import subprocess
import sys

import pytest

import clearscene
from tests.scenes import defective, write_scene


def test_every_public_name_is_there():
    assert all(hasattr(clearscene, name) for name in clearscene.__all__)
    assert set(clearscene.__all__) <= set(dir(clearscene))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="masq"):
        clearscene.masq  # noqa: B018  # the access is what is tested


def test_import_alone_loads_no_gdal():
    code = "import sys, clearscene; print([m for m in ('rasterio', 'cv2', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_line_inspects_a_scene(tmp_path):
    scene = write_scene(tmp_path / "s.tif", defective().data)
    report = clearscene.inspect(scene, tmp_path / "result", standard="strict")
    assert report.score.standard == "strict"
    assert {f.type for f in report.findings} == {"stripe", "missing"}
    assert (tmp_path / "result" / "report.html").exists()
