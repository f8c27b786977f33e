"""`clearscene inspect SCENE...`: the main job."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clearscene.cli.progress import SceneProgress
from clearscene.cli.summary import print_batch
from clearscene.inspection.batch import Failure, collect, write_index
from clearscene.inspection.inputs import find_scenes
from clearscene.inspection.inspect import prepare
from clearscene.inspection.options import Encoding, InspectOptions, Lang, Mode
from clearscene.inspection.run import SceneResult, inspect_batch
from clearscene.inspection.taxonomy import parse_types
from clearscene.raster.bands import parse_bands

__all__ = ["command"]

_DEFAULT = InspectOptions()

_SELECT = "What to inspect"
_DETECT = "How to detect"
_SCORE = "Scoring"
_OUTPUT = "Output"
_RUN = "Running"


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: Annotated[
        list[str], typer.Argument(metavar="SCENE...", help="Rasters, folders, patterns, /vsi paths or URLs of COGs.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results: one folder a scene.", rich_help_panel=_OUTPUT)
    ] = Path("out"),
    types: Annotated[
        str,
        typer.Option(help="Types to look for (cloud,stripe or 1,9) or to leave out (-cloud).", rich_help_panel=_SELECT),
    ] = "",
    bands: Annotated[
        str,
        typer.Option(help="Bands by name, such as red=1,green=2,blue=3.", rich_help_panel=_SELECT),
    ] = "",
    aoi: Annotated[
        Path | None, typer.Option(help="Polygons: inspect only inside them.", rich_help_panel=_SELECT)
    ] = _DEFAULT.aoi,
    ignore: Annotated[
        Path | None, typer.Option(help="Polygons of known-good areas: leave them out.", rich_help_panel=_SELECT)
    ] = _DEFAULT.ignore,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a model of your own.", rich_help_panel=_DETECT)
    ] = _DEFAULT.model,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or openvino.", rich_help_panel=_DETECT)
    ] = _DEFAULT.device,
    stripe_mode: Annotated[
        Mode, typer.Option(help="default, or paper for the published rule.", rich_help_panel=_DETECT)
    ] = _DEFAULT.stripe_mode,
    missing_mode: Annotated[
        Mode, typer.Option(help="default, or paper for the published rule.", rich_help_panel=_DETECT)
    ] = _DEFAULT.missing_mode,
    standard: Annotated[
        str,
        typer.Option(help="A shipped standard or a TOML file; see `clearscene standards`.", rich_help_panel=_SCORE),
    ] = _DEFAULT.standard,
    units: Annotated[
        str,
        typer.Option(help="Score by map sheet: grid:500m, grid:1024px or a polygon file.", rich_help_panel=_SCORE),
    ] = _DEFAULT.units,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 1 if a scene scores less.", rich_help_panel=_SCORE)
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Polygon files, of gpkg, shp, geojson.", rich_help_panel=_OUTPUT)
    ] = ",".join(_DEFAULT.formats),
    encoding: Annotated[
        Encoding, typer.Option(help="Text encoding of Shapefiles: UTF-8 or GBK.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.encoding,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Write confidence.tif, a band a type.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.confidence,
    lang: Annotated[
        Lang, typer.Option(help="Language of the report: en or zh.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.lang,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write report.pdf as well.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.pdf,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Inspect again what is done already.", rich_help_panel=_RUN)
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Threads.", show_default="all cores", rich_help_panel=_RUN)
    ] = _DEFAULT.workers,
    memory_limit: Annotated[
        int, typer.Option(help="What to stay below, MB.", rich_help_panel=_RUN)
    ] = _DEFAULT.memory_limit_mb,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=_RUN)] = False,
) -> None:
    """Find defects in scenes: polygons, class map, score, report.

    Leaves `OUT/<scene>/` with defects.gpkg, classmap.tif, report.html and report.json, and for a batch
    `OUT/index.html` and `OUT/summary.csv`.
    """
    options = InspectOptions(
        types=parse_types(types),
        bands=parse_bands(bands) if bands else None,
        standard=standard,
        model=model,
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
    inspector = prepare(options)
    paths = find_scenes(scenes)
    console = Console(stderr=True)
    try:
        with SceneProgress(console, n_scenes=len(paths), is_quiet=quiet) as progress:
            results = inspect_batch(paths, out, inspector, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: scenes that were finished are kept, nothing half-written is left", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(print_batch(results, index=_write_index(results, out, lang), fail_under=fail_under))


def _write_index(results: Sequence[SceneResult], out: Path, lang: Lang) -> Path | None:
    """The page of all scenes in `out`, those of earlier calls included; None for a scene that is alone there."""
    now = {Path(r.scene).resolve() for r in results}
    before = [(f, o) for f, o in collect(out) if not (isinstance(o, Failure) and Path(o.path).resolve() in now)]
    scenes = dict(before) | {r.folder: r.outcome for r in results}
    return write_index(sorted(scenes.items()), out, lang=lang) if len(scenes) > 1 else None
