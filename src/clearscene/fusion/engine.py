"""From aligned images to the fused one, window by window, in bounded memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.fusion.aligning import AlignedImage
from clearscene.fusion.masks import AlignedMask
from clearscene.fusion.methods.choose import METHODS, Method
from clearscene.fusion.methods.method import Floats
from clearscene.fusion.quality import QualityMap
from clearscene.fusion.tone import ToneLine, toned
from clearscene.fusion.weights import FAR, feathered, good_pixels, quality_weight, ranked_by_distance
from clearscene.grid import Grid, expand, slices, windows
from clearscene.stream import ordered_map

__all__ = ["RESERVED_BYTES", "Fusion", "Member", "Piece", "fused_pieces", "window_size"]

RESERVED_BYTES = 500_000_000
"""For the interpreter, its libraries, GDAL's cache and what is being written."""
COPIES = 6
"""Of the stack, that reading and a method hold at once, at most."""
SIZES = (64, 1024)
"""Smallest and largest window, pixels a side."""
STEP = 64
BLOCK = 512
"""Side of the blocks of most files, a multiple of others, and the width of what GDAL warps at once."""


@dataclass(frozen=True, eq=False)
class Member:
    """One image with all that bears on how it counts."""

    image: AlignedImage
    mask: AlignedMask | None = None
    quality: QualityMap | None = None
    lines: tuple[ToneLine, ...] | None = None


@dataclass(frozen=True)
class Fusion:
    """What is to be done at every pixel."""

    members: tuple[Member, ...]
    """In the order in which ties are broken."""
    grid: Grid
    method: Method
    temperature: float = 1.0
    uses_least_bad: bool = False
    feather_px: int = 0

    @property
    def ranks_by_distance(self) -> bool:
        """True of `best` without a quality model."""
        return self.method == "best" and self.members[0].quality is None

    @property
    def halo(self) -> int:
        """Pixels around a window that bear on its weights."""
        by_distance = FAR + 1 if self.ranks_by_distance else 0
        return max(by_distance, self.feather_px + 2 if self.feather_px else 0)


@dataclass(frozen=True, eq=False)
class Piece:
    """A finished part of the fused image."""

    window: Window
    composite: Floats
    """(band, row, col), NaN where there is nothing good."""
    share: Floats
    """(image, row, col)."""
    count: NDArray[np.uint16]
    """(row, col): images that are good here; 0 where the least bad ones were taken."""
    source: NDArray[np.uint16]
    """(row, col): 1-based place of the image with the largest share, 0 where there is none."""
    shown: Floats
    """The images as they went in (image, band, row, col), 0 where not valid."""
    valid: NDArray[np.bool_]
    """(image, row, col)."""
    good: NDArray[np.bool_]
    """(image, row, col), valid and not masked."""


def window_size(fusion: Fusion, *, workers: int, memory_limit: int) -> int:
    """Side of the windows so that the stacks of all threads stay below the limit, a multiple of 64.

    Bytes of a pixel: `images * (bands * size * 6 + 24)`, size 4 or 8; twice as many windows as threads are held.
    Without a halo windows are of whole blocks, where there is memory: each is then decoded, or warped, once.
    """
    first = fusion.members[0].image
    per_pixel = len(fusion.members) * (len(first.bands) * first.dtype.itemsize * COPIES + 24)
    free = max(0, memory_limit - RESERVED_BYTES) / (2 * workers)
    side = int(math.sqrt(free / per_pixel)) - 2 * fusion.halo
    step = STEP if fusion.halo or side < BLOCK else BLOCK
    return min(max(side // step * step, SIZES[0]), SIZES[1])


def fused_pieces(fusion: Fusion, *, size: int, workers: int) -> Iterator[Piece]:
    """Fuse a scene; the windows of the pieces partition the grid.

    Laws: neither the size of the windows nor the threads change a value. There is data exactly where at least one
    image is good (with `uses_least_bad`, has data).

    Raises:
        ImageError: A part of an image cannot be read.
    """
    grid = fusion.grid
    places = windows(grid.height, grid.width, size)
    return ordered_map(lambda window: fuse_window(fusion, window), places, workers=workers)


def fuse_window(fusion: Fusion, window: Window) -> Piece:
    """Fuse one window."""
    wide = expand(window, fusion.halo, height=fusion.grid.height, width=fusion.grid.width)
    stack, valid = _read(fusion.members, wide)
    bad = _bad(fusion.members, wide, valid.shape)
    good = good_pixels(valid, bad, uses_least_bad=fusion.uses_least_bad)
    weight = _weights(fusion, wide, good=good, bad=bad)
    inside = _within(window, wide)
    stack, weight = stack[:, :, *inside], weight[:, *inside]
    composite, share = METHODS[fusion.method](stack, weight, temperature=fusion.temperature)
    clear = (valid & ~bad)[:, *inside]
    has_data = (weight > 0).any(axis=0)
    return Piece(
        window=window,
        composite=composite,
        share=share,
        count=clear.sum(axis=0).astype(np.uint16),
        source=np.where(has_data, share.argmax(axis=0) + 1, 0).astype(np.uint16),
        shown=stack,
        valid=valid[:, *inside],
        good=clear,
    )


def _read(members: Sequence[Member], window: Window) -> tuple[Floats, NDArray[np.bool_]]:
    """Values (image, band, row, col) in the tone of the reference and valid (image, row, col)."""
    rows, cols = slices(window)
    shape = rows.stop - rows.start, cols.stop - cols.start
    dtype: np.dtype[Any] = np.result_type(*(member.image.dtype for member in members))
    stack = np.empty((len(members), len(members[0].image.bands), *shape), dtype)
    valid = np.empty((len(members), *shape), np.bool_)
    for place, member in enumerate(members):
        pixels = member.image.read(window)
        stack[place], valid[place] = toned(np.asarray(pixels.data, dtype), member.lines), pixels.valid
    return stack, valid


def _bad(members: Sequence[Member], window: Window, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    bad = np.zeros(shape, np.bool_)
    for place, member in enumerate(members):
        if member.mask is not None:
            bad[place] = member.mask.bad(window)
    return bad


def _weights(fusion: Fusion, window: Window, *, good: NDArray[np.bool_], bad: NDArray[np.bool_]) -> Floats:
    """Weights (image, row, col), above 0 exactly where good."""
    if fusion.ranks_by_distance:
        weight: Floats = ranked_by_distance(good, bad)
    elif fusion.members[0].quality is not None:
        maps = [member.quality.read(window) for member in fusion.members if member.quality is not None]
        weight = quality_weight(np.stack(maps), good)
    else:
        weight = good.astype(np.float32)
    if fusion.feather_px:
        faded = weight * feathered(good, good & ~bad, fusion.feather_px)
        weight = np.where(good, np.maximum(faded, np.finfo(np.float32).tiny), 0).astype(np.float32)
    return weight


def _within(window: Window, wide: Window) -> tuple[slice, slice]:
    """Where a window lies in the one around it."""
    (rows, cols), (wide_rows, wide_cols) = slices(window), slices(wide)
    return (
        slice(rows.start - wide_rows.start, rows.stop - wide_rows.start),
        slice(cols.start - wide_cols.start, cols.stop - wide_cols.start),
    )
