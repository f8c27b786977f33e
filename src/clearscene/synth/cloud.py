"""Clouds over real ground, generated or pasted.

Each generator takes a window and gives it back clouded, with the mask of what can be seen of the cloud.
Optical depth comes first, as a random plane; opacity is 1 - exp(-depth); the color is near white, lit
from the side of the sun and gray on the other, with the grain of the scene's own sensor.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import GridError
from clearscene.synth.cloud_deck import stratus, whole_cover
from clearscene.synth.cloud_heap import cumulus, small_cumuli
from clearscene.synth.cloud_optics import MARKED, composite, filled, visible
from clearscene.synth.cloud_paper import paper_cloud
from clearscene.synth.cloud_veil import haze, thin_cloud
from clearscene.synth.degraded import Degrade, Degraded

__all__ = [
    "CLOUDS",
    "composite",
    "cumulus",
    "haze",
    "paper_cloud",
    "paste_cloud",
    "small_cumuli",
    "stratus",
    "thin_cloud",
    "whole_cover",
]

CLOUDS: Mapping[str, Degrade] = {
    "cumulus": cumulus,
    "small_cumuli": small_cumuli,
    "stratus": stratus,
    "thin_cloud": thin_cloud,
    "haze": haze,
    "whole_cover": whole_cover,
    "paper_cloud": paper_cloud,
}
"""All generators of clouds by name."""


def paste_cloud(
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    texture: NDArray[np.float32],
    opacity: NDArray[np.float32],
) -> Degraded:
    """Put a cloud cut from another image over this one.

    `texture` (band, row, col) is the color of the cloud alone, in units of the display, with as many
    bands as `data` or one; `opacity` (row, col) in [0, 1]. Its own grain comes with it, so none is added.
    Law: `(1 - opacity) * data + opacity * texture` where opacity is 0.05 or more; the mask
    is where it is at least `MARKED`, thinner rims are context, elsewhere `data` stays.

    Raises:
        GridError: Shapes do not agree.
    """
    if opacity.shape != valid.shape or texture.shape[1:] != valid.shape or len(texture) not in (1, len(data)):
        raise GridError(
            f"texture {texture.shape} and opacity {opacity.shape} do not fit data {data.shape}.",
            hint="Cut cloud and ground to the same rows and columns, and give the cloud one band or all.",
        )
    kept = visible(np.clip(opacity, 0, 1).astype(np.float32), valid)
    result, mask, touched = data.copy(), kept >= MARKED, kept > 0
    np.copyto(result, composite(filled(data, valid), kept, texture), where=touched)
    thick = float(-np.log1p(-min(float(kept.max(initial=0.0)), 0.9999)))
    parameters = {"optical_depth": thick, "cover_fraction": float(mask.mean())}
    return Degraded(result, mask, parameters, context=touched & ~mask, planes={"opacity": kept})
