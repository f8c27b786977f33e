"""Published sets cut into chips: split first, every labeled pixel once at least, the same digests each time."""

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.datasets.check import check, describe
from clearscene.datasets.layout import SceneEntry
from clearscene.datasets.overlap import Shown, audit, scenes_shown
from clearscene.datasets.prepare import PrepareOptions, prepare
from clearscene.datasets.prepared import PreparedSet
from clearscene.datasets.reader import DatasetReader
from clearscene.datasets.spec import DatasetSpec, Label
from clearscene.datasets.splitting import Shares, published_splits, split_scenes
from clearscene.errors import BandError, DatasetError, OptionError
from tests import replicas
from tests.benchmark_sets import make_set
from tests.replicas import HEIGHT, SIDE, WIDTH

SMALL = {"size": 24, "overlap": 6, "is_partial": True}


def made(tmp_path, name, *, overwrite=False, **options):
    replicas.REPLICAS[name](tmp_path / "in")
    reader = DatasetReader.open(name, tmp_path / "in")
    return reader, prepare(reader, tmp_path / "out", PrepareOptions(**{**SMALL, **options}), overwrite=overwrite)


def stitched(chips, scene, bands=1):
    """Image and mask of a scene, put together from its chips."""
    records = [r for r in chips.records() if r.scene == scene]
    height, width = records[0].scene_shape
    image = np.zeros((len(chips.bands), height, width), np.float32)
    mask = np.full((height, width), 255, np.uint8)
    for r in records:
        top, left, n_rows, n_cols = r.kept
        rows, cols = slice(r.row + top, r.row + top + n_rows), slice(r.col + left, r.col + left + n_cols)
        here = (slice(top, top + n_rows), slice(left, left + n_cols))
        image[:, rows, cols], mask[rows, cols] = chips.image(r)[:, *here], chips.mask(r)[here]
    return image, mask


def test_chips_put_together_are_the_scene(tmp_path):
    reader, chips = made(tmp_path, "landsat8-biome", is_partial=True, bands=("swir16", "red"), classes="4")
    for entry in reader.entries:
        scene = reader.scene(entry, bands=("swir16", "red"), classes="4")
        window = Window(0, 0, WIDTH, HEIGHT)
        data, mask = scene.read(window)
        image, found = stitched(chips, entry.id)
        assert np.array_equal(found, mask)
        assert np.abs(image - np.maximum(data, 0))[:, mask != 255].max() <= 0.51e-4


def test_what_is_known_of_scenes_is_kept(tmp_path):
    _, chips = made(tmp_path, "landsat8-biome")
    record = next(r for r in chips.records() if r.scene == replicas.BIOME_IDS[2])
    assert (record.biome, record.cover, record.date) == ("snow_ice", "clear", "2014-11-05")
    assert record.scene_shape == (HEIGHT, WIDTH)
    assert record.footprint == pytest.approx((-117, 36.315, -116.985, 36.325), abs=1e-3)
    assert chips.info["license"].startswith("US public domain")
    assert chips.info["split"]["stratified_by"] == "biome"
    assert chips.classes == ("clear", "cloud")


def test_padding_around_a_scene(tmp_path):
    reader, chips = made(tmp_path, "38-cloud", size=SIDE, overlap=0, split="published", shares=Shares(100, 0, 0))
    records = chips.records("test")
    assert len(records) == 6
    assert {(r.row, r.col) for r in records} == {(y * SIDE - 2, x * SIDE - 1) for y in range(2) for x in range(3)}
    assert {r.scene_shape for r in records} == {(2 * SIDE - 5, 3 * SIDE - 3)}
    assert records[0].kept == (2, 1, SIDE - 2, SIDE - 1)
    entry = next(e for e in reader.entries if e.split == "test")
    whole = reader.scene(entry)
    top, left, height, width = whole.window
    data, mask = whole.read(Window(left, top, width, height))
    image, found = stitched(chips, entry.id)
    assert np.array_equal(found, mask)
    assert np.abs(image - data)[:, mask != 255].max() <= 0.51e-4


def test_a_scene_smaller_than_a_chip_is_padded(tmp_path):
    _, chips = made(tmp_path, "hrc-whu", size=64, overlap=0)
    record = chips.records()[0]
    assert record.kept == (0, 0, HEIGHT, WIDTH)
    assert chips.image(record).shape == (3, 64, 64)
    mask = chips.mask(record)
    assert (mask[HEIGHT:] == 255).all()
    assert (mask[:, WIDTH:] == 255).all()
    assert (mask[:HEIGHT, :WIDTH] != 255).all()
    assert chips.scaling == "display"


