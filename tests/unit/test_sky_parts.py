"""Parts of the sky masks: reading, names, check, edges, merging."""

import struct
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.errors import ModelError, OptionError, SceneError
from clearscene.models.model import Model
from clearscene.sky.api import sky
from clearscene.sky.check import check_sky
from clearscene.sky.guided import guided, refined
from clearscene.sky.inputs import find_photos
from clearscene.sky.masks import heatmap, keep_mask, merged, read_mask
from clearscene.sky.model import SkyModel
from clearscene.sky.names import existing_mask, is_heatmap_name, is_mask_name, mask_name
from clearscene.sky.options import SkyOptions
from clearscene.sky.photo import orientation_of, read_photo, stored, upright
from clearscene.sky.squaring import resized
from tests.sky_photos import blue_model, exif_segment, exif_tiff, indoors, scene, write_photo


def image(height, width, *more, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, *more)).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_back_gives_the_stored_image(orientation):
    for given_image in (image(5, 7), image(5, 7, 3)):
        turned = upright(given_image, orientation)
        assert turned.shape[:2] == ((7, 5) if orientation > 4 else (5, 7))
        np.testing.assert_array_equal(stored(turned, orientation), given_image)


@pytest.mark.parametrize(("orientation", "top_left"), [(1, 0), (2, 2), (3, 5), (4, 3), (5, 0), (6, 3), (7, 5), (8, 2)])
def test_orientations_are_those_of_exif(orientation, top_left):
    """Where EXIF 2.32, 4.6.4, puts row 0 and column 0 of the file, told by the pixel that is seen upper left."""
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert upright(pixels, orientation)[0, 0] == top_left


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_found_in_jpeg_png_and_tiff(order):
    assert orientation_of(b"\xff\xd8" + b"\xff\xe0\0\4ab" + exif_segment(6, order) + b"\xff\xda\0\2") == 6
    assert orientation_of(exif_tiff(8, order)) == 8
    chunks = [(b"IHDR", bytes(13)), (b"eXIf", exif_tiff(3, order))]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + n + d + bytes(4) for n, d in chunks)
    assert orientation_of(png) == 3


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"II*\0", b"\xff\xd8\xff\xe1\0\x30Exif\0\0II*\0", b"\xff\xd8"]))
def test_what_is_broken_is_upright(noise, head):
    assert orientation_of(head + noise) in range(1, 9)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_formats_are_read_as_they_are_seen(tmp_path, suffix):
    photo, _ = scene(40, 60)
    read = read_photo(write_photo(tmp_path / f"a{suffix}", photo)).pixels
    assert read.shape == photo.shape
    assert np.abs(read.astype(int) - photo).mean() < (
        9 if suffix == ".jpg" else 1e-9
    )  # color is stored at half the size


def test_gray_deep_and_transparent_photos_become_three_bands(tmp_path):
    for name, pixels in {
        "gray.png": image(20, 30),
        "deep.png": image(20, 30, 3).astype(np.uint16) * 200,
        "deep.tif": image(20, 30, 3).astype(np.uint16) * 200,
        "alpha.png": image(20, 30, 4),
    }.items():
        cv2.imwrite(str(tmp_path / name), pixels)
        read = read_photo(tmp_path / name).pixels
        assert read.shape == (20, 30, 3)
        assert read.dtype == np.uint8
        assert np.ptp(read) > 200


def test_a_photo_that_breaks_off_says_so_without_the_settings_of_gdal(tmp_path):
    write_photo(tmp_path / "whole.jpg", scene()[0])
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 3])
    with pytest.raises(SceneError, match="Premature end of JPEG file") as caught:
        read_photo(tmp_path / "half.jpg")
    assert "GDAL_" not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n1234"])
