"""`clearscene mask SCENE...`: clouds, thin clouds and their shadows."""

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from clearscene.cli.mask_summary import print_masks
from clearscene.cli.progress import SceneProgress
from clearscene.masking.classes import Classes
from clearscene.masking.inputs import find_products
from clearscene.masking.options import MaskOptions
from clearscene.masking.run import mask_batch
from clearscene.masking.scene import prepare_mask
from clearscene.raster.bands import parse_bands

__all__ = ["command"]

_DEFAULT = MaskOptions()

_INPUT = "How to read"
_MODEL = "How to mask"
_OUTPUT = "Output"
_RUN = "Running"

SHARES = {"mask": 0.85, "buffer": 0.05, "compare": 0.04, "polygons": 0.04, "write": 0.02}
"""How much of a scene's bar each stage fills."""


def command(  # an option of the command line is a parameter here: there is no smaller form
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Sentinel-2 SAFE or Landsat folders, zips and tars, STAC Items, rasters, folders of these, patterns.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the masks.", rich_help_panel=_OUTPUT)] = Path(
        "masks"
    ),
    bands: Annotated[
        str, typer.Option(help="Bands by name, such as red=1,green=2,blue=3,nir=4.", rich_help_panel=_INPUT)
    ] = "",
    scale: Annotated[
        float | None, typer.Option(help="Reflectance = value * scale + offset.", rich_help_panel=_INPUT)
    ] = _DEFAULT.scale,
    offset: Annotated[float | None, typer.Option(help="See --scale.", rich_help_panel=_INPUT)] = _DEFAULT.offset,
    resolution: Annotated[
        float | None,
        typer.Option(
            help="Pixel size to work and answer at, meters.",
            show_default="that of the finest visible band",
            rich_help_panel=_INPUT,
        ),
    ] = _DEFAULT.resolution,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A shipped model, a model folder, or a peer: ukis-4b, ukis-6b, s2cloudless, omnicloudmask. "
            "Several are averaged.",
            show_default=_DEFAULT.models[0],
            rich_help_panel=_MODEL,
        ),
    ] = None,
    classes: Annotated[
        int,
        typer.Option(
            help="4: clear, thick, thin, shadow; 3: thick and thin as one; 2: shadow counts as clear too.",
            rich_help_panel=_MODEL,
        ),
    ] = _DEFAULT.classes,
    buffer: Annotated[
        float, typer.Option(help="Meters to grow clouds and shadows by.", rich_help_panel=_MODEL)
    ] = _DEFAULT.buffer_m,
    tta: Annotated[
        int, typer.Option(help="Most further looks at a ragged tile, 0 to 7.", rich_help_panel=_MODEL)
    ] = _DEFAULT.tta,
    fast: Annotated[
        bool, typer.Option("--fast", help="Look at half the resolution.", rich_help_panel=_MODEL)
    ] = _DEFAULT.fast,
    fine: Annotated[
        bool,
        typer.Option(
            "--fine", help="Look at twice the resolution, in four times the time; needs nir.", rich_help_panel=_MODEL
        ),
    ] = _DEFAULT.fine,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or openvino.", rich_help_panel=_MODEL)] = _DEFAULT.device,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Write the probability of each class.", rich_help_panel=_OUTPUT)
    ] = _DEFAULT.confidence,
    vector: Annotated[str, typer.Option(help="Write polygons: gpkg.", rich_help_panel=_OUTPUT)] = _DEFAULT.vector,
    qa: Annotated[
        bool,
        typer.Option("--qa", help="Compare with the product's own quality band.", rich_help_panel=_OUTPUT),
    ] = _DEFAULT.qa,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 1 if less of a scene is clear, percent.", rich_help_panel=_OUTPUT)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Mask again what is done already.", rich_help_panel=_RUN)
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Threads.", show_default="all cores", rich_help_panel=_RUN)
    ] = _DEFAULT.workers,
    memory_limit: Annotated[
        int, typer.Option(help="What to stay below, MB.", rich_help_panel=_RUN)
    ] = _DEFAULT.memory_limit_mb,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=_RUN)] = False,
) -> None:
    """Mask clouds, thin clouds and cloud shadows of satellite products and rasters.

    Leaves `OUT/<scene>_mask.tif` with its style, a STAC Item and a JSON record, and more on request.
    """
    options = MaskOptions(
        models=tuple(model or _DEFAULT.models),
        bands=parse_bands(bands) if bands else None,
        scale=scale,
        offset=offset,
        resolution=resolution,
        classes=cast(Classes, classes),  # checked by the options
        buffer_m=buffer,
        tta=tta,
        fast=fast,
        fine=fine,
        confidence=confidence,
        vector=vector,
        qa=qa,
        device=device,
        workers=workers,
        memory_limit_mb=memory_limit,
    )
    paths = find_products(scenes)
    prepared = prepare_mask(options)
    console = Console(stderr=True)
    try:
        with SceneProgress(console, n_scenes=len(paths), is_quiet=quiet, shares=SHARES) as progress:
            outcomes = mask_batch(paths, out, prepared, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: scenes that were finished are kept, nothing half-written is left", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(print_masks(outcomes, out=out, fail_under=fail_under))
