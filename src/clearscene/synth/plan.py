"""Where things lie on the generated ground: rivers, lakes, woods, roads, villages, districts.

The plan covers an endless plane in meters, x to the east (columns) and y down the rows. It is a
pure function of the seed; nothing is stored but a small cache of villages. Distances to water are
negative inside it.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearscene.synth.noise import spline_noise_at, uniform

__all__ = ["Box", "District", "Plan", "Road"]

Points = NDArray[np.float64]
"""(n, 2): x, y in meters."""

NODE_PITCH = 620.0
"""Meters between crossroads, before jitter."""
DISTRICT_PITCH = 300.0
"""Meters between centers of districts of fields with one direction."""
LONGEST_BRIDGE = 0.22
"""Share of a road that may lie on water; a longer bridge is not built, and the road neither."""
RIVER_PITCH = 2300.0
"""Meters between rivers."""


@dataclass(frozen=True)
class Box:
    """A rectangle in meters, x and y down."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float) -> "Box":
        """The box with `by` meters more on every side."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def cells(self, pitch: float) -> list[tuple[int, int]]:
        """Indices (i along y, j along x) of lattice cells of `pitch` meters that touch the box."""
        rows = range(int(np.floor(self.top / pitch)), int(np.floor(self.bottom / pitch)) + 1)
        cols = range(int(np.floor(self.left / pitch)), int(np.floor(self.right / pitch)) + 1)
        return [(i, j) for i in rows for j in cols]

    def touches(self, points: Points) -> bool:
        """True if the bounding box of the points meets this box."""
        low, high = points.min(axis=0), points.max(axis=0)
        return bool(low[0] <= self.right and high[0] >= self.left and low[1] <= self.bottom and high[1] >= self.top)


@dataclass(frozen=True, eq=False)
class Road:
    """A road as a polyline."""

    line: Points
    """(n, 2) meters."""
    width: float
    """Meters of pavement."""
    is_major: bool
    """Major roads carry lane markings."""


@dataclass(frozen=True)
class District:
    """A group of fields that share one direction."""

    key: int
    """Hash seed of everything inside."""
    x: float
    y: float
    angle: float
    """Radians from x toward y of the long sides of its fields."""
    strip: float
    """Meters across a field."""
    segment: float
    """Meters along a field."""
    is_hedged: bool
    """True if a hedge follows its border."""


class Plan:
    """The map behind a generated scene."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        draw = np.random.default_rng((seed, 1))
        self._river_angle = np.deg2rad(90 + draw.uniform(-24, 24))
        self._river_phase = draw.uniform(0, 2 * np.pi, 3)
        self._river_at = np.array([draw.uniform(240, 380), draw.uniform(300, 460)])
        self._river_half = draw.uniform(15, 24)
        self.village = cache(self._village)
        self.node = cache(self._node)
        self._roads = cache(self._roads_from)
        self._district = cache(self._make_district)

    def water(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Signed distance to the nearest shore in meters, any shape; negative on water."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        shore = 3.5 * spline_noise_at(self.seed + 11, 22.0, rows=y, cols=x)
        pond = 150.0 * (2.35 - spline_noise_at(self.seed + 12, 260.0, rows=y, cols=x))
        return np.minimum(self._river(x, y), pond) + shore

    def _river(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance to the bank of the nearest meandering river."""
        cos, sin = np.cos(self._river_angle), np.sin(self._river_angle)
        along = (x - self._river_at[0]) * cos + (y - self._river_at[1]) * sin
        across = -(x - self._river_at[0]) * sin + (y - self._river_at[1]) * cos
        lane = np.floor(across / RIVER_PITCH + 0.5)
        across = across - lane * RIVER_PITCH
        middle, slope = np.zeros_like(along), np.zeros_like(along)
        for wave, length, phase in zip((70.0, 26.0, 9.0), (930.0, 410.0, 170.0), self._river_phase, strict=True):
            turn = 2 * np.pi * along / length + phase + lane * 2.1
            middle += wave * np.sin(turn)
            slope += wave * 2 * np.pi / length * np.cos(turn)
        half = self._river_half * (1 + 0.25 * np.sin(2 * np.pi * along / 700.0 + self._river_phase[0] * 3))
        return np.asarray(np.abs(across - middle) / np.hypot(1, slope) - half)

    def wood(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """How far inside a wood places in meters lie, any shape: above 0 is wood, unit about the width of an edge."""
        big = spline_noise_at(self.seed + 21, 170.0, rows=y, cols=x)
        small = spline_noise_at(self.seed + 22, 38.0, rows=y, cols=x)
        return (big + 0.22 * small - 0.95) * 9.0

    def _node(self, i: int, j: int) -> NDArray[np.float64]:
        """Crossroad (i, j) of the road lattice: (x, y) in meters."""
        jitter = uniform(self.seed + 31, np.array([0, 1]), i, j) - 0.5
        return np.asarray((np.array([j, i]) + 0.5 + 0.42 * jitter) * NODE_PITCH)

    def roads(self, box: Box) -> list[Road]:
        """Roads that touch a box."""
        near = box.grown(NODE_PITCH)
        found = [road for key in near.cells(NODE_PITCH) for road in self._roads(*key)]
        return [road for road in found if box.grown(road.width).touches(road.line)]

    def _roads_from(self, i: int, j: int) -> list[Road]:
        """The roads from crossroad (i, j) to the east and to the south."""
        roads = []
        for way, (di, dj) in enumerate(((0, 1), (1, 0))):
            is_major = i % 2 == 0 if way == 0 else j % 4 == 3
            line = self._curve(i, j, i + di, j + dj)
            wanted = is_major or uniform(self.seed + 32, i, j, way) < 0.72
            if wanted and np.mean(self.water(*line.T) < 5) < LONGEST_BRIDGE:
                width = 10.5 if is_major else 4.0 + 2.2 * float(uniform(self.seed + 33, i, j, way))
                roads.append(Road(line, width, is_major))
        return roads

    def _curve(self, i: int, j: int, k: int, m: int) -> Points:
        """A cubic curve between two crossroads that keeps its direction through both of them."""
        start, stop = self.node(i, j), self.node(k, m)
        before, after = self.node(2 * i - k, 2 * j - m), self.node(2 * k - i, 2 * m - j)
        out, back = (stop - before) / 6, (after - start) / 6  # Catmull-Rom tangents: roads run on smoothly
        t = np.linspace(0, 1, 49)[:, None]
        return np.asarray(
            (1 - t) ** 3 * start
            + 3 * (1 - t) ** 2 * t * (start + out)
            + 3 * (1 - t) * t**2 * (stop - back)
            + t**3 * stop
        )

    def road_distance(self, points: Points, roads: list[Road]) -> NDArray[np.float64]:
        """Meters from each point (n, 2) to the edge of the nearest road; inf without roads."""
        nearest = np.full(len(points), np.inf)
        for road in roads:
            starts, stops = road.line[:-1], road.line[1:]
            step = stops - starts
            offset = points[:, None, :] - starts[None]
            t = np.clip((offset * step).sum(-1) / (step**2).sum(-1), 0, 1)
            gap = np.hypot(*np.moveaxis(offset - t[..., None] * step, -1, 0)).min(axis=1)
            nearest = np.minimum(nearest, gap - road.width / 2)
        return nearest

    def villages(self, box: Box) -> list[tuple[int, int]]:
        """Crossroads whose village may touch a box."""
        return [key for key in box.grown(260).cells(NODE_PITCH) if self.village(*key) is not None]

    def _village(self, i: int, j: int) -> "Village | None":
        draw = np.random.default_rng((self.seed, 41, i & 0xFFFFFFFF, j & 0xFFFFFFFF))
        center = self.node(i, j)
        has_village = draw.random() < 0.42 or (i, j) == (0, 1)
        if not has_village or self.water(*center) < 25:
            return None
        ahead = self.node(i, j + 1) - self.node(i, j - 1)
        return Village(
            i,
            j,
            float(center[0]),
            float(center[1]),
            float(np.arctan2(ahead[1], ahead[0])),
            float(draw.uniform(105, 165)),
        )

    def districts(self, box: Box) -> list[District]:
        """Districts whose center may claim a part of the box: all that are near enough."""
        found = [self._district(i, j) for i, j in box.grown(DISTRICT_PITCH).cells(DISTRICT_PITCH)]
        centers = np.array([(d.x, d.y) for d in found])
        low, high = np.array([box.left, box.top]), np.array([box.right, box.bottom])
        least = np.hypot(*np.maximum(np.maximum(low - centers, centers - high), 0).T)
        most = np.hypot(*np.maximum(np.abs(centers - low), np.abs(centers - high)).T)
        return [d for d, near in zip(found, least <= most.min(), strict=True) if near]

    def _make_district(self, i: int, j: int) -> District:
        u = uniform(self.seed + 51, np.arange(7), i, j)
        return District(
            key=int(uniform(self.seed + 52, i, j) * 2**40),
            x=(j + 0.15 + 0.7 * u[0]) * DISTRICT_PITCH,
            y=(i + 0.15 + 0.7 * u[1]) * DISTRICT_PITCH,
            angle=float(np.deg2rad(u[2] * 50 - 25 + 90 * (u[3] < 0.4))),
            strip=24 + 42 * float(u[4]),
            segment=110 + 120 * float(u[5]),
            is_hedged=bool(u[6] < 0.4),
        )


@dataclass(frozen=True)
class Village:
    """Houses around a crossroad."""

    i: int
    j: int
    x: float
    y: float
    angle: float
    """Radians from x toward y: the direction of its streets."""
    radius: float
    """Meters."""
