"""Chips cut from scenes with polygons that people have drawn or judged.

The mask of a chip says what a person has said of each of its pixels: the type where a polygon of the
truth lies, 0 where the ground was looked at and is clean, 255 where nobody knows: outside the scene,
and under polygons that were never judged.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import OptionError
from clearscene.grid import slices
from clearscene.inspection.taxonomy import BY_NAME, NODATA, Group
from clearscene.inspection.units import polygon_runs
from clearscene.raster.scene import Scene
from clearscene.raster.stretch import Stretch
from clearscene.synth.chip_set import SPLITS, ChipRecord, ChipWriter, Split
from clearscene.synth.chip_text import describe_chip, label_names

__all__ = [
    "USUAL_SHARES",
    "Drawing",
    "Role",
    "Shares",
    "block_windows",
    "cut_chips",
    "finding_windows",
    "split_of_scene",
]

LEAST_SIZE, MAX_SIZE = 64, 2048
LEAST_VALID = 0.5
"""Chips of which less has data are left out."""
MARGIN = 1 / 8
"""A polygon that lies inside an earlier chip, this share of its side from the edge, gets none of its own."""
MAX_OF_ONE = 16
"""Chips that one polygon larger than a chip gets at most, spread over it."""


class Role(StrEnum):
    """What a polygon says."""

    TRUTH = "truth"
    NEGATIVE = "negative"
    """It was taken for a defect and is none: a hard negative."""
    UNKNOWN = "unknown"
    """Nobody has judged it; its pixels are ignored."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """One polygon."""

    polygon: BaseGeometry
    """In scene pixels."""
    type: str
    role: Role = Role.TRUTH
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Kept with each chip that shows it: number, penalty, who decided."""


@dataclass(frozen=True)
class Shares:
    """How scenes go to splits: all chips of one scene go to one."""

    val: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.val, self.test) < 0 or self.val + self.test > 1:
            raise OptionError(f"The shares {self.val} and {self.test} are no parts of one.", hint="As 0.15 and 0.15.")


USUAL_SHARES = Shares()
"""The usual shares."""


def split_of_scene(key: str, shares: Shares) -> Split:
    """The split of a scene by a digest of its key and the seed.

    Law: it depends on nothing else, so that new scenes move no old one.
    """
    digest = hashlib.sha256(f"{shares.seed}:{key}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return SPLITS[2] if place < shares.test else SPLITS[1] if place < shares.test + shares.val else SPLITS[0]


def check_size(size: int) -> None:
    """Refuse a size that no network is trained at.

    Raises:
        OptionError: As said.
    """
    if not LEAST_SIZE <= size <= MAX_SIZE or size % 32:
        raise OptionError(f"Chips of {size} px are of no use.", hint="Use a multiple of 32 from 64 to 2048, as 512.")


def block_windows(height: int, width: int, size: int) -> Iterator[Window]:
    """Blocks side by side over a scene; the last of a row or column is moved back inside.

    Law: every pixel is in a block. A scene smaller than a block gives one that reaches beyond it.
    """
    for row in _starts(height, size):
        for col in _starts(width, size):
            yield Window(col, row, size, size)


def finding_windows(drawings: Sequence[Drawing], height: int, width: int, size: int) -> list[Window]:
    """A window around each judged polygon; large ones get several, neighbors share one.

    Law: each polygon of the truth and each negative meets a window.
    """
    chosen: list[Window] = []
    for drawing in drawings:
        if drawing.role is Role.UNKNOWN:
            continue
        left, top, right, bottom = drawing.polygon.bounds
        if right - left <= size and bottom - top <= size:
            if not any(_is_inside((left, top, right, bottom), window) for window in chosen):
                col, row = (left + right - size) / 2, (top + bottom - size) / 2
                chosen.append(Window(_placed(col, size, width), _placed(row, size, height), size, size))
        else:
            chosen += _over(drawing.polygon, height, width, size)
    return list({(w.row_off, w.col_off): w for w in chosen}.values())


def cut_chips(
    scene: Scene,
    drawings: Sequence[Drawing],
    windows: Iterable[Window],
    *,
    stretch: Stretch,
    split: Split,
    writer: ChipWriter,
    key: str,
) -> int:
    """Write the chip of each window into a set; returns how many were written.

    Windows of which less than half has data are left out. The id of a chip is the key of its scene
    and the place of its window, so the same call writes the same chips.

    Raises:
        SceneError: The scene cannot be read.
        OutputError: The set cannot be written.
    """
    shapes = np.array([None, *(drawing.polygon for drawing in drawings)], object)[1:]
    tree = shapely.STRtree(shapes)
    n = 0
    for window in windows:
        image, valid = _read(scene, window, stretch)
        if valid.mean() < LEAST_VALID:
            continue
        box = shapely.box(window.col_off, window.row_off, window.col_off + window.width, window.row_off + window.height)
        here = [drawings[i] for i in sorted(tree.query(box, predicate="intersects"))]
        masks, mask = draw_mask(here, window, valid)
        name = f"{key}-{round(window.row_off):06d}-{round(window.col_off):06d}"
        english, chinese = describe_chip(masks)
        record = ChipRecord(
            id=name,
            split=split,
            image=f"images/{name}.png",
            mask=f"masks/{name}.png",
            labels=tuple(label_names(masks)),
            source=key,
            text_en=english,
            text_zh=chinese,
            parameters={
                "window": [round(window.col_off), round(window.row_off), round(window.width), round(window.height)],
                "drawings": [{"type": d.type, "role": d.role.value, **d.notes} for d in here],
                "undecided": sorted({d.type for d in here if d.role is Role.UNKNOWN} - masks.keys()),
            },
        )
        if name not in writer.done:
            writer.add(record, image, mask)
            n += 1
    return n


def draw_mask(
    drawings: Sequence[Drawing], window: Window, valid: NDArray[np.bool_]
) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.uint8]]:
    """Masks by type, and one mask of ids (row, col), for a window.

    Law: 255 where there is no data or only an unjudged polygon; where types meet, pixel types win over
    regions and regions over boundaries.
    """
    rows, cols = slices(window)
    masks: dict[str, NDArray[np.bool_]] = {}
    unknown = np.zeros(valid.shape, np.bool_)
    for drawing in drawings:
        local = shapely.transform(drawing.polygon, lambda xy: xy - (cols.start, rows.start))
        inside = shapely.clip_by_rect(shapely.make_valid(local), 0, 0, valid.shape[1], valid.shape[0])
        runs = polygon_runs(inside, height=valid.shape[0], width=valid.shape[1])
        shown = runs.to_mask(Window(0, 0, valid.shape[1], valid.shape[0])) & valid
        if drawing.role is Role.UNKNOWN:
            unknown |= shown
        elif drawing.role is Role.TRUTH:
            masks[drawing.type] = masks.get(drawing.type, np.zeros(valid.shape, np.bool_)) | shown
    ids = np.zeros(valid.shape, np.uint8)
    ids[unknown] = NODATA
    for group in (Group.BOUNDARY, Group.REGION, Group.PIXEL):
        for name in sorted((n for n in masks if BY_NAME[n].group is group), key=lambda n: BY_NAME[n].id):
            ids[masks[name]] = BY_NAME[name].id
    ids[~valid] = NODATA
    return {name: mask for name, mask in masks.items() if mask.any()}, ids


