"""Images of any grid read onto a common one, by windows, in bounded memory.

An image whose pixels lie on those of the common grid is read as it is, any other warped; what is outside of it has no
data.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.errors import ClearsceneError, SceneError
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage, Part
from clearscene.fusion.lying import shifted, whole_offset
from clearscene.fusion.warped import Warped
from clearscene.grid import Grid, slices
from clearscene.raster.gdal import open_quietly
from clearscene.raster.pixels import Pixels
from clearscene.raster.scene import Scene

__all__ = ["AlignedImage", "HeldImage"]


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
        self._grid, self._nodata, self._given_nodata = grid, part.nodata, part.given_nodata
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
            nodata=self._given_nodata if self._nodata is None else self._nodata,
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
