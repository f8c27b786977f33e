"""Sentinel-2 Level-1C and Level-2A products in SAFE layout.

Reflectance is (DN + offset) / quantification, both from the product's own metadata; the offset came
with processing baseline 04.00 (25 January 2022). DN 0 is no data, whatever the offset. Source: ESA,
Sentinel-2 Products Specification Document, issue 14.9, and the note on baseline 04.00.
"""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from clearscene.errors import SceneError
from clearscene.raster.sensors.contents import Contents
from clearscene.raster.sensors.product import Band, Product, Quality, Source
from clearscene.raster.sensors.quality import from_scl

__all__ = ["BANDS", "METADATA", "describe", "recognize"]


@dataclass(frozen=True)
class SentinelBand:
    """A band of the instrument."""

    label: str
    """As in file names."""
    resolution: float
    """Native pixel size in meters."""
    wavelength_nm: int
    """Center, of Sentinel-2A."""
    number: int
    """`band_id` in the metadata."""


BANDS = {
    "coastal": SentinelBand("B01", 60, 443, 0),
    "blue": SentinelBand("B02", 10, 492, 1),
    "green": SentinelBand("B03", 10, 560, 2),
    "red": SentinelBand("B04", 10, 665, 3),
    "rededge071": SentinelBand("B05", 20, 704, 4),
    "rededge075": SentinelBand("B06", 20, 741, 5),
    "rededge078": SentinelBand("B07", 20, 783, 6),
    "nir": SentinelBand("B08", 10, 833, 7),
    "nir08": SentinelBand("B8A", 20, 865, 8),
    "nir09": SentinelBand("B09", 60, 945, 9),
    "cirrus": SentinelBand("B10", 60, 1374, 10),
    "swir16": SentinelBand("B11", 20, 1614, 11),
    "swir22": SentinelBand("B12", 20, 2202, 12),
}
"""Bands by common name; Level-2A has no cirrus."""

NEEDED = ("blue", "green", "red")
OFFSET_SINCE = 4.0
TEST_BASELINE = 90.0
"""Baselines from here on, 99.99 as a rule, mark products made for tests."""

METADATA = re.compile(r"(?P<root>(?:.*/)?)(?:MTD_MSIL(?P<level>\w\w)\.xml|S2._\w+_MTD_SAFL(?P<old>\w\w)_.*\.xml)")
IMAGE = re.compile(r".*/IMG_DATA/(?:R\d\dm/)?[^/]*_(?P<label>B\d[\dA])(?:_(?P<resolution>\d\d)m)?\.jp2")
SCENE_CLASSES = re.compile(r".*/IMG_DATA/(?:R\d\dm/)?[^/]*_SCL_(?P<resolution>\d\d)m\.jp2")


@dataclass(frozen=True)
class Level:
    """How a processing level says what its values mean."""

    kind: str
    quantification: str
    offset: str


LEVELS = {
    "1C": Level("toa", "QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET"),
    "2A": Level("surface", "BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"),
}


def recognize(contents: Contents) -> bool:
    """True if there is product metadata of Sentinel-2, of whatever level."""
    return bool(_metadata(contents)) or any("GRANULE/" in name and IMAGE.fullmatch(name) for name in contents.names)


def describe(contents: Contents) -> Product:
    """Understand a SAFE.

    Raises:
        SceneError: It has no metadata, several products or granules, another level than 1C or 2A, or
            lacks a visible band or what its values mean.
    """
    found = _the_metadata(contents)
    root, code = found["root"], found["level"] or found["old"]
    level = _level(code, contents)
    tree = _parse(contents.text(found.string), f"{found.string} in {contents.path}")
    quantification, offsets, notes = _radiometry(tree, level, contents)
    images = _images(contents, root)
    bands, missing = _bands(images, code, quantification, offsets)
    _require(missing, contents)
    notes += [f"Band {name} is missing: there is no {file}." for name, file in missing.items()]
    name = root.rstrip("/").rsplit("/", 1)[-1].removesuffix(".SAFE") or contents.name
    return Product(
        path=str(contents.path),
        name=name,
        sensor=f"sentinel-2-l{code.lower()}",
        kind="toa" if level.kind == "toa" else "surface",
        bands=bands,
        missing=missing,
        quality=_quality(contents, root),
        datetime=_value(tree, "DATATAKE_SENSING_START") or _value(tree, "PRODUCT_START_TIME"),
        notes=notes,
    )


def _metadata(contents: Contents) -> list[re.Match[str]]:
    return [found for name in contents.names if (found := METADATA.fullmatch(name))]


def _the_metadata(contents: Contents) -> re.Match[str]:
    found = _metadata(contents)
    if not found:
        raise SceneError(
            f"{contents.path} has Sentinel-2 images and no MTD_MSIL1C.xml or MTD_MSIL2A.xml, so what"
            " its values mean is not known.",
            hint="Copy the whole SAFE folder.",
        )
    if len({match["root"] for match in found}) > 1:
        raise SceneError(f"{contents.path} holds {len(found)} Sentinel-2 products.", hint="Give them one by one.")
    return found[0]


