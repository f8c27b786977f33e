"""The misalignment rule: lines at which the ground is displaced."""

import dataclasses

import cv2
import numpy as np
import pytest

from clearscene.grid import expand, windows
from clearscene.inspection.picture import SharpPicture
from clearscene.rules.break_lines import MARGIN, Line, pooled, sharp_steps
from clearscene.rules.misalignment import MisalignmentRule

SIZE = 640
RULE = MisalignmentRule()


def ground(seed, *, size=SIZE, noise=1.0):
    """Ground of many grain sizes as a lens draws it (row, col), float32 around 110."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size), np.float32)
    for sigma in (1.2, 3, 8):
        layer = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), sigma)
        total += layer / layer.std()
    return 110 + 12 * total + rng.normal(0, noise, (size, size)).astype(np.float32)


def levels(data):
    return np.clip(np.round(data), 0, 255).astype(np.uint8)


def picture_of(gray, valid, factor=1, *, size=0):
    """The picture of a scene that is read in windows of `size`, or at once."""
    height, width = gray.shape
    picture = SharpPicture(height, width, factor=factor)
    for window in windows(height, width, size or max(height, width)):
        wide = expand(window, MARGIN, height=height, width=width)
        top, left = round(wide.row_off), round(wide.col_off)
        part = (slice(top, top + round(wide.height)), slice(left, left + round(wide.width)))
        row, col = round(window.row_off) - top, round(window.col_off) - left
        core = (slice(row, row + round(window.height)), slice(col, col + round(window.width)))
        picture.add(window, gray[part], valid[part], core=core)
    return picture


def find(gray, valid=None, factor=1, rule=RULE):
    valid = np.ones(gray.shape, np.bool_) if valid is None else valid
    picture = picture_of(gray, valid, factor)
    return rule.find(
        picture.sharp,
        picture.valid,
        lambda top, left, bottom, right: (gray[top:bottom, left:right], valid[top:bottom, left:right]),
        size=gray.shape,
        factor=factor,
    )


def broken(seed, *, slope=0.0, rows=0, cols=0, size=SIZE):
    """Ground that lies `rows` and `cols` elsewhere ahead of a line through the middle, and the line: row by column."""
    wide = ground(seed, size=size + 60)
    at = size / 2 + slope * (np.arange(size) - size / 2)
    ahead = np.arange(size)[:, None] > at
    return np.where(ahead, wide[30 + rows : 30 + rows + size, 30 + cols : 30 + cols + size], wide[30:-30, 30:-30]), at


def away_from(found, at):
    """Largest distance in rows of the points of a break to a line, at columns inside."""
    points = np.array(found.points)
    return float(np.abs(points[:, 0] - np.interp(points[:, 1], np.arange(len(at)), at)).max())


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.8])
@pytest.mark.parametrize(("rows", "cols"), [(0, -5), (-9, 6), (-12, 0), (-5, -3), (-20, -11)])
def test_ground_that_lies_elsewhere_beyond_a_line_is_found(slope, rows, cols):
    data, at = broken(1, slope=slope, rows=rows, cols=cols)
    found = find(levels(data))
    assert found
    assert all(away_from(one, at) < 3 for one in found)
    spans = [np.ptp(np.array(one.points)[:, 1]) for one in found]
    assert max(spans) >= 0.6 * SIZE


def test_the_offset_of_a_slip_is_told():
    data, _ = broken(2, cols=6)
    (found,) = find(levels(data))
    assert found.offset_px == 6
    assert found.confidence > 0.9


def test_a_turned_scene_gives_turned_breaks():
    data, _ = broken(3, slope=0.2, cols=7)
    (one,) = find(levels(data))
    (other,) = find(np.ascontiguousarray(levels(data).T))
    assert np.allclose(np.array(one.points), np.array(other.points)[:, ::-1])


def test_tones_of_one_side_hardly_matter():
    data, at = broken(4, cols=8)
    ahead = np.arange(SIZE)[:, None] > at
    (found,) = find(levels(np.where(ahead, 0.8 * data + 40, data)))
    assert found.offset_px == 8


@pytest.mark.parametrize(("slope", "rows", "cols"), [(0.3, 2, 6), (-0.8, -5, 6), (1.0, 6, 6), (0.8, -8, 5)])
def test_the_offset_at_a_slanted_line_is_that_of_the_scene(slope, rows, cols):
    data, _ = broken(2, slope=slope, rows=rows, cols=cols)
    found = find(levels(data))
    assert found
    assert all(one.offset_px == pytest.approx(np.hypot(rows, cols), abs=1.5) for one in found)


def test_an_offset_that_grows_along_the_seam_is_followed():
    size = 1100
    wide = ground(31, size=size)
    row, col = np.mgrid[:300, :size].astype(np.float32)
    moved = cv2.remap(wide, col + 4 + 14 * col / size, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    (found,) = find(levels(np.where(row > 150, moved, wide[:300])))
    assert np.ptp(np.array(found.points)[:, 1]) > 0.8 * size


@pytest.mark.parametrize("factor", [2, 4])
def test_a_reduced_picture_is_enough_to_find_a_long_one(factor):
    data, at = broken(5, slope=0.25, cols=6, size=1400)
    found = find(levels(data), factor=factor)
    assert found
    assert all(away_from(one, at) < 3 for one in found)


def edge():
    """Another ground on each side, as sharp as a lens draws it."""
    return np.where(np.arange(SIZE)[:, None] > SIZE / 2, 0.5 * ground(11) + 90, ground(12))


def furrows():
    row, col = np.mgrid[:SIZE, :SIZE]
    return ground(13) * 0.3 + 70 + 30 * np.sin((row + 0.4 * col) * 0.9)


def tone_step():
    return ground(14) + 30 * (np.arange(SIZE)[:, None] > SIZE / 2)


def road():
    data = ground(15)
    data[300:306] = 220
    return data


def stripe_across_a_slanted_road():
    row, col = np.mgrid[:SIZE, :SIZE]
    across = np.abs((row - 320) - 0.27 * (col - 320))
    data = np.where(across < 26, 120, ground(19)) + 60 * (np.abs(across - 21) < 1.5)
    data = cv2.GaussianBlur(data.astype(np.float32), (0, 0), 0.9) + np.random.default_rng(1).normal(0, 1.5, data.shape)
    data[320:322] += 36
    return data


def blocks_of_a_codec():
    data = levels(ground(16))
    _, buffer = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE)


def doubled():
    return np.repeat(np.repeat(ground(17, size=SIZE // 2), 2, axis=0), 2, axis=1)


@pytest.mark.parametrize(
    "make",
    [edge, furrows, tone_step, road, stripe_across_a_slanted_road, blocks_of_a_codec, doubled, lambda: ground(18)],
)
def test_what_is_no_break_is_not_found(make):
    assert find(levels(make())) == []


def test_a_collar_is_no_break():
    data = levels(ground(21))
    valid = np.arange(SIZE)[:, None] + 0.1 * np.arange(SIZE) > 200
    data[~valid] = 0
    assert find(data, valid) == []


def test_what_is_not_valid_has_no_say():
    data, _ = broken(3, slope=0.2, cols=7)
    gray, valid = levels(data), np.ones(data.shape, np.bool_)
    valid[:, :200], valid[345:, 300:420] = False, False
    anything = np.random.default_rng(5).integers(0, 256, gray.shape, np.uint8)
    one, other = (np.where(valid, gray, values).astype(np.uint8) for values in (0, anything))
    for axis in (0, 1):
        np.testing.assert_array_equal(sharp_steps(one, valid, axis=axis), sharp_steps(other, valid, axis=axis))
    (found,) = find(one, valid)
    assert find(other, valid) == [found]
    assert min(col for _, col in found.points) > 200


def test_a_break_below_two_pixels_is_left_alone():
    data, _ = broken(6, cols=1)
    assert find(levels(data)) == []


def test_a_short_one_is_left_alone():
    data, _ = broken(7, cols=6)
    whole = ground(7, size=SIZE + 60)[30:-30, 30:-30]
    short = np.where(np.abs(np.arange(SIZE) - SIZE / 2) < 50, data, whole)
    assert find(levels(short)) == []


def test_a_scene_without_data_has_no_breaks():
    assert find(levels(ground(1)), np.zeros((SIZE, SIZE), np.bool_)) == []


@pytest.mark.parametrize("shape", [(1, 500), (2, 700), (3, 500), (500, 1), (40, 900)])
def test_a_scene_of_few_rows_or_columns_is_no_trouble(shape):
    gray = levels(np.random.default_rng(1).normal(110, 20, shape))
    assert find(gray, factor=1) == []
    assert find(gray, factor=2) == []


def test_candidates_bound_what_is_looked_at():
    data, _ = broken(8, cols=6)
    assert find(levels(data), rule=dataclasses.replace(RULE, candidates=0)) == []


def test_a_step_is_sharp_by_what_it_has_beyond_its_neighbors():
    column = np.array([10, 12, 30, 48, 50, 50, 50, 50, 88, 89, 89, 89], np.uint8)
    sharp = sharp_steps(np.repeat(column[:, None], 40, axis=1), np.ones((12, 40), np.bool_))[:, 20]
    assert sharp[7] > 1
    assert (np.delete(sharp, 7) < 0.1).all()


def test_the_picture_does_not_depend_on_how_the_scene_was_cut():
    gray = levels(broken(9, cols=5)[0])[:600, :501]
    valid = np.ones(gray.shape, np.bool_)
    valid[100:140, 200:260] = False
    whole, parts = picture_of(gray, valid, 4), picture_of(gray, valid, 4, size=128)
    for one, other in zip(whole.sharp, parts.sharp, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_array_equal(whole.valid, parts.valid)


def test_columns_are_rows_of_the_turned_scene():
    gray = levels(ground(10))[:480, :320]
    valid = np.ones(gray.shape, np.bool_)
    one, other = picture_of(gray, valid, 2), picture_of(np.ascontiguousarray(gray.T), valid.T, 2)
    np.testing.assert_allclose(one.sharp[1], other.sharp[0].T, atol=1e-6)


def test_pooling_takes_the_sharpest_row_and_the_mean_of_columns():
    sharp = np.zeros((4, 4), np.float32)
    sharp[1, 0], sharp[3, 2], sharp[2, 3] = 2, 3, 1
    np.testing.assert_allclose(pooled(sharp, 2), [[1, 0], [0, 2]])


def test_a_line_is_scaled_about_pixel_centers():
    line = Line(turned=False, start=10, slope=0.5, col=20, strength=1).scaled(4)
    assert line.row == pytest.approx((20 + 0.5) * 4 - 0.5)
    assert line.col == pytest.approx(81.5)
    assert line.slope == 0.5
