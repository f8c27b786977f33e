"""Landsat-8 numbers as reflectance at the top of the atmosphere, and as kelvin.

Reflective bands: (MULT * DN + ADD) / sin(sun elevation). Thermal bands: L = MULT * DN + ADD and
T = K2 / ln(K1 / L + 1). Source: USGS, Using the USGS Landsat Level-1 Data Product. All numbers come from the
MTL file of the scene; without one they are those that all Level-1 products of Landsat 8 share, and the sun is
not corrected for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.datasets.prepared_record import THERMAL_FULL
from clearscene.errors import DatasetError
from clearscene.raster.sensors.landsat import OLI
from clearscene.raster.sensors.mtl import Groups, parse_mtl

__all__ = ["NUMBERS", "LandsatValues", "landsat_values"]

THERMAL = {"lwir11": 10, "lwir12": 11}
NUMBERS: Mapping[str, int] = {**{name: band.number for name, band in OLI.items()}, **THERMAL}
"""Number of a band by its common name."""

FACTORS = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
CONSTANTS = ("LEVEL1_THERMAL_CONSTANTS", "TIRS_THERMAL_CONSTANTS", "THERMAL_CONSTANTS")
SUN = ("IMAGE_ATTRIBUTES",)

SHARED = {
    **{f"REFLECTANCE_MULT_BAND_{n}": 2e-5 for n in range(1, 10)},
    **{f"REFLECTANCE_ADD_BAND_{n}": -0.1 for n in range(1, 10)},
    **{f"RADIANCE_MULT_BAND_{n}": 3.342e-4 for n in (10, 11)},
    **{f"RADIANCE_ADD_BAND_{n}": 0.1 for n in (10, 11)},
    "K1_CONSTANT_BAND_10": 774.8853,
    "K2_CONSTANT_BAND_10": 1321.0789,
    "K1_CONSTANT_BAND_11": 480.8883,
    "K2_CONSTANT_BAND_11": 1201.1442,
}
"""What the MTL files of Landsat 8 say alike."""


@dataclass(frozen=True)
class LandsatValues:
    """How the numbers of a scene are read."""

    sun_factor: float
    """1 / sin(sun elevation); 1 where it is not known."""
    numbers: Mapping[str, float]
    """By the key of the MTL file."""

    def convert(self, band: str, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Reflectance of a band by common name, or kelvin / 400 of a thermal one; any shape.

        Law: grows with the stored value. DN 0 is fill, and its value means nothing.
        """
        dn, n = stored.astype(np.float32), NUMBERS[band]
        if band not in THERMAL:
            scale, offset = self.numbers[f"REFLECTANCE_MULT_BAND_{n}"], self.numbers[f"REFLECTANCE_ADD_BAND_{n}"]
            return np.asarray(dn * np.float32(scale * self.sun_factor) + np.float32(offset * self.sun_factor))
        scale, offset = self.numbers[f"RADIANCE_MULT_BAND_{n}"], self.numbers[f"RADIANCE_ADD_BAND_{n}"]
        k1, k2 = self.numbers[f"K1_CONSTANT_BAND_{n}"], self.numbers[f"K2_CONSTANT_BAND_{n}"]
        radiance = np.maximum(dn * np.float32(scale) + np.float32(offset), np.float32(1e-6))
        return np.asarray(np.float32(k2 / THERMAL_FULL) / np.log(np.float32(k1) / radiance + np.float32(1)))


def landsat_values(mtl: Path | None) -> LandsatValues:
    """The numbers of a scene by its MTL file, or the shared ones without a file.

    Raises:
        DatasetError: The file is cut short, lacks a number, or tells of a night scene.
    """
    if mtl is None:
        return LandsatValues(1.0, SHARED)
    try:
        groups = parse_mtl(mtl.read_text(encoding="utf-8", errors="replace"), str(mtl))
        elevation = float(_get(groups, SUN, "SUN_ELEVATION"))
        found = {key: float(_get(groups, (*FACTORS, *CONSTANTS), key)) for key in SHARED}
    except (OSError, ValueError) as error:
        raise DatasetError(f"{mtl} cannot be understood: {error}.", hint="Download it again.") from error
    if not 0 < elevation <= 90:
        raise DatasetError(f"{mtl} says that the sun stood at {elevation:g} degrees.", hint="Leave the scene out.")
    return LandsatValues(1 / math.sin(math.radians(elevation)), found)


def _get(groups: Groups, names: tuple[str, ...], key: str) -> str:
    """The value in the first group that has the key; groups that are told apart, because keys repeat."""
    for name in names:
        if key in groups.get(name, {}):
            return groups[name][key]
    if key in SHARED and key.endswith(("BAND_9", "BAND_10", "BAND_11")):
        return str(SHARED[key])  # some published MTL files leave these out
    raise ValueError(f"there is no {key}")
