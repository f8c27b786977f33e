"""Parts of the fusion that need no files: shifts, places, checks, plans, options."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from clearscene.errors import BandError, GridError, OptionError, SceneError
from clearscene.fusion import tone
from clearscene.fusion.checks import agree
from clearscene.fusion.engine import Fusion, Piece, window_size
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage, Part, in_order, told_apart
from clearscene.fusion.lying import shifted, whole_offset
from clearscene.fusion.members import Overview, find_reference
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.placing import coarser, common_grid, place_of
from clearscene.fusion.plan import level_warnings, nodata_for, shift_warnings
from clearscene.fusion.preview import Preview
from clearscene.fusion.shifting import Shift, estimate_shift, register
from clearscene.grid import Grid, slices, windows
from clearscene.raster.stretch import Stretch
from tests.scenes import ground

UTM = CRS.from_epsg(32633)
PLACE = Affine(10, 0, 600_000, 0, -10, 5_000_000)


def image(name="a", *, date="", dtype="uint16", lines=None, col=0, row=0, crs=UTM, size=(50, 60), pixel=1.0, **more):
    grid = Grid(*size, PLACE * Affine.translation(col, row) * Affine.scale(pixel), crs)
    bands = lines or dict.fromkeys(("red", "green", "blue"), (1.0, 0.0))
    part = Part(f"{name}.tif", None, {band: band for band in bands}, None, grid)
    given = {"nodata": None, "is_full": True, "has_scale": False, **more}
    return FuseImage(f"{name}.tif", name, date, dtype, (part,), bands, "toa", **given)


def test_images_are_in_the_order_of_dates_then_names():
    images = [image("z", date="2020-01-02"), image("b"), image("c", date="2019-05-01"), image("a")]
    assert [i.name for i in in_order(images)] == ["c", "z", "a", "b"]
    assert in_order(images[::-1]) == in_order(images)


def at(path, name="B"):
    return replace(image(name), path=path)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("/x/clear/B.tif", "/x/cloudy/B.tif", "/x/C.tif"), ("clear_B", "cloudy_B", "C")),
        (("/x/1/img/B.tif", "/x/2/img/B.tif"), ("1_img_B", "2_img_B")),
        (("/x/B.tif", "/x/b.png"), ("B-1", "b-2")),
        (("/x/a/B.tif", "/x/b/B.tif", "/x/a_B.tif"), ("x_a_B", "x_b_B", "a_B")),
    ],
)
def test_images_of_one_name_are_told_apart_by_their_folders(paths, names):
    images = [at(path, path.split("/")[-1].split(".")[0]) for path in paths]
    assert tuple(one.name for one in told_apart(images)) == names
    assert tuple(one.name for one in told_apart(images[::-1])) == names[::-1]


def test_what_has_other_bands_is_named_first():
    images = [*(image(name) for name in "abcde"), image("mask", lines={"gray": (1.0, 0.0)})]
    with pytest.raises(ImageError, match="mask has gray; a, b and 3 more have red, green, blue"):
        agree(images, FuseOptions())


def test_a_shift_is_warned_of_in_the_direction_that_mends_it():
    (warning,) = shift_warnings([image("a")], {"a.tif": Shift(-2.3, 1.4, 5)}, FuseOptions())
    assert warning == "a lies 2.7 pixels beside the reference; --align moves it 2.3 px up, 1.4 px right."


def test_many_shifts_share_one_warning():
    images = [image(name) for name in "abcdef"]
    shifts = {f"{name}.tif": Shift(0.0, -0.6 - place / 10, 5) for place, name in enumerate("abcd")}
    (warning,) = shift_warnings(images, shifts, FuseOptions())
    assert warning == "4 of 6 images lie more than 0.5 pixels beside the reference, d 0.9; --align moves them."
    assert len(shift_warnings(images[:3], shifts, FuseOptions())) == 3


def test_values_of_another_order_are_warned_of():
    images = [image(name) for name in "abc"]
    samples = [np.full(9, 800.0), np.full(9, 0.08), np.full(9, 9000.0)]
    (warning,) = level_warnings(images, samples)
    assert warning.startswith("b: half of its values are below 0.08, of the images together 800.")
    assert level_warnings(images, [np.full(9, 80.0), np.full(9, 2000.0), np.empty(0)]) == []
    assert level_warnings(images, [np.empty(0)] * 3) == []
    assert level_warnings(images, [np.zeros(9), np.ones(9), np.ones(9)]) == []


def test_pixels_that_coincide_have_a_whole_offset():
    grid = Grid(50, 60, PLACE, UTM)
    assert whole_offset(Grid(7, 9, PLACE * Affine.translation(5, -3), UTM), grid) == (-3, 5)
    assert whole_offset(Grid(7, 9, PLACE * Affine.translation(5.3, -3), UTM), grid) is None
    assert whole_offset(Grid(7, 9, PLACE * Affine.scale(2), UTM), grid) is None
    assert whole_offset(Grid(7, 9, PLACE, CRS.from_epsg(32634)), grid) is None


def test_a_whole_shift_moves_by_whole_pixels():
    grid = Grid(50, 60, PLACE, UTM)
    moved = shifted(Grid(20, 20, PLACE, UTM), grid, (3.0, -2.0))
    assert whole_offset(moved, grid) == (3, -2)


def test_the_union_and_the_intersection():
    one, other = image("a"), image("b", col=20, row=-10)
    grid = common_grid([one, other], FuseOptions())
    assert (grid.height, grid.width) == (60, 80)
    assert place_of(one.grid, grid) == pytest.approx((0, 10, 60, 60))
    assert place_of(other.grid, grid) == pytest.approx((20, 0, 80, 50))
    common = common_grid([one, other], FuseOptions(extent="intersection"))
    assert (common.height, common.width) == (40, 40)


def test_the_finest_image_gives_the_pixels():
    coarse, fine = image("a", pixel=3.0), image("b", col=4, row=4)
    grid = common_grid([coarse, fine], FuseOptions())
    assert whole_offset(fine.grid, grid) is not None
    assert grid.resolution == (10, 10)
    assert common_grid([fine, coarse], FuseOptions()) == grid


def test_images_that_lie_apart_are_named():
    with pytest.raises(SceneError, match=r"a\.tif does not overlap any other image"):
        common_grid([image("a"), image("b", col=100), image("c", col=104)], FuseOptions())
    with pytest.raises(GridError, match=r"a\.tif and b\.tif do not overlap"):  # which one is wrong, nobody knows
        common_grid([image("a"), image("b", col=100)], FuseOptions())
    with pytest.raises(SceneError, match="does not overlap the grid that was asked for"):
        common_grid([image("a")], FuseOptions(bounds=(0, 0, 100, 100)))


def test_an_image_without_a_crs_among_others_is_named():
    with pytest.raises(SceneError, match=r"b\.tif has no CRS"):
        common_grid([image("a"), image("b", crs=None)], FuseOptions())
    assert common_grid([image("a", crs=None), image("b", crs=None)], FuseOptions()).crs is None


def test_a_coarser_grid_covers_the_same_ground():
    grid, factor = coarser(Grid(1000, 517, PLACE, UTM), 256)
    assert (grid.height, grid.width, factor) == (250, 130, 4)
    assert grid.resolution == (40, 40)


def test_different_bit_depths_are_an_error():
    with pytest.raises(SceneError, match=r"b\.tif is uint8, a\.tif is uint16"):
        agree([image("a"), image("b", dtype="uint8")], FuseOptions())


def test_mixed_scaling_is_an_error_with_a_remedy():
    old = dict.fromkeys(("red", "green"), (1e-4, 0.0))
    new = dict.fromkeys(("red", "green"), (1e-4, -0.1))
    images = [image("a", lines=old, has_scale=True), image("b", lines=new, has_scale=True)]
    with pytest.raises(SceneError, match=r"value \* 0\.0001 - 0\.1 in b\.tif") as caught:
        agree(images, FuseOptions())
    assert "--reflectance" in caught.value.hint
    assert agree(images, FuseOptions(reflectance=True)).dtype == "float32"


def test_reflectance_of_unknown_numbers_is_refused():
    with pytest.raises(SceneError, match="does not say how its values become reflectance"):
        agree([image("a")], FuseOptions(reflectance=True))


def test_bands_in_common_count_and_the_rest_is_noted():
    four = image("a", lines=dict.fromkeys(("red", "green", "nir"), (1.0, 0.0)))
    three = image("b", lines=dict.fromkeys(("green", "red"), (1.0, 0.0)))
    found = agree([four, three], FuseOptions())
    assert found.bands == ("red", "green")
    assert found.notes == ("Left out, because not every image has them: nir.",)
    with pytest.raises(ImageError, match=r"b\.tif lacks nir"):
        agree([four, three], FuseOptions(use=("nir",)))
    with pytest.raises(BandError, match="no band in common"):
        agree([four, image("c", lines={"gray": (1.0, 0.0)})], FuseOptions())


def test_the_nodata_value():
    grid = Grid(50, 60, PLACE, UTM)

    def chosen(*images, **options):
        given = FuseOptions(**options)
        return nodata_for(agree(images, given), images, grid, options=given, shifts={})

    assert chosen(image("a")) is None
    assert chosen(image("a"), masks=("m",)) == 0
    assert chosen(image("a"), masks=("m",), all_bad="least") is None
    assert chosen(image("a", is_full=False)) == 0
    assert chosen(image("a", col=1)) == 0
    assert chosen(image("a", is_full=False, dtype="int16")) == -32768
    assert chosen(image("a", nodata=9.0), image("b")) == 9
    assert np.isnan(chosen(image("a", dtype="float32")))


@pytest.mark.parametrize(("row", "col"), [(0, 0), (3, -5), (-7, 2)])
def test_whole_shifts_are_found(row, col):
    wide = ground(160, 190, seed=4)[0].astype(float)
    fixed, moved = wide[20:140, 20:170], wide[20 + row : 140 + row, 20 + col : 170 + col]
    found = register(fixed, moved, np.ones(fixed.shape, bool))
    assert found[:2] == pytest.approx((row, col), abs=0.1)
    assert found[2] > 0.1


@pytest.mark.parametrize(("row", "col"), [(0.5, 0.25), (-1.5, 0.75)])
def test_parts_of_pixels_are_found(row, col):
    fine = ground(640, 720, seed=5)[1].astype(float)
    base = fine.reshape(160, 4, 180, 4)

    def at(down, right):
        part = np.roll(fine, (-round(4 * down), -round(4 * right)), axis=(0, 1))
        return part.reshape(base.shape).mean(axis=(1, 3))[20:140, 20:160]

    found = register(at(0, 0), at(row, col), np.ones((120, 140), bool))
    assert found[:2] == pytest.approx((row, col), abs=0.2)


def test_noise_has_no_shift_and_clouds_do_not_hide_one():
    rng = np.random.default_rng(1)
    grid = Grid(400, 420, PLACE, UTM)
    wide = ground(430, 450, seed=6)[0].astype(float)
    good = rng.random((400, 420)) < 0.95
    good[90:150, 120:260] = False

    def reader(data):
        return lambda window: (data[slices(window)], good[slices(window)])

    still = reader(wide[10:410, 10:430])
    found = estimate_shift(still, reader(wide[8:408, 14:434]), grid.window)
    assert (found.row, found.col) == pytest.approx((-2, 4), abs=0.1)
    assert found.n_windows >= 1
    assert estimate_shift(still, reader(rng.normal(100, 10, (400, 420))), grid.window) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "mode"}, "--method"),
        ({"temperature": 0.0}, "--temperature"),
        ({"feather": 99}, "--feather"),
        ({"bounds": (5, 0, 1, 9)}, "--bounds"),
        ({"resolution": -1.0}, "--resolution"),
        ({"like": "x.tif", "resolution": 5.0}, "--like"),
        ({"masks": ("auto", "b")}, "--masks auto"),
        ({"workers": 0}, "--workers"),
        ({"on_error": "ignore"}, "--on-error"),
        ({"all_bad": "worst"}, "--all-bad"),
    ],
)
def test_options_that_cannot_work_are_refused(given, said):
    with pytest.raises(OptionError, match=said):
        FuseOptions(**given)


def test_the_record_of_options_tells_what_was_chosen():
    options = FuseOptions(method="median", bands={"red": 3}, masks=("a", "b"), align=True, workers=7)
    assert options.record() == {"method": "median", "bands": "red=3", "masks": "a,b", "align": "yes"}
    assert SimpleNamespace(**FuseOptions().record()) == SimpleNamespace()


def test_the_reference_is_the_best_of_those_that_show_nearly_all():
    valid = np.ones((4, 5), bool)
    few = valid & (np.arange(5) < 2)
    views = [
        Overview(np.full((1, 4, 5), value, np.float32), good, good)
        for value, good in ((1, valid), (2, valid), (9, few))
    ]
    images = [SimpleNamespace(name=name, path=f"{name}.tif") for name in "abc"]
    assert find_reference(images, views, "", qualities=[0.1, 0.4, 0.9]) == 1
    assert find_reference(images, views, "", qualities=[0.5, 0.4, 0.9]) == 0
    assert find_reference(images, views, "c", qualities=[0.5, 0.4, 0.1]) == 2


def test_all_bands_take_the_same_kind_of_line():
    flat, steep = tone.ToneLine(0.5, 10.0), tone.ToneLine(1.4, -90.0)
    bands = [tone.Tried((flat, steep), shares) for shares in ((0.60, 0.58), (0.5, 0.7), (0.6, 0.7))]
    assert tone.chosen(bands) == (steep, steep, steep)
    assert tone.chosen(bands[:1]) == (flat,)
    only = tone.Tried((flat, None), (0.4, 0.0))
    assert tone.chosen([*bands, only]) == (flat, flat, flat, flat)
    assert tone.chosen([only, tone.Tried((None, steep), (0.0, 0.4))]) == (flat, steep)
    assert tone.chosen([only, tone.Tried((None, None), (0.0, 0.0))]) is None


STRETCH = Stretch("percentiles", 0.0, 255.0, "float32")


@pytest.mark.parametrize("side", [300, 1000, 2300])
def test_small_pictures_do_not_depend_on_how_the_scene_is_cut(side):
    grid = Grid(side, side // 2, Affine(10, 0, 0, 0, -10, 0), CRS.from_epsg(32633))
    rng = np.random.default_rng(side)
    shown = np.repeat(np.repeat(rng.uniform(0, 255, (2, 3, side // 50, side // 100)), 50, axis=2), 50, axis=3)
    valid = np.ones((2, side, side // 2), np.bool_)

    def pictures(size):
        preview = Preview(grid, 2, display=(0, 1, 2), stretch=STRETCH, has_quality=True)
        for window in windows(grid.height, grid.width, size):
            rows, cols = slices(window)
            here = shown[..., rows, cols]
            preview.add(
                Piece(
                    window=window,
                    composite=here[0],
                    share=np.full((2, *here.shape[2:]), 0.5),
                    count=np.full(here.shape[2:], 2, np.uint16),
                    source=np.ones(here.shape[2:], np.uint16),
                    quality=4 * here[:, 0] / 255 - 2,
                    shown=here,
                    valid=valid[:, rows, cols],
                    unmasked=valid[:, rows, cols],
                    good=valid[:, rows, cols],
                )
            )
        return preview.image(0), preview.image(1), preview.result(), preview.share(1), preview.quality(1)

    whole = pictures(4096)
    assert max(whole[0].shape) <= 320
    for one, other in zip(whole, pictures(130), strict=True):
        np.testing.assert_array_equal(one, other)
    assert abs(float(whole[1].mean()) - float(shown[1].mean())) < 3
    np.testing.assert_array_equal(whole[0], whole[2])


@pytest.mark.parametrize(
    ("n_images", "feather_px", "side"),
    [(2, 0, 1024), (6, 0, 512), (6, 16, 640), (30, 0, 320), (5000, 0, 64)],
)
def test_windows_without_a_halo_are_of_whole_blocks(n_images, feather_px, side):
    """Of 6 images the memory would hold 704 pixels a side, which cut the blocks of nearly all files."""
    opened = SimpleNamespace(image=SimpleNamespace(bands=(1, 2, 3, 4), dtype=np.dtype(np.float32)))
    grid = Grid(5000, 5000, PLACE, UTM)
    fusion = Fusion((opened,) * n_images, grid, "median", feather_px=feather_px)
    assert window_size(fusion, workers=2, memory_limit=2_000_000_000) == side
