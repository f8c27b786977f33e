"""Every loader on a replica of its layout: names, order of bands, codes, scaling, fill, and what is missing."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.datasets.layouts.pixbox import read_points
from clearscene.datasets.layouts.pixbox_products import PRODUCTS
from clearscene.datasets.pixels import date_in
from clearscene.datasets.reader import DatasetReader
from clearscene.errors import DatasetError, MissingExtraError, OptionError
from tests import replicas
from tests.replicas import HEIGHT, SIDE, WIDTH, codes, dn

ALL = Window(0, 0, WIDTH, HEIGHT)
SUN = 2.0
"""1 / sin of the 30 degrees in the replica's MTL file."""


def opened(tmp_path, name, write=None):
    (write or replicas.REPLICAS[name])(tmp_path)
    return DatasetReader.open(name, tmp_path)


def reflectance(number, stored):
    """As the replica's MTL file has it for a band."""
    return SUN * (2e-5 * (1 + number / 100) * stored.astype(float) - 0.1 - number / 1000)


class TestBiome:
    def test_bands_scaling_and_fill(self, tmp_path):
        reader = opened(tmp_path, "landsat8-biome")
        scene = reader.scene(reader.entries[0], bands=("nir", "coastal", "cirrus"))
        data, mask = scene.read(ALL)
        for band, number in zip(data, (5, 1, 9), strict=True):
            assert np.allclose(band[:, 1:], reflectance(number, dn(number))[:, 1:], atol=1e-6)
        assert (data[:, :, 0] == 0).all()
        assert (mask[:, 0] == 255).all()

    def test_thermal_is_kelvin(self, tmp_path):
        reader = opened(tmp_path, "landsat8-biome")
        data, _ = reader.scene(reader.entries[0], bands=("lwir12",)).read(Window(1, 2, 3, 4))
        radiance = 3.342e-4 * dn(11)[2:6, 1:4].astype(float) + 0.1
        assert np.allclose(data[0] * 400, 1201.14 / np.log(480.89 / radiance + 1), rtol=1e-5)

    @pytest.mark.parametrize(
        ("classes", "expected"), [("own", [0, 1, 2, 3]), ("2", [0, 1, 1, 0]), ("3", [0, 1, 1, 2]), ("4", [0, 1, 2, 3])]
    )
    def test_codes(self, tmp_path, classes, expected):
        reader = opened(tmp_path, "landsat8-biome")
        mask = reader.scene(reader.entries[0], classes=classes).mask
        assert mask[5, 1:].tolist() == codes(expected)[5, 1:].tolist()
        assert mask[5, 0] == 255

    def test_biome_cover_split_group_date(self, tmp_path):
        entries = {e.id: e for e in opened(tmp_path, "landsat8-biome").entries}
        first, second, snow = (entries[name] for name in replicas.BIOME_IDS)
        assert (first.biome, first.cover, first.split, first.group) == ("barren", "clear", "train", "042008")
        assert (second.biome, second.cover, second.split) == ("barren", "mid", "test")
        assert (snow.biome, snow.date) == ("snow_ice", "2014-11-05")

    def test_what_is_missing_is_named(self, tmp_path):
        replicas.biome(tmp_path)
        home = tmp_path / "Barren" / "BC"
        (home / replicas.BIOME_IDS[0] / f"{replicas.BIOME_IDS[0]}_B3.TIF").unlink()
        (home / replicas.BIOME_IDS[1] / f"{replicas.BIOME_IDS[1]}_fixedmask.hdr").write_text("")
        reader = DatasetReader.open("landsat8-biome", tmp_path)
        named = [line for line in reader.missing if "whole" not in line]
        assert len(named) == 2
        assert "_B3.TIF" in named[0]
        assert "_fixedmask.hdr" in named[1]
        assert len(reader.missing) == 2 + 93
        assert [entry.id for entry in reader.entries] == [replicas.BIOME_IDS[2]]
        with pytest.raises(DatasetError, match="lacks 95"):
            reader.require_complete()

    def test_a_stack_has_all_bands_in_order(self, tmp_path):
        reader = opened(tmp_path, "landsat8-biome", replicas.biome_stack)
        data, mask = reader.scene(reader.entries[0], bands=("swir22", "lwir11")).read(ALL)
        assert np.allclose(data[0][mask != 255], (2e-5 * dn(7).astype(float) - 0.1)[mask != 255], atol=1e-6)
        assert 250 / 400 < data[1].max() < 400 / 400
        assert "no MTL" in reader.listing.notes[0]

    def test_files_that_others_leave_beside(self, tmp_path):
        replicas.biome(tmp_path)
        for path in list(tmp_path.rglob("*_fixedmask.img")):
            path.with_name(path.name + ".aux.xml").write_text("<PAMDataset/>")
            path.with_name("._" + path.name).write_bytes(b"Mac OS X")
        assert len(DatasetReader.open("landsat8-biome", tmp_path).entries) == 3

    def test_all_96_scenes_are_known(self):
        from clearscene.datasets.layouts.biome_scenes import BIOME_SCENES

        assert len(BIOME_SCENES) == 96
        kinds = [(s.biome, s.cover, s.fold) for s in BIOME_SCENES.values()]
        assert {kinds.count(kind) for kind in kinds} == {2}


