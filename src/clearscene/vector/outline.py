"""Outlines of pixel sets as polygons, traced from runs: no raster is ever made.

The corners of the outline are found by sorting. On the line between two rows, the outline runs
where exactly one of the rows is covered, so the sorted ends of the runs of both rows, taken in
pairs, are its horizontal edges; an end that both rows share cancels. The vertical edges are the
same corners paired down each column line.

    row 0   . A A .        ends on the line between the rows: 1, 3 of row 0 and 1, 4 of row 1;
    row 1   . A A A        the two at 1 are a straight wall and cancel, 3 and 4 end one edge.

Following edges from corner to corner gives the rings. All steps are vectorized over corners.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from clearscene.runs import Runs

__all__ = ["Geometries", "outlines", "simplify", "to_map"]

Geometries = NDArray[np.object_]
"""An array (n,) of shapely geometries."""

BATCH = 250_000
"""Runs traced at once: about 150 MB while they are; a larger component is traced alone."""


def outlines(runs: Runs, labels: NDArray[np.int64]) -> Geometries:
    """Trace the pixels of each label: (n labels,) polygons in pixel coordinates, x = col, y = row.

    A label whose pixels touch only by corners, or not at all, becomes a MultiPolygon. Shells are
    counterclockwise in (x, y) and every vertex is a corner with integer coordinates.

    Laws: each geometry is valid; its area is the number of pixels of its label; a raster of it is
    the mask again; two labels never overlap and leave no gap.

    Args:
        runs: The pixels.
        labels: Label of each run, (n runs,), every number from 0 to the largest used.
    """
    n = int(labels.max()) + 1 if len(labels) else 0
    result = np.full(n, None, dtype=object)
    if n == 0:
        return result
    pieces = _pieces(runs, labels)
    owner = np.empty(int(pieces.max()) + 1, np.int64)
    owner[pieces] = labels
    traced = [_polygons(_rings(_corners(runs.take(index), pieces[index]))) for index in _batches(pieces, len(owner))]
    _collect(np.concatenate(traced), owner, result)
    return result


def to_map(geometries: Geometries, transform: Affine) -> Geometries:
    """Bring geometries from pixel coordinates (x = col, y = row) to map coordinates.

    Law: a point (col, row) becomes `transform * (col, row)`, rotation terms included; shells stay
    counterclockwise.
    """
    a, b, c, d, e, f = tuple(transform)[:6]
    linear = np.array([[a, d], [b, e]])
    moved = shapely.transform(geometries, lambda xy: xy @ linear + (c, f))
    return np.asarray(shapely.reverse(moved) if transform.determinant < 0 else moved)


def simplify(geometries: Geometries, tolerance: float) -> Geometries:
    """Take vertices away from outlines in pixel coordinates without opening gaps between neighbors.

    `tolerance` is in pixels: the square root of the area of the corners cut (Visvalingam and Whyatt,
    1993, as in the coverage simplifier of GEOS). 0 changes nothing. The geometries must not overlap.
    """
    if tolerance <= 0 or len(geometries) == 0:
        return geometries
    return np.asarray(shapely.coverage_simplify(_matched(geometries), tolerance))


def _matched(geometries: Geometries) -> Geometries:
    """The same outlines with a vertex wherever another outline has one on their edge.

    The edge of a large area passes the corner in which two small ones meet; unless it has a vertex
    there, the coverage simplifier does not know that the three are neighbors.
    """
    kind, xy, offsets = shapely.to_ragged_array(geometries)
    x, y = xy.astype(np.int64).T
    is_edge = np.ones(len(xy) - 1, np.bool_)
    is_edge[offsets[0][1:-1] - 1] = False  # from the end of a ring to the start of the next
    edges = np.flatnonzero(is_edge)
    edge_h, x_h = _passed(edges, y, x)
    edge_v, y_v = _passed(edges, x, y)
    after = np.concatenate((edge_h, edge_v)) + 1
    points = np.concatenate((np.stack((x_h, y[edge_h]), axis=1), np.stack((x[edge_v], y_v), axis=1)))
    rings = offsets[0] + np.searchsorted(np.sort(after), offsets[0], side="right")
    grown = np.insert(xy, after, points, axis=0)
    return np.asarray(shapely.from_ragged_array(kind, grown, (rings, *offsets[1:])))


def _passed(
    edges: NDArray[np.int64], lines: NDArray[np.int64], along: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The vertices that edges on one line pass: the edge and the position of each, in walking order.

    A vertex lies at `along` on its line of `lines`, and edge i goes from vertex i to i + 1.
    """
    size = int(along.max(initial=0)) + 1
    places = lines * size + along
    known = np.unique(places)
    edges = edges[lines[edges] == lines[edges + 1]]
    one, two = places[edges], places[edges + 1]
    low = np.searchsorted(known, np.minimum(one, two), side="right")
    counts = np.maximum(np.searchsorted(known, np.maximum(one, two), side="left") - low, 0)
    first = np.repeat(low - (np.cumsum(counts) - counts), counts)
    position = known[first + np.arange(len(first))] % size
    owner = np.repeat(edges, counts)
    forward = np.repeat(two > one, counts)
    order = np.lexsort((np.where(forward, position, -position), owner))
    return owner[order], position[order]


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of the outlines, sorted by piece, y and x: corners 2i and 2i + 1 end one horizontal edge."""

    piece: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    right: NDArray[np.bool_]
    """Corner at the start of a run, whose edge goes to the right of it."""
    down: NDArray[np.bool_]
    """Corner at the top of a run, whose wall goes down from it."""


def _batches(pieces: NDArray[np.int64], n: int) -> Iterator[NDArray[np.int64]]:
    """Positions of runs, ascending, in groups of whole pieces, in their order, and about `BATCH` runs."""
    group = (np.cumsum(np.bincount(pieces, minlength=n)) // BATCH)[pieces]
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _pieces(runs: Runs, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the 4-connected pieces of each label: (n runs,); each becomes one polygon."""
    pieces = runs.label(reach=0)
    low, high = np.full(pieces.max() + 1, labels.max()), np.zeros(pieces.max() + 1, np.int64)
    np.minimum.at(low, pieces, labels)
    np.maximum.at(high, pieces, labels)
    mixed = np.flatnonzero((low < high)[pieces])  # pieces in which several labels touch
    order = mixed[np.argsort(labels[mixed], kind="stable")]
    n = int(pieces.max()) + 1
    for index in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []:
        pieces[index] = runs.take(index).label(reach=0) + n
        n = int(pieces[index].max()) + 1
    return np.unique(pieces, return_inverse=True)[1].astype(np.int64)


