"""A data set from an inspector's polygons of earlier years: `clearscene datasets from-polygons`.

As in section 2.2 of Yu, Wang et al., "Intelligent Remote Sensing Image Quality Inspection System", IET
Image Processing 2023: the scene and the mask drawn from its polygons are cut into blocks; each block
has its image, its mask, its set of types, and a text by the rules of table B1. The paper leaves
pixels outside of the scene to 255; so do we.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import shapely
from rasterio.windows import Window

from clearscene import __version__
from clearscene.datasets.polygon_chips import (
    USUAL_SHARES,
    Drawing,
    Shares,
    block_windows,
    check_size,
    cut_chips,
    split_of_scene,
)
from clearscene.errors import DatasetError, OptionError, VectorError
from clearscene.inspection.polygon_file import PolygonFile, read_polygon_file
from clearscene.inspection.reference_types import types_of
from clearscene.raster.scene import open_scene
from clearscene.raster.stretch import scene_stretch
from clearscene.synth.chip_set import SPLITS, ChipSet, ChipWriter, Split, read_about

__all__ = ["Added", "BlockOptions", "add_scene"]

logger = logging.getLogger(__name__)

FORMAT = "polygons"
PENALTY_FIELDS = ("penalty", "penalty_sc", "score", "deduction", "扣分", "扣分值")


@dataclass(frozen=True)
class BlockOptions:
    """How blocks are cut."""

    size: int = 512
    """Pixels along their side; the paper takes 512 and 1024."""
    clean: float = 1.0
    """Blocks without a polygon that are kept, for each one with."""
    type_field: str | None = None
    """Field with the types; None takes a usual one."""
    penalty_field: str | None = None
    """Field with the penalties; None takes a usual one, if there is one."""
    shares: Shares = USUAL_SHARES
    split: Split | None = None
    """Where all blocks of the scene go; None lets its name decide."""

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.clean < 0:
            raise OptionError(f"A share of {self.clean} clean blocks cannot be.", hint="Use 0 or more.")
        if self.split not in (None, *SPLITS):
            raise OptionError(f"There is no split {self.split!r}.", hint=f"Splits are {', '.join(SPLITS)}.")


@dataclass(frozen=True)
class Added:
    """What a scene brought."""

    scene: str
    split: Split
    n_defects: int
    """Blocks that show a polygon."""
    n_clean: int
    n_polygons: int


def add_scene(
    scene: str | Path, polygons: str | Path, out: Path, *, options: BlockOptions, overwrite: bool = False
) -> Added:
    """Cut a scene with its polygons into a set, beside the scenes that are in it already.

    Law: interrupted and run again, the set is the same as in one run.

    Raises:
        SceneError: The scene cannot be read.
        VectorError: The polygons cannot be read, have no types, or none lies in the scene.
        DatasetError: The folder holds a set of another kind or size, or this scene from other polygons.
        OutputError: The set cannot be written.
    """
    with open_scene(scene) as opened:
        file = read_polygon_file(polygons, opened.grid)
        drawings = _drawings(file, options)
        height, width = opened.grid.height, opened.grid.width
        drawings = _inside(drawings, height, width, str(polygons))
        about = _about(out, options, key=opened.name, polygons=str(polygons), overwrite=overwrite)
        split = options.split or split_of_scene(opened.name, options.shares)
        stretch = scene_stretch(opened)
        writer = ChipWriter(out, overwrite=overwrite)
        about["scenes"][split] = sorted({*about["scenes"][split], opened.name})
        writer.describe(about)
        shown, clean = _sorted_blocks(drawings, height, width, options, seed=crc32(opened.name.encode()))
        common: dict[str, Any] = {"stretch": stretch, "split": split, "writer": writer, "key": opened.name}
        n_defects = cut_chips(opened, drawings, shown, **common)
        n_clean = cut_chips(opened, drawings, clean, **common)
    return Added(opened.name, split, n_defects, n_clean, len(drawings))


def _drawings(file: PolygonFile, options: BlockOptions) -> list[Drawing]:
    names = types_of(file, options.type_field)
    penalties = _penalties(file, options.penalty_field)
    return [
        Drawing(shapely.make_valid(polygon), name, notes={"id": number} | ({} if cost is None else {"penalty": cost}))
        for polygon, name, number, cost in zip(file.polygons, names, file.ids, penalties, strict=True)
    ]


def _penalties(file: PolygonFile, field: str | None) -> list[float | None]:
    """The penalty of each polygon, None where there is none.

    Raises:
        VectorError: There is no such field, or it holds what is no number.
    """
    if field is None:
        fields = {name.lower(): name for name in file.fields}
        field = next((fields[name] for name in PENALTY_FIELDS if name in fields), None)
    if field is None:
        return [None] * len(file.ids)
    values = file.column(field)
    try:
        return [None if value is None else float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise VectorError(
            f"{file.path}: the field {field} holds what is no number: {error}.", hint="Name another by --penalty-field."
        ) from error


def _inside(drawings: Sequence[Drawing], height: int, width: int, path: str) -> list[Drawing]:
    box = shapely.box(0, 0, width, height)
    inside = [drawing for drawing in drawings if shapely.intersects(drawing.polygon, box)]
    if not inside:
        raise VectorError(f"None of the polygons of {path} lies in the scene.", hint="Compare their CRS.")
    if len(inside) < len(drawings):
        logger.warning("%d polygons of %s lie outside the scene and are left out.", len(drawings) - len(inside), path)
    return inside


def _sorted_blocks(
    drawings: Sequence[Drawing], height: int, width: int, options: BlockOptions, *, seed: int
) -> tuple[list[Window], list[Window]]:
    """The blocks that show a polygon, and as many without as were asked for, drawn at random."""
    tree = shapely.STRtree([drawing.polygon for drawing in drawings])
    shown: list[Window] = []
    clean: list[Window] = []
    for window in block_windows(height, width, options.size):
        x, y = window.col_off, window.row_off
        meets = len(tree.query(shapely.box(x, y, x + options.size, y + options.size), predicate="intersects"))
        (shown if meets else clean).append(window)
    n = min(len(clean), round(options.clean * len(shown)))
    chosen = np.random.default_rng((options.shares.seed, seed)).permutation(len(clean))[:n]
    return shown, [clean[i] for i in sorted(chosen.tolist())]


def _about(out: Path, options: BlockOptions, *, key: str, polygons: str, overwrite: bool) -> dict[str, Any]:
    """What `dataset.json` will say, if the scene can be added to what is there.

    Raises:
        DatasetError: It cannot.
    """
    fresh = {
        "format": 1,
        "made_by": f"clearscene {__version__}",
        "from": FORMAT,
        "size": options.size,
        "polygons": {},
        "scenes": {split: [] for split in SPLITS},
        "licenses": "those of the scenes",
    }
    there = {} if overwrite else read_about(out)
    if there and (there.get("from"), there.get("size")) != (FORMAT, options.size):
        raise DatasetError(
            f"{out} holds chips of another kind or size.", hint="Use --overwrite, or write to another folder."
        )
    about: dict[str, Any] = fresh | there
    if about["polygons"].get(key, polygons) != polygons:
        raise DatasetError(
            f"{out} holds the scene {key} with the polygons {about['polygons'][key]}.",
            hint="Use --overwrite, or write to another folder.",
        )
    about["polygons"] = {**about["polygons"], key: polygons}
    return about


def count_splits(out: Path) -> dict[Split, int]:
    """Chips of a set by split."""
    chips = ChipSet.open(out)
    return {split: len(chips.records(split)) for split in SPLITS}
