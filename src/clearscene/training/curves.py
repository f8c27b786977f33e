"""Learning curves as a picture, drawn with what the base install has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.atomic import replacing

__all__ = ["Curve", "draw_curves", "draw_panel"]

HEIGHT, WIDTH = 360, 720
LEFT, RIGHT, TOP, BOTTOM = 60, 180, 30, 36
"""Room around the plot for numbers and, at its right, for the names of the curves; pixels."""
COLORS = ((180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148), (75, 86, 140))
"""Blue, green, red as OpenCV wants them; they repeat."""
INK, FAINT = (60, 60, 60), (225, 225, 225)
CAP = 3
"""Half the width of the line at the end of an interval, pixels."""

Picture = NDArray[np.uint8]
Row = dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """Named points; those that are no numbers are left out."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    ends: Sequence[tuple[float, float]] = ()
    """Of the interval of each value: least and most; empty without intervals."""

    def points(self) -> NDArray[np.float64]:
        """(n, 4): step, value, least, most; without intervals the last two are the value."""
        ends = self.ends or [(value, value) for value in self.values]
        rows = [
            (step, value, *(end if all(map(math.isfinite, end)) else (value, value)))
            for step, value, end in zip(self.steps, self.values, ends, strict=True)
            if math.isfinite(value)
        ]
        return np.array(rows, np.float64).reshape(-1, 4)


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


def draw_panel(
    title: str, curves: Sequence[Curve], *, axis: str = "step", first: float | None = 0.0, low: float | None = 0.0
) -> Picture:
    """Curves with axes and names, (HEIGHT, WIDTH, 3) in blue, green, red; `axis` is what the steps are.

    Axes begin at `first` and `low`, or before where points do; None: where points do. Without points the panel says so.
    """
    panel = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _write(panel, title, LEFT, 20, size=0.5)
    known = [points for curve in curves if len(points := curve.points())]
    if not known:
        _write(panel, "no numbers yet", WIDTH // 2 - 50, HEIGHT // 2)
        return panel
    plot = _Plot.around(np.concatenate(known), first, low)
    plot.draw_axes(panel, axis)
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        plot.draw(panel, curve, color)
        _write(panel, curve.name, WIDTH - RIGHT + 10, TOP + 14 + 16 * number, color=color)
    return panel


@dataclass(frozen=True)
class _Plot:
    """Where values lie in a panel."""

    first: float
    last: float
    low: float
    high: float

    @classmethod
    def around(cls, points: NDArray[np.float64], first: float | None, low: float | None) -> Self:
        """The plot that shows all points (n, 4), ends of their intervals included."""
        steps, values = points[:, 0], points[:, 1:]
        left, bottom = (
            float(part.min() if begin is None else min(begin, part.min()))
            for part, begin in ((steps, first), (values, low))
        )
        return cls(left, _beyond(left, float(steps.max())), bottom, _beyond(bottom, float(values.max())))

    def cols(self, steps: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Columns of steps."""
        return np.asarray(LEFT + (steps - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT))

    def rows(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Rows of values."""
        return np.asarray(HEIGHT - BOTTOM - (values - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM))

    def draw(self, panel: Picture, curve: Curve, color: tuple[int, int, int]) -> None:
        """One curve: its line, or the point that it is, and its intervals."""
        points = curve.points()
        cols, rows = self.cols(points[:, 0]), self.rows(points[:, 1:])
        line = np.rint(np.stack([cols, rows[:, 0]], axis=1) * 16).astype(np.int32)  # sixteenths of pixels
        cv2.polylines(panel, [line[:, None]], False, color, 2, cv2.LINE_AA, 4)
        if len(line) == 1:
            cv2.circle(panel, (int(cols[0]), int(rows[0, 0])), 3, color, -1, cv2.LINE_AA)
        has_length = points[:, 2] < points[:, 3]
        for col, least, most in np.rint(np.column_stack([cols, rows[:, 1:]])[has_length]).astype(int):
            cv2.line(panel, (col, least), (col, most), color, 1)
            for row in (least, most):
                cv2.line(panel, (col - CAP, row), (col + CAP, row), color, 1)

    def draw_axes(self, panel: Picture, axis: str) -> None:
        """Lines and numbers at round values."""
        for value in _round_values(self.low, self.high):
            row = round(float(self.rows(value)))
            cv2.line(panel, (LEFT, row), (WIDTH - RIGHT, row), FAINT, 1)
            _write(panel, f"{value:g}", 8, row + 4)
        for value in _round_values(self.first, self.last):
            col = round(float(self.cols(value)))
            cv2.line(panel, (col, TOP), (col, HEIGHT - BOTTOM), FAINT, 1)
            _write(panel, f"{value:g}", col - 10, HEIGHT - BOTTOM + 16)
        _write(panel, axis, WIDTH - RIGHT + 10, HEIGHT - BOTTOM + 16)


def _beyond(low: float, high: float) -> float:
    """`high`, or a little more than `low` where it is no more."""
    return high if high > low else low + max(abs(low), 1.0) * 1e-6


def _round_values(low: float, high: float) -> list[float]:
    """About five round numbers within both."""
    step = _round_step((high - low) / 5)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(i * step, digits) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, near `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return min((1, 2, 5, 10), key=lambda digit: abs(digit * power - about)) * power


def _write(
    panel: Picture, text: str, col: int, row: int, *, size: float = 0.4, color: tuple[int, int, int] = INK
) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(panel, plain, (col, row), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