def _corners(runs: Runs, pieces: NDArray[np.int64]) -> _Corners:
    """The corners of the outlines of all pieces."""
    width = int(runs.stops.max()) + 1
    height = int(runs.rows.max()) + 2
    keys = []
    for right, xs in ((1, runs.starts), (0, runs.stops)):
        for down, ys in ((1, runs.rows), (0, runs.rows + 1)):
            keys.append((((pieces * height + ys) * width + xs) * 2 + right) * 2 + down)
    key = np.sort(np.concatenate(keys))
    straight = (key[1:] ^ key[:-1]) == 1  # same place and side, one wall above, one below: no corner
    keep = np.ones(len(key), np.bool_)
    keep[1:] &= ~straight
    keep[:-1] &= ~straight
    place, flags = np.divmod(key[keep], 4)
    line, x = np.divmod(place, width)
    piece, y = np.divmod(line, height)
    return _Corners(piece, x, y, flags >= 2, flags % 2 == 1)


def _walls(corners: _Corners) -> NDArray[np.int64]:
    """The corner at the other end of the vertical edge at each corner, (n corners,)."""
    height, width = int(corners.y.max()) + 1, int(corners.x.max()) + 1
    order = np.argsort(((corners.piece * width + corners.x) * height + corners.y) * 2 + corners.down)
    other = np.empty(len(order), np.int64)
    other[order[0::2]], other[order[1::2]] = order[1::2], order[0::2]
    return other


@dataclass(frozen=True, eq=False)
class _Rings:
    """Closed rings that touch themselves nowhere: vertices in order, all rings in one array."""

    xy: NDArray[np.float64]
    """Vertices (n, 2); the first of a ring is repeated at its end."""
    offsets: NDArray[np.int64]
    """Ring i is xy[offsets[i]:offsets[i + 1]]."""
    piece: NDArray[np.int64]
    """The piece that each ring bounds."""
    is_shell: NDArray[np.bool_]


