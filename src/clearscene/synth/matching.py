"""Found against placed: an inspection result set against the truth of a generated scene."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ResultError, SceneError, VectorError
from clearscene.grid import slices, windows
from clearscene.inspection.taxonomy import BY_ID, BY_NAME
from clearscene.runs import Runs
from clearscene.synth.truth import SceneTruth
from clearscene.vector.layer import Table, read_layer

__all__ = ["TypeMatch", "found_against_placed"]

WINDOW = 2048
FOUND_SHARE = 0.5
"""A placed defect counts as found if at least this share of its pixels was found as its type."""
JOIN_REACH = 3
"""Found pixels within this distance make one finding when false ones are counted."""

RASTERS = (".tif", ".tiff", ".vrt", ".img", ".png")


@dataclass(frozen=True)
class TypeMatch:
    """Found against placed, for one type."""

    type: str
    placed: int
    """Defects placed."""
    found: int
    """Of these, found: at least half of their pixels have the type."""
    missed: int
    """placed - found."""
    false: int
    """Findings that touch no placed defect of the type."""
    placed_px: int
    found_px: int
    shared_px: int

    @property
    def iou(self) -> float:
        """Intersection over union in pixels, pooled over the scene; 1 where there is neither."""
        union = self.placed_px + self.found_px - self.shared_px
        return self.shared_px / union if union else 1.0

    @property
    def precision(self) -> float:
        """Share of the found pixels that are true; 1 where none is found."""
        return self.shared_px / self.found_px if self.found_px else 1.0

    @property
    def recall(self) -> float:
        """Share of the placed pixels that are found; 1 where none is placed."""
        return self.shared_px / self.placed_px if self.placed_px else 1.0


def found_against_placed(found: Path, truth: SceneTruth, *, tolerance: int = 0) -> list[TypeMatch]:
    """Set what an inspection found against what was placed; one entry for each type placed or found.

    Laws: the truth against itself has IoU 1, nothing missed and nothing false; an empty class map
    misses all.

    Args:
        found: A class map (raster with the ids of the taxonomy), or polygons with a field `type_id`
            or `type` (GeoPackage, Shapefile, GeoJSON) in map coordinates of the scene.
        truth: As `make_scene` or `read_truth` give it.
        tolerance: Found pixels at most this far (a disk, pixels) from placed ones of their type are
            not counted at all: room for a dilation of the polygons.

    Raises:
        SceneError, VectorError: `found` cannot be read.
        ResultError: `found` has another size than the scene.
    """
    with rasterio.open(truth.class_map) as raster:
        shape, transform = (raster.height, raster.width), raster.transform
    placed = _raster_runs(truth.class_map, shape)
    found = Path(found)
    if found.suffix.lower() in RASTERS:
        sought = _raster_runs(found, shape)
    else:
        sought = _polygon_runs(read_layer(found, _layer_of(found)), shape, transform)
    return [
        _match(BY_ID[k].name, placed.get(k, Runs.empty()), sought.get(k, Runs.empty()), truth, shape, tolerance)
        for k in sorted(placed.keys() | sought.keys())
    ]


def _raster_runs(path: Path, shape: tuple[int, int]) -> dict[int, Runs]:
    """The pixels of each type in a class map."""
    parts: dict[int, list[Runs]] = {}
    try:
        with rasterio.open(path) as raster:
            if (raster.height, raster.width) != shape:
                raise ResultError(
                    f"{path} has {raster.width} x {raster.height} px, the scene {shape[1]} x {shape[0]}.",
                    hint="Give the class map of this scene.",
                )
            for window in windows(*shape, WINDOW):
                classes = raster.read(1, window=window)
                rows, cols = slices(window)
                for type_id in np.intersect1d(np.unique(classes), list(BY_ID)):
                    part = Runs.from_mask(classes == type_id, row=rows.start, col=cols.start)
                    parts.setdefault(int(type_id), []).append(part)
    except rasterio.errors.RasterioError as error:
        raise SceneError(f"{path} cannot be read: {error}") from error
    return {type_id: Runs.union(runs) for type_id, runs in parts.items()}


def _layer_of(path: Path) -> str | None:
    """`defects` in the GeoPackage of a run, else the first layer."""
    return "defects" if path.name == "defects.gpkg" else None


def _polygon_runs(table: Table, shape: tuple[int, int], transform: Affine) -> dict[int, Runs]:
    """The pixels whose centers lie in the polygons of each type; rejected ones are left out."""
    type_ids = _type_ids(table)
    if "status" in table.fields:
        type_ids = np.where(table.column("status").astype(str) == "rejected", 0, type_ids)
    result = {}
    for type_id in np.intersect1d(np.unique(type_ids), list(BY_ID)):
        shapes = [g for g in table.geometries[type_ids == type_id] if g is not None and not g.is_empty]
        runs = Runs.union(_burnt(g, shape, transform) for shape_ in shapes for g in shapely.get_parts(shape_))
        result[int(type_id)] = runs
    return result


def _type_ids(table: Table) -> NDArray[np.int64]:
    if "type_id" in table.fields:
        return table.column("type_id").astype(np.int64)
    try:
        return np.array([BY_NAME[str(name)].id for name in table.column("type")], np.int64)
    except KeyError as error:
        raise VectorError(
            f"{table.path} has the unknown type {error}.", hint="Types are named as in the taxonomy."
        ) from error


def _burnt(polygon: BaseGeometry, shape: tuple[int, int], transform: Affine) -> Runs:
    """A polygon in map coordinates as pixels, row band by row band of its bounds."""
    col0, row0, col1, row1 = _pixel_bounds(polygon, shape, transform)
    parts = []
    for row in range(row0, row1, WINDOW):
        height = min(WINDOW, row1 - row)
        mask = rasterio.features.rasterize(
            [polygon], (height, col1 - col0), transform=transform * Affine.translation(col0, row), dtype=np.uint8
        )
        parts.append(Runs.from_mask(mask.astype(np.bool_), row=row, col=col0))
    return Runs.union(parts)


def _pixel_bounds(polygon: BaseGeometry, shape: tuple[int, int], transform: Affine) -> tuple[int, int, int, int]:
    """First col, first row, last col + 1, last row + 1 of the pixels a polygon may cover."""
    box = shapely.get_coordinates(shapely.box(*polygon.bounds))
    cols, rows = ~transform * (box[:, 0], box[:, 1])
    low = np.clip(np.floor([cols.min(), rows.min()]), 0, (shape[1] - 1, shape[0] - 1)).astype(int)
    high = np.clip(np.ceil([cols.max(), rows.max()]), low + 1, (shape[1], shape[0])).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _match(
    name: str, placed: Runs, found: Runs, truth: SceneTruth, shape: tuple[int, int], tolerance: int
) -> TypeMatch:
    height, width = shape
    if tolerance:
        near = placed.dilate(tolerance, height=height, width=width)
        found = _without(found, near, placed)
    hits = [
        _shared(placed.within(p.window), found) / max(1, placed.within(p.window).area)
        for p in truth.placements
        if p.type == name
    ]
    n_found = sum(share >= FOUND_SHARE for share in hits)
    return TypeMatch(
        type=name,
        placed=len(hits),
        found=n_found,
        missed=len(hits) - n_found,
        false=_n_false(found, placed, height, width),
        placed_px=placed.area,
        found_px=found.area,
        shared_px=_shared(placed, found),
    )


def _shared(one: Runs, two: Runs) -> int:
    """Pixels in both sets: |A| + |B| - |A or B|."""
    return one.area + two.area - Runs.union([one, two]).area


def _without(found: Runs, near: Runs, placed: Runs) -> Runs:
    """`found` less the pixels that are in `near` but not in `placed`."""
    if len(found) == 0 or len(near) == 0:
        return found
    kept = []
    for row in np.unique(found.rows):
        window = Window(0, int(row), int(max(found.stops.max(), near.stops.max())), 1)
        mask, halo = found.to_mask(window), near.to_mask(window)
        if halo.any():
            mask = mask & (~halo | placed.to_mask(window))
        kept.append(Runs.from_mask(mask, row=int(row)))
    return Runs.union(kept)


def _n_false(found: Runs, placed: Runs, height: int, width: int) -> int:
    """Findings (found pixels joined over small gaps) that touch nothing placed."""
    if len(found) == 0:
        return 0
    labels = found.label(reach=JOIN_REACH)
    near = placed.dilate(JOIN_REACH, height=height, width=width)
    touching = np.array([_meets(found, index, near) for index in range(len(found))])
    is_true = np.zeros(int(labels.max()) + 1, np.bool_)
    is_true[labels[touching]] = True
    return int((~is_true).sum())


def _meets(runs: Runs, index: int, other: Runs) -> bool:
    """True if one run shares a pixel with the other set."""
    first, last = np.searchsorted(other.rows, (runs.rows[index], runs.rows[index] + 1))
    starts, stops = other.starts[first:last], other.stops[first:last]
    return bool(((starts < runs.stops[index]) & (stops > runs.starts[index])).any())
