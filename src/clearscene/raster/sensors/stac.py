"""A STAC Item as a scene: its band assets by common name, scaled as the Item says.

Bands are those of `eo:bands` with `raster:bands` (STAC 1.0) or of `bands` (STAC 1.1). Source: the STAC
specification 1.1, and its extensions eo 1.1 and 2.0, raster 1.1 and 2.0.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import punctuation
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin
from urllib.request import urlopen

from clearscene.errors import MissingExtraError, SceneError
from clearscene.raster.sensors.product import Band, Kind, Product, Quality, Source
from clearscene.raster.sensors.quality import from_qa_pixel, from_scl

if TYPE_CHECKING:
    from pystac import Asset, Item

__all__ = ["describe", "is_item_file", "recognize"]

TIMEOUT_S = 20
LARGEST_ITEM = 16 * 2**20
NOT_FOR_READING = {"thumbnail", "overview", "visual", "metadata"}
"""Roles of assets that hold no reflectance."""

QUALITY = {"scl": ("SCL", from_scl), "qa_pixel": ("QA_PIXEL", from_qa_pixel)}
"""Quality bands by the key of their asset."""

OFFSET_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
"""Properties of catalogs that have added Sentinel-2's offset to the stored values and still list it."""


SUFFIXES = (".json", ".geojson")
API_ITEM = re.compile(
    r"https?://[^?#]*/collections/[^/?#]+/items/(?![^/?#]*\.(tiff?|jp2|vrt|img|png|jpe?g|zip|tar|t?gz)([/?#]|$))"
    r"[^/?#]+/?([?#].*)?",
    re.IGNORECASE,
)
"""Address of an Item in a STAC API, which has no suffix. Source: OGC API - Features, Part 1, section 7.16."""


def recognize(path: str | Path) -> bool:
    """True for a .json or .geojson file or address, and for an Item of a STAC API."""
    text = str(path).split("?")[0].lower()
    is_named = text.endswith(SUFFIXES) and not text.endswith("_mtl.json")
    return is_named or API_ITEM.fullmatch(str(path)) is not None


def is_item_file(path: Path) -> bool:
    """True for a file that holds an Item, but none of a mask of ours."""
    if path.suffix.lower() not in SUFFIXES or path.name.lower().endswith("_mask.stac.json") or not path.is_file():
        return False
    try:
        return _is_item(json.loads(_text(str(path))))
    except (OSError, ValueError, RecursionError):
        return False


def _is_item(content: object) -> bool:
    return isinstance(content, dict) and content.get("type") == "Feature" and "stac_version" in content


def describe(path: str | Path, *, scale: float | None, offset: float | None) -> Product:
    """Understand an Item: a file, or an http(s) address; `scale` and `offset` go before what it says.

    Raises:
        MissingExtraError: pystac is not installed.
        SceneError: It cannot be read, is no Item, or has no asset with a visible band.
    """
    item = _item(str(path))
    applied = any(item.properties.get(name) is True for name in OFFSET_APPLIED)
    bands: dict[str, Band] = {}
    for asset, number, band in _bands(item):
        name = str(band.get("eo:common_name") or band.get("common_name") or "")
        if name and name not in bands:
            bands[name] = _band(name, (_href(asset, path), number), band, scale=scale, offset=offset, applied=applied)
    _require(bands, item, path)
    kind, notes = _kind(item)
    if applied:
        notes.append("The Item says that the offset is applied to the stored values already; none is added.")
    collection = (item.collection_id or "").lower()
    return Product(
        path=str(path),
        name=re.sub(r'[\\/:*?"<>|\s]', "_", item.id) or "item",
        sensor=collection if re.fullmatch(r"(sentinel|landsat)[\w-]*", collection) else "stac",
        kind=kind,
        bands=tuple(bands.values()),
        quality=_quality(item, path),
        datetime=item.datetime.isoformat().replace("+00:00", "Z") if item.datetime else None,
        notes=notes,
    )


def _item(path: str) -> "Item":
    try:
        import pystac
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is a STAC Item, and reading those needs pystac.", hint="pip install 'clearscene[stac]'"
        ) from error
    try:
        content = json.loads(_text(path))
        if not _is_item(content):
            kind = content.get("type", "no type") if isinstance(content, dict) else type(content).__name__
            raise SceneError(f"{path} is no STAC Item ({kind}).", hint=_hint(content, path))
        item = pystac.Item.from_dict(content, href=path if "://" in path else str(Path(path).resolve()))
    except SceneError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pystac.STACError) as error:
        raise SceneError(
            f"{path} cannot be read as a STAC Item: {error}.", hint="Check the address and the file."
        ) from error
    return item


