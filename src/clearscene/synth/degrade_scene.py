"""Defects put into a whole real scene: a copy of it, with the truth beside it."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from clearscene.atomic import output_error
from clearscene.errors import OptionError, SceneError
from clearscene.grid import slices, windows
from clearscene.inspection.viewer import SceneViewer
from clearscene.raster.gdal import GDAL_ERRORS, block_cache, is_local, no_place_needed
from clearscene.raster.scene import Scene, open_scene
from clearscene.synth.degraded import Levels
from clearscene.synth.placing import place
from clearscene.synth.putting import Canvas, put_all
from clearscene.synth.raster_file import finish
from clearscene.synth.truth import SceneTruth, write_truth

__all__ = ["SceneArea", "degrade_scene"]

SMALLEST = 128
"""Pixels a side."""
CELL = 16
"""Side in pixels of the cells in which the area knows what is valid without reading again."""
READ = 2048
WHOLE = 0.97
"""Share of whole cells that a window needs: a few scattered pixels without data do not matter."""


class SceneArea:
    """Where a real scene holds imagery: valid pixels that are no collar. Memory: a byte for 256 pixels.

    Raises:
        SceneError: A part of the scene cannot be read, or nothing in it is valid.
    """

    def __init__(self, scene: Scene, viewer: SceneViewer) -> None:
        self.height, self.width = scene.grid.height, scene.grid.width
        self._scene, self._viewer = scene, viewer
        self._whole = np.zeros((-(-self.height // CELL), -(-self.width // CELL)), np.bool_)
        n_valid = 0
        for window in windows(self.height, self.width, READ):
            rows, cols = (slice(part.start // CELL, -(-part.stop // CELL)) for part in slices(window))
            pixels, failed = scene.read_safely(window)
            if failed:
                raise SceneError(
                    f"{scene.path} cannot be read at {failed[0][0]}: {failed[0][1]}.", hint="Copy or download it again."
                )
            valid = pixels.valid & ~viewer.collar.mask(window)
            n_valid += int(np.count_nonzero(valid))
            self._whole[rows, cols] = _cells(valid)
        if n_valid == 0:
            raise SceneError(
                f"{scene.path} holds no valid pixels.", hint="Give a scene that is not all nodata and collar."
            )

    def valid(self, window: Window) -> NDArray[np.bool_]:
        """True where a pixel of the window holds imagery, (row, col)."""
        pixels, _ = self._scene.read_safely(window)
        return np.asarray(pixels.valid & ~self._viewer.collar.mask(window))

    def holds(self, window: Window, *, inset: float) -> bool:
        """True if nearly all of the window, and of `inset` pixels around it, holds imagery."""
        rows, cols = slices(window)
        part = self._whole[
            max(0, int(rows.start - inset) // CELL) : int(rows.stop + inset) // CELL + 1,
            max(0, int(cols.start - inset) // CELL) : int(cols.stop + inset) // CELL + 1,
        ]
        return bool(part.mean() >= WHOLE)


def degrade_scene(
    scene_path: str | Path,
    out: Path,
    *,
    seed: int,
    types: frozenset[str],
    density: float = 1.0,
    bands: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SceneTruth:
    """Put defects into a copy of a scene and write it with its truth.

    Writes `out` (a COG, compressed without loss), and beside it `<stem>_truth.tif` (class map, 255 where
    nothing is valid), `<stem>_truth.gpkg` (one feature a defect) and `<stem>_truth.json` (all parameters).

    Laws: grid, CRS, data type, nodata, masks and band names stay; the same scene and seed give the same
    pixels; outside the truth every value stays, but for the ground beside a seam and rims of clouds
    and shadows too faint to be marked; what is not valid stays, and nothing valid becomes nodata.
    Satellite scenes are degraded in the range in which they are shown; lost pixels are 0 or full white,
    or the other of the two where one is declared nodata. Memory stays flat; the disk holds an
    uncompressed copy while it lasts.

    Args:
        scene_path: Anything `open_scene` opens, but no palette; it is only read.
        out: Path of the copy, ending in .tif.
        seed: Places and defects follow from it.
        types: Names of defect types.
        density: Number of defects against the usual one, which is that of `KINDS`.
        bands: Which band is red, green, blue or nir, or gray, where the file does not say it; 1-based.
        progress: Called with defects done and defects in all.

    Raises:
        SceneError: The scene cannot be read, is a palette, is too small, or holds no valid pixel.
        BandError: Nothing says which bands are red, green and blue.
        OptionError: `out` is no .tif or is the scene itself, or a type has no generator.
        OutputError: A file cannot be written.
    """
    out = Path(out)
    with open_scene(scene_path, bands) as scene:
        _check(scene, out)
        viewer = SceneViewer(scene)
        area = SceneArea(scene, viewer)
        placements, no_room = place(area, types=types, seed=seed, density=density)
        record = _record(scene, viewer, seed=seed, density=density) | {"found_no_room": no_room}
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=out.parent, prefix=".clearscene-") as folder, block_cache():
                draft, done = Path(folder) / "draft.tif", Path(folder) / "scene.tif"
                _copy(scene, draft)
                with no_place_needed(), rasterio.open(draft, "r+") as raster:
                    placed, hidden = put_all(_canvas(raster, scene, viewer, area), placements, progress=progress)
                finish(draft, done)
                record |= {"did_not_show": hidden}
                truth = write_truth(out, placed, grid=scene.grid, area=area, record=record)
                done.replace(out)
        except (OSError, *GDAL_ERRORS) as error:
            raise output_error(error, out) from error
    return truth


def _check(scene: Scene, out: Path) -> None:
    """Refuse what cannot work before anything is read or written."""
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(f"A degraded scene cannot be written as {out.name!r}.", hint="Give a name that ends in .tif.")
    if is_local(scene.path):
        source = Path(scene.path).resolve()
        if source in (out.resolve(), out.with_name(f"{out.stem}_truth.tif").resolve()):
            raise OptionError(
                f"{out} would be written over the scene {scene.path}.", hint="Choose another name for it."
            )
    if min(scene.grid.height, scene.grid.width) < SMALLEST:
        raise SceneError(
            f"{scene.path} is too small for defects: {scene.grid.width} x {scene.grid.height} px.",
            hint=f"Give a scene of at least {SMALLEST} px a side.",
        )
    if scene.is_color and len(set(scene.display_bands)) == 1:
        raise SceneError(
            f"{scene.path} is a palette of colors, in which no shade between them can be stored.",
            hint="Turn it into bands first, as with gdal_translate -expand rgb.",
        )


def _copy(scene: Scene, draft: Path) -> None:
    """Copy a scene to a raster without compression, with all that belongs to it, to be changed in windows."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), no_place_needed(), rasterio.open(scene.path) as source:
        rasterio.shutil.copy(source, draft, driver="GTiff", TILED="YES", BIGTIFF="IF_SAFER", INTERLEAVE="PIXEL")