@pytest.mark.parametrize("is_usgs", [True, False])
def test_sparcs(tmp_path, is_usgs):
    replicas.sparcs(tmp_path, is_usgs=is_usgs)
    reader = DatasetReader.open("sparcs", tmp_path)
    (entry,) = reader.entries
    scene = reader.scene(entry, bands=("cirrus", "blue"), classes="3")
    data, _ = scene.read(ALL)
    factor = np.sqrt(2)  # 1 / sin of 45 degrees
    assert np.allclose(data[0], factor * (2e-5 * 1.09 * dn(7).astype(float) - 0.109), atol=1e-6)
    assert np.allclose(data[1], factor * (2e-5 * 1.02 * dn(1).astype(float) - 0.102), atol=1e-6)
    assert scene.mask[3].tolist() == codes([2, 2, 0, 0, 0, 1, 0])[3].tolist()
    assert scene.cover == "clear"  # one stripe of seven
    assert (entry.group, entry.date) == ("148035", "2013-07-14")
    with pytest.raises(OptionError, match="thin"):
        reader.scene(entry, classes="4")


def test_sparcs_without_labels(tmp_path):
    replicas.sparcs(tmp_path)
    next(tmp_path.rglob("*_mask.png")).unlink()
    assert "_labels.tif" in DatasetReader.open("sparcs", tmp_path).missing[0]


