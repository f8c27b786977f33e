"""One pass over a scene: every rule on every window, gathered into runs over the whole scene."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from rasterio.windows import Window

from clearscene.grid import Grid, windows
from clearscene.inspection.viewer import Look, SceneViewer
from clearscene.rules.rule import Rule
from clearscene.runs import Runs
from clearscene.stream import ordered_map

__all__ = ["Detection", "Gatherer", "WindowResult", "detect", "fitting_workers"]

WINDOW_SIZE, LARGE_WINDOW_SIZE = 1024, 2048
"""Rows and columns of the windows that rules work on, without the margin. Larger ones spend less on margins,
smaller ones keep all workers busy in a small scene; what is found is the same."""

LARGE_SCENE = 50_000_000
"""Pixels from which a scene is cut into large windows."""


RESERVED_MB = 400
"""What the process holds besides the windows: interpreter, libraries, raster cache."""

WORKER_MB = 220
"""What a worker holds while rules look at a large window (`benchmarks/inspect_scene.py` prints the peak of two)."""


class Gatherer(Protocol):
    """Whoever looks at the whole scene, and gathers what that needs while windows are read."""

    halo: int
    """Pixels around a window that `gather` needs."""

    def gather(self, look: Look) -> None:
        """Take what is needed from a window; each pixel of the scene is in one of them, in any order, of any thread."""
        ...


@dataclass(frozen=True, eq=False)
class WindowResult:
    """What one window gave."""

    found: dict[str, Runs]
    """By rule name, inside the inspected pixels."""
    inspected: Runs
    nodata: Runs
    """Where nodata, alpha or a mask says that there is no data."""
    n_collar: int
    """Pixels of the collar that are not declared nodata as well."""
    n_unreadable: int
    inspected_m2: float
    unreadable: list[tuple[Window, str]]


@dataclass(eq=False)
class Detection:
    """What the pass over the whole scene gave."""

    found: dict[str, Runs]
    inspected: Runs
    nodata: Runs
    n_collar: int = 0
    n_unreadable: int = 0
    inspected_m2: float = 0.0
    unreadable: list[tuple[Window, str]] = field(default_factory=list)

    def n_hole(self, grid: Grid) -> int:
        """Pixels without data that are enclosed by data, not joined to the border of the scene."""
        runs = self.nodata
        if len(runs) == 0:
            return 0
        labels = runs.label(reach=1)
        at_border = (runs.rows == 0) | (runs.rows == grid.height - 1) | (runs.starts == 0) | (runs.stops == grid.width)
        outside = np.zeros(int(labels.max()) + 1, np.bool_)
        outside[labels[at_border]] = True
        return int(runs.lengths[~outside[labels]].sum(dtype=np.int64))


def fitting_workers(workers: int, memory_limit_mb: int) -> int:
    """As many of the workers as the memory limit holds, at least one."""
    return max(1, min(workers, (memory_limit_mb - RESERVED_MB) // WORKER_MB))


def detect(
    viewer: SceneViewer,
    rules: Sequence[Rule],
    *,
    workers: int,
    progress: Callable[[float], None],
    gatherers: Sequence[Gatherer] = (),
) -> Detection:
    """Run every rule on every window of the scene, in `workers` threads; others gather what they need on the way.

    `progress` is called with the share of the windows that is done, 0 to 1.
    Memory: `workers` + 1 windows, and the runs of what was found.
    """
    grid = viewer.scene.grid
    halo = max([0, *(rule.halo for rule in rules), *(one.halo for one in gatherers)])

    def one(window: Window) -> WindowResult:
        look = viewer.look(window, halo)
        for gatherer in gatherers:
            gatherer.gather(look)
        return _inspect_window(look, rules, grid)

    size = LARGE_WINDOW_SIZE if grid.n_pixels >= LARGE_SCENE else WINDOW_SIZE
    todo = list(windows(grid.height, grid.width, size))
    results = []
    for result in ordered_map(one, todo, workers=workers, ahead=workers + 1):
        results.append(result)
        progress(len(results) / len(todo))
    return _gathered(results, rules)


def _inspect_window(look: Look, rules: Sequence[Rule], grid: Grid) -> WindowResult:
    row, col = round(look.window.row_off), round(look.window.col_off)
    found = {}
    for rule in rules if look.inspected.any() else ():
        evidence = rule.detect(look.view)
        mask = evidence.mask[look.core] & look.inspected
        found[rule.name] = Runs.from_mask(mask, evidence.confidence[look.core], row=row, col=col)
    return WindowResult(
        found=found,
        inspected=Runs.from_mask(look.inspected, row=row, col=col),
        nodata=Runs.from_mask(~look.declared & ~look.unreadable, row=row, col=col),
        n_collar=int((look.collar & look.declared).sum()),
        n_unreadable=int(look.unreadable.sum()),
        inspected_m2=_ground_area(look, grid),
        unreadable=look.damage,
    )


def _ground_area(look: Look, grid: Grid) -> float:
    """Square meters of the inspected pixels; a window is small enough to take its middle pixel."""
    if grid.pixel_area is None:
        return 0.0
    window = look.window
    middle = grid.pixel_area.at(window.row_off + window.height / 2, window.col_off + window.width / 2)
    return float(middle) * int(look.inspected.sum())


def _gathered(results: Iterable[WindowResult], rules: Sequence[Rule]) -> Detection:
    results = list(results)
    return Detection(
        found={rule.name: Runs.union(r.found[rule.name] for r in results if rule.name in r.found) for rule in rules},
        inspected=Runs.union(r.inspected for r in results),
        nodata=Runs.union(r.nodata for r in results),
        n_collar=sum(r.n_collar for r in results),
        n_unreadable=sum(r.n_unreadable for r in results),
        inspected_m2=sum(r.inspected_m2 for r in results),
        unreadable=[block for r in results for block in r.unreadable],
    )
