"""Images of any grid read onto a common one, by windows, in bounded memory.

An image whose pixels lie on those of the common grid is read as it is. Any other is read through a virtual raster
that GDAL warps block by block; what is outside of it has no data.
"""

from collections.abc import Callable, Sequence
from threading import Lock, local
from typing import Any, Self

import numpy as np
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from clearscene.errors import ClearsceneError, SceneError
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage, Part
from clearscene.grid import Grid, slices
from clearscene.raster.gdal import GDAL_ERRORS, no_place_needed, open_quietly, reading, reason_of
from clearscene.raster.pixels import Pixels
from clearscene.raster.scene import Scene

__all__ = ["AlignedImage", "HeldImage", "Warped", "shifted", "whole_offset"]

TOLERANCE_PX = 1e-3
"""Pixels that are off by less lie on the grid: transforms are rounded."""
WARP_ERROR_PX = 0.02
"""By how much GDAL may misplace a pixel for speed; its default of 0.125 would show in a fusion."""
PLANE = CRS.from_epsg(3857)
"""Stands for the CRS of images that have none and lie in one plane: GDAL warps only between CRS."""


class AlignedImage:
    """An image on the common grid. Use it in a `with` block; any thread may read.

    Law: a window reads alike whatever window it is part of; an image on its own grid reads as it is stored.
    """

    def __init__(
        self,
        image: FuseImage,
        grid: Grid,
        bands: Sequence[str],
        *,
        resampling: Resampling = Resampling.bilinear,
        shift: tuple[float, float] = (0.0, 0.0),
        as_reflectance: bool = False,
    ) -> None:
        """Open the files; `shift` (row, col) in pixels of the grid is added to where the image says it lies.

        Raises:
            ImageError: A file cannot be opened.
        """
        self.image, self.grid, self.bands = image, grid, tuple(bands)
        self.dtype = np.dtype(np.float64 if np.dtype(image.dtype).itemsize > 4 or image.dtype in WIDE else np.float32)
        self._lines = [image.lines[name] for name in bands] if as_reflectance else None
        self._readers: list[tuple[list[int], list[int | str], _PartReader]] = []
        try:
            for part in image.parts:
                places = [place for place, name in enumerate(bands) if name in part.bands]
                if places:
                    wanted = [part.bands[bands[place]] for place in places]
                    reader = _PartReader(part, grid, resampling=resampling, shift=shift)
                    self._readers.append((places, wanted, reader))
        except ClearsceneError as error:
            self.close()
            raise ImageError.of(error, image.path) from error

    def read(self, window: Window) -> Pixels:
        """Values (band, row, col), float32 or for wide types float64, and valid (row, col); 0 where not valid.

        A pixel is not valid where a file that holds one of the bands has no data.

        Raises:
            ImageError: A part of a file cannot be read.
        """
        rows, cols = slices(window)
        shape = rows.stop - rows.start, cols.stop - cols.start
        data, valid = np.zeros((len(self.bands), *shape), self.dtype), np.ones(shape, np.bool_)
        try:
            for places, wanted, reader in self._readers:
                pixels = reader.read(window, wanted)
                data[places] = pixels.data
                valid &= pixels.valid
        except ClearsceneError as error:
            raise ImageError.of(error, self.image.path) from error
        if self._lines is not None:
            lines = np.array(self._lines, self.dtype)[:, :, np.newaxis, np.newaxis]
            data = data * lines[:, 0] + lines[:, 1]
        data[:, ~valid] = 0
        return Pixels(data, valid)

    def close(self) -> None:
        """Close all files."""
        for _, _, reader in self._readers:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class HeldImage:
    """A small image on the grid, read once as a whole: a warped one is not warped again for each tile."""

    def __init__(self, source: AlignedImage) -> None:
        """Read all of it.

        Raises:
            ImageError: A part of it cannot be read.
        """
        self.image, self.grid, self.bands = source.image, source.grid, source.bands
        self._pixels = source.read(source.grid.window)

    def read(self, window: Window) -> Pixels:
        """As `AlignedImage.read`."""
        rows, cols = slices(window)
        return Pixels(self._pixels.data[:, rows, cols], self._pixels.valid[rows, cols])


