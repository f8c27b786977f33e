"""Writing Cloud Optimized GeoTIFFs by windows, with flat memory, whole or not at all."""

import errno
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from clearscene.atomic import output_error, replacing
from clearscene.errors import GridError, OutputError
from clearscene.grid import IMAGE_TRANSFORM, Grid
from clearscene.raster.bands import COLORS
from clearscene.raster.gdal import GDAL_ERRORS, block_cache, no_place_needed, open_quietly

__all__ = ["CogWriter"]

DRAFT_BLOCK = 256
COG_BLOCK = 512
ROOM = 1 << 20
"""Bytes that must be free on the disk: more than any block takes."""

Color = tuple[int, int, int, int]


class CogWriter:
    """Write a raster window by window; it becomes a COG with overviews when the `with` block ends well.

    Law: pixels that are never written hold `nodata` (0 without); after an exception nothing is left
    and an older file stays. Values go to a sparse tiled GeoTIFF beside the target, which the end
    turns into the COG: memory is GDAL's block cache, disk twice the compressed size while it lasts.
    With `categories`, tags CLASS_0 ... and `PATH.aux.xml` (GDAL's category names) tell what values mean.

    Raises:
        OutputError: The file cannot be written; names path and remedy.
    """

    def __init__(  # more parameters than usual: each is one fact about the file, all but two have defaults
        self,
        path: Path,
        grid: Grid,
        *,
        dtype: str,
        n_bands: int = 1,
        nodata: float | None = None,
        descriptions: Sequence[str] = (),
        colors: Mapping[int, Color] | None = None,
        categories: Mapping[int, str] | None = None,
        scaling: Sequence[tuple[float, float]] | None = None,
        resampling: Resampling = Resampling.nearest,
    ) -> None:
        """Describe the file; nothing is written before the `with` block starts.

        Args:
            path: Where the COG goes; `PATH.aux.xml` goes beside it if there are `categories`.
            grid: Size, transform and CRS.
            dtype: Data type, numpy's name.
            n_bands: Number of bands.
            nodata: Declared nodata value.
            descriptions: Name of each band, or none.
            colors: Color table (red, green, blue, alpha) by value, one band of uint8 only.
            categories: What values mean, by value.
            scaling: Scale and offset of each band, from stored to physical values: value * scale + offset.
            resampling: How overviews are made; nearest or mode for classes.
        """
        self.path, self.grid = Path(path), grid
        self._profile = _draft_profile(grid, dtype=dtype, n_bands=n_bands, nodata=nodata)
        self._descriptions, self._colors = tuple(descriptions), colors
        self._categories, self._scaling, self._resampling = categories, scaling, resampling
        self._draft: DatasetWriter | None = None

    def __enter__(self) -> Self:
        self._life = self._live()
        return self._life.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._life.__exit__(kind, error, trace)

    @contextmanager
    def _live(self) -> Iterator[Self]:
        """Open the draft; after the block finish the COG and move it, its sidecar first, into place."""
        with replacing(self.path) as part:
            draft_path = part.with_name(f"{part.name}.draft.tif")  # swept away together with the part
            with _gdal_writes(self.path, draft_path), self._open(draft_path) as self._draft:
                self._describe(self._draft)
                yield self
            self._draft = None
            _check_room(draft_path)
            with _gdal_writes(self.path, draft_path):
                rasterio.shutil.copy(draft_path, part, driver="COG", **self._cog_options())
            _check_whole(part)
            if self._categories:
                _write_category_names(self.path.with_name(f"{self.path.name}.aux.xml"), self._categories)

    def write(self, array: NDArray[np.generic], row: int, col: int, *, bands: Sequence[int] | None = None) -> None:
        """Write array (band, row, col) with its upper left pixel at (row, col); `bands` are 1-based, all if None.

        Raises:
            GridError: The array reaches out of the grid.
            OutputError: There is no space, or the writer is not open.
        """
        if self._draft is None:
            raise OutputError(f"{self.path} is not open for writing.", hint="Write inside the `with` block.")
        height, width = array.shape[-2:]
        if row < 0 or col < 0 or row + height > self.grid.height or col + width > self.grid.width:
            raise GridError(
                f"{width} x {height} px at row {row}, column {col} reach out of {self.path.name},"
                f" {self.grid.width} x {self.grid.height} px."
            )
        if shutil.disk_usage(self.path.parent).free < ROOM:
            raise output_error(OSError(errno.ENOSPC, ""), self.path)
        with _gdal_writes(self.path, Path(self._draft.name)):
            self._draft.write(array, bands and list(bands), window=Window(col, row, width, height))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set metadata of the dataset; may be called until the `with` block ends.

        Raises:
            OutputError: The writer is not open.
        """
        if self._draft is None:
            raise OutputError(f"{self.path} is not open for writing.", hint="Tag inside the `with` block.")
        self._draft.update_tags(**tags)

    def _open(self, draft_path: Path) -> DatasetWriter:
        with no_place_needed():
            return rasterio.open(draft_path, "w", **self._profile)

    def _describe(self, draft: DatasetWriter) -> None:
        """Put in what travels with the draft into the COG: colors, descriptions, class names."""
        if self._colors:
            draft.write_colormap(1, dict(self._colors))
        for band, description in enumerate(self._descriptions, start=1):
            draft.set_band_description(band, description)
        if self._scaling:
            draft.scales, draft.offsets = zip(*self._scaling, strict=True)
        if set(COLORS) <= set(self._descriptions):
            known = {name: ColorInterp[name] for name in COLORS}
            draft.colorinterp = [known.get(name, ColorInterp.undefined) for name in self._descriptions]
        if self._categories:
            draft.update_tags(1, **{f"CLASS_{value}": name for value, name in self._categories.items()})

    def _cog_options(self) -> dict[str, str]:
        return {
            "COMPRESS": "DEFLATE",
            "PREDICTOR": "NO" if self._profile["dtype"] == "uint8" else "YES",  # classes repeat, they have no slope
            "BLOCKSIZE": str(COG_BLOCK),
            "OVERVIEW_RESAMPLING": self._resampling.name.upper(),
            "OVERVIEWS": "IGNORE_EXISTING",
            "NUM_THREADS": "ALL_CPUS",
            "BIGTIFF": "IF_SAFER",
        }


def _draft_profile(grid: Grid, *, dtype: str, n_bands: int, nodata: float | None) -> dict[str, Any]:
    """How the draft is laid out: sparse, so that what is not written costs nothing."""
    is_placed = grid.crs is not None or grid.transform != IMAGE_TRANSFORM
    return {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": n_bands,
        "dtype": dtype,
        "nodata": nodata,
        **({"crs": grid.crs, "transform": grid.transform} if is_placed else {}),
        "tiled": True,
        "blockxsize": DRAFT_BLOCK,
        "blockysize": DRAFT_BLOCK,
        "interleave": "band",  # bands may be written one after the other
        "compress": "deflate",
        "zlevel": 1,
        "sparse_ok": True,
        "photometric": "MINISBLACK",
        "num_threads": "ALL_CPUS",
        "bigtiff": "IF_SAFER",
    }


@contextmanager
def _gdal_writes(path: Path, draft: Path) -> Iterator[None]:
    """Our options for GDAL, and its errors as `OutputError` about `path`."""
    with block_cache():
        try:
            yield
        except GDAL_ERRORS as error:
            try:
                _check_room(draft)
            except OSError as reason:
                raise output_error(reason, path) from error
            raise output_error(error, path) from error


def _check_room(file: Path) -> None:
    """Make sure that a file could have grown by more than a block.

    GDAL writes the last blocks when a file is closed, and says nothing if they do not fit. What is
    full stays full, so that a try to write shows it, with the error number that GDAL keeps to itself.
    """
    size = file.stat().st_size
    with file.open("r+b") as stream:
        try:
            stream.seek(size)
            stream.write(bytes(ROOM))
            stream.flush()
            os.fsync(stream.fileno())
        finally:
            os.truncate(file, size)


def _check_whole(cog: Path) -> None:
    """Make sure that every block of a COG lies inside the file: a failed write leaves no other trace."""
    size = cog.stat().st_size
    with open_quietly(cog) as dataset:
        for level in range(len(dataset.overviews(1)) + 1):
            n_rows = math.ceil(dataset.height / 2**level / COG_BLOCK)
            n_cols = math.ceil(dataset.width / 2**level / COG_BLOCK)
            if not all(_end(dataset, level, row, col) <= size for row in range(n_rows) for col in range(n_cols)):
                _check_room(cog)
                raise OSError("GDAL left it incomplete")


def _end(dataset: DatasetReader, level: int, row: int, col: int) -> float:
    """Where a block ends in the file, infinity if it is not there; level 0 is full size."""
    overview = level - 1 if level else None
    offset, length = (
        dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1, ovr=overview) for what in ("OFFSET", "SIZE")
    )
    return int(offset) + int(length) if offset and length else math.inf


def _write_category_names(path: Path, categories: Mapping[int, str]) -> None:
    """Write GDAL's sidecar; it lists names by position, so values without one get an empty name."""
    root = Element("PAMDataset")
    names = SubElement(SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for value in range(max(categories) + 1):
        SubElement(names, "Category").text = categories.get(value, "")
    indent(root)
    with replacing(path) as part:
        ElementTree(root).write(part, encoding="utf-8", xml_declaration=False)  # GDAL ignores the file if it has one
