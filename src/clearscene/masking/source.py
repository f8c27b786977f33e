"""Where reflectance comes from: an opened scene, or an array that a Python user holds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import BandError, OptionError
from clearscene.grid import Grid, slices
from clearscene.raster.pixels import Pixels, differs
from clearscene.raster.sensors import ReflectanceScene
from clearscene.raster.sensors.plain import display_scale
from clearscene.raster.sensors.product import Kind
from clearscene.raster.sensors.resampling import Axis, average, footprint_taps

__all__ = ["ArraySource", "ReducedSource", "Source", "array_source", "coarser"]

ROWS_AT_ONCE = 64
"""Rows of a reduced window that are read at once: the pixels below them are many more."""


class Source(Protocol):
    """What masking needs of a scene; `ReflectanceScene` is one."""

    @property
    def path(self) -> str:
        """Path or address, for messages."""
        ...

    @property
    def grid(self) -> Grid:
        """Size and place."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of what can be read."""
        ...

    @property
    def kind(self) -> Kind:
        """What the values are."""
        ...

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """Float32 reflectance (band, row, col) and valid (row, col) of a window; any thread may call."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """An array as a source; nothing is copied but the windows that are read."""

    data: NDArray[np.generic]
    """(band, row, col), as stored."""
    bands: tuple[str, ...]
    grid: Grid
    kind: Kind
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    masked: NDArray[np.bool_] | None = None
    """(band, row, col), True where a value does not count; None: all count."""
    notes: tuple[str, ...] = ()
    """What to know about how the array is understood."""
    path: str = "the array"

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """See `Source`. A pixel is not valid where all bands asked for hold nodata, or one is masked or not finite."""
        rows, cols = slices(window)
        numbers = [self.bands.index(name) for name in bands]
        stored = self.data[numbers, rows, cols]
        valid = np.ones(stored.shape[1:], np.bool_)
        if self.masked is not None:
            valid &= ~self.masked[numbers, rows, cols].any(axis=0)
        if stored.dtype.kind == "f":
            valid &= np.isfinite(stored).all(axis=0)
        if self.nodata is not None:
            valid &= differs(stored, self.nodata).any(axis=0)
        data = stored.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)
        data[:, ~valid] = 0
        return Pixels(data, valid)


@dataclass(frozen=True)
class ReducedSource:
    """Any source by pixels `factor` times as long: means of what is valid, read from its own pixels."""

    source: Source
    factor: int

    @property
    def path(self) -> str:
        """See `Source`."""
        return self.source.path

    @property
    def grid(self) -> Grid:
        """See `Source`."""
        return self.source.grid.coarser(self.factor)

    @property
    def bands(self) -> tuple[str, ...]:
        """See `Source`."""
        return self.source.bands

    @property
    def kind(self) -> Kind:
        """See `Source`."""
        return self.source.kind

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """See `Source`; a pixel is valid where at least half of what it covers is."""
        rows, cols = slices(window)
        parts = [
            self._part(slice(start, min(start + ROWS_AT_ONCE, rows.stop)), cols, bands)
            for start in range(rows.start, rows.stop, ROWS_AT_ONCE)
        ]
        return Pixels(np.concatenate([p.data for p in parts], axis=1), np.concatenate([p.valid for p in parts]))

    def _part(self, rows: slice, cols: slice, bands: Sequence[str]) -> Pixels:
        own = self.source.grid
        down, across = (
            footprint_taps(Axis(self.factor, 0, size), span.start, span.stop)
            for span, size in ((rows, own.height), (cols, own.width))
        )
        window = Window(across.first, down.first, across.stop - across.first, down.stop - down.first)
        pixels = self.source.read(window, bands=bands)
        return Pixels(*average(pixels.data, pixels.valid, down, across))


@contextmanager
def coarser(source: Source, factor: int) -> Iterator[Source]:
    """A source by pixels `factor` times as long, from the reduced levels of its files where it has any."""
    if not isinstance(source, ReflectanceScene):
        yield ReducedSource(source, factor)
        return
    with source.coarser(factor) as scene:
        yield scene


def array_source(
    data: NDArray[np.generic],
    bands: Sequence[str],
    *,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    grid: Grid | None = None,
    kind: Kind | None = None,
) -> ArraySource:
    """Understand an array (band, row, col); `bands` names each of its bands.

    Without `scale` and `offset`, values of uint8 are display color (255 is white), all others reflectance; see
    `display_scale` for other values of the kind display. What a numpy masked array masks has no data.

    Raises:
        OptionError: The array has not three axes, is empty, or holds no numbers; there is no such kind, or nobody knows
            which of its values is white.
        BandError: The names are not as many as the bands, or one is given twice.
    """
    if kind is not None and kind not in get_args(Kind):
        raise OptionError(f"kind {kind!r} is not known.", hint=f"Choose {', '.join(get_args(Kind))}.")
    if data.ndim != 3 or 0 in data.shape or data.dtype.kind not in "iuf":
        raise OptionError(
            f"An array of shape {data.shape} and type {data.dtype} is no scene.",
            hint="Give numbers with the axes band, row, col: np.moveaxis(array, -1, 0) if the bands come last.",
        )
    if len(bands) != len(data) or len(set(bands)) != len(bands):
        raise BandError(
            f"{len(bands)} band names ({', '.join(bands)}) do not fit an array of {len(data)} bands,"
            f" {data.shape[1]} rows and {data.shape[2]} columns.",
            hint='Name every band once, in order, as bands=("red", "green", "blue", "nir").',
        )
    is_color = data.dtype == np.uint8 and scale is None and offset is None
    if kind == "display" and scale is None and offset is None:
        scale = display_scale(data.dtype.name, "the array")
    is_told = kind is not None or not is_color
    return ArraySource(
        data=np.ma.getdata(data),
        bands=tuple(bands),
        grid=grid or Grid(data.shape[1], data.shape[2]),
        kind=kind or ("display" if is_color else "toa"),
        scale=1 / 255 if is_color else 1.0 if scale is None else scale,
        offset=offset or 0.0,
        nodata=nodata,
        masked=np.ma.getmaskarray(data) if np.ma.is_masked(data) else None,
        notes=() if is_told else ("8-bit values are taken as display color, not as reflectance.",),
    )
