"""The scene as detectors see it: windows with a margin, stretched, with what is valid and inspected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window, intersection

from clearscene.grid import expand, slices
from clearscene.raster.collar import Collar, CollarScan, tolerance_of
from clearscene.raster.scene import Scene
from clearscene.raster.stretch import Stretch, check_reflectance, scene_stretch
from clearscene.rules.rule import View
from clearscene.vector.aoi import Areas, burn

__all__ = ["Look", "SceneViewer"]

SCAN_BYTES = 96 << 20
"""Bytes of scene values that one row band of the collar scan may hold."""


@dataclass(frozen=True, eq=False)
class Look:
    """One window of a scene, read with a margin."""

    window: Window
    """What is answered for."""
    view: View
    """The window and its margin."""
    core: tuple[slice, slice]
    """Where `window` lies in the arrays of `view`."""
    declared: NDArray[np.bool_]
    """(row, col) of `window`: False where nodata, alpha or a mask says so, and where nothing could be read."""
    collar: NDArray[np.bool_]
    """(row, col) of `window`."""
    inspected: NDArray[np.bool_]
    """(row, col) of `window`: valid, inside the area of interest, not ignored, and readable."""
    unreadable: NDArray[np.bool_]
    """(row, col) of `window`: True where nothing could be read."""
    damage: list[tuple[Window, str]]
    """Blocks that could not be read and meet `window`, with the reason."""


class SceneViewer:
    """Reads windows of one scene for detectors, from any thread.

    `reflectance` is the scale and offset from stored values to it, where the user names them.

    Law: a pixel looks the same in every window that holds it.

    Raises:
        OptionError: `reflectance` cannot be that of the scene.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        aoi: Areas | None = None,
        ignore: Areas | None = None,
        reflectance: tuple[float, float] | None = None,
    ) -> None:
        self.scene = scene
        self._aoi, self._ignore = aoi, ignore
        if reflectance is not None:
            check_reflectance(scene, *reflectance)
        self.collar: Collar = scan_collar(scene)
        self.stretch: Stretch = scene_stretch(scene, collar_mask=self.collar.mask, reflectance=reflectance)

    def look(self, window: Window, halo: int) -> Look:
        """Read a window with `halo` pixels around it, as far as the scene goes."""
        grid = self.scene.grid
        wide = expand(window, halo, height=grid.height, width=grid.width)
        pixels, unreadable = self.scene.read_safely(wide)
        collar = self.collar.mask(wide)
        valid = pixels.valid & ~collar
        view = View(
            data=pixels.data,
            display=self.stretch.apply(pixels.data, valid),
            valid=valid,
            collar=collar,
            white=self.scene.white,
            is_lossy=self.scene.is_lossy,
        )
        core = _inside(window, wide)
        damage = [(intersection(block, window), why) for block, why in unreadable if _meets(block, window)]
        return Look(
            window=window,
            view=view,
            core=core,
            declared=pixels.valid[core],
            collar=collar[core],
            inspected=valid[core] & self._wanted(window),
            unreadable=_covered([block for block, _ in damage], window),
            damage=damage,
        )

    def display(
        self, window: Window, out_shape: tuple[int, int], *, bands: Sequence[str] | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """A window at another size, as display values (band, row, col) and valid (row, col).

        `bands` names others than those of display; they are stretched alike.
        """
        pixels, _ = self.scene.read_safely(window, bands=bands, out_shape=out_shape)
        valid = pixels.valid & ~self._sampled_collar(window, out_shape)
        return self.stretch.apply(pixels.data, valid), valid

    def _sampled_collar(self, window: Window, out_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The collar in a window at another size, by its nearest pixels; memory is that of the answer."""
        if not self.collar.may_touch(window):
            return np.zeros(out_shape, np.bool_)
        height, width = out_shape
        rows = window.row_off + (np.arange(height) + 0.5) * window.height / height
        cols = window.col_off + (np.arange(width) + 0.5) * window.width / width
        grid = np.meshgrid(rows.astype(np.int64), cols.astype(np.int64), indexing="ij")
        return self.collar.runs.find(*grid) >= 0

    def read_rgb(self, window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
        """A window at another size for pictures, display values (band, row, col)."""
        return self.display(window, out_shape)[0]

    def _wanted(self, window: Window) -> NDArray[np.bool_]:
        wanted = np.ones((round(window.height), round(window.width)), np.bool_)
        if self._aoi is not None:
            wanted &= burn(self._aoi, window)
        if self._ignore is not None:
            wanted &= ~burn(self._ignore, window)
        return wanted


def scan_collar(scene: Scene) -> Collar:
    """The collar of a scene, by one pass over it in bands of full rows."""
    height, width = scene.grid.height, scene.grid.width
    rows = max(16, SCAN_BYTES // (width * len(scene.display_bands) * np.dtype(scene.dtype).itemsize) // 512 * 512)
    scan = CollarScan(height, width, white=scene.white, tolerance=_tolerance(scene))
    for row in range(0, height, rows):
        pixels, _ = scene.read_safely(Window(0, row, width, min(rows, height - row)))
        scan.add(row, pixels.data, pixels.valid)
    return scan.finish()


def _tolerance(scene: Scene) -> float:
    return tolerance_of(white=scene.white, is_lossy=scene.is_lossy, is_8bit=scene.dtype == "uint8")


def _inside(window: Window, outer: Window) -> tuple[slice, slice]:
    """Where `window` lies in an array of `outer`."""
    (rows, cols), (top, left) = slices(window), (round(outer.row_off), round(outer.col_off))
    return slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)


def _covered(blocks: Sequence[Window], window: Window) -> NDArray[np.bool_]:
    """The pixels (row, col) of a window that lie in one of the blocks."""
    covered = np.zeros((round(window.height), round(window.width)), np.bool_)
    for block in blocks:
        rows, cols = _inside(block, window)
        covered[max(0, rows.start) : max(0, rows.stop), max(0, cols.start) : max(0, cols.stop)] = True
    return covered


def _meets(one: Window, two: Window) -> bool:
    (r1, c1), (r2, c2) = slices(one), slices(two)
    return bool(r1.start < r2.stop and r2.start < r1.stop and c1.start < c2.stop and c2.start < c1.stop)
