"""The grid that all images are brought to."""

import math
from collections.abc import Sequence

from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.windows import Window

from clearscene.errors import GridError, OptionError
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage
from clearscene.fusion.options import FuseOptions
from clearscene.grid import Grid
from clearscene.raster.scene import open_scene
from clearscene.raster.sensors.placing import pixel_area, pixel_size_m

__all__ = ["coarser", "common_grid", "common_window", "place_of"]

Bounds = tuple[float, float, float, float]

EDGE_POINTS = 21
"""Points a side by which an extent is brought to another CRS."""
SLACK_PX = 1e-3
LARGEST = 1 << 31
"""Rows or columns that GDAL can count."""
MOST_PIXELS = 1 << 37
"""Of a result: a hundred times the largest orthophotos."""


def common_grid(images: Sequence[FuseImage], options: FuseOptions) -> Grid:
    """The grid of `like`; else that of the finest image, over the bounds or all that images cover.

    Law: without `bounds` and `resolution` the pixels are those of the finest image (of several, the first by
    date and name), so that image is not resampled. The order in which images are given does not matter.

    Raises:
        GridError: Images lie apart, or one has no CRS and cannot be placed beside others; names them. Or the grid has
            more than 137 billion pixels.
        OptionError: A resolution without a CRS.
        SceneError: `like` cannot be opened.
    """
    placed = [image.grid for image in images if image.grid.crs is not None]
    base = min(placed or [image.grid for image in images], key=pixel_area)
    _check_places(images, base)
    if options.like:
        with open_scene(options.like) as scene:
            grid = scene.grid
        _check_places(images, grid)
    else:
        fine = _at_resolution(base, options.resolution)
        if options.bounds:
            grid = _over(fine, options.bounds)
        elif len(images) == 1 and options.resolution is None:
            grid = base
        else:
            grid = _over(fine, _extent(images, fine, options.extent))
    if grid.n_pixels > MOST_PIXELS:
        raise GridError(
            f"The result would have {grid.width:,} x {grid.height:,} px of {grid.resolution[0]:.6g} x"
            f" {grid.resolution[1]:.6g} map units.",
            hint="Check --resolution, in meters, and --bounds.",
        )
    _check_overlap(images, grid, is_given=bool(options.like or options.bounds))
    return grid


def place_of(image: Grid, grid: Grid) -> Bounds:
    """Where an image lies on the grid, in its pixels: left, top, right, bottom; from its outline.

    Raises:
        GridError: Its CRS cannot be brought to that of the grid.
    """
    steps = [step / (EDGE_POINTS - 1) for step in range(EDGE_POINTS)]
    edge = [(u, v) for u in steps for v in (0, 1)] + [(u, v) for u in (0, 1) for v in steps]
    points = [image.transform * (u * image.width, v * image.height) for u, v in edge]
    xs, ys = zip(*points, strict=True)
    if image.crs != grid.crs and image.crs and grid.crs:
        try:
            xs, ys = Transformer.from_crs(image.crs, grid.crs, always_xy=True).transform(xs, ys, errcheck=True)
        except ProjError as error:
            raise GridError(f"The CRS {image.crs} cannot be brought to {grid.crs}: {error}") from error
    pixels = [~grid.transform * point for point in zip(xs, ys, strict=True)]
    cols, rows = zip(*pixels, strict=True)
    return min(cols), min(rows), max(cols), max(rows)


def common_window(one: Grid, other: Grid, grid: Grid) -> Window | None:
    """The whole pixels of the grid that two images cover, by their outlines; None if there is none."""
    boxes = place_of(one, grid), place_of(other, grid), (0.0, 0.0, float(grid.width), float(grid.height))
    left, top = (math.ceil(max(box[k] for box in boxes) - SLACK_PX) for k in (0, 1))
    right, bottom = (math.floor(min(box[k] for box in boxes) + SLACK_PX) for k in (2, 3))
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None


def coarser(grid: Grid, longest: int) -> tuple[Grid, int]:
    """A grid over the same ground whose longer side has at most `longest` pixels, and the whole factor between both."""
    factor = math.ceil(max(grid.height, grid.width) / longest)
    return (grid if factor == 1 else grid.coarser(factor)), factor