def test_what_is_no_picture_is_an_error(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(SceneError, match=r"bad\.jpg"):
        read_photo(tmp_path / "bad.jpg")
    with pytest.raises(SceneError, match="absent"):
        read_photo(tmp_path / "absent.jpg")


@pytest.mark.parametrize(
    ("photo", "target", "name"),
    [
        ("DSC_1.JPG", "metashape", "DSC_1_mask.png"),
        ("DSC_1.JPG", "colmap", "DSC_1.JPG.png"),
        ("DSC_1.JPG", "odm", "DSC_1_mask.png"),
        ("a.b.tif", "odm", "a.b_mask.png"),
        ("a.webp", "odm", "a_mask.png"),
        ("a.b.tif", "plain", "a.b_mask.png"),
    ],
)
def test_names_are_those_of_the_tools(photo, target, name):
    assert mask_name(photo, target) == name
    assert is_mask_name(name)
    assert not is_mask_name(photo)


def test_masks_of_any_tool_are_found(tmp_path):
    place = PurePosixPath("left/DSC.JPG")
    for number, where in enumerate(("DSC_mask.png", "left/DSC.JPG.png", "left/DSC_mask.JPG", "left/DSC.png")):
        folder = tmp_path / str(number)
        (folder / where).parent.mkdir(parents=True)
        (folder / where).write_bytes(b"x")
        assert existing_mask(folder, place) == folder / where
    assert existing_mask(tmp_path / "none", place) is None


def test_a_folder_gives_its_photos_without_masks(tmp_path):
    for name in ("b.jpg", "in/a.PNG", "b_mask.png", "b.jpg.png", "b_sky.jpg", "notes.txt", ".hidden/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in find_photos([str(tmp_path)])] == ["b.jpg", "a.PNG"]
    assert [p.name for p in find_photos([str(tmp_path / "*.jpg"), str(tmp_path / "b.jpg")])] == ["b.jpg"]
    assert list(find_photos([str(tmp_path / "absent.jpg")]).values()) == [None]
    for word in (str(tmp_path / "*.webp"), str(tmp_path / ".hidden" / "...")):
        if "*" in word:
            with pytest.raises(OptionError, match="matches no photo"):
                find_photos([word])
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="holds no photo"):
        find_photos([str(tmp_path / "empty")])


def test_a_photo_of_a_sky_is_no_heat_map(tmp_path):
    for name in (
        "blue_sky.jpg",
        "red_sky.png",
        "red.jpg",
        "hill.JPG",
        "hill_sky.jpg",
        "out/a_sky.jpg",
        "out/a_mask.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    wanted = ["blue_sky.jpg", "hill.JPG", "red.jpg", "red_sky.png"]
    assert [p.name for p in find_photos([str(tmp_path)])] == wanted
    assert [p.name for p in find_photos([str(tmp_path / "*")])] == wanted
    assert is_heatmap_name("a.b_sky.jpg", ["a.b.JPG.png"])
    assert not is_heatmap_name("a_sky.jpg", ["a.txt", "a_sky.jpg"])


@pytest.mark.parametrize("wrong", [{"target": "blender"}, {"threshold": 0}, {"threshold": 256}, {"workers": 0}])
def test_wrong_options_are_named(wrong):
    with pytest.raises(OptionError):
        SkyOptions(**wrong)
    with pytest.raises(OptionError, match="not a folder"):
        SkyOptions(merge=Path("nowhere"))


def test_the_check_wants_a_large_and_sure_piece():
    chance = np.zeros((50, 80), np.float32)
    assert not check_sky(chance).has_sky
    chance[0, :3] = 1
    assert not check_sky(chance).has_sky  # 3 of 4000 pixels
    chance[:10] = 0.6
    assert not check_sky(chance).has_sky  # large, not sure
    chance[:10] = 0.9
    found = check_sky(chance)
    assert found.has_sky
    assert found.largest_share == pytest.approx(0.2)
    assert found.mean_probability == pytest.approx(0.9)
    assert not check_sky(chance, threshold=0.95).has_sky


def test_the_threshold_is_in_256ths():
    chance = np.array([[0, 127.9, 128, 255]], np.float32) / 256
    assert keep_mask(chance, 128).tolist() == [[255, 255, 0, 0]]
    assert keep_mask(chance, 255).tolist() == [[255, 255, 255, 0]]


def test_merging_is_symmetric_and_idempotent():
    a, b = ((image(9, 7, seed=s) > 127).astype(np.uint8) * 255 for s in (1, 2))
    np.testing.assert_array_equal(merged(a, b), merged(b, a))
    np.testing.assert_array_equal(merged(a, a), a)
    assert (merged(a, b) == 255).sum() == ((a == 255) & (b == 255)).sum()


def test_masks_that_exist_are_read_whatever_their_form(tmp_path):
    mask = np.zeros((6, 9), np.uint8)
    mask[:3] = 255
    cv2.imwrite(str(tmp_path / "same.png"), mask)
    cv2.imwrite(str(tmp_path / "color.png"), np.repeat(mask[..., None], 3, 2))
    cv2.imwrite(str(tmp_path / "large.png"), np.kron(mask, np.ones((2, 2), np.uint8)))
    for name in ("same", "color", "large"):
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png", (6, 9)), mask)
    cv2.imwrite(str(tmp_path / "turned.png"), stored(mask, 6))
    np.testing.assert_array_equal(read_mask(tmp_path / "turned.png", (6, 9), orientation=6), mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "same.png", (6, 9), orientation=6), mask)
    with pytest.raises(SceneError, match="another photo"):
        read_mask(tmp_path / "same.png", (9, 6))
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(SceneError, match="no picture"):
        read_mask(tmp_path / "bad.png", (6, 9))


def test_a_half_turn_of_a_stored_mask_is_undone(tmp_path):
    mask = np.zeros((6, 9), np.uint8)
    mask[:2] = 255
    cv2.imwrite(str(tmp_path / "m.png"), stored(mask, 3))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (6, 9), orientation=3), mask)
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (6, 9), orientation=3, is_upright=True), mask)


