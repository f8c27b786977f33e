"""The collar: what belongs to it and what must not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import GridError
from clearscene.raster.collar import Collar, CollarScan, tolerance_of

Picture = NDArray[np.uint8]


def ground(height: int, width: int, *, low: int = 60, high: int = 200, seed: int = 7) -> Picture:
    """Textured ground, every band and pixel its own value, (band, row, col)."""
    return np.random.default_rng(seed).integers(low, high, (3, height, width), np.uint8)


def turned(height: int, width: int, degrees: float) -> NDArray[np.bool_]:
    """The corners that a turned rectangle leaves free, True outside it."""
    rad = np.deg2rad(degrees)
    y, x = np.mgrid[:height, :width] + 0.5
    y, x = y - height / 2, x - width / 2
    u, v = x * np.cos(rad) + y * np.sin(rad), y * np.cos(rad) - x * np.sin(rad)
    # Nearly the largest rectangle of the same shape that fits.
    shrink = 0.998 * min(
        height / (abs(width * np.sin(rad)) + height * np.cos(rad)),
        width / (width * np.cos(rad) + abs(height * np.sin(rad))),
    )
    return (abs(u) > width / 2 * shrink) | (abs(v) > height / 2 * shrink)


def scan(data: NDArray[np.generic], *, valid: NDArray[np.bool_] | None = None, lossy: bool = False) -> Collar:
    height, width = data.shape[1:]
    white = 255.0 if data.dtype == np.uint8 else 65535.0
    tolerance = tolerance_of(white=white, is_lossy=lossy, is_8bit=data.dtype == np.uint8)
    scanner = CollarScan(height, width, white=white, tolerance=tolerance)
    scanner.add(0, data, np.ones((height, width), np.bool_) if valid is None else valid)
    return scanner.finish()


def mask_of(collar: Collar) -> NDArray[np.bool_]:
    return collar.mask(Window(0, 0, collar.width, collar.height))


@pytest.mark.parametrize("color", [0, 255])
def test_the_corners_of_a_turned_scene_are_found_to_the_pixel(color: int) -> None:
    data, outside = ground(700, 901), turned(700, 901, 20)
    data[:, outside] = color
    collar = scan(data)
    np.testing.assert_array_equal(mask_of(collar), outside)
    assert [part.color for part in collar.parts] == ["white" if color else "black"]
    assert set(collar.parts[0].sides) == {"top", "bottom", "left", "right"}
    assert collar.record()["area"] == outside.sum()


@pytest.mark.slow
def test_thin_tips_of_a_slightly_turned_scene_are_found() -> None:
    data, outside = ground(4003, 4501), turned(4003, 4501, 1)
    data[:, outside] = 0
    found = mask_of(scan(data))
    assert not (found & ~outside).any()
    assert found.sum() >= 0.995 * outside.sum()


def test_ragged_flight_strips_are_found_to_the_pixel() -> None:
    data, outside = ground(800, 1001), np.zeros((800, 1001), np.bool_)
    for row, depth in zip(range(0, 800, 100), (70, 190, 83, 240, 150, 66, 100, 201), strict=True):
        outside[row : row + 100, :depth] = True
    data[:, outside] = 255
    np.testing.assert_array_equal(mask_of(scan(data)), outside)


def test_noise_of_an_earlier_compression_does_not_hide_a_white_collar() -> None:
    rng = np.random.default_rng(3)
    data, outside = ground(640, 701), turned(640, 701, 20)
    noise = np.where(rng.random((3, 640, 701)) < 0.5, 0, rng.integers(0, 6, (3, 640, 701))).astype(np.uint8)
    data[:, outside] = (255 - noise)[:, outside]
    np.testing.assert_array_equal(mask_of(scan(data)), outside)


@pytest.mark.parametrize("color", [0, 255])
def test_jpeg_leaves_the_collar_but_for_its_rim(color: int) -> None:
    data, outside = ground(640, 701), turned(640, 701, 20)
    data = np.stack([cv2.GaussianBlur(band, (0, 0), 2) for band in data])
    data[:, outside] = color
    coded = cv2.imencode(".jpg", data.transpose(1, 2, 0), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    found = mask_of(scan(cv2.imdecode(coded, cv2.IMREAD_COLOR).transpose(2, 0, 1), lossy=True))
    inside = cv2.erode(outside.astype(np.uint8), np.ones((17, 17), np.uint8), borderValue=1) > 0
    beyond = cv2.dilate(outside.astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
    assert found[inside].mean() > 0.999
    assert not found[beyond].any()


def lines_and_blocks() -> dict[str, NDArray[np.bool_]]:
    shape = (700, 901)
    masks = {
        name: np.zeros(shape, np.bool_) for name in ("border line", "dropped line", "wedges", "small corner", "hole")
    }
    masks["border line"][:, :3] = True
    masks["dropped line"][350:352] = True
    y, x = np.mgrid[:700, :901]
    masks["wedges"][(y + x // 6) % 90 < 14] = True
    masks["small corner"][:30, :30] = True
    masks["hole"][200:500, 300:600] = True
    return masks


@pytest.mark.parametrize("name", list(lines_and_blocks()))
@pytest.mark.parametrize("color", [0, 255])
def test_thin_or_enclosed_regions_are_no_collar(name: str, color: int) -> None:
    data = ground(700, 901)
    data[:, lines_and_blocks()[name]] = color
    assert scan(data).is_empty


def test_wedges_that_meet_a_collar_stay_outside_it() -> None:
    data, outside = ground(900, 1001), np.zeros((900, 1001), np.bool_)
    outside[:, :200] = True
    y, x = np.mgrid[:900, :1001]
    data[:, outside | ((y + x // 6) % 90 < 14)] = 0
    found = mask_of(scan(data))
    assert found[:, :200].all()
    assert not found[:, 200 + 64 + 48 :].any()


def test_dark_water_at_the_border_is_no_collar() -> None:
    rng = np.random.default_rng(5)
    data = ground(700, 901)
    water = np.stack([rng.integers(low, low + 4, (400, 500), np.uint8) for low in (0, 2, 4)])
    data[:, :400, :500] = water
    assert scan(data, lossy=True).is_empty


def test_shadow_clipped_to_black_at_the_border_is_no_collar() -> None:
    data = ground(700, 901)
    distance = np.hypot(*np.mgrid[:700, :901])
    fading = np.clip((distance - 300) / 4, 0, 255)
    data = np.minimum(data, fading.astype(np.uint8))
    assert (data == 0).all(axis=0).sum() > 60_000
    assert scan(data).is_empty


def test_a_cloud_that_touches_a_white_collar_stays_outside_it() -> None:
    data, outside = ground(800, 1001), np.zeros((800, 1001), np.bool_)
    outside[:, :150] = True
    # The clipped part of the cloud has a radius of 112 px and meets the collar along 30 px.
    cloud = np.clip(255 - (np.hypot(*(np.mgrid[:800, :1001] - np.array([[[400]], [[261]]]))) - 112) * 4, 0, 255)
    data = np.maximum(data, cloud.astype(np.uint8))
    data[:, outside] = 255
    found = mask_of(scan(data))
    assert (data[:, 400, 150:370] == 255).all()
    assert found[:, :150].all()
    assert not found[:, 150 + 64 :].any()


def test_a_ring_of_declared_nodata_joins_a_white_collar_to_the_border() -> None:
    data, valid = ground(700, 901), np.ones((700, 901), np.bool_)
    valid[:40], valid[-40:], valid[:, :40], valid[:, -40:] = False, False, False, False
    data[:, ~valid] = 0
    white = np.zeros_like(valid)
    white[40:240, 40:-40] = True
    data[:, white] = 255
    found = mask_of(scan(data, valid=valid))
    assert found[white].all()
    assert not (found & valid & ~white).any()


def test_clouds_beside_declared_nodata_are_no_collar() -> None:
    data, valid = ground(700, 901), np.ones((700, 901), np.bool_)
    valid[:, :300] = False
    data[:, ~valid] = 0
    cloud = np.clip(255 - (np.hypot(*(np.mgrid[:700, :901] - np.array([[[350]], [[350]]]))) - 150) * 3, 0, 255)
    data = np.where(valid, np.maximum(data, cloud.astype(np.uint8)), data)
    assert scan(data, valid=valid).is_empty


def test_sixteen_bit_black_is_exact() -> None:
    data, outside = ground(700, 901).astype(np.uint16) * 40, turned(700, 901, 20)
    data[:, outside] = 0
    np.testing.assert_array_equal(mask_of(scan(data)), outside)
    data[:, outside] = 3
    assert scan(data).is_empty


def test_nan_that_is_declared_is_no_obstacle() -> None:
    data, outside = ground(700, 901).astype(np.float32), turned(700, 901, 20)
    data[:, outside] = 0
    valid = np.ones((700, 901), np.bool_)
    valid[300:320, 300:320] = False
    data[:, ~valid] = np.nan
    np.testing.assert_array_equal(mask_of(scan(data, valid=valid)), outside)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (100_000, 3), (2, 70), (333, 401)])
@pytest.mark.parametrize("color", [0, 255])
def test_a_scene_of_one_color_is_all_collar(height: int, width: int, color: int) -> None:
    collar = scan(np.full((3, height, width), color, np.uint8))
    assert collar.area == height * width


@pytest.mark.parametrize(("height", "width"), [(1, 1), (100_000, 3), (2, 70), (17, 1)])
def test_small_and_odd_shapes_without_a_collar(height: int, width: int) -> None:
    assert scan(ground(height, width)).is_empty


def test_small_holes_in_a_collar_are_filled_and_large_ones_stay() -> None:
    data = ground(700, 901)
    data[:, :, :300] = 255
    data[:, 100:103, 100:103] = 90
    data[:, 300:350, 100:150] = 90
    found = mask_of(scan(data))
    assert found[100:103, 100:103].all()
    assert not found[300:350, 100:150].any()


def test_rows_out_of_order_are_refused() -> None:
    scanner = CollarScan(20, 30, white=255, tolerance=8)
    with pytest.raises(GridError, match="do not follow row 0"):
        scanner.add(10, ground(10, 30), np.ones((10, 30), np.bool_))
    with pytest.raises(GridError, match="0 of 20 rows"):
        scanner.finish()


def test_windows_beside_the_collar_cost_nothing() -> None:
    data = ground(700, 901)
    data[:, :, :300] = 255
    collar = scan(data)
    assert collar.may_touch(Window(250, 0, 100, 100))
    assert not collar.may_touch(Window(400, 0, 100, 700))
    assert not Collar.none(700, 901).may_touch(Window(0, 0, 901, 700))


@pytest.mark.parametrize("color", [0, 255])
def test_slivers_of_a_small_turned_scene_are_collar(color: int) -> None:
    data, outside = ground(900, 1001), turned(900, 1001, 1.5)
    data[:, outside] = color
    found = mask_of(scan(data))
    assert not (found & ~outside).any()
    assert found.sum() >= 0.97 * outside.sum()  # the last rows of a tip are thinner than a pixel


def test_a_strip_along_a_whole_side_is_collar() -> None:
    data = ground(500, 700)
    data[:, :, -20:] = 0
    collar = scan(data)
    assert collar.parts[0].sides == ("right",)
    assert mask_of(collar).sum() == 500 * 20


def test_a_lost_block_at_the_border_is_no_collar() -> None:
    data = ground(500, 700)
    data[:, 100:220, :30] = 0
    assert scan(data).is_empty


def test_a_declared_strip_is_no_collar() -> None:
    data, valid = ground(500, 700), np.ones((500, 700), np.bool_)
    valid[:, :20] = False
    assert scan(data, valid=valid).is_empty