def _level(code: str, contents: Contents) -> Level:
    if code in LEVELS:
        return LEVELS[code]
    raise SceneError(
        f"{contents.path} is a Sentinel-2 product of Level-{code}, which holds no reflectance on a map grid.",
        hint="Use the Level-1C or Level-2A product of the same scene.",
    )


def _parse(text: str, what: str) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SceneError(f"{what} declares entities, which product metadata never do.", hint="Do not trust this file.")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise SceneError(f"{what} is no valid XML: {error}.", hint="Copy or download it again.") from error


def _radiometry(
    tree: ElementTree.Element, level: Level, contents: Contents
) -> tuple[float, dict[int, float], list[str]]:
    """Quantification value, offset in DN by band number, and notes."""
    quantification = _number(_value(tree, level.quantification), level.quantification, contents)
    if quantification <= 0:
        raise SceneError(f"{level.quantification} is {quantification:g} in {contents.path}.", hint="Download it again.")
    offsets = {
        int(element.get("band_id", "-1")): _number(element.text, level.offset, contents)
        for element in tree.iter()
        if _tag(element) == level.offset
    }
    baseline = _number(_value(tree, "PROCESSING_BASELINE") or "0", "PROCESSING_BASELINE", contents)
    if offsets or baseline < OFFSET_SINCE:
        return quantification, offsets, []
    if baseline >= TEST_BASELINE:
        return quantification, {}, [f"Processing baseline {baseline:.2f} gives no {level.offset}; none is added."]
    raise SceneError(
        f"{contents.path} has processing baseline {baseline:05.2f}, whose values are shifted, and its"
        f" metadata lack {level.offset}.",
        hint="Download the product's metadata again.",
    )


def _images(contents: Contents, root: str) -> dict[str, list[Source]]:
    """Sources by band label.

    Raises:
        SceneError: There is more than one granule, as in products before 2016.
    """
    images: dict[str, list[Source]] = {}
    granules = set()
    for name in contents.names:
        found = IMAGE.fullmatch(name) if name.startswith(root) else None
        if found:
            granules.add(name.removeprefix(root).split("/IMG_DATA/")[0])
            gsd = float(found["resolution"]) if found["resolution"] else None
            images.setdefault(found["label"], []).append(Source(contents.gdal_path(name), gsd=gsd))
    if len(granules) > 1:
        raise SceneError(
            f"{contents.path} holds {len(granules)} granules, each a scene of its own.",
            hint="Split it, or download the products of single tiles.",
        )
    return images


def _bands(
    images: dict[str, list[Source]], code: str, quantification: float, offsets: dict[int, float]
) -> tuple[tuple[Band, ...], dict[str, str]]:
    """Bands that are there, and the files of those that are not."""
    bands, missing = [], {}
    for name, spec in BANDS.items():
        sources = [Source(s.path, gsd=s.gsd or spec.resolution) for s in images.get(spec.label, [])]
        if sources:
            scale, offset = 1 / quantification, offsets.get(spec.number, 0.0) / quantification
            bands.append(Band(name, tuple(sources), scale, offset, nodata=0))
        elif code == "1C":
            missing[name] = f"IMG_DATA/*_{spec.label}.jp2"
        elif name != "cirrus":
            resolution = max(20, int(spec.resolution)) if name == "coastal" else int(spec.resolution)
            missing[name] = f"IMG_DATA/R{resolution}m/*_{spec.label}_{resolution}m.jp2"
    return tuple(bands), missing


def _require(missing: dict[str, str], contents: Contents) -> None:
    lacking = [name for name in NEEDED if name in missing]
    if lacking:
        raise SceneError(
            f"{contents.path} lacks the band{'s' * (len(lacking) > 1)} {', '.join(lacking)}:"
            f" there is no {', '.join(missing[name] for name in lacking)}.",
            hint="Copy or download the product again.",
        )


def _quality(contents: Contents, root: str) -> Quality | None:
    """The scene classification at its native 20 m, or else at 60 m."""
    found = [m for name in contents.names if name.startswith(root) and (m := SCENE_CLASSES.fullmatch(name))]
    if not found:
        return None
    finest = min(found, key=lambda match: int(match["resolution"]))
    return Quality("SCL", Source(contents.gdal_path(finest.string)), from_scl)


def _value(tree: ElementTree.Element, name: str) -> str | None:
    """Text of the first element of that name, in whatever namespace."""
    return next((element.text for element in tree.iter() if _tag(element) == name), None)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _number(text: str | None, what: str, contents: Contents) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise SceneError(
            f"{what} is {text!r} in the metadata of {contents.path}, no number.", hint="Download the metadata again."
        ) from None