def _hint(content: object, path: str) -> str:
    """Where the Items are of what is none: those that a catalog links to, or an API answers with."""
    said = content if isinstance(content, dict) else {}
    links = [link for link in said.get("links") or [] if isinstance(link, dict)]
    for feature in said.get("features") or []:
        links += [{**link, "rel": "item"} for link in feature.get("links") or [] if link.get("rel") == "self"]
    item = next((str(link["href"]) for link in links if link.get("rel") == "item" and link.get("href")), "")
    if item:
        return f"It leads to Items: give the address of one, as {urljoin(path, item)}."
    return "Give the address of one Item; those of a catalog are its links with rel item."


def _text(path: str) -> bytes:
    """The Item's JSON; http and https only, or a file."""
    if re.match(r"https?://", path):
        with urlopen(_quoted(path), timeout=TIMEOUT_S) as answer:  # the scheme is checked above
            content: bytes = answer.read(LARGEST_ITEM + 1)
    else:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_ITEM + 1)
    if len(content) > LARGEST_ITEM:
        raise ValueError(f"more than {LARGEST_ITEM:,} bytes")
    return content


def _bands(item: "Item") -> Iterator[tuple["Asset", int, Mapping[str, Any]]]:
    """Assets with 1-based band numbers and all that is said of the band; JPEG 2000 twins come last."""
    assets = [asset for asset in item.assets.values() if not NOT_FOR_READING & set(asset.roles or ())]
    assets.sort(key=lambda asset: "jp2" in (asset.media_type or "") or asset.href.lower().endswith(".jp2"))
    for asset in assets:
        fields = asset.extra_fields
        bands = fields.get("bands") or fields.get("eo:bands") or [{}]
        raster = fields.get("raster:bands") or []
        for place, band in enumerate(bands):
            more = raster[place] if place < len(raster) else {}
            own = {f"raster:{key}": value for key, value in more.items()}
            yield asset, place + 1, {**fields, **own, **band}


def _band(
    name: str,
    source: tuple[str, int],
    said: Mapping[str, Any],
    *,
    scale: float | None,
    offset: float | None,
    applied: bool,
) -> Band:
    """A band as the Item describes it; `source` is an address and a 1-based number."""
    factor = float(said.get("raster:scale", 1.0)) if scale is None else scale
    shift = float(said.get("raster:offset", 0.0)) if offset is None else offset
    nodata = said.get("nodata", said.get("raster:nodata"))
    gsd = said.get("raster:spatial_resolution", said.get("gsd"))
    return Band(
        name,
        (Source(*source, gsd=float(gsd) if gsd else None),),
        factor,
        0.0 if applied and offset is None else shift,
        nodata=float(nodata) if isinstance(nodata, int | float) else None,
    )


def _href(asset: "Asset", path: str | Path) -> str:
    href = asset.get_absolute_href()
    if href is None:
        raise SceneError(f"{path} has an asset with the relative address {asset.href}.", hint="Make it absolute.")
    if href.startswith("file://"):
        return unquote(href.removeprefix("file://").removeprefix("localhost"))
    return _quoted(href) if re.match(r"https?://", href) else href


def _quoted(address: str) -> str:
    """An address without spaces and other characters that none may hold; what is quoted stays."""
    return quote(address, safe=punctuation)


def _require(bands: Mapping[str, Band], item: "Item", path: str | Path) -> None:
    lacking = [name for name in ("blue", "green", "red") if name not in bands]
    if lacking:
        raise SceneError(
            f"{path} has no asset for {', '.join(lacking)}; its assets are {', '.join(item.assets) or 'none'}, its"
            f" bands {', '.join(bands) or 'none'}.",
            hint="Band assets need eo:bands or bands with a common name.",
        )


def _kind(item: "Item") -> tuple[Kind, list[str]]:
    """Top of the atmosphere or surface, by the level in the properties, collection or id."""
    text = " ".join(
        str(part)
        for part in (
            item.properties.get("processing:level"),
            item.properties.get("landsat:correction"),
            item.collection_id,
            item.id,
        )
        if part
    ).upper()
    if re.search(r"(?<![A-Z0-9])(L2|LEVEL-?2)", text.replace("_", " ").replace("MSIL", " L")):
        return "surface", []
    if re.search(r"(?<![A-Z0-9])(L1|LEVEL-?1)", text.replace("_", " ").replace("MSIL", " L")):
        return "toa", []
    return "toa", ["The Item does not say its processing level; its values are taken as top of atmosphere."]


def _quality(item: "Item", path: str | Path) -> Quality | None:
    for key, asset in item.assets.items():
        if key.lower() in QUALITY:
            name, decode = QUALITY[key.lower()]
            return Quality(name, Source(_href(asset, path)), decode)
    return None