def _read(scene: Scene, window: Window, stretch: Stretch) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Display values (band, row, col) and what is valid, at the size of the window; beyond the scene nothing is."""
    rows, cols = slices(window)
    bottom, right = min(rows.stop, scene.grid.height), min(cols.stop, scene.grid.width)
    part = Window(cols.start, rows.start, right - cols.start, bottom - rows.start)
    pixels, _ = scene.read_safely(part)
    shown = stretch.apply(pixels.data, pixels.valid)
    image = np.zeros((len(shown), rows.stop - rows.start, cols.stop - cols.start), np.uint8)
    valid = np.zeros(image.shape[1:], np.bool_)
    place = (slice(0, bottom - rows.start), slice(0, right - cols.start))
    image[(slice(None), *place)], valid[place] = np.where(pixels.valid, shown, 0), pixels.valid
    return image, valid


def _starts(length: int, size: int) -> list[int]:
    """Where blocks begin along a side."""
    if length <= size:
        return [0]
    return [*range(0, length - size, size), length - size]


def _placed(start: float, size: int, length: int) -> int:
    return max(0, min(round(start), length - size))


def _is_inside(bounds: tuple[float, float, float, float], window: Window) -> bool:
    edge = window.width * MARGIN
    left, top, right, bottom = bounds
    return bool(
        window.col_off + edge <= left
        and right <= window.col_off + window.width - edge
        and window.row_off + edge <= top
        and bottom <= window.row_off + window.height - edge
    )


def _over(polygon: BaseGeometry, height: int, width: int, size: int) -> list[Window]:
    """Windows over a polygon that is larger than one, where it lies, at most `MAX_OF_ONE`."""
    left, top, right, bottom = polygon.bounds
    windows = []
    for row in range(int(top), int(np.ceil(bottom)), size):
        for col in range(int(left), int(np.ceil(right)), size):
            window = Window(_placed(col, size, width), _placed(row, size, height), size, size)
            x, y = window.col_off, window.row_off
            if shapely.intersects(polygon, shapely.box(x, y, x + size, y + size)):
                windows.append(window)
    step = max(1, int(np.ceil(len(windows) / MAX_OF_ONE)))
    return windows[::step]
