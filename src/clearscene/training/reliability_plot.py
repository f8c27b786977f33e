"""Draw reliability curves, without a plotting package."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.training.calibrate import Reliability

__all__ = ["Panel", "draw_reliability"]

SIDE, MARGIN = 420, 60
WHITE, BLACK, GRAY, RED, BLUE = (255, 255, 255), (20, 20, 20), (190, 190, 190), (40, 40, 210), (180, 90, 20)
"""Blue, green, red, as OpenCV has them."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One head: its curve before and after the temperature."""

    title: str
    before: Reliability
    after: Reliability


def draw_reliability(panels: Sequence[Panel]) -> NDArray[np.uint8]:
    """A picture (row, col, blue-green-red), the panels side by side.

    What was said runs to the right, how often it was so runs up; an honest network lies on the diagonal.
    """
    return np.concatenate([_panel(panel) for panel in panels], axis=1)


def _panel(panel: Panel) -> NDArray[np.uint8]:
    image = np.full((SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3), WHITE, np.uint8)
    for i in range(6):
        share = i / 5
        cv2.line(image, _at(share, 0), _at(share, 1), GRAY, 1)
        cv2.line(image, _at(0, share), _at(1, share), GRAY, 1)
        _write(image, f"{share:.1f}", _shifted(_at(share, 0), -10, 20))
        _write(image, f"{share:.1f}", _shifted(_at(0, share), -36, 4))
    cv2.line(image, _at(0, 0), _at(1, 1), BLACK, 1, cv2.LINE_AA)
    _write(image, panel.title, (MARGIN, 24))
    _write(image, "probability", (MARGIN + SIDE // 2 - 40, SIDE + 2 * MARGIN - 10))
    for row, (name, curve, color) in enumerate((("before", panel.before, BLUE), ("after", panel.after, RED))):
        _curve(image, curve, color)
        _write(image, f"{name}: error {curve.error:.4f}", (MARGIN + 12, MARGIN + 20 + 18 * row), color)
    return image


def _curve(image: NDArray[np.uint8], curve: Reliability, color: tuple[int, int, int]) -> None:
    filled = curve.counts > 0
    points = [_at(x, y) for x, y in zip(curve.confidence[filled], curve.frequency[filled], strict=True)]
    for start, stop in pairwise(points):
        cv2.line(image, start, stop, color, 2, cv2.LINE_AA)
    for point in points:
        cv2.circle(image, point, 4, color, -1, cv2.LINE_AA)


def _at(x: float, y: float) -> tuple[int, int]:
    return MARGIN + round(float(x) * SIDE), MARGIN + round((1 - float(y)) * SIDE)


def _shifted(point: tuple[int, int], right: int, down: int) -> tuple[int, int]:
    return point[0] + right, point[1] + down


def _write(image: NDArray[np.uint8], text: str, where: tuple[int, int], color: tuple[int, int, int] = BLACK) -> None:
    cv2.putText(image, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)
