"""Tiles, and crops, of the scene and of the layers of its inspection, as pictures for a page."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError, OptionError, SceneError
from clearscene.inspection.quicklook import draw_crop
from clearscene.inspection.rerender import open_inspected, stretch_of
from clearscene.inspection.run_folder import RunFolder
from clearscene.inspection.taxonomy import TYPES
from clearscene.raster.gdal import GDAL_ERRORS, open_quietly
from clearscene.review.overviews import Job, Plan, plan_overviews
from clearscene.review.pyramid import TILE_SIZE, Pyramid, Tile
from clearscene.review.rasters import Raster, Resampling

__all__ = ["LAYERS", "Picture", "PreparingError", "TileServer"]

Layer = Literal["scene", "classmap", "confidence"]
LAYERS: tuple[Layer, ...] = ("scene", "classmap", "confidence")
JPEG_QUALITY = 85
MAX_READ = 4096
"""Pixels along a side that a tile may read at full resolution while overviews are in the making."""
GRAY = 128
CLASS_ALPHA = 150
CROP_CONTEXT = 1.8
"""Width of a crop over that of its finding."""
LEAST_CROP = 32
"""Scene pixels along the side of a crop, at least."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture."""

    content: bytes
    media_type: str


class PreparingError(ClearsceneError):
    """A tile needs overviews that are not ready yet."""


