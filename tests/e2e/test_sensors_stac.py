"""STAC Items as scenes, from files and from a local server."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.errors import MissingExtraError, OptionError, SceneError
from clearscene.raster.sensors import open_reflectance
from tests.satellites import ramp, write_band

pytest.importorskip("pystac")

BANDS = {"blue": (2, 10), "green": (3, 10), "red": (4, 10), "nir": (8, 10), "swir16": (11, 20)}


def item(version="1.0.0", **properties):
    """An Item with one asset a band, a quality band, and assets that hold no reflectance."""
    assets = {
        "thumbnail": {"href": "./thumb.png", "roles": ["thumbnail"], "eo:bands": [{"common_name": "red"}]},
        "visual": {"href": "./tci.tif", "roles": ["visual"], "eo:bands": [{"common_name": "red"}]},
        "red-jp2": {"href": "./none.jp2", "type": "image/jp2", "eo:bands": [{"common_name": "red"}]},
        "scl": {"href": "./scl.tif", "roles": ["data"]},
    }
    for place, name in enumerate(BANDS):
        scale, offset = 0.0001 * (1 + place), -0.1
        if version == "1.0.0":
            said = {
                "eo:bands": [{"name": name.upper(), "common_name": name}],
                "raster:bands": [{"scale": scale, "offset": offset, "nodata": 0, "data_type": "uint16"}],
            }
        else:
            said = {
                "bands": [{"name": name.upper(), "eo:common_name": name, "raster:scale": scale}],
                "raster:offset": offset,
                "nodata": 0,
            }
        assets[name] = {"href": f"./{name}.tif", "roles": ["data"], **said}
    return {
        "type": "Feature",
        "stac_version": version,
        "id": "S2B_32TQM_20230716_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": {"type": "Point", "coordinates": [10.3, 45.1]},
        "bbox": [10.3, 45.1, 10.4, 45.2],
        "properties": {"datetime": "2023-07-16T10:16:09Z", **properties},
        "links": [],
        "assets": assets,
    }


@pytest.fixture
def folder(tmp_path):
    for name, (number, gsd) in BANDS.items():
        data = ramp(number, gsd, 600 // gsd, 900 // gsd)
        data[0, :] = 0
        write_band(tmp_path / f"{name}.tif", data, gsd)
    write_band(tmp_path / "scl.tif", np.tile(np.arange(45, dtype=np.uint8) // 4, (30, 1)), 20)
    (tmp_path / "item.json").write_text(json.dumps(item()))
    return tmp_path


@pytest.fixture
def address(folder):
    """The folder on a server of its own process: GDAL keeps Python from running while it opens a file."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        port = re.search(r"port (\d+)", server.stdout.readline())[1]
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def check(scene):
    assert scene.bands == tuple(BANDS)
    assert (scene.sensor, scene.kind, scene.name) == ("sentinel-2-l2a", "surface", "S2B_32TQM_20230716_0_L2A")
    assert scene.datetime == "2023-07-16T10:16:09Z"
    assert scene.qa == "SCL"
    pixels = scene.read(Window(0, 0, 40, 20), bands=("red", "swir16"))
    assert not pixels.valid[0].any()
    assert pixels.valid[2:].all()
    np.testing.assert_allclose(pixels.data[0, 2:], ramp(4, 10, 60, 90)[2:20, :40] * 3e-4 - 0.1, atol=1e-6)
    assert scene.read_qa(Window(0, 10, 90, 1))[0, ::8].tolist() == [255, 255, 0, 3, 0, 0, 0, 255, 1, 1, 2, 0]


def test_an_item_file(folder):
    with open_reflectance(folder / "item.json") as scene:
        assert (scene.grid.height, scene.grid.width) == (60, 90)
        check(scene)


def test_version_1_1(folder):
    (folder / "item.json").write_text(json.dumps(item("1.1.0")))
    with open_reflectance(folder / "item.json") as scene:
        check(scene)


def test_an_item_over_http(address):
    with open_reflectance(f"{address}/item.json") as scene:
        check(scene)


def test_an_offset_that_is_applied_is_not_added_again(folder):
    (folder / "item.json").write_text(json.dumps(item(**{"earthsearch:boa_offset_applied": True})))
    with open_reflectance(folder / "item.json") as scene:
        assert "applied to the stored values already" in scene.notes[0]
        data = scene.read(Window(5, 5, 9, 9), bands=("red",)).data[0]
        np.testing.assert_allclose(data, ramp(4, 10, 60, 90)[5:14, 5:14] * 3e-4, atol=1e-6)


def test_scale_goes_before_what_the_item_says_and_bands_do_not_fit(folder):
    with open_reflectance(folder / "item.json", scale=0.0005, offset=0.0) as scene:
        data = scene.read(Window(5, 5, 9, 9), bands=("red",)).data[0]
        np.testing.assert_allclose(data, ramp(4, 10, 60, 90)[5:14, 5:14] * 5e-4, atol=1e-6)
    with pytest.raises(OptionError, match="--bands does not fit"):
        open_reflectance(folder / "item.json", bands={"red": 1})


def test_an_item_without_scale_is_warned_of(folder):
    content = item()
    for asset in content["assets"].values():
        asset.pop("raster:bands", None)
    content["collection"], content["id"] = "mine", "x"
    (folder / "item.json").write_text(json.dumps(content))
    with open_reflectance(folder / "item.json") as scene:
        assert scene.sensor == "stac"
        assert "does not say its processing level" in scene.notes[0]
        assert "digital numbers" in scene.notes[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as a STAC Item"),
        ("[1]", "no STAC Item"),
        ('{"type": "Catalog", "stac_version": "1.0.0"}', r"no STAC Item \(Catalog\)"),
        ('{"type": "Feature", "stac_version": "1.0.0"}', "cannot be read as a STAC Item"),
        (json.dumps({**item(), "assets": {}}), "no asset for blue, green, red; its assets are none"),
    ],
)
def test_what_is_no_item(tmp_path, content, message):
    path = tmp_path / "item.json"
    path.write_text(content)
    with pytest.raises(SceneError, match=message):
        open_reflectance(path)


def test_assets_that_are_not_there(address, folder):
    (folder / "nir.tif").unlink()
    with open_reflectance(f"{address}/item.json") as scene:
        scene.read(Window(0, 0, 5, 5), bands=("red",))
        with pytest.raises(SceneError, match=r"nir.tif cannot be opened"):
            scene.read(Window(0, 0, 5, 5), bands=("nir",))
    with pytest.raises(SceneError, match="cannot be read as a STAC Item: HTTP Error 404"):
        open_reflectance(f"{address}/other.json")


def test_pystac_is_asked_for(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystac", None)
    with pytest.raises(MissingExtraError, match=r"clearscene\[stac\]"):
        open_reflectance(folder / "item.json")
