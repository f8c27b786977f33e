import json

import pytest

from clearscene.batch import scene_name
from clearscene.errors import OptionError, SceneError
from clearscene.inspection.inputs import find_scenes, result_folders
from clearscene.masking.inputs import find_products
from clearscene.raster.scene import open_scene


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return str(path)


def test_files_folders_patterns_and_urls_in_order_once(tmp_path):
    b, a = touch(tmp_path / "in" / "b.tif"), touch(tmp_path / "in" / "a.TIF")
    touch(tmp_path / "in" / "notes.txt")
    url = "https://tiles.example.org/cog.tif"
    assert find_scenes([b, str(tmp_path / "in"), url, str(tmp_path / "in" / "*.tif")]) == [b, a, url]


def test_results_are_no_scenes(tmp_path):
    scene = touch(tmp_path / "a.tif")
    touch(tmp_path / "out" / "a" / "classmap.tif")
    touch(tmp_path / "out" / "a" / "report.json")
    assert find_scenes([str(tmp_path / "**" / "*.tif")]) == [scene]


def test_a_pattern_without_a_match_is_named(tmp_path):
    with pytest.raises(OptionError, match="matches no file"):
        find_scenes([str(tmp_path / "*.tif")])


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(OptionError, match="holds no raster"):
        find_scenes([str(tmp_path)])


@pytest.mark.parametrize("find", [find_scenes, find_products], ids=["inspect", "mask"])
def test_rasters_in_subfolders_are_hinted_at(tmp_path, find):
    deep = touch(tmp_path / "orthos" / "2019" / "a.tif")
    with pytest.raises(OptionError, match="holds no") as caught:
        find([str(tmp_path / "orthos")])
    pattern = caught.value.hint.split("'")[1]
    assert find([pattern]) == find([str(tmp_path / "orthos" / "2019")]) == [deep]
    assert f"name {tmp_path / 'orthos' / '2019'}" in caught.value.hint


def test_a_product_in_a_subfolder_is_hinted_at(tmp_path):
    touch(tmp_path / "products" / "2019" / "X.SAFE" / "img" / "a.jp2")
    with pytest.raises(OptionError) as caught:
        find_products([str(tmp_path / "products")])
    assert f"name {tmp_path / 'products' / '2019'}, " in caught.value.hint


def test_results_in_subfolders_are_not_hinted_at(tmp_path):
    touch(tmp_path / "out" / "a" / "classmap.tif")
    touch(tmp_path / "out" / "a" / "report.json")
    with pytest.raises(OptionError) as caught:
        find_scenes([str(tmp_path / "out")])
    assert "subfolders" not in caught.value.hint


@pytest.mark.parametrize("name", ["LC08_L1TP_193024_20200101_MTL.txt", "MTD_MSIL1C.xml"])
def test_a_product_is_no_folder_of_scenes(tmp_path, name):
    touch(tmp_path / "p" / "B4.tif")
    touch(tmp_path / "p" / name)
    with pytest.raises(OptionError, match="is a satellite product") as caught:
        find_scenes([str(tmp_path / "p")])
    assert "clearscene mask" in caught.value.hint


@pytest.mark.parametrize("name", ["LC08.tar", "x.tar.gz", "x.ZIP"])
def test_an_archive_is_no_raster(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(range(256)) * 40_000)
    with pytest.raises(SceneError, match="is an archive, not a raster"):
        open_scene(tmp_path / name)


def test_somebody_elses_folder_is_left_alone(tmp_path):
    scene = touch(tmp_path / "a.tif")
    touch(tmp_path / "out" / "a" / "notes.txt")
    (tmp_path / "out" / "a-2").mkdir()
    assert result_folders([scene], tmp_path / "out")[0].name == "a-2"


def test_a_missing_file_stays_in_the_batch():
    assert find_scenes(["nowhere.tif"]) == ["nowhere.tif"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.tar.tif", "b.tar"),
        ("/vsizip/x.zip/影像 1.tif", "影像 1"),
        ("https://e.org/c:d.tif?x=1", "c_d"),
        ("plain", "plain"),
        (".tif", ".tif".strip(".")),
    ],
)
def test_names(path, name):
    assert scene_name(path) == name


def test_two_scenes_of_one_name_get_two_folders_and_find_them_again(tmp_path):
    scenes = [touch(tmp_path / d / "x.tif") for d in ("one", "two")]
    out = tmp_path / "out"
    folders = result_folders(scenes, out)
    assert [f.name for f in folders] == ["x", "x-2"]
    for scene, folder in zip(scenes, folders, strict=True):
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps({"scene": {"path": scene}}))
    assert result_folders(scenes[::-1], out) == folders[::-1]
    assert result_folders([touch(tmp_path / "three" / "X.tif")], out)[0].name == "X"
