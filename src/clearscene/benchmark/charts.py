"""Drawings of the page as numbers for SVG: intervals side by side, quality against speed, losses by step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clearscene.benchmark.card import Card
from clearscene.benchmark.intervals import FEWEST_SCENES
from clearscene.benchmark.metrics import METRICS
from clearscene.benchmark.results import Cell, Curve, Results, Training

__all__ = ["Dot", "Forest", "LossChart", "Tick", "forest", "loss_chart", "nice_ticks"]

WIDTH, ROW = 640.0, 30.0
LEFT, RIGHT, TOP, BOTTOM = 210.0, 24.0, 8.0, 30.0
LOSS_WIDTH, LOSS_HEIGHT = 320.0, 190.0
LOSS_LEFT, LOSS_BOTTOM = 44.0, 24.0
DASH = 4.0
"""Half the length of a curve of one point."""
NARROWEST = 0.02
"""Of the axis of a forest plot."""
HALF_LABEL = 20.0
"""Of the value above a dot, which must not run into the names."""


@dataclass(frozen=True)
class Tick:
    """A round value and its place."""

    place: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A model in a forest plot."""

    name: str
    note: str
    y: float
    x: float
    low: float
    high: float
    label: str
    label_x: float
    is_best: bool
    is_elsewhere: bool


@dataclass(frozen=True)
class Forest:
    """One metric of all models on one set, with intervals, best first."""

    title: str
    note: str
    """Of what the intervals are, or why there are none."""
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    width: float
    height: float
    left: float


@dataclass(frozen=True)
class LossChart:
    """Losses of one network by step."""

    title: str
    note: str
    training: str
    """Points of a polyline."""
    validation: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = LOSS_WIDTH
    height: float = LOSS_HEIGHT
    left: float = LOSS_LEFT
    bottom: float = LOSS_HEIGHT - LOSS_BOTTOM


def forest(results: Results, card: Card, test_set: str) -> Forest | None:
    """The leading column of a card over all cells of a set; None where nothing was measured."""
    metric = METRICS[card.leading.metric]
    cells = [
        cell
        for cell in results.cells
        if cell.protocol == card.name and cell.test_set == test_set and _value(cell, metric.name) is not None
    ]
    if not cells:
        return None
    sign = -1 if metric.is_better_high else 1
    cells = sorted(cells, key=lambda cell: sign * (_value(cell, metric.name) or 0.0))
    ends = [end for cell in cells for end in _ends(cell, metric.name)]
    room = 0.0 if max(ends) - min(ends) >= NARROWEST else NARROWEST / 2  # one value, or nearly: an axis all the same
    ticks = nice_ticks(min(ends) - room, max(ends) + room, about=6)
    low, high = ticks[0], ticks[-1]

    def place(value: float) -> float:
        """Distance from the left in units of the picture."""
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    n_trained = len({cell.train_set for cell in cells if cell.train_set})
    dots = tuple(
        Dot(
            name=cell.model,
            note=f"trained on {cell.train_set}" if cell.train_set and n_trained > 1 else "",
            y=TOP + ROW * (i + 0.5),
            x=place(_value(cell, metric.name) or 0.0),
            low=place(min(_ends(cell, metric.name))),
            high=place(max(_ends(cell, metric.name))),
            label=f"{_value(cell, metric.name):.3f}",
            label_x=max(LEFT + HALF_LABEL, place(_value(cell, metric.name) or 0.0)),
            is_best=i == 0 and len(cells) > 1,
            is_elsewhere=cell.train_set is None,
        )
        for i, cell in enumerate(cells)
    )
    marks = tuple(Tick(place(value), f"{value:g}") for value in ticks)
    title, note = f"{card.leading.head} on {test_set}", _interval_note(cells)
    return Forest(title, note, dots, marks, WIDTH, TOP + ROW * len(dots) + BOTTOM, LEFT)


def _interval_note(cells: Sequence[Cell]) -> str:
    n = max(cell.n_scenes for cell in cells)
    scenes = f"{n} scene{'s' if n != 1 else ''}"
    return f"95 % interval over {scenes}" if n >= FEWEST_SCENES else f"{scenes}: too few for intervals"


def loss_chart(training: Training) -> LossChart:
    """Both losses of a training; the axis starts at 0 and leaves out a first peak that hides the rest."""
    curves = [curve for curve in (training.train_loss, training.val_loss) if curve.values]
    steps = [step for curve in curves for step in curve.steps]
    values = sorted(value for curve in curves for value in curve.values)
    last = max([1.0, *steps])
    usual = values[int(0.97 * (len(values) - 1))] if values else 1.0
    top = nice_ticks(min([0.0, *values]), max(usual * 1.1, 1e-6), about=4)
    low, high = top[0], top[-1]
    right, ground = LOSS_WIDTH - 14, LOSS_HEIGHT - LOSS_BOTTOM

    def points(curve: Curve) -> str:
        """The curve as SVG wants it: `x,y x,y ...`."""
        pairs = [
            (
                LOSS_LEFT + step / last * (right - LOSS_LEFT),
                ground - (min(max(value, low), high) - low) / (high - low) * (ground - 8),
            )
            for step, value in zip(curve.steps, curve.values, strict=True)
        ]
        if len(pairs) == 1:  # a line of one point is not drawn
            ((x, y),) = pairs
            pairs = [(max(LOSS_LEFT, x - DASH), y), (min(right, x + DASH), y)]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)

    x_ticks = [value for value in nice_ticks(0, last, about=4) if value <= last]
    minutes = "" if training.minutes is None else f"{training.minutes:.1f} min"
    note = ", ".join(part for part in (f"{training.steps:,} steps" if training.steps else "", minutes) if part)
    return LossChart(
        title=training.model,
        note=note,
        training=points(training.train_loss),
        validation=points(training.val_loss),
        x_ticks=tuple(Tick(LOSS_LEFT + v / last * (right - LOSS_LEFT), f"{v:g}") for v in x_ticks),
        y_ticks=tuple(Tick(ground - (v - low) / (high - low) * (ground - 8), f"{v:g}") for v in top),
    )


def nice_ticks(low: float, high: float, *, about: int) -> list[float]:
    """Round values from at most `low` to at least `high`, always two or more.

    Law: they rise by one step, which is 1, 2 or 5 times a power of ten.
    """
    span = max(high - low, 1e-9 * max(1.0, abs(high)), 1e-12)
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next((digit * power for digit in (1, 2, 5, 10) if digit * power * about >= span), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _value(cell: Cell, metric: str) -> float | None:
    number = cell.metrics.get(metric)
    return None if number is None else number.value


def _ends(cell: Cell, metric: str) -> Sequence[float]:
    """Value and interval, as far as they are known."""
    number = cell.metrics[metric]
    return [end for end in (number.value, number.low, number.high) if end is not None]
