"""Tables that grow, curves that are drawn, and the record beside a result."""

import csv
import math

import cv2
import numpy as np
import pytest

from clearscene.training.curves import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, Curve, draw_curves, draw_panel
from clearscene.training.logs import Board, Table


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_holds_every_row_at_once(tmp_path):
    table = Table(tmp_path / "t.csv")
    table.add({"step": 1, "loss": 0.123456789})
    assert read(tmp_path / "t.csv") == [{"step": "1", "loss": "0.123457"}]
    table.add({"step": 2, "loss": 1.0, "dice": math.nan})
    assert read(tmp_path / "t.csv") == [
        {"step": "1", "loss": "0.123457", "dice": ""},
        {"step": "2", "loss": "1", "dice": "nan"},
    ]


def test_a_table_goes_on_from_a_step(tmp_path):
    table = Table(tmp_path / "t.csv")
    for step in range(1, 6):
        table.add({"step": step, "set": "set, with comma"})
    again = Table(tmp_path / "t.csv", up_to_step=3)
    assert [row["step"] for row in again.rows] == [1, 2, 3]
    again.add({"step": 4, "set": "x"})
    assert [row["step"] for row in read(tmp_path / "t.csv")] == ["1", "2", "3", "4"]
    assert read(tmp_path / "t.csv")[0]["set"] == "set, with comma"
    assert Table(tmp_path / "t.csv").rows == []
    assert not (tmp_path / "t.csv").exists()


def test_a_panel_shows_its_curves():
    """The line is where its values are: high on the left, low on the right."""
    panel = draw_panel("loss", [Curve("loss", range(0, 101, 10), np.linspace(1, 0, 11))])
    assert panel.shape == (HEIGHT, WIDTH, 3)
    is_line = (panel == (180, 119, 31)).all(axis=2)
    rows, cols = np.nonzero(is_line[:, : WIDTH - 200])
    assert np.corrcoef(rows, cols)[0, 1] > 0.95


@pytest.mark.parametrize("values", [[], [math.nan], [0.0], [-3.0, 2.0], [1e-9, 5e12]])
def test_a_panel_takes_any_numbers(values):
    panel = draw_panel("x", [Curve("c", range(len(values)), values)])
    assert len(np.unique(panel)) > 1


def test_intervals_are_drawn_where_they_are_known():
    """Only where both ends are numbers; the plot begins where they do, if it is told to."""
    steps, values = [2, 3, 4], [0.5, 0.6, math.nan]
    plain = draw_panel("x", [Curve("c", steps, values)], first=None, low=None)
    unknown = draw_panel("x", [Curve("c", steps, values, [(math.nan, 0.6)] * 3)], first=None, low=None)
    assert np.array_equal(plain, unknown)
    wide = draw_panel("x", [Curve("c", steps, values, [(0.1, 0.9)] * 3)], axis="images", first=None, low=None)
    is_line = (wide == (180, 119, 31)).all(axis=2)[:, : WIDTH - RIGHT]
    rows = np.nonzero(is_line.any(axis=1))[0]
    assert rows.min() == TOP
    assert rows.max() == HEIGHT - BOTTOM


def test_curves_are_drawn_from_the_tables(tmp_path):
    path = tmp_path / "curves.png"
    draw_curves(path, [], [], monitor="both")
    empty = cv2.imread(str(path))
    rows = [{"step": 1, "loss": 2.0, "tile": 1.0}, {"step": 2, "loss": 1.0, "tile": 0.5}]
    val_rows = [{"step": 2, "set": name, "loss": 1.0, "miou": 0.4, "monitored": 0.4} for name in ("a", "数据")]
    draw_curves(path, rows, val_rows, monitor="miou")
    assert cv2.imread(str(path)).shape == empty.shape == (HEIGHT, 3 * WIDTH, 3)
    assert not np.array_equal(cv2.imread(str(path)), empty)


def test_tensorboard_gets_the_numbers(tmp_path):
    pytest.importorskip("torch", reason="torch comes with the extra `train`")
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = Board(tmp_path, is_wanted=True)
    board.add("val", {"miou": 0.25, "nothing": math.nan}, 7)
    board.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["val/miou"]
    (event,) = events.Scalars("val/miou")
    assert (event.step, event.value) == (7, 0.25)


def test_without_tensorboard_nothing_is_written(tmp_path):
    board = Board(tmp_path, is_wanted=False)
    board.add("train", {"loss": 1.0}, 1)
    board.close()
    assert list(tmp_path.iterdir()) == []
