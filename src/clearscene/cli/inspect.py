"""`clearscene inspect SCENE...`: the main job."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from clearscene.batch import Failure
from clearscene.cli import inspect_options as ask
from clearscene.cli.progress import SceneProgress, interruptible
from clearscene.cli.summary import print_batch
from clearscene.inspection.batch import collect, write_index
from clearscene.inspection.inputs import find_scenes
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions, Lang
from clearscene.inspection.run import SceneResult, inspect_batch
from clearscene.inspection.taxonomy import parse_types
from clearscene.raster.bands import parse_bands

__all__ = ["command"]

_DEFAULT = InspectOptions()
_FORMATS = ",".join(_DEFAULT.formats)


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: ask.Scenes,
    out: ask.Out = Path("out"),
    types: ask.Types = "",
    bands: ask.Bands = "",
    scale: ask.Scale = _DEFAULT.scale,
    offset: ask.Offset = _DEFAULT.offset,
    aoi: ask.Aoi = _DEFAULT.aoi,
    ignore: ask.Ignore = _DEFAULT.ignore,
    model: ask.Model = _DEFAULT.model,
    satellite: ask.Satellite = _DEFAULT.satellite,
    device: ask.Device = _DEFAULT.device,
    stripe_mode: ask.StripeMode = _DEFAULT.stripe_mode,
    missing_mode: ask.MissingMode = _DEFAULT.missing_mode,
    standard: ask.Standard = _DEFAULT.standard,
    units: ask.Units = _DEFAULT.units,
    fail_under: ask.FailUnder = None,
    formats: ask.Formats = _FORMATS,
    encoding: ask.Encoding = _DEFAULT.encoding,
    confidence: ask.Confidence = _DEFAULT.confidence,
    lang: ask.Lang = _DEFAULT.lang,
    pdf: ask.Pdf = _DEFAULT.pdf,
    overwrite: ask.Overwrite = False,
    workers: ask.Workers = _DEFAULT.workers,
    memory_limit: ask.MemoryLimit = _DEFAULT.memory_limit_mb,
    quiet: ask.Quiet = False,
) -> None:
    """Find defects in scenes: polygons, class map, score, report.

    Leaves `OUT/<scene>/` with defects.gpkg, classmap.tif, report.html and report.json, and for a batch
    `OUT/index.html` and `OUT/summary.csv`.
    """
    options = InspectOptions(
        types=parse_types(types),
        bands=parse_bands(bands) if bands else None,
        scale=scale,
        offset=offset,
        standard=standard,
        model=model,
        satellite=satellite,
        device=device,
        stripe_mode=stripe_mode,
        missing_mode=missing_mode,
        units=units,
        aoi=aoi,
        ignore=ignore,
        formats=tuple(name.strip() for name in formats.split(",") if name.strip()),
        encoding=encoding,
        confidence=confidence,
        lang=lang,
        pdf=pdf,
        workers=workers,
        memory_limit_mb=memory_limit,
    )
    results = _run(scenes, out, options, overwrite=overwrite, quiet=quiet)
    raise typer.Exit(print_batch(results, index=_write_index(results, out, lang), fail_under=fail_under))


def _run(
    scenes: Sequence[str], out: Path, options: InspectOptions, *, overwrite: bool, quiet: bool
) -> list[SceneResult]:
    """Inspect under a progress bar."""
    inspector = prepare(options)
    paths = find_scenes(scenes)
    bar = SceneProgress(Console(stderr=True), n_scenes=len(paths), is_quiet=quiet)
    with interruptible("scenes that were finished are kept, nothing half-written is left"), bar as progress:
        return inspect_batch(paths, out, inspector, overwrite=overwrite, progress=progress)


def _write_index(results: Sequence[SceneResult], out: Path, lang: Lang) -> Path | None:
    """The page of all scenes in `out`, those of earlier calls included; None for a scene that is alone there."""
    now = {Path(r.scene).resolve() for r in results}
    before = [(f, o) for f, o in collect(out) if not (isinstance(o, Failure) and Path(o.path).resolve() in now)]
    scenes = dict(before) | {r.folder: r.outcome for r in results}
    return write_index(sorted(scenes.items()), out, lang=lang) if len(scenes) > 1 else None
