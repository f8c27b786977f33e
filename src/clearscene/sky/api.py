"""The call for Python users: a photo in, its sky out, no files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError
from clearscene.sky.check import Check, check_sky
from clearscene.sky.masks import KEEP, keep_mask
from clearscene.sky.model import SkyModel
from clearscene.sky.options import SkyOptions
from clearscene.sky.photo import read_photo

__all__ = ["SkyResult", "mask_pixels", "sky"]


@dataclass(frozen=True, eq=False)
class SkyResult:
    """The sky of one photo, as it is seen upright."""

    mask: NDArray[np.uint8]
    """(row, col): 255 keep, 0 sky."""
    probability: NDArray[np.float32]
    """(row, col), of sky."""
    check: Check
    """Whether there is credible sky at all."""
    sky_percent: float
    """Of the photo, that the mask hides."""
    notes: tuple[str, ...] = ()


def sky(
    photo: Path | str | NDArray[np.uint8], *, options: SkyOptions | None = None, model: SkyModel | None = None
) -> SkyResult:
    """Find the sky in a photo, without writing files.

    Args:
        photo: A path, or an upright photo (row, col, 3) of 8 bits, red, green, blue.
        options: Model, threshold and so on; the defaults if left out. Those about files are ignored.
        model: One that is loaded already, for many photos; else that of the options is loaded.

    Returns:
        Mask and probability at the size of the upright photo.

    Raises:
        ClearsceneError: The photo cannot be read, an option does not fit, or there is no such model.
    """
    chosen = options or SkyOptions()
    pixels = photo if isinstance(photo, np.ndarray) else read_photo(Path(photo)).pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise OptionError(
            f"A {pixels.dtype} array of shape {pixels.shape} is no photo.", hint="Give (row, col, 3) of 8 bits."
        )
    return mask_pixels(pixels, model or SkyModel.load(chosen), chosen)


def mask_pixels(photo: NDArray[np.uint8], model: SkyModel, options: SkyOptions) -> SkyResult:
    """Look, check, follow the edges: the sky of an upright photo (row, col, 3).

    Law: where the check finds no credible sky, all is kept.
    """
    coarse = model.look(photo, mirror=options.mirror)
    found = check_sky(coarse, options.threshold / 256)
    probability = model.at_edges(photo, coarse, refine=options.refine)
    mask = keep_mask(probability, options.threshold)
    notes: tuple[str, ...] = ()
    if options.check and not found.has_sky:
        if (mask != KEEP).any():
            notes = ("What looked like sky is too small or too uncertain; nothing was masked for it.",)
        mask = np.full_like(mask, KEEP)
    return SkyResult(mask, probability, found, 100 * float((mask != KEEP).mean()), notes)
