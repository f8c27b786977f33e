"""Fields: mosaics of strips with crop rows, tramlines and tones of their own."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.synth.noise import uniform
from clearscene.synth.plan import District

__all__ = ["Fields", "draw_fields"]

_SHIFT = 4  # cv2 takes corners in sixteenths of a pixel

# color, amplitude of rows, meters between rows (low, high), mottling, tramlines, share
_CROPS: tuple[tuple[tuple[int, int, int], float, tuple[float, float], float, float, float], ...] = (
    ((98, 116, 66), 0.045, (0.75, 1.0), 0.05, 0.16, 0.17),  # young cereal
    ((78, 100, 58), 0.07, (0.8, 1.5), 0.06, 0.12, 0.15),  # dense green crop
    ((126, 134, 82), 0.03, (0.75, 1.0), 0.06, 0.12, 0.12),  # ripening
    ((178, 160, 110), 0.05, (0.9, 1.6), 0.05, 0.10, 0.11),  # ripe or stubble
    ((150, 128, 98), 0.05, (0.9, 1.8), 0.06, 0.0, 0.10),  # bare, harrowed
    ((112, 92, 72), 0.10, (1.2, 2.2), 0.07, 0.0, 0.10),  # ploughed, moist
    ((110, 122, 76), 0.02, (3.0, 5.5), 0.10, 0.0, 0.13),  # meadow, mown in swaths
    ((112, 112, 76), 0.20, (1.9, 2.6), 0.06, 0.0, 0.05),  # vines or berries in rows
    ((168, 166, 84), 0.04, (0.8, 1.2), 0.06, 0.14, 0.04),  # in flower
    ((186, 190, 188), 0.17, (7.2, 8.4), 0.02, 0.0, 0.014),  # plastic tunnels: bright stripes that are no defect
)
VERGE = (104, 108, 70)


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of a block, as planes (row, col)."""

    color: NDArray[np.float32]
    """(row, col, 3)."""
    rows: NDArray[np.float32]
    """Relative brightness of crop rows and tramlines around 0."""
    mottling: NDArray[np.float32]
    """Relative amplitude of soil and growth patches."""
    edge: NDArray[np.float32]
    """Meters to the border of the district."""
    is_hedged: NDArray[np.bool_]
    """True in districts with a hedge around."""


@dataclass(frozen=True, eq=False)
class _Parcel:
    corners: NDArray[np.float64]
    """(4, 2) meters."""
    key: int
    """Index for hashing."""


def draw_fields(
    seed: int,
    districts: list[District],
    *,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    bend: NDArray[np.float32],
) -> Fields:
    """Draw the fields of a block whose pixel centers lie at columns `x` and rows `y`, in meters.

    `bend` (row, col) shifts the phase of the crop rows, in rows, so that they are not ruled lines.
    """
    owner, edge = _owners(districts, x, y)
    labels, table = _labels(seed, districts, owner, x, y)
    across = np.zeros(owner.shape, np.float32)
    for k, district in enumerate(districts):
        # Meters across the rows, from the center of the district: an outer sum.
        by_col = (-np.sin(district.angle) * (x - district.x)).astype(np.float32)
        by_row = (np.cos(district.angle) * (y - district.y)).astype(np.float32)
        np.copyto(across, np.add.outer(by_row, by_col), where=owner == k)
    rows = _row_pattern(labels, table, across, bend)
    return Fields(
        color=table[:, :3][labels],
        rows=rows,
        mottling=table[:, 5][labels],
        edge=edge,
        is_hedged=np.array([d.is_hedged for d in districts])[owner],
    )


