import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import SceneError
from clearscene.inspection.drawing import RING_RADIUS, draw_hatch, draw_quicklook, to_rgb
from clearscene.inspection.quicklook import draw_crop, make_pictures, rank
from clearscene.inspection.result import NotInspected, Report
from clearscene.inspection.taxonomy import BY_NAME
from tests import report_samples as samples

CLOUD = BY_NAME["cloud"].color
GROUNDS = [(0, 0, 0), (255, 255, 255), (0x4F, 0x9D, 0xDE), (128, 128, 128)]


def _ground(color: tuple[int, int, int], height: int = 97, width: int = 131) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8)[:, None, None], (3, height, width)).copy()


def _small(report: Report, height: int, width: int) -> Report:
    scene = report.scene.model_copy(update={"height": height, "width": width})
    return report.model_copy(update={"scene": scene, "not_inspected": []})


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("size", [0.001, 1, 5, 40])
def test_every_finding_shows_on_any_ground(ground: tuple[int, int, int], size: float) -> None:
    base = _ground(ground)
    picture = draw_quicklook(base, [shapely.box(60, 40, 60 + size, 40 + size)], [CLOUD])
    contrast = np.abs(picture.astype(int) - np.array(ground)).max(axis=2)
    rows, cols = np.nonzero(contrast > 60)
    assert len(rows) > 30
    reach = RING_RADIUS + 4
    assert rows.min() >= 40 - reach
    assert cols.max() <= 60 + size + reach


def test_fill_leaves_holes_and_outside_alone() -> None:
    base = _ground((128, 128, 128), 200, 240)
    ring = shapely.Point(120, 100).buffer(80).difference(shapely.Point(120, 100).buffer(40))
    picture = draw_quicklook(base, [ring], [CLOUD])
    assert (picture[100, 120] == 128).all()
    assert (picture[5, 5] == 128).all()
    assert picture[100, 60, 2] > picture[100, 60, 0] > 100  # blue laid over gray, not instead of it


def test_overlapping_findings_fill_their_union() -> None:
    base = _ground((128, 128, 128), 200, 240)
    pair = [shapely.box(20, 20, 120, 120), shapely.box(60, 60, 180, 180)]
    picture = draw_quicklook(base, pair, [CLOUD, CLOUD])
    assert (picture[90, 90] == picture[40, 40]).all()
    assert (picture[90, 90] != 128).any()


def test_one_band_becomes_gray_and_the_base_stays() -> None:
    base = np.arange(35, dtype=np.uint8).reshape(1, 5, 7)
    picture = to_rgb(base)
    assert picture.shape == (5, 7, 3)
    assert (picture[..., 0] == base[0]).all()
    picture[:] = 0
    assert base[0, 0, 1] == 1


def test_nothing_to_draw_is_the_base() -> None:
    base = samples.pixels()[:, :50, :70]
    assert (draw_quicklook(base, [], []) == base.transpose(1, 2, 0)).all()


def test_hatch_marks_small_gaps_and_stays_inside() -> None:
    picture = to_rgb(_ground((128, 128, 128)))
    draw_hatch(picture, [Window(130, 96, 0, 0), Window(10, 10, 30, 20)])
    assert (picture[10:30, 10:40] != 128).any(axis=2).all()
    assert (picture[31:60] == 128).all()
    assert (picture[96, 130] != 128).any()


def test_crop_leaves_the_defect_itself_untouched() -> None:
    base = samples.pixels()[:, :420, :420]
    picture = draw_crop(base, shapely.box(200, 100, 210, 300), BY_NAME["stripe"].color)
    inside = np.s_[102:298, 201:209]
    assert (picture[inside] == base.transpose(1, 2, 0)[inside]).all()
    red, green, blue = picture[200, 194].astype(int)
    assert red > 200 > green > blue


def test_rank_puts_the_costliest_first_and_the_rejected_last() -> None:
    assert [f.id for f in rank(samples.findings())] == [1, 2, 5, 6, 3, 4, 7, 8]


def test_pictures_of_a_report() -> None:
    scene = samples.pixels()
    pictures = make_pictures(samples.report(), samples.geometries(), samples.reader(scene))
    assert pictures.quicklook is not None
    assert pictures.quicklook.shape == (1089, 1600, 3)
    assert list(pictures.crops) == [1, 2, 5, 6, 3, 4, 7]
    assert {crop.shape for crop in pictures.crops.values()} == {(420, 420, 3)}
    # the missing pixel is black in the middle, ten times enlarged, and its neighbors are not
    dark = (pictures.crops[3] == 0).all(axis=2)
    assert dark[210:220, 210:220].all()
    # half a meter a pixel, 2209 pixels wide (UTM shortens by 0.9996 in its middle)
    assert pictures.quicklook_scale is not None
    assert pictures.quicklook_scale.meters == 200
    assert pictures.quicklook_scale.fraction == pytest.approx(200 / (2209 * 0.5) * 0.9996, rel=1e-3)
    assert pictures.crop_scales[3].meters == 5


