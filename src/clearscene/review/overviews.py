"""Overviews of large scenes, made beside them and never into them, by a process of their own.

GDAL writes the overviews of a virtual raster into a file beside it. So a virtual raster that shows
the scene is made, its overviews are built, and their file is then renamed to the name under which
GDAL looks for those of the scene itself: the scene is only ever read. Where its folder cannot be
written, the virtual raster and its overviews stay in the run folder.
"""

import multiprocessing
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.shutil import copy

from clearscene.raster.gdal import block_cache, is_local, no_place_needed, open_quietly

__all__ = ["Job", "Plan", "build", "plan_overviews"]

LARGE = 4096
"""Scenes up to this many pixels along a side are read at any size fast enough without overviews."""
SMALLEST = 256
OPTIONS = {
    "COMPRESS_OVERVIEW": "DEFLATE",
    "ZLEVEL_OVERVIEW": "1",
    "INTERLEAVE_OVERVIEW": "PIXEL",
    "BIGTIFF_OVERVIEW": "IF_SAFER",
    "GDAL_TIFF_OVR_BLOCKSIZE": "256",
    "GDAL_NUM_THREADS": "ALL_CPUS",
}


@dataclass(frozen=True)
class Plan:
    """What is to be made for a scene."""

    scene: str | Path
    """What is read: the file, or a virtual raster as XML; see `Scene.read_source`."""
    folder: Path
    """Where the file goes: the folder of the scene, or one in the run folder."""
    source: str
    """What is opened afterwards: the scene, or the virtual raster."""
    result: Path
    levels: tuple[int, ...]
    n_bytes: int
    """What it would take without compression."""
    is_beside: bool


def plan_overviews(scene: str, run: Path, *, source: str | Path) -> Plan | None:
    """What has to be made for a scene; None if it is small or has overviews, or if nothing can be written.

    A virtual raster that an earlier session left in the run folder is taken: its plan has no levels.
    """
    with block_cache(), open_quietly(scene) as dataset:
        longest, n_bands = max(dataset.height, dataset.width), dataset.count
        itemsize = max(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
        n_bytes = dataset.height * dataset.width * n_bands * itemsize // 3
        if longest <= LARGE or dataset.overviews(1):
            return None
    levels = tuple(1 << k for k in range(1, 32) if longest >> (k - 1) > SMALLEST)
    path, kept = Path(scene), run / "overviews"
    virtual = kept / f"{path.name}.vrt"
    if virtual.is_file() and _has_overviews(virtual):
        return Plan(source, kept, str(virtual), virtual.with_name(virtual.name + ".ovr"), (), 0, False)
    if is_local(scene) and os.access(path.parent, os.W_OK):
        return Plan(source, path.parent, scene, path.with_name(path.name + ".ovr"), levels, n_bytes, True)
    if os.access(run, os.W_OK):
        result = virtual.with_name(virtual.name + ".ovr")
        return Plan(source, kept, str(virtual), result, levels, n_bytes, False)
    return None


def build(plan: Plan) -> None:
    """Make the overviews; the file appears whole or not at all.

    Law: the scene file keeps its bytes and its time.

    Raises:
        RasterioError: GDAL cannot read the scene or write the file.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    part = plan.folder / f".{uuid4().hex[:8]}.part.vrt"
    grown = part.with_name(part.name + ".ovr")
    try:
        with block_cache(), no_place_needed():
            if str(plan.scene).startswith("<"):
                part.write_text(str(plan.scene), encoding="utf-8")
            else:
                copy(Path(plan.scene).resolve() if is_local(plan.scene) else plan.scene, part, driver="VRT")
            with rasterio.open(part) as dataset:
                is_palette = dataset.colorinterp[0] is ColorInterp.palette
            with rasterio.Env(**OPTIONS), rasterio.open(part, "r+") as virtual:
                virtual.build_overviews(list(plan.levels), Resampling.nearest if is_palette else Resampling.average)
        grown.replace(plan.result)
        if not plan.is_beside:
            shutil.move(part, plan.source)
    finally:
        for leftover in (part, grown, part.with_name(part.name + ".aux.xml")):
            leftover.unlink(missing_ok=True)


class Job:
    """Overviews in the making, in a process of their own: GDAL would hold up the server."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._process = multiprocessing.get_context("spawn").Process(target=build, args=(plan,), daemon=True)
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it is not finished yet."""
        return self._process.is_alive()

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a result."""
        return not self.is_running and not self.plan.result.is_file()

    @property
    def progress(self) -> float:
        """About how much is done, 0 to 1, by the size of the file so far."""
        if not self.is_running:
            return 1.0
        sizes = [path.stat().st_size for path in self.plan.folder.glob(".*.part.vrt.ovr")]
        return min(0.95, max(sizes, default=0) / max(1, self.plan.n_bytes))

    def stop(self) -> None:
        """End it; what it had begun is removed."""
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(5)
        for part in self.plan.folder.glob(".*.part.vrt*"):
            part.unlink(missing_ok=True)


def _has_overviews(path: Path) -> bool:
    with open_quietly(path) as dataset:
        return bool(dataset.overviews(1))
