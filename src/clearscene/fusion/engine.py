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
from clearscene.fusion.weights import (
    FAR,
    feathered,
    good_pixels,
    quality_weight,
    ranked_by_distance,
    softly_chosen,
)
from clearscene.grid import Grid, expand, slices, windows
from clearscene.stream import ordered_map

__all__ = ["RESERVED_BYTES", "Fusion", "Member", "Piece", "fused_pieces", "window_size"]

RESERVED_BYTES = 500_000_000
"""For the interpreter, its libraries, GDAL's cache and what is being written."""
COPIES = 6
"""Of the stack, that reading and a method hold at once, at most."""
SIZES = (64, 1024)
"""Smallest and largest window, pixels a side."""
CHOOSERS = ("best", "first")
"""Methods that take one image a pixel."""
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
    """Where every image is masked they count as if they were not."""
    tells_good: bool = False
    """Where an image has a quality below 0 it is bad: it does not count as good."""
    quality_temperature: float = 1.0
    """By which the model divides its logits so that the softmax is sharp; times it they are what it was taught."""
    leaves_doubtful: bool = False
    """Where every image is bad by its quality there is no data."""
    feather_px: int = 0

    @property
    def ranks_by_distance(self) -> bool:
        """True of `best` without a quality model."""
        return self.method == "best" and self.members[0].quality is None

    @property
    def halo(self) -> int:
        """Pixels around a window that bear on its weights."""
        by_distance = FAR + 1 if self.ranks_by_distance else 0
        fading = self.feather_px + 2 if self.feather_px else 0
        softened = self.feather_px if self.chooses else 0  # the choice of each neighbor bears on a pixel, too
        return max(by_distance, fading) + softened

    @property
    def chooses(self) -> bool:
        """True if each pixel is that of one image."""
        return self.method in CHOOSERS


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
    quality: Floats | None
    """(image, row, col) logits of being good, of models that tell good from bad."""
    source: NDArray[np.uint16]
    """(row, col): 1-based place of the image with the largest share, 0 where there is none."""
    shown: Floats
    """The images as they went in (image, band, row, col), 0 where not valid."""
    valid: NDArray[np.bool_]
    """(image, row, col)."""
    unmasked: NDArray[np.bool_]
    """(image, row, col), valid and not masked."""
    good: NDArray[np.bool_]
    """(image, row, col), unmasked, and of a quality above 0 where a model tells."""


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
    quality = _quality(fusion.members, wide)
    unmasked = valid & ~bad
    clear = unmasked & (quality >= 0) if quality is not None and fusion.tells_good else unmasked
    if fusion.leaves_doubtful:
        good &= clear.any(axis=0)
    weight = _weights(fusion, quality, good=good, bad=bad)
    fade = feathered(good, good & ~bad, fusion.feather_px) if fusion.feather_px else None
    if fade is not None:
        weight = _faded(weight, fade, good)
    inside = _within(window, wide)
    composite, share = _combined(fusion, stack, weight, fade, inside)
    clear, has_data = clear[:, *inside], (weight[:, *inside] > 0).any(axis=0)
    return Piece(
        window=window,
        composite=composite,
        share=share,
        count=clear.sum(axis=0).astype(np.uint16),
        source=np.where(has_data, share.argmax(axis=0) + 1, 0).astype(np.uint16),
        quality=quality[:, *inside] * fusion.quality_temperature if quality is not None and fusion.tells_good else None,
        shown=stack[:, :, *inside],
        valid=valid[:, *inside],
        unmasked=unmasked[:, *inside],
        good=clear,
    )


def _combined(
    fusion: Fusion, stack: Floats, weight: Floats, fade: NDArray[np.float32] | None, inside: tuple[slice, slice]
) -> tuple[Floats, Floats]:
    """The composite (band, row, col) and the shares (image, row, col) of a part of a window."""
    combine = METHODS[fusion.method]
    if fusion.chooses and fade is not None:  # what is chosen for its neighbors bears on a pixel
        composite, share = softly_chosen(stack, weight, combine, fade=fade, width=fusion.feather_px)
        return composite[:, *inside], share[:, *inside]
    return combine(stack[:, :, *inside], weight[:, *inside], temperature=fusion.temperature)


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


def _quality(members: Sequence[Member], window: Window) -> Floats | None:
    """Logits (image, row, col), or None without a quality model."""
    maps = [member.quality.read(window) for member in members if member.quality is not None]
    return np.stack(maps) if maps else None


def _weights(fusion: Fusion, quality: Floats | None, *, good: NDArray[np.bool_], bad: NDArray[np.bool_]) -> Floats:
    """Weights (image, row, col), above 0 exactly where good."""
    if fusion.ranks_by_distance:
        weight: Floats = ranked_by_distance(good, bad)
    elif quality is not None:
        weight = quality_weight(np.asarray(quality, np.float32), good)
    else:
        weight = good.astype(np.float32)
    return weight


def _faded(weight: Floats, fade: NDArray[np.float32], good: NDArray[np.bool_]) -> Floats:
    """Weights that fall toward where an image ends or is masked, still above 0 exactly where good."""
    return np.where(good, np.maximum(weight * fade, np.finfo(np.float32).tiny), 0).astype(np.float32)


def _within(window: Window, wide: Window) -> tuple[slice, slice]:
    """Where a window lies in the one around it."""
    (rows, cols), (wide_rows, wide_cols) = slices(window), slices(wide)
    return (
        slice(rows.start - wide_rows.start, rows.stop - wide_rows.start),
        slice(cols.start - wide_cols.start, cols.stop - wide_cols.start),
    )
