"""The inspection of the images and of what was made of them, so that the gain is a number."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clearscene.errors import ClearsceneError
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

    An image that the inspection cannot open, as a product of many files, has no score and a note says so. Runs are
    left in `NAME_inspection`, for `clearscene review` too.

    Raises:
        ClearsceneError: The result cannot be inspected.
    """
    plain = InspectOptions(
        scale=options.scale,
        offset=(options.offset or 0.0) if options.scale is not None else 0.0,
        device=options.device,
        workers=options.workers,
        memory_limit_mb=options.memory_limit_mb,
    )
    inspector = prepare(replace(plain, bands=options.bands))
    folder = inspection_folder(out)
    folder.mkdir(exist_ok=True)
    images = []
    for image in report.images:
        score, note = _score(image.path, folder / f"{image.number:03d}-{image.name}", inspector)
        images.append(image.model_copy(update={"score": score, "notes": [*image.notes, *note]}))
        progress(image.number / (len(report.images) + 1))
    of_result = replace(plain, scale=1.0, offset=0.0) if options.reflectance else plain
    found = inspect_scene(out, folder / report.name, prepare(of_result))
    progress(1.0)
    return report.model_copy(update={"images": images, "score": found.score.score})


def _score(path: str, folder: Path, inspector: Inspector) -> tuple[float | None, list[str]]:
    try:
        return inspect_scene(path, folder, inspector).score.score, []
    except ClearsceneError as error:
        return None, [f"Not inspected: {error.message}"]
