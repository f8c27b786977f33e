"""Where the defects of a generated scene go: apart from each other and off the collar."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.grid import slices
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.synth.kinds import BY_KIND, KINDS, Kind

__all__ = ["GAP", "Area", "Footprint", "Placement", "moved", "place"]

GAP = 14
"""Pixels kept free between defects, and between a defect and the collar."""
TRIES = 400
SMALLEST_REGION = 110
"""Pixels a side below which no window of a region or a seam shrinks."""
LONGEST = 0.7
"""Share of a side of a scene that the window of a seam takes, at most."""
FILLED = 0.5
"""Most of a scene that the windows of defects cover; defects shrink before they cover more."""


REFERENCE_PIXELS = 4096 * 3072
MOST_OF_A_KIND = 60


class Area(Protocol):
    """The part of a raster that holds imagery."""

    @property
    def height(self) -> int:
        """Rows of the raster."""

    @property
    def width(self) -> int:
        """Columns of the raster."""

    def valid(self, window: Window) -> NDArray[np.bool_]:
        """True where a pixel of the window holds imagery, (row, col)."""

    def holds(self, window: Window, *, inset: float) -> bool:
        """True if a defect may be put into the window, with `inset` pixels around it."""


@dataclass(frozen=True)
class Footprint:
    """Imagery in a rectangle around the middle of the raster, turned a little."""

    height: int
    width: int
    angle: float = 0.0
    """Radians; 0 fills the raster and leaves no collar."""

    def valid(self, window: Window, *, inset: float = 0.0) -> NDArray[np.bool_]:
        """True where pixel centers lie in the footprint, (row, col); `inset` pixels inside it."""
        rows, cols = slices(window)
        y = np.arange(rows.start, rows.stop) + 0.5 - self.height / 2
        x = np.arange(cols.start, cols.stop) + 0.5 - self.width / 2
        half_width, half_height = self._halves()
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        along = np.abs(np.add.outer(y * sin, x * cos)) <= half_width - inset
        across = np.abs(np.add.outer(y * cos, -x * sin)) <= half_height - inset
        return np.asarray(along & across)

    def _halves(self) -> tuple[float, float]:
        """Half width and half height of the rectangle whose corners touch the sides of the raster."""
        if self.angle == 0:
            return self.width / 2, self.height / 2
        cos, sin = np.cos(self.angle), abs(np.sin(self.angle))
        det = cos**2 - sin**2
        return (self.width * cos - self.height * sin) / det / 2, (self.height * cos - self.width * sin) / det / 2

    def holds(self, window: Window, *, inset: float) -> bool:
        """True if the whole window lies in the footprint, `inset` pixels inside it."""
        rows, cols = slices(window)
        corners = [Window(c, r, 1, 1) for r in (rows.start, rows.stop - 1) for c in (cols.start, cols.stop - 1)]
        return all(bool(self.valid(corner, inset=inset)[0, 0]) for corner in corners)


@dataclass(frozen=True)
class Placement:
    """One defect at its place."""

    id: int
    """From 1."""
    kind: str
    """Key of `BY_KIND`."""
    row: int
    col: int
    height: int
    width: int
    severity: float
    """0 to 1."""
    seed: int
    """Of the chance inside."""

    @property
    def window(self) -> Window:
        """Where it lies in the scene."""
        return Window(self.col, self.row, self.width, self.height)

    @property
    def type(self) -> str:
        """Name of the defect type."""
        return BY_KIND[self.kind].type

    @property
    def type_id(self) -> int:
        """Value in the class map."""
        return BY_NAME[self.type].id


def place(
    area: Area, *, types: frozenset[str], seed: int, density: float = 1.0
) -> tuple[list[Placement], dict[str, int]]:
    """Choose places for defects; returns them, and how many of each kind found no room.

    Laws: the windows lie at least `GAP` pixels apart, but beside a seam, in its window, others may lie;
    the area holds them, but for lost lines, which go from side to side; the same seed gives the same
    places. `density` multiplies the number of each kind, of which there is one at least.

    Raises:
        OptionError: A type has no generator.
    """
    known = {kind.type for kind in KINDS}
    if unknown := types - known:
        raise OptionError(
            f"No defects of type {', '.join(sorted(unknown))} can be generated.",
            hint=f"Types with a generator: {', '.join(sorted(known))}; or none.",
        )
    wanted = _counts(types, density * area.height * area.width / REFERENCE_PIXELS, seed)
    shrink = _shrink(wanted, area)
    rng = np.random.default_rng((seed, 3))
    taken = _Taken()
    placed: list[Placement] = []
    no_room: dict[str, int] = {}
    for kind, count in wanted:
        for _ in range(count):
            window = _free_window(kind, area, taken, rng, shrink=shrink)
            if window is None:
                no_room[kind.name] = no_room.get(kind.name, 0) + 1
                continue
            top, left, height, width = window
            taken.add(kind, *window)
            severity = round(float(rng.random()), 3)
            placed.append(
                Placement(len(placed) + 1, kind.name, top, left, height, width, severity, int(rng.integers(2**31)))
            )
    return placed, no_room


def moved(placement: Placement, area: Area, *, others: Sequence[Placement], attempt: int) -> Placement | None:
    """The same defect at another place that is as far from the others, or None if there is none."""
    rng, kind = np.random.default_rng((placement.seed, attempt)), BY_KIND[placement.kind]
    taken = _Taken()
    for other in others:
        taken.add(BY_KIND[other.kind], other.row, other.col, other.height, other.width)
    for _ in range(TRIES):
        top = int(rng.integers(area.height - placement.height + 1))
        left = int(rng.integers(area.width - placement.width + 1))
        window = Window(left, top, placement.width, placement.height)
        if area.holds(window, inset=GAP) and taken.leaves(kind, top, left, placement.height, placement.width):
            return replace(placement, row=top, col=left)
    return None


def _counts(types: frozenset[str], share: float, seed: int) -> list[tuple[Kind, int]]:
    """How many of each kind, for a scene with `share` of the usual number.

    Every kind of lines and lost pixels is there at least once. Of what takes more room each type is,
    with a kind chosen by chance.
    """
    wanted = {kind: min(round(kind.per_scene * share), MOST_OF_A_KIND) for kind in KINDS if kind.type in types}
    rng = np.random.default_rng((seed, 6))
    for name in dict.fromkeys(kind.type for kind in wanted):
        kinds = [kind for kind in wanted if kind.type == name]
        if BY_NAME[name].group is Group.PIXEL:
            wanted |= {kind: max(1, wanted[kind]) for kind in kinds}
        elif not any(wanted[kind] for kind in kinds):
            wanted[kinds[int(rng.integers(len(kinds)))]] = 1
    return list(wanted.items())


def _shrink(wanted: list[tuple[Kind, int]], area: Area) -> float:
    """Share of its size that a defect keeps: less in a small scene, and where many are to find room."""
    needed = sum(count * kind.filled * sum(kind.heights) * sum(kind.widths) / 4 for kind, count in wanted)
    crowded = np.sqrt(FILLED * area.height * area.width / max(needed, 1.0))
    return float(min(1.0, min(area.height, area.width) / 1500, crowded))


def _free_window(
    kind: Kind, area: Area, taken: "_Taken", rng: np.random.Generator, *, shrink: float
) -> tuple[int, int, int, int] | None:
    """A random (top, left, height, width) that touches nothing, or None after many tries."""
    least = 6 if BY_NAME[kind.type].group is Group.PIXEL else SMALLEST_REGION
    for _ in range(TRIES):
        height, width = (_side(sides, rng, shrink=shrink, least=least) for sides in (kind.heights, kind.widths))
        if kind.may_turn and rng.random() < 0.5:
            height, width = width, height
        if kind.spans_scene:
            width = area.width
        elif kind.filled < 1:
            height, width = min(height, int(LONGEST * area.height)), min(width, int(LONGEST * area.width))
        if height > area.height or width > area.width:
            continue
        top = int(rng.integers(area.height - height + 1))
        left = int(rng.integers(area.width - width + 1))
        if kind.spans_scene:
            middle = Window(area.width // 2, top, 1, height)
            fits = GAP < top < area.height - height - GAP and area.holds(middle, inset=GAP)
        else:
            fits = area.holds(Window(left, top, width, height), inset=GAP)
        if fits and taken.leaves(kind, top, left, height, width):
            return top, left, height, width
    return None


def _side(sides: tuple[int, int], rng: np.random.Generator, *, shrink: float, least: int) -> int:
    low, high = sides
    length = int(rng.integers(low, high + 1))
    return length if high <= 8 else max(least, round(length * shrink))  # the width of a line stays


class _Taken:
    """Where defects lie already, rectangles (n, 4) of top, left, bottom, right."""

    def __init__(self) -> None:
        self._kept_off = np.empty((0, 4), np.int64)
        """What no other defect may touch."""
        self._around = np.empty((0, 4), np.int64)
        """Windows of seams, beside which others may lie, but no other seam."""

    def add(self, kind: Kind, top: int, left: int, height: int, width: int) -> None:
        """Take a window."""
        self._kept_off = np.vstack([self._kept_off, _kept_off(kind, top, left, height, width)])
        if kind.filled < 1:
            self._around = np.vstack([self._around, (top, left, top + height, left + width)])

    def leaves(self, kind: Kind, top: int, left: int, height: int, width: int) -> bool:
        """True if a defect of that kind may take a window."""
        if kind.filled < 1 and _hits((top, left, top + height, left + width), self._around):
            return False
        return not _hits(_kept_off(kind, top, left, height, width), self._kept_off)


def _kept_off(kind: Kind, top: int, left: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The part of a window that others keep off: all of it, or the middle along its longer side."""
    spare = int((1 - kind.filled) / 2 * min(height, width))
    rows, cols = (spare, 0) if width >= height else (0, spare)
    return top + rows, left + cols, top + height - rows, left + width - cols


def _hits(one: tuple[int, int, int, int], others: NDArray[np.int64]) -> bool:
    """True if a rectangle comes nearer than `GAP` to one of the others."""
    top, left, bottom, right = one
    near = (
        (others[:, 0] < bottom + GAP)
        & (others[:, 2] > top - GAP)
        & (others[:, 1] < right + GAP)
        & (others[:, 3] > left - GAP)
    )
    return bool(near.any())
