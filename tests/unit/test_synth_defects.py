"""The generators of single defects: exact masks, nothing else touched."""

import numpy as np
import pytest

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import TYPES
from clearscene.synth import missing, stripe_noise
from clearscene.synth.degraded import Degraded, Levels, degrade_stored
from clearscene.synth.fitting import fitted
from clearscene.synth.kinds import BY_KIND, KINDS, Rim
from clearscene.synth.placing import GAP, Footprint, Placement, moved, place
from clearscene.synth.putting import put
from clearscene.synth.seam import MIDDLE


def picture(height: int, width: int) -> np.ndarray:
    """No value is 0 or 255, no two neighbors are equal, every band differs."""
    row, col = np.mgrid[0:height, 0:width]
    return np.stack([90 + (row * 3 + col * 5 + 11 * band) % 60 for band in range(3)]).astype(np.uint8)


PIXEL_KINDS = [kind for kind in KINDS if kind.type in ("missing", "stripe")]
CHIP_GENERATORS = [
    stripe_noise.chip_stripes,
    missing.chip_band,
    missing.chip_block,
    missing.chip_lines,
    missing.chip_packets,
    missing.chip_pieces,
]


def sizes(kind):
    return (max(6, kind.heights[0]), max(90, kind.widths[0]))


def degraded(degrade, data, valid, *, seed, severity):
    return degrade_stored(degrade, data, valid, rng=np.random.default_rng(seed), severity=severity)


def check_laws(degrade, data, valid, severity):
    before = data.copy()
    result = degraded(degrade, data, valid, seed=7, severity=severity)
    assert np.array_equal(data, before)
    assert result.data.dtype == data.dtype
    assert not (result.mask & ~valid).any()
    assert np.array_equal(result.data[:, ~result.mask], data[:, ~result.mask])
    again = degraded(degrade, data, valid, seed=7, severity=severity)
    assert np.array_equal(again.data, result.data)
    return result


@pytest.mark.parametrize("kind", PIXEL_KINDS, ids=lambda k: k.name)
@pytest.mark.parametrize("severity", [0.0, 0.45, 1.0])
def test_only_the_mask_changes_and_it_stays_in_valid(kind, severity):
    data = picture(*sizes(kind))
    valid = np.ones(data.shape[1:], bool)
    valid[:, :13] = False
    result = check_laws(kind.degrade, data, valid, severity)
    assert result.mask.any()
    assert (result.data != data).any(axis=0)[result.mask].all()


