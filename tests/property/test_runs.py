"""Runs against whole-array morphology of scipy, which is not us."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.windows import Window
from scipy import ndimage

from clearscene.grid import windows
from clearscene.runs import Runs, measure

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 31)), elements=st.booleans())


def whole(mask):
    return Window(0, 0, mask.shape[1], mask.shape[0])


def same_partition(ours, theirs):
    """Two labelings agree if each label of one maps to exactly one of the other."""
    pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@given(masks)
def test_round_trip(mask):
    assert np.array_equal(Runs.from_mask(mask).to_mask(whole(mask)), mask)


@given(masks, st.integers(1, 9), st.randoms())
def test_union_of_windows_is_the_mask_in_any_order(mask, size, random):
    parts = []
    for w in windows(*mask.shape, size):
        piece = mask[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width]
        parts.append(Runs.from_mask(piece, row=w.row_off, col=w.col_off))
    random.shuffle(parts)
    joined, direct = Runs.union(parts), Runs.from_mask(mask)
    for field in ("rows", "starts", "stops", "weights"):
        assert np.array_equal(getattr(joined, field), getattr(direct, field))


@given(masks, st.integers(0, 4))
def test_dilation_is_a_disk(mask, radius):
    r = np.arange(-radius, radius + 1)
    disk = r[:, None] ** 2 + r**2 <= radius**2
    grown = Runs.from_mask(mask).dilate(radius, height=mask.shape[0], width=mask.shape[1])
    assert np.array_equal(grown.to_mask(whole(mask)), ndimage.binary_dilation(mask, disk))


@given(masks, st.sampled_from([0, 1]))
def test_labels_are_those_of_scipy(mask, reach):
    runs = Runs.from_mask(mask)
    labels = runs.label(reach=reach)
    expected, n = ndimage.label(mask, np.ones((3, 3)) if reach else None)
    assert len(set(labels.tolist())) == n
    assert same_partition(labels, expected[runs.rows, runs.starts])


@given(masks, st.integers(2, 4))
def test_reach_joins_pixels_at_that_distance(mask, reach):
    runs = Runs.from_mask(mask)
    rows, cols = np.nonzero(mask)
    near = np.maximum(abs(rows[:, None] - rows), abs(cols[:, None] - cols)) <= reach
    from scipy.sparse.csgraph import connected_components

    _, expected = connected_components(near)
    assert same_partition(runs.label(reach=reach)[runs.find(rows, cols)], expected)


@given(masks, st.integers(0, 12))
def test_holes_are_enclosed_background(mask, max_area):
    labels, n = ndimage.label(~mask)
    border = set(labels[[0, -1], :].ravel()) | set(labels[:, [0, -1]].ravel())
    expected = np.zeros_like(mask)
    for k in range(1, n + 1):
        if k not in border and (labels == k).sum() <= max_area:
            expected |= labels == k
    found = Runs.from_mask(mask).holes(max_area=max_area).to_mask(whole(mask))
    assert np.array_equal(found, expected)


@given(masks, st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20))
def test_within_is_a_crop(mask, row, col, height, width):
    window = Window(col, row, width, height)
    expected = np.zeros((height, width), bool)
    crop = mask[row : row + height, col : col + width]
    expected[: crop.shape[0], : crop.shape[1]] = crop
    assert np.array_equal(Runs.from_mask(mask).to_mask(window), expected)


@given(masks, st.randoms(use_true_random=False))
def test_intersection_is_a_logical_and(mask, random):
    other = np.array([[random.random() < 0.5 for _ in row] for row in mask])
    common = Runs.from_mask(mask).intersection(Runs.from_mask(other))
    assert np.array_equal(common.to_mask(whole(mask)), mask & other)
    assert np.allclose(common.weights, common.lengths)


@given(masks, st.randoms(use_true_random=False))
def test_difference_is_what_the_other_leaves(mask, random):
    other = np.array([[random.random() < 0.5 for _ in row] for row in mask])
    rest = Runs.from_mask(mask).difference(Runs.from_mask(other))
    assert np.array_equal(rest.to_mask(whole(mask)), mask & ~other)
    assert np.allclose(rest.weights, rest.lengths)


@given(masks)
@settings(max_examples=50)
def test_find(mask):
    rows, cols = np.indices(mask.shape)
    assert np.array_equal(Runs.from_mask(mask).find(rows, cols) >= 0, mask)


@given(masks)
def test_measures_add_up(mask):
    runs = Runs.from_mask(mask, np.full(mask.shape, 0.25))
    parts = measure(runs, runs.label())
    assert parts.areas.sum() == mask.sum()
    assert np.allclose(parts.confidences, 0.25)


@pytest.mark.parametrize(("height", "width"), [(3, 17), (17, 3), (1, 1), (5, 5)])
def test_rectangle_has_its_own_length_and_width(height, width):
    runs = Runs.from_mask(np.ones((height, width), bool), row=100, col=50)
    m = measure(runs, runs.label())
    assert m.lengths[0] == pytest.approx(max(height, width))
    assert m.widths[0] == pytest.approx(min(height, width))
    assert (m.tops[0], m.bottoms[0], m.lefts[0], m.rights[0]) == (100, 100 + height, 50, 50 + width)


def test_a_diagonal_points_down_right():
    runs = Runs.from_mask(np.eye(20, dtype=bool))
    assert measure(runs, runs.label()).angles[0] == pytest.approx(np.pi / 4)
