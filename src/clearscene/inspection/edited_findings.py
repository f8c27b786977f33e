"""Findings from the rows of the `defects` layer as a person has left them, set beside those of the record."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from clearscene.errors import ClearsceneError, VectorError
from clearscene.grid import Grid
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.edit_log import EditLog
from clearscene.inspection.measure_shape import Sizes, measure_shape
from clearscene.inspection.report_texts import say, word
from clearscene.inspection.result import Finding, Report, Status
from clearscene.inspection.row_values import status_of, type_of
from clearscene.inspection.run_folder import Row, RunFolder
from clearscene.inspection.taxonomy import BY_NAME, DefectType, Group

__all__ = ["read_findings"]

_PERSON = "person"
_SLACK_PX = 4
"""How far a drawn outline may lie outside the detected pixels: dilation, simplification and rounding."""


def read_findings(
    rows: Sequence[Row],
    run: RunFolder,
    edits: EditLog,
    *,
    bad: dict[int, ClearsceneError] | None = None,
    known: dict[Row, Finding] | None = None,
) -> list[Finding]:
    """A finding for each row, compared with the record of the run.

    An id that the record does not know is kept by the first row that has it: the review page gives such ids.

    Args:
        rows: Features of the `defects` layer, in the order of the file.
        run: The run as it was recorded last.
        edits: Filled with what differs from the record.
        bad: Filled with the error of each row that cannot be understood, by feature id; such a row is then left
            out. None raises it.
        known: What was read of rows before, against the same record; rows that are not in it are added.

    Raises:
        VectorError: A row cannot be understood, if `bad` is None.
    """
    recorded = {finding.id: finding for finding in run.report.findings}
    keepers = _keepers(rows, recorded)
    number = max([0, *recorded, *(row.values["id"] for row in rows if _is_id(row))])
    findings, taken = [], set(recorded)
    for row in rows:
        try:
            if row.fid in keepers:
                finding = known.get(row) if known is not None else None
                findings.append(finding or _updated(recorded[row.values["id"]], row, run, edits))
                if known is not None:
                    known[row] = findings[-1]
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
    for deleted in sorted(set(recorded) - {f.id for f in findings}):
        edits.note(deleted, say("edit_deleted", _type(recorded[deleted].type)))
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


def _added(number: int, row: Row, run: RunFolder, edits: EditLog) -> Finding:
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


def _updated(old: Finding, row: Row, run: RunFolder, edits: EditLog) -> Finding:
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
