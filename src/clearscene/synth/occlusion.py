"""Parts of an image that are lost, as seed 002 simulates them: a corner, or all beyond a slanted line.

Source: the code of seed 002 (`data_factory.py`): a triangle in a corner up to about half of the image, above that
a slanted half-plane. There legs that are longer than the image are cut off and the area is smaller than asked for;
here it is exact.
"""

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import OptionError

__all__ = ["MOST_OF_A_CORNER", "corner", "half_plane", "occlusion"]

MOST_OF_A_CORNER = 0.5
"""Area, as a share of the image, above which a triangle in a corner does not fit."""
ASPECTS = (0.5, 2.0)
"""Height of the triangle by its width, where the image leaves the choice."""
STEEPEST_DEG = 30.0
"""How far the line of a half-plane may be turned from the rows or columns."""


def occlusion(height: int, width: int, area: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is lost (height, width): a corner up to half of the image, else a half-plane.

    Law: `round(area * height * width)` pixels are True, exactly.

    Raises:
        OptionError: The area is not between 0 and 1.
    """
    return (corner if area <= MOST_OF_A_CORNER else half_plane)(height, width, area, rng)


def corner(height: int, width: int, area: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A triangle in a corner, (height, width), legs along the border; laws, errors as `occlusion`, area up to 0.5."""
    n_pixels = area * height * width
    low, high = 2 * n_pixels / width**2, height**2 / max(2 * n_pixels, 1e-9)  # aspects whose legs fit
    aspect = rng.uniform(*np.clip(ASPECTS, min(low, high), high))
    leg = np.sqrt(2 * max(n_pixels, 1e-9) / aspect)  # along the row; `aspect * leg` along the column
    rows, cols = np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)[None]
    lost = _lowest(rows / (aspect * leg) + cols / leg, area)
    lost = lost[::-1] if rng.random() < 0.5 else lost
    return np.ascontiguousarray(lost[:, ::-1] if rng.random() < 0.5 else lost)


def half_plane(height: int, width: int, area: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """All on one side of a line near a row or a column, (height, width); laws and errors as `occlusion`."""
    angle = np.deg2rad(rng.uniform(-STEEPEST_DEG, STEEPEST_DEG) + 90 * rng.integers(4))
    rows, cols = np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)[None]
    return _lowest(rows * np.cos(angle) + cols * np.sin(angle), area)


def _lowest(plane: NDArray[np.float64], area: float) -> NDArray[np.bool_]:
    """The share `area` of the pixels with the lowest values; of equal ones the first."""
    if not 0 <= area <= 1:
        raise OptionError(f"The area {area} is not between 0 and 1.", hint="Give a share of the image, as 0.25.")
    order = np.argsort(plane, axis=None, kind="stable")
    lost = np.zeros(plane.size, np.bool_)
    lost[order[: round(area * plane.size)]] = True
    return lost.reshape(plane.shape)
