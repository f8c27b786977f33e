"""Missing pixels: found where something was lost, not where a camera clipped."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import View
from clearscene.runs import Runs, measure

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def ground(height: int = 210, width: int = 330, *, mean: float = 110, spread: float = 25, seed: int = 2) -> Picture:
    """Ground as through a lens: smooth at one pixel, every band different, nothing clipped."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(3, height, width))
    soft = np.stack([cv2.GaussianBlur(band, (0, 0), 1.2) for band in noise]) * 4
    bands = np.array([0.9, 1.0, 1.1])[:, None, None]
    return np.clip(mean * bands + spread * soft, 1, 254).astype(np.uint8)


def view_of(
    data: NDArray[np.generic], *, valid: Mask | None = None, collar: Mask | None = None, is_lossy: bool = False
) -> View:
    valid = np.ones(data.shape[1:], np.bool_) if valid is None else valid
    collar = np.zeros(data.shape[1:], np.bool_) if collar is None else collar
    white = 255.0 if data.dtype == np.uint8 else 65535.0
    return View(data, np.zeros(data.shape, np.uint8), valid, collar, white, is_lossy)


def found(view: View, rule: MissingRule | None = None) -> Mask:
    """What is left after the components were judged."""
    rule = rule or MissingRule()
    evidence = rule.detect(view)
    runs = Runs.from_mask(evidence.mask, evidence.confidence)
    result = np.zeros(view.valid.shape, np.bool_)
    if len(runs) == 0:
        return result
    labels = runs.label(reach=rule.reach)
    kept = runs.take(rule.accept(measure(runs, labels))[labels])
    for row, start, stop in zip(kept.rows, kept.starts, kept.stops, strict=True):
        result[row, start:stop] = True
    return result


def iou(one: Mask, two: Mask) -> float:
    return float((one & two).sum() / (one | two).sum())


