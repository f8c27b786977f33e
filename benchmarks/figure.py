"""Lines over two axes as a PNG, drawn with what the base install has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH, SCALE = 340, 470, 2
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 46
COLORS = ("1f77b4", "d95f02", "2ca02c", "c2185b", "7b4fa3", "8c6d31", "17a2b8", "555555")
INK, FAINT = (70, 70, 70), (228, 228, 228)


@dataclass(frozen=True)
class Line:
    """Named points; those that are no numbers are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    """Lower ends of intervals, as many as points; empty: none are drawn."""
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Panel:
    """One plot with both axes from 0 to 1."""

    title: str
    x_name: str
    y_name: str
    lines: Sequence[Line]


def draw(path: Path, panels: Sequence[Panel]) -> None:
    """Write the panels side by side as PNG; the names of the lines stand at the right of each."""
    picture = np.concatenate([drawn(panel) for panel in panels], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def drawn(panel: Panel) -> np.ndarray:
    """One panel (row, col, 3) with the names of its lines in a column of their own."""
    names = 16 + 7 * max((len(line.name) for line in panel.lines), default=0)
    canvas = np.full((HEIGHT * SCALE, (WIDTH + names) * SCALE, 3), 255, np.uint8)
    _write(canvas, panel.title, LEFT, 20, size=0.48)
    _axes(canvas, panel)
    for number, line in enumerate(panel.lines):
        _line(canvas, line, number)
        row = TOP + 12 + 18 * number
        color = _color(number)
        cv2.line(canvas, _at(WIDTH - 8, row - 4), _at(WIDTH + 4, row - 4), color, 2 * SCALE, cv2.LINE_AA)
        _write(canvas, line.name, WIDTH + 8, row, color=color)
    return canvas


def _line(canvas: np.ndarray, line: Line, number: int) -> None:
    color = _color(number)
    known = [i for i, (x, y) in enumerate(zip(line.x, line.y, strict=True)) if np.isfinite(x) and np.isfinite(y)]
    points = [_place(line.x[i], line.y[i]) for i in known]
    for i in known if line.low else ():
        ends = (_place(line.x[i], line.low[i]), _place(line.x[i], line.high[i]))
        cv2.line(canvas, *ends, color, SCALE // 2, cv2.LINE_AA)
    cv2.polylines(canvas, [np.array(points, np.int32).reshape(-1, 1, 2)], False, color, 2 * SCALE, cv2.LINE_AA)
    if len(points) <= 12:
        for point in points:
            cv2.circle(canvas, point, 3 * SCALE, color, -1, cv2.LINE_AA)


def _axes(canvas: np.ndarray, panel: Panel) -> None:
    for tenth in range(0, 11, 2):
        value = tenth / 10
        cv2.line(canvas, _place(0, value), _place(1, value), FAINT, SCALE)
        cv2.line(canvas, _place(value, 0), _place(value, 1), FAINT, SCALE)
        _write(canvas, f"{value:.1f}", LEFT - 26, HEIGHT - BOTTOM + 4 - round(value * (HEIGHT - TOP - BOTTOM)))
        _write(canvas, f"{value:.1f}", LEFT - 8 + round(value * (WIDTH - LEFT - RIGHT)), HEIGHT - BOTTOM + 16)
    _write(canvas, panel.x_name, (LEFT + WIDTH) // 2 - 4 * len(panel.x_name), HEIGHT - 10)
    upright = np.full((LEFT * SCALE, HEIGHT * SCALE, 3), 255, np.uint8)
    _write(upright, panel.y_name, HEIGHT // 2 - 4 * len(panel.y_name), 14)
    turned = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)
    strip = canvas[:, : 20 * SCALE]
    np.minimum(strip, turned[:, : 20 * SCALE], out=strip)


def _place(x: float, y: float) -> tuple[int, int]:
    """Pixels of a point of the plot."""
    return _at(LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM))


def _at(col: float, row: float) -> tuple[int, int]:
    return round(col * SCALE), round(row * SCALE)


def _color(number: int) -> tuple[int, int, int]:
    text = COLORS[number % len(COLORS)]
    return int(text[4:], 16), int(text[2:4], 16), int(text[:2], 16)


def _write(
    canvas: np.ndarray, text: str, col: float, row: float, *, size: float = 0.4, color: tuple[int, int, int] = INK
) -> None:
    cv2.putText(canvas, text, _at(col, row), cv2.FONT_HERSHEY_SIMPLEX, size * SCALE, color, SCALE, cv2.LINE_AA)
