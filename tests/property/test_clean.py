"""Cleaning and the class map against whole-array morphology of scipy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from clearscene.grid import Grid, windows
from clearscene.inspection import class_map
from clearscene.inspection.clean import Cleaning, clean, smallest_area, sure_regions, without_lost
from clearscene.runs import Runs

sizes = st.tuples(st.integers(3, 20), st.integers(3, 25))
DISK = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]], bool)


def bools(shape):
    return hnp.arrays(np.bool_, shape, elements=st.booleans())


def everywhere(mask):
    return Runs.from_mask(np.ones_like(mask))


@given(sizes.flatmap(bools))
def test_nothing_to_clean_changes_nothing(mask):
    grid = Grid(*mask.shape)
    regions = clean(Runs.from_mask(mask), Cleaning(), inside=everywhere(mask), grid=grid)
    assert np.array_equal(regions.shape.to_mask(grid.window), mask)


@given(sizes.flatmap(lambda s: st.tuples(bools(s), bools(s))), st.integers(1, 12))
def test_grow_fill_and_drop_as_on_the_whole_mask(pair, min_area):
    mask, inside = pair
    mask = mask & inside
    grid = Grid(*mask.shape)
    how = Cleaning(dilation=2, fill_holes=9, min_area=min_area)
    regions = clean(Runs.from_mask(mask), how, inside=Runs.from_mask(inside), grid=grid)

    grown = ndimage.binary_dilation(mask, DISK)
    holes, n = ndimage.label(~grown)
    open_labels = set(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]).tolist())
    for k in set(range(1, n + 1)) - open_labels:
        if (holes == k).sum() <= 9:
            grown |= holes == k
    labels, n = ndimage.label(grown & inside, np.ones((3, 3)))
    detected = ndimage.sum_labels(mask, labels, np.arange(1, n + 1)) if n else []
    keep = 1 + np.flatnonzero(np.asarray(detected) >= min_area)
    assert np.array_equal(regions.shape.to_mask(grid.window), np.isin(labels, keep))
    assert sorted(regions.parts.areas.tolist()) == sorted(int(detected[k - 1]) for k in keep)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_class_map_keeps_the_priority_and_does_not_depend_on_windows(seed, size):
    rng = np.random.default_rng(seed)
    shape = (13, 17)
    grid = Grid(*shape)
    inspected = rng.random(shape) < 0.9
    masks = {t: (rng.random(shape) < 0.3) & inspected for t in (1, 2, 7, 9, 10)}
    confidence = {t: np.full(shape, rng.uniform(0.1, 1), np.float32) for t in masks}
    regions = {
        t: clean(Runs.from_mask(m, confidence[t]), Cleaning(), inside=Runs.from_mask(inspected), grid=grid)
        for t, m in masks.items()
    }
    expected = np.zeros(shape, np.uint8)
    by_confidence = sorted((1, 2), key=lambda t: confidence[t][0, 0])
    for t in [7, *by_confidence, 9, 10]:
        expected[masks[t]] = t
    expected[~inspected] = 255
    drawn = np.zeros(shape, np.uint8)
    for w in windows(*shape, size):
        part = class_map.paint(w, regions, Runs.from_mask(inspected))
        drawn[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] = part
    assert np.array_equal(drawn, expected)


def test_bands_of_the_class_map_cover_the_scene(monkeypatch):
    monkeypatch.setattr(class_map, "BAND_BYTES", 4 * 17 * 3)
    grid = Grid(10, 17)
    inspected = Runs.from_mask(np.ones((10, 17), bool))
    bands = list(class_map.class_bands(grid, {}, inspected))
    assert [row for row, _ in bands] == [0, 3, 6, 9]
    assert sum(len(band) for _, band in bands) == 10


def test_smallest_area_is_the_smaller_limit():
    from affine import Affine
    from rasterio.crs import CRS

    grid = Grid(60_000, 60_000, Affine(0.5, 0, 500_000, 0, -0.5, 2_960_000), CRS.from_epsg(32648))
    assert smallest_area(1e-4, 100.0, valid=grid.n_pixels, grid=grid) in range(399, 402)
    assert smallest_area(1e-4, 100.0, valid=10_000, grid=Grid(100, 100)) == 1
    assert smallest_area(1e-4, 100.0, valid=3_600_000_000, grid=Grid(60_000, 60_000)) == 360_000


@given(sizes.flatmap(bools), st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.integers(2, 9))
def test_sure_regions_are_kept_whole_and_the_others_dropped_whatever_the_windows(mask, seed, least, side):
    chances = np.random.default_rng(seed).integers(1, 100, mask.shape).astype(np.float32) / 100
    grid = Grid(*mask.shape)
    parts = [
        Runs.from_mask(mask[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width],
                       chances[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width],
                       row=w.row_off, col=w.col_off)
        for w in windows(grid.height, grid.width, side)
    ]  # fmt: skip
    kept = sure_regions(Runs.union(parts), least).to_mask(grid.window)

    labels, n = ndimage.label(mask, np.ones((3, 3)))
    means = ndimage.mean(chances.astype(np.float64), labels, np.arange(1, n + 1)) if n else np.empty(0)
    clear_cut = np.abs(np.asarray(means) - least) > 1e-6
    for k in np.flatnonzero(clear_cut) + 1:
        inside = labels == k
        assert kept[inside].all() if means[k - 1] >= least else not kept[inside].any()
    assert not (kept & ~mask).any()


@given(sizes.flatmap(bools))
def test_where_no_mean_is_asked_for_nothing_is_dropped(mask):
    found = Runs.from_mask(mask, np.full(mask.shape, 0.1, np.float32))
    assert np.array_equal(sure_regions(found, 0.0).to_mask(Grid(*mask.shape).window), mask)


@given(st.tuples(sizes).flatmap(lambda size: st.tuples(bools(size[0]), bools(size[0]))))
def test_a_region_of_which_half_is_lost_is_dropped_whole(masks):
    mask, lost = masks
    kept = without_lost(Runs.from_mask(mask), Runs.from_mask(lost)).to_mask(Grid(*mask.shape).window)

    labels, n = ndimage.label(mask, np.ones((3, 3)))
    for k in range(1, n + 1):
        region = labels == k
        is_lost = np.count_nonzero(region & lost) >= 0.5 * np.count_nonzero(region)
        assert kept[region].any() != is_lost
        assert kept[region].all() != is_lost
    assert not (kept & ~mask).any()