def test_the_same_download_gives_the_same_digests(tmp_path):
    _, one = made(tmp_path, "cloud-cover-challenge", split="published", shares=Shares(50, 50, 0))
    again = prepare(
        DatasetReader.open("cloud-cover-challenge", tmp_path / "in"),
        tmp_path / "again",
        PrepareOptions(**SMALL, split="published", shares=Shares(50, 50, 0)),
    )
    assert (one.digest, one.split_digest) == (again.digest, again.split_digest)
    coarse = prepare(
        DatasetReader.open("cloud-cover-challenge", tmp_path / "in"),
        tmp_path / "coarse",
        PrepareOptions(size=32, overlap=0, is_partial=True, split="published", shares=Shares(50, 50, 0)),
    )
    assert coarse.split_digest == one.split_digest
    assert coarse.digest != one.digest


def test_scenes_where_shadow_was_not_drawn(tmp_path):
    _, chips = made(tmp_path, "s2-cloud-mask-catalogue", classes="3", shares=Shares(100, 0, 0))
    assert len(chips.scenes()) == 1
    assert len(chips.info["left_out"]) == 1
    assert chips.classes == ("clear", "cloud", "cloud_shadow")


def test_a_half_download_is_refused(tmp_path):
    replicas.cloud38(tmp_path / "in")
    next((tmp_path / "in" / "38-Cloud_training" / "train_nir").glob("*_1_by_2_*")).unlink()
    reader = DatasetReader.open("38-cloud", tmp_path / "in")
    with pytest.raises(DatasetError, match=r"lacks 1 of 38-Cloud.*train_nir.*--partial"):
        prepare(reader, tmp_path / "out", PrepareOptions(size=24, overlap=6))
    assert not (tmp_path / "out").exists()
    chips = prepare(reader, tmp_path / "out", PrepareOptions(**SMALL))
    assert chips.info["missing"] == 1


def test_least_labeled(tmp_path):
    _, many = made(tmp_path, "38-cloud")
    fewer = prepare(
        DatasetReader.open("38-cloud", tmp_path / "in"),
        tmp_path / "fewer",
        PrepareOptions(**SMALL, least_labeled=0.9),
    )
    assert len(fewer) < len(many)
    assert all((fewer.mask(r) != 255).mean() > 0.9 for r in fewer.records())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"size": 8}, OptionError),
        ({"overlap": 24}, OptionError),
        ({"bands": ("pan",)}, BandError),
        ({"bands": ("red", "red")}, BandError),
        ({"classes": "5"}, OptionError),
        ({"classes": "3"}, OptionError),
        ({"least_labeled": 1.0}, OptionError),
    ],
)
def test_what_cannot_be(tmp_path, options, error):
    with pytest.raises(error):
        made(tmp_path, "38-cloud", **options)


def entries_of(n, biomes=("a", "b", "c")):
    return [SceneEntry(f"s{i:03d}", f"g{i:03d}", {}, biome=biomes[i % len(biomes)]) for i in range(n)]


