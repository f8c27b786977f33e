"""Learning curves as a picture, drawn with what the base install has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.atomic import replacing

__all__ = ["Curve", "draw_curves", "draw_panel"]

HEIGHT, WIDTH = 360, 560
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 30, 36
"""Room around the plot for numbers and names, pixels."""
COLORS = ((180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148), (75, 86, 140))
"""Blue, green, red as OpenCV wants them; they repeat."""
INK, FAINT = (60, 60, 60), (225, 225, 225)

Picture = NDArray[np.uint8]
Row = dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """Named points; those that are no numbers are left out."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]

    def points(self) -> NDArray[np.float64]:
        """(n, 2): step, value."""
        pairs = [(s, v) for s, v in zip(self.steps, self.values, strict=True) if math.isfinite(v)]
        return np.array(pairs, np.float64).reshape(-1, 2)


def draw_curves(path: Path, rows: Sequence[Row], val_rows: Sequence[Row], *, monitor: str) -> None:
    """Write a PNG: losses in training, loss in validation, and what is monitored by set of chips.

    `rows` and `val_rows` are those of train.csv and val.csv.

    Raises:
        OutputError: The file cannot be written.
    """
    parts = [key for key in ("loss", "tile", "cells", "cross_entropy", "dice", "lovasz", "focal") if _has(rows, key)]
    losses = [_curve(rows, key, key) for key in parts]
    by_set: dict[str, list[Row]] = {}
    for row in val_rows:
        by_set.setdefault(str(row["set"]), []).append(row)
    held_out = [_curve(of_set, "loss", name) for name, of_set in by_set.items()]
    shown = [key for key in ("miou", "macro_f1", monitor) if _has(val_rows, key)]
    quality = [_curve(of_set, key, f"{name} {key}") for name, of_set in by_set.items() for key in dict.fromkeys(shown)]
    panels = [
        draw_panel("training: loss", losses),
        draw_panel("validation: loss", held_out),
        draw_panel("validation: quality", quality),
    ]
    encoded = cv2.imencode(".png", np.concatenate(panels, axis=1))[1]
    with replacing(path) as part:
        part.write_bytes(encoded.tobytes())


def _has(rows: Sequence[Row], key: str) -> bool:
    return any(key in row for row in rows)


def _curve(rows: Sequence[Row], key: str, name: str) -> Curve:
    chosen = [row for row in rows if key in row]
    return Curve(name, [float(row["step"]) for row in chosen], [float(row[key]) for row in chosen])


def draw_panel(title: str, curves: Sequence[Curve]) -> Picture:
    """Curves over steps with axes and names, (HEIGHT, WIDTH, 3) in blue, green, red.

    The vertical axis starts at 0; without points the panel says so.
    """
    panel = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _write(panel, title, LEFT, 20, size=0.5)
    known = [points for curve in curves if len(points := curve.points())]
    if not known:
        _write(panel, "no numbers yet", WIDTH // 2 - 50, HEIGHT // 2)
        return panel
    every = np.concatenate(known)
    last = max(float(every[:, 0].max()), 1.0)
    low, high = min(0.0, float(every[:, 1].min())), max(float(every[:, 1].max()), 1e-6)
    _draw_axes(panel, last, low, high)
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        points = curve.points()
        cols = LEFT + points[:, 0] / last * (WIDTH - LEFT - RIGHT)
        rows = HEIGHT - BOTTOM - (points[:, 1] - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        line = np.rint(np.stack([cols, rows], axis=1) * 16).astype(np.int32)  # sixteenths of pixels
        cv2.polylines(panel, [line[:, None]], False, color, 2, cv2.LINE_AA, 4)
        if len(line) == 1:
            cv2.circle(panel, (int(cols[0]), int(rows[0])), 3, color, -1, cv2.LINE_AA)
        _write(panel, curve.name, WIDTH - RIGHT - 180, TOP + 14 + 16 * number, color=color)
    return panel


def _draw_axes(panel: Picture, last: float, low: float, high: float) -> None:
    """Lines and numbers at round values."""
    step = _round_step((high - low) / 5)
    for i in range(math.ceil(low / step), math.floor(high / step) + 1):
        row = round(HEIGHT - BOTTOM - (i * step - low) / (high - low) * (HEIGHT - TOP - BOTTOM))
        cv2.line(panel, (LEFT, row), (WIDTH - RIGHT, row), FAINT, 1)
        _write(panel, f"{i * step:g}", 8, row + 4)
    step = _round_step(last / 5)
    for i in range(math.floor(last / step) + 1):
        col = round(LEFT + i * step / last * (WIDTH - LEFT - RIGHT))
        cv2.line(panel, (col, TOP), (col, HEIGHT - BOTTOM), FAINT, 1)
        _write(panel, f"{i * step:g}", col - 10, HEIGHT - BOTTOM + 16)
    _write(panel, "step", WIDTH - RIGHT - 30, HEIGHT - 6)


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, near `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return min((1, 2, 5, 10), key=lambda digit: abs(digit * power - about)) * power


def _write(
    panel: Picture, text: str, col: int, row: int, *, size: float = 0.4, color: tuple[int, int, int] = INK
) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(panel, plain, (col, row), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
