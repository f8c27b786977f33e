"""`clearscene fuse SCENE... --out FILE`: many imperfect images of one place into one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from clearscene.cli.fuse_summary import print_fusion
from clearscene.cli.progress import SceneProgress
from clearscene.errors import OptionError, OutputError
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.plan import prepare_fuse
from clearscene.fusion.result import FuseReport
from clearscene.fusion.run import fuse_images
from clearscene.fusion.staging import check_free, check_out, finished
from clearscene.masking.inputs import absolute, find_products
from clearscene.raster.bands import parse_bands

__all__ = ["command"]

_DEFAULT = FuseOptions()

_METHOD = "How to fuse"
_GRID = "Where"
_INPUT = "How to read"
_OUTPUT = "Output"
_RUN = "Running"

SHARES = {
    "read": 0.02,
    "masks": 0.2,
    "align": 0.08,
    "quality": 0.3,
    "fuse": 0.35,
    "write": 0.02,
    "inspect": 0.03,
}
"""How much of the bar each stage fills."""


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Rasters, satellite products or STAC Items of one place, folders of these, patterns.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="GeoTIFF to write.", rich_help_panel=_OUTPUT)] = Path(
        "fused.tif"
    ),
    method: Annotated[
        str,
        typer.Option(
            help="learned, mean, median, medoid, geomedian, best or first.",
            show_default="learned with a quality model, else medoid",
            rich_help_panel=_METHOD,
        ),
    ] = _DEFAULT.method,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a quality model.", rich_help_panel=_METHOD)
    ] = _DEFAULT.model,
    temperature: Annotated[
        float, typer.Option(help="Of the softmax across images: less is sharper.", rich_help_panel=_METHOD)
    ] = _DEFAULT.temperature,
    masks: Annotated[
        list[str] | None,
        typer.Option(
            help="Cloud masks, by the names of the images, or folders of them; auto makes them. Repeatable.",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    mask_model: Annotated[
        str, typer.Option(help="Cloud model of --masks auto.", rich_help_panel=_METHOD)
    ] = _DEFAULT.mask_model,
    all_bad: Annotated[
        str, typer.Option(help="Where every image is masked: nodata or least.", rich_help_panel=_METHOD)
    ] = _DEFAULT.all_bad,
    tone: Annotated[
        str, typer.Option(help="none, or match: bring all to the tone of the reference.", rich_help_panel=_METHOD)
    ] = _DEFAULT.tone,
    feather: Annotated[
        int | None,
        typer.Option(
            help="Pixels over which an image fades in.",
            show_default="0, with --tone match 16",
            rich_help_panel=_METHOD,
        ),
    ] = _DEFAULT.feather,
    reference: Annotated[
        str,
        typer.Option(help="Image whose tone and place are kept.", show_default="the clearest", rich_help_panel=_METHOD),
    ] = _DEFAULT.reference,
    align: Annotated[
        bool, typer.Option("--align", help="Shift images onto the reference.", rich_help_panel=_GRID)
    ] = _DEFAULT.align,
    like: Annotated[str, typer.Option(help="Raster whose grid to take.", rich_help_panel=_GRID)] = _DEFAULT.like,
    bounds: Annotated[
        str, typer.Option(help="left,bottom,right,top in the CRS of the result.", rich_help_panel=_GRID)
    ] = "",
    resolution: Annotated[
        float | None,
        typer.Option(help="Pixel size, meters.", show_default="that of the finest image", rich_help_panel=_GRID),
    ] = _DEFAULT.resolution,
    extent: Annotated[
        str, typer.Option(help="union or intersection of the images.", rich_help_panel=_GRID)
    ] = _DEFAULT.extent,
    resampling: Annotated[
        str, typer.Option(help="nearest, bilinear, cubic or average.", rich_help_panel=_GRID)
    ] = _DEFAULT.resampling,
    bands: Annotated[
        str, typer.Option(help="Bands by name, such as red=1,green=2,blue=3,nir=4.", rich_help_panel=_INPUT)
    ] = "",
    use: Annotated[
        str,
        typer.Option(
            help="Bands to fuse, such as red,green,blue.", show_default="all in common", rich_help_panel=_INPUT
        ),
    ] = "",
    scale: Annotated[
        float | None, typer.Option(help="Reflectance = value * scale + offset.", rich_help_panel=_INPUT)
    ] = _DEFAULT.scale,
    offset: Annotated[float | None, typer.Option(help="See --scale.", rich_help_panel=_INPUT)] = _DEFAULT.offset,
    reflectance: Annotated[
        bool,
        typer.Option("--reflectance", help="Fuse reflectance (float32), not stored values.", rich_help_panel=_INPUT),
    ] = _DEFAULT.reflectance,
    quality: Annotated[
        bool, typer.Option("--quality", help="Write the share of each image.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.quality,
    dates: Annotated[
        bool, typer.Option("--dates", help="Write the date of the winning image.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.dates,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Score each image and the result.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.inspect,
    fail_under: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if less of the result is filled, percent.", rich_help_panel=_OUTPUT),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="stop, or skip: leave out an image that cannot be used.", rich_help_panel=_RUN)
    ] = _DEFAULT.on_error,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Fuse again what is done already, or write over another file.", rich_help_panel=_RUN
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or openvino.", rich_help_panel=_RUN)] = _DEFAULT.device,
    workers: Annotated[
        int, typer.Option(help="Threads.", show_default="all cores", rich_help_panel=_RUN)
    ] = _DEFAULT.workers,
    memory_limit: Annotated[
        int, typer.Option(help="What to stay below, MB.", rich_help_panel=_RUN)
    ] = _DEFAULT.memory_limit_mb,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=_RUN)] = False,
) -> None:
    """Fuse images of one place into one: clouds, shadows, holes and other defects give way to what others show.

    Leaves OUT.tif with counts, winning images, a JSON record and a page beside it.
    """
    choices: Any = {"method": method, "all_bad": all_bad, "tone": tone, "extent": extent, "on_error": on_error}
    options = FuseOptions(  # what is not one of the choices is refused by the options
        **choices,
        model=model,
        temperature=temperature,
        masks=tuple(masks or ()),
        mask_model=mask_model,
        feather=feather,
        reference=reference,
        align=align,
        bands=parse_bands(bands) if bands else None,
        use=_names(use),
        scale=scale,
        offset=offset,
        reflectance=reflectance,
        like=like,
        bounds=_bounds(bounds),
        resolution=resolution,
        resampling=resampling,
        quality=quality,
        dates=dates,
        inspect=inspect,
        device=device,
        workers=workers,
        memory_limit_mb=memory_limit,
    )
    raise typer.Exit(_run(find_products(scenes), out, options, overwrite=overwrite, quiet=quiet, fail_under=fail_under))


def _run(
    paths: Sequence[str], out: Path, options: FuseOptions, *, overwrite: bool, quiet: bool, fail_under: float | None
) -> int:
    """Fuse, or find that it is done, and print; the exit code."""
    check_out(out, paths)
    done = None if overwrite else finished(out)
    if done is not None:
        _check_same_images(done, paths, out)
        differs = done.options != options.record()
        return print_fusion(done, out=out, fail_under=fail_under, was_done=True, differs=differs)
    if not overwrite:
        check_free(out)
    prepared = prepare_fuse(options)
    try:
        with SceneProgress(Console(stderr=True), n_scenes=1, is_quiet=quiet, shares=SHARES) as progress:
            report = fuse_images(paths, out, prepared, progress=lambda stage, share: progress(out.name, stage, share))
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing half-written is left", err=True)
        return 130
    return print_fusion(report, out=out, fail_under=fail_under)


def _check_same_images(done: FuseReport, paths: Sequence[str], out: Path) -> None:
    """Refuse to hand out a result of other images as if it were what was asked for."""
    held = {record.path for record in done.images} | {record.path for record in done.skipped}
    if held != {absolute(path) for path in paths}:
        raise OutputError(
            f"{out} is there already, fused from {len(held)} other images.",
            hint="Choose another name with --out, or replace it with --overwrite.",
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _bounds(text: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        left, bottom, right, top = (float(word) for word in text.split(","))
    except ValueError as error:
        raise OptionError(f"--bounds {text!r} is not four numbers.", hint="Write left,bottom,right,top.") from error
    return left, bottom, right, top
