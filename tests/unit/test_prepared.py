"""Prepared sets: what is read is what was written, whole or not at all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clearscene.datasets.prepared import CHIPS, PREPARED, PreparedRecord, PreparedSet, split_digest
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter
from clearscene.errors import BandError, DatasetError

ABOUT = PreparedAbout("test", ("red", "green", "nir"), ("clear", "cloud"), "reflectance", "CC0", size=8)


def record(name="a", split="train", scene="S"):
    return PreparedRecord(name, split, scene, "", "", 0, 8, (20, 30), cover="mid", kept=(0, 0, 8, 6))


def chip(seed=0, size=8, n=3):
    rng = np.random.default_rng(seed)
    image = rng.random((n, size, size), np.float32)
    mask = rng.integers(0, 2, (size, size), np.uint8)
    mask[:, 6:] = 255
    return image, mask


def write(folder, about=ABOUT, records=None, **options):
    with PreparedWriter(folder, about, **options) as writer:
        for seed, entry in enumerate(records or [record()]):
            writer.add(entry, *chip(seed, n=len(about.bands)))
    return folder


@pytest.mark.parametrize(("scaling", "step"), [("reflectance", 1 / 10000), ("display", 1 / 255)])
def test_read_is_written(tmp_path, scaling, step):
    about = replace(ABOUT, scaling=scaling)
    found = PreparedSet.open(write(tmp_path / "p", about, [record(), record("b", "val", "T")]))
    assert (found.bands, found.classes, found.size, len(found)) == (about.bands, about.classes, 8, 2)
    first = found.records("train")[0]
    assert (first.cover, first.kept, first.scene_shape) == ("mid", (0, 0, 8, 6), (20, 30))
    image, mask = chip(0)
    read = found.image(first)
    assert read.dtype == np.float32
    assert np.abs(read - image).max() <= step * 0.51
    assert np.array_equal(found.mask(first), mask)
    assert found.scenes() == ["S", "T"]


def test_bands_come_in_the_order_asked_for(tmp_path):
    found = PreparedSet.open(write(tmp_path / "p"))
    chosen = found.records()[0]
    both = found.image(chosen, ["nir", "red"])
    assert np.array_equal(both, found.image(chosen)[[2, 0]])
    with pytest.raises(BandError, match="no band 'blue'"):
        found.image(chosen, ["blue"])


def test_bright_and_broken_values(tmp_path):
    image, mask = chip()
    image[0, 0, :4] = [1.3, -0.2, np.nan, 9.0]
    with PreparedWriter(tmp_path / "p", ABOUT) as writer:
        writer.add(record(), image, mask)
    found = PreparedSet.open(tmp_path / "p")
    assert found.image(found.records()[0])[0, 0, :4] == pytest.approx([1.3, 0, 0, 6.5535], abs=1e-4)


def test_digests(tmp_path):
    one = PreparedSet.open(write(tmp_path / "one"))
    two = PreparedSet.open(write(tmp_path / "two"))
    more = PreparedSet.open(write(tmp_path / "three", records=[record(), record("b")]))
    moved = PreparedSet.open(write(tmp_path / "four", records=[record(split="val")]))
    assert one.digest == two.digest != more.digest
    assert one.split_digest == more.split_digest != moved.split_digest
    assert one.split_digest == split_digest(one.records())


def digest_of(folder, image, mask, about=ABOUT):
    with PreparedWriter(folder, about) as writer:
        writer.add(record(), image, mask)
    return PreparedSet.open(folder).digest


def test_the_digest_is_of_pixels_masks_and_names(tmp_path):
    image, mask = chip()
    other_image, other_mask = image.copy(), mask.copy()
    other_image[1, 2, 3] += 0.01
    other_mask[4, 5] ^= 1
    found = [
        digest_of(tmp_path / "same", image, mask),
        digest_of(tmp_path / "pixel", other_image, mask),
        digest_of(tmp_path / "mask", image, other_mask),
        digest_of(tmp_path / "bands", image, mask, replace(ABOUT, bands=("green", "red", "nir"))),
        digest_of(tmp_path / "classes", image, mask, replace(ABOUT, classes=("cloud", "clear"))),
    ]
    assert len(set(found)) == 5
    assert digest_of(tmp_path / "again", image, mask) == found[0]


def test_a_set_without_a_digest_of_its_list_is_read(tmp_path):
    folder = write(tmp_path / "p")
    info = json.loads((folder / PREPARED).read_text())
    info["digest"] = info.pop("list")
    (folder / PREPARED).write_text(json.dumps(info))
    assert PreparedSet.open(folder).digest == info["digest"]
    (folder / CHIPS).write_bytes((folder / CHIPS).read_bytes() * 2)
    with pytest.raises(DatasetError, match="not the list"):
        PreparedSet.open(folder)


def test_nothing_appears_after_an_error(tmp_path):
    with pytest.raises(DatasetError, match="taken"):
        write(tmp_path / "p", records=[record(), record()])
    assert list(tmp_path.iterdir()) == []


def test_a_scene_is_in_one_split(tmp_path):
    with pytest.raises(DatasetError, match="scene S"):
        write(tmp_path / "p", records=[record(), record("b", "test")])


def test_overwrite_takes_only_a_set(tmp_path):
    write(tmp_path / "p")
    with pytest.raises(DatasetError, match="already"):
        write(tmp_path / "p")
    write(tmp_path / "p", records=[record("z")], overwrite=True)
    assert [r.id for r in PreparedSet.open(tmp_path / "p").records()] == ["z"]
    (tmp_path / "p" / "mine.txt").write_text("keep")
    with pytest.raises(DatasetError, match="mine"):
        write(tmp_path / "p", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


def test_a_half_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no prepared"):
        PreparedSet.open(tmp_path)
    folder = write(tmp_path / "p")
    kept = (folder / CHIPS).read_bytes()
    (folder / CHIPS).write_bytes(kept + kept)
    with pytest.raises(DatasetError, match="not the list"):
        PreparedSet.open(folder)
    (folder / CHIPS).unlink()
    with pytest.raises(DatasetError, match="half"):
        PreparedSet.open(folder)
    (folder / PREPARED).write_text(json.dumps({"format": 1}))
    with pytest.raises(DatasetError, match="bands"):
        PreparedSet.open(folder)


def test_a_missing_picture_is_named(tmp_path):
    folder = write(tmp_path / "p")
    found = PreparedSet.open(folder)
    (folder / "images" / "a.tif").unlink()
    (folder / "masks" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a\.tif"):
        found.image(found.records()[0])
    with pytest.raises(DatasetError, match=r"a\.png"):
        found.mask(found.records()[0])


@pytest.mark.parametrize("n", [2, 4])
def test_a_chip_that_does_not_fit(tmp_path, n):
    with pytest.raises(DatasetError, match="Chip a"), PreparedWriter(tmp_path / "p", ABOUT) as writer:
        writer.add(record(), *chip(n=n))
