"""The two steps on graphs whose answer is known: a pixel is cloud if bright, shadow if dark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.errors import ModelError
from clearscene.grid import slices
from clearscene.inspection.constraint import Constraint, Mode
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.inspection.two_step import TwoStep, TwoStepOptions
from clearscene.models.model import Model, Screening
from clearscene.stream import StreamPlan
from tests.onnx_graphs import brightness_folder, edit_manifest

CLOUD, SHADOW, TRACE = (BY_NAME[n].id for n in ("cloud", "shadow", "stitching_trace"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model.load(brightness_folder(tmp_path_factory.mktemp("two_heads")), device="cpu")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return Model.load(brightness_folder(tmp_path_factory.mktemp("one_head"), screen=False), device="cpu")


def make_scene(height, width, seed, *, n_blocks=3):
    """Gray noise that is neither, with bright and dark blocks; every band and pixel differs."""
    random = np.random.default_rng(seed)
    scene = random.integers(90, 140, (3, height, width)).astype(np.uint8)
    for i in range(n_blocks):
        row, col = random.integers(0, height), random.integers(0, width)
        low, high = ((200, 256), (0, 30))[i % 2]
        block = scene[:, row : row + 1 + random.integers(0, 40), col : col + 1 + random.integers(0, 40)]
        block[:] = random.integers(low, high, block.shape)
    valid = random.random((height, width)) > 0.05
    return scene, valid


def reader(scene, valid):
    def read(window, out_shape):
        rows, cols = slices(window)
        part, mask = scene[:, rows, cols], valid[rows, cols]
        factor = part.shape[1] // out_shape[0]
        if factor > 1:  # the mean of whole blocks
            assert part.shape[1:] == (out_shape[0] * factor, out_shape[1] * factor)
            blocks = part.reshape(3, out_shape[0], factor, out_shape[1], factor)
            part = blocks.mean(axis=(2, 4)).astype(np.uint8)
            mask = mask.reshape(blocks.shape[1:]).any(axis=(1, 3))
        return part, mask

    return read


def by_hand(scene, valid):
    mean = scene.astype(float).mean(axis=0) / 255
    return (mean > 0.7) & valid, (mean < 0.15) & valid


def collect(pieces, shape):
    """Masks by type, and a check that pieces of a type are disjoint."""
    masks, confidence = {}, {}
    for piece in pieces:
        rows, cols = slices(piece.window)
        mask = masks.setdefault(piece.type_id, np.zeros(shape, bool))
        assert not (mask[rows, cols] & piece.mask).any()
        mask[rows, cols] |= piece.mask
        held = confidence.setdefault(piece.type_id, np.zeros(shape, np.float32))
        held[rows, cols][piece.mask] = piece.confidence[piece.mask]
    return masks, confidence


def run(model, scene, valid, options=None, plan=None):
    two_step = TwoStep(model, options)
    pieces = two_step.stream(reader(scene, valid), *valid.shape, plan)
    return (*collect(pieces, valid.shape), two_step.statistics)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_masks_are_those_computed_by_hand(model, height, width, seed, strip_width):
    scene, valid = make_scene(height, width, seed)
    masks, _, statistics = run(model, scene, valid, plan=StreamPlan(strip_width=strip_width))
    cloud, shadow = by_hand(scene, valid)
    empty = np.zeros(valid.shape, bool)
    assert np.array_equal(masks.get(CLOUD, empty), cloud)
    assert np.array_equal(masks.get(SHADOW, empty), shadow)
    assert statistics.segmented <= statistics.screened == statistics.tiles - statistics.empty


def test_only_flagged_tiles_are_segmented(model):
    scene, valid = make_scene(300, 290, 1, n_blocks=0)
    scene[:, 40:44, 50:53] = 250
    masks, confidence, statistics = run(model, scene, valid)
    assert np.array_equal(masks[CLOUD], by_hand(scene, valid)[0])
    assert set(masks) == {CLOUD}
    assert 0 < statistics.segmented <= 4  # the tiles that hold the block
    assert statistics.flagged == {"cloud": statistics.segmented}
    assert statistics.flagged_fraction < 0.05
    assert confidence[CLOUD].max() <= 1
    assert set(statistics.seconds) == {"read", "screen", "segment", "combine"}


def test_a_model_without_a_screen_segments_everything(plain):
    scene, valid = make_scene(70, 45, 2)
    masks, _, statistics = run(plain, scene, valid)
    assert np.array_equal(masks[CLOUD], by_hand(scene, valid)[0])
    assert statistics.screened == 0
    assert statistics.segmented == statistics.tiles


def test_workers_and_strips_change_nothing(model):
    scene, valid = make_scene(150, 131, 3, n_blocks=6)
    results = [
        run(model, scene, valid, plan=StreamPlan(workers=w, ahead=a, strip_width=s))[:2]
        for w, a, s in ((1, 1, 10_000), (3, 7, 10_000), (2, 4, 40))
    ]
    for masks, confidence in results[1:]:
        assert masks.keys() == results[0][0].keys()
        for type_id in masks:
            assert np.array_equal(masks[type_id], results[0][0][type_id])
            np.testing.assert_allclose(confidence[type_id], results[0][1][type_id], atol=1e-6)


def test_types_not_asked_for_are_not_reported_and_do_not_cost(model):
    scene, valid = make_scene(180, 170, 4, n_blocks=0)
    scene[:, 8:70, 90:160], scene[:, 140:150, 20:33] = 240, 4
    only = TwoStepOptions(types=(BY_NAME["shadow"],))
    masks, _, statistics = run(model, scene, valid, only)
    everything = run(model, scene, valid)
    assert set(masks) == {SHADOW}
    assert np.array_equal(masks[SHADOW], everything[0][SHADOW])
    assert statistics.segmented < everything[2].segmented


def test_an_unreadable_scene_is_all_empty(model):
    scene, valid = make_scene(50, 60, 5)
    masks, _, statistics = run(model, scene, np.zeros_like(valid))
    assert masks == {}
    assert statistics.empty == statistics.tiles == 6


@pytest.mark.parametrize("strip_width", [10_000, 97])
def test_reduced_tiles_add_what_they_may_vote_on(tmp_path, strip_width):
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1, 4)), device="cpu")
    scene, valid = make_scene(260, 230, 6, n_blocks=0)
    valid[:] = True
    scene[:, 60:164, 40:120] = 250
    scene[:, 180:220, 20:60] = 5
    native = {BY_NAME["cloud"].id: by_hand(scene, valid)[0], BY_NAME["shadow"].id: by_hand(scene, valid)[1]}
    masks, confidence, _ = run(model, scene, valid, plan=StreamPlan(strip_width=strip_width))
    assert np.array_equal(masks[SHADOW], native[SHADOW])
    assert np.all(masks[CLOUD][native[CLOUD]])
    # reduced pixels lie within one reduced pixel of the truth
    extra = masks[CLOUD] & ~native[CLOUD]
    rows, cols = np.nonzero(masks[CLOUD])
    assert (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1) == pytest.approx((60, 164, 40, 120), abs=4)
    assert extra.mean() < 0.02
    assert confidence[CLOUD][native[CLOUD]].min() > 0.99


@pytest.mark.parametrize("strip_width", [10_000, 97])
def test_what_only_the_reduced_scale_sees_is_found_at_its_place(tmp_path, strip_width):
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1, 4)), device="cpu")
    scene, valid = make_scene(263, 231, 6, n_blocks=0)
    valid[:] = True
    scene[:, 60:164, 40:120] = 250
    plain_read = reader(scene, valid)

    def read(window, out_shape):
        data, mask = plain_read(window, out_shape)
        is_native = out_shape == (window.height, window.width)
        return (np.full_like(data, 100) if is_native else data), mask

    two_step = TwoStep(model)
    pieces = list(two_step.stream(read, *valid.shape, StreamPlan(strip_width=strip_width)))
    masks, _ = collect(pieces, valid.shape)
    truth = np.zeros(valid.shape, bool)
    truth[60:164, 40:120] = True
    union, both = (masks[CLOUD] | truth).sum(), (masks[CLOUD] & truth).sum()
    assert both / union > 0.99
    assert set(masks) == {CLOUD}


def test_the_strips_change_nothing_across_scales(tmp_path):
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1, 4)), device="cpu")
    scene, valid = make_scene(290, 315, 8, n_blocks=8)
    whole = run(model, scene, valid)
    cut = run(model, scene, valid, plan=StreamPlan(strip_width=60))
    assert whole[0].keys() == cut[0].keys()
    for type_id in whole[0]:
        assert np.array_equal(whole[0][type_id], cut[0][type_id])


def test_boundary_types_mark_the_square_of_the_tile(tmp_path):
    model = Model.load(brightness_folder(tmp_path, trace_above=0.5), device="cpu")
    scene, valid = make_scene(100, 120, 9, n_blocks=0)
    valid[:] = True
    scene[0, 0:40, 0:44] = 160  # fills the first tile and most of its neighbors
    masks, confidence, statistics = run(model, scene, valid)
    assert set(masks) == {TRACE}
    rows, cols = np.nonzero(masks[TRACE])
    assert masks[TRACE][:32, :32].all()
    assert (rows.max() + 1, cols.max() + 1) == (56, 56)  # tiles begin every 24 px
    assert np.all(confidence[TRACE][masks[TRACE]] == pytest.approx(1 / (1 + np.exp(-3))))
    assert statistics.segmented == 0


@pytest.mark.parametrize("mode", list(Mode))
def test_every_constraint_runs_and_clean_tiles_stay_clean(model, mode):
    scene, valid = make_scene(64, 50, 10)
    options = TwoStepOptions(constraint=Constraint(mode), screen=False)
    masks, _, statistics = run(model, scene, valid, options)
    assert statistics.segmented == statistics.tiles
    found, truth = masks[CLOUD], by_hand(scene, valid)[0]
    if mode is Mode.RELATIVE:  # as the paper warns, what the screen is sure of spreads over the tile
        assert np.all(found[truth])
    else:
        assert np.array_equal(found, truth)


def test_a_threshold_of_the_manifest_holds_for_every_pixel(tmp_path):
    """Cloud from a level of 178.5 on; a threshold of 0.99 needs a logit of 4.6, which is 11.7 levels more."""
    folder = edit_manifest(brightness_folder(tmp_path, screen=False), "id = 1", "id = 1\nthreshold = 0.99")
    scene, valid = make_scene(60, 50, 11, n_blocks=0)
    scene[:, :, :20] = np.arange(178, 198)
    masks, confidence, _ = run(Model.load(folder, device="cpu"), scene, valid)
    mean = scene.astype(float).mean(axis=0) / 255
    expected = (100 * (mean - 0.7) > np.log(99)) & valid
    assert expected.any()
    assert np.array_equal(masks.get(CLOUD, np.zeros_like(valid)), expected)
    assert confidence[CLOUD][expected].min() >= 0.99


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('task = "inspection"', 'task = "cloud_mask"', "made for cloud_mask, not for inspection"),
        ("id = 2", "id = 5", "class 'shadow' with id 5 is no type of inspection"),
        ("'missing'", "'fog'", r"screen.types names \['fog'\]"),
    ],
)
def test_models_that_are_not_for_inspection(tmp_path, old, new, message):
    model = Model.load(edit_manifest(brightness_folder(tmp_path), old, new), device="cpu")
    with pytest.raises(ModelError, match=message):
        TwoStep(model)


def test_the_types_that_can_be_found(model):
    assert [t.name for t in TwoStep(model).types] == ["cloud", "shadow", "stitching_trace", "misalignment"]
    assert TwoStep(model, TwoStepOptions(types=(BY_NAME["stripe"],))).types == ()


@pytest.mark.parametrize("reductions", [(4,), (1, 2, 8)])
def test_any_scales_work_and_reach_the_edges(tmp_path, reductions):
    """All bright: whatever the scales, every valid pixel is cloud, also past the last whole reduced pixel."""
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=reductions), device="cpu")
    height, width = 303, 205

    def read(window, out_shape):
        return np.full((3, *out_shape), 250, np.uint8), np.ones(out_shape, bool)

    masks, _ = collect(TwoStep(model).stream(read, height, width, StreamPlan(strip_width=90)), (height, width))
    assert masks[CLOUD].all()


class CellsModel:
    """Screens by red: a cell (of 8 px) shows a trace where it is bright, the tile where any cell does."""

    has_screen = True

    def __init__(self, model, n_cells=(4, 4)):
        self.manifest, self._model, self.n_cells = model.manifest, model, n_cells

    def prepare(self, display, valid):
        return self._model.prepare(display, valid)

    def screen(self, image):
        rows, cols = self.n_cells
        red = image[0, 0].reshape(rows, 32 // rows, cols, 32 // cols).mean(axis=(1, 3))  # a tile of 32 px
        types = self.manifest.screen.types
        cells = np.full((len(types), rows, cols), -9.0, np.float32)
        cells[types.index("stitching_trace")] = (red - 0.3) * 100
        return Screening(cells.max(axis=(1, 2)), {}, cells)

    def segment(self, image, features=None):
        return self._model.segment(image, features)


@pytest.mark.parametrize("strip_width", [10_000, 40])
def test_a_square_is_trimmed_to_the_cells_that_show_the_seam(tmp_path, strip_width):
    model = CellsModel(Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1,)), device="cpu"))
    scene = np.full((3, 96, 120), 100, np.uint8)
    scene[0, :, 48:56] = 250  # a seam down the middle
    masks, _, _ = run(model, scene, np.ones((96, 120), bool), plan=StreamPlan(strip_width=strip_width))
    rows, cols = np.nonzero(masks[TRACE])
    assert masks[TRACE][:, 48:56].all()
    assert cols.min() >= 48 - 16  # a cell and its neighbors, not the tile
    assert cols.max() < 56 + 16
    assert (rows.min(), rows.max()) == (0, 95)


def test_a_scene_within_one_tile_is_not_read_at_a_coarser_scale(tmp_path):
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1, 4)), device="cpu")
    for (height, width), n_tiles in (((30, 32), 1), ((30, 33), 3)):
        scene, valid = make_scene(height, width, 2)
        assert run(model, scene, valid)[2].tiles == n_tiles


def test_a_scene_within_one_tile_of_a_coarser_scale_is_read_no_coarser(tmp_path):
    model = Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1, 2, 4)), device="cpu")
    for size, reductions in ((32, [1]), (64, [1, 2]), (65, [1, 2, 4])):
        assert [grid.spec.reduction for grid in TwoStep(model)._grids(20, size)] == reductions


@pytest.mark.parametrize(("n_cells", "reach"), [((4, 4), (8, 8)), ((8, 4), (4, 8)), ((4, 8), (8, 4))])
def test_cells_lie_where_they_were_computed_in_a_scene_that_ends_within_one(tmp_path, n_cells, reach):
    """27 rows and 29 columns in a tile of 32 px: the last cell is cut, the others keep their size."""
    model = CellsModel(Model.load(brightness_folder(tmp_path, tile_size=32, reductions=(1,)), device="cpu"), n_cells)
    scene = np.full((3, 27, 29), 100, np.uint8)
    scene[0, 8:16, 8:16] = 250
    masks, _, _ = run(model, scene, np.ones((27, 29), bool))
    rows, cols = np.nonzero(masks[TRACE])
    assert (rows.min(), rows.max() + 1) == (8 - reach[0], 16 + reach[0])  # whole cells, and one more around
    assert (cols.min(), cols.max() + 1) == (8 - reach[1], 16 + reach[1])