class TestCloud38:
    def test_patches_become_scenes(self, tmp_path):
        reader = opened(tmp_path, "38-cloud")
        train = next(e for e in reader.entries if e.split == "train")
        scene = reader.scene(train, bands=("nir", "red"))
        assert scene.mask.shape == (2 * SIDE, 3 * SIDE)
        data, mask = scene.read(Window(SIDE - 2, SIDE - 3, 5, 6))  # where four patches meet
        stored = np.block([[dn(18, SIDE, SIDE), dn(19, SIDE, SIDE)], [dn(21, SIDE, SIDE), dn(22, SIDE, SIDE)]])
        expected = 2e-5 * stored[SIDE - 3 : SIDE + 3, SIDE - 2 : SIDE + 3].astype(float) - 0.1
        assert np.allclose(data[0], expected, atol=1e-6)
        assert not np.allclose(data[0], data[1])
        assert mask[0].tolist() == [1, 1, 0, 0, 0]
        assert (train.group, train.date) == ("002053", "2016-05-20")

    def test_zeros_above_the_scene_count_for_nothing(self, tmp_path):
        reader = opened(tmp_path, "38-cloud")
        scene = reader.scene(next(e for e in reader.entries if e.split == "train"))
        data, mask = scene.read(Window(0, 0, 3 * SIDE, 2 * SIDE))
        assert (mask[:5] == 255).all()
        assert (mask[5:] != 255).all()
        assert (data[:, :5] == 0).all()

    def test_the_truth_of_a_test_scene_lies_in_the_middle(self, tmp_path):
        reader = opened(tmp_path, "38-cloud")
        scene = reader.scene(next(e for e in reader.entries if e.split == "test"))
        assert scene.window == (2, 1, 2 * SIDE - 5, 3 * SIDE - 3)
        assert (scene.mask[:2] == 255).all()
        assert (scene.mask[-3:] == 255).all()
        assert (scene.mask[2:-3, 1:-2] != 255).all()
        assert scene.mask[5, 1] == 0
        assert scene.mask[5, -3] == 1

    def test_a_patch_without_a_band(self, tmp_path):
        replicas.cloud38(tmp_path)
        victim = next((tmp_path / "38-Cloud_training" / "train_blue").glob("*_1_by_1_*"))
        victim.write_bytes(b"")
        reader = DatasetReader.open("38-cloud", tmp_path)
        assert reader.missing == (f"38-Cloud_training/train_blue/{victim.name}",)
        assert reader.listing.counts == {"training patches": 5, "test patches": 6}

    def test_a_listed_patch_that_is_not_there(self, tmp_path):
        replicas.cloud38(tmp_path)
        for band in ("red", "green", "blue", "nir"):
            next((tmp_path / "38-Cloud_test" / f"test_{band}").glob("*_2_by_3_*")).unlink()
        assert len(DatasetReader.open("38-cloud", tmp_path).missing) == 1

    def test_95_cloud(self, tmp_path):
        reader = opened(tmp_path, "95-cloud")
        assert [e.id for e in reader.entries] == [replicas.CLOUD_MORE]
        assert reader.missing == ()
        replicas.cloud38(tmp_path)
        assert len(DatasetReader.open("95-cloud", tmp_path).entries) == 3


class TestCloudSen12:
    def test_folders(self, tmp_path):
        reader = opened(tmp_path, "cloudsen12")
        assert [(e.group, e.split) for e in reader.entries] == [("ROI_0001", "train"), ("ROI_0002", "test")]
        scene = reader.scene(reader.entries[0], bands=("nir08", "swir22", "red"), classes="4")
        data, mask = scene.read(ALL)
        for band, place in zip(data, (8, 12, 3), strict=True):
            assert np.allclose(band, dn(place, start=500) / 1e4, atol=1e-6)
        assert mask[0].tolist() == codes([0, 1, 2, 3])[0].tolist()
        assert reader.entries[0].date == "2019-02-12"

    def test_surface_reflectance_has_no_cirrus(self, tmp_path):
        reader = opened(tmp_path, "cloudsen12-l2a")
        data, _ = reader.scene(reader.entries[0], bands=("swir16",)).read(ALL)
        assert np.allclose(data[0], dn(10, start=300) / 1e4, atol=1e-6)
        assert "cirrus" not in reader.spec.bands

    def test_scribbles(self, tmp_path):
        reader = opened(tmp_path, "cloudsen12-scribble")
        mask = reader.scene(reader.entries[0], classes="4").mask
        assert mask[0].tolist() == codes([0, 1, 1, 2, 2, 3, 3, 255])[0].tolist()

    def test_numpy_files(self, tmp_path):
        reader = opened(tmp_path, "cloudsen12", replicas.cloudsen12_packed)
        assert [e.split for e in reader.entries] == ["train", "train", "test", "test"]
        data, mask = reader.scene(reader.entries[1], bands=("nir08", "blue")).read(Window(500, 0, 12, 2))
        assert np.allclose(data[0, 0, :9], (910 + np.arange(500, 509) % 7) / 1e4, atol=1e-6)
        assert np.allclose(data[1, 0, :9], (210 + np.arange(500, 509) % 7) / 1e4, atol=1e-6)
        assert mask[0].tolist() == [1] * 9 + [255] * 3  # the zeros after 509 columns

    def test_a_numpy_file_that_is_too_short(self, tmp_path):
        replicas.cloudsen12_packed(tmp_path)
        path = tmp_path / "test" / "L1C_B8A.dat"
        path.write_bytes(path.read_bytes()[:-2])
        reader = DatasetReader.open("cloudsen12", tmp_path)
        assert "test/L1C_B8A.dat" in reader.missing[0]
        assert "of 1048576 bytes" in reader.missing[0]
        assert {e.split for e in reader.entries} == {"train"}


