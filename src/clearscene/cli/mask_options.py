"""What can be said to `clearscene mask`, by the panels of its help; the defaults are those of `MaskOptions`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clearscene.cli.option import option
from clearscene.masking.options import COARSE_M, DEFAULT_MODEL, FINEST_WIDE_M, LEAST_MEMORY_MB, WIDE_M

__all__ = [
    "Bands", "Buffer", "ClassCount", "Confidence", "Device", "FailUnder", "Fast", "Fine", "Kind", "MemoryLimit",
    "Model", "Nodata", "Offset", "Out", "Overwrite", "Qa", "Quiet", "Resolution", "Scale", "Scenes", "Tta", "Vector",
    "Wide", "Workers",
]  # fmt: skip

_read = partial(option, panel="How to read")
_how = partial(option, panel="How to mask")
_output = partial(option, panel="Output")
_running = partial(option, panel="Running")

Scenes = Annotated[
    list[str],
    typer.Argument(
        metavar="SCENE...",
        help="Sentinel-2 SAFE or Landsat folders, zips and tars, STAC Items, rasters, folders of these, patterns.",
    ),
]

Bands = Annotated[str, _read("Bands by name, such as red=1,green=2,blue=3,nir=4.")]
Scale = Annotated[float | None, _read("Reflectance = value * scale + offset.")]
Offset = Annotated[float | None, _read("See --scale.")]
Nodata = Annotated[float | None, _read("Value without data, beside what a raster itself says.")]
Kind = Annotated[
    str | None,
    _read("What a raster holds: toa or surface reflectance, or display.", show_default="toa; display of 8 bits"),
]
Resolution = Annotated[
    float | None,
    _read("Pixel size to work and answer at, meters.", show_default="that of the finest visible band"),
]

Model = Annotated[
    list[str] | None,
    _how(
        "A shipped model, a model folder, or a peer: ukis-4b, ukis-6b, s2cloudless, omnicloudmask. "
        "Several are averaged.",
        show_default=DEFAULT_MODEL,
    ),
]
ClassCount = Annotated[
    int, _how("4: clear, thick, thin, shadow; 3: thick and thin as one; 2: shadow counts as clear too.")
]
Buffer = Annotated[float, _how("Meters to grow clouds and shadows by.")]
Tta = Annotated[int, _how("Most further looks at a ragged tile, 0 to 7.")]
Fast = Annotated[bool, _how("Look at half the resolution.", "--fast")]
Fine = Annotated[
    bool | None,
    _how(
        "Look at twice the resolution, in four times the time; needs nir.",
        "--fine/--no-fine",
        show_default=f"from {COARSE_M:g} m on",
    ),
]
Wide = Annotated[
    bool | None,
    _how(
        f"Look at pixels of about {WIDE_M:g} m too, for veils.",
        "--wide/--no-wide",
        show_default=f"from {FINEST_WIDE_M:g} to {COARSE_M:g} m",
    ),
]
Device = Annotated[str, _how("auto, cpu, cuda or openvino.")]

Out = Annotated[Path, _output("Folder of the masks.", "--out", "-o")]
Confidence = Annotated[bool, _output("Write the probability of each class.", "--confidence")]
Vector = Annotated[str, _output("Write polygons: gpkg.")]
Qa = Annotated[bool, _output("Compare with the product's own quality band.", "--qa")]
FailUnder = Annotated[float | None, _output("Exit with 1 if less of a scene is clear, percent, 0 to 100.")]

Overwrite = Annotated[bool, _running("Mask again what is done already.", "--overwrite")]
Workers = Annotated[int, _running("Threads.", show_default="all cores")]
MemoryLimit = Annotated[
    int, _running(f"What to stay below, MB: {LEAST_MEMORY_MB} or more, and more of scenes beyond a tile.")
]
Quiet = Annotated[bool, _running("No progress bar.", "--quiet", "-q")]
