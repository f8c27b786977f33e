"""Landsat Level-1 and Level-2 products of Collection 2, Collection 1 and before.

Level-1: (MULT * DN + ADD) / sin(sun elevation) is reflectance at the top of the atmosphere, with the
factors of the group for Level-1. Level-2: MULT * DN + ADD of the group for surface reflectance,
0.0000275 and -0.2. DN 0 is fill. Source: USGS, Landsat 8-9 Collection 2 Level-1 and Level-2 Data
Format Control Books; Using the USGS Landsat Level-1 Data Product.
"""

import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from clearscene.errors import SceneError
from clearscene.raster.sensors.contents import Contents
from clearscene.raster.sensors.mtl import Groups, parse_mtl
from clearscene.raster.sensors.product import Band, Product, Quality, Source
from clearscene.raster.sensors.quality import from_bqa, from_old_bqa, from_qa_pixel

__all__ = ["BANDS", "METADATA", "describe", "recognize"]


@dataclass(frozen=True)
class LandsatBand:
    """A band of an instrument."""

    number: int
    resolution: float
    """Pixel size in meters."""
    wavelength_nm: int
    """Center."""


OLI = {
    "coastal": LandsatBand(1, 30, 443),
    "blue": LandsatBand(2, 30, 482),
    "green": LandsatBand(3, 30, 561),
    "red": LandsatBand(4, 30, 655),
    "nir": LandsatBand(5, 30, 865),
    "swir16": LandsatBand(6, 30, 1609),
    "swir22": LandsatBand(7, 30, 2201),
    "pan": LandsatBand(8, 15, 590),
    "cirrus": LandsatBand(9, 30, 1373),
}
"""Operational Land Imager of Landsat 8 and 9."""

TM = {
    "blue": LandsatBand(1, 30, 485),
    "green": LandsatBand(2, 30, 560),
    "red": LandsatBand(3, 30, 660),
    "nir": LandsatBand(4, 30, 830),
    "swir16": LandsatBand(5, 30, 1650),
    "swir22": LandsatBand(7, 30, 2215),
}
"""Thematic Mapper of Landsat 4 and 5, and Enhanced Thematic Mapper Plus of Landsat 7."""

BANDS = {"LANDSAT_4": TM, "LANDSAT_5": TM, "LANDSAT_7": TM, "LANDSAT_8": OLI, "LANDSAT_9": OLI}
"""Bands by common name, by spacecraft."""

NOT_IN_LEVEL_2 = ("pan", "cirrus")
NEEDED = ("blue", "green", "red")
METADATA = re.compile(r"(?P<root>(?:.*/)?)(?P<name>[^/]+)_MTL\.txt", re.IGNORECASE)
IMAGE = re.compile(r"(?:.*/)?L[COTEM]\w*_B\d+\.TIF", re.IGNORECASE)
LEVEL_1_FACTORS = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
LEVEL_2_FACTORS = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",)
PRODUCT = ("PRODUCT_CONTENTS", "PRODUCT_METADATA")
"""Groups of Collection 2, and of Collection 1 and before."""
TAKEN = ("IMAGE_ATTRIBUTES", "PRODUCT_METADATA", "PRODUCT_PARAMETERS")


def recognize(contents: Contents) -> bool:
    """True if there is an MTL file, or images with Landsat's names."""
    return any(METADATA.fullmatch(name) or IMAGE.fullmatch(name) for name in contents.names)


def describe(contents: Contents) -> Product:
    """Understand a Landsat product by its MTL file.

    Raises:
        SceneError: There is no MTL file or more than one, the spacecraft or level is not known, the sun
            is below the horizon, or a visible band is missing.
    """
    found = _the_metadata(contents)
    groups = parse_mtl(contents.text(found.string), f"{found.string} in {contents.path}")
    table = _table(groups, contents)
    level = _level(groups, contents)
    factor, notes = _sun_factor(groups, contents) if level == 1 else (1.0, [])
    bands, missing = [], {}
    for name, spec in table.items():
        if level == 2 and name in NOT_IN_LEVEL_2:
            continue
        expected, file = _file(groups, contents, found["root"], number=spec.number, level=level)
        if file is None:
            missing[name] = expected
            continue
        scale, offset = _scaling(groups, contents, number=spec.number, level=level)
        source = Source(contents.gdal_path(file), gsd=spec.resolution)
        bands.append(Band(name, (source,), scale * factor, offset * factor, nodata=0))
    _require(missing, contents)
    notes += [f"Band {name} is missing: there is no {file}." for name, file in missing.items()]
    spacecraft = _get(groups, TAKEN, "SPACECRAFT_ID").removeprefix("LANDSAT_")
    return Product(
        path=str(contents.path),
        name=found["name"],
        sensor=f"landsat-{spacecraft}-l{level}",
        kind="toa" if level == 1 else "surface",
        bands=tuple(bands),
        missing=missing,
        quality=_quality(groups, contents, found["root"]),
        datetime=_time(groups),
        notes=notes + _slow(contents),
    )


def _the_metadata(contents: Contents) -> re.Match[str]:
    found = [match for name in contents.names if (match := METADATA.fullmatch(name))]
    if not found:
        raise SceneError(
            f"{contents.path} has Landsat images and no *_MTL.txt, so what their values mean is not known.",
            hint="Put the MTL file of the product beside them.",
        )
    if len(found) > 1:
        raise SceneError(f"{contents.path} holds {len(found)} Landsat products.", hint="Give them one by one.")
    return found[0]


