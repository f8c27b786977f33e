"""`clearscene datasets list | describe | check | prepare | overlap` as typed."""

import json

import pytest

from clearscene.datasets.catalog import NAMES
from clearscene.datasets.prepared import PreparedSet
from tests import replicas
from tests.command import clearscene


def test_list():
    done = clearscene("datasets", "list", check=0)
    assert all(f"{name}: " in done.stdout for name in NAMES)
    assert "replica only" in done.stdout
    rows = json.loads(clearscene("datasets", "list", "--json", check=0).stdout)
    assert [row["name"] for row in rows] == list(NAMES)


def test_describe():
    done = clearscene("datasets", "describe", "sparcs", check=0)
    assert "5 cloud" in done.stdout
    assert "verified: replica only" in done.stdout
    known = json.loads(clearscene("datasets", "describe", "landsat8-biome", "--json", check=0).stdout)
    assert known["codes"] == {"128": "clear", "255": "cloud", "192": "thin_cloud", "64": "cloud_shadow"}
    assert known["expected"] == {"scenes": 96}


def test_a_name_that_is_not_known():
    done = clearscene("datasets", "describe", "landsat9", check=2)
    assert "There is no data set 'landsat9'" in done.stderr
    assert "landsat8-biome" in done.stderr


def test_check_tells_what_is_missing(tmp_path):
    replicas.hrc_whu(tmp_path)
    done = clearscene("datasets", "check", "hrc-whu", tmp_path, check=1)
    assert "cloud: 1584 (50.00 %)" in done.stdout
    assert done.stdout.endswith("fewer: 2 of 150 scenes\nnot complete\n")
    (tmp_path / "img_dir" / "test" / "snow_2.tif").unlink()
    done = clearscene("datasets", "check", "hrc-whu", tmp_path, check=1)
    assert "missing: img_dir/test/snow_2.*" in done.stdout
    report = json.loads(clearscene("datasets", "check", "hrc-whu", tmp_path, "--json", "--quick", check=1).stdout)
    assert report["missing"] == ["img_dir/test/snow_2.*"]
    assert "pixels" not in report


def test_prepare(tmp_path):
    replicas.biome(tmp_path / "biome")
    words = ("datasets", "prepare", "landsat8-biome", tmp_path / "biome", "--out", tmp_path / "out", "--size", 24)
    done = clearscene(*words, "--overlap", 0, check=2)
    assert "lacks 93 of Landsat-8 Biome" in done.stderr
    assert "--partial" in done.stderr
    words = (*words, "--overlap", 0, "--partial", "--bands", "rgbn", "--classes", 3)
    done = clearscene(*words, check=0)
    found = PreparedSet.open(tmp_path / "out")
    assert found.bands == ("blue", "green", "red", "nir")
    assert found.classes == ("clear", "cloud", "cloud_shadow")
    assert len(found) == 3 * 2 * 2
    assert f"split {found.split_digest[:12]}" in done.stdout
    assert found.info["counts"] == {"train": 4, "val": 4, "test": 4}
    assert clearscene(*words).returncode == 2
    clearscene(*words, "--overwrite", "--quiet", check=0)
    assert PreparedSet.open(tmp_path / "out").digest == found.digest
    clearscene(*words, "--overwrite", "--bands", "all", check=0)
    assert len(PreparedSet.open(tmp_path / "out").bands) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "random"), "no split 'random'"),
        (("--shares", "80/30"), "no shares"),
        (("--bands", "pan"), "no band 'pan'"),
        (("--classes", "7"), "no classes '7'"),
        (("--size", "4"), "cannot be cut"),
    ],
)
def test_prepare_with_wrong_options(tmp_path, words, said):
    replicas.hrc_whu(tmp_path / "in")
    done = clearscene(
        "datasets", "prepare", "hrc-whu", tmp_path / "in", "--partial", "--out", tmp_path / "out", *words, check=2
    )
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_points_are_not_cut(tmp_path):
    replicas.pixbox_s2(tmp_path)
    clearscene("datasets", "check", "pixbox-s2", tmp_path, check=1)
    done = clearscene("datasets", "prepare", "pixbox-s2", tmp_path, "--out", tmp_path / "out", check=2)
    assert "set of points" in done.stderr


def test_overlap(tmp_path):
    replicas.biome(tmp_path / "biome")
    replicas.sparcs(tmp_path / "sparcs")
    replicas.cloud38(tmp_path / "38")
    biome, sparcs, cloud38 = f"landsat8-biome={tmp_path / 'biome'}", tmp_path / "sparcs", f"38-cloud={tmp_path / '38'}"
    done = clearscene("datasets", "overlap", biome, cloud38, check=0)
    assert "0 pairs" in done.stderr
    done = clearscene("datasets", "overlap", sparcs, f"sparcs={sparcs}", "--json", check=1)
    found = json.loads(done.stdout)
    assert found["counts"]["same scene"] == len(found["meetings"]) > 0


def test_own_folders(tmp_path):
    replicas.own_folders(tmp_path)
    toml = tmp_path / "dataset.toml"
    assert clearscene("datasets", "check", toml, tmp_path, check=0).stdout.endswith("\ncomplete\n")
    words = ("--out", tmp_path / "out", "--size", 32, "--overlap", 8, "--split", "published")
    done = clearscene("datasets", "prepare", toml, tmp_path, *words, check=0)
    assert "train from 2 scenes, " in done.stdout
    assert "val from 1 scene, " in done.stdout
    found = PreparedSet.open(tmp_path / "out")
    assert (found.scenes("train"), found.scenes("val")) == (["east_1", "east_2"], ["west_1"])
