"""Figures 8 to 11 of the benchmark as PNG, drawn from results: curves of the losses, and masks side by side."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.judging import write_picture
from clearscene.benchmark.results import Cell, Picture, Results
from clearscene.benchmark.suite import key_of
from clearscene.training.curves import Curve, draw_panel

__all__ = ["FIGURES", "Grid", "overlay_grids", "write_figures"]

FIGURES = "figures"
PER_ROW = 2
SIDE = 220
"""Of a chip in the figure of overlays, pixels."""
GAP, HEAD = 6, 26
INK = (40, 40, 40)

Image = NDArray[np.uint8]


class Grid:
    """Masks of one training set: a row a chip, a column a model."""

    def __init__(self, train_set: str | None, test_set: str, cells: Sequence[Cell]) -> None:
        self.train_set, self.test_set = train_set, test_set
        self.cells = tuple(cell for cell in cells if cell.pictures)

    @property
    def chips(self) -> tuple[Picture, ...]:
        """One picture for each row, of the first model."""
        return self.cells[0].pictures if self.cells else ()

    def picture(self, cell: Cell, chip: str) -> Picture | None:
        """A chip as a model masks it."""
        return next((picture for picture in cell.pictures if picture.chip == chip), None)

    @property
    def key(self) -> str:
        """For file names."""
        return f"overlays-{key_of(self.train_set or 'as-is')}-on-{key_of(self.test_set)}"


def overlay_grids(results: Results) -> list[Grid]:
    """One grid for each set that was trained on and each that was judged; models made elsewhere join each."""
    used = {cell.train_set for cell in results.cells}
    trained: list[str | None] = [entry.name for entry in results.sets if entry.name in used]
    grids = []
    for train_set in trained or [None]:
        for entry in results.sets:
            cells = [c for c in results.cells if c.test_set == entry.name and c.train_set in (train_set, None)]
            grid = Grid(train_set, entry.name, cells)
            if grid.cells:
                grids.append(grid)
    return grids


def write_figures(results: Results, folder: Path) -> list[Path]:
    """Draw all figures into `folder`/figures; a picture that is gone leaves its place empty.

    Raises:
        OutputError: One cannot be written.
    """
    written = []
    for train_set in dict.fromkeys(training.train_set for training in results.trainings):
        panels = _curve_panels(results, train_set)
        if panels:
            path = folder / FIGURES / f"curves-{key_of(train_set)}.png"
            write_picture(path, _tiled(panels, PER_ROW)[..., ::-1])
            written.append(path)
    for grid in overlay_grids(results):
        path = folder / FIGURES / f"{grid.key}.png"
        write_picture(path, _drawn(grid, folder))
        written.append(path)
    return written


def _curve_panels(results: Results, train_set: str) -> list[Image]:
    """Loss in training and validation of each network that was trained on a set, blue, green, red."""
    panels = []
    for training in results.trainings:
        if training.train_set == train_set and training.status == "done":
            curves = [
                Curve(name, curve.steps, curve.values)
                for name, curve in (("training", training.train_loss), ("validation", training.val_loss))
            ]
            panels.append(draw_panel(f"{training.model}: loss", curves))
    return panels


def _tiled(panels: Sequence[Image], per_row: int) -> Image:
    """Panels of one size in rows; the last row is filled with white."""
    n_rows = math.ceil(len(panels) / per_row)
    blank = np.full_like(panels[0], 255)
    filled = [*panels, *[blank] * (n_rows * per_row - len(panels))]
    rows = [np.concatenate(filled[i : i + per_row], axis=1) for i in range(0, len(filled), per_row)]
    return np.concatenate(rows, axis=0)


def _drawn(grid: Grid, folder: Path) -> Image:
    """The grid in red, green, blue: the image, then each model, with names above."""
    n_rows, n_cols = len(grid.chips), len(grid.cells) + 1
    height, width = HEAD + n_rows * (SIDE + GAP), n_cols * (SIDE + GAP) + GAP
    canvas = np.full((height, width, 3), 255, np.uint8)
    for col, name in enumerate(["image", *(cell.model for cell in grid.cells)]):
        _write(canvas, name, GAP + col * (SIDE + GAP), HEAD - 9)
    for row, chip in enumerate(grid.chips):
        top = HEAD + row * (SIDE + GAP)
        plain = Path(chip.path).parent / f"{key_of(chip.chip)}.png"
        found = [grid.picture(cell, chip.chip) for cell in grid.cells]
        paths = [plain, *(None if picture is None else Path(picture.path) for picture in found)]
        for col, path in enumerate(paths):
            left = GAP + col * (SIDE + GAP)
            canvas[top : top + SIDE, left : left + SIDE] = _square(None if path is None else folder / path)
    return canvas


def _square(path: Path | None) -> Image:
    """A picture fitted into a square, gray around it; an empty square where there is none."""
    square = np.full((SIDE, SIDE, 3), 235, np.uint8)
    stored = None if path is None or not path.is_file() else cv2.imread(str(path), cv2.IMREAD_COLOR)
    if stored is None:
        return square
    scale = SIDE / max(stored.shape[:2])
    size = (max(1, round(stored.shape[1] * scale)), max(1, round(stored.shape[0] * scale)))
    small = cv2.resize(stored, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small[..., ::-1]
    return square


def _write(canvas: Image, text: str, col: int, row: int) -> None:
    plain = text.encode("ascii", "replace").decode()
    size = min(0.5, 0.5 * (SIDE - 4) / max(1, 9 * len(plain)))
    cv2.putText(canvas, plain, (col, row), cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)
