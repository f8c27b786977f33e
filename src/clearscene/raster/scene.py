"""A scene: one raster of any format, read by windows from any thread."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from threading import Lock, local
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from clearscene.errors import BandError, GridError, SceneError
from clearscene.grid import Grid, slices
from clearscene.raster.bands import COLORS, Bands, find_bands
from clearscene.raster.gdal import GDAL_ERRORS, block_cache, is_local, open_dataset, open_quietly, reading, reason_of
from clearscene.raster.georeference import grid_of
from clearscene.raster.pixels import Pixels, Recipe, read_pixels, recipe_of
from clearscene.raster.radiometry import is_lossy, white_of
from clearscene.raster.unmasked import unmasked

__all__ = ["Scene", "open_scene"]

SEQUENTIAL_DRIVERS = {"PNG", "JPEG", "GIF", "WEBP"}
"""Formats that must be decoded from the top: after a failure, reading block by block starts over each time."""


class Scene:
    """An open raster. Use it in a `with` block; `read` may be called from any number of threads.

    Law: a window reads alike whatever was read before it, and whatever window it is part of.
    Memory: what is asked for, and GDAL's block cache (96 MB) shared by all scenes.
    """

    path: str
    name: str
    """File name without folders and suffix, fit to be the name of a folder."""
    grid: Grid
    dtype: str
    """Data type of what `read` returns."""
    n_bands: int
    """Bands in the file, alpha included."""
    bands: dict[str, int]
    """Common name to 1-based band; in a palette scene red, green and blue come from the one band."""
    display_bands: tuple[int, ...]
    """What models, rules and people see: red, green, blue, or one gray band; 1-based."""
    nodata: float | None
    """Declared value of the first display band."""
    white: float
    """The value of full white."""
    is_lossy: bool
    """True if values were compressed with loss (JPEG and the like), as far as GDAL tells."""
    driver: str
    """GDAL's short name of the format."""
    notes: list[str]
    """What a reader should know about how this scene is understood, one sentence each."""
    block_shape: tuple[int, int]
    """Rows and columns of the file's internal blocks."""
    scale_offset: tuple[float, float]
    """Factor and offset from stored values to physical ones, of the first display band; (1, 0) if none."""
    tags: dict[str, str]
    """Metadata of the dataset and, going before it, of the first display band, `units` among them."""
    overviews: tuple[int, ...]
    """Reduction of each overview that can be opened in place of the scene; none of a palette."""

    def __init__(
        self,
        path: str | Path,
        bands: Mapping[str, int] | None = None,
        *,
        level: int | None = None,
        nodata: float | None = None,
        needs_color: bool = True,
    ) -> None:
        self.path = str(path)
        self.name = _name_of(self.path)
        self._level = level
        dataset = open_dataset(path, level)
        self._source: str | Path = Path(path) if is_local(path) else str(path)
        self._lock, self._local = Lock(), local()
        self._handles: list[DatasetReader] | None = [dataset]
        try:
            with block_cache():
                self._learn(dataset, find_bands(dataset, bands, needs_color=needs_color), nodata)
        except BaseException:
            self.close()
            raise

    def _learn(self, dataset: DatasetReader, found: Bands, nodata: float | None) -> None:
        """Understand the dataset, and keep it as the handle of this thread."""
        _refuse_complex(dataset, found)
        self._recipe: Recipe = recipe_of(dataset, found)
        if nodata is not None and self.is_unmasked:
            self._recipe = replace(self._recipe, nodata=(nodata,) * len(self._recipe.nodata))
        is_palette = self._recipe.colors is not None
        self.grid, self.notes = grid_of(dataset)
        self.notes += found.notes
        if dataset.subdatasets:
            self.notes.append(f"The file holds {len(dataset.subdatasets)} rasters; only the first is read.")
        self.n_bands, self.driver = dataset.count, dataset.driver
        self.bands = dict.fromkeys(COLORS, found.display[0]) if is_palette else found.names
        self.display_bands = found.display * 3 if is_palette else found.display
        self.nodata = self._recipe.nodata[0]
        self.dtype = "uint8" if is_palette else self._recipe.dtype.name
        self.white = 255.0 if is_palette else white_of(dataset, found.display[0])
        self.is_lossy = is_lossy(dataset)
        first = found.display[0] - 1
        self.block_shape = dataset.block_shapes[first]
        self.scale_offset = dataset.scales[first], dataset.offsets[first]
        self.tags = {**dataset.tags(), **dataset.tags(first + 1), "units": dataset.units[first] or ""}
        masked_by_data = _is_masked_by_data(dataset, found)
        self.overviews = () if is_palette or masked_by_data else tuple(dataset.overviews(first + 1))
        if masked_by_data:
            self._source = unmasked(dataset)
        else:
            self._local.handle = dataset

    @property
    def is_color(self) -> bool:
        """False if the display is one gray band."""
        return len(self.display_bands) == 3

    @property
    def read_source(self) -> str | Path:
        """What GDAL has to open in order to read as this scene does: the file, or a virtual raster as XML."""
        return self._source

    @property
    def is_unmasked(self) -> bool:
        """True if nothing in the file says that a pixel has no data: no nodata value, mask, alpha or color table."""
        recipe = self._recipe
        told = (recipe.alpha, recipe.colors, *recipe.nodata, *recipe.mask_bands)
        return all(sign is None for sign in told)

    @property
    def color_table(self) -> NDArray[np.uint8] | None:
        """(4, index): red, green, blue and alpha of each value of a palette scene, else None."""
        return self._recipe.colors

    def read(
        self,
        window: Window,
        *,
        bands: Sequence[str | int] | None = None,
        out_shape: tuple[int, int] | None = None,
        resampling: Resampling = Resampling.average,
    ) -> Pixels:
        """Read a window of whole pixels: display bands, or `bands` by common name or number.

        `out_shape` (rows, cols) reads at another size, from overviews where there are some. Palette
        scenes are then resampled by nearest, whatever `resampling` says.

        Raises:
            GridError: The window is empty or reaches out of the scene.
            BandError: A band is not there.
            SceneError: A part of the file cannot be read; names the window.
        """
        self._check(window)
        return self._read(window, bands, out_shape, resampling)

    def read_safely(
        self,
        window: Window,
        *,
        bands: Sequence[str | int] | None = None,
        out_shape: tuple[int, int] | None = None,
        resampling: Resampling = Resampling.average,
    ) -> tuple[Pixels, list[tuple[Window, str]]]:
        """Read a window around what cannot be read.

        Law: without a failure this is `read`. After one, the window is read again by the internal
        blocks of the file; those that fail are 0 and not valid, and come back as windows of the
        scene, cut to `window`, with the reason. The others are then resampled by nearest, as every
        other method reads beyond its window. Formats that decode from the top fail as a whole.
        """
        self._check(window)
        try:
            return self._read(window, bands, out_shape, resampling), []
        except SceneError as error:
            whole = error
        shape = out_shape or (round(window.height), round(window.width))
        n_bands = len(bands or self.display_bands)
        result = Pixels(np.zeros((n_bands, *shape), self.dtype), np.zeros(shape, np.bool_))
        if self.driver in SEQUENTIAL_DRIVERS:
            return result, [(window, reason_of(whole))]
        failed = []
        for part, place in _blocks(window, shape, self.block_shape):
            rows, cols = place
            try:
                size = (rows.stop - rows.start, cols.stop - cols.start)
                pixels = self._read(part, bands, size if out_shape else None, Resampling.nearest)
            except SceneError as error:
                failed.append((part, reason_of(error)))
            else:
                result.data[:, rows, cols], result.valid[rows, cols] = pixels.data, pixels.valid
        return result, failed

    def close(self) -> None:
        """Close the handles of all threads; reading afterwards is an error."""
        with self._lock:
            handles, self._handles = self._handles or [], None
        for handle in handles:
            handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Scene {self.path}: {self.grid.width} x {self.grid.height} px, {self.dtype}, {self.bands}>"

    def _read(
        self,
        window: Window,
        bands: Sequence[str | int] | None,
        out_shape: tuple[int, int] | None,
        resampling: Resampling,
    ) -> Pixels:
        """`read` without checking the window."""
        if self._recipe.colors is None:
            numbers = [self._number(band) for band in bands or self.display_bands]
        else:  # one band of indices becomes three
            numbers, channels = [*self._recipe.display], [self._channel(band) for band in bands or COLORS]
        try:
            with reading():
                pixels = read_pixels(
                    self._handle(), self._recipe, window, bands=numbers, out_shape=out_shape, resampling=resampling
                )
        except GDAL_ERRORS as error:
            self._drop_handle()
            raise SceneError(
                f"{self.path} cannot be read in {_say(window)}: {reason_of(error)}.",
                hint="That part of the file is damaged or cut off: copy or download the file again.",
            ) from error
        if self._recipe.colors is None or bands is None:
            return pixels
        return Pixels(pixels.data[channels], pixels.valid)

    def _channel(self, band: str | int) -> int:
        """Place of a band among the colors of a palette scene."""
        if band in COLORS:
            return COLORS.index(str(band))
        raise BandError(f"{self.path} has no band {band!r}.", hint="Its color table gives red, green and blue.")

    def _number(self, band: str | int) -> int:
        """1-based number of a band given by name or number."""
        number = self.bands.get(band) if isinstance(band, str) else band
        if number is None or not 1 <= number <= self.n_bands:
            found = ", ".join(f"{name} ({index})" for name, index in self.bands.items())
            raise BandError(f"{self.path} has no band {band!r}; it has {found}.", hint="Name bands by --bands.")
        return number

    def _handle(self) -> DatasetReader:
        """The dataset of this thread; GDAL allows no sharing between threads."""
        if self._handles is None:
            raise SceneError(f"{self.path} is closed.", hint="Read inside the `with` block.")
        handle: DatasetReader | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = open_quietly(self._source, self._level)
            with self._lock:
                if self._handles is not None:
                    self._handles.append(handle)
            self._local.handle = handle
        return handle

    def _drop_handle(self) -> None:
        """Close the dataset of this thread, and with it the damaged blocks it may have cached."""
        handle: DatasetReader | None = getattr(self._local, "handle", None)
        self._local.handle = None
        if handle is not None:
            with self._lock:
                if self._handles is not None and handle in self._handles:
                    self._handles.remove(handle)
            handle.close()

    def _check(self, window: Window) -> None:
        rows, cols = slices(window)
        inside = 0 <= rows.start < rows.stop <= self.grid.height and 0 <= cols.start < cols.stop <= self.grid.width
        if not inside:
            raise GridError(
                f"The window {_say(window)} is empty or reaches out of {self.path},"
                f" {self.grid.width} x {self.grid.height} px."
            )


