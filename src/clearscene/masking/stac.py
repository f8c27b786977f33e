"""`_mask.stac.json`: the mask as a STAC Item.

STAC 1.1 with the extensions eo 1.1, classification 2.0, projection 2.0 and processing 1.2. The model is
linked as `processing-expression`, which the processing extension means for what describes how the data was
made; the link leads to the model's own MLM Item where its folder has one.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from clearscene import __version__
from clearscene.atomic import replacing
from clearscene.grid import Grid
from clearscene.masking.classes import NODATA, MaskClass
from clearscene.masking.footprint import footprint
from clearscene.masking.result import MaskReport
from clearscene.raster.sensors.stac import recognize

__all__ = ["mask_item", "write_item"]

SCHEMAS = "https://stac-extensions.github.io"
EXTENSIONS = (
    f"{SCHEMAS}/eo/v1.1.0/schema.json",
    f"{SCHEMAS}/classification/v2.0.0/schema.json",
    f"{SCHEMAS}/projection/v2.0.0/schema.json",
    f"{SCHEMAS}/processing/v1.2.0/schema.json",
)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
MEDIA = {
    "mask": (COG, "Cloud mask", ["data", "cloud", "cloud-shadow"]),
    "confidence": (COG, "Probability of each class, percent", ["data"]),
    "qa": (COG, "Agreement with the quality band of the product", ["metadata"]),
    "qa_style": ("application/xml", "QGIS style of the agreement", ["metadata"]),
    "vector": ("application/geopackage+sqlite3", "Clouds and shadows as polygons", ["data"]),
    "style": ("application/xml", "QGIS style", ["metadata"]),
    "report": ("application/json", "How the mask was made", ["metadata"]),
}
"""Media type, title and roles by the key in the report's `files`."""


def write_item(report: MaskReport, grid: Grid, entries: Sequence[MaskClass], path: Path) -> None:
    """Write the Item of a mask beside its files."""
    with replacing(path) as part:
        part.write_text(json.dumps(mask_item(report, grid, entries), indent=2, allow_nan=False) + "\n", "utf-8")


def mask_item(report: MaskReport, grid: Grid, entries: Sequence[MaskClass]) -> dict[str, object]:
    """The Item of a mask; hrefs are relative to its folder. Without a CRS it has no geometry.

    `eo:cloud_cover` is that of the scene, before any buffer, and left out where nothing is known of it; the
    percentages of `classification:classes` are those of the file. A scene across the antimeridian has a MultiPolygon
    cut there, and a bbox whose west is greater than its east (RFC 7946, sections 3.1.9 and 5.2).
    """
    ground = footprint(grid)
    item: dict[str, object] = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": Path(report.files["mask"]).stem,
        "geometry": ground.geometry if ground else None,
        **({"bbox": ground.bbox} if ground else {}),
        "properties": _properties(report, grid),
        "links": _links(report),
        "assets": _assets(report, entries),
    }
    return item


def _properties(report: MaskReport, grid: Grid) -> dict[str, object]:
    made = _time(report.created)
    taken = _normal_time(report.scene.datetime)
    note = "" if taken else " The scene does not say when it was taken; datetime is when the mask was made."
    buffer_m = report.options.get("buffer")
    if buffer_m:
        note += f" Clouds and shadows are grown by {buffer_m} m; eo:cloud_cover is of what they were before."
    epsg = grid.crs.to_epsg() if grid.crs else None
    models = ", ".join(f"{model.name} {model.version}" for model in report.models)
    return {
        "title": f"Cloud mask of {report.scene.name}",
        "description": f"Cloud mask of {report.scene.name} by {models}.{note}",
        "datetime": taken or made,
        "created": made,
        **({} if report.cloud_percent is None else {"eo:cloud_cover": round(report.cloud_percent, 2)}),
        "proj:code": f"EPSG:{epsg}" if epsg else None,
        **({"proj:wkt2": grid.crs.to_wkt()} if grid.crs and not epsg else {}),
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform)[:6],
        "processing:lineage": f"clearscene mask {_options(report)}".strip(),
        "processing:software": {"clearscene": __version__, **{m.name: m.version for m in report.models}},
    }


def _options(report: MaskReport) -> str:
    said = {"yes": "--{0}", "no": "--no-{0}"}
    return " ".join(said.get(value, "--{0} {1}").format(name, value) for name, value in report.options.items())


def _links(report: MaskReport) -> list[dict[str, str]]:
    source = report.scene.path if "://" in report.scene.path else Path(report.scene.path).resolve().as_uri()
    relation = "derived_from" if recognize(report.scene.path) else "via"
    links = [{"rel": relation, "href": source, "title": report.scene.name}]
    for model in report.models:
        if model.link:
            kind = "application/geo+json" if model.link.endswith(".json") else "text/markdown"
            title = f"Model {model.name} {model.version}"
            links.append({"rel": "processing-expression", "href": model.link, "type": kind, "title": title})
    return links


def _assets(report: MaskReport, entries: Sequence[MaskClass]) -> dict[str, object]:
    assets: dict[str, dict[str, object]] = {}
    for key, name in report.files.items():
        if key in MEDIA:
            media, title, roles = MEDIA[key]
            assets[key] = {"href": f"./{name}", "type": media, "title": title, "roles": roles}
    shares = {share.id: share for share in report.shares}
    classes: list[dict[str, object]] = [
        {
            "value": entry.id,
            "name": entry.name,
            "title": entry.title,
            "color_hint": entry.color.lstrip("#").upper(),
            "percentage": round(shares[entry.id].percent, 4),
            "count": shares[entry.id].pixels,
        }
        for entry in entries
    ]
    classes.append({"value": NODATA, "name": "no_data", "title": "no data", "nodata": True})
    assets["mask"] |= {"data_type": "uint8", "nodata": NODATA, "classification:classes": classes}
    return dict(assets)


def _normal_time(text: str | None) -> str | None:
    """A time as STAC wants it; a date alone is its midnight, what is no time is None."""
    if not text:
        return None
    try:
        return _time(datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)))
    except ValueError:
        return None


def _time(when: datetime) -> str:
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