def _check_places(images: Sequence[FuseImage], grid: Grid) -> None:
    """Refuse images of which it is not known where they lie beside the grid."""
    for image in images:
        if (image.grid.crs is None) == (grid.crs is None):
            continue
        raise ImageError(
            f"{image.path} has {'no CRS' if image.grid.crs is None else f'the CRS {image.grid.crs}'}, others have"
            f" {'none' if grid.crs is None else f'{grid.crs}'}: they cannot be laid over each other.",
            image=image.path,
            hint="Assign the CRS that it is in with gdal_edit.py -a_srs EPSG:... .",
        )


def _at_resolution(grid: Grid, resolution: float | None) -> Grid:
    """A grid with square pixels of `resolution` meters and the same corner; its size does not count yet."""
    if resolution is None:
        return grid
    size = pixel_size_m(grid)
    if size is None:
        raise OptionError(
            f"--resolution {resolution:g}: the images have no CRS, so the size of their pixels is not known.",
            hint="Leave out --resolution, or give the images a CRS with gdal_edit.py -a_srs.",
        )
    scale = Affine.scale(resolution / size[0], resolution / size[1])
    return Grid(grid.height, grid.width, grid.transform * scale, grid.crs)


def _extent(images: Sequence[FuseImage], grid: Grid, extent: str) -> Bounds:
    """What images cover together or in common, in map coordinates."""
    lefts, tops, rights, bottoms = zip(*(place_of(image.grid, grid) for image in images), strict=True)
    _check_neighbors(images, grid)
    if extent == "union":
        box = min(lefts), min(tops), max(rights), max(bottoms)
    else:
        box = max(lefts), max(tops), min(rights), min(bottoms)
        if box[0] + SLACK_PX >= box[2] or box[1] + SLACK_PX >= box[3]:
            raise GridError(
                f"The {len(images)} images have no ground in common.", hint="Use --extent union, or leave some out."
            )
    return _as_bounds(grid, box)


def _as_bounds(grid: Grid, box: Bounds) -> Bounds:
    corners = [grid.transform * (col, row) for col in (box[0], box[2]) for row in (box[1], box[3])]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _over(grid: Grid, bounds: Bounds) -> Grid:
    """The pixels of a grid, continued, that hold the bounds."""
    corners = [~grid.transform * (x, y) for x in (bounds[0], bounds[2]) for y in (bounds[1], bounds[3])]
    cols, rows = zip(*corners, strict=True)
    left, top = math.floor(min(cols) + SLACK_PX), math.floor(min(rows) + SLACK_PX)
    width = math.ceil(max(cols) - SLACK_PX) - left
    height = math.ceil(max(rows) - SLACK_PX) - top
    if not (0 < width < LARGEST and 0 < height < LARGEST):
        raise GridError(f"Bounds {bounds} make a grid of {width} x {height} px.", hint="Check --bounds and its CRS.")
    return Grid(height, width, grid.transform * Affine.translation(left, top), grid.crs)


def _check_neighbors(images: Sequence[FuseImage], grid: Grid) -> None:
    """Refuse an image that touches no other: over an ocean of nodata there is nothing to fuse."""
    boxes = [place_of(image.grid, grid) for image in images]
    if len(images) == 2 and not _touch(*boxes):
        raise GridError(
            f"{images[0].path} and {images[1].path} do not overlap.",
            hint="Check their CRS and places. Of two, neither can be left out as the wrong one.",
        )
    for image, box in zip(images, boxes, strict=True):
        others = [other for other in boxes if other is not box]
        if others and not any(_touch(box, other) for other in others):
            raise _apart(image, "any other image")


def _check_overlap(images: Sequence[FuseImage], grid: Grid, *, is_given: bool) -> None:
    box = (0.0, 0.0, float(grid.width), float(grid.height))
    for image in images:
        if not _touch(place_of(image.grid, grid), box):
            raise _apart(image, "the grid that was asked for" if is_given else "the grid of the result")


def _touch(one: Bounds, other: Bounds) -> bool:
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > SLACK_PX
        and min(one[3], other[3]) - max(one[1], other[1]) > SLACK_PX
    )


def _apart(image: FuseImage, what: str) -> ImageError:
    bounds = ", ".join(f"{value:.8g}" for value in image.grid.bounds)
    crs = f" in {image.grid.crs}" if image.grid.crs else " without a CRS"
    return ImageError(
        f"{image.path} does not overlap {what}: it covers {bounds} (left, bottom, right, top){crs}.",
        image=image.path,
        hint="Check its CRS and place, or leave it out with --on-error skip.",
    )
