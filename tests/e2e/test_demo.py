"""`clearscene demo`, typed, on the smallest scene that it draws."""

import re

from clearscene.cli.demo import _table
from clearscene.synth.matching import TypeMatch
from tests.command import clearscene

ROW = re.compile(r"^(\w[\w ]*?) +(\d+) +(\d+) +(\d+) +(\d+) +(\S+) +(\S+)$", re.MULTILINE)


def test_the_demo_finds_what_rules_find_and_says_by_what_it_counts(tmp_path):
    done = clearscene("demo", "--out", tmp_path, "--width", 512, "--height", 512, check=0)
    table, _, rest = done.stdout.partition("Found: 50% of the pixels of a placed defect have its type.")
    rows = {name: numbers for name, *numbers in ROW.findall(table)}
    assert {"Cloud", "Stripe noise", "Pixel missing"} <= rows.keys()
    for placed, found, missed, *_ in rows.values():
        assert int(placed) == int(found) + int(missed)
    for name, (placed, found, _, false, iou, precision) in rows.items():
        if name in ("Stripe noise", "Pixel missing"):
            assert (int(placed) >= 4, int(placed) - int(found) <= 1, int(false)) == (True, True, 0), name
            assert min(float(iou), float(precision)) > 0.9, name
    assert int(rows["Pixel missing"][1]) == int(rows["Pixel missing"][0])
    assert "clearscene compare judges polygons" in rest
    assert f"report: {tmp_path / 'scene' / 'report.html'}" in rest


def test_shares_of_nothing_are_dashes():
    missed = TypeMatch("distortion", placed=3, found=0, missed=3, false=0, placed_px=90, found_px=0, shared_px=0)
    nothing = TypeMatch("blur", placed=0, found=0, missed=0, false=0, placed_px=0, found_px=0, shared_px=0)
    wrong = TypeMatch("cloud", placed=1, found=0, missed=1, false=2, placed_px=9, found_px=8, shared_px=0)
    table = _table([missed, nothing, wrong])
    iou, precision = (list(column.cells) for column in table.columns[-2:])
    assert (iou, precision) == (["0.000", "-", "0.000"], ["-", "-", "0.000"])
