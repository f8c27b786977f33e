"""What the report of a mask says of the scene, the classes and the looks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.batch import file_state
from clearscene.grid import Grid
from clearscene.masking.augmentation import LookCount
from clearscene.masking.classes import NODATA, MaskClass
from clearscene.masking.inputs import absolute
from clearscene.masking.masker import Masker
from clearscene.masking.options import MaskOptions
from clearscene.masking.result import LooksRecord, MaskReport, ModelRecord, SceneRecord, Share
from clearscene.raster.sensors import ReflectanceScene

__all__ = ["NO_DATA", "copied", "looks_record", "model_records", "scene_record", "shares_of", "with_notes"]

NO_DATA = "The scene holds no data."


def model_records(masker: Masker) -> list[ModelRecord]:
    """The models that take part."""
    return [
        ModelRecord(name=o.name, version=o.version, license=o.license, provider=o.provider, link=o.link)
        for o in masker.traits.origins
    ]


def shares_of(counts: NDArray[np.int64], entries: Sequence[MaskClass]) -> list[Share]:
    """Pixels and percentages of each class among those with data, from pixels by class id (256,)."""
    valid = max(1, int(counts[:NODATA].sum()))
    return [
        Share(id=e.id, name=e.name, title=e.title, pixels=int(counts[e.id]), percent=100 * int(counts[e.id]) / valid)
        for e in entries
    ]


def scene_record(scene: ReflectanceScene, bands: Sequence[str], pixel: tuple[float, float] | None) -> SceneRecord:
    """The scene, the bands that were read, and the size of a pixel in meters."""
    grid: Grid = scene.grid
    code = grid.crs.to_epsg() if grid.crs else None
    return SceneRecord(
        name=scene.name,
        path=absolute(scene.path),
        sensor=scene.sensor,
        kind=scene.kind,
        height=grid.height,
        width=grid.width,
        crs=f"EPSG:{code}" if code else grid.crs.to_wkt() if grid.crs else None,
        transform=tuple(grid.transform)[:6],
        pixel_m=pixel,
        bands=list(bands),
        datetime=scene.datetime,
        file_state=file_state(scene.path),
        notes=list(scene.notes),
    )


def with_notes(report: MaskReport, options: MaskOptions, polygons: tuple[int, int] | None) -> MaskReport:
    """The report with what came up on the way; `polygons` are those written and left out."""
    notes = list(report.notes)
    if options.qa and report.agreement is None:
        notes.append("The product has no quality band of its own to compare with.")
    if polygons and polygons[1]:
        notes.append(f"The {polygons[1]} smallest polygons were left out; the mask holds all of them.")
    if report.valid_pixels == 0:
        notes.append(NO_DATA)
    return report.model_copy(update={"notes": notes})


def copied(count: LookCount) -> LookCount:
    """The counts as they stand now."""
    return LookCount(count.tiles, count.again, count.looks, count.isolated_before, count.isolated_after)


def looks_record(before: Sequence[LookCount], after: Sequence[LookCount]) -> LooksRecord:
    """What was added to the counts since they were copied."""

    def grown(name: str) -> int:
        return sum(getattr(new, name) - getattr(old, name) for old, new in zip(before, after, strict=True))

    return LooksRecord(
        models=len(after),
        tiles=grown("tiles"),
        tiles_again=grown("again"),
        looks=grown("looks"),
        isolated_before=grown("isolated_before"),
        isolated_after=grown("isolated_after"),
    )
