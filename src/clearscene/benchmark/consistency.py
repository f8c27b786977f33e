"""What printed numbers give away: from AUC, Dice and coverage back to the confusion matrix.

With TPR t, FPR f, true cloud fraction p and predicted fraction q of all pixels of a test set::

    AUC after a threshold  A = (t + 1 - f) / 2
    Dice                   D = 2 p t / (p + q)
    coverage similarity    c = 1 - |q - p|
    and always             q = p t + (1 - p) f

Three numbers, three unknowns: each row of a table gives t, f and p. All rows of one test set must give one p.
A row that cannot be brought to it holds a wrong number; IoU = D / (2 - D) tells whether Dice is the wrong one.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import nan, sqrt
from pathlib import Path

import numpy as np

from clearscene.errors import OptionError

__all__ = ["Check", "Printed", "Rates", "check_rows", "common_fraction", "printed_rows", "recover", "recover_recall"]

COLUMNS = ("trained", "tested", "model", "auc", "dice", "iou", "coverage")
ROUNDING = 5e-5
"""Half a unit of the fourth decimal."""
TOLERANCE = 2.5e-4
"""What rounding of three printed numbers can move an AUC by, with room to spare."""
GRID = 2e-5
"""Step in which the common cloud fraction is looked for."""


@dataclass(frozen=True)
class Printed:
    """A row of a table."""

    trained: str
    tested: str
    model: str
    auc: float
    dice: float
    iou: float
    coverage: float


@dataclass(frozen=True)
class Rates:
    """A confusion matrix as shares."""

    tpr: float
    fpr: float
    cloud_fraction: float
    predicted_fraction: float

    @property
    def precision(self) -> float:
        """Share of the predicted cloud that is true."""
        return self.cloud_fraction * self.tpr / self.predicted_fraction if self.predicted_fraction else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of pixels that are right."""
        return self.cloud_fraction * self.tpr + (1 - self.cloud_fraction) * (1 - self.fpr)


@dataclass(frozen=True)
class Check:
    """What became of a row."""

    printed: Printed
    rates: Rates | None
    """At the common fraction; None where no confusion matrix has this Dice and coverage."""
    auc_expected: float
    """That Dice and coverage demand at the common fraction; NaN with `rates`."""
    iou_expected: float
    """That Dice demands."""
    own_fraction: float
    """Of the three numbers of this row alone; NaN where there is none."""
    complaint: str
    """What cannot be right; empty if all agrees."""


