"""What is written about a batch of sky masks: `sky.json`, checked when it is read back."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clearscene.atomic import replacing

__all__ = ["RECORD", "BatchRecord", "PhotoRecord", "earlier_photos", "read_batch", "write_batch"]

RECORD = "sky.json"
MadeWith = dict[str, str | int | bool]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhotoRecord(_Record):
    """One photo that was masked."""

    photo: str = Field(description="As it was named.")
    mask: str = Field(description="Below the folder of the masks.")
    heatmap: str | None = None
    height: int = Field(description="Of the mask: that of the photo as it is stored; for odm, upright.")
    width: int
    orientation: int = Field(description="EXIF: how the photo is turned before it is looked at.")
    sky_percent: float = Field(description="Of the photo, that the model calls sky; 0 if the check says none.")
    hidden_percent: float = Field(description="Of the mask, what was merged included.")
    has_sky: bool
    largest_percent: float = Field(description="Of the photo, that the largest piece covers before the check.")
    mean_probability: float = Field(description="Of that piece.")
    merged: str | None = Field(default=None, description="The mask that was merged.")
    merged_state: str = Field(default="", description="Size and time of change of that mask.")
    made_with: MadeWith | None = Field(default=None, description="Model and options, if not those of this record.")
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
    options: MadeWith
    photos: list[PhotoRecord] = Field(description="With those of earlier calls whose masks are in the same folder.")
    failed: list[Failed] = Field(default=[], description="In this call.")
    seconds: float
    seconds_per_mpx: float
    peak_memory_mb: float | None


def read_batch(path: Path) -> BatchRecord | None:
    """The record that is there, or None if there is none that can be read."""
    try:
        return BatchRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def earlier_photos(out: Path, model: str, options: MadeWith) -> dict[str, PhotoRecord]:
    """Entries of the record in `out`, by mask; the masks may be gone.

    Law: `made_with` is None for those made with this model and these options, and for no others.
    """
    before = read_batch(out / RECORD)
    if before is None:
        return {}
    usual, wanted = ({**of, "model_version": by} for of, by in ((before.options, before.model), (options, model)))
    found = {}
    for entry in before.photos:
        own = entry.made_with or usual
        found[entry.mask] = entry.model_copy(update={"made_with": None if own == wanted else own})
    return found


def write_batch(record: BatchRecord, path: Path) -> None:
    """Write it whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path) as part:
        part.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
