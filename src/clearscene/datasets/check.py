"""What a folder holds of a data set, and what is missing."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from clearscene.datasets.catalog import is_points, spec_of
from clearscene.datasets.reader import DatasetReader
from clearscene.datasets.spec import DatasetSpec
from clearscene.errors import ClearsceneError

__all__ = ["check", "describe"]

SHOWN = 50
"""Missing files that are named; the rest is counted."""


def describe(spec: DatasetSpec) -> dict[str, Any]:
    """What is known of a data set, as JSON has it."""
    return {
        "name": spec.name,
        "title": spec.title,
        "kind": spec.kind,
        "bands": list(spec.bands),
        "usual_bands": list(spec.usual_bands or spec.bands),
        "scaling": spec.scaling,
        "classes": list(spec.classes),
        "codes": {str(label.code): label.name for label in spec.labels},
        "ignored": list(spec.ignored),
        "cloud_mask": {label.name: label.cloud for label in spec.labels} if spec.is_about_clouds else None,
        "published_split": spec.has_published_split,
        "stratify": spec.stratify or None,
        "expected": dict(spec.expected),
        "license": spec.license,
        "get": spec.get,
        "layout": spec.layout,
        "source": spec.source,
        "verified": spec.verified,
        "notes": list(spec.notes),
    }


def check(
    name: str, folder: Path, *, is_quick: bool = False, advance: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """Counts, missing files, pixels by class; a file that is broken is listed, not raised.

    Args:
        name: Of the data set, or the path of a .toml file.
        folder: Of the download.
        is_quick: No masks are read, so that pixels are not counted.
        advance: As for `prepare`.

    Raises:
        DatasetError: There is no such data set, or the folder holds nothing of it.
    """
    if is_points(name):
        return _check_points(name, folder)
    reader = DatasetReader.open(name, folder)
    spec, entries = reader.spec, reader.entries
    report: dict[str, Any] = {
        "dataset": spec.name,
        "folder": str(folder),
        "scenes": len(entries),
        "groups": len({entry.group for entry in entries}),
        "expected": dict(spec.expected),
        "counts": dict(reader.listing.counts),
        "by_split": dict(Counter(entry.split or "none" for entry in entries)),
        "by_biome": dict(sorted(Counter(entry.biome for entry in entries if entry.biome).items())),
        "fewer": list(reader.fewer),
        "n_missing": len(reader.missing),
        "missing": list(reader.missing[:SHOWN]),
        "notes": list(reader.listing.notes),
        "license": spec.license,
        "get": spec.get,
        "verified": spec.verified,
    }
    if not is_quick:
        report |= _pixels(reader, advance)
    report["is_complete"] = bool(entries) and not (reader.missing or reader.fewer or report.get("broken"))
    return report


def _pixels(reader: DatasetReader, advance: Callable[[str, int, int], None] | None) -> dict[str, Any]:
    """Pixels by class over all scenes, scenes by cover, and files that are broken: masks, and the end of each band."""
    totals: Counter[str] = Counter()
    covers: Counter[str] = Counter()
    broken = []
    table = (*reader.spec.classes, "ignored")
    for number, entry in enumerate(reader.entries, start=1):
        if advance:
            advance(entry.id, number, len(reader.entries))
        try:
            scene = reader.scene(entry, bands=reader.spec.bands)
            height, width = scene.mask.shape
            scene.read(Window(0, height - 1, width, 1))  # files that broke off lack their end
        except ClearsceneError as error:
            broken.append(error.message)
            continue
        counts = np.bincount(scene.mask.ravel(), minlength=256)
        totals.update({name: int(counts[i]) for i, name in enumerate(table[:-1])} | {"ignored": int(counts[255])})
        covers[scene.cover or "none"] += 1
    return {
        "pixels": {name: totals[name] for name in table},
        "by_cover": {word: covers[word] for word in ("clear", "mid", "cloudy", "none") if covers[word]},
        "broken": broken,
    }


def _check_points(name: str, folder: Path) -> dict[str, Any]:
    from clearscene.datasets.layouts.pixbox import read_points
    from clearscene.datasets.layouts.pixbox_products import PRODUCTS

    spec, points = spec_of(name), read_points(folder, name)
    found = {"points": len(points), "products": len(set(points.product.tolist()))}
    short = [f"{spec.expected[word] - n} {word}" for word, n in found.items() if n < spec.expected[word]]
    return {
        "dataset": name,
        "folder": str(folder),
        **found,
        "expected": dict(spec.expected),
        "by_product": dict(
            Counter(PRODUCTS[name].get(number, f"unknown {number}") for number in points.product.tolist())
        ),
        "by_class": {
            "clear": int(points.is_clear.sum()),
            "cloud": int(points.is_cloud.sum()),
            "cloud_shadow": int(points.is_shadow.sum()),
            "cloud_and_shadow": int((points.is_cloud & points.is_shadow).sum()),
        },
        "n_missing": len(short),
        "missing": short,
        "license": spec.license,
        "get": spec.get,
        "verified": spec.verified,
        "is_complete": not short,
    }
