"""Villages as lists of flat shapes: streets, yards, roofs, cars, each with a color and a height."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.synth.plan import Box, Plan, Points, Village

__all__ = ["Shape", "Sun", "village_shapes"]

LOT_WIDTH, LOT_DEPTH, STREET = 18.0, 21.0, 5.0
STREET_PIECE = 9.0
LOTS_A_BLOCK = 6
"""Lots between two cross streets."""

ROOFS: tuple[tuple[tuple[int, int, int], float], ...] = (
    ((152, 88, 70), 0.26),  # red tile
    ((128, 84, 70), 0.14),  # old tile
    ((98, 98, 101), 0.20),  # slate
    ((122, 108, 96), 0.12),  # brown
    ((168, 166, 160), 0.12),  # concrete
    ((82, 112, 150), 0.08),  # blue sheet metal
    ((240, 240, 237), 0.08),  # white sheet metal: near saturation, a hard negative for missing pixels
)
YARDS = ((120, 126, 84), (104, 116, 74), (150, 140, 116), (176, 168, 150), (134, 124, 96), (96, 110, 70))


@dataclass(frozen=True)
class Sun:
    """Where the light comes from."""

    azimuth: float
    """Radians; the direction toward the sun is (sin azimuth, -cos azimuth) in (x, y down)."""
    elevation: float
    """Radians above the horizon."""

    @property
    def toward(self) -> NDArray[np.float64]:
        """Unit vector (x, y down) on the ground toward the sun."""
        return np.array([np.sin(self.azimuth), -np.cos(self.azimuth)])


@dataclass(frozen=True, eq=False)
class Shape:
    """A polygon of one color."""

    outline: Points
    """(n, 2) meters."""
    color: tuple[int, int, int]
    height: float
    """Meters above the ground; 0 casts no shadow."""
    is_paved: bool = False
    """True where no garden tree may stand."""


def village_shapes(plan: Plan, village: Village, sun: Sun) -> list[Shape]:
    """Everything built in a village, bottom layer first. Deterministic by the plan's seed."""
    rng = np.random.default_rng((plan.seed, 61, village.i & 0xFFFFFFFF, village.j & 0xFFFFFFFF))
    lots = _lots(plan, village, rng)
    streets = _streets(plan, village, lots)
    yards, houses = [], []
    for middle in lots:
        frame = _Frame(middle, village.angle)
        yards.append(
            Shape(frame.rectangle(LOT_WIDTH - 0.8, LOT_DEPTH - 0.8), _varied(YARDS[rng.integers(6)], 10, rng), 0)
        )
        houses += _house(frame, rng, sun)
    houses += _sheds(plan, village, rng, sun)
    return streets + yards + houses


