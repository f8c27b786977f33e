"""From reflectance to classes: tiles read, masked and blended, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.masking.classes import IDS, NODATA, decide, merge
from clearscene.masking.combine import Wide
from clearscene.masking.masker import Masker, select_bands
from clearscene.masking.options import MaskOptions
from clearscene.masking.source import Source
from clearscene.masking.wide import ONLY_CLEAR, WideLook, joined
from clearscene.stream import Answer, StreamPlan, plan_stream, stream
from clearscene.tiling import Tile, TileGrid, TileSpec

__all__ = ["MaskPiece", "known_classes", "mask_pieces", "plan_for"]

READ_PLANES = 2
"""Bands as float32, read and normalized, count twice what `plan_stream` reckons for a band."""


@dataclass(frozen=True, eq=False)
class MaskPiece:
    """A finished part of a mask."""

    window: Window
    class_map: NDArray[np.uint8]
    """(row, col), 255 where there is no data."""
    probabilities: NDArray[np.float32]
    """(class, row, col) of the legend, sum 1; of no meaning where there is no data."""


def known_classes(masker: Masker, wanted: int) -> int:
    """How many classes the mask has: no more than wanted, and none that the masker does not know."""
    classes = masker.traits.classes
    most = 2 if IDS[3] not in classes else 3 if IDS[2] not in classes else 4
    return min(wanted, most)


def plan_for(source: Source, masker: Masker, options: MaskOptions) -> StreamPlan:
    """Workers and strips that stay below the memory limit.

    Raises:
        OptionError: The limit does not hold one tile.
    """
    traits, beside = masker.traits, []
    if isinstance(masker, Wide):
        seen, factor = masker.far.traits, masker.factor
        far = TileSpec(seen.tile_size, seen.overlap)
        beside.append(TileSpec(factor * far.tile_size, factor * far.grid_overlap, factor))
    return plan_stream(
        source.grid.width,
        [TileSpec(traits.tile_size, traits.overlap)],
        beside=beside,
        n_classes=len(IDS),
        n_bands=READ_PLANES * len(traits.bands),
        workers=options.workers,
        memory_limit=options.memory_limit_mb * 1_000_000,
        network_size=traits.network_size,
        height=source.grid.height,
    )


def mask_pieces(
    source: Source,
    masker: Masker,
    *,
    classes: int,
    plan: StreamPlan,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[MaskPiece]:
    """Mask a scene; the windows of the pieces partition it.

    Laws: neither the strips nor the threads of the plan change a value (up to rounding in the last
    place of a probability); a pixel is 255 exactly where the source has no data, whatever the model
    says; a tile without data is not looked at.

    Raises:
        BandError: The scene lacks a band that the masker needs.
        SceneError: A part of it cannot be read.
        ModelError: The model answers nonsense.
    """
    traits, grid = masker.traits, source.grid
    bands = select_bands(traits, source.bands, source.path)

    def infer(tile: Tile) -> Answer | None:
        pixels = source.read(tile.window, bands=bands)
        if not pixels.valid.any():
            return None
        planes = dict(zip(bands, np.asarray(pixels.data, np.float32), strict=True))
        return Answer(masker.probabilities(planes, pixels.valid, kind=source.kind), pixels.valid)

    tiles = TileGrid(grid.height, grid.width, TileSpec(traits.tile_size, traits.overlap))
    n_done = 0
    with ExitStack() as stack:
        far = stack.enter_context(WideLook(source, masker, tiles, plan)) if isinstance(masker, Wide) else None
        for piece in stream(tiles, infer, fill=ONLY_CLEAR, plan=plan):
            values = piece.values if far is None else joined(piece.values, far.probabilities(piece.window))
            class_map = decide(values, classes, traits.thresholds)
            class_map[~piece.covered] = NODATA
            n_done += class_map.size
            yield MaskPiece(piece.window, class_map, merge(values, classes))
            progress(n_done / grid.n_pixels)