def _rings(corners: _Corners) -> _Rings:
    """Link the edges to rings, with the piece on the left of each edge in (x, y).

    Where two pixels of a piece touch by a corner only, four edges meet. There the outline first
    stays with the pixel it came along, so that a ring bounds one piece. If one ring then passes
    the place twice, it is cut there into two: a shell and a hole, or two holes, that touch.
    """
    first = corners.right[0::2] == corners.down[0::2]  # the piece lies below: walk to the right
    tail = np.arange(0, len(corners.x), 2) + ~first
    walls = _walls(corners)
    following = walls[tail ^ 1] // 2
    ring, _ = _cycles(following)
    twin = np.flatnonzero((np.diff(corners.x) == 0) & (np.diff(corners.y) == 0) & (np.diff(corners.piece) == 0))
    twin = twin[ring[twin // 2] == ring[(twin + 1) // 2]]
    if len(twin):
        swap = np.arange(len(walls))
        swap[twin], swap[twin + 1] = twin + 1, twin
        following = swap[walls[swap[tail ^ 1]]] // 2
    ring, rank = _cycles(following)
    return _in_order(corners, tail, ring, rank)


def _in_order(corners: _Corners, tail: NDArray[np.int64], ring: NDArray[np.int64], rank: NDArray[np.int64]) -> _Rings:
    """The vertices ring by ring: each horizontal edge gives its tail and its head."""
    order = np.argsort(ring * (len(ring) + 1) + rank)
    ends = np.stack((tail[order], tail[order] ^ 1), axis=1).ravel()
    x, y = corners.x[ends], corners.y[ends]
    begin = np.flatnonzero(np.diff(ring[order], prepend=-1))
    end = np.append(begin[1:], len(order))
    doubled = np.add.reduceat((x[0::2] - x[1::2]) * y[0::2], begin)  # area, from the horizontal edges alone
    closing = np.insert(np.stack((x, y), axis=1).astype(np.float64), 2 * end, 0.0, axis=0)
    offsets = np.append(0, 2 * end + np.arange(1, len(end) + 1))
    closing[offsets[1:] - 1] = closing[offsets[:-1]]
    return _Rings(closing, offsets, corners.piece[tail[order[begin]]], doubled > 0)


def _cycles(following: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each element of a permutation: the smallest element of its cycle, and its place in it from there.

    By doubling of steps: after k rounds an element has seen 2^k followers.
    """
    root, jump = np.arange(len(following)), following
    while True:
        seen = np.minimum(root, root[jump])
        jump = jump[jump]
        if np.array_equal(seen, root):
            break
        root = seen
    steps = np.ones(len(following), np.int64)  # to the end of the cycle, cut before its smallest element
    jump = following.copy()
    done = root[following] == following
    jump[done] = np.flatnonzero(done)
    steps[done] = 0
    while True:
        further = steps + steps[jump]
        if np.array_equal(further, steps):
            break
        steps, jump = further, jump[jump]
    return root, steps[root] - steps


def _polygons(rings: _Rings) -> Geometries:
    """One polygon a piece, in the order of the pieces; a piece has one shell, which comes first."""
    order = np.lexsort((~rings.is_shell, rings.piece))
    sizes = np.diff(rings.offsets)[order]
    offsets = np.append(0, np.cumsum(sizes))
    index = np.repeat(rings.offsets[:-1][order] - offsets[:-1], sizes) + np.arange(offsets[-1])
    first = np.append(np.flatnonzero(rings.is_shell[order]), len(order))
    return np.asarray(shapely.from_ragged_array(shapely.GeometryType.POLYGON, rings.xy[index], (offsets, first)))


def _collect(polygons: Geometries, owner: NDArray[np.int64], result: Geometries) -> None:
    """Put the polygons of each label into `result`, several as a MultiPolygon."""
    order = np.argsort(owner, kind="stable")
    begin = np.flatnonzero(np.diff(owner[order], prepend=-1))
    counts = np.diff(np.append(begin, len(order)))
    single = begin[counts == 1]
    result[owner[order[single]]] = polygons[order[single]]
    several = np.repeat(counts > 1, counts)
    if several.any():
        members = order[several]
        labels, index = np.unique(owner[members], return_inverse=True)
        result[labels] = shapely.multipolygons(polygons[members], indices=index)
