"""`clearscene mask SCENE...`: clouds, thin clouds and their shadows."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import typer
from rich.console import Console

from clearscene.cli import mask_options as ask
from clearscene.cli.mask_summary import print_masks
from clearscene.cli.progress import SceneProgress, interruptible
from clearscene.errors import OptionError
from clearscene.masking.classes import Classes
from clearscene.masking.inputs import find_products
from clearscene.masking.options import MaskOptions
from clearscene.masking.run import MaskOutcome, mask_batch
from clearscene.masking.scene import prepare_mask
from clearscene.raster.bands import parse_bands
from clearscene.raster.sensors.product import Kind

__all__ = ["command"]

_DEFAULT = MaskOptions()

SHARES = {"mask": 0.85, "buffer": 0.05, "compare": 0.04, "polygons": 0.04, "write": 0.02}
"""How much of a scene's bar each stage fills."""


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: ask.Scenes,
    out: ask.Out = Path("masks"),
    bands: ask.Bands = "",
    scale: ask.Scale = _DEFAULT.scale,
    offset: ask.Offset = _DEFAULT.offset,
    nodata: ask.Nodata = _DEFAULT.nodata,
    kind: ask.Kind = _DEFAULT.kind,
    resolution: ask.Resolution = _DEFAULT.resolution,
    model: ask.Model = None,
    classes: ask.ClassCount = _DEFAULT.classes,
    buffer: ask.Buffer = _DEFAULT.buffer_m,
    tta: ask.Tta = _DEFAULT.tta,
    fast: ask.Fast = _DEFAULT.fast,
    fine: ask.Fine = _DEFAULT.fine,
    wide: ask.Wide = _DEFAULT.wide,
    device: ask.Device = _DEFAULT.device,
    confidence: ask.Confidence = _DEFAULT.confidence,
    vector: ask.Vector = _DEFAULT.vector,
    qa: ask.Qa = _DEFAULT.qa,
    fail_under: ask.FailUnder = None,
    overwrite: ask.Overwrite = False,
    workers: ask.Workers = _DEFAULT.workers,
    memory_limit: ask.MemoryLimit = _DEFAULT.memory_limit_mb,
    quiet: ask.Quiet = False,
) -> None:
    """Mask clouds, thin clouds and cloud shadows of satellite products and rasters.

    Leaves `OUT/<scene>_mask.tif` with its style, a STAC Item and a JSON record, and more on request.
    """
    options = MaskOptions(
        models=tuple(model or _DEFAULT.models),
        bands=parse_bands(bands) if bands else None,
        scale=scale,
        offset=offset,
        nodata=nodata,
        kind=cast(Kind | None, kind),
        resolution=resolution,
        classes=cast(Classes, classes),  # checked by the options
        buffer_m=buffer,
        tta=tta,
        fast=fast,
        fine=fine,
        wide=wide,
        confidence=confidence,
        vector=vector,
        qa=qa,
        device=device,
        workers=workers,
        memory_limit_mb=memory_limit,
    )
    _check_share(fail_under)
    outcomes = _run(find_products(scenes), out, options, overwrite=overwrite, quiet=quiet)
    raise typer.Exit(print_masks(outcomes, out=out, fail_under=fail_under))


def _check_share(fail_under: float | None) -> None:
    """Refuse a percentage that no scene can have, before any work; it would always pass or always fail."""
    if fail_under is not None and not 0 <= fail_under <= 100:
        raise OptionError(f"--fail-under {fail_under:g} is no percentage.", hint="Give 0 to 100, as 40.")


def _run(paths: Sequence[str], out: Path, options: MaskOptions, *, overwrite: bool, quiet: bool) -> list[MaskOutcome]:
    """Mask under a progress bar."""
    prepared = prepare_mask(options)
    bar = SceneProgress(Console(stderr=True), n_scenes=len(paths), is_quiet=quiet, shares=SHARES)
    with interruptible("scenes that were finished are kept, nothing half-written is left"), bar as progress:
        return mask_batch(paths, out, prepared, overwrite=overwrite, progress=progress)
