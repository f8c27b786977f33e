"""What a chip shows, in words: the rules of tables B1 to B3 of the seed system, in English and Chinese.

Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET Image Processing
2023, appendix B: how much area is large or small, which way a line runs, where in a grid of three by
three the largest part lies.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.taxonomy import BY_NAME, TYPES, DefectType, Group

__all__ = ["describe_chip", "direction", "label_names", "place_of", "size_word"]

SIZES = ((0.4, "large", "大"), (0.1, "medium", "中等"), (0.01, "small", "小"), (0.0001, "tiny", "微小"))
"""Table B2: a share of the area above the number has the word."""

PLACES = (
    (("upper left", "左上方"), ("top", "上方"), ("upper right", "右上方")),
    (("left", "左侧"), ("center", "中央"), ("right", "右侧")),
    (("lower left", "左下方"), ("bottom", "下方"), ("lower right", "右下方")),
)
"""Figure B1: rows from the top, columns from the left."""

DIRECTIONS = {"horizontal": "横线", "vertical": "竖线", "slanted": "斜线", "bent": "折线"}
"""Table B3."""

STRAIGHT = 0.03
"""A line is straight if its points lie within this share of its length from a straight one (root mean square)."""


def describe_chip(masks: Mapping[str, NDArray[np.bool_]]) -> tuple[str, str]:
    """English and Chinese sentences for the masks (row, col) by type name; empty: a clean chip.

    A region type of which no more than 0.01 % of the pixels show is left out (table B2); lines and
    single pixels are always named.
    """
    shown = [t for t in TYPES if t.name in masks and _is_shown(t, masks[t.name])]
    if not shown:
        return "The satellite image is flawless.", "卫星图像完全合格。"
    names_en = ", ".join(t.title.lower() for t in shown)
    names_zh = "、".join(t.title_zh for t in shown)
    parts = [_sentence(t, masks[t.name]) for t in shown]
    english = " ".join([f"The satellite image shows {names_en}.", *(part[0] for part in parts)])
    return english, "".join([f"卫星图像中存在{names_zh}。", *(part[1] for part in parts)])


def _is_shown(kind: DefectType, mask: NDArray[np.bool_]) -> bool:
    least = SIZES[-1][0] if kind.group is Group.REGION else 0.0
    return bool(mask.mean() > least)


def _sentence(kind: DefectType, mask: NDArray[np.bool_]) -> tuple[str, str]:
    """Table B1: the sentence for one type."""
    en, zh = kind.title.lower(), kind.title_zh
    (where_en, where_zh), several = place_of(mask), _count(mask) > 1
    if kind.group is Group.BOUNDARY:
        line = direction(mask)
        return (
            f"A {line} line of {en} lies at the {where_en}.",
            f"图像中存在一条{zh}的痕迹，位于图像的{where_zh}，大致是{DIRECTIONS[line]}。",
        )
    many_en, many_zh = ("Several places", "多") if several else ("One place", "一")
    if kind.group is Group.PIXEL:
        return (
            f"{many_en} with {en}, mainly at the {where_en}.",
            f"图像中存在{many_zh}处{zh}，主要位于图像的{where_zh}。",
        )
    size_en, size_zh = size_word(float(mask.mean()))
    return (
        f"{many_en} with a {size_en} area of {en}, mainly at the {where_en}.",
        f"图像中存在{many_zh}处{size_zh}面积的{zh}，主要位于图像的{where_zh}。",
    )


def size_word(share: float) -> tuple[str, str]:
    """Table B2: the word for a share of the area, 0 to 1, English and Chinese.

    Law: bounds belong to the smaller word; 0.0001 and less is "no".
    """
    return next(((en, zh) for least, en, zh in SIZES if share > least), ("no", "不存在"))


def place_of(mask: NDArray[np.bool_]) -> tuple[str, str]:
    """Figure B1: where the center of the largest connected part of a mask (row, col) lies."""
    _, _, stats, centers = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if len(stats) < 2:
        return PLACES[1][1]
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    col, row = centers[largest]
    return PLACES[_third(row, mask.shape[0])][_third(col, mask.shape[1])]


def _third(place: float, length: int) -> int:
    return min(2, int(3 * (place + 0.5) / length))


def direction(mask: NDArray[np.bool_]) -> str:
    """Table B3: a mask (row, col) of a line is horizontal, vertical, slanted, or bent.

    The angle is that of the principal axis of its pixels; below 30 degrees is horizontal, above 60
    vertical. Lines that leave their axis by more than 3 % of their length are bent.
    """
    points = np.argwhere(mask).astype(np.float64)
    if len(points) < 3:
        return "horizontal"
    points -= points.mean(axis=0)
    spread, axes = np.linalg.eigh(points.T @ points / len(points))
    length = np.sqrt(12 * max(spread[1], 1e-9))  # of an even line with this variance
    if np.sqrt(max(spread[0], 0.0)) > STRAIGHT * length + _half_width(mask, length):
        return "bent"
    angle = np.rad2deg(np.arctan2(abs(axes[0, 1]), abs(axes[1, 1])))
    return "horizontal" if angle < 30 else "vertical" if angle > 60 else "slanted"


def _half_width(mask: NDArray[np.bool_], length: float) -> float:
    return float(mask.sum() / max(length, 1.0) / np.sqrt(12))


def _count(mask: NDArray[np.bool_]) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1


def label_names(masks: Mapping[str, NDArray[np.bool_]]) -> Sequence[str]:
    """Names of the types whose mask (row, col) shows, in the order of their ids."""
    return [t.name for t in TYPES if t.name in masks and _is_shown(BY_NAME[t.name], masks[t.name])]
