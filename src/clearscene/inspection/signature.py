"""A person's name under a report: whose, when, with what decision, and for exactly which findings.

The digest covers every finding of the `defects` layer by its number, type, status, remark and polygon,
as they stand in the GeoPackage. Penalties and sizes follow from these, so they are not in it.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

import shapely

from clearscene.errors import OptionError
from clearscene.inspection.report import write_json
from clearscene.inspection.report_texts import say, word
from clearscene.inspection.result import Change, Decision, Report, Signature
from clearscene.inspection.run_folder import Row, RunFolder

__all__ = ["findings_digest", "row_digest", "sign", "signature_holds"]

_COLUMNS = ("id", "type", "type_id", "type_en", "type_zh", "status", "remark")


def row_digest(row: Row) -> str:
    """A digest of one finding: the same wherever its rings start, and for null as for empty text."""
    shape = bytes(shapely.to_wkb(shapely.normalize(row.polygon), byte_order=1))
    text = json.dumps([row.text(name) for name in _COLUMNS], ensure_ascii=False)
    return hashlib.sha256(text.encode() + shape).hexdigest()


def findings_digest(rows: Iterable[str]) -> str:
    """A digest of all findings, from `row_digest` of each. Law: the order of the findings is irrelevant."""
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def signature_holds(run: RunFolder) -> bool | None:
    """Whether the findings are still those that were signed; None if nobody has signed."""
    signature = run.report.signature
    if signature is None:
        return None
    return signature.digest == findings_digest(map(row_digest, run.rows()))


def sign(run: RunFolder, *, name: str, decision: Decision, remark: str = "") -> Report:
    """Put a name under the run as it was scored last; written into `report.json`, with a line among its changes.

    Raises:
        OptionError: The name is empty.
        OutputError: The record cannot be written.
    """
    name = name.strip()
    if not name:
        raise OptionError("A signature needs a name.", hint="Write the name of the person who signs.")
    now, score = datetime.now(UTC), run.report.score
    signature = Signature(
        name=name,
        at=now,
        decision=decision,
        remark=remark.strip(),
        digest=findings_digest(map(row_digest, run.rows())),
        score=score.score,
        grade=score.grade,
        standard=score.standard,
    )
    line = Change(when=now, who=name, what=say("signed", word(decision), signature.digest[:16]))
    report = run.report.model_copy(update={"signature": signature, "changes": [*run.report.changes, line]})
    write_json(report, run.folder)
    return report
