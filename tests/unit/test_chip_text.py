"""Words for chips: the rules of tables B1 to B3."""

import numpy as np
import pytest

from clearscene.synth.chip_text import describe_chip, direction, label_names, place_of, size_word


def box(rows: slice, cols: slice, shape: tuple[int, int] = (90, 120)) -> np.ndarray:
    mask = np.zeros(shape, np.bool_)
    mask[rows, cols] = True
    return mask


@pytest.mark.parametrize(
    ("share", "word"),
    [(1.0, "large"), (0.41, "large"), (0.4, "medium"), (0.11, "medium"), (0.1, "small"), (0.02, "small"),
     (0.01, "tiny"), (0.0002, "tiny"), (0.0001, "no"), (0.0, "no")],
)  # fmt: skip
def test_bounds_belong_to_the_smaller_word(share, word):
    assert size_word(share)[0] == word


@pytest.mark.parametrize(
    ("rows", "cols", "place"),
    [(slice(0, 20), slice(0, 30), "upper left"), (slice(35, 55), slice(45, 75), "center"),
     (slice(70, 90), slice(90, 120), "lower right"), (slice(0, 90), slice(90, 120), "right")],
)  # fmt: skip
def test_place_is_that_of_the_largest_part(rows, cols, place):
    mask = box(rows, cols)
    mask[44, 2] = True  # smaller, elsewhere
    assert place_of(mask)[0] == place


def line(degrees: float) -> np.ndarray:
    mask = np.zeros((200, 200), np.bool_)
    along = np.linspace(-80, 80, 800)
    rows = 100 + along * np.sin(np.deg2rad(degrees))
    cols = 100 + along * np.cos(np.deg2rad(degrees))
    for step in range(-3, 4):
        mask[np.rint(rows + step).astype(int), np.rint(cols).astype(int)] = True
    return mask


@pytest.mark.parametrize(
    ("degrees", "word"), [(5, "horizontal"), (-25, "horizontal"), (45, "slanted"), (85, "vertical")]
)
def test_direction_of_straight_lines(degrees, word):
    assert direction(line(degrees)) == word


def test_a_corner_is_bent():
    mask = np.zeros((200, 200), np.bool_)
    mask[100:106, 20:100] = True
    mask[20:106, 94:100] = True
    assert direction(mask) == "bent"


def test_sentences_in_both_languages():
    english, chinese = describe_chip(
        {"cloud": box(slice(0, 40), slice(0, 60)), "misalignment": box(slice(40, 46), slice(0, 120))}
    )
    assert english == (
        "The satellite image shows cloud, stitching misalignment. One place with a medium area of cloud, mainly at the "
        "upper left. A horizontal line of stitching misalignment lies at the center."
    )
    assert chinese == (
        "卫星图像中存在云、拼接错位。图像中存在一处中等面积的云，主要位于图像的左上方。"
        "图像中存在一条拼接错位的痕迹，位于图像的中央，大致是横线。"
    )


def test_a_clean_chip_is_flawless():
    assert describe_chip({}) == ("The satellite image is flawless.", "卫星图像完全合格。")


def test_a_speck_of_cloud_is_no_label_but_a_lost_pixel_is():
    speck = box(slice(3, 4), slice(5, 6))
    assert label_names({"cloud": speck, "missing": speck}) == ["missing"]
