"""The record of an inspection: what `report.json` holds, and the schema that is published for it.

Coordinates named `_px` are (col, row) pixels of the scene; areas are of the pixels as detected,
before dilation and simplification.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clearscene.inspection.bilingual import Bilingual

__all__ = [
    "SCHEMA_VERSION",
    "Change",
    "Decision",
    "Detector",
    "Finding",
    "NotInspected",
    "Pixels",
    "Report",
    "SceneInfo",
    "ScoreRecord",
    "Signature",
    "Status",
    "Timing",
    "TypeSummary",
    "UnitScore",
]

SCHEMA_VERSION = "1.0"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Status(StrEnum):
    """What a person has said about a finding."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ADDED = "added"


class SceneInfo(_Record):
    """The raster that was inspected."""

    name: str
    path: str
    driver: str
    height: int
    width: int
    dtype: str
    bands: dict[str, int] = Field(description="Common name to 1-based band.")
    n_bands: int
    crs: str | None = Field(description="EPSG code or WKT; null without georeference.")
    resolution: tuple[float, float] = Field(description="CRS units; 1, 1 without georeference.")
    bounds: tuple[float, float, float, float] = Field(description="Left, bottom, right, top.")
    transform: tuple[float, float, float, float, float, float]
    nodata: float | Literal["nan", "inf", "-inf"] | None = Field(
        default=None, description="As text where it is no finite number, which JSON cannot hold."
    )
    stretch: dict[str, float | str] = Field(default={}, description="How values were brought to 8 bits.")
    file_state: str = Field(default="", description="Size and time of the file when it was inspected; empty for URLs.")
    notes: list[Bilingual] = Field(default=[], description="What a reader should know, one sentence each.")


class Pixels(_Record):
    """Where the pixels of the scene went; total = valid + nodata + collar + unreadable, inspected <= valid."""

    total: int
    valid: int
    nodata: int = Field(description="Declared nodata, transparent or masked out.")
    collar: int = Field(description="Black or white surround that nothing declares as nodata.")
    unreadable: int = Field(default=0, description="In blocks that cannot be decoded; see `not_inspected`.")
    inspected: int = Field(description="Valid, inside --aoi, outside --ignore, and readable.")
    inspected_m2: float | None = None
    hole: int = Field(default=0, description="Part of `nodata` that lies inside the scene, not at its border.")


class Finding(_Record):
    """One finding: a polygon of the `defects` layer."""

    id: int
    type_id: int
    type: str
    group: Literal["pixel", "region", "boundary"]
    area_px: int
    area_m2: float | None = None
    area_fraction: float = Field(description="Of the inspected area; 0 for boundary types.")
    length_m: float | None = Field(default=None, description="Boundary types only.")
    length_px: float | None = Field(default=None, description="Boundary types only.")
    confidence: float = Field(ge=0, le=1)
    error_class: str = Field(default="", description="Class of the standard, such as A to D.")
    penalty: float = 0.0
    detector: str = Field(description="Rule, model or person that made it.")
    status: Status = Status.PROPOSED
    remark: str = ""
    unit: str = Field(default="", description="Map sheet or grid cell that holds its center.")
    bounds_px: tuple[int, int, int, int] = Field(description="Left, top, right, bottom.")
    n_parts: int = Field(default=1, description="Connected parts joined in this finding.")


class TypeSummary(_Record):
    """Sums for one defect type, over findings that are not rejected."""

    type_id: int
    type: str
    inspected: bool = Field(description="False if nothing here can find this type; see `reason`.")
    reason: Bilingual | None = None
    count: int = 0
    n_not_drawn: int = Field(default=0, description="Findings counted here and left out of the polygons.")
    area_px: int = 0
    area_m2: float | None = None
    area_fraction: float = 0.0
    length_m: float | None = None
    penalty: float = 0.0


class ScoreRecord(_Record):
    """Score and grade by one standard."""

    standard: str
    title: Bilingual
    is_draft: bool = Field(description="True while nobody has confirmed the deductions of the standard.")
    score: float = Field(ge=0, le=100)
    grade: str
    passed: bool
    reasons: list[Bilingual] = Field(default=[], description="Why it failed, or what cost the most; one sentence each.")
    grades: dict[str, Bilingual] = Field(default={}, description="Titles of all grades of the standard, by name.")
    classes: dict[str, Bilingual] = Field(default={}, description="Titles of its error classes, by name.")


class UnitScore(_Record):
    """Score and grade of one map sheet or grid cell."""

    unit: str
    bounds: tuple[float, float, float, float]
    inspected_px: int
    n_findings: int
    undrawn: dict[str, tuple[int, int]] = Field(
        default={}, description="Findings counted without a polygon, by type: how many, and their pixels."
    )
    score: float
    grade: str
    passed: bool


class Detector(_Record):
    """A rule or model that took part."""

    name: str
    kind: Literal["rule", "model"]
    types: list[str]
    version: str = ""
    parameters: dict[str, float | int | str] = {}


class NotInspected(_Record):
    """A window that could not be read, in pixels."""

    row: int
    col: int
    height: int
    width: int
    reason: str


class Timing(_Record):
    """What the run cost."""

    seconds: float
    seconds_per_mpx: float
    peak_memory_mb: float | None = Field(description="Of the whole process so far; null where it cannot be measured.")
    workers: int
    stages: dict[str, float] = {}


class Change(_Record):
    """A later change of the findings, or a new score."""

    when: datetime
    who: str
    what: Bilingual


Decision = Literal["accepted", "accepted_with_reservations", "rejected"]
"""What a person who signs says of the scene."""


class Signature(_Record):
    """A person's name under the report, for the findings as they were then."""

    name: str
    at: datetime
    decision: Decision
    remark: str = ""
    digest: str = Field(description="SHA-256 of the findings: numbers, types, statuses, remarks and polygons.")
    score: float
    grade: str
    standard: str


class Report(_Record):
    """All of `report.json`."""

    schema_version: str = SCHEMA_VERSION
    clearscene_version: str
    created: datetime
    scene: SceneInfo
    pixels: Pixels
    lang: Literal["en", "zh"] = Field(default="en", description="Language of report.html.")
    options: dict[str, str] = Field(default={}, description="Options that differ from the defaults, by name.")
    score: ScoreRecord
    units: list[UnitScore] = []
    types: list[TypeSummary]
    findings: list[Finding]
    detectors: list[Detector]
    not_inspected: list[NotInspected] = []
    timing: Timing
    files: dict[str, str] = Field(default={}, description="Output name to file name inside the run folder.")
    changes: list[Change] = []
    signature: Signature | None = Field(default=None, description="The newest; null until somebody has signed.")