@pytest.mark.parametrize("degrade", CHIP_GENERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("n_bands", [1, 3, 4])
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_chips_of_any_bands_keep_the_laws(degrade, n_bands, severity):
    data = np.concatenate([picture(64, 97), picture(64, 97)[:1] + 7])[:n_bands].copy()
    valid = np.ones((64, 97), bool)
    valid[50:, :20] = False
    result = check_laws(degrade, data, valid, severity)
    assert result.mask.any()
    assert (result.data != data).any(axis=0)[result.mask].mean() > 0.99


@pytest.mark.parametrize("name", ["lost_line", "black_block", "white_block", "lost_pieces", "lost_points"])
def test_missing_pixels_are_exactly_black_or_white(name):
    data = picture(43, 71)
    result = degraded(BY_KIND[name].degrade, data, np.ones((43, 71), bool), seed=3, severity=0.7)
    level = 1 if name == "white_block" else result.parameters["level"]
    assert level in (0, 1)
    assert (result.data[:, result.mask] == 255 * level).all()


def test_a_dead_band_leaves_the_others_alone():
    data = picture(20, 31)
    result = degraded(missing.dead_band, data, np.ones((20, 31), bool), seed=3, severity=0.5)
    dead = result.parameters["band"] - 1
    assert (result.data[dead] == 0).all()
    for band in {0, 1, 2} - {dead}:
        assert np.array_equal(result.data[band], data[band])


@pytest.mark.parametrize("seed", range(6))
def test_a_stripe_is_never_a_lost_pixel(seed):
    data = picture(64, 80)
    data[:, 20:40], data[:, 40:60] = 2, 253
    result = degraded(stripe_noise.chip_stripes, data, np.ones((64, 80), bool), seed=seed, severity=1.0)
    assert result.data.min() >= 1
    assert result.data.max() <= 254


def test_points_are_isolated():
    result = degraded(missing.lost_points, picture(80, 90), np.ones((80, 90), bool), seed=3, severity=1.0)
    rows, cols = np.nonzero(result.mask)
    assert len(rows) == result.parameters["n_points"] == 9
    apart = np.maximum(np.abs(rows[:, None] - rows), np.abs(cols[:, None] - cols))
    assert apart[~np.eye(9, dtype=bool)].min() >= 8


def test_short_stripes_show_in_one_band_each():
    data = picture(60, 120)
    result = degraded(stripe_noise.short_stripes, data, np.ones((60, 120), bool), seed=5, severity=0.9)
    changed = (result.data != data).sum(axis=0)
    assert set(np.unique(changed[result.mask])) == {1}


def test_severity_makes_stripes_stronger():
    data = picture(7, 300)
    steps = []
    for severity in (0.0, 0.5, 1.0):
        result = degraded(stripe_noise.long_stripe, data, np.ones((7, 300), bool), seed=5, severity=severity)
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


def test_others_lie_beside_a_seam_and_not_on_it():
    types = frozenset(kind.type for kind in KINDS)
    placements, _ = place(Footprint(3072, 4096), types=types, seed=4)
    seams = [p for p in placements if BY_KIND[p.kind].filled < 1]
    assert {p.type for p in seams} == {"stitching_trace", "misalignment"}
    beside = 0
    for seam in seams:
        assert max(seam.height, seam.width) > 2 * min(seam.height, seam.width)
        whole = (seam.row, seam.col, seam.row + seam.height, seam.col + seam.width)
        spare = int((1 - MIDDLE) / 2 * min(seam.height, seam.width))
        rows, cols = (spare, 0) if seam.width >= seam.height else (0, spare)
        middle = (whole[0] + rows, whole[1] + cols, whole[2] - rows, whole[3] - cols)
        for other in placements:
            if other is seam:
                continue
            window = (other.row, other.col, other.row + other.height, other.col + other.width)
            assert not meet(window, whole if other in seams else middle, gap=GAP - 1)
            beside += meet(window, whole, gap=0)
    assert beside > 0


def meet(one, other, *, gap):
    """True if two rectangles of top, left, bottom, right come nearer than a gap."""
    return all(one[k] - gap < other[k + 2] and other[k] - gap < one[k + 2] for k in (0, 1))


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
    assert len(placed) + sum(no_room.values()) == len(PIXEL_KINDS)
    assert no_room
    dense, _ = place(Footprint(6000, 8000), types=frozenset({"stripe"}), seed=2, density=0.5)
    assert len(few) < len(dense) < 0.7 * len(many)


def test_all_ten_types_find_room_and_a_small_scene_gets_one_kind_of_each():
    types = frozenset(t.name for t in TYPES)
    placed, no_room = place(Footprint(3072, 4096, np.deg2rad(2)), types=types, seed=4)
    assert {p.type for p in placed} == types
    assert len(placed) == sum(kind.per_scene for kind in KINDS)
    assert not no_room
    small, _ = place(Footprint(900, 1100), types=types, seed=4)
    for name in types - {"missing", "stripe"}:
        assert sum(p.type == name for p in small) <= 1


def test_a_defect_that_does_not_show_moves_to_a_free_place():
    area = Footprint(300, 420)
    one = Placement(1, "defocus", 20, 20, 150, 150, 0.5, seed=9)
    other = Placement(2, "ripple", 100, 200, 150, 150, 0.5, seed=4)
    place_of = moved(one, area, others=[other], attempt=0)
    assert place_of is not None
    assert (place_of.height, place_of.seed) == (150, 9)
    assert place_of.col + 150 + GAP <= 200 or place_of.row + 150 + GAP <= 100
    assert moved(one, area, others=[other], attempt=0) == place_of
    assert moved(one, Footprint(170, 420), others=[other], attempt=0) is None


def blot(data, valid, rng, severity):
    """A defect that fills its window, but for every other try, which shows nothing."""
    mask = valid.copy() if rng.random() < 0.5 else np.zeros_like(valid)
    return Degraded(np.where(mask, np.float32(0.9), data), mask, {}, {"shadow": mask.copy()})


def test_a_defect_fades_before_the_border_of_its_window():
    data = np.full((3, 210, 290), 0.25, np.float32)
    valid = np.ones((210, 290), bool)
    result = fitted(blot, Rim.FADE)(data, valid, np.random.default_rng(1), 0.5)
    assert 0.4 < result.mask.mean() < 0.95
    assert np.array_equal(result.mask, result.also["shadow"])
    touched = result.mask | result.context
    assert np.array_equal(result.data[:, ~touched], data[:, ~touched])
    for side in (touched[0], touched[-1], touched[:, 0], touched[:, -1]):
        assert not side.any()
    assert np.abs(result.data - data)[:, result.context].max() <= 0.3 * 0.65
    steps = np.abs(np.diff(result.data[0], axis=1)).max()
    assert steps < 0.08  # no cut
    assert result.data.max() == np.float32(0.9)
    assert not fitted(blot, Rim.INSIDE)(data, valid, np.random.default_rng(1), 0.5).mask.any()
    assert fitted(blot, Rim.OPEN)(data, valid, np.random.default_rng(1), 0.5).mask.all()


def test_lost_pixels_are_stored_as_told():
    data = np.full((3, 40, 60), 700, np.uint16)
    white = Placement(1, "white_block", 0, 0, 40, 60, 0.5, seed=2)
    black = Placement(1, "black_block", 0, 0, 40, 60, 0.2, seed=2)
    valid = np.ones((40, 60), bool)
    shown = Levels.of(data.dtype, black=200, white=3000)
    assert (put(white, data, valid, levels=shown).data == 65535).all()
    assert (put(black, data, valid, levels=shown).data == 0).all()
    assert (put(black, data, valid, levels=shown, lost=(4095, 4095)).data == 4095).all()
    band = Placement(1, "dead_band", 0, 0, 40, 60, 0.2, seed=2)
    lost = put(band, data, valid, lost=(4095, 4095))
    assert sorted({int(plane.max()) for plane in lost.data}) == [0, 700]


def test_a_type_without_generator_is_an_error():
    with pytest.raises(OptionError, match="cirrus"):
        place(Footprint(500, 600), types=frozenset({"cirrus"}), seed=1)


def test_footprint_touches_all_four_sides():
    footprint = Footprint(700, 900, np.deg2rad(-3))
    from clearscene.grid import Grid

    valid = footprint.valid(Grid(700, 900).window)
    assert not valid[0, 0]
    assert not valid[-1, -1]
    assert all(side.any() for side in (valid[1], valid[-2], valid[:, 1], valid[:, -2]))