class _Table:
    """As much of a table as the loader asks for."""

    def __init__(self, rows, folder):
        self.rows, self.folder, self.columns = rows, folder, list(rows[0])
        self.iloc = rows

    def __len__(self):
        return len(self.rows)

    def read(self, index):
        names = ("S2L1C.tif", "labels/manual_hq.tif")
        return SimpleNamespace(read=lambda item: self.folder / self.rows[index]["place"] / names[item])


class TestCloudSen12Plus:
    @pytest.fixture
    def stand_in(self, tmp_path, monkeypatch):
        """Something in the place of tacoreader that gives samples of the other replica."""
        replicas.cloudsen12(tmp_path)
        (tmp_path / "cloudsen12-l1c.0000.part.taco").write_bytes(b"TACO")
        keys = ("tortilla:id", "tortilla:data_split", "label_type", "roi_id", "place")
        lines = [
            ("b_20190101", "validation", "high", "ROI_0001", f"high/ROI_0001/{replicas.ROI}"),
            ("a_20190102", "test", "high", "ROI_0002", f"high/ROI_0002/{replicas.ROI}"),
            ("c", "train", "nolabel", "ROI_0003", "none"),
        ]
        table = _Table([dict(zip(keys, line, strict=True)) for line in lines], tmp_path)
        module = SimpleNamespace(load=lambda paths: table)
        monkeypatch.setitem(sys.modules, "tacoreader", module)
        monkeypatch.setitem(sys.modules, "tacoreader.v1", None)
        return tmp_path

    def test_samples(self, stand_in):
        reader = DatasetReader.open("cloudsen12-plus", stand_in)
        assert [(e.id, e.split) for e in reader.entries] == [("a_20190102", "test"), ("b_20190101", "val")]
        data, mask = reader.scene(reader.entries[0], bands=("blue",), classes="4").read(ALL)
        assert np.allclose(data[0], dn(1, start=500) / 1e4, atol=1e-6)
        assert mask[0].tolist() == codes([0, 1, 2, 3])[0].tolist()

    def test_without_the_package(self, stand_in, monkeypatch):
        monkeypatch.setitem(sys.modules, "tacoreader", None)
        with pytest.raises(MissingExtraError, match="tacoreader"):
            DatasetReader.open("cloudsen12-plus", stand_in)


def test_kappaset(tmp_path):
    reader = opened(tmp_path, "kappaset")
    (entry,) = reader.entries
    data, mask = reader.scene(entry, bands=("nir08", "coastal"), classes="4").read(ALL)
    assert np.allclose(data[0], dn(8, start=1) / 25000, atol=1e-6)
    assert np.allclose(data[1], dn(0, start=1) / 25000, atol=1e-6)
    assert mask[0].tolist() == codes([255, 0, 3, 2, 1, 255])[0].tolist()
    assert (entry.group, entry.date) == ("31TFJ", "2020-07-31")


def test_catalogue(tmp_path):
    reader = opened(tmp_path, "s2-cloud-mask-catalogue")
    first, second = reader.entries
    assert (first.has_shadow, second.has_shadow) == (True, False)
    data, mask = reader.scene(first, bands=("swir16", "green"), classes="3").read(Window(3, 2, 38, 20))
    assert np.allclose(data[0], (dn(11, start=1) / 25000)[2:22, 3:41], atol=1e-6)
    assert np.allclose(data[1], (dn(2, start=1) / 25000)[2:22, 3:41], atol=1e-6)
    assert mask[0].tolist() == codes([0, 1, 2, 255])[0, 3:41].tolist()
    assert (first.group, first.date) == ("53HLD", "2018-01-31")
    (tmp_path / "masks" / f"{second.id}.npy").unlink()
    assert DatasetReader.open("s2-cloud-mask-catalogue", tmp_path).missing == (f"masks/{second.id}.npy",)