class TestSplits:
    def test_biome_gets_its_share_of_each_split(self):
        entries = entries_of(96, tuple("abcdefgh"))
        found = split_scenes(entries, Shares(80, 10, 10), seed=0, by_biome=True)
        for biome in "abcdefgh":
            counts = [sum(found[e.id] == s for e in entries if e.biome == biome) for s in ("train", "val", "test")]
            assert sum(counts) == 12
            assert counts[0] in (9, 10)
            assert min(counts) >= 1
        assert sum(s == "train" for s in found.values()) == 77

    def test_a_group_stays_together(self):
        entries = [SceneEntry(f"{i}", f"roi{i // 5}", {}) for i in range(50)]
        found = split_scenes(entries, Shares(60, 20, 20), seed=3)
        assert all(len({found[str(5 * g + i)] for i in range(5)}) == 1 for g in range(10))

    def test_small_sets(self):
        assert sorted(split_scenes(entries_of(3), Shares(80, 10, 10), seed=0).values()) == ["test", "train", "val"]
        assert list(split_scenes(entries_of(1), Shares(80, 10, 10), seed=0).values()) == ["train"]
        assert set(split_scenes(entries_of(4), Shares(0, 0, 100), seed=0).values()) == {"test"}

    def test_seeds_differ(self):
        entries = entries_of(40)
        assert split_scenes(entries, Shares(), seed=0) != split_scenes(entries, Shares(), seed=1)

    def test_published(self):
        entries = [SceneEntry(f"{i}", f"{i}", {}, split="test" if i < 4 else "train") for i in range(14)]
        found = published_splits(entries, val_share=10, seed=0)
        assert [found[str(i)] for i in range(4)] == ["test"] * 4
        assert sum(s == "val" for s in found.values()) == 1
        with pytest.raises(OptionError, match="no published"):
            published_splits(entries_of(3), val_share=10, seed=0)

    def test_a_group_that_validates_does_not_train(self):
        splits = {"a": "train", "b": "val", "c": "train", "d": "test", "e": None}
        entries = [SceneEntry(name, "far" if name == "c" else "near", {}, split=s) for name, s in splits.items()]
        found = published_splits(entries, val_share=10, seed=0)
        assert found == {"a": "val", "b": "val", "c": "train", "d": "test"}

    @pytest.mark.parametrize("text", ["80/10", "80/10/20", "a/b/c", "110/-5/-5"])
    def test_wrong_shares(self, text):
        with pytest.raises(OptionError):
            Shares.parse(text)


class TestClasses:
    SPEC = DatasetSpec(
        "x", "X", ("red",), (Label(5, "cloud", "thick"), Label(2, "land", "clear")), (9,), "", "", "", ""
    )

    def test_codes_become_places(self):
        table = self.SPEC.table("own")
        codes = np.array([[5, 2, 9], [255, 2, 5]])
        assert table.decode(codes, "here").tolist() == [[0, 1, 255], [255, 1, 0]]
        assert self.SPEC.table("2").decode(codes, "here").tolist() == [[1, 0, 255], [255, 0, 1]]

    def test_another_code_is_an_error(self):
        with pytest.raises(DatasetError, match="here holds the code 3"):
            self.SPEC.table("2").decode(np.array([5, 3]), "here")

    def test_every_description_is_whole(self):
        from clearscene.datasets.catalog import NAMES, spec_of

        for name in NAMES:
            known = describe(spec_of(name))
            assert known["name"] == name
            assert all(known[key] for key in ("title", "license", "get", "layout", "source", "verified", "classes"))
            assert len(known["codes"]) == len(spec_of(name).labels)
            assert set(known["usual_bands"]) <= set(known["bands"])


class TestCheck:
    def test_counts(self, tmp_path):
        replicas.biome(tmp_path)
        report = check("landsat8-biome", tmp_path)
        assert (report["scenes"], report["n_missing"], report["is_complete"]) == (3, 93, False)
        assert len(report["missing"]) == 50
        assert report["by_biome"] == {"barren": 2, "snow_ice": 1}
        assert report["by_cover"] == {"clear": 2, "mid": 1}
        quarter = 3 * HEIGHT * WIDTH // 4
        assert report["pixels"] == {
            "clear": quarter - 3 * HEIGHT,
            "cloud": quarter,
            "thin_cloud": quarter,
            "cloud_shadow": quarter,
            "ignored": 3 * HEIGHT,
        }

    def test_fewer_than_were_published(self, tmp_path):
        replicas.sparcs(tmp_path)
        report = check("sparcs", tmp_path)
        assert (report["n_missing"], report["fewer"], report["is_complete"]) == (0, ["1 of 80 scenes"], False)
        with pytest.raises(DatasetError, match=r"1 of 80 scenes.*--partial"):
            DatasetReader.open("sparcs", tmp_path).require_complete()

    def test_a_band_that_broke_off_is_listed(self, tmp_path):
        replicas.biome_stack(tmp_path)
        path = next(p for p in tmp_path.rglob("*.TIF") if "fixedmask" not in p.name)
        path.write_bytes(path.read_bytes()[: -2 * WIDTH])
        report = check("landsat8-biome", tmp_path)
        assert path.name in report["broken"][0]

    def test_a_broken_mask_is_listed(self, tmp_path):
        replicas.hrc_whu(tmp_path)
        (tmp_path / "ann_dir" / "train" / "vegetation_1.tif").write_bytes(b"II*\0 no more")
        report = check("hrc-whu", tmp_path)
        assert "vegetation_1.tif" in report["broken"][0]
        assert not report["is_complete"]
        assert "broken" not in check("hrc-whu", tmp_path, is_quick=True)

    def test_points(self, tmp_path):
        replicas.pixbox_s2(tmp_path)
        report = check("pixbox-s2", tmp_path)
        assert report["by_class"] == {"clear": 2, "cloud": 2, "cloud_shadow": 2, "cloud_and_shadow": 1}
        assert list(report["by_product"].values()) == [3, 3]
        assert report["missing"] == ["17345 points", "27 products"]


