"""One chip of a prepared set, and the words of its list."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

__all__ = [
    "CHIPS",
    "FULL",
    "IGNORE",
    "PREPARED",
    "SPLITS",
    "THERMAL_FULL",
    "Cover",
    "PreparedRecord",
    "Scaling",
    "Split",
    "chips_digest",
    "record_line",
    "set_digest",
    "split_digest",
]

Split = Literal["train", "val", "test"]
Cover = Literal["clear", "mid", "cloudy"]
Scaling = Literal["reflectance", "display"]

SPLITS: tuple[Split, ...] = get_args(Split)
PREPARED, CHIPS = "prepared.json", "chips.jsonl"
IGNORE = 255
"""Mask value of padding, fill, and what nobody has labeled."""
FULL: Mapping[Scaling, float] = {"reflectance": 10_000.0, "display": 255.0}
"""Stored value that is read as 1."""
THERMAL_FULL = 400.0
"""Kelvin of a thermal band that are read as 1, so that its values lie beside those of reflectance."""


@dataclass(frozen=True)
class PreparedRecord:
    """One line of `chips.jsonl`."""

    id: str
    split: Split
    scene: str
    """Scene that it was cut from; a scene is in one split only."""
    image: str
    """Path below the folder of the set."""
    mask: str
    """Path below the folder of the set."""
    row: int
    """Offset in the scene, pixels; negative where the chip starts in padding."""
    col: int
    scene_shape: tuple[int, int]
    """Height and width of the scene, pixels."""
    biome: str | None = None
    cover: Cover | None = None
    date: str | None = None
    """Day, ISO 8601."""
    footprint: tuple[float, float, float, float] | None = None
    """Left, bottom, right, top of the scene, degrees of longitude and latitude."""
    kept: tuple[int, int, int, int] | None = None
    """Top, left, height, width of the part of the chip that is of the scene; None: all of it."""


def chips_digest(content: bytes) -> str:
    """SHA-256 of the bytes of `chips.jsonl`."""
    return hashlib.sha256(content).hexdigest()


def set_digest(listed: str, content: str, reading: Mapping[str, object]) -> str:
    """SHA-256 of a whole set: digests of its list and of its pixels, and how they are to be read.

    Law: another pixel, mask, class, order of bands, or scaling gives another digest.
    """
    text = json.dumps([listed, content, reading], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def split_digest(records: Sequence[PreparedRecord]) -> str:
    """SHA-256 of which scene is in which split.

    Law: it depends on neither the chips nor their order, so sets cut to different sizes from one split agree.
    """
    lines = sorted({f"{record.split} {record.scene}" for record in records})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def record_line(record: PreparedRecord) -> str:
    """The line of a chip in `chips.jsonl`."""
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":")) + "\n"
