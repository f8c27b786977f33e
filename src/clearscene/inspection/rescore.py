"""Score a run again from its polygons as they stand after a person has edited them.

The `defects` layer is the truth: what is rejected, retyped, redrawn, added or deleted there counts.
The record says what changed, when, and by whom.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from getpass import getuser
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError, OptionError
from clearscene.inspection.charging import Extent, Rest
from clearscene.inspection.edit_log import EditLog, with_changes
from clearscene.inspection.edited_findings import read_findings
from clearscene.inspection.options import Encoding
from clearscene.inspection.outputs import write_copies
from clearscene.inspection.polygon_file import to_pixels
from clearscene.inspection.report import write_json
from clearscene.inspection.result import Finding, Report, Status, TypeSummary, UnitScore
from clearscene.inspection.run_folder import Row, RunFolder, check_writable, keep_standard, open_run, write_layers
from clearscene.inspection.scoring import judge_readability, price_findings
from clearscene.inspection.standard import Standard, load_standard
from clearscene.inspection.summary import summarize
from clearscene.inspection.units import Unit, score_units, units_of_centers
from clearscene.vector.layer import Layer, read_layer

__all__ = ["rescore", "score_rows"]

logger = logging.getLogger(__name__)


def rescore(run: str | Path, *, standard: Standard | str | Path | None = None, who: str = "") -> Report:
    """Score a run again from the `defects` layer as it stands; update the GeoPackage and `report.json`.

    A polygon whose shape is unchanged keeps its detected sizes; a redrawn or new one is measured.
    A polygon without id gets one, with the status `added` and the detector `person`. Of the columns
    type, type_id, type_en and type_zh it is enough to change one. `defects.shp` and
    `defects.geojson` are written again if the run has them; `report.html` is left to the caller.
    Scoring twice changes nothing the second time and records nothing.

    Args:
        run: A run folder, or the GeoPackage in it.
        standard: A standard, its name or file, which the run keeps; None takes the one of the run.
        who: Recorded with each change; the name of the user if empty.

    Raises:
        ResultError: The run is incomplete.
        VectorError: A polygon has no type, an unknown status, or lies outside the scene.
        OutputError: A file cannot be written.
    """
    held = open_run(run)
    check_writable(held.gpkg)
    rules = standard if isinstance(standard, Standard) else load_standard(standard) if standard else held.standard()
    edits = EditLog()
    rows = held.rows()
    findings = read_findings(rows, held, edits)
    report = _scored(held, rules, findings, rows)
    report = with_changes(report, held.report, edits, who or getuser())
    # The GeoPackage comes after the record: it remembers which shapes were scored, so if it came first and
    # the record then failed, a redrawn polygon would pass as scored and keep its old size for good.
    write_json(report, held.folder)
    write_layers(held.gpkg, report, [row.fid for row in rows])
    _copy_layer(held)
    if standard is not None and not isinstance(standard, Standard):
        keep_standard(held.folder, standard)
    return report


def score_rows(
    run: RunFolder,
    rows: Sequence[Row],
    standard: Standard,
    *,
    bad: dict[int, ClearsceneError] | None = None,
    known: dict[Row, Finding] | None = None,
) -> Report:
    """What `rescore` would make of these rows; nothing is written, and no change is recorded.

    Law: `rescore` of a file that holds `rows` leaves these findings and this score.

    Args:
        run: The run as it was recorded last.
        rows: Features of the `defects` layer, in the order of the file.
        standard: By which to score.
        bad: Filled with the error of each row that cannot be understood, by feature id; such a row is then left
            out. None raises it.
        known: What was read of rows before, against the same record; rows that are not in it are added.

    Raises:
        VectorError: As `rescore`, if `bad` is None.
    """
    findings = read_findings(rows, run, EditLog(), bad=bad, known=known)
    kept = [row for row in rows if row.fid not in bad] if bad else list(rows)
    return _scored(run, standard, findings, kept)


def _copy_layer(run: RunFolder) -> None:
    """Write the Shapefile and the GeoJSON of a run, where it has them, from the `defects` layer as it stands."""
    formats = {"shp", "geojson"} & run.report.files.keys()
    if not formats:
        return
    table = read_layer(run.gpkg, "defects")
    drawn = ~shapely.is_missing(table.geometries)
    fields = {name: values[drawn] for name, values in table.fields.items()}
    layer = Layer("defects", "MultiPolygon", table.geometries[drawn], fields, run.grid.crs)
    encoding = _encoding_of(run.folder / "defects.cpg")
    try:
        write_copies(run.folder, layer, formats, encoding=encoding)
    except OptionError as error:
        logger.warning("%s It is written in UTF-8.", error.message)
        write_copies(run.folder, layer, formats, encoding="UTF-8")


def _encoding_of(cpg: Path) -> Encoding:
    """The encoding that a Shapefile was written in."""
    is_gbk = cpg.is_file() and cpg.read_text("ascii", errors="replace").strip().upper() in ("GBK", "936", "CP936")
    return "GBK" if is_gbk else "UTF-8"


def _scored(run: RunFolder, standard: Standard, findings: list[Finding], rows: Sequence[Row]) -> Report:
    """The report with new penalties, score, sums and units."""
    old, pixels = run.report, run.report.pixels
    units, polygons = _units(run), [row.polygon for row in rows]
    if units:
        names = units_of_centers(polygons, units)
        findings = [f.model_copy(update={"unit": name}) for f, name in zip(findings, names, strict=True)]
    undrawn = {summary.type: _rest_of(summary, old) for summary in old.types if summary.n_not_drawn}
    rest = {name: r for name, r in undrawn.items() if not _all_rejected(name, findings)}
    px, m2 = pixels.inspected, pixels.inspected_m2
    findings, scored = price_findings(findings, standard, inspected=Extent(px, m2), rest=rest)
    why_not = {summary.type: summary.reason for summary in old.types if summary.reason is not None}
    types = summarize(findings, penalties=scored.by_type, rest=undrawn, not_inspected=why_not, inspected=Extent(px, m2))
    scores = _unit_scores(run, standard, findings, polygons) if units else []
    return old.model_copy(
        update={
            "findings": findings,
            "score": judge_readability(scored.record, pixels),
            "types": types,
            "units": scores,
        }
    )


def _unit_scores(
    run: RunFolder, standard: Standard, findings: Sequence[Finding], polygons: Sequence[BaseGeometry]
) -> list[UnitScore]:
    """The scores of the units of a run that has some."""
    old, units = run.report.units, _units(run)
    px_of = {unit.unit: unit.inspected_px for unit in old}
    outline = shapely.box(0, 0, run.grid.width, run.grid.height)
    inside = list(shapely.intersection(np.array(polygons, object), outline))  # the part whose size the finding has
    undrawn_of = {unit.unit: {name: Rest(*size) for name, size in unit.undrawn.items()} for unit in old}
    scores = score_units(findings, inside, units, standard=standard, inspected_px=px_of, grid=run.grid, rest=undrawn_of)
    return [new.model_copy(update={"bounds": unit.bounds}) for new, unit in zip(scores, old, strict=True)]


@lru_cache(maxsize=8)
def _units(run: RunFolder) -> tuple[Unit, ...]:
    """The units of the record by their polygons in the `units` layer; by their bounds where that lacks one."""
    drawn = run.unit_polygons() if run.report.units else {}
    outline = shapely.box(0, 0, run.grid.width, run.grid.height)
    return tuple(
        Unit(
            unit.unit,
            drawn.get(unit.unit) or shapely.intersection(to_pixels(shapely.box(*unit.bounds), run.grid), outline),
        )
        for unit in run.report.units
    )


def _rest_of(summary: TypeSummary, report: Report) -> Rest:
    """What the record counts of a type without having drawn it."""
    drawn = sum(f.area_px for f in report.findings if f.type == summary.type and f.status != Status.REJECTED)
    return Rest(summary.n_not_drawn, max(0, summary.area_px - drawn))


def _all_rejected(name: str, findings: Sequence[Finding]) -> bool:
    """Whether a person has rejected every drawn finding of a type; then the undrawn ones, all smaller, go too."""
    return all(f.status == Status.REJECTED for f in findings if f.type == name)