@dataclass(frozen=True, eq=False)
class _Frame:
    """A local frame: center (x, y) in meters and a direction."""

    center: NDArray[np.float64]
    angle: float

    def place(self, local: NDArray[np.float64]) -> Points:
        """Local (n, 2) meters to the plane."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.asarray(local @ np.array([[cos, sin], [-sin, cos]]) + self.center)

    def rectangle(self, length: float, width: float) -> Points:
        """Corners of a rectangle around the center, length along the direction."""
        a, b = length / 2, width / 2
        return self.place(np.array([(-a, -b), (a, -b), (a, b), (-a, b)]))


def _pattern(radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centers of cross streets along, and of streets across, the direction of a village."""
    along = LOTS_A_BLOCK * LOT_WIDTH + STREET
    across = 2 * LOT_DEPTH + STREET
    n, m = int(radius // along) + 1, int(radius // across) + 1
    return np.arange(-n, n + 1.0) * along, np.arange(-m, m + 1.0) * across


def _streets(plan: Plan, village: Village, lots: Points) -> list[Shape]:
    """Streets in pieces, of which those on water and those without a lot beside them are left out."""
    frame = _Frame(np.array([village.x, village.y]), village.angle)
    cross, streets = _pattern(village.radius)
    shapes: list[Shape] = []
    for turned, offsets in ((False, streets), (True, cross)):
        for offset in offsets[np.abs(offsets) < village.radius * 0.9]:
            half = float(np.sqrt(village.radius**2 - offset**2)) * 0.95
            for along in np.arange(-half, half, STREET_PIECE):
                stop = min(along + STREET_PIECE + 0.3, half)
                bar = np.array([(along, -2.1), (stop, -2.1), (stop, 2.1), (along, 2.1)]) + np.array([0, offset])
                piece = frame.place(bar[:, ::-1] if turned else bar)
                near_lot = np.hypot(*(lots - piece.mean(axis=0)).T).min(initial=np.inf) < 1.7 * LOT_DEPTH
                if near_lot and plan.water(*piece.T).min() > 7:
                    shapes.append(Shape(piece, (150, 147, 140), 0, is_paved=True))
    return shapes


def _lots(plan: Plan, village: Village, rng: np.random.Generator) -> Points:
    """Centers of the lots that are built on: inside the village, off roads and water."""
    cross, streets = _pattern(village.radius)
    steps = (np.arange(LOTS_A_BLOCK) + 0.5) * LOT_WIDTH + STREET / 2
    p = (cross[:, None] + steps).ravel()
    q = (streets[:, None] + np.array([-1, 1]) * (STREET + LOT_DEPTH) / 2).ravel()
    local = np.stack(np.meshgrid(p, q), -1).reshape(-1, 2)
    reach = np.hypot(*local.T) / village.radius
    local = local[reach < 0.98 - 0.35 * rng.random(len(reach)) ** 2]
    middles = _Frame(np.array([village.x, village.y]), village.angle).place(local)
    box = Box(*middles.min(axis=0), *middles.max(axis=0)) if len(middles) else Box(0, 0, 0, 0)
    clear = plan.road_distance(middles, plan.roads(box.grown(60))) > LOT_DEPTH * 0.55
    dry = plan.water(*middles.T) > 20
    return middles[clear & dry]


def _house(frame: _Frame, rng: np.random.Generator, sun: Sun) -> list[Shape]:
    """A house on a lot, and sometimes a shed behind it."""
    if rng.random() < 0.07:
        return []
    turned = rng.random() < 0.3
    length, width = rng.uniform(10, 15.5), rng.uniform(7.5, 10)
    off = np.array([rng.uniform(-1.5, 1.5), rng.uniform(-3, 3)])
    angle = frame.angle + (np.pi / 2 if turned else 0) + rng.normal(0, 0.02)
    house = _Frame(frame.place(off[None])[0], angle)
    color = _roof_color(rng)
    shapes = _roof(house, (length, width), color, rng.uniform(4.5, 7.5), rng, sun)
    if rng.random() < 0.45:
        corner = np.array([[rng.choice([-1, 1]) * 6.0, -np.sign(off[1] or 1) * 7.6]])
        shed = _Frame(frame.place(corner)[0], frame.angle)
        shapes += _roof(shed, (rng.uniform(3, 5.5), rng.uniform(2.5, 4)), _roof_color(rng), 2.6, rng, sun)
    if rng.random() < 0.4:
        car = _Frame(frame.place(np.array([[rng.uniform(-5, 5), 8.6]]))[0], frame.angle + rng.normal(0, 0.1))
        shapes.append(Shape(car.rectangle(4.4, 1.8), _CARS[rng.integers(len(_CARS))], 1.4))
    return shapes


_CARS = ((225, 225, 225), (60, 60, 64), (150, 40, 38), (120, 124, 130), (54, 70, 110), (200, 202, 205))


def _sheds(plan: Plan, village: Village, rng: np.random.Generator, sun: Sun) -> list[Shape]:
    """Long farm sheds with sheet-metal roofs around a village."""
    shapes: list[Shape] = []
    roads = plan.roads(Box(village.x, village.y, village.x, village.y).grown(village.radius + 120))
    for turn in range(5):
        bearing = 2 * np.pi * (turn + rng.random() * 0.6) / 5
        reach = village.radius + rng.uniform(25, 45)
        middle = np.array([village.x, village.y]) + reach * np.array([np.cos(bearing), np.sin(bearing)])
        color = ((242, 242, 239), (242, 242, 239), (86, 118, 156), (176, 174, 168))[rng.integers(4)]
        length, width, height = rng.uniform(30, 52), rng.uniform(12, 17), rng.uniform(5, 8)
        if plan.water(*middle) < 40 or plan.road_distance(middle[None], roads)[0] < 32:
            continue
        frame = _Frame(middle, village.angle + (np.pi / 2 if rng.random() < 0.5 else 0))
        shapes.append(Shape(frame.rectangle(length + 14, width + 16), (158, 152, 140), 0, is_paved=True))
        shapes += _roof(frame, (length, width), color, height, rng, sun)
    return shapes


def _roof_color(rng: np.random.Generator) -> tuple[int, int, int]:
    colors, shares = zip(*ROOFS, strict=True)
    return _varied(colors[rng.choice(len(colors), p=shares)], 9, rng)


def _varied(color: tuple[int, int, int], spread: float, rng: np.random.Generator) -> tuple[int, int, int]:
    tone = rng.normal(0, spread)
    red, green, blue = (int(np.clip(c + tone + rng.normal(0, spread / 4), 8, 250)) for c in color)
    return red, green, blue


def _roof(
    frame: _Frame,
    size: tuple[float, float],
    color: tuple[int, int, int],
    height: float,
    rng: np.random.Generator,
    sun: Sun,
) -> list[Shape]:
    """A gable, hip or flat roof; the side toward the sun is brighter."""
    a, b = size[0] / 2, size[1] / 2
    style = rng.random()
    if style < 0.15:  # flat: a parapet around
        walls = Shape(frame.rectangle(2 * a, 2 * b), color, height)
        return [walls, Shape(frame.rectangle(2 * a - 0.9, 2 * b - 0.9), _lit(color, 0.9), height)]
    inset = b * 0.85 if style > 0.75 else 0.0
    corners = np.array([(-a, -b), (a, -b), (a, b), (-a, b), (-a + inset, 0), (a - inset, 0)])
    sides: dict[tuple[int, int], tuple[int, ...]] = {(0, -1): (0, 1, 5, 4), (0, 1): (3, 2, 5, 4)}
    if inset:
        sides |= {(-1, 0): (0, 4, 3), (1, 0): (1, 5, 2)}
    shapes = []
    for normal, index in sides.items():
        facing = frame.place(np.array([normal], float))[0] - frame.center
        light = 1.0 + 0.26 * float(facing @ sun.toward)
        shapes.append(Shape(frame.place(corners[list(index)]), _lit(color, light), height))
    ridge = np.array([(-a + inset, -0.15), (a - inset, -0.15), (a - inset, 0.15), (-a + inset, 0.15)])
    return [*shapes, Shape(frame.place(ridge), _lit(color, 1.12), height)]


def _lit(color: tuple[int, int, int], light: float) -> tuple[int, int, int]:
    """A color under more or less light; bright ones bend toward white instead of clipping at once."""
    red, green, blue = (int(c * light if c * light < 235 else 235 + (c * light - 235) * 0.35) for c in color)
    return min(red, 254), min(green, 254), min(blue, 254)