def test_hrc_whu(tmp_path):
    reader = opened(tmp_path, "hrc-whu")
    snow, green = reader.entries
    assert (snow.biome, snow.split, green.split) == ("snow", "test", "train")
    data, mask = reader.scene(snow, bands=("blue", "red")).read(ALL)
    assert np.allclose(data * 255, replicas.picture(6).transpose(2, 0, 1)[[2, 0]], atol=1e-3)
    assert mask[0].tolist() == codes([0, 1])[0].tolist()
    (tmp_path / "ann_dir" / "train" / "vegetation_1.tif").unlink()
    assert DatasetReader.open("hrc-whu", tmp_path).missing == ("ann_dir/train/vegetation_1.*",)


def test_challenge(tmp_path):
    reader = opened(tmp_path, "cloud-cover-challenge")
    assert [(e.id, e.split) for e in reader.entries] == [("zzzz", "test"), ("aabj", "train"), ("aacn", "train")]
    entry = reader.entries[2]
    assert (entry.group, entry.date) == ("Chifunfu", "2020-04-29")
    scene = reader.scene(entry, bands=("nir", "blue"))
    data, mask = scene.read(ALL)
    assert np.allclose(data[0], dn(3, start=250) / 1e4, atol=1e-6)
    assert np.allclose(data[1], dn(0, start=250) / 1e4, atol=1e-6)
    assert mask[0].tolist() == codes([0, 1])[0].tolist()
    assert scene.footprint is not None
    assert scene.footprint[0] == pytest.approx(-3.0, abs=0.01)  # the central meridian of zone 30
    (tmp_path / "public" / "train_features" / "aabj" / "B08.tif").unlink()
    assert DatasetReader.open("cloud-cover-challenge", tmp_path).missing == ("public/train_features/aabj/B08.tif",)


def test_challenge_as_stac(tmp_path):
    reader = opened(tmp_path, "cloud-cover-challenge", replicas.challenge_stac)
    (entry,) = reader.entries
    assert (entry.id, entry.split, entry.date) == ("aabj", "train", "2020-04-29")


def test_city_osm(tmp_path):
    reader = opened(tmp_path, "city-osm")
    assert [e.biome for e in reader.entries] == ["berlin", "paris"]
    scene = reader.scene(reader.entries[0])
    data, mask = scene.read(ALL)
    assert mask[0].tolist() == codes([0, 1, 2, 0])[0].tolist()
    assert np.allclose(data * 255, replicas.picture(6).transpose(2, 0, 1), atol=1e-3)
    with pytest.raises(OptionError, match="classes"):
        reader.scene(reader.entries[0], classes="2")


def test_ade20k(tmp_path):
    reader = opened(tmp_path, "ade20k-outdoors")
    assert [e.split for e in reader.entries] == ["train", "val"]
    scene = reader.scene(reader.entries[0])
    assert scene.mask[0].tolist() == codes([0, 1, 0, 0])[0].tolist()
    assert scene.cover is None
    replicas.write_png(tmp_path / "annotations" / "training" / "ADE_train_00000001.png", codes([0, 255]))
    with pytest.raises(DatasetError, match="number 255"):
        reader.scene(reader.entries[0])