def _owners(
    districts: list[District], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Which district each pixel belongs to (Voronoi), and meters to its border.

    The border between two centers is a straight line, so the distance to it is an outer sum.
    """
    n = len(districts)
    shape = (len(y), len(x))
    owner, edge = np.zeros(shape, np.uint8), np.full(shape, 1e4, np.float32)
    for k in range(n):
        inside = np.full(shape, 1e4, np.float32)
        for m in range(n):
            if m != k:
                a, b = districts[k], districts[m]
                gap = np.hypot(b.x - a.x, b.y - a.y)
                by_col = -(b.x - a.x) / gap * (x - (a.x + b.x) / 2)
                by_row = -(b.y - a.y) / gap * (y - (a.y + b.y) / 2)
                np.minimum(inside, np.add.outer(by_row, by_col).astype(np.float32), out=inside)
        mine = inside >= 0
        owner[mine] = k
        np.copyto(edge, inside, where=mine)
    return owner, edge


def _labels(
    seed: int, districts: list[District], owner: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Field number of each pixel, and the table of all fields by number."""
    labels = np.zeros(owner.shape, np.int32)
    layer = np.empty(owner.shape, np.int32)
    table = [np.array([*VERGE, 0, 1, 0.10, 0], np.float32)]
    origin, scale = np.array([x[0], y[0]]), 1 / (x[1] - x[0])
    box = np.array([(x[0], y[0]), (x[-1], y[0]), (x[-1], y[-1]), (x[0], y[-1])])
    for k, district in enumerate(districts):
        layer[:] = 0
        for parcel in _parcels(district, box):
            corners = np.rint((parcel.corners - origin) * scale * (1 << _SHIFT)).astype(np.int32)
            cv2.fillConvexPoly(layer, corners, len(table), shift=_SHIFT)
            table.append(_crop(seed, district.key, parcel.key))
        np.copyto(labels, layer, where=owner == k)
    return labels, np.stack(table)


def _parcels(district: District, box: NDArray[np.float64]) -> list[_Parcel]:
    """Fields of a district that may touch the box (corners (4, 2) in meters)."""
    cos, sin = np.cos(district.angle), np.sin(district.angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    local = (box - (district.x, district.y)) @ turn  # columns: along, across
    first = np.floor(local.min(axis=0) / (district.segment, district.strip)).astype(int) - 1
    last = np.floor(local.max(axis=0) / (district.segment, district.strip)).astype(int) + 1
    found = []
    for q in range(first[1], last[1] + 1):
        low, high = (_cut(district.key, 0, q + s, 0, 0.5) * district.strip for s in (0, 1))
        for p in range(first[0], last[0] + 1):
            left, right = (_cut(district.key, 1, p + s, q, 0.8) * district.segment for s in (0, 1))
            v = 0.7 if uniform(district.key, 2, q) < 0.5 else 0.35  # half the verge beside a field, meters
            inner = np.array(
                [(left + 0.8, low + v), (right - 0.8, low + v), (right - 0.8, high - v), (left + 0.8, high - v)]
            )
            found.append(_Parcel(inner @ turn.T + (district.x, district.y), (q + 4096) * 8192 + p + 4096))
    return found


@lru_cache(maxsize=1 << 16)
def _cut(key: int, axis: int, index: int, strip: int, jitter: float) -> float:
    """Where the border `index` lies, in cells."""
    return index + jitter * (float(uniform(key, 3 + axis, index, strip)) - 0.5)


@lru_cache(maxsize=1 << 15)
def _crop(seed: int, key: int, parcel: int) -> NDArray[np.float32]:
    """What grows on a field: red, green, blue, row amplitude, rows a meter, mottling, tramlines."""
    u = uniform(seed + 71, np.arange(7), key, parcel)
    shares = np.cumsum([crop[-1] for crop in _CROPS])
    color, amplitude, period, mottling, tram, _ = _CROPS[int(np.searchsorted(shares, u[0] * shares[-1]))]
    tone = 1 + 0.16 * (u[1] - 0.5)
    tint = np.array([u[2] - 0.5, 0.3 * (u[3] - 0.5), u[4] - 0.5]) * 14
    spacing = period[0] + (period[1] - period[0]) * u[5]
    return np.array(
        [*(np.array(color) * tone + tint), amplitude * (0.6 + 0.7 * u[6]), 1 / spacing, mottling, tram], np.float32
    )


def _row_pattern(
    labels: NDArray[np.int32], table: NDArray[np.float32], across: NDArray[np.float32], bend: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Crop rows, and pairs of wheel tracks every 18 meters where the crop has them."""
    phase = across * table[:, 4][labels]
    phase += bend * (table[:, 4] > _STRAIGHT).astype(np.float32)[labels]
    phase *= 256
    rows: NDArray[np.float32] = _WAVE[phase.astype(np.int32) & 255]
    rows *= table[:, 3][labels]
    tram = table[:, 6][labels]
    if tram.any():
        rows -= _TRACKS[(across * (1024 / 18.0)).astype(np.int32) & 1023] * tram
    return rows


_STRAIGHT = 0.2
"""Rows a meter up to which rows are ruled lines: mown swaths and tunnels."""

_WAVE = np.cos(np.arange(256) * 2 * np.pi / 256).astype(np.float32)


def _tracks() -> NDArray[np.float32]:
    meters = np.arange(1024) * 18.0 / 1024
    pair = np.exp(-(((meters - 8.1) / 0.28) ** 2)) + np.exp(-(((meters - 9.9) / 0.28) ** 2))
    return pair.astype(np.float32)


_TRACKS = _tracks()
