"""A scene in reflectance: the bands of a product on one grid, read by windows from any thread."""

from collections.abc import Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import BandError, GridError, SceneError
from clearscene.grid import Grid, slices
from clearscene.raster.bands import COLORS
from clearscene.raster.pixels import Pixels
from clearscene.raster.scene import open_scene
from clearscene.raster.sensors.blocks import BlockCache
from clearscene.raster.sensors.placed import PlacedFile, open_placed
from clearscene.raster.sensors.placing import grid_at, pixel_size_m
from clearscene.raster.sensors.product import Band, Kind, Product, Source
from clearscene.raster.sensors.quality import most_common

__all__ = ["ReflectanceScene"]


class ReflectanceScene:
    """The bands of a product on one grid. Use it in a `with` block; any thread may read.

    Law: a window reads alike whatever window it is part of. The value of a pixel is the mean
    reflectance over its footprint where the band is finer than the grid, from overviews or reduced
    levels where there are some, and lies on a straight line between pixel centers where it is coarser.
    Memory: what is asked for, GDAL's block cache, and of JPEG 2000 files up to 256 MB of decoded blocks.
    """

    path: str
    name: str
    """Name of the product or file, fit to be part of a file name."""
    sensor: str
    """sentinel-2-l1c, sentinel-2-l2a, landsat-8-l1, landsat-9-l2, stac or raster."""
    grid: Grid
    """The grid of the chosen resolution."""
    bands: tuple[str, ...]
    """Common names that can be read."""
    kind: Kind
    notes: list[str]
    """Warnings and remarks on how the scene is understood, one sentence each."""
    datetime: str | None
    """When it was taken, ISO 8601 in UTC."""
    qa: str | None
    """Name of the quality band that comes with the product: SCL, QA_PIXEL or BQA."""

    def __init__(self, product: Product, *, resolution: float | None = None) -> None:
        self._product, self._lock, self._blocks = product, Lock(), BlockCache()
        self._files: dict[tuple[str, bool], PlacedFile] | None = {}
        self.path, self.name, self.sensor, self.kind = product.path, product.name, product.sensor, product.kind
        self.datetime, self.notes = product.datetime, [*product.notes]
        self.qa = product.quality.name if product.quality else None
        self._by_name: Mapping[str, Band] = {band.name: band for band in product.bands}
        self.bands = tuple(self._by_name)
        self.grid, self._gsd, notes = _grid_of(product, resolution)
        self.notes += [note for note in notes if note not in self.notes]

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """Read bands of a window of the grid as float32 reflectance (band, row, col), 1.0 a white reflector.

        A pixel is not valid where a file of the bands asked for holds no data, which is where all of its
        bands that are asked for hold none; its values are then 0. Of a display scene the values are
        stored values by full white, 0 to 1.

        Raises:
            BandError: A band is not there; names the file that was looked for.
            GridError: The window is empty or reaches out of the grid.
            SceneError: A part of a file cannot be read; names the file.
        """
        shape = self._check(window)
        wanted = [self._band(name) for name in bands]
        data, valid = np.empty((len(wanted), *shape), np.float32), np.ones(shape, np.bool_)
        for path, places in self._by_file(wanted).items():
            sources = [self._source(wanted[place]).band for place in places]
            pixels = self._file(path).read(window, sources, wanted[places[0]].nodata)
            data[places] = pixels.data
            valid &= pixels.valid
        factors = np.array([(band.scale, band.offset) for band in wanted], np.float32)
        data *= factors[:, 0, None, None]
        data += factors[:, 1, None, None]
        if not valid.all():
            data[:, ~valid] = 0
        return Pixels(data, valid)

    def coarser(self, factor: int) -> "ReflectanceScene":
        """The same by pixels `factor` times as long, from overviews or reduced levels; to be closed before this one."""
        scene = ReflectanceScene(self._product)
        scene.grid, scene._blocks = self.grid.coarser(factor), self._blocks
        scene._gsd = None if self._gsd is None else self._gsd * factor
        return scene

    def read_qa(self, window: Window) -> NDArray[np.uint8]:
        """Read what the product itself says: (row, col), 0 clear, 1 thick, 2 thin, 3 shadow, 255 unknown.

        Where pixels of the product are smaller than those of the grid, the code with the most area.

        Raises:
            BandError: The product has no quality band.
            GridError, SceneError: As `read`.
        """
        quality = self._product.quality
        if quality is None:
            raise BandError(f"{self.path} has no quality band of its own.", hint="Leave out --qa.")
        self._check(window)
        stored, valid, rows, cols = self._file(quality.source.path, reduced=False).read_codes(window)
        return most_common(quality.decode(stored), valid, rows, cols)

    def close(self) -> None:
        """Close all files; reading afterwards is an error."""
        with self._lock:
            files, self._files = self._files or {}, None
        for file in files.values():
            file.scene.close()
        self._blocks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ReflectanceScene {self.path}: {self.sensor}, {self.grid.width} x {self.grid.height} px, {self.bands}>"

    def _band(self, name: str) -> Band:
        if name in self._by_name:
            return self._by_name[name]
        expected = self._product.missing.get(name)
        lacks = f" ({expected} is not there)" if expected else ""
        raise BandError(
            f"{self.path} has no band {name!r}{lacks}; it has {', '.join(self.bands)}.",
            hint="Download the product again." if expected else self._naming,
        )

    @property
    def _naming(self) -> str:
        """What to do where a band is not there."""
        if self._product.is_self_named:
            return "Name bands by --bands (in Python bands=)."
        return "Choose among these, or use a product that has it."

    def _source(self, band: Band) -> Source:
        """The coarsest source that is not coarser than the grid, or else the finest."""
        limit = np.inf if self._gsd is None else self._gsd * 1.001
        fine = [source for source in band.sources if _gsd(source) <= limit]
        return max(fine, key=_gsd) if fine else min(band.sources, key=_gsd)

    def _by_file(self, wanted: Sequence[Band]) -> dict[str, list[int]]:
        """Places of the bands by the file that they are read from."""
        result: dict[str, list[int]] = {}
        for place, band in enumerate(wanted):
            result.setdefault(self._source(band).path, []).append(place)
        return result

    def _file(self, path: str, *, reduced: bool = True) -> PlacedFile:
        """The open file, opened by the first thread that needs it."""
        with self._lock:
            if self._files is None:
                raise SceneError(f"{self.path} is closed.", hint="Read inside the `with` block.")
            if (path, reduced) not in self._files:
                given = _names_for(self._product, path)
                is_pure = reduced and not self._product.mixes_nodata
                self._files[path, reduced] = open_placed(
                    path, self.grid, given=given, cache=self._blocks, reduced=is_pure
                )
            return self._files[path, reduced]

    def _check(self, window: Window) -> tuple[int, int]:
        rows, cols = slices(window)
        if not (0 <= rows.start < rows.stop <= self.grid.height and 0 <= cols.start < cols.stop <= self.grid.width):
            raise GridError(
                f"The window {window} is empty or reaches out of {self.path},"
                f" {self.grid.width} x {self.grid.height} px."
            )
        return rows.stop - rows.start, cols.stop - cols.start


def _grid_of(product: Product, resolution: float | None) -> tuple[Grid, float | None, list[str]]:
    """The grid to read on, the length of its pixels in meters, and notes, from the finest visible band."""
    visible = [band for band in product.bands if band.name in COLORS] or [*product.bands[:1]]
    finest = min((source for band in visible for source in band.sources), key=_gsd)
    with open_scene(finest.path, _names_for(product, finest.path)) as scene:
        grid = grid_at(scene.grid, resolution, product.name)
    size = pixel_size_m(grid)
    return grid, min(size) if size else None, scene.notes


def _names_for(product: Product, path: str) -> Mapping[str, int] | None:
    """How the bands of a file are named on opening: by itself and the user, or as single gray bands."""
    if product.is_self_named:
        return product.given
    numbers = [source.band for band in product.bands for source in band.sources if source.path == path]
    return {"gray": min(int(number) for number in numbers) if numbers else 1}


def _gsd(source: Source) -> float:
    return source.gsd if source.gsd is not None else 0.0
