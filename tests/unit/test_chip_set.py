"""Chips on disk: what is written comes back, and what is broken says so."""

import json

import numpy as np
import pytest

from clearscene.errors import DatasetError
from clearscene.synth.chip_set import CHIPS, ChipRecord, ChipSet, ChipWriter


def record(key: str, split: str = "train", labels: tuple[str, ...] = ("cloud",)) -> ChipRecord:
    return ChipRecord(key, split, f"images/{key}.png", f"masks/{key}.png", labels, {"cloud": 0.5}, "folder/scene")


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (3, 40, 56), np.uint8), rng.choice(np.array([0, 1, 10, 255], np.uint8), (40, 56))


@pytest.fixture
def folder(tmp_path):
    writer = ChipWriter(tmp_path)
    for number, split in enumerate(("val", "train", "train")):
        image, mask = picture(number)
        writer.add(record(f"{2 - number:06d}", split), image, mask)
    writer.describe({"format": 1})
    return tmp_path


def test_written_is_read(folder):
    chips = ChipSet.open(folder)
    assert [r.id for r in chips.records()] == ["000000", "000001", "000002"]
    assert [r.id for r in chips.records("val")] == ["000002"]
    for number in range(3):
        found = next(r for r in chips.records() if r.id == f"{2 - number:06d}")
        image, mask = picture(number)
        assert np.array_equal(chips.image(found), image)
        assert np.array_equal(chips.mask(found), mask)
        assert found == record(found.id, found.split)


def test_gray_chips_keep_one_band(tmp_path):
    image, mask = picture(4)
    ChipWriter(tmp_path).add(record("000000"), image[:1], mask)
    chips = ChipSet.open(tmp_path)
    assert np.array_equal(chips.image(chips.records()[0]), image[:1])


def test_a_half_written_line_is_cut_off_and_made_again(folder):
    whole = (folder / CHIPS).read_bytes()
    (folder / CHIPS).write_bytes(whole[:-25])
    writer = ChipWriter(folder)
    assert writer.done == {"000002", "000001"}
    writer.add(record("000000"), *picture(2))
    assert ChipSet.open(folder).records()[0].id == "000000"


def test_digest_is_that_of_the_list_not_of_the_order(folder, tmp_path):
    before = ChipSet.open(folder).digest()
    lines = (folder / CHIPS).read_text(encoding="utf-8").splitlines()
    (folder / CHIPS).write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    assert ChipSet.open(folder).digest() == before


def test_no_set(tmp_path):
    with pytest.raises(DatasetError, match="no set of chips"):
        ChipSet.open(tmp_path)


def test_empty_set(tmp_path):
    (tmp_path / CHIPS).write_text("")
    with pytest.raises(DatasetError, match="holds no chips"):
        ChipSet.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["fog"]}, "no type 'fog'"),
        ({"split": "dev"}, "no split 'dev'"),
        ({"colour": 1}, "line 1: not a chip"),
    ],
)
def test_wrong_lines_are_named(folder, change, message):
    entry = json.loads((folder / CHIPS).read_text(encoding="utf-8").splitlines()[0])
    (folder / CHIPS).write_text(json.dumps(entry | change) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        ChipSet.open(folder)


def test_unknown_ids_in_a_mask_are_named(folder):
    writer = ChipWriter(folder)
    image, mask = picture(9)
    mask[3, 4] = 77
    writer.add(record("000009"), image, mask)
    chips = ChipSet.open(folder)
    with pytest.raises(DatasetError, match=r"000009.png holds the values \[77\]"):
        chips.mask(chips.records()[-1])


def test_a_broken_picture_is_named(folder):
    (folder / "images/000001.png").write_bytes(b"")
    chips = ChipSet.open(folder)
    with pytest.raises(DatasetError, match=r"000001.png"):
        chips.image(chips.records()[1])


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path):
    first = ChipWriter(tmp_path)
    with pytest.raises(DatasetError, match="Another process is making chips"):
        ChipWriter(tmp_path)
    del first
    ChipWriter(tmp_path)


def test_a_second_writer_clears_nothing(folder):
    first = ChipWriter(folder)
    with pytest.raises(DatasetError, match="Another process is making chips"):
        ChipWriter(folder, overwrite=True)
    assert len(ChipSet.open(folder)) == 3
    del first
    (folder / "notes.txt").write_text("mine")
    assert not ChipWriter(folder, overwrite=True).done
    assert not list(folder.glob("*/*.png"))
    assert (folder / "notes.txt").is_file()


def test_a_line_ends_only_where_it_was_ended(tmp_path):
    odd = ChipRecord("000000", "train", "images/000000.png", "masks/000000.png", source="fields\u2028of\x85Mr. A")
    ChipWriter(tmp_path).add(odd, *picture(1))
    assert ChipSet.open(tmp_path).records() == [odd]


def test_chips_are_left_out_by_their_source(tmp_path):
    writer = ChipWriter(tmp_path)
    for number, source in enumerate(("fields/a1", "fields/a2", "towns/a1")):
        fields = {**vars(record(f"{number:06d}")), "source": source}
        writer.add(ChipRecord(**fields), *picture(number))
    chips = ChipSet.open(tmp_path)
    assert chips.without("") is chips
    assert [r.source for r in chips.without("^fields/").records()] == ["towns/a1"]
    assert [r.source for r in chips.without("a1$").records("train")] == ["fields/a2"]
    assert len(chips.without("roofs")) == 3
    assert chips.without("^fields/").digest() != chips.digest()
    with pytest.raises(DatasetError, match="exclude = 'a' leaves no chip"):
        chips.without("a")
