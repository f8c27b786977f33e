"""The layers of `defects.gpkg`: findings, the scene, and its units, each with its columns and style."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from clearscene.grid import Grid
from clearscene.inspection.result import Finding, Report, Status, UnitScore
from clearscene.inspection.taxonomy import BY_ID, TYPES
from clearscene.vector.layer import Column, Layer
from clearscene.vector.outline import Geometries, to_map
from clearscene.vector.style import Category, Style

__all__ = [
    "DEFECT_STYLE",
    "UNIT_STYLE",
    "defect_columns",
    "defect_layer",
    "plain_rows",
    "scene_columns",
    "scene_layer",
    "unit_columns",
    "unit_layer",
]

DEFECT_STYLE = Style(
    expression=f"CASE WHEN \"status\" = '{Status.REJECTED}' THEN '{Status.REJECTED}' ELSE \"type\" END",
    categories=[
        *(Category(t.name, f"{t.title} {t.title_zh}", t.color) for t in TYPES),
        Category(Status.REJECTED, "Rejected 已驳回", "#808080", is_hatched=True),
    ],
)
"""How QGIS draws the `defects` layer: a color a type, rejected findings hatched gray."""

UNIT_STYLE = Style(
    expression="CASE WHEN \"passed\" THEN 'passed' ELSE 'failed' END",
    categories=[Category("passed", "Passed 合格", "#2e7d32"), Category("failed", "Failed 不合格", "#b0261c")],
)
"""How QGIS draws the `units` layer: green where a unit passed, red where it failed."""


def defect_layer(findings: Sequence[Finding], geometries: Geometries, grid: Grid) -> Layer:
    """The `defects` layer: one row a finding, geometries in map coordinates."""
    return Layer("defects", "MultiPolygon", geometries, defect_columns(findings), grid.crs)


def scene_layer(report: Report, grid: Grid) -> Layer:
    """The `scene` layer: the outline of the scene with its score."""
    outline = np.array([shapely.box(0, 0, grid.width, grid.height)], dtype=object)
    return Layer("scene", "MultiPolygon", to_map(outline, grid.transform), scene_columns(report), grid.crs)


def unit_layer(units: Sequence[UnitScore], polygons: Sequence[BaseGeometry], grid: Grid) -> Layer:
    """The `units` layer: one row a map sheet or grid cell; `polygons` in pixel coordinates, as far as in the scene."""
    flat = np.array([None, *map(_areal, polygons)], dtype=object)[1:]
    return Layer("units", "MultiPolygon", to_map(flat, grid.transform), unit_columns(units), grid.crs)


def defect_columns(findings: Sequence[Finding]) -> dict[str, Column]:
    """Columns of the `defects` layer."""
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
    return columns


def scene_columns(report: Report) -> dict[str, Column]:
    """Columns of the `scene` layer; `scored` is the time of the newest change, at first that of the inspection."""
    scored = report.changes[-1].when if report.changes else report.created
    return {
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
        "scored": [scored.isoformat(timespec="seconds")],
        "clearscene_version": [report.clearscene_version],
    }


def unit_columns(units: Sequence[UnitScore]) -> dict[str, Column]:
    """Columns of the `units` layer."""
    return {
        "name": [unit.unit for unit in units],
        "score": _numbers([unit.score for unit in units]),
        "grade": [unit.grade for unit in units],
        "passed": [unit.passed for unit in units],
        "inspected_px": np.array([unit.inspected_px for unit in units], np.int64),
        "n_findings": np.array([unit.n_findings for unit in units], np.int64),
    }


def plain_rows(columns: Mapping[str, Column]) -> Iterator[dict[str, Any]]:
    """The rows of a table as plain values for SQL; NaN becomes None."""
    for values in zip(*columns.values(), strict=True):
        yield {name: _plain(value) for name, value in zip(columns, values, strict=True)}


def _plain(value: object) -> object:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and np.isnan(plain) else plain


def _areal(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a shape; lines and points, where a sheet only touches the scene, are left out."""
    return shapely.multipolygons([part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"])


def _numbers(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Float column; None becomes NaN, which is written as NULL."""
    return np.array([np.nan if v is None else v for v in values], np.float64)
