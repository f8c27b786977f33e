"""The inspection of the images and of what was made of them, so that the gain is a number."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clearscene.errors import ClearsceneError
from clearscene.fusion.image import describe_image
from clearscene.fusion.one_file import write_as_one_file
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.result import FuseReport
from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector, prepare
from clearscene.inspection.options import InspectOptions

__all__ = ["inspect_all", "inspection_folder"]


def inspection_folder(out: Path) -> Path:
    """Where the runs of the inspection lie."""
    return out.with_name(f"{out.stem}_inspection")


def inspect_all(
    report: FuseReport, out: Path, options: FuseOptions, *, progress: Callable[[float], None]
) -> FuseReport:
    """Inspect every image, as it is, and the result; the report with their scores.

    A product of several files is inspected by a virtual raster of them. An image that cannot be inspected has no score
    and a note says why. Runs are left in `NAME_inspection`, for `clearscene review` too.

    Raises:
        ClearsceneError: An inspector cannot be made.
    """
    plain = InspectOptions(
        scale=options.scale,
        offset=(options.offset or 0.0) if options.scale is not None else 0.0,
        device=options.device,
        workers=options.workers,
        memory_limit_mb=options.memory_limit_mb,
    )
    as_is, by_file = prepare(replace(plain, bands=options.bands)), prepare(replace(plain, scale=None, offset=0.0))
    folder = inspection_folder(out)
    folder.mkdir(exist_ok=True)
    images = []
    for image in report.images:
        run = folder / f"{image.number:03d}-{image.name}"
        score, note = _score(image.path, run, options, as_is=as_is, by_file=by_file)
        images.append(image.model_copy(update={"score": score, "notes": [*image.notes, *note]}))
        progress(image.number / (len(report.images) + 1))
    of_result = prepare(replace(plain, scale=1.0, offset=0.0)) if options.reflectance else by_file
    result, note = _score_of(out, folder / report.name, of_result)
    progress(1.0)
    return report.model_copy(update={"images": images, "score": result, "notes": [*report.notes, *note]})


def _score(
    path: str, folder: Path, options: FuseOptions, *, as_is: Inspector, by_file: Inspector
) -> tuple[float | None, list[str]]:
    """The score of an image and no note, or None and why; `by_file` believes what a file says of its scale."""
    try:
        image = describe_image(path, options.bands, scale=options.scale, offset=options.offset, nodata=options.nodata)
        part = image.parts[0]
        if len(image.parts) == 1 and part.path == path and part.given_nodata is None:
            return _score_of(path, folder, as_is)
        one_file = folder.with_name(f"{folder.name}.vrt")
        write_as_one_file(image, one_file)
    except ClearsceneError as error:
        return None, [f"Not inspected: {error.message}"]
    return _score_of(one_file, folder, by_file)


def _score_of(path: str | Path, folder: Path, inspector: Inspector) -> tuple[float | None, list[str]]:
    """The score of a raster and no note, or None and why."""
    try:
        return inspect_scene(path, folder, inspector).score.score, []
    except ClearsceneError as error:
        return None, [f"Not inspected: {error.message}"]
