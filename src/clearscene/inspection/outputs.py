"""The files of a result: class map, confidence, polygons."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling

from clearscene.grid import Grid
from clearscene.inspection.class_map import class_bands, confidence_bands
from clearscene.inspection.clean import Regions
from clearscene.inspection.findings import Drawn
from clearscene.inspection.layers import DEFECT_STYLE, UNIT_STYLE, defect_layer, scene_layer, unit_layer
from clearscene.inspection.options import Encoding, InspectOptions
from clearscene.inspection.result import Report
from clearscene.inspection.taxonomy import BACKGROUND, BY_ID, NODATA, TYPES
from clearscene.inspection.units import Unit
from clearscene.raster.cog import CogWriter
from clearscene.runs import Runs
from clearscene.vector.formats import write_geojson, write_shapefile
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Layer
from clearscene.vector.outline import to_map
from clearscene.vector.style import Category, write_qml, write_raster_qml

__all__ = ["write_class_map", "write_class_style", "write_confidence", "write_copies", "write_polygons"]

CATEGORIES = {BACKGROUND: "background", **{t.id: t.title for t in TYPES}, NODATA: "no data or not inspected"}


def write_class_map(path: Path, grid: Grid, regions: Mapping[int, Regions], inspected: Runs) -> None:
    """Write the class map: uint8 COG, 255 nodata, color table and category names; memory: some rows."""
    colors = {t.id: (*_rgb(t.color), 255) for t in TYPES} | {BACKGROUND: (0, 0, 0, 0), NODATA: (0, 0, 0, 0)}
    with CogWriter(
        path, grid, dtype="uint8", nodata=NODATA, colors=colors, categories=CATEGORIES, resampling=Resampling.mode
    ) as writer:
        for row, band in class_bands(grid, regions, inspected):
            writer.write(band[np.newaxis], row, 0)


def write_class_style(path: Path) -> None:
    """Write the QGIS style of the class map: types in their colors, the background clear."""
    write_raster_qml(path, [Category(str(t.id), f"{t.title} {t.title_zh}", t.color) for t in TYPES])


def write_confidence(path: Path, grid: Grid, regions: Mapping[int, Regions]) -> None:
    """Write the confidence of each type that was looked for, one uint8 band a type, percent, 0 is none."""
    types = [BY_ID[type_id] for type_id in sorted(regions)]
    if not types:
        return
    with CogWriter(path, grid, dtype="uint8", n_bands=len(types), descriptions=[t.name for t in types]) as writer:
        for band, defect in enumerate(types, start=1):
            for row, percent in confidence_bands(grid, regions[defect.id]):
                writer.write(percent[np.newaxis], row, 0, bands=[band])


def write_polygons(
    folder: Path, report: Report, drawn: Sequence[Drawn], *, units: Sequence[Unit], grid: Grid, options: InspectOptions
) -> dict[str, str]:
    """Write `defects.gpkg`, and `defects.shp` and `defects.geojson` if wanted; name of each by format.

    `units` are those of `report.units`, in the same order.
    """
    geometries = np.array([None, *(d.geometry for d in drawn)], dtype=object)[1:]
    layer = defect_layer(report.findings, to_map(geometries, grid.transform), grid)
    layers, styles = [layer, scene_layer(report, grid)], {"defects": DEFECT_STYLE}
    if units:
        layers.append(unit_layer(report.units, [unit.polygon for unit in units], grid))
        styles["units"] = UNIT_STYLE
    write_geopackage(folder / "defects.gpkg", layers, styles=styles)
    return {"gpkg": "defects.gpkg"} | write_copies(folder, layer, options.formats, encoding=options.encoding)


def write_copies(folder: Path, layer: Layer, formats: Container[str], *, encoding: Encoding) -> dict[str, str]:
    """Write the `defects` layer in the formats besides the GeoPackage, of `formats`; name of each by format."""
    files = {}
    if "shp" in formats:
        files["shp"] = "defects.shp"
        write_shapefile(folder / files["shp"], layer, encoding=encoding)
        write_qml(folder / "defects.qml", DEFECT_STYLE)
    if "geojson" in formats:
        files["geojson"] = "defects.geojson"
        write_geojson(folder / files["geojson"], layer)
    return files


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
