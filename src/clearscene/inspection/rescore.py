"""Score a run again from its polygons as they stand after a person has edited them.

The `defects` layer is the truth: what is rejected, retyped, redrawn, added or deleted there counts.
The record says what changed, when, and by whom.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from getpass import getuser
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError, OptionError, VectorError
from clearscene.grid import Grid
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.measure_shape import Sizes, measure_shape
from clearscene.inspection.options import Encoding
from clearscene.inspection.outputs import write_copies
from clearscene.inspection.polygon_file import to_pixels
from clearscene.inspection.report import write_json
from clearscene.inspection.report_texts import Texts, say, word
from clearscene.inspection.result import Change, Finding, Report, ScoreRecord, Status, TypeSummary, UnitScore
from clearscene.inspection.row_values import status_of, type_of
from clearscene.inspection.run_folder import Row, RunFolder, check_writable, keep_standard, open_run, write_layers
from clearscene.inspection.scoring import Extent, Rest, judge_readability, price_findings
from clearscene.inspection.standard import Standard, load_standard
from clearscene.inspection.summary import summarize
from clearscene.inspection.taxonomy import BY_NAME, DefectType, Group
from clearscene.inspection.units import Unit, score_units, units_of_centers
from clearscene.vector.layer import Layer, read_layer

__all__ = ["rescore", "score_rows"]

logger = logging.getLogger(__name__)

_PERSON = "person"
_SLACK_PX = 4
"""How far a drawn outline may lie outside the detected pixels: dilation, simplification and rounding."""


@dataclass
class _Edits:
    """What a person did, gathered so that a thousand rejections make one line."""

    by_text: dict[Bilingual, list[int]] = field(default_factory=dict)

    def note(self, number: int, text: Bilingual) -> None:
        self.by_text.setdefault(text, []).append(number)

    def lines(self) -> list[Bilingual]:
        """One line for each kind of change, with the ids of the findings."""
        return [
            say("edit_of_one", numbers[0], text) if len(numbers) == 1 else say("edit_of_many", _listed(numbers), text)
            for text, numbers in self.by_text.items()
        ]


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
    edits = _Edits()
    rows = held.rows()
    findings = _read_findings(rows, held, edits)
    report = _scored(held, rules, findings, rows)
    report = _with_changes(report, held.report, edits, who or getuser())
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
    findings = _read_findings(rows, run, _Edits(), bad, known)
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


def _read_findings(
    rows: Sequence[Row],
    run: RunFolder,
    edits: _Edits,
    bad: dict[int, ClearsceneError] | None = None,
    read: dict[Row, Finding] | None = None,
) -> list[Finding]:
    """A finding for each row, with `edits` filled: compared with the record of the run.

    An id that the record does not know is kept by the first row that has it: the review page gives such ids.
    """
    known = {finding.id: finding for finding in run.report.findings}
    keepers = _keepers(rows, known)
    number = max([0, *known, *(row.values["id"] for row in rows if _is_id(row))])
    findings, taken = [], set(known)
    for row in rows:
        try:
            if row.fid in keepers:
                finding = read.get(row) if read is not None else None
                findings.append(finding or _updated(known[row.values["id"]], row, run, edits))
                if read is not None:
                    read[row] = findings[-1]
                continue
            own = int(row.values["id"]) if _is_id(row) and row.values["id"] > 0 else 0
            if own in taken or own == 0:
                number += 1
                own = number
            taken.add(own)
            findings.append(_added(own, row, run, edits))
        except ClearsceneError as error:
            if bad is not None:
                bad[row.fid] = error
                continue
            place = f"{error.message} (feature {row.fid} of {run.gpkg})"
            raise VectorError(place, hint=error.hint) from error
    for deleted in sorted(set(known) - {f.id for f in findings}):
        edits.note(deleted, say("edit_deleted", _type(known[deleted].type)))
    return findings


def _is_id(row: Row) -> bool:
    return isinstance(row.values.get("id"), int)


def _keepers(rows: Sequence[Row], known: Mapping[int, Finding]) -> set[int]:
    """Feature ids of the rows that keep their id; of rows with one id, the one with the shape as scored.

    QGIS gives both parts of a polygon that is split, and a copy, the id of the original.
    """
    best: dict[int, Row] = {}
    for row in rows:
        number = int(row.values.get("id") or 0)  # 0 is no id
        if number in known and (number not in best or (row.is_as_scored and not best[number].is_as_scored)):
            best[number] = row
    return {row.fid for row in best.values()}


def _added(number: int, row: Row, run: RunFolder, edits: _Edits) -> Finding:
    """The finding for a polygon that a person has drawn."""
    defect = type_of(row, None)
    sizes = _measured(row, run.grid)
    status = status_of(row, Status.ADDED)
    finding = {
        "id": number,
        "detector": _PERSON,
        "confidence": 1.0,
        "status": Status.ADDED if status is Status.PROPOSED else status,
        "remark": row.text("remark"),
    }
    edits.note(number, say("edit_added", _type(defect.name), sizes.area_px))
    return Finding.model_validate(finding | _type_fields(defect) | _size_fields(sizes, defect, run.report))


def _updated(old: Finding, row: Row, run: RunFolder, edits: _Edits) -> Finding:
    """The finding of the record with what a person has changed."""
    defect, status, remark = type_of(row, old), status_of(row, old.status), row.text("remark")
    is_moved = not row.is_as_scored if row.is_as_scored is not None else _looks_moved(old, row)
    update: dict[str, object] = {"status": status, "remark": remark} | _type_fields(defect)
    if status != old.status:
        edits.note(old.id, say("edit_status", word(old.status), word(status)))
    if remark != old.remark:
        edits.note(old.id, say("edit_remark", remark))
    if defect.name != old.type:
        edits.note(old.id, say("edit_type", _type(old.type), _type(defect.name)))
    if is_moved or defect.group.value != old.group:
        sizes = _measured(row, run.grid)
        if is_moved:
            edits.note(old.id, say("edit_shape", old.area_px, sizes.area_px))
        else:  # the type is of another group: the detected sizes stay, the length is new
            sizes = replace(sizes, area_px=old.area_px, area_m2=old.area_m2, bounds_px=old.bounds_px)
        update |= _size_fields(sizes, defect, run.report)
    return Finding.model_validate(old.model_dump() | update)


def _type(name: str) -> Bilingual:
    """A type by its key in English, which programs read, and by its title in Chinese."""
    return Bilingual(en=name, zh=BY_NAME[name].title_zh)


def _type_fields(defect: DefectType) -> dict[str, object]:
    return {"type": defect.name, "type_id": defect.id, "group": defect.group.value}


def _size_fields(sizes: Sizes, defect: DefectType, report: Report) -> dict[str, object]:
    is_boundary, inspected = defect.group is Group.BOUNDARY, report.pixels.inspected
    return {
        "area_px": sizes.area_px,
        "area_m2": sizes.area_m2,
        "area_fraction": 0.0 if is_boundary or inspected == 0 else sizes.area_px / inspected,
        "length_px": sizes.length_px if is_boundary else None,
        "length_m": sizes.length_m if is_boundary else None,
        "bounds_px": sizes.bounds_px,
        "n_parts": sizes.n_parts,
    }


@lru_cache(maxsize=4096)  # a review scores after every gesture, and most rows are then the same objects
def _measured(row: Row, grid: Grid) -> Sizes:
    sizes = measure_shape(row.polygon, grid)
    if sizes is None:
        raise VectorError("A polygon lies outside the scene.", hint="Move it back or delete it.")
    return sizes


def _looks_moved(old: Finding, row: Row) -> bool:
    """Without a hash of the shape as scored: whether the outline lies elsewhere than the detected pixels."""
    apart = zip(row.polygon.bounds, old.bounds_px, strict=True)
    return any(abs(now - then) > _SLACK_PX for now, then in apart)


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


def _with_changes(report: Report, old: Report, edits: _Edits, who: str) -> Report:
    """The report with a record of the edits, and of the new score if that is another one."""
    lines = edits.lines()
    before, after = old.score, report.score
    if (before.standard, before.score, before.grade) != (after.standard, after.score, after.grade):
        lines.append(say("edit_score", *_said(before), *_said(after), after.standard))
    now = datetime.now(UTC)
    changes = [Change(when=now, who=who, what=line) for line in lines]
    return report.model_copy(update={"changes": [*old.changes, *changes]})


def _said(score: ScoreRecord) -> tuple[str, Bilingual]:
    """Score and grade, the latter by its name in English."""
    titles = score.grades
    return f"{float(Texts().score(score.score)):g}", Bilingual(
        en=score.grade, zh=titles[score.grade].zh if score.grade in titles else score.grade
    )


def _listed(numbers: Sequence[int]) -> str:
    """Ids as people write them: "3", "1-4, 7"."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
