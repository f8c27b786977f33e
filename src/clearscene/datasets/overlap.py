"""Whether two data sets show the same ground, and whether on the same day.

A place is told by the footprint where files or records have one, by path and row of WRS-2 in Landsat ids, and by
the tile in Sentinel-2 names. Numbers from a test set that shares ground with the training set are too good.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

import shapely

from clearscene.datasets.pixels import date_in, landsat_place, mgrs_tile
from clearscene.datasets.prepared import PreparedSet
from clearscene.datasets.prepared_record import PREPARED, PreparedRecord, Split
from clearscene.datasets.reader import DatasetReader
from clearscene.errors import DatasetError
from clearscene.synth.overlap import footprint

__all__ = ["Audit", "Meeting", "Shown", "audit", "scenes_shown"]

SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".img"}
SAME_DAY = 0

Kind = Literal["same file", "same scene", "same ground", "same tile"]


@dataclass(frozen=True)
class Shown:
    """What one scene shows."""

    name: str
    split: Split | None = None
    day: str | None = None
    box: tuple[float, float, float, float] | None = None
    """Left, bottom, right, top in degrees."""
    wrs: str | None = None
    """Path and row of Landsat."""
    tile: str | None = None
    """Tile of Sentinel-2."""
    digest: str | None = None
    """Of the bytes of the file, or of the chips of a prepared scene whose place is not known."""

    @property
    def is_placed(self) -> bool:
        """True if it is known where it lies."""
        return self.box is not None or self.wrs is not None or self.tile is not None


@dataclass(frozen=True)
class Meeting:
    """Two scenes, one of each set, that show the same."""

    a: str
    b: str
    kind: Kind
    """same file: equal bytes, of a prepared scene those of its chips; same scene: equal place and day; same ground:
    footprints, or path and row, agree; same tile: parts of one Sentinel-2 tile that may or may not meet, as no
    footprint tells."""
    days_apart: int | None
    a_split: Split | None
    b_split: Split | None


@dataclass(frozen=True)
class Audit:
    """What was compared."""

    n_a: int
    n_b: int
    n_unplaced_a: int
    """Scenes whose place is not known: nothing can be said of them beyond their bytes."""
    n_unplaced_b: int
    meetings: tuple[Meeting, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        counts = {kind: sum(meeting.kind == kind for meeting in self.meetings) for kind in get_args(Kind)}
        return {**asdict(self), "counts": counts}


def scenes_shown(source: str) -> list[Shown]:
    """Scenes of a prepared folder, of a download as `NAME=FOLDER`, or of all images below a folder.

    Raises:
        DatasetError: There is nothing of that kind.
    """
    name, equals, rest = source.partition("=")
    if equals and not Path(source).exists():
        reader = DatasetReader.open(name, rest)
        return [_shown(e.id, e.split, e.date, reader.layout.footprint(e)) for e in reader.entries]
    folder = Path(source)
    if (folder / PREPARED).is_file():
        return _of_prepared(PreparedSet.open(folder))
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.", hint="Give a folder, or NAME=FOLDER for a download.")
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise DatasetError(f"{folder} holds no images.", hint="Give a folder, or NAME=FOLDER for a download.")
    return [_file(path, path.relative_to(folder).as_posix()) for path in paths]


def audit(a: Sequence[Shown], b: Sequence[Shown], *, days: int | None = None, is_same: bool = False) -> Audit:
    """Which scenes of two sets show the same.

    Laws: turning the sets around turns each meeting around and changes no kind; a set compared with itself meets
    itself in every scene whose place or bytes are known.

    Args:
        a: Scenes of one set.
        b: Scenes of the other.
        days: Keep pairs that are no more days apart, and those whose days are not known.
        is_same: Both are one set: keep pairs of different splits, each once.
    """
    found: dict[tuple[int, int], Meeting] = {}
    for i, j, kind in _pairs(a, b):
        apart = _days_apart(a[i].day, b[j].day)
        sure: Kind = "same scene" if kind == "same ground" and apart == SAME_DAY else kind
        if (i, j) not in found:
            found[i, j] = Meeting(a[i].name, b[j].name, sure, apart, a[i].split, b[j].split)
    meetings = tuple(
        found[pair] for pair in sorted(found) if not is_same or (pair[0] < pair[1] and _crosses(found[pair]))
    )
    if days is not None:
        meetings = tuple(m for m in meetings if m.days_apart is None or m.days_apart <= days)
    unplaced = [sum(not shown.is_placed for shown in side) for side in (a, b)]
    return Audit(len(a), len(b), unplaced[0], unplaced[1], meetings)


def _pairs(a: Sequence[Shown], b: Sequence[Shown]) -> Iterator[tuple[int, int, Kind]]:
    """Pairs that agree, the surest kind first."""
    yield from _equal(a, b, lambda s: s.digest, "same file")
    placed = [(j, shown.box) for j, shown in enumerate(b) if shown.box is not None]
    tree = shapely.STRtree([shapely.box(*box) for _, box in placed])
    for i, shown in enumerate(a):
        for k in tree.query(shapely.box(*shown.box)) if shown.box is not None else ():
            j, box = placed[int(k)]
            if shown.box is not None and _meet(shown.box, box):
                yield i, j, "same ground"
    yield from _equal(a, b, lambda s: s.wrs, "same ground", a_box=True)
    yield from _equal(a, b, lambda s: s.tile, "same tile", a_box=True)


def _equal(
    a: Sequence[Shown], b: Sequence[Shown], key: Callable[[Shown], str | None], kind: Kind, *, a_box: bool = False
) -> Iterator[tuple[int, int, Kind]]:
    """Pairs with one key; with `a_box` only those whose footprints are not both known, which tell more."""
    by_key: dict[str, list[int]] = {}
    for j, shown in enumerate(b):
        if (word := key(shown)) is not None:
            by_key.setdefault(word, []).append(j)
    for i, shown in enumerate(a):
        for j in by_key.get(key(shown) or "", ()):
            if not (a_box and shown.box is not None and b[j].box is not None):
                yield i, j, kind


def _of_prepared(prepared: PreparedSet) -> list[Shown]:
    """Scene by scene. Chips are read only where no place is known."""
    scenes: dict[str, list[PreparedRecord]] = {}
    for record in prepared.records():
        scenes.setdefault(record.scene, []).append(record)
    found = []
    for name, records in scenes.items():
        first = records[0]
        shown = _shown(name, first.split, first.date, first.footprint)
        if not shown.is_placed:
            digest = hashlib.sha256()
            for record in sorted(records, key=lambda r: (r.row, r.col, r.id)):
                digest.update(_bytes_of(prepared.folder / record.image))
            shown = replace(shown, digest=digest.hexdigest())
        found.append(shown)
    return found


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", hint="Prepare the set again.") from error


def _shown(name: str, split: Split | None, day: str | None, box: tuple[float, float, float, float] | None) -> Shown:
    return Shown(name, split, day or date_in(name), box, landsat_place(name), mgrs_tile(name))


def _file(path: Path, name: str) -> Shown:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Shown(name, None, date_in(name), footprint(path), landsat_place(name), mgrs_tile(name), digest)


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """True if two boxes share ground; a common edge is none."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _crosses(meeting: Meeting) -> bool:
    """True if the scenes are in different splits, or in none that is known."""
    return meeting.a_split is None or meeting.a_split != meeting.b_split


def _days_apart(a: str | None, b: str | None) -> int | None:
    return None if a is None or b is None else abs((date.fromisoformat(a) - date.fromisoformat(b)).days)
