"""What a training says while it runs: tables of numbers, and TensorBoard where it is installed."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from clearscene.atomic import output_error, replacing

__all__ = ["Board", "Table"]


class Table:
    """A CSV file that grows by a row; columns that come late are added.

    Laws: after each `add` the file holds all rows; opened again from a step, it holds the rows up to that step.
    """

    def __init__(self, path: Path, *, up_to_step: int = 0) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if up_to_step and path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows = [{k: _number(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if row.get("step", 0) <= up_to_step]
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row))
        if self.rows:
            self._rewrite()
        else:
            path.unlink(missing_ok=True)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one more row.

        Raises:
            OutputError: The disk is full or the folder cannot be written.
        """
        self.rows.append(dict(row))
        new = [key for key in row if key not in self.columns]
        if new:
            self.columns += new
            self._rewrite()
            return
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self.columns, restval="").writerow(_texts(row))
        except OSError as error:
            raise output_error(error, self.path) from error

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="")
        writer.writeheader()
        writer.writerows(map(_texts, self.rows))
        with replacing(self.path) as part:
            part.write_text(text.getvalue(), encoding="utf-8", newline="")


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in row.items()}


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


class Board:
    """TensorBoard, if it is wanted and installed."""

    def __init__(self, folder: Path, *, is_wanted: bool, purge_step: int | None = None) -> None:
        module = _tensorboard() if is_wanted else None
        self._writer = module.SummaryWriter(str(folder), purge_step=purge_step) if module is not None else None

    def add(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Numbers of one step, by name."""
        if self._writer is None:
            return
        for name, value in values.items():
            if not math.isnan(value):
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()


def _tensorboard() -> ModuleType | None:
    try:
        from torch.utils import tensorboard
    except ImportError:
        return None
    return tensorboard
