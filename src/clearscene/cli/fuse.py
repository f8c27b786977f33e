"""`clearscene fuse SCENE... --out FILE`: many imperfect images of one place into one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict, cast

import typer
from rich.console import Console

from clearscene.cli import fuse_options as ask
from clearscene.cli.fuse_summary import print_fusion
from clearscene.cli.progress import SceneProgress, interruptible
from clearscene.errors import OptionError, OutputError
from clearscene.fusion.methods.choose import Method
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.plan import prepare_fuse
from clearscene.fusion.result import FuseReport
from clearscene.fusion.run import fuse_images
from clearscene.fusion.staging import check_free, check_out, finished, without_own_outputs
from clearscene.masking.inputs import absolute, find_products
from clearscene.raster.bands import parse_bands

__all__ = ["command"]

_DEFAULT = FuseOptions()

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


class _Choices(TypedDict):
    """Options that are one of a few words."""

    method: Method | Literal["auto"]
    all_bad: Literal["auto", "nodata", "least"]
    tone: Literal["none", "match"]
    extent: Literal["union", "intersection"]
    on_error: Literal["stop", "skip"]


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: ask.Scenes,
    out: ask.Out = Path("fused.tif"),
    method: ask.Method = _DEFAULT.method,
    model: ask.Model = _DEFAULT.model,
    temperature: ask.Temperature = _DEFAULT.temperature,
    masks: ask.Masks = None,
    mask_model: ask.MaskModel = _DEFAULT.mask_model,
    all_bad: ask.AllBad = _DEFAULT.all_bad,
    tone: ask.Tone = _DEFAULT.tone,
    feather: ask.Feather = _DEFAULT.feather,
    reference: ask.Reference = _DEFAULT.reference,
    align: ask.Align = _DEFAULT.align,
    like: ask.Like = _DEFAULT.like,
    bounds: ask.Bounds = "",
    resolution: ask.Resolution = _DEFAULT.resolution,
    extent: ask.Extent = _DEFAULT.extent,
    resampling: ask.Resampling = _DEFAULT.resampling,
    bands: ask.Bands = "",
    use: ask.Use = "",
    scale: ask.Scale = _DEFAULT.scale,
    offset: ask.Offset = _DEFAULT.offset,
    nodata: ask.Nodata = _DEFAULT.nodata,
    reflectance: ask.Reflectance = _DEFAULT.reflectance,
    quality: ask.Quality = _DEFAULT.quality,
    dates: ask.Dates = _DEFAULT.dates,
    inspect: ask.Inspect = _DEFAULT.inspect,
    fail_under: ask.FailUnder = None,
    on_error: ask.OnError = _DEFAULT.on_error,
    overwrite: ask.Overwrite = False,
    device: ask.Device = _DEFAULT.device,
    workers: ask.Workers = _DEFAULT.workers,
    memory_limit: ask.MemoryLimit = _DEFAULT.memory_limit_mb,
    quiet: ask.Quiet = False,
) -> None:
    """Fuse images of one place into one: clouds, shadows, holes and other defects give way to what others show.

    Leaves OUT.tif with counts, winning images, a JSON record and a page beside it.
    """
    choices = {"method": method, "all_bad": all_bad, "tone": tone, "extent": extent, "on_error": on_error}
    options = FuseOptions(
        **cast(_Choices, choices),  # checked by the options
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
        nodata=nodata,
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
    paths = without_own_outputs(find_products(scenes), scenes)
    raise typer.Exit(_run(paths, out, options, overwrite=overwrite, quiet=quiet, fail_under=fail_under))


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
    bar = SceneProgress(Console(stderr=True), n_scenes=1, is_quiet=quiet, shares=SHARES)
    with interruptible("nothing half-written is left"), bar as progress:
        report = fuse_images(paths, out, prepared, progress=lambda stage, share: progress(out.name, stage, share))
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