def test_the_guided_filter_is_the_least_squares_fit_of_each_window():
    """Oracle: the ridge regression of equation 5, solved for one window by numpy."""
    rng = np.random.default_rng(3)
    guide, values = rng.random((9, 9, 3)).astype(np.float32), rng.random((9, 9)).astype(np.float32)
    radius, epsilon = 1, 1e-2
    a, b = guided(guide, values, radius=radius, epsilon=epsilon)
    sums = np.zeros(4)
    for row in range(3, 6):  # the windows that cover pixel 4, 4
        for col in range(3, 6):
            window = np.s_[row - 1 : row + 2, col - 1 : col + 2]
            colors, target = guide[window].reshape(-1, 3).astype(float), values[window].ravel().astype(float)
            covariance = np.cov(colors.T, bias=True) + epsilon * np.eye(3)
            slope = np.linalg.solve(covariance, (colors * target[:, None]).mean(0) - colors.mean(0) * target.mean())
            sums += [*slope, target.mean() - slope @ colors.mean(0)]
    np.testing.assert_allclose([*a[4, 4], b[4, 4]], sums / 9, rtol=1e-3, atol=1e-4)


def test_edges_draw_a_coarse_map_to_the_skyline():
    photo, is_sky = scene(200, 300)
    coarse = resized(is_sky.astype(np.float32), 12, 18)
    before = (resized(coarse, 200, 300) >= 0.5) != is_sky
    after = (refined(photo, coarse) >= 0.5) != is_sky
    assert after.mean() < 0.5 * before.mean()
    for value in (0.0, 0.4, 1.0):
        flat = refined(photo, np.full((12, 18), value, np.float32))
        np.testing.assert_allclose(flat, value, atol=2e-3)


def test_a_mirrored_photo_has_the_mirrored_sky(tmp_path):
    model = SkyModel(Model.load(blue_model(tmp_path / "m"), device="cpu"))
    photo, is_sky = scene()
    plain = model.look(photo)
    np.testing.assert_allclose(model.look(photo[:, ::-1]), plain[:, ::-1], atol=1e-5)
    assert plain.shape == (64, 64)
    assert ((resized(plain, *is_sky.shape) >= 0.5) == is_sky).mean() > 0.95


def test_the_call_for_arrays_and_files(tmp_path):
    options = SkyOptions(model=str(blue_model(tmp_path / "m")), device="cpu", workers=1)
    photo, is_sky = scene()
    result = sky(photo, options=options)
    assert result.mask.shape == is_sky.shape
    assert set(np.unique(result.mask)) == {0, 255}
    assert ((result.mask == 0) == is_sky).mean() > 0.97
    assert result.sky_percent == pytest.approx(100 * is_sky.mean(), abs=3)
    turned = sky(write_photo(tmp_path / "t.jpg", stored(photo, 6), orientation=6), options=options)
    assert ((turned.mask == 0) == is_sky).mean() > 0.97
    none = sky(indoors(), options=options)
    assert (none.mask == 255).all()
    assert not none.check.has_sky
    with pytest.raises(OptionError, match="no photo"):
        sky(photo[..., 0], options=options)


def test_models_for_something_else_are_refused(tmp_path):
    for changes in ({"task": "semantic"}, {"last": "water"}):
        folder = blue_model(tmp_path / str(changes), **changes)
        with pytest.raises(ModelError, match="task is sky"):
            SkyModel.load(SkyOptions(model=str(folder), device="cpu"))


def test_a_heat_map_is_the_photo_in_other_colors():
    photo, is_sky = scene()
    picture = heatmap(photo, is_sky.astype(np.float32))
    assert picture.shape == photo.shape
    assert picture[is_sky][:, 0].mean() > picture[~is_sky][:, 0].mean()
    assert heatmap(np.zeros((10, 3200, 3), np.uint8), np.zeros((5, 9), np.float32)).shape == (5, 1600, 3)