WIDE = ("int32", "uint32")
"""Types of four bytes whose values float32 would round."""


class _PartReader:
    """One file on the common grid."""

    def __init__(self, part: Part, grid: Grid, *, resampling: Resampling, shift: tuple[float, float]) -> None:
        self._grid, self._nodata = grid, part.nodata
        self._scene: Scene = part.open()
        self._source = shifted(self._scene.grid, grid, shift)
        self._offset = whole_offset(self._source, grid)
        self._warped: Warped | None = None
        if self._offset is None:
            try:
                self._warped = self._warp(resampling)
            except BaseException:
                self.close()
                raise

    def _warp(self, resampling: Resampling) -> "Warped":
        if self._scene.color_table is not None:
            raise SceneError(
                f"{self._scene.path} has a color table and lies on another grid; indices cannot be resampled.",
                hint="Turn it into colors with gdal_translate -expand rgb.",
            )
        return Warped(
            lambda: open_quietly(self._scene.read_source),
            self._source,
            self._grid,
            resampling=resampling,
            nodata=self._nodata,
            name=self._scene.path,
        )

    def read(self, window: Window, bands: Sequence[int | str]) -> Pixels:
        if self._warped is not None:
            return self._warped.read(window, [self._number(band) for band in bands])
        rows, cols = slices(window)
        shape = rows.stop - rows.start, cols.stop - cols.start
        result = Pixels(np.zeros((len(bands), *shape), self._scene.dtype), np.zeros(shape, np.bool_))
        assert self._offset is not None
        inside = _overlap(rows, self._offset[0], self._scene.grid.height)
        across = _overlap(cols, self._offset[1], self._scene.grid.width)
        if inside is None or across is None:
            return result
        stored = Window(across[0].start, inside[0].start, _length(across[0]), _length(inside[0]))
        pixels = self._scene.read(stored, bands=bands)
        valid = pixels.valid if self._nodata is None else pixels.valid & (pixels.data != self._nodata).all(axis=0)
        result.data[:, inside[1], across[1]] = pixels.data
        result.valid[inside[1], across[1]] = valid
        return result

    def _number(self, band: int | str) -> int:
        return self._scene.bands[band] if isinstance(band, str) else band

    def close(self) -> None:
        self._scene.close()
        if self._warped is not None:
            self._warped.close()


