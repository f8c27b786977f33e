"""What is written about a mask: the JSON beside it, checked when it is read back."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clearscene.atomic import replacing

__all__ = [
    "Agreement",
    "Cost",
    "LooksRecord",
    "MaskReport",
    "ModelRecord",
    "SceneRecord",
    "Share",
    "read_report",
    "write_report",
]

SCHEMA_VERSION = "1.0"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SceneRecord(_Record):
    """The scene that was masked."""

    name: str
    path: str
    sensor: str
    kind: str = Field(description="toa or surface reflectance, or display color.")
    height: int
    width: int
    crs: str | None
    transform: tuple[float, ...]
    pixel_m: tuple[float, float] | None = Field(description="Length of a pixel along a row and a column, meters.")
    bands: list[str] = Field(description="That were read.")
    datetime: str | None
    file_state: str = Field(description="Size and time of change of a file; empty of folders and addresses.")
    notes: list[str] = []


class Share(_Record):
    """How much of the scene a class has."""

    id: int
    name: str
    title: str
    pixels: int
    percent: float = Field(description="Of the pixels with data.")


class ModelRecord(_Record):
    """A model that took part."""

    name: str
    version: str
    license: str
    provider: str
    link: str


class LooksRecord(_Record):
    """What looking again (--tta) cost and what it changed."""

    models: int = Field(default=1, description="That looked again; each counts its own tiles.")
    tiles: int = Field(description="That models looked at, those of a wide look included.")
    tiles_again: int
    looks: int
    isolated_before: int
    isolated_after: int


class Cost(_Record):
    """What the run cost."""

    seconds: float
    seconds_per_mpx: float
    peak_memory_mb: float | None = Field(description="Of the whole process so far; null where it cannot be measured.")
    workers: int
    stages: dict[str, float] = {}


class Agreement(_Record):
    """The mask beside the quality band of the product."""

    qa: str = Field(description="SCL, QA_PIXEL or BQA.")
    classes: list[str] = Field(description="Order of the rows and columns of the table.")
    table: list[list[int]] = Field(description="Pixels: a row a class of the quality band, a column a class of ours.")
    compared: int = Field(description="Pixels that both know.")
    unknown: int = Field(description="Pixels of ours that the quality band says nothing about.")
    percent_same: float | None = Field(description="Of those compared; null without any.")
    iou: dict[str, float | None] = Field(description="Intersection over union of clear, cloud and shadow.")


class MaskReport(_Record):
    """All of `_mask.json`."""

    schema_version: str = SCHEMA_VERSION
    clearscene_version: str
    created: datetime
    scene: SceneRecord
    options: dict[str, str]
    classes: int
    models: list[ModelRecord]
    shares: list[Share]
    valid_pixels: int
    nodata_pixels: int
    clear_percent: float | None = Field(description="Of the pixels with data; null without any.")
    cloud_percent: float | None = Field(description="Of the pixels with data, before any buffer; null without any.")
    wide: int = Field(default=1, description="Pixels along one of the wide look; 1 if there was none.")
    looks: LooksRecord | None = None
    agreement: Agreement | None = None
    polygons: int | None = None
    notes: list[str] = []
    cost: Cost
    files: dict[str, str] = {}


def read_report(path: Path) -> MaskReport:
    """Read `_mask.json`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such record.
    """
    return MaskReport.model_validate_json(path.read_text(encoding="utf-8"))


def write_report(report: MaskReport, path: Path) -> None:
    """Write `_mask.json`, whole or not at all."""
    with replacing(path) as part:
        part.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
