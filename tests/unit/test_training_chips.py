"""Chips as batches: what is true of a chip, what is seen in an epoch, and in which order."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.errors import DatasetError  # noqa: E402  # after the check for torch
from clearscene.synth.chip_set import CHIPS, ChipRecord, ChipSet  # noqa: E402
from clearscene.training.chips import Chip, Failure, Place, TrainChips, ValChips, collate, label_vector  # noqa: E402
from clearscene.training.config import AugmentConfig, RunConfig, parse_config  # noqa: E402
from clearscene.training.course import Course, batches_of, open_sets, train_loader, val_loader  # noqa: E402
from clearscene.training.networks.spec import TYPE_NAMES  # noqa: E402
from tests.training_chips import make_chips  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_chips(tmp_path_factory.mktemp("chips"), 20)


def config(*folders, run=None, **data):
    chips = [folder if isinstance(folder, dict) else {"folder": str(folder)} for folder in folders]
    values = {"data": {"chips": chips, "size": 64, **data}, "run": {"workers": 0, "batch_size": 4, **(run or {})}}
    return parse_config(values, place="test")


def record(*labels: str) -> ChipRecord:
    return ChipRecord("a", "train", "a.png", "a.png", labels)


def labeled(labels, before, after):
    return dict(zip(TYPE_NAMES, label_vector(record(*labels), before, after).tolist(), strict=True))


def test_a_chip_that_was_turned_keeps_its_labels():
    mask = np.zeros((8, 8), np.uint8)  # the cloud is covered
    assert labeled(("cloud", "stripe"), mask, mask.T) == {**dict.fromkeys(TYPE_NAMES, 0.0), "cloud": 1, "stripe": 1}


def test_what_is_cut_away_is_no_longer_said():
    mask = np.zeros((40, 40), np.uint8)
    mask[:10], mask[20:, :20], mask[39, :3] = 1, 2, 9
    after = mask[15:, :]
    found = labeled(("cloud", "shadow", "stripe", "blur"), mask, after)
    assert (found["cloud"], found["shadow"], found["stripe"]) == (0, 1, 1)
    assert found["blur"] == -1  # covered before, and who knows now
    assert labeled(("shadow",), mask, mask[:21, 15:])["shadow"] == -1  # five pixels are left


def test_what_nobody_has_decided_on_is_not_said_to_be_absent():
    mask = np.zeros((40, 40), np.uint8)
    mask[:, :9], mask[:, 30:] = 1, 255
    chip = ChipRecord("a", "train", "a.png", "a.png", ("cloud",), parameters={"undecided": ["blur", "cloud"]})
    for after in (mask.T, mask[:, :20]):
        found = dict(zip(TYPE_NAMES, label_vector(chip, mask, after).tolist(), strict=True))
        assert (found["cloud"], found["blur"], found["stripe"]) == (1, -1, 0)
    assert not ChipRecord("a", "train", "a.png", "a.png", parameters={"undecided": ["blur"]}).is_clean


def read(chips, places):
    return [chips[place] for place in places]


def test_a_place_gives_the_same_chip(folder):
    sets = ChipSet.open(folder)
    chips = TrainChips([Chip(sets, r) for r in sets.records("train")], AugmentConfig(), size=64, seed=3)
    places = [Place(0, 0, 5), Place(0, 1, 5), Place(1, 0, 5)]
    one, other = read(chips, places), read(chips, reversed(places))[::-1]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    assert len({chip.image.tobytes() for chip in one}) == 3
    assert len(chips) == 16


def test_odd_sizes_are_padded_with_what_is_ignored(tmp_path):
    sets = ChipSet.open(make_chips(tmp_path, 10, size=(33, 50)))
    (batch,) = batches_of(val_loader(sets, config(tmp_path)))
    assert batch.image.shape == (2, 3, 64, 64)
    assert (batch.mask[:, 33:] == 255).all()
    assert (batch.mask[:, :33, :50] != 255).all()
    loader, _ = train_loader([sets], config(tmp_path))
    batch = next(batches_of(loader))
    assert batch.image.shape == (4, 3, 64, 64)
    assert batch.image.dtype == torch.uint8


def test_gray_chips_get_three_bands(tmp_path):
    import cv2

    make_chips(tmp_path, 5)
    cv2.imwrite(str(tmp_path / "images/chip000.png"), np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    sets = ChipSet.open(tmp_path)
    (batch,) = batches_of(val_loader(sets, config(tmp_path)))
    assert torch.equal(batch.image[0, 0], batch.image[0, 2])


def test_validation_is_in_order_and_can_be_thinned(folder):
    sets = ChipSet.open(folder)
    ids = [key for batch in batches_of(val_loader(sets, config(folder))) for key in batch.ids]
    assert ids == ["chip000", "chip005", "chip010", "chip015"]
    ids = [key for batch in batches_of(val_loader(sets, config(folder, max_val_chips=2))) for key in batch.ids]
    assert ids == ["chip000", "chip015"]


def places_of(course: Course) -> list[Place]:
    return [place for batch in course for place in batch]


def test_an_epoch_shows_every_chip_once():
    course = Course(np.ones(24), RunConfig(batch_size=4, accumulate=2, epochs=3))
    assert (course.steps_per_epoch, course.n_steps, len(course)) == (3, 9, 18)
    places = places_of(course)
    for epoch in range(3):
        assert sorted(place.chip for place in places if place.epoch == epoch) == list(range(24))
    assert [p.chip for p in places[:24]] != [p.chip for p in places[24:48]]


def test_a_course_goes_on_where_it_was():
    run = RunConfig(batch_size=4, accumulate=2, epochs=3)
    whole = list(Course(np.ones(24), run))
    for step in (1, 3, 5):
        later = Course(np.ones(24), run)
        later.start = step
        assert list(later) == whole[2 * step :]


def test_processes_share_an_epoch():
    run = RunConfig(batch_size=3, epochs=1)
    halves = [Course(np.ones(24), run, rank=rank, world=2) for rank in (0, 1)]
    places = [place for course in halves for place in places_of(course)]
    assert sorted(place.chip for place in places) == list(range(24))
    assert len(halves[0]) == len(halves[1]) == 4


def test_few_chips_are_repeated_to_one_step():
    course = Course(np.ones(3), RunConfig(batch_size=8, epochs=1))
    assert sorted(np.bincount([place.chip for place in places_of(course)])) == [2, 3, 3]
    course = Course(np.array([0.01, 0.0]), RunConfig(batch_size=2, epochs=1))
    assert [place.chip for place in places_of(course)] == [0, 0]


def test_weights_say_how_often_a_set_is_seen(folder, tmp_path):
    make_chips(tmp_path, 10)
    both = config(folder, {"folder": str(tmp_path), "weight": 2.5, "name": "more"}, run={"batch_size": 1})
    loader, course = train_loader([ChipSet.open(folder), ChipSet.open(tmp_path)], both)
    assert course.steps_per_epoch == 16 + 20
    counts = np.bincount(course.order(0), minlength=24)
    assert (counts[:16] <= 1).all()
    assert set(counts[16:]) <= {2, 3}
    assert loader.batch_sampler is course


def test_the_share_of_clean_chips_is_kept(folder):
    sets = ChipSet.open(folder)
    _, course = train_loader([sets], config(folder, clean_share=0.5))
    clean = np.array([not r.labels for r in sets.records("train")])
    assert course.repeats[clean].sum() == pytest.approx(8)
    assert course.repeats.sum() == pytest.approx(16)


def test_sets_that_cannot_be_used_say_so(folder, tmp_path):
    sets = ChipSet.open(make_chips(tmp_path, 4, val_every=1))
    with pytest.raises(DatasetError, match="none of the 4 chips is of the split 'train'"):
        train_loader([sets], config(tmp_path))
    with pytest.raises(DatasetError, match="none of the 4 chips is of the split 'test'"):
        val_loader(sets, config(tmp_path), split="test")
    with pytest.raises(DatasetError, match="weight 0"):
        train_loader([ChipSet.open(folder)], config({"folder": str(folder), "weight": 0}))


def test_a_share_of_what_is_not_there_is_refused(tmp_path):
    make_chips(tmp_path, 8)
    lines = [json.loads(line) for line in (tmp_path / CHIPS).read_text().splitlines()]
    (tmp_path / CHIPS).write_text("".join(json.dumps({**line, "labels": ["cloud"]}) + "\n" for line in lines))
    with pytest.raises(DatasetError, match="there are no chips without defects"):
        train_loader([ChipSet.open(tmp_path)], config(tmp_path, clean_share=0.3))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_chip_is_named_whoever_reads_it(tmp_path, workers):
    import cv2

    make_chips(tmp_path, 5)
    cv2.imwrite(str(tmp_path / "masks/chip000.png"), np.full((64, 64), 77, np.uint8))
    with pytest.raises(DatasetError) as caught:
        list(batches_of(val_loader(ChipSet.open(tmp_path), config(tmp_path, run={"workers": workers}))))
    assert "chip000.png" in caught.value.message
    assert "[77]" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "255 (ignored)" in caught.value.hint


def test_a_mask_of_another_size_is_named(tmp_path):
    import cv2

    make_chips(tmp_path, 5)
    cv2.imwrite(str(tmp_path / "masks/chip000.png"), np.zeros((60, 64), np.uint8))
    sets = ChipSet.open(tmp_path)
    loaded = ValChips([Chip(sets, r) for r in sets.records("val")])[0]
    assert isinstance(loaded, Failure)
    assert "64 x 64 pixels and its mask 60 x 64" in loaded.error.message
    assert collate([loaded]) is loaded


def test_a_process_that_ends_is_an_error_of_ours(folder, monkeypatch):
    import os
    from functools import partial

    from clearscene.errors import TrainingError
    from clearscene.training import course as module

    monkeypatch.setattr(module, "_one_thread", partial(os._exit))  # called with the worker's number
    with pytest.raises(TrainingError, match="A process that reads chips ended"):
        list(batches_of(val_loader(ChipSet.open(folder), config(folder, run={"workers": 1}))))


def test_sources_that_are_excluded_are_not_in_the_set(folder):
    entry = {"folder": str(folder), "exclude": "^scene1"}
    chosen = config(entry)
    (chips,) = open_sets(chosen.data, chosen.network)
    assert sorted(r.source for r in chips.records()) == sorted(f"scene{n}" for n in (0, *range(2, 10)))
    everything = config({**entry, "exclude": "scene"})
    with pytest.raises(DatasetError, match="exclude = 'scene' leaves no chip"):
        open_sets(everything.data, everything.network)


def test_prepared_sets_take_no_exclude(folder):
    for kind in ("semantic", "fusion"):
        values = {"data": {"chips": [{"folder": str(folder), "exclude": "a"}]}, "network": {"kind": kind}}
        chosen = parse_config(values, place="test")
        with pytest.raises(DatasetError, match="exclude is for sets of chips"):
            open_sets(chosen.data, chosen.network)
