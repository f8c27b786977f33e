"""What can be said to `clearscene inspect`, by the panels of its help; the defaults are those of `InspectOptions`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clearscene.cli.option import option
from clearscene.inspection import options

__all__ = [
    "Aoi", "Bands", "Confidence", "Device", "Encoding", "FailUnder", "Formats", "Ignore", "Lang", "MemoryLimit",
    "MissingMode", "Model", "Offset", "Out", "Overwrite", "Pdf", "Quiet", "Satellite", "Scale", "Scenes", "Standard",
    "StripeMode", "Types", "Units", "Workers",
]  # fmt: skip

_select = partial(option, panel="What to inspect")
_detect = partial(option, panel="How to detect")
_score = partial(option, panel="Scoring")
_output = partial(option, panel="Output")
_running = partial(option, panel="Running")

Scenes = Annotated[
    list[str], typer.Argument(metavar="SCENE...", help="Rasters, folders, patterns, /vsi paths or URLs of COGs.")
]

Types = Annotated[str, _select("Types to look for (cloud,stripe or 1,9) or to leave out (-cloud).")]
Bands = Annotated[str, _select("Bands by name, such as red=1,green=2,blue=3.")]
Scale = Annotated[float | None, _select("Reflectance is value * scale + offset; goes before what metadata say.")]
Offset = Annotated[float, _select("See --scale.")]
Aoi = Annotated[Path | None, _select("Polygons: inspect only inside them.")]
Ignore = Annotated[Path | None, _select("Polygons of known-good areas: leave them out.")]

Model = Annotated[Path | None, _detect("Folder of a model of your own.")]
Satellite = Annotated[
    bool | None,
    _detect(
        "Look for clouds and shadows with the model of `mask` too; left out: where pixels are 5 m or more, on"
        " finer ones it only confirms shadows.",
        "--satellite/--no-satellite",
    ),
]
Device = Annotated[str, _detect("auto, cpu, cuda or openvino.")]
StripeMode = Annotated[options.Mode, _detect("default, or paper for the published rule.")]
MissingMode = Annotated[options.Mode, _detect("default, or paper for the published rule.")]

Standard = Annotated[str, _score("A shipped standard or a TOML file; see `clearscene standards`.")]
Units = Annotated[str, _score("Score by map sheet: grid:500m, grid:1024px or a polygon file.")]
FailUnder = Annotated[float | None, _score("Exit with 1 if a scene scores less.")]

Out = Annotated[Path, _output("Folder of the results: one folder a scene.", "--out", "-o")]
Formats = Annotated[str, _output("Polygon files, of gpkg, shp, geojson.", "--format")]
Encoding = Annotated[options.Encoding, _output("Text encoding of Shapefiles: UTF-8 or GBK.")]
Confidence = Annotated[bool, _output("Write confidence.tif, a band a type.", "--confidence")]
Lang = Annotated[options.Lang, _output("Language of the report: en or zh.")]
Pdf = Annotated[bool, _output("Write report.pdf as well.", "--pdf")]

Overwrite = Annotated[bool, _running("Inspect again what is done already.", "--overwrite")]
Workers = Annotated[int, _running("Threads.", show_default="all cores")]
MemoryLimit = Annotated[int, _running("What to stay below, MB.")]
Quiet = Annotated[bool, _running("No progress bar.", "--quiet", "-q")]
