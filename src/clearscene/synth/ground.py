"""The generated ground: an endless orthophoto that is drawn only where it is looked at.

::

    plan -> fields, woods, water -> roads, roofs -> trees -> shadows -> light -> optics -> noise

Pixels come in square blocks. A block is a pure function of the seed and its place, so a window
reads alike however the scene is cut, and a scene of any size needs the memory of a few blocks.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.grid import slices
from clearscene.synth.canopy import grow
from clearscene.synth.fields import Fields, draw_fields
from clearscene.synth.noise import SENSOR_PERIOD, hashed, periodic, spline_noise
from clearscene.synth.plan import Box, Plan, Road
from clearscene.synth.village import Shape, Sun, village_shapes

__all__ = ["BLOCK", "Ground"]

BLOCK = 512
"""Side of a block, pixels."""
PAD = 64
"""Pixels drawn around a block, so that shadows, crowns and blur reach in from outside."""
STEP = 16
"""Pixels between the points at which distances to water and woods are computed."""
EXTENT = BLOCK + 2 * PAD
CACHED_BLOCKS = 96
"""Finished blocks kept: about 75 MB."""

_SHIFT = 4
FLOOR, CEILING = 5, 255
"""Range of the values drawn; natural ground is never exactly black."""
BLUR_SIGMA = 0.7
"""Blur of optics and resampling, pixels: a full width at half maximum of 1.65 px, usual for orthophotos."""
HAZE = 6.0
"""Light scattered by the air, levels of 8 bits."""
SENSOR_SIGMA = 1.5
"""Standard deviation of the sensor noise, levels of 8 bits."""

_LENS = (0.80 * np.eye(3) + 0.20 * np.array([0.30, 0.55, 0.15])).astype(np.float32)
"""Crosstalk of the bands: colors from the air are paler than on the ground."""

_SHADE = ((0.60, 1.0), (0.54, 0.2), (0.44, -1.0))
"""For red, green, blue: light lost in full shadow, and the sign of the slow change of tint."""

Plane = NDArray[np.float32]
Color = NDArray[np.float32]


class Ground:
    """A generated landscape of fields, water, woods, roads and villages.

    Args:
        seed: Everything follows from it.
        resolution: Meters a pixel, 0.1 to 1.

    Raises:
        OptionError: The resolution is outside that range.
    """

    def __init__(self, seed: int, *, resolution: float = 0.25) -> None:
        if not 0.1 <= resolution <= 1:
            raise OptionError(
                f"A generated scene cannot have pixels of {resolution} m.", hint="Use a resolution from 0.1 to 1 m."
            )
        self.seed, self.resolution = seed, resolution
        draw = np.random.default_rng((seed, 2))
        self.sun = Sun(float(np.deg2rad(draw.uniform(125, 160))), float(np.deg2rad(draw.uniform(46, 56))))
        self._plan = Plan(seed)
        self._canopy = grow(seed, resolution=resolution, extent=EXTENT, sun=self.sun)
        self._fine = _wrapped(periodic(seed + 91, 1000, shortest=2.5, longest=14, slope=0.6))
        self._patchy = _wrapped(periodic(seed + 92, 1408, shortest=14, longest=240, slope=1.1))
        self._sensor = _wrapped(draw.standard_normal((SENSOR_PERIOD, SENSOR_PERIOD, 3)).astype(np.float32))
        self._block = lru_cache(maxsize=CACHED_BLOCKS)(self._draw_block)
        self._shapes = lru_cache(maxsize=64)(self._draw_village)

    def window(self, window: Window) -> NDArray[np.uint8]:
        """Red, green and blue of a window of whole pixels anywhere on the plane: (3, row, col) uint8.

        Law: the values of a pixel do not depend on the window it is read by.
        """
        rows, cols = slices(window)
        result = np.empty((3, rows.stop - rows.start, cols.stop - cols.start), np.uint8)
        for i in range(rows.start // BLOCK, (rows.stop - 1) // BLOCK + 1):
            for j in range(cols.start // BLOCK, (cols.stop - 1) // BLOCK + 1):
                top, bottom = max(rows.start, i * BLOCK), min(rows.stop, (i + 1) * BLOCK)
                left, right = max(cols.start, j * BLOCK), min(cols.stop, (j + 1) * BLOCK)
                part = self._block(i, j)[:, top - i * BLOCK : bottom - i * BLOCK, left - j * BLOCK : right - j * BLOCK]
                result[:, top - rows.start : bottom - rows.start, left - cols.start : right - cols.start] = part
        return result

    def _draw_village(self, i: int, j: int) -> list[Shape]:
        village = self._plan.village(i, j)
        return village_shapes(self._plan, village, self.sun) if village else []

    def _draw_block(self, i: int, j: int) -> NDArray[np.uint8]:
        """One finished block, (3, BLOCK, BLOCK)."""
        site = _Site(i * BLOCK - PAD, j * BLOCK - PAD, self.resolution)
        water, wood = self._distances(site)
        fields = self._fields(site)
        fine, patchy = (_at(texture, site) for texture in (self._fine, self._patchy))
        color = _soil(fields, fine, patchy)
        _add_tracks(color, fields, fine)
        _add_wood_floor(color, wood)
        _add_water(color, water, self._slow(site, 95, 40.0), fine)
        image = np.clip(color, 0, 255, out=color).astype(np.uint8)
        height = np.zeros((EXTENT, EXTENT), np.uint8)
        built = self._build(image, height, site)
        density = _tree_density(wood, water, fields, built, self._slow(site, 96, 60.0))
        self._plant(image, height, density, site)
        return self._expose(image, height, site, (i, j))

    def _distances(self, site: "_Site") -> tuple[Plane, Plane]:
        """Distance to water and depth of wood at every pixel, interpolated from coarse points."""
        x, y = np.meshgrid(site.coarse_x, site.coarse_y)
        return _spread(self._plan.water(x, y)), _spread(self._plan.wood(x, y))

    def _slow(self, site: "_Site", salt: int, cell_m: float) -> Plane:
        """Noise of tens of meters and more."""
        return _spread(spline_noise(self.seed + salt, cell_m, rows=site.coarse_y, cols=site.coarse_x))

    def _fields(self, site: "_Site") -> Fields:
        districts = self._plan.districts(site.box)
        bend = 0.9 * self._slow(site, 93, 45.0)
        return draw_fields(self.seed, districts, x=site.x, y=site.y, bend=bend)

    def _build(self, image: NDArray[np.uint8], height: NDArray[np.uint8], site: "_Site") -> NDArray[np.uint8]:
        """Draw roads and villages; returns 255 where no tree may stand."""
        built = np.zeros(height.shape, np.uint8)
        shapes = [s for key in self._plan.villages(site.box) for s in self._shapes(*key) if site.box.touches(s.outline)]
        roads = sorted(self._plan.roads(site.box), key=lambda road: (road.width, road.line[0, 0]))
        for shape in shapes:
            if shape.height == 0:
                _draw_shape(image, height, built, shape, site)
        for is_major in (False, True):
            _draw_roads(image, built, [road for road in roads if road.is_major == is_major], site)
        for shape in shapes:
            if shape.height > 0:
                _draw_shape(image, height, built, shape, site)
        return built

    def _plant(self, image: NDArray[np.uint8], height: NDArray[np.uint8], density: Plane, site: "_Site") -> None:
        """Let trees stand where the density at their trunk asks for them."""
        if density.max() <= 0.001:
            return
        canopy = self._canopy.view(site.row, site.col, EXTENT)
        r, c = np.ogrid[0:EXTENT, 0:EXTENT]
        rows = np.clip(r + canopy.row_step.astype(np.int32), 0, EXTENT - 1)
        cols = np.clip(c + canopy.col_step.astype(np.int32), 0, EXTENT - 1)
        stands = (density * 255).ravel()[rows * EXTENT + cols] > canopy.threshold
        stands &= canopy.threshold < 255
        cv2.copyTo(canopy.color, stands.astype(np.uint8), image)
        np.copyto(height, canopy.height, where=stands & (canopy.height > height))

    def _expose(
        self, image: NDArray[np.uint8], height: NDArray[np.uint8], site: "_Site", block: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Shadows, slow light, optics, sensor: from reflectance to an image (3, BLOCK, BLOCK)."""
        color = cv2.transform(image.astype(np.float32), _LENS)
        shade = _shadows(height, self.sun, self.resolution)
        light = 1 + 0.045 * self._slow(site, 97, 420.0) + 0.025 * self._slow(site, 98, 90.0)
        tint = 0.012 * self._slow(site, 99, 300.0)
        light *= 1 + 0.02 * _at(self._fine, site)
        bands = [light * (1 + toward * tint) * (1 - lost * shade) for lost, toward in _SHADE]
        color = cv2.multiply(color, cv2.merge(bands))
        color = cv2.GaussianBlur(color, (5, 5), BLUR_SIGMA)[PAD:-PAD, PAD:-PAD]
        top, left = (int(v) for v in hashed(self.seed + 100, block[0], block[1], np.array([0, 1])) % SENSOR_PERIOD)
        noise = self._sensor[top : top + BLOCK, left : left + BLOCK]
        color = color + noise * SENSOR_SIGMA + HAZE
        return np.ascontiguousarray(np.clip(np.rint(color), FLOOR, CEILING).astype(np.uint8).transpose(2, 0, 1))


