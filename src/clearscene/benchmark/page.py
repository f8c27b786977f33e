"""The page of a benchmark: tables, intervals, curves and overlays in one file that fetches nothing."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from clearscene.atomic import replacing
from clearscene.benchmark.card import Card
from clearscene.benchmark.charts import Forest, LossChart, forest, loss_chart
from clearscene.benchmark.figures import Grid, overlay_grids
from clearscene.benchmark.metrics import METRICS
from clearscene.benchmark.results import Results
from clearscene.benchmark.suite import key_of
from clearscene.benchmark.tables import Table, group_tables, main_tables
from clearscene.inspection.report import data_uri

__all__ = ["PAGE", "write_page"]

PAGE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
STYLES = Path(__file__).parents[1] / "inspection" / "templates"
LARGEST = 256
"""Height and width of an overlay on the page, pixels."""
DIGITS = 3


@dataclass(frozen=True)
class _Protocol:
    card: Card
    columns: tuple[tuple[str, str], ...]
    """Head and meaning of each column."""
    forests: tuple[Forest, ...]
    tables: tuple[Table, ...]
    groups: tuple[Table, ...]


@dataclass(frozen=True)
class _Losses:
    train_set: str
    charts: tuple[LossChart, ...]


@dataclass(frozen=True)
class _Overlays:
    title: str
    models: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """Name of the scene, and data URIs: the image, then a model each; empty where there is no picture."""


def write_page(results: Results, folder: Path) -> Path:
    """Write `report.html` into the folder of the results, whole or not at all; returns its path.

    Raises:
        OutputError: It cannot be written.
    """
    text = _template().render(
        results=results,
        protocols=[_protocol(results, card) for card in results.protocols],
        losses=_losses(results),
        overlays=[_overlays(grid, folder) for grid in overlay_grids(results)],
        failures=_failures(results),
        n_done=sum(cell.status == "done" for cell in results.cells),
        n_trained=sum(training.status == "done" for training in results.trainings),
        train_minutes=sum(training.minutes or 0.0 for training in results.trainings),
    )
    path = folder / PAGE
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _protocol(results: Results, card: Card) -> _Protocol:
    found = [forest(results, card, entry.name) for entry in results.sets if entry.is_judged]
    return _Protocol(
        card=card,
        columns=tuple((column.head, METRICS[column.metric].what) for column in card.columns),
        forests=tuple(chart for chart in found if chart is not None),
        tables=tuple(main_tables(results, card, digits=DIGITS)),
        groups=tuple(group_tables(results, card, digits=DIGITS)),
    )


def _losses(results: Results) -> list[_Losses]:
    by_set: dict[str, list[LossChart]] = {}
    for training in results.trainings:
        if training.status == "done" and (training.train_loss.values or training.val_loss.values):
            by_set.setdefault(training.train_set, []).append(loss_chart(training))
    return [_Losses(name, tuple(charts)) for name, charts in by_set.items()]


def _overlays(grid: Grid, folder: Path) -> _Overlays:
    trained = f"Models trained on {grid.train_set}" if grid.train_set else "Models as they are"
    rows = []
    for chip in grid.chips:
        found = [grid.picture(cell, chip.chip) for cell in grid.cells]
        plain = Path(chip.path).parent / f"{key_of(chip.chip)}.png"
        paths = [plain, *(None if picture is None else Path(picture.path) for picture in found)]
        rows.append((chip.scene, tuple(_embedded(folder, path) for path in paths)))
    names = tuple(cell.model for cell in grid.cells)
    return _Overlays(f"{trained}, judged on {grid.test_set}", names, tuple(rows))


def _embedded(folder: Path, path: Path | None) -> str:
    """A picture as data URI, made smaller where it is large; empty if it is gone."""
    stored = None if path is None or not (folder / path).is_file() else cv2.imread(str(folder / path))
    if stored is None:
        return ""
    scale = LARGEST / max(stored.shape[:2])
    if scale < 1:
        stored = cv2.resize(stored, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return data_uri(np.asarray(stored[..., ::-1], np.uint8))


def _failures(results: Results) -> list[tuple[str, str, str]]:
    """What failed, why, and what to do; each reason of a model once, with all sets."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for training in results.trainings:
        if training.status == "failed":
            key = (training.model, training.error, training.hint)
            places.setdefault(key, []).append(f"training on {training.train_set}")
    trainings = set(places)
    for cell in results.cells:
        key = (cell.model, cell.error, cell.hint)
        if cell.status == "failed" and key not in trainings:
            places.setdefault(key, []).append(cell.test_set)
    return [
        (f"{model}: {', '.join(dict.fromkeys(found))}", error, hint) for (model, error, hint), found in places.items()
    ]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, STYLES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("benchmark.html.j2")
