"""What is written about a fusion: the JSON beside it, checked when it is read back."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clearscene.atomic import replacing

__all__ = [
    "Cost",
    "FuseReport",
    "ImageRecord",
    "ShiftRecord",
    "SkippedRecord",
    "ToneRecord",
    "read_report",
    "schema_text",
    "write_report",
]

SCHEMA_VERSION = "1.0"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShiftRecord(_Record):
    """How far an image lies beside the reference."""

    row: float = Field(description="Pixels of the result to be added to where the image says it lies, downward.")
    col: float = Field(description="The same to the right.")
    windows: int = Field(description="That agree.")
    is_applied: bool


class ToneRecord(_Record):
    """The line of a band: value * gain + offset."""

    band: str
    gain: float
    offset: float


class ImageRecord(_Record):
    """An image that took part."""

    number: int = Field(description="Its value in `_source.tif`.")
    name: str
    path: str
    date: str = Field(description="ISO 8601; empty if unknown.")
    crs: str | None
    is_resampled: bool = Field(description="False if its pixels are those of the result.")
    is_reference: bool
    mask: str | None = Field(description="Its cloud mask.")
    valid_percent: float = Field(description="Of the result, where it has data.")
    good_percent: float = Field(
        description="Of the result, where it has data, is not masked, and is good by its quality if a model tells."
    )
    won_percent: float = Field(description="Of the filled pixels, where it has the largest share.")
    share_percent: float = Field(description="Mean share in the filled pixels.")
    shift: ShiftRecord | None = Field(description="Null if it cannot be told.")
    tone: list[ToneRecord] | None = None
    score: float | None = Field(default=None, description="By the inspection; null without.")
    notes: list[str] = []


class SkippedRecord(_Record):
    """An image that was left out."""

    path: str
    error: str


class Cost(_Record):
    """What the run cost."""

    seconds: float = Field(description="Without the stage `inspect`.")
    seconds_per_mpx: float = Field(description="Per million pixels of the result and image.")
    peak_memory_mb: float | None = Field(description="Of the whole process so far; null where it cannot be measured.")
    workers: int
    window: int = Field(description="Side of the windows, pixels.")
    stages: dict[str, float] = {}


class FuseReport(_Record):
    """All of the JSON record."""

    schema_version: str = SCHEMA_VERSION
    clearscene_version: str
    created: datetime
    name: str
    method: str
    model: str | None = Field(description="Of the quality, with its version.")
    options: dict[str, str]
    height: int
    width: int
    crs: str | None
    transform: tuple[float, ...]
    bands: list[str]
    dtype: str
    nodata: float | str | None
    images: list[ImageRecord]
    skipped: list[SkippedRecord] = []
    filled_percent: float = Field(description="Pixels with data.")
    unseen_percent: float = Field(description="Pixels of which no image has data.")
    all_masked_percent: float = Field(description="Pixels where some image has data, and all that have are masked.")
    all_doubtful_percent: float = Field(
        default=0.0, description="Pixels where some image is not masked, and all such are more likely bad than good."
    )
    nudged_pixels: int = Field(description="Moved by one level, because their value would have meant nodata.")
    score: float | None = Field(default=None, description="Of the result, by the inspection.")
    notes: list[str] = []
    warnings: list[str] = []
    cost: Cost
    files: dict[str, str] = {}


def schema_text() -> str:
    """The JSON schema that every record satisfies, as docs/reference/fusion.schema.json holds it."""
    schema = FuseReport.model_json_schema(mode="serialization")
    for record in (schema, *schema["$defs"].values()):
        record["required"] = list(record["properties"])
    title = f"clearscene fusion record, version {SCHEMA_VERSION}"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps(head | {key: value for key, value in schema.items() if key not in head}, indent=2) + "\n"


def read_report(path: Path) -> FuseReport:
    """Read the record.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such record.
    """
    return FuseReport.model_validate_json(path.read_text(encoding="utf-8"))


def write_report(report: FuseReport, path: Path) -> None:
    """Write the record, whole or not at all."""
    with replacing(path) as part:
        part.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