class _Site:
    """Where a padded block lies."""

    def __init__(self, row: int, col: int, resolution: float) -> None:
        self.row, self.col, self.resolution = row, col, resolution
        self.x = np.asarray((col + np.arange(EXTENT) + 0.5) * resolution, np.float64)
        self.y = np.asarray((row + np.arange(EXTENT) + 0.5) * resolution, np.float64)
        steps = (np.arange(EXTENT // STEP + 2) - 0.5) * STEP  # centers of squares of pixels, one around the block
        self.coarse_x = np.asarray((col + steps) * resolution, np.float64)
        self.coarse_y = np.asarray((row + steps) * resolution, np.float64)
        self.box = Box(self.x[0], self.y[0], self.x[-1], self.y[-1])

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Meters (n, 2) to cv2's fixed-point pixels of this block."""
        places = points / self.resolution - (self.col, self.row) - 0.5
        return np.rint(places * (1 << _SHIFT)).astype(np.int32)


def _spread(coarse: NDArray[np.floating]) -> Plane:
    """Values at every `STEP` pixels, brought to all pixels of a block."""
    full = cv2.resize(coarse.astype(np.float32), None, fx=STEP, fy=STEP, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(full[STEP:-STEP, STEP:-STEP], np.float32)


def _wrapped(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A periodic texture with a margin of one block extent, so that any view is a slice."""
    return np.pad(texture, ((0, EXTENT), (0, EXTENT), (0, 0))[: texture.ndim], mode="wrap")


def _at(texture: NDArray[np.float32], site: _Site) -> Plane:
    size = texture.shape[0] - EXTENT
    r, c = site.row % size, site.col % size
    return texture[r : r + EXTENT, c : c + EXTENT]


def _soil(fields: Fields, fine: Plane, patchy: Plane) -> Color:
    """Fields with rows and patches."""
    relative = 1 + fields.rows * (1 + 0.3 * patchy) + fields.mottling * (0.7 * patchy + 0.45 * fine)
    color = np.asarray(cv2.multiply(fields.color, cv2.merge([relative] * 3)), np.float32)
    green = fields.mottling * patchy * 40
    color[..., 0] -= green
    color[..., 2] -= 0.6 * green
    return color


def _laid_over(color: Color, where: NDArray[np.bool_], layers: list[tuple[Plane, tuple[int, int, int]]]) -> None:
    """Blend layers of cover (n,) and tone into the pixels `where` (n True) of a color, in order."""
    pixels = np.ascontiguousarray(color[where].T)  # (3, n)
    for cover, tone in layers:
        share = np.clip(cover, 0, 1)
        for band in range(3):
            pixels[band] += share * (np.float32(tone[band]) - pixels[band])
    color[where] = pixels.T


def _add_tracks(color: Color, fields: Fields, fine: Plane) -> None:
    """A farm track with two ruts along the borders of districts."""
    where = fields.edge < 4
    if not where.any():
        return
    edge, rough = fields.edge[where], 0.25 * fine[where]
    tones = ((3.2, (118, 120, 84)), (1.9, (166, 150, 120)), (0.45, (134, 132, 96)))
    _laid_over(color, where, [((width - edge) * 3 + rough, tone) for width, tone in tones])


def _add_wood_floor(color: Color, wood: Plane) -> None:
    where = wood > -0.2
    if where.any():
        _laid_over(color, where, [(wood[where] * 0.55 + 0.1, (70, 75, 52))])


def _add_water(color: Color, water: Plane, slow: Plane, fine: Plane) -> None:
    """Bank, bright beach, wet rim and smooth dark water, from outside in."""
    where = water < 16
    if not where.any():
        return
    depth, rough, slow = -water[where], fine[where], slow[where]
    beach = 2.6 + 1.6 * slow
    layers = [
        ((beach + 7 + depth) * 0.3 + 0.2 * rough, (112, 120, 82)),
        ((beach + depth) * 0.9 + 0.25 * rough, (205, 194, 166)),
        ((0.7 + depth) * 1.6, (136, 126, 102)),
        (0.25 + depth * 0.55, (74, 90, 82)),
        (depth / 9, (44, 62, 62)),
    ]
    _laid_over(color, where, layers)
    pixels = color[where]
    pixels += (np.clip(depth / 9, 0, 1) * slow * 2)[:, None]
    color[where] = pixels


def _tree_density(wood: Plane, water: Plane, fields: Fields, built: NDArray[np.uint8], slow: Plane) -> Plane:
    """Share of the trees of the canopy tile that stand, 0 to 1."""
    density = np.clip(wood * 0.9, 0, 0.97)
    single = np.float32(0.0022) + np.clip(slow - 1.6, 0, 1) * 0.05
    density = np.maximum(density, single)
    hedge = fields.is_hedged & (fields.edge > 2.2) & (fields.edge < 5.0)
    density = np.where(hedge, np.maximum(density, 0.55 + 0.3 * slow), density)
    bank = (water > 4.5) & (water < 13)
    density = np.where(bank, np.maximum(density, 0.34 + 0.3 * slow), density)
    density = np.where(built > 0, np.where(built == YARD, np.float32(0.13), 0), density)
    density[water < 2.0] = 0
    return np.clip(density, 0, 1, out=density)


YARD = 60
"""Value of `built` where gardens are: trees may stand, roofs and roads are 255."""


def _draw_roads(image: NDArray[np.uint8], built: NDArray[np.uint8], roads: list[Road], site: _Site) -> None:
    """Shoulders, pavement and, on major roads, edge lines and a dashed middle.

    Each layer is drawn for all roads before the next, so that they join at crossings.
    """
    lines = [list(site.pixels(road.line)[None]) for road in roads]
    for grow_m, share, tone in _MAJOR if any(road.is_major for road in roads) else _MINOR:
        for road, line in zip(roads, lines, strict=True):
            width = max(1, round((road.width * share + grow_m) / site.resolution))
            cv2.polylines(image, line, False, tone, width, cv2.LINE_AA, _SHIFT)
    for road, line in zip(roads, lines, strict=True):
        cv2.polylines(built, line, False, 255, max(1, round((road.width + 5) / site.resolution)), cv2.LINE_8, _SHIFT)
        for dash in _dashes(road.line) if road.is_major else []:
            cv2.polylines(image, [site.pixels(dash)], False, (206, 206, 200), 1, cv2.LINE_AA, _SHIFT)


# meters added to the share of the width, share, tone; bottom layer first
_MINOR: tuple[tuple[float, float, tuple[int, int, int]], ...] = (
    (3.0, 1.0, (142, 138, 108)),
    (1.0, 1.0, (158, 151, 131)),
    (0.0, 1.0, (148, 146, 141)),
    (-2.4, 1.0, (143, 141, 136)),
)
_MAJOR: tuple[tuple[float, float, tuple[int, int, int]], ...] = (
    (3.6, 1.0, (140, 138, 106)),
    (1.2, 1.0, (156, 150, 130)),
    (0.0, 1.0, (126, 126, 124)),
    (-1.4, 1.0, (204, 204, 198)),
    (-1.9, 1.0, (124, 124, 122)),
    (0.0, 0.36, (117, 117, 116)),
)


def _dashes(line: NDArray[np.float64], *, paint: float = 4.0, gap: float = 6.0) -> list[NDArray[np.float64]]:
    """The painted pieces of a dashed middle line, (2, 2) meters each."""
    reach = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    starts = np.arange(0, reach[-1] - paint, paint + gap)
    ends = np.stack([starts, starts + paint], -1)
    return list(np.stack([np.interp(ends, reach, line[:, k]) for k in (0, 1)], -1))


def _draw_shape(
    image: NDArray[np.uint8], height: NDArray[np.uint8], built: NDArray[np.uint8], shape: Shape, site: _Site
) -> None:
    corners = site.pixels(shape.outline)
    cv2.fillConvexPoly(image, corners, shape.color, cv2.LINE_AA, _SHIFT)
    if shape.height > 0:
        cv2.fillConvexPoly(height, corners, round(shape.height * 4), cv2.LINE_8, _SHIFT)
    cv2.fillConvexPoly(built, corners, 255 if shape.height > 0 or shape.is_paved else YARD, cv2.LINE_8, _SHIFT)


def _shadows(height: NDArray[np.uint8], sun: Sun, resolution: float) -> Plane:
    """Cast shadow at each pixel, 0 to 1: something toward the sun is higher than the ray."""
    if not height.any():
        return np.zeros(height.shape, np.float32)
    step_m = max(0.8, resolution)
    rise = step_m * np.tan(sun.elevation) * 4  # quarter meters a step
    dark = np.zeros(height.shape, np.bool_)
    ray = height.astype(np.int16)
    for k in range(1, int(height.max() / rise) + 2):
        dx, dy = np.rint(sun.toward * k * step_m / resolution).astype(int)
        blocker = _shifted(height, dy, dx)
        dark |= blocker > ray + round(k * rise)
    return np.asarray(cv2.GaussianBlur(dark.astype(np.float32), (5, 5), 0.9), np.float32)


def _shifted(plane: NDArray[np.uint8], dy: int, dx: int) -> NDArray[np.uint8]:
    """The plane whose pixel [r, c] is `plane[r + dy, c + dx]`, 0 outside."""
    result = np.zeros_like(plane)
    n = plane.shape[0]
    to_r, to_c = slice(max(0, -dy), n - max(0, dy)), slice(max(0, -dx), n - max(0, dx))
    from_r, from_c = slice(max(0, dy), n - max(0, -dy)), slice(max(0, dx), n - max(0, -dx))
    result[to_r, to_c] = plane[from_r, from_c]
    return result
