"""The generators of single defects: exact masks, nothing else touched."""

import numpy as np
import pytest

from clearscene.errors import OptionError
from clearscene.synth import missing, stripe_noise
from clearscene.synth.placing import BY_KIND, GAP, KINDS, Footprint, place, put


def picture(height: int, width: int) -> np.ndarray:
    """No value is 0 or 255, no two neighbors are equal, every band differs."""
    row, col = np.mgrid[0:height, 0:width]
    return np.stack([90 + (row * 3 + col * 5 + 11 * band) % 60 for band in range(3)]).astype(np.uint8)


def sizes(kind):
    return (max(6, kind.heights[0]), max(90, kind.widths[0]))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
@pytest.mark.parametrize("severity", [0.0, 0.45, 1.0])
def test_only_the_mask_changes_and_it_stays_in_valid(kind, severity):
    data = picture(*sizes(kind))
    before = data.copy()
    valid = np.ones(data.shape[1:], bool)
    valid[:, :13] = False
    result = kind.degrade(data, valid, np.random.default_rng(7), severity)
    assert np.array_equal(data, before)
    assert result.mask.any()
    assert not (result.mask & ~valid).any()
    assert np.array_equal(result.data[:, ~result.mask], data[:, ~result.mask])
    assert (result.data != data).any(axis=0)[result.mask].all()
    again = kind.degrade(data, valid, np.random.default_rng(7), severity)
    assert np.array_equal(again.data, result.data)


@pytest.mark.parametrize("name", ["lost_line", "black_block", "white_block", "lost_pieces", "lost_points"])
def test_missing_pixels_are_exactly_black_or_white(name):
    data = picture(43, 71)
    result = BY_KIND[name].degrade(data, np.ones((43, 71), bool), np.random.default_rng(3), 0.7)
    level = 255 if name == "white_block" else result.parameters["level"]
    assert level in (0, 255)
    assert (result.data[:, result.mask] == level).all()


def test_a_dead_band_leaves_the_others_alone():
    data = picture(20, 31)
    result = missing.dead_band(data, np.ones((20, 31), bool), np.random.default_rng(3), 0.5)
    dead = result.parameters["band"] - 1
    assert (result.data[dead] == 0).all()
    for band in {0, 1, 2} - {dead}:
        assert np.array_equal(result.data[band], data[band])


def test_points_are_isolated():
    result = missing.lost_points(picture(80, 90), np.ones((80, 90), bool), np.random.default_rng(3), 1.0)
    rows, cols = np.nonzero(result.mask)
    assert len(rows) == result.parameters["n_points"] == 9
    apart = np.maximum(np.abs(rows[:, None] - rows), np.abs(cols[:, None] - cols))
    assert apart[~np.eye(9, dtype=bool)].min() >= 8


def test_short_stripes_show_in_one_band_each():
    data = picture(60, 120)
    result = stripe_noise.short_stripes(data, np.ones((60, 120), bool), np.random.default_rng(5), 0.9)
    changed = (result.data != data).sum(axis=0)
    assert set(np.unique(changed[result.mask])) == {1}


def test_severity_makes_stripes_stronger():
    data = picture(7, 300)
    steps = []
    for severity in (0.0, 0.5, 1.0):
        result = stripe_noise.long_stripe(data, np.ones((7, 300), bool), np.random.default_rng(5), severity)
        steps.append(np.abs(result.data.astype(int) - data)[:, result.mask].mean())
    assert steps[0] + 10 < steps[1] < steps[2] - 10


def test_places_keep_apart_and_off_the_collar():
    footprint = Footprint(1700, 2300, np.deg2rad(2.5))
    placements, _ = place(footprint, types=frozenset({"missing", "stripe"}), seed=11)
    assert {p.type for p in placements} == {"missing", "stripe"}
    assert [p.id for p in placements] == list(range(1, len(placements) + 1))
    for p in placements:
        if p.kind != "lost_line":
            assert footprint.valid(p.window, inset=GAP).all()
        for q in placements:
            if p.id < q.id:
                apart_rows = max(q.row - p.row - p.height, p.row - q.row - q.height)
                apart_cols = max(q.col - p.col - p.width, p.col - q.col - q.width)
                assert max(apart_rows, apart_cols) >= GAP


def test_a_line_lost_from_side_to_side_leaves_the_collar():
    footprint = Footprint(1700, 2300, np.deg2rad(2.5))
    placements, _ = place(footprint, types=frozenset({"missing"}), seed=11)
    line = next(p for p in placements if p.kind == "lost_line")
    valid = footprint.valid(line.window)
    data = np.where(valid, picture(line.height, line.width), 255).astype(np.uint8)
    result = put(line, data, valid)
    assert np.array_equal(result.mask, valid)
    assert (result.data[:, ~valid] == 255).all()
    assert (~valid).any()


def test_more_scene_more_defects_and_what_finds_no_room_is_told():
    few, _ = place(Footprint(1000, 1300), types=frozenset({"stripe"}), seed=2)
    many, _ = place(Footprint(6000, 8000), types=frozenset({"stripe"}), seed=2)
    assert len(many) > 2 * len(few)
    placed, no_room = place(Footprint(70, 90), types=frozenset({"missing", "stripe"}), seed=2)
    assert len(placed) + sum(no_room.values()) == len(KINDS)
    assert no_room


def test_a_type_without_generator_is_an_error():
    with pytest.raises(OptionError, match="cloud"):
        place(Footprint(500, 600), types=frozenset({"cloud"}), seed=1)


def test_footprint_touches_all_four_sides():
    footprint = Footprint(700, 900, np.deg2rad(-3))
    from clearscene.grid import Grid

    valid = footprint.valid(Grid(700, 900).window)
    assert not valid[0, 0]
    assert not valid[-1, -1]
    assert all(side.any() for side in (valid[1], valid[-2], valid[:, 1], valid[:, -2]))
