"""What a network for cloud masks is given: reflectance whose level no longer depends much on how it was scaled.

One function for training and for use. A cloud is told by its brightness beside other things, its color and its
texture; the absolute level helps (a window may be all cloud, or all dark water), but it is the first thing that goes
wrong: a sun elevation that was not divided by, an offset that was not taken off, numbers passed as reflectance, a
picture stretched for display. So each tile is divided by its own bright level, and a part of that level is given back.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "PRIOR", "Kind", "normalize", "tile_scale"]

Kind = Literal["toa", "surface", "display"]
"""Reflectance at the top of the atmosphere or at the ground, or display values, of which 1 is white."""

BANDS = ("red", "green", "blue", "nir")
"""Order of the network's input."""

PRIOR: dict[Kind, float] = {"toa": 0.35, "surface": 0.33, "display": 0.875}
"""The bright level that is expected, by kind: between that of clear land (0.15) and of cloud (0.8). A picture for
display shows a reflectance of about 0.4 as white."""

QUANTILE = 0.95
"""The bright level of a tile: this quantile of the mean of red, green and blue."""
KEPT = 0.5
"""Exponent of a tile's level beside the expected one that the network still sees."""
BELIEVED = 4.0
"""Levels further from the expected one than this power of e are no reflectance; nothing of them is kept."""
HIGHEST = 3.0
"""Normalized values end here: the glint of one roof is no more than white."""


def normalize(
    pixels: NDArray[np.floating], valid: NDArray[np.bool_] | None = None, *, kind: Kind = "toa"
) -> NDArray[np.float32]:
    """Bands of one tile, (3 or 4, row, col) in the order of `BANDS`, to the network's input (4, row, col).

    `2 * sqrt(value / scale) - 1`, with the `tile_scale` of the tile's valid pixels; 0 or less gives -1. Pixels that
    are not valid, or not finite in any band, are 0 in all channels; so is the whole channel of an absent NIR.

    Laws: values of all bands times a change `value / scale` by no more than the square root of a, as long as the
    tile's level is within 20 times the expected one; by nothing where it is no reflectance before and after (see
    `BELIEVED`); whatever the unit, `value / scale` is within 2.2 times the value beside the tile's level;
    flips and turns of the tile turn the answer alike; red, green and blue do not depend on NIR where all of it is
    finite; a display value counts as `PRIOR["toa"] / PRIOR["display"]` times as much reflectance.
    """
    n_bands = len(pixels)
    assert n_bands in (3, 4), f"{n_bands} bands"
    usable = np.isfinite(pixels).all(axis=0)
    if valid is not None:
        usable &= valid
    out = np.zeros((len(BANDS), *pixels.shape[1:]), np.float32)
    if not usable.any():
        return out
    level = np.float32(1 / tile_scale(pixels, usable, kind=kind))
    is_whole = bool(usable.all())
    with np.errstate(invalid="ignore"):  # what is not finite is not usable
        for band, plane in zip(pixels, out, strict=False):  # plane by plane, which fits into the cache of a core
            np.multiply(band.astype(np.float32, copy=False), level, out=plane)
            np.clip(plane, 0, ((HIGHEST + 1) / 2) ** 2, out=plane)
            np.sqrt(plane, out=plane)
            plane *= 2
            plane -= 1
            if not is_whole:
                plane[~usable] = 0
    return out


def tile_scale(pixels: NDArray[np.floating], usable: NDArray[np.bool_], *, kind: Kind) -> float:
    """What the values (band, row, col) of a tile are divided by; `usable` (row, col) has at least one True.

    With the bright level q of the tile and the expected one p, r = log(q / p), it is
    `q * exp(-KEPT * r * (1 - (r / BELIEVED) ** 2))`: between q and p, and q itself outside of what is believed.
    Without any light (q of 0 or less) it is p.
    """
    expected = PRIOR[kind]
    bright = pixels[:3].mean(axis=0, dtype=np.float32)[usable]
    rank = int(QUANTILE * (bright.size - 1))
    level = float(np.partition(bright, rank)[rank])
    if level <= 0:
        return expected
    distance = float(np.log(level / expected))
    kept = KEPT * distance * max(0.0, 1 - (distance / BELIEVED) ** 2)
    return level * float(np.exp(-kept))
