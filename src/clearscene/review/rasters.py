"""Rasters that tiles are read from by rio-tiler, with a few open handles that threads lend each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window
from rio_tiler.reader import read

from clearscene.raster.gdal import GDAL_ERRORS, open_quietly, reading

__all__ = ["Raster", "Read"]

MAX_HANDLES = 4
Resampling = Literal["nearest", "average"]


@dataclass(frozen=True, eq=False)
class Read:
    """What a window holds, at the size asked for."""

    data: NDArray[np.generic]
    """(band, row, col)."""
    valid: NDArray[np.bool_]
    """(row, col)."""


class Raster:
    """A raster file that may be read from any thread. Memory: GDAL's block cache, and at most 4 handles."""

    def __init__(self, source: str | Path) -> None:
        self.source = source
        self._idle: LifoQueue[DatasetReader] = LifoQueue(MAX_HANDLES)

    def read(
        self, window: Window, shape: tuple[int, int], *, bands: tuple[int, ...], resampling: Resampling = "nearest"
    ) -> Read:
        """Read bands (1-based) of a window at a size (rows, cols), from overviews where there are some.

        A pixel is valid where a band at least is not masked.

        Raises:
            RasterioError: It cannot be read; the handle that failed is closed, with the damage it may have cached.
        """
        with self._handle() as dataset, reading():
            image = read(
                dataset, window=window, height=shape[0], width=shape[1], indexes=bands, resampling_method=resampling
            )
        has_data: NDArray[np.bool_] = np.any(~np.ma.getmaskarray(image.array), axis=0)
        return Read(np.ma.getdata(image.array), has_data)

    def renew(self) -> None:
        """Close what is open, so that overviews made meanwhile are seen."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    @contextmanager
    def _handle(self) -> Iterator[DatasetReader]:
        try:
            dataset = self._idle.get_nowait()
        except Empty:
            dataset = open_quietly(self.source)
        try:
            yield dataset
        except GDAL_ERRORS:
            dataset.close()
            raise
        if self._idle.full():
            dataset.close()
        else:
            self._idle.put_nowait(dataset)
