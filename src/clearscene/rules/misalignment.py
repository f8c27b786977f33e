"""The misalignment rule: lines at which two pictures of a mosaic meet and the ground is displaced.

Own method. Where the ground may break is told by `break_lines` on a picture of the whole scene, whether
it does by `break_match` on the pixels of the scene; from there the line is followed both ways as long as the
ground stays displaced by the same amount. Seed of the inspection part, table 1 (stitching misalignment),
says what is to be found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from clearscene.rules.break_lines import Line, candidate_lines, sharp_steps
from clearscene.rules.break_match import REACH, WINDOW, Displacement, Patch, displacement, locate
from clearscene.stream import ordered_map

__all__ = ["Break", "MisalignmentRule", "Read"]

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

Read = Callable[[int, int, int, int], tuple[NDArray[np.uint8], Mask]]
"""Gray levels and valid (row, col) of the part of a scene from a top row and left column to others, exclusive."""

STEP = WINDOW // 2
"""Pixels along a line from one comparison to the next."""
TURN = 1 / 16
"""Slope by which a line may turn from one comparison to the next."""
AROUND = 48
"""Pixels beside a line that are read."""
PATIENCE = 3
"""Comparisons without a result after which a line is not followed any further."""
LONGEST = 4000
"""Comparisons along one line to each side, at most."""


@dataclass(frozen=True)
class Break:
    """A line at which the ground is displaced."""

    points: list[tuple[float, float]]
    """Row and column of points along it, pixels of the scene."""
    offset_px: float
    """Length of the displacement, to a pixel or two."""
    confidence: float
    """Share of the comparisons along it that show the displacement."""


@dataclass(frozen=True)
class MisalignmentRule:
    """Find stitching misalignments: seams along which the ground is displaced by 2 to 28 px.

    Laws: a gain or an offset of either side of a seam that clips nothing hardly matters; what is not valid has
    no say; turning the scene turns what is found.

    Found are seams whose line is sharp. Missed are those feathered over more than a pixel or two, those without
    a straight piece of 384 px, displacements below 2 px, pictures that lack a strip of the ground at the seam, and
    ground without texture along it.
    """

    candidates: int = 128
    """Lines of each of both directions that are looked at."""
    least: int = 3
    """Comparisons, half a window apart, that have to agree."""
    min_confidence: float = 0.5
    """Share of the comparisons along a line that have to show the displacement."""
    name: str = field(default="misalignment", init=False)

    @property
    def shortest(self) -> int:
        """Pixels of a scene along a side below which nothing can be told: the comparisons have to fit in."""
        return WINDOW + STEP * (self.least - 1)

    def parameters(self) -> Mapping[str, float | int | str]:
        """What the report prints: every parameter by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    def find(
        self,
        sharp: tuple[Plane, Plane],
        valid: Mask,
        read: Read,
        *,
        size: tuple[int, int],
        factor: int,
        workers: int = 1,
    ) -> list[Break]:
        """Look for misaligned seams.

        Args:
            sharp: Pooled sharpness (row, col) of the steps between rows, and of those between columns.
            valid: (row, col) of that picture.
            read: Gives pixels of the scene.
            size: Rows and columns of the scene.
            factor: Pixels of the scene along a pixel of the picture.
            workers: Threads.
        """
        upright = np.ascontiguousarray(sharp[1].T)
        lines = candidate_lines(sharp[0], valid, turned=False, most=self.candidates, workers=workers)
        lines += candidate_lines(upright, valid.T, turned=True, most=self.candidates, workers=workers)
        scene = _Scene(read, size)
        reach = factor + factor // 2 + 2
        seeds = ordered_map(lambda line: self._seed(scene, line.scaled(factor), factor, reach), lines, workers=workers)
        found: list[Break] = []
        for seed in seeds:
            if seed is None or any(_lies_on(seed[0], one) for one in found):
                continue
            broken = self._follow(scene, *seed)
            if broken is not None:
                found.append(broken)
        return found

    def _seed(self, scene: "_Scene", line: Line, factor: int, reach: int) -> tuple[Line, Displacement] | None:
        """The first place along a line at which the ground is displaced."""
        for place in (0, -1, 1) if factor > 1 else (0,):
            col = line.col + place * 20 * factor
            patch = scene.patch(line, col, around=AROUND + reach)
            if patch is None:
                continue
            for near in locate(patch, line, col, reach=reach, turn=TURN):
                shown = displacement(patch, near)
                if shown is not None:
                    return near, shown
        return None

    def _follow(self, scene: "_Scene", line: Line, shown: Displacement) -> Break | None:
        """The line both ways from a seed, as far as the ground is displaced by the same."""
        order = [*self._way(scene, line, shown, -1)[::-1], line, *self._way(scene, line, shown, 1)]
        span = round((order[-1].col - order[0].col) / STEP) + 1
        if len(order) < self.least or len(order) < self.min_confidence * span:
            return None
        ends = [
            (order[0], order[0].col - WINDOW / 2),
            *((one, one.col) for one in order),
            (order[-1], order[-1].col + WINDOW / 2),
        ]
        points = [(one.start + one.slope * col, col) for one, col in ends]
        if line.turned:
            points = [(col, row) for row, col in points]
        return Break(points, shown.length(line.slope), len(order) / span)

    def _way(self, scene: "_Scene", line: Line, shown: Displacement, way: int) -> list[Line]:
        """The places one way from a seed, at which the ground is displaced as at the place before or nearly so."""
        found: list[Line] = []
        misses, looked = 0, 0
        while misses < PATIENCE and looked < LONGEST:
            col = line.col + way * STEP * (misses + 1)
            patch = scene.patch(line, col, around=AROUND + 8)
            if patch is None:
                break
            looked += 1
            nearby = locate(patch, line, col, reach=4 + 2 * misses, turn=TURN)
            seen = ((one, displacement(patch, one, expected=shown)) for one in nearby)
            good = next(((one, there) for one, there in seen if there is not None), None)
            if good is None:
                misses += 1
            else:
                (line, shown), misses = good, 0
                found.append(line)
        return found


def _lies_on(line: Line, broken: Break) -> bool:
    """True if the middle of a line lies within some pixels of a break."""
    here = np.array([line.col, line.row] if line.turned else [line.row, line.col])
    points = np.array(broken.points)
    along = np.diff(points, axis=0)
    share = np.clip(((here - points[:-1]) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-6), 0, 1)
    return bool(np.hypot(*(points[:-1] + share[:, None] * along - here).T).min() < AROUND / 4)


@dataclass(frozen=True)
class _Scene:
    read: Read
    size: tuple[int, int]

    def patch(self, line: Line, col: float, *, around: int) -> Patch | None:
        """Pixels around a line, around a column; None where the scene has ended."""
        height, width = self.size[::-1] if line.turned else self.size
        half = WINDOW / 2
        left, right = max(0, int(col - half - REACH - 2)), min(width, int(col + half + REACH + 3))
        rows = [line.start + line.slope * c for c in (left, right)]
        top, bottom = max(0, int(min(rows) - around)), min(height, int(max(rows) + around + 1))
        if not half <= col <= width - half or bottom - top < 2 * REACH:
            return None
        if line.turned:
            gray, valid = self.read(left, top, right, bottom)
            gray, valid = np.ascontiguousarray(gray.T), np.ascontiguousarray(valid.T)
        else:
            gray, valid = self.read(top, left, bottom, right)
        return Patch(gray.astype(np.float32), valid, sharp_steps(gray, valid), top, left)
