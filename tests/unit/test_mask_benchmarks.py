"""The benchmarks of cloud masks: what stands in their lines, how they count, what runs in which order."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mask_all
import mask_speed
from clearscene.batch import Failure
from clearscene.masking import run as batches
from clearscene.masking import scene as scenes
from clearscene.masking.run import MaskOutcome
from mask_accuracy import Tally, dagger_of, default_way
from mask_calibration import bins_of, calibration_error
from real_clouds import Case

CASE = Case("oncloudn", Path("image.tif"), Path("label.tif"), {}, False)


def test_a_failed_scene_ends_a_row_of_the_speed_table_by_what_is_wrong(monkeypatch, tmp_path):
    failed = MaskOutcome("s", "s", Failure("s", "s.tif", "s.tif lacks nir."))
    monkeypatch.setattr(scenes, "prepare_mask", lambda options: None)
    monkeypatch.setattr(batches, "mask_batch", lambda *_, **__: [failed])
    with pytest.raises(SystemExit, match="lacks nir"):
        mask_speed.by_us("clearscene", tmp_path / "s.tif")


def test_a_row_that_did_not_run_has_as_many_cells_as_one_that_did():
    ran, missing = {"seconds": 2.0, "cpu": 3.0, "peak": 100.0}, {"missing": "no CUDA"}
    for line in (
        lambda row: mask_speed.masker_line("a", row, 1000, 1.5),
        lambda row: mask_speed.scene_line("a", row, 1000),
    ):
        assert line(ran).count("|") == line(missing).count("|")
        assert "no CUDA" in line(missing)
    assert mask_speed.masker_line("a", ran, 1000, 1.5) == "| a | 2.0 | 2.00 | 3.00 | 100 | 2.0 |"
    assert mask_speed.masker_line("a", ran, 1000, None).endswith("| 100 |  |")


def test_calibration_error_is_that_of_a_hand_count():
    told = np.array([0.05, 0.05, 0.95, 1.0])
    bins = bins_of(told, np.array([False, True, True, True]))
    assert bins[0].tolist() == [2, *[0] * 8, 2]
    assert calibration_error(bins) == pytest.approx((2 * (0.5 - 0.05) + 2 * (1 - 0.975)) / 4)


@pytest.mark.parametrize(
    ("found", "is_coarse", "way"),
    [
        (("RGB", "RGB --wide", "RGBN", "RGBN --wide", "RGBN --fine"), False, "RGBN --wide"),
        (("RGB", "RGBN", "RGBN --fine"), True, "RGBN --fine"),
        (("RGB", "RGB --wide"), False, "RGB --wide"),
        (("RGB",), True, "RGB"),
    ],
)
def test_default_is_the_look_that_mask_takes(found, is_coarse, way):
    assert default_way(found, is_coarse=is_coarse) == way


def test_rows_of_both_sets_with_near_infrared_and_a_dagger_where_one_may_have_been_seen():
    tally, truth = Tally(), np.array([[0, 1]], np.uint8)
    for masker in ("default", "default RGB", "ukis-4b"):
        for source in ("oncloudn", "toa_30m", "gf1")[: 2 if masker == "ukis-4b" else 3]:
            tally.add(masker, replace(CASE, source=source), np.ones_like(truth), truth)
    found = {(row[0], row[1]): row[2:] for row in tally.rows("cloud", tally.maskers())}
    assert found["with nir", "default"][:2] == (4, 0.5)
    assert found["pooled", "default"][:2] == (6, 0.5)
    assert {("with nir", "ukis-4b†"), ("pooled", "ukis-4b†"), ("oncloudn", "ukis-4b")} <= set(found)
    assert not any(masker == "default RGB" for _, masker in found)  # the same as default
    assert dagger_of("ukis-6b x3", ("toa_30m",)) == "†"


def steps(tmp_path, **changes):
    args = {"data": Path("data"), "peers": "", "peer_masks": tmp_path / "masks", "halves": "select", "folder": "f"}
    return list(mask_all.steps(argparse.Namespace(**{**args, "size": "64", "memory": "", **changes})))


def test_all_runs_without_peers_and_says_so(tmp_path, capsys):
    found = steps(tmp_path)
    assert "without them" in capsys.readouterr().out
    assert not any("--peers" in step.words for step in found)
    assert all((mask_all.HERE / step.words[0]).is_file() for step in found)


def test_all_makes_masks_of_peers_first_where_their_environment_is_named(tmp_path):
    (tmp_path / "masks").mkdir()
    found = steps(tmp_path, peers="site", halves="select,report")
    assert found[0].words[0] == "peer_masks.py"
    assert found[0].environment == {"PYTHONPATH": "site"}
    assert [step.words[0] for step in found].count("mask_accuracy.py") == 2
    assert all("--peers" in step.words for step in found if step.words[0] in ("mask_accuracy.py", "mask_speed.py"))


def test_a_benchmark_that_fails_is_told_and_what_it_printed_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mask_all, "HERE", tmp_path)
    (tmp_path / "bad.py").write_text("import sys\nprint('| a |')\nsys.exit(3)\n")
    with (tmp_path / "out.md").open("w") as file:
        assert mask_all.run(mask_all.Step("Bad", ("bad.py", "x y")), file) == 3
    text = (tmp_path / "out.md").read_text()
    assert "python benchmarks/bad.py 'x y'" in text
    assert "| a |\n" in text
    assert "exit status 3" in text
    assert "| a |" in capsys.readouterr().out