def shapes(height: int = 210, width: int = 330) -> dict[str, Mask]:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:height, :width]
    masks = {"points": np.zeros((height, width), np.bool_)}
    masks["points"][rng.integers(0, height, 60), rng.integers(0, width, 60)] = True
    masks["rows"] = (y == 40) | (y == 41) | (y == 120)
    masks["slanted line"] = abs(y - 0.4 * x - 20) < 1
    masks["block"] = (abs(y - 90) < 33) & (abs(x - 150) < 61)
    masks["large block"] = (y > 30) & (y < 180) & (x > 20) & (x < 300)
    masks["wedges"] = (y + x // 5) % 60 < 11
    return masks


@pytest.mark.parametrize("name", list(shapes()))
@pytest.mark.parametrize("color", [0, 255])
@pytest.mark.parametrize("mean", [45, 110])
def test_what_was_lost_is_found(name: str, color: int, mean: float) -> None:
    data, lost = ground(mean=mean, spread=mean / 4), shapes()[name]
    data[:, lost] = color
    assert iou(found(view_of(data)), lost) >= 0.98


def clipped(*, bright: bool) -> Picture:
    """Ground with roofs and clouds clipped to white, or lakes and shadows clipped to black, as a lens draws them."""
    shape = np.zeros((210, 330), np.float32)
    cv2.rectangle(shape, (30, 30), (70, 90), 1, -1)
    cv2.circle(shape, (160, 100), 40, 1, -1)
    for x in range(220, 330, 12):
        cv2.circle(shape, (x, 60 + x % 90), 2, 1, -1)
    blurred = cv2.GaussianBlur(shape, (0, 0), 1.0)
    ground_ = ground().astype(np.float32)
    target = 330.0 if bright else -70.0
    return np.clip(ground_ + blurred * (target - ground_), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("bright", [True, False])
def test_what_the_camera_clipped_is_not_missing(bright: bool) -> None:
    view = view_of(clipped(bright=bright))
    assert found(view, MissingRule(mode="paper")).sum() > 5000
    assert found(view).sum() == 0


def test_paper_mode_takes_every_black_and_white_valid_pixel() -> None:
    data = clipped(bright=True)
    valid = np.ones(data.shape[1:], np.bool_)
    valid[:, :50] = False
    evidence = MissingRule(mode="paper").detect(view_of(data, valid=valid))
    np.testing.assert_array_equal(evidence.mask, (data == 255).all(axis=0) & valid)
    assert (evidence.confidence[evidence.mask] == 1).all()


def test_invalid_pixels_and_the_rim_of_the_collar_are_never_missing() -> None:
    data = ground()
    collar = np.zeros(data.shape[1:], np.bool_)
    collar[:, :60] = True
    valid = ~collar
    valid[100:150, 200:260] = False
    data[:, ~valid] = 0
    data[:, 50, 64] = 0
    data[:, 50, 90] = 0
    mask = found(view_of(data, valid=valid, collar=collar))
    assert mask.sum() == 1
    assert mask[50, 90]


@pytest.mark.parametrize("color", [0, 255])
def test_a_lost_band_is_found_in_a_block_and_a_line(color: int) -> None:
    data, lost = ground(), np.zeros((210, 330), np.bool_)
    lost[30:80, 40:110], lost[150, :] = True, True
    data[1, lost] = color
    assert iou(found(view_of(data)), lost) >= 0.98


def test_a_band_lost_over_the_whole_scene_is_found() -> None:
    data = ground()
    data[2] = 0
    assert found(view_of(data)).all()


def test_a_band_that_is_overexposed_is_not_lost() -> None:
    glare = cv2.GaussianBlur(np.random.default_rng(4).normal(0, 1, (210, 330)), (0, 0), 40)
    glare = 220 + 90 * (glare - glare.min()) / np.ptp(glare)
    data = ground()
    data[2] = np.clip(data[2] - 110 + glare, 0, 255)
    assert (data[2] == 255).mean() > 0.3
    assert found(view_of(data)).sum() == 0


def test_blue_water_that_is_black_in_red_is_no_lost_band() -> None:
    data, water = ground(), np.zeros((210, 330), np.bool_)
    water[40:120, 60:200] = True
    data[0, water], data[1, water] = 0, 30
    assert found(view_of(data)).sum() == 0


def test_sixteen_bit_and_one_band_scenes() -> None:
    lost = shapes()["block"]
    dark = ground().astype(np.uint16) * 3
    dark[:, lost] = 0
    assert iou(found(view_of(dark)), lost) >= 0.98
    gray = ground()[:1]
    gray[:, lost] = 255
    assert iou(found(view_of(gray)), lost) >= 0.98


def test_a_clean_scene_and_a_tiny_one_have_nothing() -> None:
    assert found(view_of(ground())).sum() == 0
    assert found(view_of(ground(1, 1))).sum() == 0
    assert found(view_of(np.zeros((3, 1, 1), np.uint8))).sum() == 0


def test_confidence_grows_with_the_edge() -> None:
    data = ground()
    data[:, 100:104, 100:104] = 0
    data[:, 99, 200:204] = 20
    data[:, 104, 200:204] = 20
    data[:, 99:105, [199, 204]] = 20
    data[:, 100:104, 200:204] = 0
    confidence = MissingRule().detect(view_of(data)).confidence
    assert confidence[101, 101] > 0.8
    assert confidence[101, 201] < 0.4


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(OptionError, match="'papers'"):
        MissingRule(mode="papers")


def test_the_report_names_every_parameter() -> None:
    assert MissingRule().parameters()["mode"] == "default"
    assert MissingRule(mode="paper").parameters() == {"mode": "paper"}


def jpeg(data: Picture, quality: int = 90) -> Picture:
    """Through JPEG with halved color."""
    code = cv2.imencode(".jpg", data.transpose(1, 2, 0), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR).transpose(2, 0, 1))


@pytest.mark.parametrize(("name", "least"), [("rows", 0.9), ("block", 0.97), ("large block", 0.97), ("wedges", 0.95)])
@pytest.mark.parametrize("color", [0, 255])
def test_what_was_lost_before_jpeg_is_found(name: str, least: float, color: int) -> None:
    data, lost = ground(), shapes()[name]
    data[:, lost] = color
    assert iou(found(view_of(jpeg(data), is_lossy=True)), lost) >= least


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("quality", [90, 75])
def test_what_the_camera_clipped_is_not_missing_after_jpeg_either(bright: bool, quality: int) -> None:
    data = jpeg(clipped(bright=bright), quality)
    assert found(view_of(data, is_lossy=True)).sum() == 0
    assert found(view_of(data)).sum() == 0


@pytest.mark.parametrize("level", [3, 7])
def test_dark_water_is_not_missing_after_jpeg(level: int) -> None:
    data, water = ground(), np.zeros((210, 330), np.float32)
    cv2.ellipse(water, (150, 100), (90, 60), 20, 0, 360, 1, -1)
    water = cv2.GaussianBlur(water, (0, 0), 1.0)
    dark = np.clip(data * (1 - water) + level * water, 0, 255).astype(np.uint8)
    assert found(view_of(jpeg(dark), is_lossy=True)).sum() == 0


def test_a_lossy_scene_has_no_missing_points() -> None:
    data = ground()
    data[:, 50, 60], data[:, 100:103, 200:203] = 0, 255
    assert found(view_of(data, is_lossy=True)).sum() == 0


def test_a_block_lost_before_an_undeclared_jpeg_is_found() -> None:
    data, lost = ground(), shapes()["block"]
    data[:, lost] = 255
    assert iou(found(view_of(jpeg(data))), lost) >= 0.95


def test_a_collar_in_a_lossy_scene_is_not_missing() -> None:
    data, collar = ground(), np.zeros((210, 330), np.bool_)
    collar[:, :60] = True
    data[:, collar] = 255
    data = jpeg(data)
    collar[:, 56:60] = False
    assert found(view_of(data, valid=~collar, collar=collar, is_lossy=True)).sum() == 0


def test_a_point_with_company_is_no_loss() -> None:
    """White specks of which some are not quite white: what a clipped, decimated scene looks like."""
    rng = np.random.default_rng(3)
    data = ground()
    rows, cols = rng.integers(5, 205, 2500), rng.integers(5, 325, 2500)
    data[:, rows, cols] = rng.choice([255, 250, 240, 225], 2500)
    assert found(view_of(data), MissingRule(company=300)).sum() > 400
    assert found(view_of(data)).sum() <= 5


def test_popcorn_clouds_are_not_missing() -> None:
    """Small clouds drawn by a lens, then decimated: hard edges here and there, gray rims elsewhere."""
    rng = np.random.default_rng(5)
    cloud = np.zeros((840, 1320), np.float32)
    for row, col in zip(rng.integers(0, 840, 250), rng.integers(0, 1320, 250), strict=True):
        cv2.circle(cloud, (int(col), int(row)), int(rng.integers(3, 14)), 1, -1)
    cloud = np.clip(cv2.GaussianBlur(cloud, (0, 0), 4)[::4, ::4] * 1.4, 0, 1)
    data = np.clip(ground() * (1 - cloud) + 290 * cloud, 0, 255).astype(np.uint8)
    view = view_of(data)
    assert found(view, MissingRule(mode="paper")).sum() > 500
    assert found(view).sum() <= 5


def test_bands_that_are_shifted_do_not_hide_a_wedge() -> None:
    data, lost = ground(), shapes()["wedges"]
    data[:, lost] = 0
    data[0, np.roll(lost, 1, axis=0)] = 0
    assert (found(view_of(data)) & lost).sum() >= 0.99 * lost.sum()


def test_an_even_run_is_refused() -> None:
    with pytest.raises(OptionError, match="min_run 16"):
        MissingRule(min_run=16)
