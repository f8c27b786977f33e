"""Sets of bands that a network is compared with: the five of RS-Net, by common names."""

from dataclasses import dataclass

__all__ = ["BAND_SETS", "BandSet"]


@dataclass(frozen=True)
class BandSet:
    """Bands that are read together."""

    title: str
    """In the tables."""
    bands: tuple[str, ...]
    """Common names."""


_REFLECTIVE = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22", "cirrus")

BAND_SETS = {
    "all": BandSet("all bands", (*_REFLECTIVE, "lwir11", "lwir12")),
    "no-thermal": BandSet("no thermal", _REFLECTIVE),
    "rgbn": BandSet("B2-5", ("blue", "green", "red", "nir")),
    "rgb": BandSet("RGB", ("blue", "green", "red")),
    "green": BandSet("green", ("green",)),
}
"""Landsat-8 bands 1-7, 9, 10, 11; 1-7 and 9; 2-5; 2-4; 3 (Jeppesen and others, "A cloud detection algorithm for
satellite imagery based on deep learning", Remote Sensing of Environment 229, 2019)."""
