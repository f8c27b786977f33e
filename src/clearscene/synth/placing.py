"""Where the defects of a generated scene go: apart from each other and off the collar."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.grid import slices
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.synth import missing, stripe_noise
from clearscene.synth.degraded import Degrade, Degraded

__all__ = ["KINDS", "Footprint", "Kind", "Placement", "place", "put"]

GAP = 14
"""Pixels kept free between defects, and between a defect and the collar."""
TRIES = 400


@dataclass(frozen=True)
class Kind:
    """A kind of defect and how often and how large it is placed."""

    name: str
    """Key in the truth."""
    type: str
    """Name of the defect type, as in the taxonomy."""
    degrade: Degrade
    per_scene: float
    """Number in a scene of 12.6 megapixels (4096 x 3072)."""
    heights: tuple[int, int]
    """Rows of the window, smallest and largest."""
    widths: tuple[int, int]
    """Columns of the window."""
    may_turn: bool = False
    """True if rows and columns may change places."""
    spans_scene: bool = False
    """True if the window goes through whole rows of the scene."""


KINDS: tuple[Kind, ...] = (
    Kind("lost_line", "missing", missing.lost_line, 1, (1, 2), (0, 0), spans_scene=True),
    Kind("long_stripe", "stripe", stripe_noise.long_stripe, 3, (3, 7), (700, 1500), may_turn=True),
    Kind("periodic_stripes", "stripe", stripe_noise.periodic_stripes, 1, (110, 180), (260, 460)),
    Kind("diagonal_stripe", "stripe", stripe_noise.diagonal_stripe, 2, (160, 320), (160, 320)),
    Kind("dead_band", "missing", missing.dead_band, 2, (40, 110), (60, 170)),
    Kind("black_block", "missing", missing.black_block, 3, (14, 110), (18, 130)),
    Kind("white_block", "missing", missing.white_block, 3, (10, 60), (14, 80)),
    Kind("lost_pieces", "missing", missing.lost_pieces, 4, (4, 5), (40, 260), may_turn=True),
    Kind("lost_points", "missing", missing.lost_points, 4, (40, 90), (40, 90)),
    Kind("short_stripes", "stripe", stripe_noise.short_stripes, 6, (40, 90), (90, 220), may_turn=True),
)
"""All kinds; the ones that are hardest to place come first."""

BY_KIND = {kind.name: kind for kind in KINDS}
REFERENCE_PIXELS = 4096 * 3072
MOST_OF_A_KIND = 60


@dataclass(frozen=True)
class Footprint:
    """The part of a raster that holds imagery: a rectangle around its middle, turned a little."""

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
    """Key of `KINDS`."""
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


def place(footprint: Footprint, *, types: frozenset[str], seed: int) -> tuple[list[Placement], dict[str, int]]:
    """Choose places for defects; returns them, and how many of each kind found no room.

    Laws: the windows lie at least `GAP` pixels apart; they lie in the footprint, but for lost lines,
    which go from side to side; the same seed gives the same places.

    Raises:
        OptionError: A type has no generator.
    """
    known = {kind.type for kind in KINDS}
    if unknown := types - known:
        raise OptionError(
            f"No defects of type {', '.join(sorted(unknown))} can be generated.",
            hint=f"Types with a generator: {', '.join(sorted(known))}; or none.",
        )
    rng = np.random.default_rng((seed, 3))
    taken = np.empty((0, 4), np.int64)  # top, left, bottom, right
    placed: list[Placement] = []
    no_room: dict[str, int] = {}
    for kind in KINDS:
        for _ in range(_count(kind, footprint) if kind.type in types else 0):
            window = _free_window(kind, footprint, taken, rng)
            if window is None:
                no_room[kind.name] = no_room.get(kind.name, 0) + 1
                continue
            top, left, height, width = window
            taken = np.vstack([taken, (top, left, top + height, left + width)])
            severity = round(float(rng.random()), 3)
            placed.append(
                Placement(len(placed) + 1, kind.name, top, left, height, width, severity, int(rng.integers(2**31)))
            )
    return placed, no_room


def put(placement: Placement, data: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Degraded:
    """Put a placed defect into the data (band, row, col) of its window."""
    rng = np.random.default_rng(placement.seed)
    return BY_KIND[placement.kind].degrade(data, valid, rng, placement.severity)


def _count(kind: Kind, footprint: Footprint) -> int:
    share = footprint.height * footprint.width / REFERENCE_PIXELS
    return int(np.clip(round(kind.per_scene * share), 1, MOST_OF_A_KIND))


def _free_window(
    kind: Kind, footprint: Footprint, taken: NDArray[np.int64], rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """A random (top, left, height, width) that touches nothing, or None after many tries."""
    shrink = min(1.0, min(footprint.height, footprint.width) / 1500)  # small scenes get small defects
    for _ in range(TRIES):
        height, width = (_side(sides, shrink, rng) for sides in (kind.heights, kind.widths))
        if kind.may_turn and rng.random() < 0.5:
            height, width = width, height
        if kind.spans_scene:
            width = footprint.width
        if height > footprint.height or width > footprint.width:
            continue
        top = int(rng.integers(footprint.height - height + 1))
        left = int(rng.integers(footprint.width - width + 1))
        if kind.spans_scene:
            middle = Window(footprint.width // 2, top, 1, height)
            fits = GAP < top < footprint.height - height - GAP and footprint.holds(middle, inset=GAP)
        else:
            fits = footprint.holds(Window(left, top, width, height), inset=GAP)
        if fits and not _hits(top, left, height, width, taken):
            return top, left, height, width
    return None


def _side(sides: tuple[int, int], shrink: float, rng: np.random.Generator) -> int:
    low, high = sides
    length = int(rng.integers(low, high + 1))
    return length if high <= 8 else max(6, round(length * shrink))  # the width of a line stays


def _hits(top: int, left: int, height: int, width: int, taken: NDArray[np.int64]) -> bool:
    near = (
        (taken[:, 0] < top + height + GAP)
        & (taken[:, 2] > top - GAP)
        & (taken[:, 1] < left + width + GAP)
        & (taken[:, 3] > left - GAP)
    )
    return bool(near.any())
