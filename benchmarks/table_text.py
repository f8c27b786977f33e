"""Tables of the benchmarks: printed in columns, kept as JSON, with intervals over source scenes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

NOT_MEASURED = "not measured"
DRAWS = 1000

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of as many cells."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.heads):
                raise ValueError(f"{self.title}: row {row} has {len(row)} cells, there are {len(self.heads)} columns")


def shown(value: Cell) -> str:
    """Numbers with three decimals, whole ones and words as they are; nothing was measured where there is no number."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return NOT_MEASURED
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def text_of(table: Table) -> str:
    """The table as Markdown that can be read as it is: the first column to the left, the others to the right."""
    lines = [list(table.heads), *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.heads))]

    def joined(line: Sequence[str]) -> str:
        cells = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    parts = [table.title, "", joined(lines[0]), rule, *(joined(line) for line in lines[1:])]
    return "\n".join([*parts, *(["", table.note] if table.note else [])])


def report(tables: Sequence[Table], *, about: dict[str, Cell], path: Path | None) -> None:
    """Print what was measured and on what; write the same as JSON, unrounded, if a path is given."""
    print("; ".join(f"{key}: {shown(value)}" for key, value in about.items()))
    for table in tables:
        print(f"\n{text_of(table)}")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = [
            {**asdict(table), "rows": [[_plain(cell) for cell in row] for row in table.rows]} for table in tables
        ]
        path.write_text(json.dumps({"about": about, "tables": entries}, indent=1) + "\n", encoding="utf-8")


def _plain(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not np.isfinite(cell) else cell


def scene_draws(scenes: Sequence[str], *, seed: int, draws: int = DRAWS) -> np.ndarray:
    """How often each chip counts, (1 + draws, chip): first once, then by scenes drawn with replacement.

    Law: chips of one scene always count alike, and each row draws as many scenes as there are.
    """
    names, index = np.unique(np.asarray(scenes), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return np.vstack([np.ones(len(names), np.int64), drawn])[:, index]


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the draws, values (1 + draws,) as from `scene_draws`; NaN where nothing is known."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn.size else (np.nan, np.nan)
    return float(low), float(high)


def with_interval(values: np.ndarray, *, sign: bool = False) -> str:
    """A number and its interval as one cell: `0.713 (0.690 to 0.731)`."""
    if not np.isfinite(values[0]):
        return NOT_MEASURED
    form = "{:+.3f}" if sign else "{:.3f}"
    low, high = interval(values)
    return f"{form.format(values[0])} ({form.format(low)} to {form.format(high)})"


def ratio(above: np.ndarray | float, below: np.ndarray | float) -> np.ndarray:
    """The quotient, NaN where nothing is below."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
