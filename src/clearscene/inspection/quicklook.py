"""The pictures of a report: the overview with all findings drawn, and a crop around each finding.

Pictures are RGB uint8 (row, col, 3). The scene is read through a callable, so this module knows
nothing of files and stretches:

    read_rgb(window, out_shape) -> uint8 (band, row, col), 1 or 3 bands, out_shape = (height, width)
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import SceneError
from clearscene.grid import slices, windows
from clearscene.inspection.drawing import Image, draw_hatch, draw_quicklook, outline, to_rgb
from clearscene.inspection.result import Finding, Report, SceneInfo, Status
from clearscene.inspection.taxonomy import BY_ID

__all__ = ["CROP_LIMIT", "Pictures", "ReadRgb", "ScaleBar", "draw_crop", "make_pictures", "rank"]

ReadRgb = Callable[[Window, tuple[int, int]], NDArray[np.uint8]]

CROP_LIMIT = 60
QUICKLOOK_SIZE = 1600  # px, longest side
QUICKLOOK_SMALL = 800  # px; smaller scenes are enlarged by whole factors up to here
CROP_SIZE = 420  # px, both sides
CROP_ZOOMS = (10, 7, 6, 5, 4, 3, 2, 1)  # whole factors that divide the size of a crop
CLEARANCE = 5.0  # px between a finding and its outline, which is up to 3 px wide inward
CROP_CONTEXT = 1.7  # width of a crop over the width of its finding
FIRST_OF_TYPE = 3  # crops that every type gets before the costliest fill the rest


@dataclass(frozen=True)
class ScaleBar:
    """A round length on the ground and how much of the picture's width it takes."""

    meters: float
    """1, 2 or 5 times a power of ten."""
    fraction: float
    """Of the width of the picture, 0 to 1."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of one report."""

    quicklook: Image | None = None
    """Longest side at most 1600 px; None if nothing could be read."""
    crops: Mapping[int, Image] = field(default_factory=dict)
    """Finding id to crop, in the order of `rank`."""
    quicklook_scale: ScaleBar | None = None
    """None where meters are not known."""
    crop_scales: Mapping[int, ScaleBar] = field(default_factory=dict)
    """Finding id to the scale of its crop."""


@dataclass(frozen=True)
class _Frame:
    """The part of the scene that a crop shows; it may reach beyond the scene."""

    row: int
    col: int
    size: int
    """Scene pixels on both sides."""
    zoom: float
    """Picture pixels per scene pixel."""


def make_pictures(
    report: Report,
    geometries: Mapping[int, BaseGeometry],
    read_rgb: ReadRgb,
    *,
    limit: int = CROP_LIMIT,
) -> Pictures:
    """Draw the overview and up to `limit` crops.

    Args:
        report: The finished record; rejected findings are not drawn.
        geometries: Finding id to geometry in pixels of the scene, (col, row) from its upper left corner.
        read_rgb: Reads a window at a size. A window it cannot read (`SceneError`) is drawn hatched.
        limit: Most crops to make.

    Memory: the overview (1600 x 1600 x 3 bytes) and 0.5 MB a crop.
    """
    drawn = [f for f in report.findings if f.id in geometries and f.status != Status.REJECTED]
    quicklook = _quicklook(report, [(f, geometries[f.id]) for f in drawn], read_rgb)
    crops: dict[int, Image] = {}
    scales: dict[int, ScaleBar] = {}
    for finding in _choose(drawn, limit):
        frame = _frame(finding, report.scene)
        base = _read_frame(frame, report.scene, read_rgb)
        if base is None:
            continue
        local = _placed(geometries[finding.id], (frame.zoom, frame.zoom), (frame.col, frame.row))
        crops[finding.id] = draw_crop(base, local, BY_ID[finding.type_id].color)
        scale = _scale_bar(report.scene, frame.row + frame.size / 2, frame.col, frame.size)
        if scale is not None:
            scales[finding.id] = scale
    whole = _scale_bar(report.scene, report.scene.height / 2, 0, report.scene.width)
    return Pictures(quicklook, crops, whole, scales)