def _table(groups: Groups, contents: Contents) -> dict[str, LandsatBand]:
    spacecraft = _get(groups, TAKEN, "SPACECRAFT_ID")
    if spacecraft in BANDS:
        return BANDS[spacecraft]
    known = ", ".join(BANDS)
    raise SceneError(
        f"{contents.path} was taken by {spacecraft or 'an unnamed spacecraft'}, whose bands are not known.",
        hint=f"Known are {known}. Stack the bands into one file and name them by --bands and --scale.",
    )


def _level(groups: Groups, contents: Contents) -> int:
    text = _get(groups, PRODUCT, "PROCESSING_LEVEL") or _get(groups, PRODUCT, "DATA_TYPE")
    if text[:2] in ("L1", "L2"):
        return int(text[1])
    raise SceneError(
        f"{contents.path} has the processing level {text or 'none'}; only L1 and L2 hold reflectance.",
        hint="Use the Level-1 or Level-2 product of the same scene.",
    )


def _sun_factor(groups: Groups, contents: Contents) -> tuple[float, list[str]]:
    """1 / sin(sun elevation); 1 and a warning where the elevation is not known."""
    text = _get(groups, TAKEN, "SUN_ELEVATION")
    try:
        elevation = float(text)
    except ValueError:
        return 1.0, [
            f"The MTL file has no SUN_ELEVATION{f' but {text!r}' if text else ''}: reflectance is not corrected"
            " for the height of the sun and comes out too low."
        ]
    if not 0 < elevation <= 90:
        raise SceneError(
            f"The sun stands at {elevation:g} degrees in {contents.path}: a night scene holds no reflectance.",
            hint="Leave it out.",
        )
    return 1 / math.sin(math.radians(elevation)), []


def _scaling(groups: Groups, contents: Contents, *, number: int, level: int) -> tuple[float, float]:
    """MULT and ADD of a band, from the group of its level."""
    names = LEVEL_1_FACTORS if level == 1 else LEVEL_2_FACTORS
    texts = [_get(groups, names, f"REFLECTANCE_{word}_BAND_{number}") for word in ("MULT", "ADD")]
    try:
        return float(texts[0]), float(texts[1])
    except ValueError:
        raise SceneError(
            f"The MTL file of {contents.path} has no REFLECTANCE_MULT_BAND_{number} and"
            f" REFLECTANCE_ADD_BAND_{number} in {' or '.join(names)}.",
            hint="Download the MTL file of the product again.",
        ) from None


def _file(groups: Groups, contents: Contents, root: str, *, number: int, level: int) -> tuple[str, str | None]:
    """The name that a band's file should have, and its name in the product if it is there."""
    infix = "SR_" if level == 2 else ""
    expected = _get(groups, PRODUCT, f"FILE_NAME_BAND_{number}") or f"*_{infix}B{number}.TIF"
    pattern = re.compile(rf"{re.escape(root)}[^/]*_{infix}B{number}\.tiff?", re.IGNORECASE)
    by_name = _find(contents, root, expected)
    return expected, by_name or next((name for name in contents.names if pattern.fullmatch(name)), None)


def _find(contents: Contents, root: str, expected: str) -> str | None:
    wanted = (root + PurePosixPath(expected).name).lower()
    return next((name for name in contents.names if name.lower() == wanted), None)


def _require(missing: dict[str, str], contents: Contents) -> None:
    lacking = [name for name in NEEDED if name in missing]
    if lacking:
        raise SceneError(
            f"{contents.path} lacks the band{'s' * (len(lacking) > 1)} {', '.join(lacking)}:"
            f" there is no {', '.join(missing[name] for name in lacking)}.",
            hint="Copy or download the product again.",
        )


def _quality(groups: Groups, contents: Contents, root: str) -> Quality | None:
    """The quality band: QA_PIXEL of Collection 2, or BQA, whose bits changed with Collection 1."""
    name = _find(contents, root, _get(groups, PRODUCT, "FILE_NAME_QUALITY_L1_PIXEL") or "-")
    if name:
        return Quality("QA_PIXEL", Source(contents.gdal_path(name)), from_qa_pixel)
    name = _find(contents, root, _get(groups, PRODUCT, "FILE_NAME_BAND_QUALITY") or "-")
    if name is None:
        return None
    is_collection = bool(_get(groups, (*PRODUCT, "METADATA_FILE_INFO"), "COLLECTION_NUMBER"))
    return Quality("BQA", Source(contents.gdal_path(name)), from_bqa if is_collection else from_old_bqa)


def _time(groups: Groups) -> str | None:
    """ISO 8601, to the second."""
    date, time = _get(groups, TAKEN, "DATE_ACQUIRED"), _get(groups, TAKEN, "SCENE_CENTER_TIME")
    return f"{date}T{time[:8]}Z" if date and len(time) >= 8 else date or None


def _slow(contents: Contents) -> list[str]:
    if not contents.path.name.lower().endswith(("gz",)):
        return []
    return [f"{contents.path.name} is compressed as a whole, so reading it is slow; unpack it to go faster."]


def _get(groups: Groups, names: tuple[str, ...], key: str) -> str:
    """The value in the first of the groups that has the key, or an empty string."""
    return next((groups[name][key] for name in names if key in groups.get(name, {})), "")
