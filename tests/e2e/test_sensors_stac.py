"""STAC Items as scenes, from files and from a local server."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.errors import MissingExtraError, OptionError, SceneError
from clearscene.masking.inputs import find_products
from clearscene.raster.sensors import open_reflectance, stac
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
        ('{"type": "Catalog", "stac_version": "1.0.0"}', r"no STAC Item \(Catalog\).*links with rel item"),
        (
            '{"type": "Collection", "links": [{"rel": "item", "href": "https://x.org/c/items/7"}]}',
            r"no STAC Item \(Collection\).*as https://x.org/c/items/7",
        ),
        (
            '{"type": "FeatureCollection", "features": [{"links": [{"rel": "self", "href": "https://x.org/i.json"}]}]}',
            r"no STAC Item \(FeatureCollection\).*as https://x.org/i.json",
        ),
        ('{"type": "Feature", "stac_version": "1.0.0"}', "cannot be read as a STAC Item"),
        (json.dumps({**item(), "assets": {}}), "no asset for blue, green, red; its assets are none"),
    ],
)
def test_what_is_no_item(tmp_path, content, message):
    path = tmp_path / "item.json"
    path.write_text(content)
    with pytest.raises(SceneError, match=message):
        open_reflectance(path)


@pytest.fixture
def spaced(folder):
    """The same, with the rasters in a folder whose name has a space."""
    (folder / "e f").mkdir()
    for path in folder.glob("*.tif"):
        path.rename(folder / "e f" / path.name)
    return folder


def with_hrefs(make):
    """The Item with another address of each asset, made of its file name."""
    content = item()
    for asset in content["assets"].values():
        asset["href"] = make(asset["href"].removeprefix("./"))
    return json.dumps(content)


def test_addresses_of_files_are_unquoted(spaced):
    (spaced / "item.json").write_text(with_hrefs(lambda name: (spaced / "e f" / name).as_uri()))
    assert "e%20f" in (spaced / "item.json").read_text()
    with open_reflectance(spaced / "item.json") as scene:
        check(scene)


@pytest.mark.parametrize("href", ["./e f/", "./e%20f/"])
def test_addresses_with_a_space_are_quoted_once(address, spaced, href):
    (spaced / "item.json").write_text(with_hrefs(lambda name: href + name))
    with open_reflectance(f"{address}/item.json") as scene:
        check(scene)


def test_the_address_of_an_item_may_have_a_space(address, spaced):
    (spaced / "item.json").rename(spaced / "e f" / "item.json")
    with open_reflectance(f"{address}/e f/item.json") as scene:
        check(scene)


def test_a_server_that_gives_no_parts_of_files_is_told_of(address, folder):
    data = np.random.default_rng(0).integers(1, 5000, (400, 600)).astype(np.uint16)
    for name, (_, gsd) in BANDS.items():
        write_band(folder / f"{name}.tif", data[: 4000 // gsd, : 6000 // gsd], gsd)
    with pytest.raises(SceneError, match="Range") as caught:
        open_reflectance(f"{address}/item.json")
    assert "download the files" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "is_item"),
    [
        ("https://x.org/v1/collections/sentinel-2-l2a/items/S2A_31UFS_20230101_0_L2A", True),
        ("https://x.org/v1/collections/landsat-c2-l2/items/LC09_L2SP.02?token=a/b", True),
        ("https://x.org/v1/collections/sentinel-2-l2a/items", False),
        ("https://x.org/v1/collections/sentinel-2-l2a/items/S2A/thumbnail", False),
        ("https://x.org/data/scene.tif", False),
        ("collections/a/items/b", False),
        ("LC08_MTL.json", False),
    ],
)
def test_items_are_known_by_their_address(address, is_item):
    assert stac.recognize(address) == is_item


def test_an_item_of_an_api_has_no_suffix(address, folder):
    (folder / "collections" / "c" / "items").mkdir(parents=True)
    made = with_hrefs(lambda name: f"{address}/{name}")
    (folder / "collections" / "c" / "items" / "S2B").write_text(made)
    with open_reflectance(f"{address}/collections/c/items/S2B") as scene:
        check(scene)


def test_a_pattern_of_json_files_stands_for_the_items_among_them(folder):
    (folder / "x_mask.stac.json").write_text(json.dumps(item()))
    (folder / "catalog.json").write_text('{"type": "Catalog", "stac_version": "1.0.0"}')
    (folder / "broken.json").write_text("{")
    assert find_products([str(folder / "*.json")]) == [str(folder / "item.json")]
    assert not [path for path in find_products([str(folder / "*")]) if path.endswith("json")]
    with pytest.raises(OptionError, match="matches no STAC Item"):
        find_products([str(folder / "c*.json")])


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
