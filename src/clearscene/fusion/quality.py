"""Quality maps by a network: one number a pixel and image, tiled and blended over the common grid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from clearscene.atomic import output_error
from clearscene.errors import BandError, ModelError
from clearscene.fusion.aligning import AlignedImage, HeldImage
from clearscene.fusion.options import FuseOptions
from clearscene.grid import Grid
from clearscene.masking.normalize import BANDS, normalize
from clearscene.models import zoo
from clearscene.models.model import Model
from clearscene.raster.gdal import GDAL_ERRORS, block_cache, no_place_needed, open_quietly
from clearscene.raster.pixels import Pixels
from clearscene.raster.sensors.product import Kind
from clearscene.raster.stretch import Stretch
from clearscene.stream import Answer, plan_stream, stream
from clearscene.tiling import Tile, TileGrid, TileSpec

__all__ = ["QualityMap", "QualityModel", "find_quality_model", "load_quality_model", "write_quality"]

SHIPPED = "quality"
TASKS = ("quality", "fusion")


def find_quality_model(folder: Path | None) -> Path | None:
    """The folder that was named, else that of the shipped quality model, else None."""
    if folder is not None:
        return folder
    shipped = zoo.shipped_folder() / SHIPPED
    return shipped if (shipped / "model.toml").is_file() else None


def load_quality_model(folder: Path, *, device: str) -> "QualityModel":
    """Load a quality model.

    Raises:
        ModelError: The folder is broken, or holds a model for something else.
    """
    model = Model.load(folder, device=device, threads=1)
    manifest = model.manifest
    if manifest.task not in TASKS or len(manifest.classes) > 1 or model.has_screen:
        raise ModelError(
            f"{folder} is a model for {manifest.task} with {len(manifest.classes)} classes, not one of quality.",
            hint="A quality model has task quality, no screen, and answers (1, 1, row, col).",
        )
    if manifest.input.normalization == "bright_level" and manifest.input.bands != BANDS:
        raise ModelError(
            f"{folder}: the normalization bright_level is of {', '.join(BANDS)}; the manifest names"
            f" {', '.join(manifest.input.bands)}.",
            hint="Name these four bands, or choose fixed or per_tile.",
        )
    return QualityModel(model)


class QualityModel:
    """A network that gives each pixel of one image a quality logit; images are judged one by one.

    With the normalization `bright_level` it sees reflectance, as cloud masks do; otherwise the 8-bit values of the
    stretch that all images share.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.spec = TileSpec(model.manifest.tiles.tile_size, model.manifest.tiles.overlap)
        self.sees_reflectance = model.manifest.input.normalization == "bright_level"
        self.tells_good = model.manifest.task == TASKS[0]
        """True if what has a quality below 0 is more likely bad than good; of others only differences count."""
        self.temperature = model.manifest.output.temperature
        """By which the logits of the network are divided."""

    def bands_of(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """The bands that the network reads.

        Raises:
            BandError: The images lack one.
        """
        wanted = self.model.manifest.input.bands
        lacking = [name for name in wanted if name not in offered]
        if self.sees_reflectance and lacking == ["nir"]:
            return wanted[:-1]
        if lacking:
            raise BandError(
                f"The quality model {self.model.manifest.name} reads {', '.join(wanted)}; not every image has"
                f" {', '.join(lacking)}.",
                hint="Name bands with --bands, as red=3,green=2,blue=1, or use --method medoid.",
            )
        return tuple(wanted)

    def logits(self, pixels: Pixels, stretch: Stretch, kind: Kind) -> NDArray[np.float32]:
        """Quality (1, row, col) of a tile of at most the size of the network, higher is better; 0 outside of its data.

        Where an image ends within the tile, the network sees the image mirrored there, as it does at the end of a
        scene: beside nothing, clear ground would be taken for what is left of a lost part.

        Raises:
            ModelError: The network answers with a wrong shape or with what is no number.
        """
        result = np.zeros((1, *pixels.valid.shape), np.float32)
        rows, cols = _extent(pixels.valid)
        data, valid = pixels.data[:, rows, cols], pixels.valid[rows, cols]
        height, width = valid.shape
        if self.sees_reflectance:
            white = np.float32(255 if kind == "display" else 1)
            ready = normalize(np.asarray(data, np.float32) / white, valid, kind=kind)
            size = self.spec.size
            missing = [(0, 0), (0, size - height), (0, size - width)]
            image = np.pad(ready, missing, mode="reflect")[np.newaxis]
        else:
            image = self.model.prepare(stretch.apply(data, valid), valid)
        result[:, rows, cols] = self.model.segment(image)[:, :height, :width]
        return result


def _extent(valid: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest rows and columns that hold all valid pixels; there is one at least."""
    spans = (np.flatnonzero(valid.any(axis=axis)) for axis in (1, 0))
    rows, cols = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return rows, cols


class QualityMap:
    """The quality of one image on disk, written and then read by windows from any thread.

    Disk: 4 bytes a pixel at most, compressed; memory: GDAL's block cache.
    """

    def __init__(self, path: Path, grid: Grid) -> None:
        self.path, self._grid = path, grid

    def write_all(self, pieces: Any) -> None:
        """Write the pieces of a stream.

        Raises:
            OutputError: There is no space.
        """
        try:
            with block_cache(), self._create() as dataset:
                for piece in pieces:
                    dataset.write(piece.values, window=piece.window)
        except GDAL_ERRORS as error:
            raise output_error(error, self.path) from error

    def read(self, window: Window) -> NDArray[np.float32]:
        """Quality (row, col)."""
        with block_cache(), open_quietly(self.path) as dataset:
            return np.asarray(dataset.read(1, window=window), np.float32)

    def _create(self) -> DatasetWriter:
        with no_place_needed():  # this holds a lock that reading needs, so only while the file is opened
            return rasterio.open(
                self.path,
                "w",
                driver="GTiff",
                height=self._grid.height,
                width=self._grid.width,
                count=1,
                dtype="float32",
                tiled=True,
                blockxsize=256,
                blockysize=256,
                compress="deflate",
                zlevel=1,
                sparse_ok=True,
                bigtiff="IF_SAFER",
            )


def write_quality(
    image: AlignedImage | HeldImage,
    model: QualityModel,
    target: QualityMap,
    *,
    stretch: Stretch,
    options: FuseOptions,
    progress: Callable[[float], None],
) -> None:
    """Judge an image tile by tile; `image` gives the bands of the network.

    Raises:
        ImageError: A part of it cannot be read.
        ModelError: The network answers nonsense.
        OptionError: The memory limit does not hold a tile.
    """
    grid = image.grid
    plan = plan_stream(
        grid.width,
        [model.spec],
        n_classes=1,
        n_bands=4 * len(image.bands),
        workers=options.workers,
        memory_limit=options.memory_limit_mb * 1_000_000,
    )

    def infer(tile: Tile) -> Answer | None:
        pixels = image.read(tile.window)
        if not pixels.valid.any():
            return None
        return Answer(model.logits(pixels, stretch, image.image.kind), pixels.valid)

    def watched() -> Any:
        n_done = 0
        for piece in stream(TileGrid(grid.height, grid.width, model.spec), infer, fill=(0.0,), plan=plan):
            yield piece
            n_done += piece.values[0].size
            progress(n_done / grid.n_pixels)

    target.write_all(watched())
