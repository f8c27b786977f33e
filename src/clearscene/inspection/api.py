"""The call for Python users: one scene, one line."""

from dataclasses import replace
from pathlib import Path

from clearscene.inspection.inspect import Progress, inspect_scene, silent
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.result import Report

__all__ = ["inspect"]


def inspect(
    scene: str | Path,
    folder: str | Path,
    *,
    options: InspectOptions | None = None,
    standard: str | None = None,
    progress: Progress = silent,
) -> Report:
    """Inspect one scene and leave its result in `folder`, as `clearscene inspect` does.

    Args:
        scene: Anything that GDAL reads: a file, a /vsi path, the address of a COG.
        folder: Where polygons, class map, report and so on go; replaced if it is there.
        options: Everything that can be chosen; the defaults if left out.
        standard: Scoring standard, in place of the one in `options`.
        progress: Called with the stage and its share that is done.

    Returns:
        What `report.json` holds.

    Raises:
        ClearsceneError: The scene cannot be read, an option does not fit, or nothing can be written.
    """
    chosen = options or InspectOptions()
    chosen = chosen if standard is None else replace(chosen, standard=standard)
    return inspect_scene(scene, Path(folder), prepare(chosen), progress=progress)