def printed_rows(path: Path | None = None) -> list[Printed]:
    """Rows of a CSV with the columns of `COLUMNS`; those of Tables 2 and 3 of BenchCloudVision if none is given.

    Raises:
        OptionError: It cannot be read, a column is missing, or a value is no number from 0 to 1: the line is named.
    """
    source = path or Path(str(files("clearscene"))) / "benchmark" / "published" / "benchcloudvision.csv"
    try:
        reader = csv.DictReader(io.StringIO(source.read_text(encoding="utf-8-sig")))
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise OptionError(
                f"{source} has no column {', '.join(lacking)}.", hint=f"Its columns are {', '.join(COLUMNS)}."
            )
        return [_printed(row, f"{source}, line {reader.line_num}") for row in reader]
    except OSError as error:
        raise OptionError(f"{source} cannot be read: {error.strerror}.", hint="Name a CSV file.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise OptionError(f"{source} is not a CSV file: {error}.", hint="Name a CSV file.") from error


def _printed(row: Mapping[str, str | None], place: str) -> Printed:
    numbers = []
    for name in COLUMNS[3:]:
        try:
            number = float(row[name] or "")
        except ValueError:
            number = nan
        if not 0 <= number <= 1:
            raise OptionError(
                f"{place}: {name} is {row[name]!r}, no number from 0 to 1.", hint="Divide percent by 100."
            )
        numbers.append(number)
    trained, tested, model = (row[name] or "" for name in COLUMNS[:3])
    return Printed(trained, tested, model, *numbers)


def recover(auc: float, dice: float, coverage: float) -> list[Rates]:
    """All confusion matrices with these three numbers: none, one, or up to three.

    Law: each gives back the numbers that it was made of. With y = 2 A - 1 and d = 1 - c, for q = p + s d and
    s = 1 or -1, f = p (1 - y) + s d and t = f + y; Dice then is a quadratic equation in p,
    2 (1 - y) p^2 + 2 (s d + y - D) p - D s d = 0.
    """
    youden, gap = 2 * auc - 1, 1 - coverage
    found = []
    for side in (1.0, -1.0) if gap else (1.0,):
        shift = side * gap
        for p in _roots(2 * (1 - youden), 2 * (shift + youden - dice), -dice * shift):
            fpr = p * (1 - youden) + shift
            rates = Rates(fpr + youden, fpr, p, p + shift)
            if _is_possible(rates):
                found.append(rates)
    return found


def recover_recall(auc: float, dice: float, coverage: float) -> Rates | None:
    """The confusion matrix if coverage were recall, as the text of the paper says; None where there is none."""
    tpr, fpr = coverage, coverage - (2 * auc - 1)
    below = 2 * tpr - dice - dice * tpr + dice * fpr
    p = dice * fpr / below if below else float("nan")
    rates = Rates(tpr, fpr, p, p * tpr + (1 - p) * fpr)
    return rates if _is_possible(rates) else None


def common_fraction(rows: Sequence[Printed]) -> float:
    """The cloud fraction at which most rows of one test set agree: the lowest median distance of the AUC.

    Raises:
        OptionError: There are no rows.
    """
    if not rows:
        raise OptionError("There are no rows to check.", hint="Give a table with at least one.")
    grid = np.arange(GRID, 1, GRID)
    distances = np.array([_distances(row, grid) for row in rows])
    return float(grid[int(np.argmin(np.median(distances, axis=0)))])


def check_rows(rows: Iterable[Printed]) -> list[Check]:
    """Check the rows of each test set against its common cloud fraction."""
    rows = list(rows)
    fractions = {
        tested: common_fraction([row for row in rows if row.tested == tested])
        for tested in dict.fromkeys(row.tested for row in rows)
    }
    return [_check(row, fractions[row.tested]) for row in rows]


def _check(row: Printed, fraction: float) -> Check:
    rates = _at(row.dice, row.coverage, fraction, row.auc)
    expected = (rates.tpr + 1 - rates.fpr) / 2 if rates else float("nan")
    iou = row.dice / (2 - row.dice)
    own = recover(row.auc, row.dice, row.coverage)
    own_fraction = min((r.cloud_fraction for r in own), key=lambda p: abs(p - fraction), default=float("nan"))
    return Check(
        row, rates, expected, iou, own_fraction, _complaint(row, rates, expected=expected, iou=iou, own=own_fraction)
    )


def _complaint(row: Printed, rates: Rates | None, *, expected: float, iou: float, own: float) -> str:
    if abs(iou - row.iou) > 4 * ROUNDING:
        return f"IoU and Dice contradict each other: a Dice of {row.dice:.4f} is an IoU of {iou:.4f}"
    if rates is None:
        return "no confusion matrix has this Dice and coverage at the cloud fraction of the other rows"
    if abs(expected - row.auc) <= TOLERANCE:
        return ""
    elsewhere = f"; its own numbers fit a cloud fraction of {own:.4f}" if np.isfinite(own) else ""
    return f"Dice and coverage demand an AUC of {expected:.4f}{elsewhere}"


def _at(dice: float, coverage: float, p: float, auc: float) -> Rates | None:
    """The confusion matrix of a Dice and a coverage at a cloud fraction; of two the one nearer to the AUC."""
    found = []
    for side in (1, -1):
        q = p + side * (1 - coverage)
        tpr = dice * (p + q) / (2 * p)
        rates = Rates(tpr, (q - p * tpr) / (1 - p), p, q)
        if _is_possible(rates, slack=4 * ROUNDING):
            found.append(rates)
    return min(found, key=lambda r: abs((r.tpr + 1 - r.fpr) / 2 - auc), default=None)


def _distances(
    row: Printed, grid: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How far the printed AUC is from the one that Dice and coverage demand, for each cloud fraction; 1: impossible."""
    best = np.ones_like(grid)
    for side in (1, -1):
        q = grid + side * (1 - row.coverage)
        tpr = row.dice * (grid + q) / (2 * grid)
        fpr = (q - grid * tpr) / (1 - grid)
        is_possible = (q >= 0) & (q <= 1) & (tpr >= 0) & (tpr <= 1) & (fpr >= 0) & (fpr <= 1)
        best = np.where(is_possible, np.minimum(best, np.abs((tpr + 1 - fpr) / 2 - row.auc)), best)
    return best


def _roots(a: float, b: float, c: float) -> list[float]:
    """Real roots of a x^2 + b x + c = 0; of a line its one."""
    if abs(a) < 1e-12:
        return [-c / b] if b else []
    inside = b * b - 4 * a * c
    if inside < 0:
        return []
    return sorted({(-b + sign * sqrt(inside)) / (2 * a) for sign in (1, -1)})


def _is_possible(rates: Rates, slack: float = 1e-9) -> bool:
    shares = (rates.tpr, rates.fpr, rates.predicted_fraction)
    return 1e-9 < rates.cloud_fraction < 1 and all(-slack <= share <= 1 + slack for share in shares)
