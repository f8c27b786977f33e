"""What a report says of the scene, its pixels and the detectors that took part."""

import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rasterio.crs import CRS
from rasterio.windows import Window

from clearscene import __version__
from clearscene.batch import file_state
from clearscene.errors import SceneError
from clearscene.grid import Grid, slices
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.detect import Detection
from clearscene.inspection.notes import note
from clearscene.inspection.report_texts import say, word
from clearscene.inspection.result import Detector, NotInspected, Pixels, SceneInfo
from clearscene.inspection.taxonomy import TYPES, DefectType
from clearscene.inspection.viewer import SceneViewer
from clearscene.raster.scene import Scene
from clearscene.rules.misalignment import MisalignmentRule
from clearscene.rules.rule import Rule
from clearscene.rules.seam import SeamRule

__all__ = [
    "count_pixels",
    "describe_rule",
    "describe_scene",
    "describe_unreadable",
    "types_left_out",
    "unreadable_scene",
]


def describe_scene(scene: Scene, viewer: SceneViewer) -> SceneInfo:
    """The facts of the raster, for the report."""
    grid = scene.grid
    return SceneInfo(
        name=scene.name,
        path=str(scene.path) if "://" in str(scene.path) else str(Path(scene.path).resolve()),
        driver=scene.driver,
        height=grid.height,
        width=grid.width,
        dtype=str(scene.dtype),
        bands=dict(scene.bands),
        n_bands=scene.n_bands,
        crs=_name_crs(grid.crs),
        resolution=grid.resolution,
        bounds=grid.bounds,
        transform=tuple(grid.transform)[:6],
        file_state=file_state(str(scene.path)),
        nodata=_nodata(scene.nodata),
        stretch=viewer.stretch.record(),
        notes=[note(text) for text in scene.notes],
    )


def _nodata(value: float | None) -> float | Literal["nan", "inf", "-inf"] | None:
    """The nodata value; as text where JSON has no number for it."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _name_crs(crs: CRS | None) -> str | None:
    if crs is None:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def count_pixels(detection: Detection, grid: Grid) -> Pixels:
    """Where the pixels of the scene went.

    Law: total = valid + nodata + collar + unreadable, and inspected <= valid.
    """
    nodata = detection.nodata.area
    return Pixels(
        total=grid.n_pixels,
        valid=grid.n_pixels - nodata - detection.n_collar - detection.n_unreadable,
        nodata=nodata,
        collar=detection.n_collar,
        unreadable=detection.n_unreadable,
        inspected=detection.inspected.area,
        inspected_m2=detection.inspected_m2 if grid.is_georeferenced else None,
        hole=detection.n_hole(grid),
    )


def describe_rule(rule: Rule | SeamRule | MisalignmentRule) -> Detector:
    """A rule with its parameters."""
    return Detector(
        name=f"rule:{rule.name}",
        kind="rule",
        types=[rule.name],
        version=__version__,
        parameters=dict(rule.parameters()),
    )


def describe_unreadable(window: Window, reason: str) -> NotInspected:
    """A block of the scene that could not be read."""
    rows, cols = slices(window)
    return NotInspected(
        row=rows.start,
        col=cols.start,
        height=rows.stop - rows.start,
        width=cols.stop - cols.start,
        reason=reason,
    )


def types_left_out(
    wanted: Sequence[DefectType],
    found: Container[int],
    *,
    needs_bands: Sequence[str] = (),
    silent: Container[str] = (),
    too_small: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Bilingual]:
    """Why each type that nobody looked for was left out, by type name.

    Args:
        wanted: The types that were asked for.
        found: Ids of the types that a detector looked for.
        needs_bands: Bands that the installed model reads and the scene lacks; empty if it lacks none.
        silent: Names of the types that the installed model answers for, but did not learn well enough.
        too_small: Shortest seam in pixels that a rule can tell, by type name; the scene is smaller.
    """
    asked = {defect.name for defect in wanted}
    words = list(map(word, needs_bands))
    lacking = Bilingual(en=", ".join(w.en for w in words), zh="、".join(w.zh for w in words))
    why = say("model_needs_bands", lacking) if words else say("no_model")
    unlearned = why if words else say("model_silent")

    def reason(name: str) -> Bilingual:
        if name not in asked:
            return say("left_out_by_types")
        if name in too_small:
            return say("small_for_seams", too_small[name])
        return unlearned if name in silent else why

    return {defect.name: reason(defect.name) for defect in TYPES if defect.id not in found}


def unreadable_scene(path: str, reason: str) -> SceneError:
    """The error for a scene of which nothing could be read."""
    return SceneError(
        f"Nothing of {path} can be read: {reason}",
        hint="The file is cut off or damaged: copy it again from its source.",
    )
