"""What people write into the columns of a finding: its type and its status."""

from clearscene.errors import VectorError
from clearscene.inspection.polygon_file import defect_of
from clearscene.inspection.result import Finding, Status
from clearscene.inspection.run_folder import Row
from clearscene.inspection.taxonomy import BY_NAME, TYPES, DefectType
from clearscene.inspection.texts import WORDS

__all__ = ["status_of", "type_of"]

_TYPE_COLUMNS = ("type", "type_id", "type_en", "type_zh")
_STATUSES = {"已接受": Status.ACCEPTED, "已确认": Status.ACCEPTED, "已拒绝": Status.REJECTED} | {
    word.casefold(): s for s in Status for word in (s.value, *WORDS[s])
}
"""What people write for a status: the key, or the word of either report."""


def type_of(row: Row, old: Finding | None) -> DefectType:
    """The type that a row names; of several columns, the one that differs from the record.

    Raises:
        VectorError: A column holds no type, two columns were changed to different ones, or a new row has none.
    """
    named = {}
    for column in _TYPE_COLUMNS:
        if row.text(column):
            named[column] = defect_of(row.values[column])
            if named[column] is None:
                allowed = ", ".join(f"{t.name} ({t.id})" for t in TYPES)
                raise VectorError(
                    f"A polygon has {column} {row.text(column)!r}, which is no type.", hint=f"The types are {allowed}."
                )
    now = {defect for defect in named.values() if defect is not None}
    changed = now - {BY_NAME[old.type]} if old is not None else now
    if len(changed) > 1:
        both = " and ".join(sorted(defect.name for defect in changed))
        raise VectorError(f"A polygon is called {both} at once.", hint="Change one of its type columns only.")
    if changed:
        return changed.pop()
    if old is None:
        raise VectorError("A new polygon has no type.", hint="Fill one of type, type_id, type_en or type_zh.")
    return BY_NAME[old.type]


def status_of(row: Row, default: Status) -> Status:
    """The status that a row names by its key or by the word of either report; `default` where it names none.

    Raises:
        VectorError: It is unknown.
    """
    text = row.text("status")
    if not text:
        return default
    status = _STATUSES.get(text.casefold())
    if status is None:
        known = ", ".join(f"{s} ({WORDS[s][1]})" for s in Status)
        raise VectorError(f"A polygon has the status {text!r}, which is unknown.", hint=f"Write one of {known}.")
    return status