class TestOverlap:
    def test_a_place_is_told_by_boxes_ids_and_tiles(self):
        a = [
            Shown("box", day="2020-01-01", box=(0, 0, 2, 2)),
            Shown("wrs", day="2014-05-01", wrs="042008"),
            Shown("tile", tile="31TFJ", day="2018-01-01"),
            Shown("nowhere"),
        ]
        b = [
            Shown("near", day="2020-01-11", box=(1, 1, 3, 3)),
            Shown("edge", box=(2, 0, 4, 2)),
            Shown("same", day="2014-05-01", wrs="042008"),
            Shown("inside", tile="31TFJ"),
        ]
        found = audit(a, b)
        assert [(m.a, m.b, m.kind, m.days_apart) for m in found.meetings] == [
            ("box", "near", "same ground", 10),
            ("wrs", "same", "same scene", 0),
            ("tile", "inside", "same tile", None),
        ]
        assert (found.n_unplaced_a, found.n_unplaced_b) == (1, 0)
        turned = audit(b, a)
        assert {(m.b, m.a, m.kind) for m in turned.meetings} == {(m.a, m.b, m.kind) for m in found.meetings}
        assert [m.a for m in audit(a, b, days=5).meetings] == ["wrs", "tile"]

    def test_footprints_say_more_than_tiles(self):
        a, b = Shown("a", box=(0, 0, 1, 1), tile="31TFJ"), Shown("b", box=(5, 5, 6, 6), tile="31TFJ")
        assert audit([a], [b]).meetings == ()

    def test_splits_of_one_set(self):
        scenes = [Shown("a", "train", wrs="1"), Shown("b", "train", wrs="1"), Shown("c", "test", wrs="1")]
        assert [(m.a, m.b) for m in audit(scenes, scenes, is_same=True).meetings] == [("a", "c"), ("b", "c")]

    def test_sources(self, tmp_path):
        replicas.biome(tmp_path / "biome")
        replicas.sparcs(tmp_path / "sparcs")
        listed = scenes_shown(f"landsat8-biome={tmp_path / 'biome'}")
        assert {s.wrs for s in listed} == {"042008", "139029", "084120"}
        reader = DatasetReader.open("sparcs", tmp_path / "sparcs")
        prepare(reader, tmp_path / "out", PrepareOptions(**SMALL))
        prepared = scenes_shown(str(tmp_path / "out"))
        assert [(s.name, s.wrs, s.split) for s in prepared] == [(replicas.SPARCS_ID, "148035", "train")]
        files = scenes_shown(str(tmp_path / "sparcs"))
        assert {m.kind for m in audit(files, prepared).meetings} <= {"same ground", "same scene"}
        assert audit(files, files).meetings[0].kind == "same file"
        with pytest.raises(DatasetError, match="no folder"):
            scenes_shown(str(tmp_path / "none"))

    def test_chips_of_one_set_do_not_leak(self, tmp_path):
        _, chips = made(tmp_path, "landsat8-biome")
        scenes = scenes_shown(str(tmp_path / "out"))
        assert audit(scenes, scenes, is_same=True).meetings == ()
        assert PreparedSet.open(tmp_path / "out").digest == chips.digest


def test_equal_chips_of_two_prepared_sets_are_found_where_no_place_is_known(tmp_path):
    for name, n_scenes in (("a", 3), ("b", 2)):
        make_set(tmp_path / name, name=name, n_scenes=n_scenes)
    a, b = scenes_shown(str(tmp_path / "a")), scenes_shown(str(tmp_path / "b"))
    found = audit(a, b)
    assert found.n_unplaced_a == 3
    assert [(m.a, m.b, m.kind) for m in found.meetings] == [(s.name, s.name, "same file") for s in b]
