"""The truth of a generated scene: written beside it and read again."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from clearscene.atomic import replacing
from clearscene.errors import ResultError
from clearscene.grid import Grid, windows
from clearscene.inspection.taxonomy import BY_ID, NODATA, TYPES
from clearscene.models.wrong_keys import describe_errors
from clearscene.runs import Runs
from clearscene.synth.placing import Area, Placement
from clearscene.synth.raster_file import canvas, finish
from clearscene.vector.geopackage import write_geopackage
from clearscene.vector.layer import Column, Layer
from clearscene.vector.outline import outlines, to_map
from clearscene.vector.style import Category, Style

__all__ = ["Placed", "SceneTruth", "read_truth", "write_truth"]

WINDOW = 2048
_PLACEMENTS = TypeAdapter(tuple[Placement, ...])


@dataclass(frozen=True, eq=False)
class Placed:
    """A defect in the scene, with its pixels."""

    placement: Placement
    runs: Runs
    parameters: Mapping[str, float | int | str]


@dataclass(frozen=True, eq=False)
class SceneTruth:
    """A generated scene and its truth on disk."""

    scene: Path
    class_map: Path
    polygons: Path
    record: Path
    placements: tuple[Placement, ...]

    def counts(self) -> dict[str, int]:
        """Placed defects by type name."""
        names = [placement.type for placement in self.placements]
        return {name: names.count(name) for name in dict.fromkeys(names)}


def _beside(scene: Path, ending: str) -> Path:
    return scene.with_name(f"{scene.stem}_truth{ending}")


def write_truth(
    scene: Path, placed: list[Placed], *, grid: Grid, area: Area, record: Mapping[str, object]
) -> SceneTruth:
    """Write class map, polygons and record beside `scene`."""
    truth = SceneTruth(
        scene,
        _beside(scene, ".tif"),
        _beside(scene, ".gpkg"),
        _beside(scene, ".json"),
        tuple(p.placement for p in placed),
    )
    _write_class_map(truth.class_map, placed, grid=grid, area=area)
    _write_polygons(truth.polygons, placed, grid)
    defects = [
        {
            **asdict(p.placement),
            "type": p.placement.type,
            "type_id": p.placement.type_id,
            "area_px": p.runs.area,
            "parameters": dict(p.parameters),
        }
        for p in placed
    ]
    document = {"scene": scene.name, **record, "defects": defects}
    with replacing(truth.record) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return truth


def read_truth(scene: Path) -> SceneTruth:
    """The truth beside a generated scene.

    Raises:
        ResultError: There is none, or it cannot be read.
    """
    record = _beside(Path(scene), ".json")
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
        placements = _PLACEMENTS.validate_python(document["defects"])
        _ = [placement.type_id for placement in placements]  # of kinds that there are
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = describe_errors(error, "the truth") if isinstance(error, ValidationError) else str(error)
        raise ResultError(
            f"The truth of {scene} cannot be read from {record.name}: {reason}",
            hint="Make the scene again with `clearscene synth scene`.",
        ) from error
    return SceneTruth(Path(scene), _beside(Path(scene), ".tif"), _beside(Path(scene), ".gpkg"), record, placements)


def _write_class_map(path: Path, placed: list[Placed], *, grid: Grid, area: Area) -> None:
    by_type = {
        type_id: Runs.union(p.runs for p in placed if p.placement.type_id == type_id)
        for type_id in sorted({p.placement.type_id for p in placed})
    }
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".clearscene-") as folder:
        draft = Path(folder) / "draft.tif"
        with canvas(draft, grid, n_bands=1, dtype="uint8") as raster:
            raster.nodata = NODATA
            raster.write_colormap(1, _colors())
            for window in windows(grid.height, grid.width, WINDOW):
                classes = np.zeros((int(window.height), int(window.width)), np.uint8)
                for type_id, runs in by_type.items():
                    classes[runs.to_mask(window)] = type_id
                classes[~area.valid(window)] = NODATA
                raster.write(classes, 1, window=window)
        finish(draft, path, resampling="mode")


def _colors() -> dict[int, tuple[int, int, int, int]]:
    colors = {0: (0, 0, 0, 0), NODATA: (0, 0, 0, 0)}
    for kind in TYPES:
        red, green, blue = (int(kind.color[i : i + 2], 16) for i in (1, 3, 5))
        colors[kind.id] = (red, green, blue, 255)
    return colors


def _write_polygons(path: Path, placed: list[Placed], grid: Grid) -> None:
    runs, labels = _joined(placed)
    geometries = to_map(outlines(runs, labels), grid.transform)
    if len(geometries) < len(placed):  # a defect without a pixel at the end of the list
        geometries = np.append(geometries, [None] * (len(placed) - len(geometries)))
    drawn = [p for p, g in zip(placed, geometries, strict=True) if g is not None]
    fields: dict[str, Column] = {
        "id": np.array([p.placement.id for p in drawn], np.int32),
        "type_id": np.array([p.placement.type_id for p in drawn], np.int32),
        "type": [p.placement.type for p in drawn],
        "kind": [p.placement.kind for p in drawn],
        "severity": np.array([p.placement.severity for p in drawn], np.float64),
        "area_px": np.array([p.runs.area for p in drawn], np.int64),
    }
    shapes = np.array([g for g in geometries if g is not None], object)
    layer = Layer("truth", "MultiPolygon", shapes, fields, grid.crs)
    kinds = sorted({p.placement.type_id for p in drawn})
    look = Style("type", [Category(BY_ID[k].name, BY_ID[k].title, BY_ID[k].color) for k in kinds])
    write_geopackage(path, [layer], styles={"truth": look})


def _joined(placed: list[Placed]) -> tuple[Runs, NDArray[np.int64]]:
    """All runs in order, and the number of the defect each belongs to."""
    if not placed:
        return Runs.empty(), np.empty(0, np.int64)
    parts = [np.concatenate([getattr(p.runs, name) for p in placed]) for name in ("rows", "starts", "stops", "weights")]
    labels = np.repeat(np.arange(len(placed)), [len(p.runs) for p in placed])
    order = np.lexsort((parts[1], parts[0]))
    return Runs(*(part[order] for part in parts)), labels[order]
