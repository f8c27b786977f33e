"""The files of a result: class map, confidence, polygons."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from rasterio.enums import Resampling

from clearscene.grid import Grid
from clearscene.inspection.class_map import class_bands, confidence_bands
from clearscene.inspection.clean import Regions
from clearscene.inspection.findings import Drawn
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.result import Finding, Report, Status
from clearscene.inspection.taxonomy import BACKGROUND, BY_ID, NODATA, TYPES
from clearscene.raster.cog import CogWriter
from clearscene.runs import Runs
from clearscene.vector.formats import write_geojson, write_shapefile
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Column, Layer
from clearscene.vector.outline import Geometries, to_map
from clearscene.vector.style import Category, Style, write_qml

__all__ = ["DEFECT_STYLE", "defect_layer", "write_class_map", "write_confidence", "write_polygons"]

CATEGORIES = {BACKGROUND: "background", **{t.id: t.title for t in TYPES}, NODATA: "no data or not inspected"}

DEFECT_STYLE = Style(
    expression=f"CASE WHEN \"status\" = '{Status.REJECTED}' THEN '{Status.REJECTED}' ELSE \"type\" END",
    categories=[
        *(Category(t.name, f"{t.title} {t.title_zh}", t.color) for t in TYPES),
        Category(Status.REJECTED, "Rejected 已否决", "#808080", is_hatched=True),
    ],
)
"""How QGIS draws the `defects` layer: a color a type, rejected findings hatched gray."""


def write_class_map(path: Path, grid: Grid, regions: Mapping[int, Regions], inspected: Runs) -> None:
    """Write the class map: uint8 COG, 255 nodata, color table and category names; memory: some rows."""
    colors = {t.id: (*_rgb(t.color), 255) for t in TYPES} | {BACKGROUND: (0, 0, 0, 0), NODATA: (0, 0, 0, 0)}
    with CogWriter(
        path, grid, dtype="uint8", nodata=NODATA, colors=colors, categories=CATEGORIES, resampling=Resampling.mode
    ) as writer:
        for row, band in class_bands(grid, regions, inspected):
            writer.write(band[np.newaxis], row, 0)


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
    folder: Path, report: Report, drawn: Sequence[Drawn], *, grid: Grid, options: InspectOptions
) -> dict[str, str]:
    """Write `defects.gpkg`, and `defects.shp` and `defects.geojson` if wanted; name of each by format."""
    geometries = np.array([None, *(d.geometry for d in drawn)], dtype=object)[1:]
    layer = defect_layer(report.findings, to_map(geometries, grid.transform), grid)
    write_geopackage(folder / "defects.gpkg", [layer, _scene_layer(report, grid)], styles={"defects": DEFECT_STYLE})
    files = {"gpkg": "defects.gpkg"}
    if "shp" in options.formats:
        files["shp"] = "defects.shp"
        write_shapefile(folder / files["shp"], layer, encoding=options.encoding)
        write_qml(folder / "defects.qml", DEFECT_STYLE)
    if "geojson" in options.formats:
        files["geojson"] = "defects.geojson"
        write_geojson(folder / files["geojson"], layer)
    return files


def defect_layer(findings: Sequence[Finding], geometries: Geometries, grid: Grid) -> Layer:
    """The `defects` layer: one row a finding, geometries in map coordinates."""
    types = [BY_ID[f.type_id] for f in findings]
    columns: dict[str, Column] = {
        "id": np.array([f.id for f in findings], np.int64),
        "type": [t.name for t in types],
        "type_id": np.array([t.id for t in types], np.int32),
        "type_en": [t.title for t in types],
        "type_zh": [t.title_zh for t in types],
        "group": [f.group for f in findings],
        "area_m2": _numbers([f.area_m2 for f in findings]),
        "length_m": _numbers([f.length_m for f in findings]),
        "area_px": np.array([f.area_px for f in findings], np.int64),
        "area_fraction": _numbers([f.area_fraction for f in findings]),
        "confidence": _numbers([round(f.confidence, 4) for f in findings]),
        "error_class": [f.error_class for f in findings],
        "penalty": _numbers([f.penalty for f in findings]),
        "detector": [f.detector for f in findings],
        "status": [f.status.value for f in findings],
        "remark": [f.remark for f in findings],
        "unit": [f.unit for f in findings],
    }
    for index, side in enumerate(("left", "top", "right", "bottom")):
        columns[side] = np.array([f.bounds_px[index] for f in findings], np.int64)
    return Layer("defects", "MultiPolygon", geometries, columns, grid.crs)


def _scene_layer(report: Report, grid: Grid) -> Layer:
    """The `scene` layer: the outline of the scene with its score."""
    outline = np.array([shapely.box(0, 0, grid.width, grid.height)], dtype=object)
    columns: dict[str, Column] = {
        "name": [report.scene.name],
        "path": [report.scene.path],
        "standard": [report.score.standard],
        "score": _numbers([report.score.score]),
        "grade": [report.score.grade],
        "passed": [report.score.passed],
        "is_draft": [report.score.is_draft],
        "valid_px": np.array([report.pixels.valid], np.int64),
        "inspected_px": np.array([report.pixels.inspected], np.int64),
        "inspected_m2": _numbers([report.pixels.inspected_m2]),
        "n_findings": np.array([sum(t.count for t in report.types)], np.int64),
        "created": [report.created.isoformat(timespec="seconds")],
        "clearscene_version": [report.clearscene_version],
    }
    return Layer("scene", "MultiPolygon", to_map(outline, grid.transform), columns, grid.crs)


def _numbers(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Float column; None becomes NaN, which is written as NULL."""
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