def open_scene(
    path: str | Path,
    bands: Mapping[str, int] | None = None,
    *,
    level: int | None = None,
    nodata: float | None = None,
    needs_color: bool = True,
) -> Scene:
    """Open anything that GDAL reads: a file, a /vsi path, an http(s) address; see `Scene`.

    Law: masks and overviews beside the file count as those inside. `bands` names bands by
    1-based number and goes before what the file says. `level` opens one of `Scene.overviews`,
    counted from 0, as a scene of its own. `nodata` is the value that means no data where nothing in
    the file says so. Without `needs_color` a raster with other named bands than red, green and blue
    is shown by the first of them.

    Raises:
        SceneError: It is missing, empty, no raster, broken, complex, or a container of several rasters.
        BandError: `bands` asks for what is not there, or red, green and blue cannot be told.
    """
    return Scene(path, bands, level=level, nodata=nodata, needs_color=needs_color)


def _name_of(path: str) -> str:
    last = PurePosixPath(path.split("?")[0] if "://" in path else path.replace("\\", "/")).stem
    return re.sub(r'[\\/:*?"<>|\s]+$|[\\/:*?"<>|]', "_", last) or "scene"


def _refuse_complex(dataset: DatasetReader, bands: Bands) -> None:
    dtype = dataset.dtypes[bands.display[0] - 1]
    if "complex" in dtype:
        raise SceneError(
            f"{dataset.name} holds complex numbers ({dtype}), which are no picture.",
            hint="Convert it to amplitude first.",
        )


