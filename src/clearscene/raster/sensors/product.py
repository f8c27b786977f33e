"""What a sensor's reader finds out about a product: its bands, where they lie, how they are scaled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLEAR", "SHADOW", "THICK", "THIN", "UNKNOWN", "Band", "Kind", "Product", "Quality", "Source"]

Kind = Literal["toa", "surface", "display"]
"""Reflectance at the top of the atmosphere, at the surface, or 8-bit color that is no reflectance."""

CLEAR, THICK, THIN, SHADOW, UNKNOWN = 0, 1, 2, 3, 255
"""Codes of a quality band after decoding; the same as those of a cloud mask."""


@dataclass(frozen=True)
class Source:
    """One band of one file."""

    path: str
    """A file, a /vsi path or an address."""
    band: int | str = 1
    """1-based number, or the name that the file itself or the user gives it."""
    gsd: float | None = None
    """Length of a pixel in meters, where the format tells; needed only of several sources."""


@dataclass(frozen=True)
class Band:
    """A band of a product: reflectance = stored value * scale + offset."""

    name: str
    """Common name, as blue or swir16."""
    sources: tuple[Source, ...]
    """The same band at one or more resolutions."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    """Stored value that means no data, where the product's format says so and the file may not."""


@dataclass(frozen=True, eq=False)
class Quality:
    """The quality band that comes with a product."""

    name: str
    """SCL, QA_PIXEL or BQA."""
    source: Source
    decode: Callable[[NDArray[np.generic]], NDArray[np.uint8]]
    """From stored values to 0 clear, 1 thick cloud, 2 thin cloud, 3 shadow, 255 unknown; any shape."""


@dataclass(frozen=True, eq=False)
class Product:
    """A product as its reader understood it; nothing but metadata has been read."""

    path: str
    name: str
    """Name of the product, fit to be part of a file name."""
    sensor: str
    kind: Kind
    bands: tuple[Band, ...]
    missing: dict[str, str] = field(default_factory=dict)
    """Common names that the sensor has and this product lacks, with the file that was looked for."""
    quality: Quality | None = None
    datetime: str | None = None
    """When it was taken, ISO 8601 in UTC."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, one sentence each."""
    mixes_nodata: bool = False
    """True if overviews may have been made without knowing which pixels have no data, so that they are not read."""
    is_self_named: bool = False
    """True of a single raster, whose bands are named by itself and by `given`."""
    given: dict[str, int] | None = None
    """Bands named by the user."""
