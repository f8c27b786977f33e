"""Laws of cloud masks: collapsing, growing, looking again, averaging, and how a scene is cut."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.windows import Window
from scipy import ndimage

from clearscene.grid import Grid, slices
from clearscene.masking.augmentation import adaptive_mean, isolated
from clearscene.masking.buffer import buffered, grow
from clearscene.masking.classes import collapse, decide, merge
from clearscene.masking.combine import Doubled, Ensemble, Halved, Wide
from clearscene.masking.engine import mask_pieces
from clearscene.masking.masker import ModelMasker, log_softmax
from clearscene.masking.quality import ONLY_OURS, ONLY_QA, agreement_map
from clearscene.masking.source import ReducedSource, array_source
from clearscene.masking.wide import LEAST, joined, without_water
from clearscene.models.model import Model
from clearscene.stream import StreamPlan
from tests.mask_models import RGBN, cloudy, level_folder

CODES = st.sampled_from([0, 1, 2, 3, 255])
SHAPES = st.tuples(st.integers(1, 17), st.integers(1, 19))
MAPS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=CODES))
RADII = st.tuples(st.floats(0, 6), st.floats(0, 6))


@st.composite
def chances(draw):
    seed, height, width = draw(st.integers(0, 2**31)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng = np.random.default_rng(seed)
    sharpness = draw(st.sampled_from([0.2, 1.0, 5.0]))
    return rng.dirichlet(np.full(4, sharpness), (height, width)).transpose(2, 0, 1).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(MAPS)
def test_collapsing_in_steps_is_collapsing_at_once(class_map):
    assert np.array_equal(collapse(class_map, 4), class_map)
    assert np.array_equal(collapse(collapse(class_map, 3), 2), collapse(class_map, 2))
    assert np.array_equal(collapse(collapse(class_map, 3), 3), collapse(class_map, 3))


@settings(deadline=None, max_examples=40)
@given(chances(), st.sampled_from([4, 3, 2]))
def test_where_one_class_has_more_than_half_deciding_is_collapsing(found, classes):
    sure = found.max(axis=0) > 0.5
    assert np.array_equal(decide(found, classes)[sure], collapse(decide(found, 4), classes)[sure])
    np.testing.assert_allclose(merge(found, classes).sum(axis=0), found.sum(axis=0), rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(MAPS, RADII)
@example(np.array([[1, 0, 0]], np.uint8), (0.0, 1.9999999999999991))
@example(np.array([[1], [0], [0]], np.uint8), (1.9999999999999991, 0.0))
def test_growing_is_dilation_by_the_ellipse(class_map, radius):
    mask = class_map == 1
    rows, cols = np.indices((13, 13)) - 6
    down, across = (max(r, 1e-9) for r in radius)
    reach = across * np.sqrt(np.maximum(0, 1 - (rows / down) ** 2)) + 1e-9  # whole pixels, but for rounding
    inside = (np.abs(rows) <= down + 1e-9) & (np.abs(cols) <= reach)
    expected = ndimage.binary_dilation(mask, inside | ((rows == 0) & (cols == 0)))
    assert np.array_equal(grow(mask, radius), expected)


@settings(deadline=None, max_examples=40)
@given(MAPS, RADII, st.integers(3, 9))
def test_a_buffer_grows_what_is_marked_and_touches_nothing_else(class_map, radius, window):
    grid = Grid(*class_map.shape)
    result = np.full_like(class_map, 77)
    for place, part in buffered(lambda w: class_map[slices(w)], grid, radius, window=window):
        result[slices(place)] = part
    marked = (class_map != 0) & (class_map != 255)
    nodata = class_map == 255
    assert np.array_equal(result[marked | nodata], class_map[marked | nodata])
    assert np.array_equal((result != 0) & ~nodata, grow(marked, radius) & ~nodata)
    whole = np.concatenate([part for _, part in buffered(lambda w: class_map[slices(w)], grid, radius)])
    assert np.array_equal(result, whole)


@settings(deadline=None, max_examples=40)
@given(MAPS)
def test_isolated_pixels_are_those_that_a_count_of_neighbors_finds(class_map):
    padded = np.pad(class_map, 1)
    expected = 0
    for row, col in np.ndindex(class_map.shape):
        around = padded[row : row + 3, col : col + 3].ravel()
        expected += int((np.delete(around, 4) != class_map[row, col]).all())
    assert isolated(class_map) == expected


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(0, 7))
def test_looking_again_changes_nothing_of_a_network_that_turns_with_its_input(seed, depth):
    image = np.random.default_rng(seed).uniform(0, 1, (1, 4, 16, 16)).astype(np.float32)

    def look(tile):
        return log_softmax(3 * tile[0])

    np.testing.assert_allclose(adaptive_mean(look, image, depth=depth), look(image), rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(MAPS.flatmap(lambda m: st.tuples(st.just(m), arrays(np.uint8, m.shape, elements=CODES))))
def test_agreement_is_fair_to_both_sides(pair):
    ours, theirs = pair
    one, other = agreement_map(ours, theirs), agreement_map(theirs, ours)
    swapped = one.copy()
    swapped[one == ONLY_OURS], swapped[one == ONLY_QA] = ONLY_QA, ONLY_OURS
    assert np.array_equal(other, swapped)


@settings(deadline=None, max_examples=40)
@given(chances(), st.integers(0, 2**31))
def test_over_open_water_the_wide_look_finds_no_cloud_and_elsewhere_the_same(found, seed):
    shape = found.shape[1:]
    rng = np.random.default_rng(seed)
    valid, is_water = rng.random(shape) < 0.8, rng.random(shape) < 0.5
    brightness = rng.uniform(0.02, 0.9, shape).astype(np.float32)
    planes = {"green": brightness, "nir": np.where(is_water, np.float32(0.7), np.float32(0.95)) * brightness}
    result = without_water(found, planes, valid, kind="toa")
    changed = is_water & valid
    assert not result[1:3][:, changed].any()
    assert np.array_equal(result[:, ~changed], found[:, ~changed])
    assert np.array_equal(result[3], found[3])
    np.testing.assert_allclose(result.sum(axis=0), found.sum(axis=0), rtol=1e-5)
    for kind, seen in (("display", planes), ("toa", {"green": planes["green"]}), ("surface", {"nir": planes["nir"]})):
        assert np.array_equal(without_water(found, seen, valid, kind=kind), found)


@pytest.fixture(scope="module")
def masker(tmp_path_factory):
    return ModelMasker(Model.load(level_folder(tmp_path_factory.mktemp("models") / "level"), device="cpu"))


def whole(source, masker, plan=None, classes=4):
    grid = source.grid
    class_map = np.full((grid.height, grid.width), 77, np.uint8)
    found = np.zeros((classes, grid.height, grid.width), np.float32)
    for piece in mask_pieces(source, masker, classes=classes, plan=plan or StreamPlan(1, 2)):
        assert (class_map[slices(piece.window)] == 77).all(), "pieces overlap"
        class_map[slices(piece.window)] = piece.class_map
        found[(slice(None), *slices(piece.window))] = piece.probabilities
    return class_map, found


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(32, 200))
def test_neither_threads_nor_strips_change_a_mask(masker, workers, ahead, strip):
    data, _ = cloudy(83, 117)
    data[:, 70:, :20] = np.nan
    source = array_source(data, RGBN)
    plan = StreamPlan(workers, ahead, strip)
    class_map, found = whole(source, masker, plan)
    expected, expected_found = whole(source, masker)
    assert np.array_equal(class_map, expected)
    np.testing.assert_allclose(found, expected_found, atol=1e-6)
    assert np.array_equal(class_map == 255, np.isnan(data[0]))


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.integers(32, 200), st.integers(2, 5), st.integers(1, 150), st.integers(1, 150))
@example(1, 32, 3, 1, 1)
def test_neither_threads_nor_strips_change_a_wide_look(masker, workers, strip, factor, height, width):
    data, _ = cloudy(height, width)
    data[:, 20:40, :20] = np.nan
    source, wide = array_source(data, RGBN), Wide(masker, masker, factor)
    class_map, found = whole(source, wide, StreamPlan(workers, 2 * workers, strip))
    expected, expected_found = whole(source, wide)
    _, near_found = whole(source, masker)
    np.testing.assert_allclose(found, expected_found, atol=1e-5)
    assert (class_map != expected).mean() < 0.001  # where two classes are level
    assert np.array_equal(class_map == 255, np.isnan(data[0]))
    valid = class_map != 255
    np.testing.assert_allclose(found.sum(axis=0)[valid], 1, atol=1e-4)
    assert (found[1:3].sum(axis=0) >= near_found[1:3].sum(axis=0) - 1e-4)[valid].all()
    assert (near_found[3] >= found[3] - 1e-4)[valid].all()


@settings(deadline=None, max_examples=40)
@given(chances(), st.integers(0, 2**31))
def test_a_wide_look_only_adds_cloud(near, seed):
    far = np.random.default_rng(seed).dirichlet(np.full(4, 0.4), near.shape[1:]).transpose(2, 0, 1).astype(np.float32)
    found = joined(near, far)
    cloud, veil, before = (p[1] + p[2] for p in (found, far, near))
    is_clear = np.maximum(near[1], near[2]) <= np.maximum(near[0], near[3])
    wins = is_clear & (veil >= LEAST) & (veil > before)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(cloud, np.where(wins, veil, before), atol=1e-6)
    np.testing.assert_allclose(found[0] * near[3], found[3] * near[0], atol=1e-6)  # they share as they did
    assert np.array_equal(found[:, ~wins], near[:, ~wins])
    for classes in (2, 3, 4):
        one, other = decide(near, classes), decide(found, classes)
        assert np.isin(other[np.isin(one, (1, 2))], (1, 2)).all()  # what was cloud is cloud


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 5), st.integers(0, 2**31))
def test_a_reduced_source_holds_means(height, width, factor, seed):
    rng = np.random.default_rng(seed)
    data = rng.uniform(0, 1, (3, height, width)).astype(np.float32)
    data[:, rng.uniform(size=(height, width)) < 0.3] = np.nan
    source = ReducedSource(array_source(data, RGBN[:3]), factor)
    grid, part = source.grid, Window(0, 0, 1, 1)
    assert (grid.height, grid.width) == (-(-height // factor), -(-width // factor))
    pixels = source.read(grid.window, bands=RGBN[:3])
    cell = data[:, :factor, :factor]
    known = ~np.isnan(cell[0])
    assert pixels.valid[0, 0] == (known.mean() >= 0.5)
    if pixels.valid[0, 0]:
        np.testing.assert_allclose(pixels.data[:, 0, 0], cell[:, known].mean(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(source.read(part, bands=RGBN[:3]).data, pixels.data[:, :1, :1])


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**31))
def test_one_model_twice_is_that_model_and_other_sizes_cover_the_scene(masker, height, width, seed):
    rng = np.random.default_rng(seed)
    source = array_source(rng.uniform(0, 1, (4, height, width)).astype(np.float32), RGBN)
    once, twice = whole(source, masker), whole(source, Ensemble((masker, masker)))
    assert np.array_equal(once[0], twice[0])
    np.testing.assert_allclose(once[1], twice[1], atol=1e-6)
    for other in (Halved(masker), Doubled(masker)):
        found, chance = whole(source, other)
        assert not np.isin(found, (77, 255)).any()
        np.testing.assert_allclose(chance.sum(axis=0), 1, atol=1e-4)