class TestOwnFolders:
    def test_toml(self, tmp_path):
        replicas.own_folders(tmp_path)
        reader = DatasetReader.open(str(tmp_path / "dataset.toml"), tmp_path)
        assert [(e.id, e.group, e.split) for e in reader.entries] == [
            ("east_1", "east", "train"),
            ("east_2", "east", "train"),
            ("west_1", "west", "val"),
        ]
        data, mask = reader.scene(reader.entries[0], bands=("nir",)).read(ALL)
        assert np.allclose(data[0], dn(1, start=100) / 1e4, atol=1e-6)
        assert mask[0].tolist() == codes([0, 1, 255])[0].tolist()

    def test_half_pairs(self, tmp_path):
        replicas.own_folders(tmp_path)
        (tmp_path / "ann_dir" / "val" / "west_1.png").unlink()
        reader = DatasetReader.open(str(tmp_path / "dataset.toml"), tmp_path)
        assert reader.missing == ("the mask of img_dir/val/west_1.tif",)

    def test_an_unknown_code_is_no_class(self, tmp_path):
        replicas.own_folders(tmp_path)
        replicas.write_png(tmp_path / "ann_dir" / "val" / "west_1.png", codes([0, 8]))
        reader = DatasetReader.open(str(tmp_path / "dataset.toml"), tmp_path)
        with pytest.raises(DatasetError, match="west_1 holds the code 8"):
            reader.scene(reader.entries[2])

    @pytest.mark.parametrize(
        ("old", "new", "match"),
        [
            ("codes = [7]", "codes = [0]", "the file: a code stands for two classes"),
            ("bands =", "bnads =", "bnads"),
            ('"^([a-z]+)_"', '"^[a-z]+_"', "parentheses"),
            ("name =", "name ", "TOML"),
        ],
    )
    def test_a_wrong_toml(self, tmp_path, old, new, match):
        replicas.own_folders(tmp_path)
        path = tmp_path / "dataset.toml"
        path.write_text(path.read_text().replace(old, new, 1))
        with pytest.raises(DatasetError, match=match):
            DatasetReader.open(str(path), tmp_path)


def test_pixbox_s2(tmp_path):
    replicas.pixbox_s2(tmp_path)
    points = read_points(tmp_path, "pixbox-s2")
    assert points.codes.tolist() == [1, 2, 1, 0, 0, 255]
    assert (points.is_cloud & points.is_shadow).tolist() == [False, False, True, False, False, False]
    mask = np.arange(81, dtype=np.uint8).reshape(9, 9)
    assert points.sample(mask).tolist() == [9 * (n + 1) + n + 3 for n in range(6)]
    with pytest.raises(DatasetError, match="2 of 3 points lie outside"):
        points.of_product(183807605).sample(mask[:, :7])


def test_products_of_pixbox_have_names():
    assert {name: len(known) for name, known in PRODUCTS.items()} == {"pixbox-s2": 29, "pixbox-l8": 11}
    assert all(date_in(name) for known in PRODUCTS.values() for name in known.values())


def test_pixbox_l8_reads_its_own_column(tmp_path):
    replicas.pixbox_l8(tmp_path)
    assert read_points(tmp_path, "pixbox-l8").codes.tolist() == [1, 1, 0, 255]
    with pytest.raises(DatasetError, match="SHADOW_ID"):
        read_points(tmp_path, "pixbox-s2")


@pytest.mark.parametrize("name", [*replicas.REPLICAS, "cloudsen12-plus"])
class TestEveryFolder:
    def test_one_that_is_not_there(self, tmp_path, name):
        read = read_points if name.startswith("pixbox") else lambda folder, name: DatasetReader.open(name, folder)
        with pytest.raises(DatasetError, match="There is no folder"):
            read(tmp_path / "none", name)

    def test_one_that_was_not_unpacked(self, tmp_path, name):
        (tmp_path / "download.zip").write_bytes(b"PK")
        read = read_points if name.startswith("pixbox") else lambda folder, name: DatasetReader.open(name, folder)
        with pytest.raises(DatasetError, match=r"Unpack download\.zip"):
            read(tmp_path, name)

    def test_one_of_something_else(self, tmp_path, name):
        (tmp_path / "holiday.jpg").write_bytes(b"jpg")
        read = read_points if name.startswith("pixbox") else lambda folder, name: DatasetReader.open(name, folder)
        with pytest.raises(DatasetError, match=r"holds nothing of .*holiday\.jpg"):
            read(tmp_path, name)