class TileServer:
    """Tiles of one run.

    A run whose scene is gone still gives tiles of the class map and the confidence.

    Args:
        run: The run.
        scene: Where the scene lies now; "" takes the path in the record.
        may_prepare: Whether overviews may be made.
    """

    def __init__(self, run: RunFolder, *, scene: str = "", may_prepare: bool = True) -> None:
        info = run.report.scene
        self.pyramid = Pyramid(info.height, info.width)
        self.stretch = stretch_of(run.report)
        self.problem = ""
        self.times_ms: deque[float] = deque(maxlen=20_000)
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._bands: tuple[int, ...] = ()
        self._colors: NDArray[np.uint8] | None = None
        self._rasters: dict[str, Raster] = {}
        try:
            self._open_scene(run, scene or info.path, may_prepare)
        except ClearsceneError as error:
            self.problem = str(error)
        for layer, name in (("classmap", "classmap.tif"), ("confidence", "confidence.tif")):
            if (run.folder / name).is_file():
                self._rasters[layer] = Raster(run.folder / name)
        self.confidence_types = self._confidence_types(run.folder)

    @property
    def layers(self) -> list[str]:
        """The layers that there are."""
        return [layer for layer in LAYERS if layer in self._rasters]

    @property
    def is_ready(self) -> bool:
        """False while overviews are in the making."""
        self._finish_job()
        return self._job is None

    @property
    def progress(self) -> float:
        """How far the overviews are, 0 to 1."""
        job = self._job
        return 1.0 if job is None else job.progress

    def tile(self, layer: str, level: int, col: int, row: int, *, type_name: str = "") -> Picture | None:
        """A tile; None where there is none.

        Raises:
            SceneError: The scene, or the file of the layer, is not there.
            OptionError: There is no such layer or type.
            PreparingError: The overviews that the tile needs are not ready yet.
        """
        if layer not in LAYERS:
            raise OptionError(f"There is no layer {layer!r}.", hint=f"Layers are {', '.join(LAYERS)}.")
        if layer not in self._rasters:
            raise SceneError(self.problem or f"This run has no {layer}.", hint="")
        tile = self.pyramid.tile(level, col, row)
        if tile is None:
            return None
        with self._timed():
            if layer == "scene":
                return self._scene_tile(tile)
            return self._class_tile(tile) if layer == "classmap" else self._confidence_tile(tile, type_name)

    def crop(self, polygon: BaseGeometry, color: str, *, size: int) -> Picture:
        """The surroundings of a finding, `size` pixels on both sides, with its outline.

        Raises:
            SceneError: The scene is not there.
        """
        if "scene" not in self._rasters:
            raise SceneError(self.problem, hint="")
        left, top, right, bottom = polygon.bounds
        side = max(LEAST_CROP, int(np.ceil(max(right - left, bottom - top) * CROP_CONTEXT)))
        col, row = round((left + right - side) / 2), round((top + bottom - side) / 2)
        picture = self._framed(col, row, side, size)
        local = shapely.transform(polygon, lambda points: (points - (col, row)) * (size / side))
        local = shapely.simplify(local, 0.3)
        return _jpeg(draw_crop(picture, local, color).transpose(2, 0, 1))

    def close(self) -> None:
        """Close the files, and stop making overviews."""
        if self._job is not None:
            self._job.stop()
        for raster in self._rasters.values():
            raster.renew()

    def _open_scene(self, run: RunFolder, path: str, may_prepare: bool) -> None:
        with open_inspected(run.report.scene, path) as scene:
            self._bands = tuple(dict.fromkeys(scene.display_bands))
            self._colors = scene.color_table
            source = scene.read_source
        plan: Plan | None = plan_overviews(path, run.folder, source=source) if may_prepare else None
        if plan is not None and not plan.levels:  # left in the run folder by an earlier session
            source = plan.source
        elif plan is not None:
            self._job = Job(plan)
        self._rasters["scene"] = Raster(source)

    def _finish_job(self) -> None:
        with self._lock:
            job = self._job
            if job is None or job.is_running:
                return
            self._job = None
        if not job.has_failed:
            if not job.plan.is_beside:
                self._rasters["scene"].source = job.plan.source
            self._rasters["scene"].renew()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.times_ms.append(1000 * (time.perf_counter() - start))

    def _scene_tile(self, tile: Tile) -> Picture:
        if max(tile.window.height, tile.window.width) > MAX_READ and not self.is_ready:
            raise PreparingError("The overviews of the scene are in the making.", hint="Zoom in, or wait.")
        shown, valid = self._shown(tile.window, (tile.height, tile.width))
        if valid.all() and valid.shape == (TILE_SIZE, TILE_SIZE):
            return _jpeg(shown)
        rgba = np.zeros((4, TILE_SIZE, TILE_SIZE), np.uint8)
        rgba[:3, : tile.height, : tile.width] = shown
        rgba[3, : tile.height, : tile.width] = 255 * valid
        return _png(rgba)

    def _shown(self, window: Window, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Display values (band, row, col) of a window, and which are valid; what cannot be read is gray."""
        is_reduced = shape[0] < window.height or shape[1] < window.width
        how: Resampling = "nearest" if self._colors is not None or not is_reduced else "average"
        try:
            pixels = self._rasters["scene"].read(window, shape, bands=self._bands, resampling=how)
        except GDAL_ERRORS:
            return np.full((3, *shape), GRAY, np.uint8), np.ones(shape, np.bool_)
        if self._colors is not None:
            rgba = self._colors[:, pixels.data[0].astype(np.intp)]
            return rgba[:3], pixels.valid & (rgba[3] > 0)
        data = np.nan_to_num(pixels.data, copy=False) if pixels.data.dtype.kind == "f" else pixels.data
        shown = self.stretch.apply(data, pixels.valid)
        return (shown if len(shown) == 3 else np.repeat(shown[:1], 3, axis=0)), pixels.valid

    def _framed(self, col: int, row: int, side: int, size: int) -> NDArray[np.uint8]:
        """A square of the scene, gray beyond it, as (band, row, col) of `size` pixels on both sides."""
        scale = size / side
        left, top = max(0, col), max(0, row)
        right, bottom = min(self.pyramid.width, col + side), min(self.pyramid.height, row + side)
        picture = np.full((3, size, size), GRAY, np.uint8)
        x, y = round((left - col) * scale), round((top - row) * scale)
        width = max(1, min(size - x, round((right - left) * scale)))
        height = max(1, min(size - y, round((bottom - top) * scale)))
        if right > left and bottom > top:
            shown, _ = self._shown(Window(left, top, right - left, bottom - top), (height, width))
            picture[:, y : y + height, x : x + width] = shown
        return picture

    def _class_tile(self, tile: Tile) -> Picture:
        pixels = self._rasters["classmap"].read(tile.window, (tile.height, tile.width), bands=(1,))
        return _png(_on_tile(_CLASS_COLORS[:, pixels.data[0].astype(np.intp)]))

    def _confidence_tile(self, tile: Tile, type_name: str) -> Picture:
        if type_name and type_name not in self.confidence_types:
            known = ", ".join(self.confidence_types) or "none"
            raise OptionError(f"There is no confidence of {type_name!r}.", hint=f"There is that of {known}.")
        numbers = range(1, len(self.confidence_types) + 1)
        bands = (self.confidence_types.index(type_name) + 1,) if type_name else tuple(numbers)
        pixels = self._rasters["confidence"].read(tile.window, (tile.height, tile.width), bands=bands)
        return _png(_on_tile(_CONFIDENCE_COLORS[:, pixels.data.max(axis=0).astype(np.intp)]))

    def _confidence_types(self, folder: Path) -> list[str]:
        if "confidence" not in self._rasters:
            return []
        with open_quietly(folder / "confidence.tif") as dataset:
            return [text or "" for text in dataset.descriptions]


def _class_colors() -> NDArray[np.uint8]:
    table = np.zeros((4, 256), np.uint8)
    for defect in TYPES:
        table[:, defect.id] = (*(int(defect.color[i : i + 2], 16) for i in (1, 3, 5)), CLASS_ALPHA)
    return table


def _confidence_colors() -> NDArray[np.uint8]:
    """Percent to color: the surer, the lighter; 0 is clear."""
    percent = np.clip(np.arange(256), 0, 100)
    ramp = cv2.applyColorMap((percent * 2.55).astype(np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
    table = np.zeros((4, 256), np.uint8)
    table[:3], table[3, 1:] = ramp.T, 200
    return table


_CLASS_COLORS, _CONFIDENCE_COLORS = _class_colors(), _confidence_colors()


def _on_tile(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    whole = np.zeros((4, TILE_SIZE, TILE_SIZE), np.uint8)
    whole[:, : rgba.shape[1], : rgba.shape[2]] = rgba
    return whole


def _jpeg(rgb: NDArray[np.uint8]) -> Picture:
    bgr = np.ascontiguousarray(rgb[::-1].transpose(1, 2, 0))
    return Picture(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), "image/jpeg")


def _png(rgba: NDArray[np.uint8]) -> Picture:
    bgra = np.ascontiguousarray(rgba[[2, 1, 0, 3]].transpose(1, 2, 0))
    return Picture(cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(), "image/png")
