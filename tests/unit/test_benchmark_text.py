"""Tables and intervals of the benchmarks."""

import json

import numpy as np
import pytest

from table_text import Table, interval, ratio, report, scene_draws, text_of, with_interval


def test_text_marks_what_was_not_measured():
    table = Table("Title", ("landscape", "area"), (("forest", 0.12345), ("snow", None), ("sea", float("nan"))), "Note.")
    lines = text_of(table).splitlines()
    assert lines[0] == "Title"
    assert lines[4:7] == [
        "| forest    |        0.123 |",
        "| snow      | not measured |",
        "| sea       | not measured |",
    ]
    assert lines[-1] == "Note."


def test_rows_must_fit_the_heads():
    with pytest.raises(ValueError, match="1 cells, there are 2 columns"):
        Table("Title", ("a", "b"), ((1,),))


def test_json_keeps_full_numbers_and_has_no_nan(tmp_path, capsys):
    path = tmp_path / "new" / "out.json"
    report([Table("Title", ("a", "b"), ((0.123456, float("nan")),))], about={"seed": 3}, path=path)
    written = json.loads(path.read_text())
    assert written == {
        "about": {"seed": 3},
        "tables": [{"title": "Title", "heads": ["a", "b"], "rows": [[0.123456, None]], "note": ""}],
    }
    assert "seed: 3" in capsys.readouterr().out


def test_draws_take_scenes_whole():
    scenes = ["b", "a", "b", "c", "a"]
    draws = scene_draws(scenes, seed=1, draws=200)
    assert draws.shape == (201, 5)
    assert (draws[0] == 1).all()
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, 1] == draws[:, 4]).all()
    assert (draws[:, 0] + draws[:, 1] + draws[:, 3] == 3).all()
    assert draws[1:, 0].std() > 0


def test_interval_is_of_the_draws_alone():
    values = np.concatenate([[9.0], np.arange(1001) / 1000])
    assert interval(values) == (pytest.approx(0.025), pytest.approx(0.975))
    assert with_interval(values, sign=True) == "+9.000 (+0.025 to +0.975)"
    assert with_interval(np.array([np.nan, 1.0])) == "not measured"


def test_ratio_of_nothing_is_no_number():
    assert ratio(np.array([1.0, 2.0]), np.array([4.0, 0.0])) == pytest.approx([0.25, np.nan], nan_ok=True)