def test_limit_gives_every_type_its_first_crops() -> None:
    found = samples.findings()
    many = [found[1].model_copy(update={"id": 100 + i}) for i in range(50)]
    report = samples.report().model_copy(update={"findings": [*many, *found]})
    shapes = samples.geometries()
    shapes |= {f.id: shapes[2] for f in many}
    crops = make_pictures(report, shapes, samples.reader(samples.pixels()), limit=10).crops
    assert len(crops) == 10
    by_id = {f.id: f for f in report.findings}
    assert {by_id[i].type for i in crops} == {"cloud", "stripe", "missing", "stitching_trace", "overflow", "blur"}


def test_no_scale_bar_without_crs() -> None:
    pictures = make_pictures(samples.report(crs=None), samples.geometries(), samples.reader(samples.pixels()))
    assert pictures.quicklook_scale is None
    assert pictures.crop_scales == {}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 100_000), (17, 5)])
def test_odd_sizes(height: int, width: int) -> None:
    scene = np.full((1, height, width), 90, np.uint8)
    report = _small(samples.report(), height, width)
    one = samples.findings()[2].model_copy(update={"bounds_px": (0, 0, 1, 1)})
    report = report.model_copy(update={"findings": [one]})
    pictures = make_pictures(report, {3: shapely.box(0, 0, 1, 1)}, samples.reader(scene))
    assert pictures.quicklook is not None
    assert max(pictures.quicklook.shape[:2]) <= 1600
    assert (pictures.crops[3][214, 214] == 90).all()
    assert (pictures.crops[3][5, 5] == 128).all()  # beyond the scene


@pytest.mark.parametrize("corner", [(0, 0), (496, 596)])
def test_a_finding_at_the_edge_has_its_surroundings(corner: tuple[int, int]) -> None:
    """The crop is moved into the scene: no gray beyond its edge, and the finding lies where it is drawn."""
    row, col = corner
    scene = np.full((1, 500, 600), 60, np.uint8)
    scene[:, row : row + 4, col : col + 4] = 250
    report = _small(samples.report(), 500, 600)
    one = samples.findings()[2].model_copy(update={"bounds_px": (col, row, col + 4, row + 4)})
    report = report.model_copy(update={"findings": [one]})
    crop = make_pictures(report, {3: shapely.box(col, row, col + 4, row + 4)}, samples.reader(scene)).crops[3]
    assert not (crop == 128).all(axis=2).any()
    found = np.argwhere((crop == 250).all(axis=2))
    assert len(found) == (4 * 10) ** 2
    assert tuple(found.min(0)) == ((0, 0) if row == 0 else (380, 380))


def test_unreadable_blocks_are_hatched_and_the_rest_is_shown() -> None:
    scene = samples.pixels()
    good = samples.reader(scene)

    def read_rgb(window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
        if window.col_off < 300 and window.row_off < 300:
            raise SceneError("tile 1 is corrupt")
        return good(window, out_shape)

    report = samples.clean_report()
    pictures = make_pictures(report, {}, read_rgb)
    whole = make_pictures(report, {}, good)
    assert pictures.quicklook is not None
    assert whole.quicklook is not None
    assert (pictures.quicklook[10:190, 10:190] != whole.quicklook[10:190, 10:190]).any(axis=2).mean() > 0.99
    difference = np.abs(pictures.quicklook[500:].astype(int) - whole.quicklook[500:])
    assert np.median(difference) <= 2


def test_nothing_readable_is_no_picture() -> None:
    def read_rgb(window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
        raise SceneError("gone")

    pictures = make_pictures(samples.report(), samples.geometries(), read_rgb)
    assert pictures.quicklook is None
    assert pictures.crops == {}


def test_windows_not_inspected_are_drawn() -> None:
    report = samples.clean_report()
    gap = NotInspected(row=600, col=800, height=200, width=300, reason="corrupt")
    marked = make_pictures(report.model_copy(update={"not_inspected": [gap]}), {}, samples.reader(samples.pixels()))
    plain = make_pictures(report, {}, samples.reader(samples.pixels()))
    assert marked.quicklook is not None
    assert plain.quicklook is not None
    rows, cols = np.nonzero((marked.quicklook != plain.quicklook).any(axis=2))
    y, x = 1089 / samples.HEIGHT, 1600 / samples.WIDTH
    assert (rows.min(), cols.min()) == (round(600 * y), round(800 * x))
    assert (rows.max(), cols.max()) == (round(800 * y) - 1, round(1100 * x) - 1)
