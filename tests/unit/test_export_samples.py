"""Chips as tiles, and what is gathered from answers about them."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch comes with the extra `train`")
pytest.importorskip("onnx", reason="onnx comes with the extra `train`")

from clearscene.errors import DatasetError, ModelError  # after the check for torch
from clearscene.models.model import Model
from clearscene.synth.chip_set import ChipRecord, ChipSet, ChipWriter
from clearscene.training.export.evidence import Evidence, Screened, _certainty, gather, screening_scores, surround
from clearscene.training.export.runner import Answers
from clearscene.training.export.samples import Samples
from tests.onnx_graphs import brightness_folder, edit_manifest
from tests.small_networks import INPUT, TYPES, make_chips, pool_arrays

CLASSES = {0: "background", 1: "cloud", 2: "shadow"}


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return make_chips(tmp_path_factory.mktemp("chips"))


def samples(sets, **options):
    return Samples(sets, INPUT, **({"tile_size": 64, "types": TYPES} | options))


def one_chip(folder, image, mask, labels=()):
    writer = ChipWriter(folder)
    writer.add(ChipRecord("a", "val", "images/a.png", "masks/a.png", labels), image, mask)
    return ChipSet.open(folder)


def test_a_chip_is_prepared_as_inspection_prepares_a_tile(chips, tmp_path):
    """Oracle: `Model.prepare`."""
    folder = brightness_folder(tmp_path / "model", tile_size=64, screen=False)
    edit_manifest(folder, "mean = [0.4, 0.4, 0.4]", "mean = [0.5, 0.4, 0.3]\nstd = [0.5, 0.25, 0.2]")
    model = Model.load(folder, device="cpu")
    for sample, record in zip(samples([chips]), chips.records(), strict=True):
        image = chips.image(record)
        assert np.allclose(sample.image, model.prepare(image, np.ones(image.shape[1:], bool)), atol=1e-5)
        assert sample.image.dtype == np.float32
        assert np.array_equal(sample.mask, chips.mask(record))
        assert [t for t, has in zip(TYPES, sample.labels, strict=True) if has] == list(record.labels)


def test_a_gray_chip_is_shown_to_all_channels(tmp_path):
    gray = np.arange(40 * 50, dtype=np.uint8).reshape(1, 40, 50)
    (sample,) = samples([one_chip(tmp_path, gray, np.zeros((40, 50), np.uint8))])
    seen = sample.image[0] * np.reshape(INPUT.std, (3, 1, 1)) + np.reshape(INPUT.mean, (3, 1, 1))
    assert np.allclose(seen[0], seen[2], atol=1e-6)


def test_a_large_chip_is_cut_and_what_may_be_gone_is_unknown(tmp_path):
    image, mask = np.zeros((3, 90, 70), np.uint8), np.zeros((90, 70), np.uint8)
    mask[5:9, 5:9], mask[80:85, 5:9] = 1, 2
    (sample,) = samples([one_chip(tmp_path, image, mask, ("cloud", "shadow"))])
    assert sample.mask.shape == (64, 64)
    assert sample.labels[0] == 1
    assert np.isnan(sample.labels[1])
    assert sample.labels[2] == 0


def test_bad_chips_are_errors(chips, tmp_path):
    with pytest.raises(DatasetError, match="no chips in the split 'test'"):
        samples([chips], split="test")
    odd = one_chip(tmp_path / "odd", np.zeros((3, 40, 40), np.uint8), np.zeros((40, 41), np.uint8))
    with pytest.raises(DatasetError, match=r"images/a.png and its mask differ in size"):
        list(samples([odd]))
    with pytest.raises(ModelError, match="normalized by the tile"):
        Samples([chips], INPUT.model_copy(update={"normalization": "per_tile"}), tile_size=64, types=TYPES)


def test_thinning_is_even_and_the_same_each_time(chips):
    few = samples([chips], limit=5)
    assert [s.id for s in few] == [s.id for s in few] == ["000", "003", "006", "008", "011"]
    assert [s.id for s in few.spread(2)] == ["000", "011"]
    assert len(samples([chips, chips])) == 24


class Oracle:
    """Answers with the truth: cells and pixels from the brightness of the picture."""

    def __call__(self, image):
        mean = (image[0] * np.reshape(INPUT.std, (3, 1, 1)) + np.reshape(INPUT.mean, (3, 1, 1))).mean(axis=0)
        cloud, shadow = (mean > 0.8).astype(np.float32), (mean < 0.2).astype(np.float32)
        pixels = np.stack([np.full_like(cloud, 0.5), cloud, shadow]) * 9
        cells = np.stack([p.reshape(4, 16, 4, 16).max(axis=(1, 3)) for p in (cloud, shadow, 0 * cloud)]) * 20 - 10
        return Answers(pool_arrays(cells[None])[0], cells, pixels)


def gathered(chips, **options):
    return gather(
        Oracle(),
        samples([chips]),
        **({"classes": CLASSES, "pixels_per_chip": 50, "rng": np.random.default_rng(0)} | options),
    )


def test_the_truth_is_scored_as_such(chips):
    evidence = gathered(chips)
    assert evidence.counts.iou().tolist() == [1, 1, 1]
    valid = sum(int((chips.mask(r) != 255).sum()) for r in chips.records())
    assert evidence.counts.counts.sum() == valid
    assert evidence.pixel_logits.shape == (12 * 50, 3)
    assert np.array_equal(evidence.pixel_logits.argmax(axis=1), evidence.pixel_labels)
    scores = screening_scores(evidence.tiles, 1.0)
    assert scores["f1"][:2].tolist() == [1, 1]
    assert np.isnan(scores["f1"][2])  # no stripe in the split
    assert scores["false_alarms"].tolist() == [0, 0, 0]


def test_pixels_of_other_types_are_ignored(chips):
    evidence = gathered(chips, classes={0: "background", 1: "cloud"})
    n_shadow = sum(int((chips.mask(r) == 2).sum()) for r in chips.records())
    n_ignored = sum(int((chips.mask(r) == 255).sum()) for r in chips.records())
    assert evidence.counts.counts.sum() == 12 * 48 * 40 - n_shadow - n_ignored


def test_only_the_cells_of_the_chip_count(chips):
    assert gathered(chips).cells.shape == (12, 3, 3, 3)  # 48 x 40 px in cells of 16


def test_surroundings_are_clean_chips_of_the_same_scene(chips):
    evidence = gathered(chips)
    around = surround(evidence, pool_arrays, np.random.default_rng(1))
    assert np.array_equal(around.labels, evidence.tiles.labels)
    alone = pool_arrays(evidence.cells)
    assert (around.logits >= alone - 1e-5).all()  # cells are only added
    assert np.array_equal(around.logits > 0, around.labels == 1)
    again = surround(evidence, pool_arrays, np.random.default_rng(1))
    assert np.array_equal(around.logits, again.logits)


def test_without_clean_chips_or_cells_there_are_no_surroundings(chips):
    evidence, rng = gathered(chips), np.random.default_rng(0)
    dirty = Screened(evidence.tiles.logits, np.ones_like(evidence.tiles.labels))
    assert surround(Evidence(**{**vars(evidence), "tiles": dirty}), pool_arrays, rng) is None
    assert surround(Evidence(**{**vars(evidence), "cells": None}), pool_arrays, rng) is None


def test_screening_scores_by_hand():
    """Three tiles: a hit, a miss, a false alarm; a fourth is unknown."""
    screened = Screened(np.array([[2.0], [-2.0], [2.0], [9.0]]), np.array([[1.0], [1.0], [0.0], [np.nan]]))
    scores = screening_scores(screened, 1.0)
    assert {key: value[0] for key, value in scores.items()} == {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "false_alarms": 1.0,
    }


def test_certainty_is_what_the_surest_tenth_of_a_class_reaches():
    truth = np.full((1, 20), 255, np.uint8)
    truth[0, :10], truth[0, 10:15] = 1, 2
    logits = np.zeros((4, 1, 20), np.float32)
    logits[1, 0, 0] = np.log(3.0)  # one pixel of ten is the class's, at 3 of 6
    found = _certainty(logits, truth)
    assert found[1] == pytest.approx(0.5)
    assert found[2] == 0  # never the largest: ties go to the first class
    assert np.isnan(found[[0, 3]]).all()