def _is_masked_by_data(dataset: DatasetReader, bands: Bands) -> bool:
    """True if GDAL takes a spectral band for alpha, and would mask the others by it when resampling."""
    interpreted = [
        b for b, color in zip(dataset.indexes, dataset.colorinterp, strict=True) if color == ColorInterp.alpha
    ]
    return any(band != bands.alpha for band in interpreted)


def _blocks(
    window: Window, shape: tuple[int, int], block: tuple[int, int]
) -> Iterator[tuple[Window, tuple[slice, slice]]]:
    """Cut a window along the blocks of a file; gives each part and its place in an array of `shape`.

    At reduced size a part is shown up to half an output pixel off, rather than touch its neighbors.
    """
    rows, cols = slices(window)
    row_spans = list(_spans(rows, shape[0], block[0]))
    col_spans = list(_spans(cols, shape[1], block[1]))
    for r, out_rows in row_spans:
        for c, out_cols in col_spans:
            yield Window(c.start, r.start, c.stop - c.start, r.stop - r.start), (out_rows, out_cols)


def _spans(span: slice, size: int, block: int) -> Iterator[tuple[slice, slice]]:
    """Cut a span of scene pixels at block edges; gives each part and its place among `size` output pixels."""
    inner = np.arange((span.start // block + 1) * block, span.stop, block)
    edges = np.concatenate([[span.start], inner, [span.stop]])
    places = np.rint((edges - span.start) * (size / (span.stop - span.start))).astype(np.int64)
    places, first = np.unique(places, return_index=True)  # blocks smaller than an output pixel go together
    edges = edges[first]
    edges[-1] = span.stop
    for part, place in zip(pairwise(edges.tolist()), pairwise(places.tolist()), strict=True):
        yield slice(*part), slice(*place)


def _say(window: Window) -> str:
    rows, cols = slices(window)
    return f"rows {rows.start} to {rows.stop - 1}, columns {cols.start} to {cols.stop - 1}"
