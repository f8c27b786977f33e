"""What is written about a batch of sky masks: `sky.json`, checked when it is read back."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clearscene.atomic import replacing

__all__ = ["RECORD", "BatchRecord", "PhotoRecord", "read_batch", "write_batch"]

RECORD = "sky.json"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhotoRecord(_Record):
    """One photo that was masked."""

    photo: str = Field(description="As it was named.")
    mask: str = Field(description="Below the folder of the masks.")
    heatmap: str | None = None
    height: int = Field(description="Of the photo as it is stored, and of its mask.")
    width: int
    orientation: int = Field(description="EXIF: how the photo is turned before it is looked at.")
    sky_percent: float = Field(description="Of the photo, that the model calls sky; 0 if the check says none.")
    hidden_percent: float = Field(description="Of the mask, what was merged included.")
    has_sky: bool
    largest_percent: float = Field(description="Of the photo, that the largest piece covers before the check.")
    mean_probability: float = Field(description="Of that piece.")
    merged: str | None = Field(default=None, description="The mask that was merged.")
    file_state: str = Field(description="Size and time of change of the photo.")
    seconds: float
    notes: list[str] = []


class Failed(_Record):
    """One photo that was not."""

    photo: str
    error: str
    hint: str = ""


class BatchRecord(_Record):
    """All of `sky.json`."""

    schema_version: str = "1.0"
    clearscene_version: str
    created: datetime
    model: str
    provider: str
    options: dict[str, str | int | bool]
    photos: list[PhotoRecord]
    failed: list[Failed] = []
    seconds: float
    seconds_per_mpx: float
    peak_memory_mb: float | None


def read_batch(path: Path) -> BatchRecord | None:
    """The record that is there, or None if there is none that can be read."""
    try:
        return BatchRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_batch(record: BatchRecord, path: Path) -> None:
    """Write it whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path) as part:
        part.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
