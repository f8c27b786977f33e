"""Images spoiled for fusing: exact areas, pictures of training and test apart, what is not lost stays."""

import cv2
import numpy as np
import pytest

from clearscene.errors import DatasetError, OptionError
from clearscene.synth.cloud_bank import N_TEXTURES, CloudBank
from clearscene.synth.occlusion import corner, half_plane, occlusion
from clearscene.synth.spoiling import spoiled_images

HEIGHT, WIDTH = 40, 56


@pytest.fixture(scope="module")
def bank():
    return CloudBank("train", size=48)


def clean():
    rng = np.random.default_rng(3)
    return rng.uniform(0.1, 0.9, (3, HEIGHT, WIDTH)).astype(np.float32)


def test_a_corner_is_a_triangle_along_two_borders():
    for seed in range(12):
        lost = corner(HEIGHT, WIDTH, 0.2, np.random.default_rng(seed))
        upright = next(m for m in (lost, lost[::-1], lost[:, ::-1], lost[::-1, ::-1]) if m[0, 0])
        widths = upright.sum(axis=1)
        assert (np.diff(widths) <= 0).all()
        assert (upright == (np.arange(WIDTH) < widths[:, None])).all()
        assert widths[-1] <= 1  # the leg ends inside the image
        assert upright[0, -1] == (widths[0] == WIDTH)


def test_above_half_the_line_is_slanted_and_nearly_straight():
    lost = half_plane(HEIGHT, WIDTH, 0.7, np.random.default_rng(1))
    assert lost.sum() == round(0.7 * HEIGHT * WIDTH)
    edges = cv2.Canny(lost.astype(np.uint8) * 255, 50, 100)
    assert 0 < (edges > 0).sum() < 3 * max(HEIGHT, WIDTH)
    with pytest.raises(OptionError, match=r"area 1\.5"):
        occlusion(HEIGHT, WIDTH, 1.5, np.random.default_rng(0))


def test_images_are_clouded_and_occluded_in_turn(bank):
    made = spoiled_images(clean(), 4, 0.3, np.random.default_rng(5), bank=bank)
    for place, image in enumerate(made):
        is_lost = image.lost > 0
        assert is_lost.sum() == round(0.3 * HEIGHT * WIDTH)
        np.testing.assert_array_equal(image.data[:, ~is_lost], clean()[:, ~is_lost])
        if place % 2:
            assert (image.data[:, is_lost] == 0).all()
        else:
            assert image.data[:, image.lost > 0.9].std() < clean().std()
            assert image.data[:, is_lost].max() <= 1
    assert not np.array_equal(made[0].lost, made[2].lost)


def test_the_same_numbers_make_the_same_images(bank):
    for kind in ("paper", "rich", "none"):
        one, other = (spoiled_images(clean(), 3, 0.4, np.random.default_rng(8), bank=bank, kind=kind) for _ in range(2))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.data, b.data)
            assert a.data.dtype == np.float32
            assert a.lost.shape == (HEIGHT, WIDTH)
            assert 0 <= a.data.min() <= a.data.max() <= 1


def test_without_artifacts_images_are_clean_and_rich_ones_are_not():
    plain = spoiled_images(clean(), 2, 0.4, np.random.default_rng(1), bank=None, kind="none")
    assert all((image.data == clean()).all() and not image.lost.any() for image in plain)
    rich = spoiled_images(clean(), 6, 0.4, np.random.default_rng(1), bank=None, kind="rich")
    assert sum(bool((image.lost > 0.2).any()) for image in rich) >= 5


def test_wrong_wishes_are_refused(bank):
    with pytest.raises(OptionError, match="0 images"):
        spoiled_images(clean(), 0, 0.3, np.random.default_rng(1), bank=bank)
    with pytest.raises(OptionError, match="bank"):
        spoiled_images(clean(), 1, 0.3, np.random.default_rng(1), bank=None)


def test_no_picture_is_in_training_and_test(bank):
    test = CloudBank("test", size=48)
    assert (len(bank.textures), len(test.textures)) == (N_TEXTURES["train"], N_TEXTURES["test"])
    assert not any(np.array_equal(a, b) for a in bank.textures for b in test.textures)
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in bank.textures)


def test_photographs_are_split_by_name(tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 30, 3), 60 * number + 10, np.uint8))
    train, test = (CloudBank(part, size=16, folder=tmp_path) for part in ("train", "test"))
    assert [round(float(p.mean() * 255)) for p in train.textures] == [10, 70, 130]
    assert [round(float(p.mean() * 255)) for p in test.textures] == [190]
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"0\.png cannot be read"):
        CloudBank("train", size=16, folder=tmp_path)
    with pytest.raises(DatasetError, match="0 pictures"):
        CloudBank("train", size=16, folder=tmp_path / "nowhere")
