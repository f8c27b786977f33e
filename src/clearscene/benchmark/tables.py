"""Tables in the form of the benchmark's Tables 2 and 3: one a training set, a block a test set, a row a model.

Each table is of one protocol card. Only `mixed_table` puts several side by side, and only who asks for it gets it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clearscene.benchmark.card import Card
from clearscene.benchmark.metrics import METRICS
from clearscene.benchmark.results import Cell, Model, Number, Results

__all__ = ["Block", "Line", "Table", "group_tables", "main_tables", "mixed_table", "shown_number"]

BUSY_SHARE = 0.8
"""Of one core; a model that got less of it while it was timed was slowed down by others."""
COST_HEADS = ("s/Mpx", "Parameters", "MB", "GFLOP/Mpx")


@dataclass(frozen=True)
class Line:
    """A row: a model and its cells as text."""

    name: str
    cells: tuple[str, ...]
    best: frozenset[int] = frozenset()
    """Places of the cells that are the best of their block."""
    is_elsewhere: bool = False
    """True for a model that was not trained on the set of the table."""


@dataclass(frozen=True)
class Block:
    """Rows that are compared with each other."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """One table."""

    key: str
    """For file names."""
    title: str
    heads: tuple[str, ...]
    """Of the columns after the name of the model."""
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()


def main_tables(results: Results, card: Card, *, digits: int = 4) -> list[Table]:
    """One table for each set that was trained on, or one where nothing was trained."""
    trained_on = [entry.name for entry in results.sets if entry.is_trained_on]
    used: list[str | None] = [name for name in trained_on if any(cell.train_set == name for cell in results.cells)]
    heads = (*(column.head for column in card.columns), *COST_HEADS)
    tables = []
    for train_set in used or [None]:
        blocks = [
            _block(results, card, train_set=train_set, test_set=entry.name, digits=digits)
            for entry in results.sets
            if entry.is_judged
        ]
        title = f"Models trained on {train_set}" if train_set else "Models as they are"
        tables.append(
            Table(
                key=train_set or "models",
                title=f"{title}; protocol {card.name}",
                heads=heads,
                blocks=tuple(block for block in blocks if block.lines),
                notes=_notes(results, card, train_set),
            )
        )
    return tables


def _block(results: Results, card: Card, *, train_set: str | None, test_set: str, digits: int) -> Block:
    cells = [
        (model, cell)
        for model in results.models
        for cell in _cells_of(results, card, model.name, train_set=train_set, test_set=test_set)
    ]
    columns = [column.metric for column in card.columns]
    best = _best([cell for _, cell in cells], columns, digits)
    lines = [
        Line(
            name=model.name,
            cells=(*(_shown(cell, name, digits) for name in columns), *_costs(model, cell)),
            best=frozenset(i for i, name in enumerate(columns) if (cell.id, name) in best),
            is_elsewhere=cell.train_set is None and train_set is not None,
        )
        for model, cell in cells
    ]
    is_trained = not all(line.is_elsewhere for line in lines) and train_set is not None
    title = f"Trained on {train_set} and tested on {test_set}" if is_trained else f"Tested on {test_set}"
    return Block(title, tuple(lines))


def _cells_of(results: Results, card: Card, model: str, *, train_set: str | None, test_set: str) -> list[Cell]:
    """The cell of a model that was trained on the set, else of one that comes from elsewhere."""
    for trained in dict.fromkeys((train_set, None)):
        cell = results.cell(model, trained, test_set, card.name)
        if cell is not None:
            return [cell]
    return []


def _best(cells: Sequence[Cell], metrics: Sequence[str], digits: int) -> set[tuple[str, str]]:
    """Cells, by id and metric, that no other beats as printed; of a single cell none is best."""
    found = set()
    done = [cell for cell in cells if cell.status == "done"]
    for name in metrics:
        sign = 1 if METRICS[name].is_better_high else -1
        values = {
            cell.id: round(sign * number.value, digits)
            for cell in done
            if (number := cell.metrics.get(name)) and number.value is not None
        }
        if len(values) > 1:
            found |= {(key, name) for key, value in values.items() if value == max(values.values())}
    return found


def _shown(cell: Cell, metric: str, digits: int) -> str:
    if cell.status == "failed":
        return "failed"
    return shown_number(cell.metrics.get(metric), digits)


def shown_number(number: Number | None, digits: int) -> str:
    """The value, or a dash where it is not defined."""
    return "–" if number is None or number.value is None else f"{number.value:.{digits}f}"


def _costs(model: Model, cell: Cell) -> tuple[str, ...]:
    speed = "–" if cell.seconds_per_mpx is None else f"{cell.seconds_per_mpx:.3g}"
    parameters = "–" if model.parameters is None else f"{model.parameters:,}"
    size = "–" if model.size_mb is None else f"{model.size_mb:.1f}"
    work = "–" if model.gflop_per_mpx is None else f"{model.gflop_per_mpx:.0f}"
    return speed, parameters, size, work


def _notes(results: Results, card: Card, train_set: str | None) -> tuple[str, ...]:
    notes = []
    shown = [cell for cell in results.cells if cell.protocol == card.name and cell.train_set in (train_set, None)]
    if train_set and any(cell.train_set is None for cell in shown):
        notes.append(f"† Made elsewhere, not trained on {train_set}")
    if card.looks_at_test:
        notes.append("The threshold was chosen on the images that are judged: the numbers flatter")
    notes.append(_speed_note(results, shown))
    failures = dict.fromkeys(
        f"{cell.model} on {cell.test_set} failed: {cell.error.rstrip('.')}" for cell in shown if cell.status == "failed"
    )
    return (*notes, *failures)


def _speed_note(results: Results, cells: Sequence[Cell]) -> str:
    """What the speeds were measured on, and how far they can be trusted."""
    hardware = results.hardware
    n_threads = f"{hardware.threads} thread{'' if hardware.threads == 1 else 's'}"
    note = f"Speed on {hardware.processor or 'an unknown processor'}, {n_threads}, {hardware.device}"
    seconds = sum(cell.seconds or 0.0 for cell in cells)
    share = sum(cell.cpu_seconds or 0.0 for cell in cells) / seconds if seconds else 1.0
    if hardware.device == "cpu" and share < BUSY_SHARE:
        note += f"; the machine was busy: models got {100 * share:.0f} % of one core, so these speeds are too slow"
    return note


def group_tables(results: Results, card: Card, *, digits: int = 4) -> list[Table]:
    """By biome and by cover, for every set that has them: the leading column of the card, a column a group."""
    metric = card.leading
    tables = []
    for entry in results.sets:
        for what, field in (("biome", "by_biome"), ("cover", "by_cover")):
            cells = [c for c in results.cells if c.test_set == entry.name and c.protocol == card.name]
            groups = sorted({name for cell in cells for name in getattr(cell, field)})
            lines = [
                _group_line(cell, field, groups, metric=metric.metric, digits=digits)
                for cell in cells
                if getattr(cell, field)
            ]
            if groups and lines:
                tables.append(
                    Table(
                        key=f"{entry.name}-by-{what}",
                        title=f"{metric.head} on {entry.name} by {what}; protocol {card.name}",
                        heads=tuple(groups),
                        blocks=(Block("", tuple(lines)),),
                    )
                )
    return tables


def _group_line(cell: Cell, field: str, groups: Sequence[str], *, metric: str, digits: int) -> Line:
    found: dict[str, dict[str, Number]] = getattr(cell, field)
    name = f"{cell.model}, trained on {cell.train_set}" if cell.train_set else cell.model
    return Line(name, tuple(shown_number(found.get(group, {}).get(metric), digits) for group in groups))


def mixed_table(results: Results, metrics: Sequence[str], *, digits: int = 4) -> Table:
    """All protocols in one table, a block a protocol and test set: for those who know what they compare."""
    blocks = []
    for card in results.protocols:
        for entry in results.sets:
            cells = [c for c in results.cells if c.protocol == card.name and c.test_set == entry.name]
            lines = [
                Line(
                    f"{cell.model}, trained on {cell.train_set}" if cell.train_set else cell.model,
                    tuple(_shown(cell, name, digits) for name in metrics),
                )
                for cell in cells
            ]
            if lines:
                blocks.append(Block(f"{card.name}, tested on {entry.name}", tuple(lines)))
    heads = tuple(METRICS[name].title for name in metrics)
    note = "Numbers of different protocols cannot be compared with each other"
    return Table("mixed", "All protocols side by side", heads, tuple(blocks), (note,))