class Warped:
    """A file warped onto a grid; any thread may read, each through a virtual raster of its own.

    Memory: GDAL's block cache. The blocks are those of the virtual raster, whatever window is asked for.
    """

    def __init__(
        self,
        opener: Callable[[], DatasetReader],
        source: Grid,
        grid: Grid,
        *,
        resampling: Resampling,
        nodata: float | None,
        name: str,
    ) -> None:
        self._opener, self._source, self._grid, self._name = opener, source, grid, name
        self._resampling, self._nodata = resampling, nodata
        self._lock, self._local = Lock(), local()
        self._open: list[Any] = []

    def read(self, window: Window, bands: Sequence[int]) -> Pixels:
        """Values (band, row, col) as stored and valid (row, col).

        Raises:
            SceneError: A part of the file cannot be read.
        """
        try:
            with reading():
                vrt, alpha, nodata = self._virtual()
                if alpha is not None:
                    stored = vrt.read([*bands, alpha], window=window)
                    data, valid = stored[:-1], stored[-1] > 0
                else:
                    data = vrt.read([*bands], window=window)
                    valid = ~(np.isnan(data) if np.isnan(nodata) else data == nodata).all(axis=0)
        except GDAL_ERRORS as error:
            raise SceneError(
                f"{self._name} cannot be read: {reason_of(error)}.",
                hint="That part of the file is damaged or cut off: copy or download the file again.",
            ) from error
        if data.dtype.kind == "f":
            valid &= np.isfinite(data).all(axis=0)
            data = np.where(valid, data, 0)
        return Pixels(data, valid)

    def _virtual(self) -> tuple[WarpedVRT, int | None, float]:
        """The virtual raster of this thread, its alpha band, and its nodata value where it has no alpha."""
        made: tuple[WarpedVRT, int | None, float] | None = getattr(self._local, "made", None)
        if made is None:
            dataset = self._opener()
            made = self._make(dataset)
            with self._lock:
                self._open += [made[0], dataset]
            self._local.made = made
        return made

    def _make(self, dataset: DatasetReader) -> tuple[WarpedVRT, int | None, float]:
        flags = dataset.mask_flag_enums[0]
        nodata = dataset.nodata if self._nodata is None else self._nodata
        options: dict[str, Any] = {
            "src_crs": self._source.crs or PLANE,
            "src_transform": self._source.transform,
            "crs": self._grid.crs or PLANE,
            "transform": self._grid.transform,
            "height": self._grid.height,
            "width": self._grid.width,
            "resampling": self._resampling,
            "tolerance": WARP_ERROR_PX,
        }
        with no_place_needed():
            if MaskFlags.alpha in flags:
                alpha = dataset.colorinterp.index(ColorInterp.alpha) + 1
                return WarpedVRT(dataset, **options), alpha, 0.0
            if nodata is not None:
                vrt = WarpedVRT(dataset, src_nodata=nodata, nodata=nodata, UNIFIED_SRC_NODATA="YES", **options)
                return vrt, None, float(nodata)
            vrt = WarpedVRT(dataset, add_alpha=True, **options)
            return vrt, vrt.count, 0.0

    def close(self) -> None:
        """Close the virtual rasters and files of all threads."""
        with self._lock:
            for item in self._open:
                item.close()
            self._open = []


def shifted(source: Grid, grid: Grid, shift: tuple[float, float]) -> Grid:
    """The grid of an image moved by (row, col) pixels of the common grid, in its own CRS.

    Of an image in another CRS the move is that of the middle of the common grid.
    """
    if shift == (0.0, 0.0):
        return source
    middle = grid.width / 2, grid.height / 2
    ends = [grid.transform * middle, grid.transform * (middle[0] + shift[1], middle[1] + shift[0])]
    if source.crs != grid.crs and source.crs and grid.crs:
        ends = [Transformer.from_crs(grid.crs, source.crs, always_xy=True).transform(*end) for end in ends]
    move = Affine.translation(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1])
    return Grid(source.height, source.width, move * source.transform, source.crs)


def whole_offset(source: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of the grid where the upper left pixel of `source` lies, or None if the pixels do not coincide.

    Law: where it is (r, c), pixel (i, j) of the source covers pixel (i + r, j + c) of the grid.
    """
    if source.crs != grid.crs:
        return None
    step = ~grid.transform * source.transform
    corners = [(0, 0), (source.width, 0), (0, source.height), (source.width, source.height)]
    row, col = round(step.f), round(step.c)
    for corner in corners:
        x, y = step * corner
        if abs(x - corner[0] - col) > TOLERANCE_PX or abs(y - corner[1] - row) > TOLERANCE_PX:
            return None
    return row, col


def _overlap(span: slice, offset: int, size: int) -> tuple[slice, slice] | None:
    """The part of a span of grid pixels that an image covers: in the image, and within the span; None if there is none.

    ::

        grid    0 ........ span.start ======== span.stop
        image        offset |------------- size
    """
    start, stop = max(span.start, offset), min(span.stop, offset + size)
    if start >= stop:
        return None
    return slice(start - offset, stop - offset), slice(start - span.start, stop - span.start)


def _length(span: slice) -> int:
    length: int = span.stop - span.start
    return length
