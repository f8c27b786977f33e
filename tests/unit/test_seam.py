"""The seam rule: steps in tone across which the ground goes on."""

import dataclasses

import cv2
import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.inspection.picture import ReducedPicture
from clearscene.rules.seam import SeamRule
from clearscene.rules.seam_steps import BLOCK, shear
from clearscene.runs import Runs

SIZE = 512
RULE = SeamRule()


def ground(seed, *, spread=14.0, size=SIZE):
    """Ground of many grain sizes (3, row, col), float32 around 110, with `spread` as standard deviation."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size), np.float32)
    for sigma in (1, 3, 8, 20):
        layer = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), sigma)
        total += layer / layer.std()
    total *= spread / total.std()
    color = np.array([1.0, 1.1, 0.8], np.float32)[:, None, None]
    return 110 + total * color + rng.normal(0, 2, (3, size, size)).astype(np.float32)


def stepped(data, distance, step):
    """The tones of one side changed by `step` (3,), 8 bits."""
    return np.clip(np.round(data + (distance > 0) * np.array(step, np.float32)[:, None, None]), 0, 255).astype(np.uint8)


def line_at(angle, *, size=SIZE, offset=0.0):
    """Signed distance (row, col) to a line through the middle."""
    row, col = np.mgrid[:size, :size] - size / 2
    return row * np.cos(np.deg2rad(angle)) - col * np.sin(np.deg2rad(angle)) - offset


def everywhere(size=SIZE):
    return np.ones((size, size), np.bool_)


def found_of(mask, distance):
    """Share of the line that is marked, and pixels marked away from it."""
    line = np.abs(distance) < 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return (line & near).sum() / line.sum(), int((mask & (np.abs(distance) > 12)).sum())


@pytest.mark.parametrize("angle", [0, 90, 12, -31, 45, 63, -80])
def test_a_seam_is_found_in_any_direction(angle):
    distance = line_at(angle)
    seams = RULE.find(stepped(ground(1), distance, (14, 10, 12)), everywhere())
    share, away = found_of(seams.mask, distance)
    assert share > 0.6
    assert away == 0
    assert seams.confidence[seams.mask].min() >= RULE.min_cover
    assert seams.confidence.max() <= 1


def test_a_step_in_color_alone_is_a_seam():
    distance = line_at(25)
    share, _ = found_of(RULE.find(stepped(ground(2), distance, (10, -3, -8)), everywhere()).mask, distance)
    assert share > 0.7


def test_ground_without_a_seam_is_left_alone():
    for seed in range(4):
        assert not RULE.find(stepped(ground(seed), line_at(0), (0, 0, 0)), everywhere()).mask.any()


def test_a_border_of_two_grounds_is_no_seam():
    """The same step, but what lies on one side does not go on on the other."""
    distance = line_at(30)
    two = np.where(distance > 0, ground(3), ground(4))
    assert not RULE.find(stepped(two, distance, (14, 10, 12)), everywhere()).mask.any()


def test_the_edge_of_an_even_field_is_no_seam():
    """A step far larger than anything that goes on across it: a mown field beside one that is not."""
    distance = line_at(90)
    assert not RULE.find(stepped(ground(5, spread=3), distance, (25, 18, 10)), everywhere()).mask.any()


def test_a_road_is_no_seam():
    distance = line_at(15)
    data = ground(6)
    road = np.where(np.abs(distance) < 4, np.float32(150), data)
    assert not RULE.find(np.clip(road, 0, 255).astype(np.uint8), everywhere()).mask.any()


def test_what_is_not_valid_has_no_say():
    data = stepped(ground(7), line_at(0), (0, 0, 0))
    valid = everywhere()
    valid[:, 300:] = False
    data[:, :, 300:] = 255
    assert not RULE.find(data, valid).mask.any()
    distance = line_at(0)
    seams = RULE.find(np.where(valid, stepped(ground(7), distance, (14, 10, 12)), np.uint8(9)), valid)
    assert seams.mask.any()
    assert not seams.mask[:, 300:].any()


@pytest.mark.parametrize("gap", [10, 13, 16, 30])
def test_a_seam_beside_what_is_not_valid_is_found(gap):
    """What lies beyond is unknown, not black."""
    distance = line_at(0)
    valid = distance < gap
    data = np.where(valid, stepped(ground(1), distance, (14, 10, 12)), np.uint8(0))
    share, _ = found_of(RULE.find(data, valid).mask, distance)
    assert share > 0.3


def test_turning_the_picture_turns_what_is_found():
    distance = line_at(20)
    picture = stepped(ground(8), distance, (14, 10, 12))
    mask = RULE.find(picture, everywhere()).mask
    turned = RULE.find(np.ascontiguousarray(np.moveaxis(picture, 1, 2)), everywhere()).mask.T
    both, either = (mask & turned).sum(), (mask | turned).sum()
    assert both > 0.9 * either


def test_workers_change_nothing():
    picture = stepped(ground(9), line_at(-50), (14, 10, 12))
    one, two = (RULE.find(picture, everywhere(), workers=n) for n in (1, 3))
    assert np.array_equal(one.mask, two.mask)
    assert np.array_equal(one.confidence, two.confidence)


def test_gray_pictures_are_read():
    distance = line_at(0)
    gray = stepped(ground(10), distance, (16, 16, 16))[1:2]
    assert found_of(RULE.find(gray, everywhere()).mask, distance)[0] > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (5, 191), (3, 700), (700, 2)])
def test_small_and_thin_pictures_are_read(shape):
    picture = np.full((3, *shape), 90, np.uint8)
    assert not RULE.find(picture, np.ones(shape, np.bool_)).mask.any()


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 0.25, 1.0])
def test_shear_keeps_every_value(slope):
    columns = np.random.default_rng(1).uniform(0, 255, (40, 30, 4)).astype(np.float32)
    columns[..., 3] = 1
    view = shear(columns, slope)
    assert view.tones.sum() * BLOCK == pytest.approx(columns[..., :3].sum(), rel=1e-4)
    block, start = 3, 15  # the line through row 15 + slope * col
    rows = start + np.round(slope * (np.arange(BLOCK) + block * BLOCK)).astype(int)
    inside = (rows >= 0) & (rows < 30)
    if inside.all():
        expected = columns[block * BLOCK + np.arange(BLOCK), rows, :3].mean(axis=0)
        assert view.tones[block, start - view.first_start] == pytest.approx(expected, rel=1e-5)


def test_parameters_are_all_told():
    assert set(RULE.parameters()) == {f.name for f in dataclasses.fields(SeamRule)} - {"name"}


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(300, 400, 1), (1280, 1280, 1), (1281, 10, 2), (60000, 60000, 64)]
)
def test_reduction_keeps_the_picture_small(height, width, factor):
    assert SeamRule.reduction(height, width) == factor


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_a_picture_does_not_depend_on_the_windows(factor):
    rng = np.random.default_rng(3)
    data, valid = rng.integers(0, 256, (3, 75, 101), dtype=np.uint8), rng.random((75, 101)) > 0.01
    whole = ReducedPicture(75, 101, n_bands=3, factor=factor)
    whole.add(Window(0, 0, 101, 75), data, valid)
    parts = ReducedPicture(75, 101, n_bands=3, factor=factor)
    for row in (32, 0, 64):
        for col in (64, 0, 32, 96):
            part = (slice(row, row + 32), slice(col, col + 32))
            height, width = valid[part].shape
            parts.add(Window(col, row, width, height), data[:, *part], valid[part])
    assert np.array_equal(whole.display, parts.display)
    assert np.array_equal(whole.valid, parts.valid)
    blocks = valid[: 75 // factor * factor, : 101 // factor * factor]
    blocks = blocks.reshape(75 // factor, factor, 101 // factor, factor).all(axis=(1, 3))
    assert np.array_equal(whole.valid[: 75 // factor, : 101 // factor], blocks)


def test_the_last_pixels_of_a_picture_are_valid_where_the_scene_ends():
    picture = ReducedPicture(9, 9, n_bands=1, factor=4)
    picture.add(Window(0, 0, 9, 9), np.full((1, 9, 9), 7, np.uint8), np.ones((9, 9), np.bool_))
    assert picture.valid.all()
    assert (picture.display == 7).all()


def test_marks_lie_on_the_scene():
    picture = ReducedPicture(10, 11, n_bands=1, factor=4)
    mask = np.zeros((3, 3), np.bool_)
    mask[1, 0] = mask[2, 1] = mask[2, 2] = True
    confidence = np.array([[0, 0, 0], [0.5, 0, 0], [0, 1, 0.5]], np.float32)
    runs = picture.on_scene(mask, confidence)
    expected = np.zeros((10, 11), np.bool_)
    expected[4:8, :4] = expected[8:, 4:] = True
    assert np.array_equal(runs.to_mask(Window(0, 0, 11, 10)), expected)
    assert runs.weights[0] == pytest.approx(0.5 * 4)
    assert runs.weights[-1] == pytest.approx(0.75 * 7)
    assert len(picture.on_scene(np.zeros((3, 3), np.bool_), confidence)) == len(Runs.empty())
