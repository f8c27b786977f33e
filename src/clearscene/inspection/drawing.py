"""Outlines, fills, rings and hatching on small RGB pictures, visible on any ground."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.grid import slices

__all__ = ["Image", "draw_hatch", "draw_quicklook", "outline", "to_rgb"]

Image = NDArray[np.uint8]
"""RGB, uint8 (row, col, 3)."""

TINY = 6.0  # px; a finding no larger than this on both sides gets a ring
RING_RADIUS = 8
RING_SPACING = 5  # px; rings of one color closer than this are drawn once
FILL = 0.28  # share of the color in the fill
SHIFT = 4  # bits of sub-pixel precision in OpenCV's drawing functions
WHITE = (255, 255, 255)
DARK = (20, 24, 28)


def to_rgb(base: NDArray[np.uint8]) -> Image:
    """A picture of (band, row, col) as a new RGB (row, col, 3); one band becomes gray."""
    bands = base if base.shape[0] == 3 else np.repeat(base[:1], 3, axis=0)
    return np.ascontiguousarray(bands.transpose(1, 2, 0), dtype=np.uint8).copy()


def draw_quicklook(base: NDArray[np.uint8], geometries: Sequence[BaseGeometry], colors: Sequence[str]) -> Image:
    """Draw findings on an overview: fill and outline, and a ring around each tiny one.

    Law: every geometry that touches the picture changes it within `RING_RADIUS` px, whatever the
    color of the ground and however small it is.

    Args:
        base: uint8 (band, row, col), 1 or 3 bands.
        geometries: Polygons in pixels of `base`, (x, y); later ones are drawn over earlier ones.
        colors: One `#rrggbb` for each geometry.
    """
    image = to_rgb(base)
    shapes = list(shapely.simplify(np.array(geometries, object), 0.4, preserve_topology=True))
    is_tiny = [max(_sides(g)) <= TINY for g in shapes]
    for color in dict.fromkeys(colors):
        large = [g for g, c, tiny in zip(shapes, colors, is_tiny, strict=True) if c == color and not tiny]
        _fill(image, large, color)
    for color in dict.fromkeys(colors):
        large = [g for g, c, tiny in zip(shapes, colors, is_tiny, strict=True) if c == color and not tiny]
        outline(image, large, color, width=2)
    for color in dict.fromkeys(colors):
        tiny_ones = [g for g, c, tiny in zip(shapes, colors, is_tiny, strict=True) if c == color and tiny]
        _rings(image, tiny_ones, color)
    return image


def outline(image: Image, geometries: Iterable[BaseGeometry], color: str, *, width: int) -> None:
    """Draw outlines in place: a line of `color` on white on a dark edge."""
    lines = [line for geometry in geometries for line in _lines(geometry)]
    for extra, tone in ((4, DARK), (2, WHITE), (0, _rgb(color))):
        cv2.polylines(image, lines, True, tone, width + extra, cv2.LINE_AA, SHIFT)


def draw_hatch(image: Image, gaps: Iterable[Window]) -> None:
    """Hatch windows in place, at least 4 px on a side, as a mark for "nothing is known here"."""
    height, width = image.shape[:2]
    for gap in gaps:
        rows, cols = slices(gap)
        rows = slice(max(0, rows.start), min(height, max(rows.stop, rows.start + 4)))
        cols = slice(max(0, cols.start), min(width, max(cols.stop, cols.start + 4)))
        part = image[rows, cols]
        y, x = np.ogrid[rows, cols]
        stripes = ((x + y) // 4) % 3 == 0
        part[:] = np.where(stripes[..., None], np.uint8(250), (part * 0.35).astype(np.uint8))
        cv2.rectangle(image, (cols.start, rows.start), (cols.stop - 1, rows.stop - 1), WHITE, 1)


def _fill(image: Image, geometries: list[BaseGeometry], color: str) -> None:
    lines = [line for geometry in geometries for line in _lines(geometry)]
    if not lines:
        return
    # one call a geometry: even-odd filling of all at once would punch holes where two overlap
    mask = np.zeros(image.shape[:2], np.uint8)
    for geometry in geometries:
        cv2.fillPoly(mask, _lines(geometry), 255, cv2.LINE_8, SHIFT)
    inside = mask > 0
    mixed = image[inside] * (1 - FILL) + np.array(_rgb(color)) * FILL
    image[inside] = np.round(mixed).astype(np.uint8)


def _rings(image: Image, geometries: list[BaseGeometry], color: str) -> None:
    """Circle tiny geometries; of several within a few pixels only the first is circled."""
    taken: set[tuple[int, int]] = set()
    centers: list[tuple[int, int]] = []
    height, width = image.shape[:2]
    for geometry in geometries:
        left, top, right, bottom = geometry.bounds
        x, y = (left + right) / 2, (top + bottom) / 2
        cell = int(x // RING_SPACING), int(y // RING_SPACING)
        if cell not in taken and -RING_RADIUS < x < width + RING_RADIUS and -RING_RADIUS < y < height + RING_RADIUS:
            taken.add(cell)
            centers.append((round(x * 2**SHIFT), round(y * 2**SHIFT)))
    for thickness, tone in ((6, DARK), (4, WHITE), (2, _rgb(color))):
        for center in centers:
            cv2.circle(image, center, RING_RADIUS << SHIFT, tone, thickness, cv2.LINE_AA, SHIFT)


def _lines(geometry: BaseGeometry) -> list[NDArray[np.int32]]:
    """Rings and lines of a geometry as OpenCV points (n, 1, 2), pixel centers at whole numbers."""
    lines = []
    for part in shapely.get_parts(geometry):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            points = (shapely.get_coordinates(ring) - 0.5) * 2**SHIFT
            lines.append(np.round(np.clip(points, -(2**26), 2**26)).astype(np.int32)[:, None, :])
    return lines


def _sides(geometry: BaseGeometry) -> tuple[float, float]:
    left, top, right, bottom = geometry.bounds
    return right - left, bottom - top


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
