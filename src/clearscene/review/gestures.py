"""What a gesture of a person does to the features: pure functions from states to changes.

Nothing is written here. A gesture that alters nothing gives no changes, unless it is the first verdict of
this person: that one leads from a status to the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError
from clearscene.grid import Grid
from clearscene.inspection.polygon_file import to_map, to_pixels
from clearscene.inspection.result import Status
from clearscene.inspection.taxonomy import BY_NAME, TYPES, DefectType
from clearscene.review.features import Change, Layout, State, changed_columns, type_columns
from clearscene.review.shapes import areal, read_shape, split_shape
from clearscene.vector.geopackage import decode, encode

__all__ = ["Action", "Gesture", "Ground", "changes_of"]

Action = Literal["status", "type", "remark", "geometry", "add", "delete", "split", "merge"]
PERSON = "person"
MAX_REMARK = 4000
_NAMES = {Status.ACCEPTED: "accept", Status.REJECTED: "reject", Status.PROPOSED: "reset", Status.ADDED: "reset"}


@dataclass(frozen=True)
class Gesture:
    """What a page asks for."""

    action: Action
    keys: tuple[int, ...] = ()
    """Feature ids."""
    status: str = ""
    type: str = ""
    remark: str | None = None
    geometry: Mapping[str, Any] | None = None
    """GeoJSON in scene pixels."""
    geometries: tuple[Mapping[str, Any], ...] = ()
    line: tuple[tuple[float, float], ...] = ()
    """Points (col, row) of the line of a split."""

    @property
    def name(self) -> str:
        """How the history calls it."""
        if self.action == "status":
            return _NAMES.get(Status(self.status), "reset") if self.status in set(Status) else "reset"
        return {"type": "retype", "geometry": "redraw"}.get(self.action, self.action)


@dataclass(frozen=True)
class Ground:
    """What gestures stand on."""

    layout: Layout
    grid: Grid
    states: Mapping[int, State]
    types: Mapping[int, str]
    """Type of each feature, as the score understands its columns."""
    next_key: int
    """A feature id that no feature ever had."""
    next_id: int
    """A finding number that no finding ever had."""
    own: frozenset[int] = frozenset()
    """Features of which the status that stands was last said by the person who acts."""


def changes_of(gesture: Gesture, ground: Ground) -> list[Change]:
    """The changes that a gesture asks for; `keys` are all there.

    Raises:
        OptionError: A type or status is unknown, or findings of different types are to be merged.
        VectorError: A polygon cannot be used.
    """
    if gesture.action == "add":
        return _added(gesture, ground)
    if not gesture.keys:
        raise OptionError("The gesture names no finding.", hint="Select one first.")
    wanted = {
        "status": _statuses,
        "type": _types,
        "remark": _remarks,
        "geometry": _redrawn,
        "delete": _deleted,
        "split": _split,
        "merge": _merged,
    }[gesture.action]
    return wanted(gesture, ground)


def _updated(ground: Ground, key: int, values: Mapping[str, Any]) -> list[Change]:
    """The change that brings columns of a feature to values, as far as they differ."""
    before = ground.states[key]
    known = {name: value for name, value in values.items() if name in ground.layout.state_columns}
    names = changed_columns(before, known, known)
    if not names:
        return []
    return [Change(key, {name: before[name] for name in names}, {name: known[name] for name in names})]


def _statuses(gesture: Gesture, ground: Ground) -> list[Change]:
    if gesture.status not in set(Status):
        known = ", ".join(Status)
        raise OptionError(f"There is no status {gesture.status!r}.", hint=f"Use one of {known}.")
    changes = []
    for key in gesture.keys:
        is_own = ground.states[key].get("detector") == PERSON
        is_reset = gesture.status in (Status.PROPOSED, Status.ADDED)
        status = (Status.ADDED if is_own else Status.PROPOSED) if is_reset else Status(gesture.status)
        changes += _updated(ground, key, {"status": status.value}) or _confirmed(ground, key, status)
    return changes


def _confirmed(ground: Ground, key: int, status: Status) -> list[Change]:
    """The verdict of a second person, who says what stands already: the agreement of reviewers counts it."""
    if status not in (Status.ACCEPTED, Status.REJECTED) or key in ground.own:
        return []
    return [Change(key, {"status": status.value}, {"status": status.value})]


def _types(gesture: Gesture, ground: Ground) -> list[Change]:
    values = type_columns(_type(gesture.type), ground.layout)
    return [change for key in gesture.keys for change in _updated(ground, key, values)]


def _remarks(gesture: Gesture, ground: Ground) -> list[Change]:
    remark = _remark(gesture)
    return [change for key in gesture.keys for change in _updated(ground, key, {"remark": remark})]


def _redrawn(gesture: Gesture, ground: Ground) -> list[Change]:
    shape = read_shape(gesture.geometry or {}, ground.grid)
    return _updated(ground, gesture.keys[0], {ground.layout.geometry: _blob(shape, ground)})


def _deleted(gesture: Gesture, ground: Ground) -> list[Change]:
    return [Change(key, dict(ground.states[key]), None) for key in gesture.keys]


def _added(gesture: Gesture, ground: Ground) -> list[Change]:
    shape = read_shape(gesture.geometry or {}, ground.grid)
    values = type_columns(_type(gesture.type), ground.layout) | {"remark": _remark(gesture)}
    return [_new(ground, 0, shape, values)]


def _split(gesture: Gesture, ground: Ground) -> list[Change]:
    key = gesture.keys[0]
    state = ground.states[key]
    if gesture.geometries:
        parts = [read_shape(part, ground.grid) for part in gesture.geometries]
    else:
        parts = split_shape(_shape(ground, key), gesture.line)
    values = {name: state[name] for name in ground.layout.columns if name not in ("id", "detector", "confidence")}
    if values.get("status") == Status.PROPOSED:
        values["status"] = Status.ADDED.value
    first = _updated(ground, key, {ground.layout.geometry: _blob(parts[0], ground)})
    return first + [_new(ground, n, part, values) for n, part in enumerate(parts[1:])]


def _merged(gesture: Gesture, ground: Ground) -> list[Change]:
    keys = list(dict.fromkeys(gesture.keys))
    types = {ground.types.get(key, "") for key in keys}
    if len(keys) < 2 or len(types) > 1:
        raise OptionError(
            f"Findings of the types {', '.join(sorted(types))} cannot be merged." if len(types) > 1 else "One finding.",
            hint="Select two or more findings of one type.",
        )
    union = areal(shapely.union_all([shapely.make_valid(_shape(ground, key)) for key in keys]))
    grown = _updated(ground, keys[0], {ground.layout.geometry: _blob(union, ground)})
    return grown + [Change(key, dict(ground.states[key]), None) for key in keys[1:]]


def _new(ground: Ground, offset: int, shape: BaseGeometry, values: Mapping[str, Any]) -> Change:
    """A feature that a person drew."""
    state: dict[str, Any] = dict.fromkeys(ground.layout.columns)
    state |= {"id": ground.next_id + offset, "status": Status.ADDED.value, "detector": PERSON, "confidence": 1.0}
    state |= dict(values) | {ground.layout.geometry: _blob(shape, ground)}
    kept: dict[str, Any] = {name: state[name] for name in ground.layout.state_columns}
    return Change(ground.next_key + offset, None, kept)


def _type(name: str) -> DefectType:
    if name not in BY_NAME:
        raise OptionError(f"There is no type {name!r}.", hint=f"The types are {', '.join(t.name for t in TYPES)}.")
    return BY_NAME[name]


def _remark(gesture: Gesture) -> str:
    remark = gesture.remark or ""
    if len(remark) > MAX_REMARK:
        raise OptionError(f"A remark has {len(remark)} letters, more than {MAX_REMARK}.", hint="Shorten it.")
    return remark


def _shape(ground: Ground, key: int) -> BaseGeometry:
    shape: BaseGeometry = to_pixels(decode(ground.states[key][ground.layout.geometry]), ground.grid)
    return shape


def _blob(shape: BaseGeometry, ground: Ground) -> bytes:
    oriented = shapely.orient_polygons(shapely.multipolygons(_polygons(to_map(shape, ground.grid))))
    return encode(oriented, ground.layout.srs_id)


def _polygons(shape: BaseGeometry) -> Sequence[BaseGeometry]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