def _canvas(raster: DatasetWriter, scene: Scene, viewer: SceneViewer, area: SceneArea) -> Canvas:
    """The open copy, its bands in the order of the generators, and what its values mean."""
    stretch, dtype = viewer.stretch, np.dtype(scene.dtype)
    near_infrared = [scene.bands[name] for name in ("nir",) if name in scene.bands]
    levels = Levels.of(dtype, black=stretch.low, white=stretch.high)
    black, white = 0.0, scene.white
    if dtype.kind == "f":
        white = black  # the largest float is no value that a sensor gives
    else:
        levels = replace(levels, lowest=float(np.iinfo(dtype).min), highest=scene.white)
    if scene.nodata == black:
        black = white if white != black else stretch.high
    if scene.nodata == white:
        white = black
    return Canvas(
        raster,
        area,
        bands=tuple(dict.fromkeys((*scene.display_bands, *near_infrared, *scene.bands.values()))),
        levels=levels,
        lost=(black, white),
        nodata=scene.nodata,
    )


def _record(scene: Scene, viewer: SceneViewer, *, seed: int, density: float) -> dict[str, object]:
    """What the truth says of the scene as a whole."""
    return {
        "source": Path(scene.path).name,
        "seed": seed,
        "density": density,
        "height": scene.grid.height,
        "width": scene.grid.width,
        "dtype": scene.dtype,
        "crs": None if scene.grid.crs is None else scene.grid.crs.to_string(),
        "stretch": viewer.stretch.record(),
    }


def _cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for cells of 16 x 16 px (cut at the right and bottom) that are wholly valid."""
    rows, cols = (np.arange(0, length, CELL) for length in valid.shape)
    return np.asarray(np.logical_and.reduceat(np.logical_and.reduceat(valid, rows, axis=0), cols, axis=1))
