"""One stretch for all images, so that they can be looked at, and judged by a network, side by side."""

from collections.abc import Sequence

import numpy as np

from clearscene.fusion.image import FuseImage
from clearscene.fusion.methods.method import Floats
from clearscene.raster.bands import COLORS
from clearscene.raster.stretch import REFLECTANCE_WHITE, Stretch

__all__ = ["common_stretch", "display_bands"]

TAILS = (0.5, 99.5)
QUARTER = 25
"""Of the bright ends of all images, this percentile counts: those of cloudy images are clouds."""


def display_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """Red, green and blue, or the first band alone."""
    return COLORS if all(color in bands for color in COLORS) else tuple(bands[:1])


def common_stretch(
    images: Sequence[FuseImage], samples: Sequence[Floats], *, band: str, as_reflectance: bool
) -> Stretch:
    """From stored values, or reflectance, to 0-255, alike for all images.

    8 bits stay untouched. Where the images say how values become reflectance, 0 to 0.3558 is shown. Otherwise from
    the median of the images' 0.5th percentiles to the lower quartile of their 99.5th. Law: the order of the images
    does not matter.

    Args:
        images: All of one scaling.
        samples: Valid values of each image's display bands, flat; may be empty.
        band: A display band.
        as_reflectance: The values are reflectance already.
    """
    if as_reflectance:
        return Stretch("reflectance", 0.0, REFLECTANCE_WHITE, "float32")
    if images[0].dtype == "uint8":
        return Stretch("bits", 0.0, 255.0, "float32")
    if all(image.has_scale for image in images):
        factor, offset = images[0].lines[band]
        return Stretch("reflectance", (0.0 - offset) / factor, (REFLECTANCE_WHITE - offset) / factor, "float32")
    ends = [np.percentile(sample, TAILS) for sample in samples if sample.size]
    if not ends:
        return Stretch("empty", 0.0, 1.0, "float32")
    low = float(np.median([end[0] for end in ends]))
    high = float(np.percentile([end[1] for end in ends], QUARTER))
    return Stretch("percentiles", low, high if high > low else low + 1.0, "float32")
