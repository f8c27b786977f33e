"""The score of a run as it stands, kept in memory: by the same rules and standard as `clearscene score`."""

from collections.abc import Mapping
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError
from clearscene.inspection.report import JSON_NAME
from clearscene.inspection.rescore import score_rows
from clearscene.inspection.result import Finding, Report
from clearscene.inspection.run_folder import Row, RunFolder, open_run
from clearscene.inspection.signature import findings_digest, row_digest
from clearscene.inspection.standard import Standard

__all__ = ["Live", "Scored"]


@dataclass(frozen=True, eq=False)
class Scored:
    """Findings, polygons and score of one version of the file."""

    report: Report
    findings: Mapping[int, Finding]
    """By feature id, in the order of the file."""
    polygons: Mapping[int, BaseGeometry]
    """In pixel coordinates, by feature id."""
    bad: Mapping[int, ClearsceneError]
    """Rows that the score leaves out because they cannot be understood, by feature id."""


class Live:
    """Rows of the `defects` layer in memory, read again only where they have changed."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._standard: Standard = run.standard()
        self._rows: dict[int, Row] = {}
        self._digests: dict[int, str] = {}
        self._known: dict[Row, Finding] = {}
        self._record_stamp = 0
        self.reload()

    def reload(self) -> None:
        """Read everything again: the record, the standard, all rows."""
        self._record_stamp = self._stamp()
        self.run = open_run(self.run.gpkg)
        self._standard = self.run.standard()
        self._rows = {row.fid: row for row in self.run.rows()}
        self._digests, self._known = {}, {}

    def refresh(self, keys: set[int]) -> None:
        """Read some rows again, which may have come or gone; all, if the run was scored into its record meanwhile."""
        if self._stamp() != self._record_stamp:
            self.reload()
            return
        for key in keys:
            row = self._rows.pop(key, None)
            if row is not None:
                self._known.pop(row, None)
            self._digests.pop(key, None)
        self._rows |= {row.fid: row for row in self.run.rows(keys)}

    def score(self) -> Scored:
        """Score the rows.

        Law: `rescore` of the file gives the same findings and the same score.
        """
        rows = [self._rows[key] for key in sorted(self._rows)]
        bad: dict[int, ClearsceneError] = {}
        report = score_rows(self.run, rows, self._standard, bad=bad, known=self._known)
        kept = [row for row in rows if row.fid not in bad]
        for row, finding in zip(kept, report.findings, strict=True):
            if row in self._known:
                self._known[row] = finding  # with its price, which is often the same the next time
        findings = {row.fid: finding for row, finding in zip(kept, report.findings, strict=True)}
        return Scored(report, findings, {row.fid: row.polygon for row in rows}, bad)

    def digest(self) -> str:
        """The digest of the findings, as a signature holds it."""
        for key in self._rows.keys() - self._digests.keys():
            self._digests[key] = row_digest(self._rows[key])
        return findings_digest(self._digests.values())

    def _stamp(self) -> int:
        return (self.run.folder / JSON_NAME).stat().st_mtime_ns
