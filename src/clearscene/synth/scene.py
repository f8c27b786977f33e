"""A generated scene on disk: ground, collar, defects, and the truth beside it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from clearscene.errors import OptionError, OutputError
from clearscene.grid import Grid, windows
from clearscene.raster.gdal import block_cache
from clearscene.synth.ground import BLOCK, Ground
from clearscene.synth.noise import hashed
from clearscene.synth.placing import Footprint, place
from clearscene.synth.putting import Canvas, put_all
from clearscene.synth.raster_file import canvas, finish
from clearscene.synth.truth import SceneTruth, write_truth

__all__ = ["DTypeName", "SceneSpec", "make_scene", "scene_grid"]

DTypeName = Literal["uint8", "uint16"]

EPSG = 4547
"""CGCS2000 / 3-degree Gauss-Kruger CM 114E."""
CORNER = (512_340.0, 3_381_275.0)
"""Easting and northing of the upper left corner, meters."""
SMALLEST = 64
"""Pixels a side."""


@dataclass(frozen=True)
class SceneSpec:
    """What scene to draw."""

    height: int
    """Rows."""
    width: int
    """Columns."""
    seed: int = 1
    """Ground, footprint and defects follow from it."""
    has_collar: bool = True
    """True: the footprint is turned a little, and a flat white or black collar fills the corners."""
    defects: frozenset[str] = frozenset({"missing", "stripe"})
    """Names of defect types to place; empty for a clean scene."""
    dtype: DTypeName = "uint8"
    """uint16 spreads the same picture over 0 to 65535."""
    resolution: float = 0.25
    """Meters a pixel."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < SMALLEST:
            raise OptionError(
                f"A generated scene of {self.width} x {self.height} px is too small.",
                hint=f"Use at least {SMALLEST} px a side.",
            )
        if self.dtype not in ("uint8", "uint16"):
            raise OptionError(f"A generated scene cannot be {self.dtype!r}.", hint="Use uint8 or uint16.")

    @property
    def footprint(self) -> Footprint:
        """Where the imagery lies in the raster."""
        draw = np.random.default_rng((self.seed, 4))
        degrees = float(draw.choice([-1, 1]) * draw.uniform(1.5, 3.0))
        return Footprint(self.height, self.width, np.deg2rad(degrees) if self.has_collar else 0.0)

    @property
    def collar_level(self) -> int:
        """Value of the collar in 8 bits: 255 or 0."""
        return int(np.random.default_rng((self.seed, 5)).choice([255, 255, 0]))


def scene_grid(spec: SceneSpec) -> Grid:
    """Grid of a generated scene: north up, projected."""
    transform = Affine(spec.resolution, 0, CORNER[0], 0, -spec.resolution, CORNER[1])
    return Grid(spec.height, spec.width, transform, CRS.from_epsg(EPSG))


def make_scene(spec: SceneSpec, out: Path, *, progress: Callable[[int, int], None] | None = None) -> SceneTruth:
    """Draw a scene, put defects into it and write it with its truth.

    Writes `out` (a COG), and beside it `<stem>_truth.tif` (class map, 255 in the collar),
    `<stem>_truth.gpkg` (one feature a defect) and `<stem>_truth.json` (all parameters).

    Laws: the same spec gives the same pixels; outside the truth the scene equals the clean one
    (`defects` empty), but for the ground beside a seam, of which only the seam is a defect, and for
    rims of clouds and shadows that are too faint to be marked; no truth lies in the collar. Memory
    stays flat: the scene is made in windows, over an uncompressed temporary file beside `out`.

    Args:
        spec: What to draw.
        out: Path of the scene, ending in .tif.
        progress: Called with blocks done and blocks in all.

    Raises:
        OptionError: `out` is no .tif, or a defect type has no generator.
        OutputError: A file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(
            f"A generated scene cannot be written as {out.name!r}.", hint="Give a name that ends in .tif."
        )
    grid, footprint = scene_grid(spec), spec.footprint
    placements, no_room = place(footprint, types=spec.defects, seed=spec.seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=out.parent, prefix=".clearscene-") as folder,
            block_cache(),
        ):
            draft = Path(folder) / "draft.tif"
            with canvas(draft, grid, n_bands=3, dtype="uint8") as raster:
                _draw(raster, spec, progress)
                placed, hidden = put_all(Canvas(raster, footprint), placements)
            _deliver(draft, out, spec, grid)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"{out} cannot be written: {error}", hint="Check the folder and the free space.") from error
    return write_truth(out, placed, grid=grid, area=footprint, record=_record(spec, no_room, hidden))


def _draw(raster: DatasetWriter, spec: SceneSpec, progress: Callable[[int, int], None] | None) -> None:
    """Fill the canvas with ground and collar."""
    ground = Ground(spec.seed, resolution=spec.resolution)
    parts = list(windows(spec.height, spec.width, BLOCK))
    for done, window in enumerate(parts, start=1):
        data = ground.window(window)
        if spec.has_collar:
            data[:, ~spec.footprint.valid(window)] = spec.collar_level
        raster.write(data, window=window)
        if progress:
            progress(done, len(parts))


def _deliver(draft: Path, out: Path, spec: SceneSpec, grid: Grid) -> None:
    """Bring the finished canvas to its data type and write the COG."""
    if spec.dtype == "uint8":
        finish(draft, out)
        return
    wide = draft.with_name("wide.tif")
    with rasterio.open(draft) as source, canvas(wide, grid, n_bands=3, dtype="uint16") as target:
        for window in windows(spec.height, spec.width, BLOCK):
            target.write(_widened(source.read(window=window), spec.seed, window), window=window)
    finish(wide, out)


def _widened(data: NDArray[np.uint8], seed: int, window: Window) -> NDArray[np.uint16]:
    """8 bits to 16: 0 and 255 become 0 and 65535, all else is spread by noise below one level."""
    start = int(hashed(seed + 110, int(window.row_off), int(window.col_off)))
    dither = np.random.default_rng(start).integers(-128, 129, data.shape, np.int32)
    wide = data.astype(np.int32) * 257
    return np.where((data > 0) & (data < 255), wide + dither, wide).astype(np.uint16)


def _record(spec: SceneSpec, no_room: dict[str, int], hidden: dict[str, int]) -> dict[str, object]:
    """What the truth says of the scene as a whole."""
    footprint = spec.footprint
    return {
        "seed": spec.seed,
        "height": spec.height,
        "width": spec.width,
        "dtype": spec.dtype,
        "resolution_m": spec.resolution,
        "crs": f"EPSG:{EPSG}",
        "footprint_angle_deg": round(float(np.rad2deg(footprint.angle)), 4),
        "collar_level": spec.collar_level if spec.has_collar else None,
        "found_no_room": no_room,
        "did_not_show": hidden,
    }