def rank(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the costliest first, then the surest, then the largest; rejected ones last."""
    return sorted(
        findings,
        key=lambda f: (f.status == Status.REJECTED, -f.penalty, -f.confidence, -f.area_px, f.id),
    )


def draw_crop(base: NDArray[np.uint8], geometry: BaseGeometry, color: str) -> Image:
    """Outline a finding on its surroundings, with a halo that shows on any ground.

    Law: the pixels of the finding stay as they are; the outline runs `CLEARANCE` px outside of them.

    Args:
        base: uint8 (band, row, col), 1 or 3 bands, at the size of the crop.
        geometry: In pixels of the crop, (x, y).
        color: Of the outline, `#rrggbb`.
    """
    image = to_rgb(base)
    outline(image, [geometry.buffer(CLEARANCE, join_style="mitre")], color, width=2)
    return image


def _quicklook(report: Report, found: list[tuple[Finding, BaseGeometry]], read_rgb: ReadRgb) -> Image | None:
    scene = report.scene
    height, width = _quicklook_shape(scene.height, scene.width)
    base, unread = _read_whole(scene, (height, width), read_rgb)
    if base is None:
        return None
    image = to_rgb(base)
    scale = (width / scene.width, height / scene.height)
    gaps = [Window(g.col, g.row, g.width, g.height) for g in report.not_inspected] + unread
    draw_hatch(image, [_scaled(gap, scale[0], scale[1]) for gap in gaps])
    large_first = sorted(found, key=lambda pair: -pair[0].area_px)
    return draw_quicklook(
        image.transpose(2, 0, 1),
        [_placed(geometry, scale, (0, 0)) for _, geometry in large_first],
        [BY_ID[f.type_id].color for f, _ in large_first],
    )


def _quicklook_shape(height: int, width: int) -> tuple[int, int]:
    """Size of the overview: small scenes enlarged by a whole factor, large ones reduced."""
    longest = max(height, width)
    if longest <= QUICKLOOK_SIZE:
        factor = max(1, QUICKLOOK_SMALL // longest)
        return height * factor, width * factor
    return tuple(max(1, round(n * QUICKLOOK_SIZE / longest)) for n in (height, width))  # type: ignore[return-value]  # two in, two out


def _read_whole(
    scene: SceneInfo, shape: tuple[int, int], read_rgb: ReadRgb
) -> tuple[NDArray[np.uint8] | None, list[Window]]:
    """The scene at `shape`; if that fails, block by block, with the windows that cannot be read."""
    try:
        return read_rgb(Window(0, 0, scene.width, scene.height), shape), []
    except SceneError:
        pass
    size = math.ceil(max(scene.height, scene.width) / 8)
    parts: list[tuple[Window, NDArray[np.uint8]]] = []
    unread = []
    for window in windows(scene.height, scene.width, size):
        rows, cols = slices(_scaled(window, shape[1] / scene.width, shape[0] / scene.height))
        if rows.stop == rows.start or cols.stop == cols.start:
            continue
        try:
            part = read_rgb(window, (rows.stop - rows.start, cols.stop - cols.start))
            parts.append((Window(cols.start, rows.start, part.shape[2], part.shape[1]), part))
        except SceneError:
            unread.append(window)
    if not parts:
        return None, unread
    base = np.full((parts[0][1].shape[0], *shape), 128, np.uint8)
    for target, part in parts:
        rows, cols = slices(target)
        base[:, rows, cols] = part
    return base, unread


def _scaled(window: Window, x: float, y: float) -> Window:
    """A window at the scale of the overview; neighbors still share an edge after rounding."""
    left, top = round(window.col_off * x), round(window.row_off * y)
    right, bottom = round((window.col_off + window.width) * x), round((window.row_off + window.height) * y)
    return Window(left, top, right - left, bottom - top)


def _choose(findings: Sequence[Finding], limit: int) -> list[Finding]:
    """Up to `limit` findings by rank, but the first few of every type before all others."""
    ranked = rank(findings)
    seen: dict[int, int] = {}
    early: list[Finding] = []
    late: list[Finding] = []
    for finding in ranked:
        seen[finding.type_id] = seen.get(finding.type_id, 0) + 1
        (early if seen[finding.type_id] <= FIRST_OF_TYPE else late).append(finding)
    return rank((early + late)[:limit])


def _frame(finding: Finding, scene: SceneInfo) -> _Frame:
    """A frame around the finding, enlarged by a whole factor if small, reduced if larger than a crop.

    It lies inside the scene where it fits, else in its middle.
    """
    left, top, right, bottom = finding.bounds_px
    need = max(right - left, bottom - top) / CROP_SIZE * CROP_CONTEXT
    zoom = next((float(z) for z in CROP_ZOOMS if need * z <= 1), 1 / max(need, 1))
    size = math.ceil(CROP_SIZE / zoom)
    row = _inside((top + bottom - size) // 2, size, scene.height)
    col = _inside((left + right - size) // 2, size, scene.width)
    return _Frame(row, col, size, zoom)


def _inside(start: int, size: int, length: int) -> int:
    """Where a frame of `size` begins along a side of `length`: moved inside, or centered where it does not fit."""
    return min(max(start, 0), length - size) if size <= length else (length - size) // 2


def _read_frame(frame: _Frame, scene: SceneInfo, read_rgb: ReadRgb) -> NDArray[np.uint8] | None:
    """The frame as (band, row, col) at crop size, gray beyond the scene; None if it cannot be read."""
    top, left = max(0, frame.row), max(0, frame.col)
    bottom, right = min(scene.height, frame.row + frame.size), min(scene.width, frame.col + frame.size)
    target = Window(left - frame.col, top - frame.row, right - left, bottom - top)
    rows, cols = slices(_scaled(target, min(frame.zoom, 1), min(frame.zoom, 1)))
    shape = max(1, rows.stop - rows.start), max(1, cols.stop - cols.start)
    try:
        part = read_rgb(Window(left, top, right - left, bottom - top), shape)
    except SceneError:
        return None
    if frame.zoom > 1:
        part = part.repeat(int(frame.zoom), axis=1).repeat(int(frame.zoom), axis=2)
    base = np.full((part.shape[0], CROP_SIZE, CROP_SIZE), 128, np.uint8)
    row, col = rows.start * max(1, int(frame.zoom)), cols.start * max(1, int(frame.zoom))
    room = base[:, row : row + part.shape[1], col : col + part.shape[2]]
    room[:] = part[:, : room.shape[1], : room.shape[2]]
    return base


def _placed(geometry: BaseGeometry, scale: tuple[float, float], origin: tuple[float, float]) -> BaseGeometry:
    """A geometry from scene pixels to those of a picture whose (x, y) = (0, 0) lies at `origin`."""
    placed: BaseGeometry = shapely.transform(geometry, lambda points: (points - origin) * scale)
    return placed


def _scale_bar(scene: SceneInfo, row: float, col: float, n_cols: int) -> ScaleBar | None:
    """A bar of about a quarter of the picture that shows columns `col` to `col + n_cols` at `row`."""
    length = _ground_length(scene, row, col, n_cols)
    if length is None:
        return None
    power = 10.0 ** math.floor(math.log10(length / 4))
    meters = max(m * power for m in (1, 2, 5) if m * power <= length / 4)
    return ScaleBar(meters, meters / length)


def _ground_length(scene: SceneInfo, row: float, col: float, n_cols: int) -> float | None:
    """Meters on the ellipsoid along a row; None without CRS or where the CRS is not of the Earth."""
    if scene.crs is None:
        return None
    transform = Affine(*scene.transform)
    ends = [transform * (col, row), transform * (col + n_cols, row)]
    try:
        xs, ys = zip(*ends, strict=True)
        lons, lats = _to_lonlat(scene.crs).transform(xs, ys)
    except Exception:  # pyproj raises several kinds; a report without scale bar beats no report
        return None
    meters = Geod(ellps="WGS84").inv(lons[0], lats[0], lons[1], lats[1])[2]
    return meters if math.isfinite(meters) and meters > 0 else None


@lru_cache(maxsize=4)
def _to_lonlat(crs: str) -> Transformer:
    """From a CRS to longitude and latitude; made once for all crops, because PROJ takes 0.1 s to choose the way."""
    return Transformer.from_crs(CRS.from_user_input(crs), 4326, always_xy=True)
